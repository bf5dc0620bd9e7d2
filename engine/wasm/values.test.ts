/**
 * Generated expressions against JavaScript: every operator, by small functions that V8 compiles and runs; and LEB128 by
 * reading it back (WebAssembly core specification, sections 4.3 and 5.2.2).
 */
/// <reference path="./webassembly.d.ts" />
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signedLeb32, signedLeb64, unsignedLeb } from './bytes.js';
import type { FunctionBuilder } from './function-builder.js';
import { ModuleBuilder } from './module-builder.js';
import { F64, I32, I64, select, TYPE_F64, TYPE_I32, TYPE_I64, type ValueType } from './values.js';

const RUNS = { seed: 20261122, numRuns: 100 };
type Call = (...values: (number | bigint)[]) => number | bigint;

function functions(
  all: Record<string, { parameters: ValueType[]; result: ValueType; build: (f: FunctionBuilder) => void }>,
): Record<string, Call> {
  const module = new ModuleBuilder({ module: 'test', field: 'memory', pages: 1 });
  for (const [name, { parameters, result, build }] of Object.entries(all))
    module.export(name, module.function({ parameters, results: [result] }, build));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { test: { memory } }).exports as Record<string, Call>;
}

/** name: [generated, JavaScript on unsigned 32-bit values]; results modulo 2^32. */
const BINARY_32: Record<string, [(a: I32, b: I32) => I32, (a: number, b: number) => number | boolean]> = {
  add: [(a, b) => a.add(b), (a, b) => a + b],
  sub: [(a, b) => a.sub(b), (a, b) => a - b],
  mul: [(a, b) => a.mul(b), (a, b) => Math.imul(a, b)],
  and: [(a, b) => a.and(b), (a, b) => a & b],
  or: [(a, b) => a.or(b), (a, b) => a | b],
  xor: [(a, b) => a.xor(b), (a, b) => a ^ b],
  shl: [(a, b) => a.shl(b), (a, b) => a << b],
  shrS: [(a, b) => a.shrS(b), (a, b) => a >> b],
  shrU: [(a, b) => a.shrU(b), (a, b) => a >>> b],
  rotl: [(a, b) => a.rotl(b), (a, b) => (a << b) | (b & 31 ? a >>> -b : 0)],
  rotr: [(a, b) => a.rotr(b), (a, b) => (a >>> b) | (b & 31 ? a << -b : 0)],
  eq: [(a, b) => a.eq(b), (a, b) => a === b],
  ne: [(a, b) => a.ne(b), (a, b) => a !== b],
  ltS: [(a, b) => a.ltS(b), (a, b) => (a | 0) < (b | 0)],
  ltU: [(a, b) => a.ltU(b), (a, b) => a < b],
  gtS: [(a, b) => a.gtS(b), (a, b) => (a | 0) > (b | 0)],
  gtU: [(a, b) => a.gtU(b), (a, b) => a > b],
  leS: [(a, b) => a.leS(b), (a, b) => (a | 0) <= (b | 0)],
  leU: [(a, b) => a.leU(b), (a, b) => a <= b],
  geS: [(a, b) => a.geS(b), (a, b) => (a | 0) >= (b | 0)],
  geU: [(a, b) => a.geU(b), (a, b) => a >= b],
  eqz: [(a) => a.eqz(), (a) => a === 0],
  clz: [(a) => a.clz(), (a) => Math.clz32(a)],
  ctz: [(a) => a.ctz(), (a) => (a === 0 ? 32 : 31 - Math.clz32(a & -a))],
  popcnt: [(a) => a.popcnt(), (a) => a.toString(2).replaceAll('0', '').length],
  not: [(a) => a.not(), (a) => ~a],
  neg: [(a) => a.neg(), (a) => -a],
  extend8S: [(a) => a.extend8S(), (a) => (a << 24) >> 24],
  extend16S: [(a) => a.extend16S(), (a) => (a << 16) >> 16],
  select: [(a, b) => select(a.ltU(b), a, b), (a, b) => Math.min(a, b)],
};

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
/** On unsigned 64-bit values; booleans are i32 results. */
const BINARY_64: Record<string, [(a: I64, b: I64) => I64 | I32, (a: bigint, b: bigint) => bigint | boolean]> = {
  add: [(a, b) => a.add(b), (a, b) => a + b],
  sub: [(a, b) => a.sub(b), (a, b) => a - b],
  mul: [(a, b) => a.mul(b), (a, b) => a * b],
  and: [(a, b) => a.and(b), (a, b) => a & b],
  or: [(a, b) => a.or(b), (a, b) => a | b],
  xor: [(a, b) => a.xor(b), (a, b) => a ^ b],
  shl: [(a, b) => a.shl(b), (a, b) => a << (b & 63n)],
  shrS: [(a, b) => a.shrS(b), (a, b) => s64(a) >> (b & 63n)],
  shrU: [(a, b) => a.shrU(b), (a, b) => a >> (b & 63n)],
  rotl: [(a, b) => a.rotl(b), (a, b) => (a << (b & 63n)) | (a >> (64n - (b & 63n)))],
  rotr: [(a, b) => a.rotr(b), (a, b) => (a >> (b & 63n)) | (a << (64n - (b & 63n)))],
  eq: [(a, b) => a.eq(b), (a, b) => a === b],
  ne: [(a, b) => a.ne(b), (a, b) => a !== b],
  ltS: [(a, b) => a.ltS(b), (a, b) => s64(a) < s64(b)],
  ltU: [(a, b) => a.ltU(b), (a, b) => a < b],
  gtS: [(a, b) => a.gtS(b), (a, b) => s64(a) > s64(b)],
  gtU: [(a, b) => a.gtU(b), (a, b) => a > b],
  leS: [(a, b) => a.leS(b), (a, b) => s64(a) <= s64(b)],
  leU: [(a, b) => a.leU(b), (a, b) => a <= b],
  geS: [(a, b) => a.geS(b), (a, b) => s64(a) >= s64(b)],
  geU: [(a, b) => a.geU(b), (a, b) => a >= b],
  eqz: [(a) => a.eqz(), (a) => a === 0n],
  clz: [(a) => a.clz(), (a) => BigInt(64 - (a === 0n ? 0 : a.toString(2).length))],
  ctz: [(a) => a.ctz(), (a) => BigInt(a === 0n ? 64 : a.toString(2).length - 1 - a.toString(2).lastIndexOf('1'))],
  popcnt: [(a) => a.popcnt(), (a) => BigInt(a.toString(2).replaceAll('0', '').length)],
  not: [(a) => a.not(), (a) => ~a],
  neg: [(a) => a.neg(), (a) => -a],
  extend8S: [(a) => a.extend8S(), (a) => BigInt.asIntN(8, a)],
  extend16S: [(a) => a.extend16S(), (a) => BigInt.asIntN(16, a)],
  extend32S: [(a) => a.extend32S(), (a) => BigInt.asIntN(32, a)],
  wrapped: [(a) => a.wrap().toI64U(), (a) => BigInt.asUintN(32, a)],
  widened: [(a) => a.wrap().toI64S(), (a) => BigInt.asIntN(32, a)],
};

