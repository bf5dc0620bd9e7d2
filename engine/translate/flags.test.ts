/**
 * Lazy flags against plain arithmetic (Intel SDM volume 1, section 3.4.3.1): whatever an operation was, each flag and each
 * condition reads as the manual says; and every value of EFLAGS can be written and read back.
 */
/// <reference path="../wasm/webassembly.d.ts" />
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLAG_CARRIES, FLAG_RESULT } from '../cpu/layout.js';
import { ARITHMETIC_FLAGS, CpuState, EFLAG } from '../cpu/state.js';
import type { OperandSize } from '../isa/definition.js';
import { ModuleBuilder } from '../wasm/module-builder.js';
import { type I32, type I64, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { Flags } from './flags.js';
import type { Int } from './int.js';

const SIZES: readonly OperandSize[] = [8, 16, 32, 64];
const OPERATIONS = ['add', 'adc', 'sub', 'sbb', 'logic', 'inc', 'dec', 'explicit', 'setCarryAndOverflow', 'setCarry', 'setZero'] as const;
type Operation = (typeof OPERATIONS)[number];
const RUNS = { seed: 20261122, numRuns: 300 };

/** Exports `operation size` (a, b: i64), `condition` (code) and `lowByte`. */
function build(): { state: CpuState; call: (name: string, ...values: (bigint | number)[]) => number } {
  const module = new ModuleBuilder({ module: 'test', field: 'memory', pages: 1 });
  const type = { parameters: [TYPE_I64, TYPE_I64], results: [] } as const;
  for (const size of SIZES) {
    const operand = (value: I64): Int => (size === 64 ? value : value.wrap().and(size === 32 ? -1 : (1 << size) - 1));
    const one = (value: Int): I32 => (value.and(1) as Int).ne(0);
    const two = (value: Int): I32 => (value.and(2) as Int).ne(0);
    for (const operation of OPERATIONS) {
      const reference = module.function(type, (f) => {
        const flags = new Flags(f);
        const a = operand(f.parameter(0, TYPE_I64));
        const b = operand(f.parameter(1, TYPE_I64));
        const carry = f.let(flags.cf());
        const carryIn: Int = size === 64 ? carry.toI64U() : carry;
        const result = (value: Int): Int => f.let(value as I32);
        switch (operation) {
          case 'add':
            return flags.add(a, b, result(a.add(b)), size);
          case 'adc':
            return flags.add(a, b, result(a.add(b).add(carryIn)), size);
          case 'sub':
            return flags.sub(a, b, result(a.sub(b)), size);
          case 'sbb':
            return flags.sub(a, b, result(a.sub(b).sub(carryIn)), size);
          case 'logic':
            return flags.logic(result(a.xor(b)), size);
          case 'inc':
            return flags.incrementOrDecrement(a, result(a.add(1)), size, 1);
          case 'dec':
            return flags.incrementOrDecrement(a, result(a.sub(1)), size, -1);
          case 'explicit':
            return flags.explicit(a, size, one(b), two(b), (b.and(4) as Int).ne(0));
          case 'setCarryAndOverflow':
            return flags.setCarryAndOverflow(one(b), two(b));
          case 'setCarry':
            return flags.setCarry(one(b));
          default:
            return flags.setZero(one(b));
        }
      });
      module.export(`${operation} ${size}`, reference);
    }
  }
  for (let code = 0; code < 16; code++) {
    module.export(
      `condition ${code}`,
      module.function({ parameters: [], results: [TYPE_I32] }, (f) => f.return(new Flags(f).condition(code))),
    );
  }
  module.export(
    'lowByte',
    module.function({ parameters: [], results: [TYPE_I32] }, (f) => f.return(new Flags(f).lowByte())),
  );
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { test: { memory } });
  return {
    state: new CpuState(memory),
    call: (name, ...values) => (exports[name] as (...values: (bigint | number)[]) => number)(...values),
  };
}

const { state, call } = build();

const has = (flags: number, flag: number): boolean => (flags & flag) !== 0;

/** SF, ZF, PF of a result. */
function resultFlags(result: bigint, size: number): number {
  const low = Number(result & 0xffn);
  const ones = low.toString(2).replaceAll('0', '').length;
  return (
    (BigInt.asUintN(size, result) === 0n ? EFLAG.zf : 0) |
    (BigInt.asIntN(size, result) < 0n ? EFLAG.sf : 0) |
    (ones % 2 === 0 ? EFLAG.pf : 0)
  );
}

