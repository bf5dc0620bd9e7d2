/**
 * Every x87 instruction against the host's FPU: random register stacks, tags, words and operands, one instruction.
 * X87_CASES sets the number of cases an instruction gets.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { HostJudge } from '../../../properties/testing/host-judge.js';
import { OperandSource } from '../../float/test-float-bench.js';
import type { Definition } from '../definition.js';
import { STATUS } from './status.js';
import { DATA_ADDRESS, X87Bench } from './test-x87-bench.js';
import { X87 } from './x87.js';

const CASES = Number(process.env.X87_CASES ?? 60);
const CODE_BYTES = 16;
const IMAGE_BYTES = 108;
const MEMORY_BYTES = 32;
const IN_BYTES = CODE_BYTES + IMAGE_BYTES + MEMORY_BYTES + 4;
const OUT_BYTES = IMAGE_BYTES + MEMORY_BYTES + 8;
const ARITHMETIC_FLAGS = 0x8d5;

const host = new HostJudge(new URL('host-x87.c', import.meta.url));
afterAll(() => host.close());

interface Case {
  readonly code: number[];
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  readonly registers: readonly { significand: bigint; signExponent: number }[];
  readonly memory: Uint8Array;
  readonly eflags: number;
}

/** These keep the pointers to the last instruction in memory; they have tests of their own. */
const WITH_POINTERS = new Set(['fldenv', 'fnstenv', 'fnsave', 'frstor', 'fxsave', 'fxrstor']);
const TRANSCENDENTAL = new Set(['f2xm1', 'fyl2x', 'fyl2xp1', 'fptan', 'fpatan', 'fsin', 'fcos', 'fsincos']);
/** An instruction's bytes; memory operands are at [EAX]. */
function bytesOf({ encoding, operands }: Definition, source: OperandSource): number[] {
  const [opcode, modRm] = encoding.split(' ');
  const first = Number.parseInt(opcode!, 16);
  if (modRm === undefined) return [first];
  if (modRm.startsWith('=')) return [first, Number.parseInt(modRm.slice(1), 16)];
  const digit = Number(modRm.slice(1)) << 3;
  return [first, operands.startsWith('M') ? digit : 0xc0 | digit | source.below(8)];
}

function draw(definition: Definition, source: OperandSource): Case {
  const control = (source.below(2) === 0 ? 0x7f : 0x40 | (source.u32() & 0x3f)) | (source.below(2) === 0 ? 0x300 : source.u32() & 0xf00);
  const masked = control & STATUS.exceptions;
  const status = (source.u32() & 0x7f40) | (source.u32() & masked);
  let tags = 0;
  const emptiness = source.below(3);
  for (let i = 0; i < 8; i++) if (source.below(8) < [0, 2, 7][emptiness]!) tags |= 3 << (2 * i);
  const first = source.f80();
  const registers = Array.from({ length: 8 }, (_, i) => (i === 0 ? first : source.below(2) === 0 ? source.f80Near(first) : source.f80()));
  const memory = new Uint8Array(MEMORY_BYTES);
  const view = new DataView(memory.buffer);
  for (let i = 0; i < MEMORY_BYTES; i += 4) view.setUint32(i, source.u32(), true);
  const operand = definition.operands;
  if (definition.mnemonic === 'fbld') for (let i = 0; i < 10; i++) memory[i] = source.below(10) | (source.below(10) << 4);
  else if (operand === 'Md' && source.below(4) !== 0) view.setUint32(0, source.f32(), true);
  else if (operand === 'Mq' && source.below(4) !== 0) view.setBigUint64(0, source.f64(), true);
  else if (operand === 'Mt') {
    const value = source.f80();
    view.setBigUint64(0, value.significand, true);
    view.setUint16(8, value.signExponent, true);
  }
  return { code: bytesOf(definition, source), control, status, tags, registers, memory, eflags: 0x202 | (source.u32() & ARITHMETIC_FLAGS) };
}

interface Outcome {
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  readonly registers: readonly { significand: bigint; signExponent: number }[];
  readonly memory: string;
  readonly eflags: number;
  readonly ax: number;
}