const WORD = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(0x8000_0000, 0x7fff_ffff, 0xffff_ffff),
);
const LONG = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 70n }),
  fc.constantFrom(1n << 63n, (1n << 63n) - 1n, (1n << 64n) - 1n),
);

describe('i32', () => {
  const exports = functions(
    Object.fromEntries(
      Object.entries(BINARY_32).map(([name, [build]]) => [
        name,
        {
          parameters: [TYPE_I32, TYPE_I32],
          result: TYPE_I32,
          build: (f: FunctionBuilder) => f.return(build(f.parameter(0, TYPE_I32), f.parameter(1, TYPE_I32))),
        },
      ]),
    ),
  );
  it.each(Object.entries(BINARY_32))('%s', (name, [, expected]) => {
    fc.assert(
      fc.property(WORD, WORD, (a, b) => {
        expect((exports[name] as Call)(a | 0, b | 0)).toBe(Number(expected(a, b)) | 0);
      }),
      RUNS,
    );
  });
});

describe('i64', () => {
  const exports = functions(
    Object.fromEntries(
      Object.entries(BINARY_64).map(([name, [build, expected]]) => [
        name,
        {
          parameters: [TYPE_I64, TYPE_I64],
          result: typeof expected(1n, 1n) === 'boolean' ? TYPE_I32 : TYPE_I64,
          build: (f: FunctionBuilder) => f.return(build(f.parameter(0, TYPE_I64), f.parameter(1, TYPE_I64))),
        },
      ]),
    ),
  );
  it.each(Object.entries(BINARY_64))('%s', (name, [, expected]) => {
    fc.assert(
      fc.property(LONG, LONG, (a, b) => {
        const want = expected(a, b);
        expect((exports[name] as Call)(a, b)).toBe(typeof want === 'boolean' ? Number(want) : s64(u64(want)));
      }),
      RUNS,
    );
  });
});

it('constants are what they were made from', () => {
  fc.assert(
    fc.property(WORD, LONG, fc.double({ noNaN: true }), (word, long, double) => {
      const exports = functions({
        word: { parameters: [], result: TYPE_I32, build: (f) => f.return(I32.of(word | 0)) },
        long: { parameters: [], result: TYPE_I64, build: (f) => f.return(I64.of(long)) },
        double: { parameters: [], result: TYPE_F64, build: (f) => f.return(F64.of(double)) },
      });
      expect((exports.word as Call)()).toBe(word | 0);
      expect((exports.long as Call)()).toBe(s64(long));
      expect((exports.double as Call)()).toBe(double);
    }),
    { ...RUNS, numRuns: 30 },
  );
});