/** The flags after an operation on operands of `size` bits. */
function reference(operation: Operation, size: number, a: bigint, b: bigint, before: number): number {
  const carry = has(before, EFLAG.cf) ? 1n : 0n;
  const signed = (value: bigint): bigint => BigInt.asIntN(size, value);
  const sum = (y: bigint, c: bigint): number => {
    const exact = signed(a) + signed(y) + c;
    return (
      resultFlags(a + y + c, size) |
      ((a + y + c) >> BigInt(size) ? EFLAG.cf : 0) |
      (signed(exact) !== exact ? EFLAG.of : 0) |
      ((a & 15n) + (y & 15n) + c > 15n ? EFLAG.af : 0)
    );
  };
  const difference = (y: bigint, c: bigint): number => {
    const exact = signed(a) - signed(y) - c;
    return (
      resultFlags(a - y - c, size) |
      (a < y + c ? EFLAG.cf : 0) |
      (signed(exact) !== exact ? EFLAG.of : 0) |
      ((a & 15n) < (y & 15n) + c ? EFLAG.af : 0)
    );
  };
  const bit = (n: bigint, flag: number): number => ((b >> n) & 1n ? flag : 0);
  switch (operation) {
    case 'add':
      return sum(b, 0n);
    case 'adc':
      return sum(b, carry);
    case 'sub':
      return difference(b, 0n);
    case 'sbb':
      return difference(b, carry);
    case 'logic':
      return resultFlags(a ^ b, size);
    case 'inc':
      return (sum(1n, 0n) & ~EFLAG.cf) | (before & EFLAG.cf);
    case 'dec':
      return (difference(1n, 0n) & ~EFLAG.cf) | (before & EFLAG.cf);
    case 'explicit':
      return resultFlags(a, size) | bit(0n, EFLAG.cf) | bit(1n, EFLAG.of) | bit(2n, EFLAG.af);
    case 'setCarryAndOverflow':
      return (before & ~(EFLAG.cf | EFLAG.of)) | bit(0n, EFLAG.cf) | bit(1n, EFLAG.of);
    case 'setCarry':
      return (before & ~EFLAG.cf) | bit(0n, EFLAG.cf);
    default:
      return (before & ~EFLAG.zf) | bit(0n, EFLAG.zf);
  }
}

/** SDM volume 1, appendix B. */
const CONDITIONS: readonly ((has: (flag: number) => boolean) => boolean)[] = [
  (f) => f(EFLAG.of),
  (f) => f(EFLAG.cf),
  (f) => f(EFLAG.zf),
  (f) => f(EFLAG.cf) || f(EFLAG.zf),
  (f) => f(EFLAG.sf),
  (f) => f(EFLAG.pf),
  (f) => f(EFLAG.sf) !== f(EFLAG.of),
  (f) => f(EFLAG.zf) || f(EFLAG.sf) !== f(EFLAG.of),
];

function expectFlags(expected: number): void {
  expect(state.eflags & ARITHMETIC_FLAGS).toBe(expected & ARITHMETIC_FLAGS);
  expect(call('lowByte')).toBe((expected & ARITHMETIC_FLAGS & 0xff) | 2);
  for (let code = 0; code < 16; code++) {
    const holds = (CONDITIONS[code >> 1] as (typeof CONDITIONS)[number])((flag) => has(expected, flag));
    expect([code, call(`condition ${code}`)]).toEqual([code, Number(holds !== (code % 2 === 1))]);
  }
}

const FLAGS = fc.integer({ min: 0, max: 0x3f_ffff });
const operandOf = (size: OperandSize): fc.Arbitrary<bigint> =>
  fc
    .oneof(
      fc.bigInt({ min: 0n, max: (1n << BigInt(size)) - 1n }),
      fc.bigInt({ min: -3n, max: 3n }),
      fc.constant(1n << BigInt(size - 1)),
      fc.constant((1n << BigInt(size - 1)) - 1n),
    )
    .map((value) => BigInt.asUintN(size, value));

describe.each(SIZES)('%i bits', (size) => {
  it.each(OPERATIONS)('%s', (operation) => {
    fc.assert(
      fc.property(operandOf(size), operandOf(size), FLAGS, (a, b, before) => {
        state.eflags = before;
        call(`${operation} ${size}`, a, b);
        expectFlags(reference(operation, size, a, b, before));
      }),
      RUNS,
    );
  });
});

it('any EFLAGS can be written and read', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (flags) => {
      state.eflags = flags;
      // Bit 1 is one; bits 3, 5, 15 and those from 22 on are zero.
      expect(state.eflags).toBe(((flags & 0x003f_7fd5) | 2) >>> 0);
      expectFlags(flags);
    }),
    RUNS,
  );
});

it('any pair of words reads as the formulas say', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (result, carries) => {
      state.set32(FLAG_RESULT, result);
      state.set32(FLAG_CARRIES, carries);
      expectFlags(state.eflags);
    }),
    RUNS,
  );
});