function ask(cases: readonly Case[]): Outcome[] {
  const input = Buffer.alloc(cases.length * IN_BYTES);
  cases.forEach((each, i) => {
    const at = i * IN_BYTES;
    [...each.code, 0xc3].forEach((byte, j) => input.writeUInt8(byte, at + j));
    const image = at + CODE_BYTES;
    input.writeUInt32LE(each.control, image);
    input.writeUInt32LE(each.status, image + 4);
    input.writeUInt32LE(each.tags, image + 8);
    each.registers.forEach(({ significand, signExponent }, j) => {
      input.writeBigUInt64LE(significand, image + 28 + 10 * j);
      input.writeUInt16LE(signExponent, image + 36 + 10 * j);
    });
    input.set(each.memory, image + IMAGE_BYTES);
    input.writeUInt32LE(each.eflags, image + IMAGE_BYTES + MEMORY_BYTES);
  });
  const answers = host.ask(input);
  return cases.map((_, i) => {
    const at = i * OUT_BYTES;
    return {
      control: answers.readUInt16LE(at),
      status: answers.readUInt16LE(at + 4),
      tags: answers.readUInt16LE(at + 8),
      registers: [0, 1, 2, 3, 4, 5, 6, 7].map((j) => ({
        significand: answers.readBigUInt64LE(at + 28 + 10 * j),
        signExponent: answers.readUInt16LE(at + 36 + 10 * j),
      })),
      memory: answers.subarray(at + IMAGE_BYTES, at + IMAGE_BYTES + MEMORY_BYTES).toString('hex'),
      eflags: answers.readUInt32LE(at + IMAGE_BYTES + MEMORY_BYTES) & ARITHMETIC_FLAGS,
      ax: answers.readUInt32LE(at + IMAGE_BYTES + MEMORY_BYTES + 4),
    };
  });
}

const bench = new X87Bench();

function execute(each: Case): Outcome {
  const { fpu, core, ram } = bench;
  fpu.control = each.control;
  fpu.status = each.status;
  fpu.tagWord = each.tags;
  each.registers.forEach((value, i) => fpu.write(i, value));
  ram.set(each.memory, DATA_ADDRESS);
  core.state.eflags = each.eflags;
  bench.run(...each.code);
  return {
    control: fpu.control,
    status: fpu.status,
    tags: fpu.tagWord,
    registers: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => fpu.get(i)),
    memory: Buffer.from(ram.subarray(DATA_ADDRESS, DATA_ADDRESS + MEMORY_BYTES)).toString('hex'),
    eflags: core.state.eflags & ARITHMETIC_FLAGS,
    ax: core.state.reg16(0),
  };
}

const ordinal = (value: { significand: bigint; signExponent: number }): bigint =>
  (BigInt(value.signExponent) << 63n) + (value.significand & ((1n << 63n) - 1n));

/** Registers of the host within one unit in the last place of ours count as ours. */
function forgiveLastPlace(ours: Outcome, theirs: Outcome): Outcome {
  const registers = theirs.registers.map((value, i) => {
    const distance = ordinal(value) - ordinal(ours.registers[i]!);
    return distance >= -1n && distance <= 1n ? ours.registers[i]! : value;
  });
  return { ...theirs, registers, status: (theirs.status & ~STATUS.c1) | (ours.status & STATUS.c1) };
}

/** Status bits where the host is not asked: the manual leaves them open, or this processor differs from the manual. */
const FREE_STATUS: Readonly<Record<string, number>> = {
  // The manual clears C1, AMD processors leave it.
  fcomi: STATUS.c1,
  fcomip: STATUS.c1,
  fucomi: STATUS.c1,
  fucomip: STATUS.c1,
};

/** Where the manual defines a result at all. */
const DEFINED: Readonly<Record<string, (each: Case) => boolean>> = {
  fyl2xp1: ({ registers: [x] }) => x!.signExponent < 0xbffd,
};

const show = (each: Case, outcome: Outcome): unknown => ({
  code: each.code.map((byte) => byte.toString(16)).join(' '),
  before: [each.control, each.status, each.tags, each.eflags].map((word) => word.toString(16)).join(' '),
  operands: each.registers.slice(0, 2).map((value) => `${value.signExponent.toString(16)}:${value.significand.toString(16)}`),
  ...outcome,
  words: [outcome.control, outcome.status, outcome.tags, outcome.eflags].map((word) => word.toString(16)).join(' '),
  registers: outcome.registers.map((value) => `${value.signExponent.toString(16)}:${value.significand.toString(16)}`),
});

const rows = X87.filter(({ mnemonic }) => !WITH_POINTERS.has(mnemonic)).map((definition, index) => ({
  name: `${definition.encoding} ${definition.mnemonic} ${definition.operands}`,
  definition,
  index,
}));

describe('x87 instructions as the host has them', () => {
  test.each(rows)('$name', ({ definition, index }) => {
    const source = new OperandSource(index + 1);
    const isDefined = DEFINED[definition.mnemonic] ?? (() => true);
    const cases: Case[] = [];
    while (cases.length < CASES) {
      const each = draw(definition, source);
      if (isDefined(each)) cases.push(each);
    }
    const answers = ask(cases);
    const free = FREE_STATUS[definition.mnemonic] ?? 0;
    cases.forEach((each, i) => {
      const ours = execute(each);
      let theirs = answers[i]!;
      if (TRANSCENDENTAL.has(definition.mnemonic)) theirs = forgiveLastPlace(ours, theirs);
      const blur = (outcome: Outcome): Outcome => ({
        ...outcome,
        status: outcome.status & ~free,
        ax: definition.operands === 'AX' ? outcome.ax : 0,
      });
      expect(show(each, blur(ours))).toEqual(show(each, blur(theirs)));
    });
  });
});