function readLeb(bytes: readonly number[], signed: boolean): bigint {
  let value = 0n;
  bytes.forEach((byte, i) => {
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    expect(byte >= 0x80).toBe(i < bytes.length - 1);
  });
  return signed ? BigInt.asIntN(7 * bytes.length, value) : value;
}

it('LEB128 reads back, in as few bytes as possible', () => {
  fc.assert(
    fc.property(WORD, LONG, (word, long) => {
      expect(readLeb(unsignedLeb(word), false)).toBe(BigInt(word));
      expect(unsignedLeb(word).length).toBe(Math.max(1, Math.ceil(word.toString(2).length / 7)));
      expect(readLeb(signedLeb32(word), true)).toBe(BigInt(word | 0));
      expect(readLeb(signedLeb64(long), true)).toBe(s64(long));
      const fits = (length: number): boolean => BigInt.asIntN(7 * length, s64(long)) === s64(long);
      expect(fits(signedLeb64(long).length)).toBe(true);
      expect(signedLeb64(long).length === 1 || !fits(signedLeb64(long).length - 1)).toBe(true);
    }),
    RUNS,
  );
});

describe('a function', () => {
  it('has loops, branches, tables, locals and calls', () => {
    const module = new ModuleBuilder({ module: 'test', field: 'memory', pages: 1 });
    const type = { parameters: [TYPE_I32], results: [TYPE_I32] } as const;
    const factorial = module.declare(type);
    module.define(factorial, (f) => {
      const n = f.parameter(0, TYPE_I32);
      f.if(n.leU(1), () => f.return(I32.of(1)));
      f.return(n.mul(f.callValue(factorial, TYPE_I32, n.sub(1))));
    });
    const sum = module.function(type, (f) => {
      const total = f.local(TYPE_I32);
      const left = f.local(TYPE_I32);
      f.set(total, I32.of(0));
      f.set(left, f.parameter(0, TYPE_I32));
      f.block((done) => {
        f.loop((again) => {
          f.brIf(left.get().eqz(), done);
          f.set(total, total.get().add(left.get()));
          f.set(left, left.get().sub(1));
          f.br(again);
        });
      });
      f.return(total.get());
    });
    const choice = module.function(type, (f) => {
      f.block((otherwise) => {
        f.block((one) => {
          f.block((zero) => f.brTable(f.parameter(0, TYPE_I32), [zero, one], otherwise));
          f.return(I32.of(10));
        });
        f.return(I32.of(11));
      });
      f.return(I32.of(99));
    });
    for (const [name, reference] of Object.entries({ factorial, sum, choice })) module.export(name, reference);
    const exports = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
      test: { memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }) },
    }).exports as Record<string, Call>;
    expect([0, 1, 5, 12].map((n) => exports.factorial?.(n))).toEqual([1, 1, 120, 479001600]);
    expect([0, 1, 100].map((n) => exports.sum?.(n))).toEqual([0, 1, 5050]);
    expect([0, 1, 2, -1].map((n) => exports.choice?.(n))).toEqual([10, 11, 99, 99]);
  });

  it('reuses the locals of a scope that has ended, and no others', () => {
    const exports = functions({
      reuse: {
        parameters: [TYPE_I32],
        result: TYPE_I32,
        build: (f) => {
          const outer = f.let(f.parameter(0, TYPE_I32).add(1));
          const indexes: number[] = [];
          f.scope(() => indexes.push(f.local(TYPE_I32).index));
          f.scope(() => indexes.push(f.local(TYPE_I32).index));
          expect(indexes[0]).toBe(indexes[1]);
          f.scope(() => f.drop(f.let(I32.of(7))));
          f.return(outer);
        },
      },
    });
    expect((exports.reuse as Call)(41)).toBe(42);
  });

  it('refuses what would not validate', () => {
    const module = new ModuleBuilder({ module: 'test', field: 'memory', pages: 1 });
    const callee = module.declare({ parameters: [TYPE_I64], results: [TYPE_I32] });
    expect(() => module.finish()).toThrow('declared but not defined');
    module.define(callee, (f) => {
      expect(() => f.parameter(0, TYPE_I32)).toThrow('another type');
      expect(() => f.callValue(callee, TYPE_I32)).toThrow('number of arguments');
      expect(() => f.callValue(callee, TYPE_I32, I32.of(1))).toThrow('another type');
      f.return(I32.of(0));
    });
    expect(() => module.define(callee, () => {})).toThrow('cannot be defined');
    expect(() => module.importFunction('a', 'b', { parameters: [], results: [] })).toThrow('before functions');
  });
});
