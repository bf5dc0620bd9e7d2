/**
 * The x87 of the model against the host's: random register stacks, tags, words and operands, one instruction each.
 * X87_CASES sets the number of cases an encoding gets.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { copyFromPool, type PoolKind } from '../../arbitraries/pools.js';
import { Random } from '../../arbitraries/random.js';
import { ModelOracle } from '../../oracles/model.js';
import { type CaseBatch, createOutcomes } from '../../oracles/oracle.js';
import { BACKGROUND_BYTE, USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS } from '../../state/cpu-state.js';
import { HostJudge } from '../../testing/host-judge.js';
import type { Opcode } from '../opcode.js';
import { X87_OPCODES } from './index.js';
import { C1 } from './words.js';

const CASES = Number(process.env.X87_CASES ?? 40);
const CODE_BYTES = 16;
const IMAGE_BYTES = 108;
const MEMORY_BYTES = 32;
const IN_BYTES = CODE_BYTES + IMAGE_BYTES + MEMORY_BYTES + 4;
const OUT_BYTES = IMAGE_BYTES + MEMORY_BYTES + 8;
const ARITHMETIC_FLAGS = 0x8d5;
const DATA_AT = CPU_STATE_BYTES + 512;
const DATA_ADDRESS = 0x20f00;

const host = new HostJudge(new URL('../../../engine/isa/x87/host-x87.c', import.meta.url));
afterAll(() => host.close());

/** The environment has its own test: its pointers are those of the host's program. */
const WITH_POINTERS = /^(FLDENV|FNSTENV|FNSAVE|FRSTOR)$/;
const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSIN|FCOS|FSINCOS)$/;
const FCOMI = /^FU?COMIP?$/;

/** Memory operands are at [EAX]. */
function bytesOf({ encoding }: Opcode, random: Random): number[] {
  const [first, second] = encoding.split(' ') as [string, string | undefined];
  const opcode = Number.parseInt(first, 16);
  if (second === undefined) return [opcode];
  if (second.startsWith('/')) return [opcode, Number(second.slice(1)) << 3];
  return [opcode, Number.parseInt(second, 16) + (second.endsWith('+i') ? random.below(8) : 0)];
}

const poolFor = ({ operands, mnemonic }: Opcode): PoolKind => {
  if (mnemonic.startsWith('FI')) return 'integers';
  return operands === 'm32' ? 'singles' : operands === 'm64' ? 'doubles' : operands === 'm80' ? 'extendeds' : 'integers';
};

/** A case: the record of the model. */
function draw(row: Opcode, random: Random): Uint8Array {
  const words = new Uint32Array(USER_RECORD_BYTES / 4);
  const record = new Uint8Array(words.buffer);
  const state = new CpuState(words.buffer);
  record.fill(BACKGROUND_BYTE, CPU_STATE_BYTES);
  for (let index = 0; index < 6; index++)
    state.setSegment(index, index === CS ? 0x1b : 0x23, 0n, 0xffff_ffff, index === CS ? 0xc0fb : 0xc0f3);
  state.rip = BigInt(USER_WINDOWS[0]!.address);
  state.flags = 0x202 | (random.u32() & ARITHMETIC_FLAGS);
  state.setU32(CPU_STATE.cr0, 0x8000_0033);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cpl, 3);
  state.registers[0] = BigInt(DATA_ADDRESS);
  const masks = random.chance(50) ? 0x3f : random.u32() & 0x3f;
  state.setU16(CPU_STATE.x87Control, 0x40 | masks | (random.chance(50) ? 0x300 : random.u32() & 0xf00));
  state.setU16(CPU_STATE.x87Status, (random.u32() & 0x7f40) | (random.u32() & masks));
  state.setU16(CPU_STATE.x87Empty, random.pick([0, 0, random.u32() & random.u32() & random.u32(), random.u32() | random.u32()]) & 0xff);
  copyFromPool(random, random.chance(80) ? 'extendeds' : 'integers', words, CPU_STATE.x87Registers / 4, 32);
  copyFromPool(random, random.chance(80) ? poolFor(row) : 'integers', words, DATA_AT / 4, MEMORY_BYTES / 4);
  record.set(bytesOf(row, random), CPU_STATE_BYTES);
  return record;
}

interface Outcome {
  readonly control: string;
  readonly status: string;
  readonly tags: string;
  /** ST(0) to ST(7). */
  readonly registers: readonly string[];
  readonly memory: string;
  readonly flags: string;
  readonly ax: string;
}
const hex = (value: number | bigint): string => value.toString(16);
const extended = (significand: bigint, signExponent: number): string => `${hex(signExponent)}:${hex(significand)}`;

const topOf = (state: CpuState): number => (state.u16(CPU_STATE.x87Status) >> 11) & 7;
/** ST(index) */
const registerAt = (state: CpuState, index: number): number => CPU_STATE.x87Registers + 16 * ((topOf(state) + index) & 7);
const fullTags = (empty: number): number => [0, 1, 2, 3, 4, 5, 6, 7].reduce((word, i) => word | ((((empty >> i) & 1) * 3) << (2 * i)), 0);
const onlyEmpty = (tags: number): number =>
  [0, 1, 2, 3, 4, 5, 6, 7].reduce((mask, i) => mask | (((tags >> (2 * i)) & 3) === 3 ? 1 << i : 0), 0);

function modelOutcome(record: Uint8Array): Outcome {
  const state = new CpuState(record.buffer, record.byteOffset);
  const registers = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => {
    const at = registerAt(state, i);
    return extended(state.u64(at), state.u16(at + 8));
  });
  return {
    control: hex(state.u16(CPU_STATE.x87Control)),
    status: hex(state.u16(CPU_STATE.x87Status)),
    tags: hex(state.u16(CPU_STATE.x87Empty)),
    registers,
    memory: Buffer.from(record.subarray(DATA_AT, DATA_AT + MEMORY_BYTES)).toString('hex'),
    flags: hex(state.flags & ARITHMETIC_FLAGS),
    ax: hex(state.u16(0)),
  };
}

function askHost(records: readonly Uint8Array[]): Outcome[] {
  const input = Buffer.alloc(records.length * IN_BYTES);
  records.forEach((record, i) => {
    const at = i * IN_BYTES;
    const state = new CpuState(record.buffer, record.byteOffset);
    input.set(record.subarray(CPU_STATE_BYTES, CPU_STATE_BYTES + 2), at);
    input[at + (record[CPU_STATE_BYTES] === 0x9b ? 1 : 2)] = 0xc3;
    const image = at + CODE_BYTES;
    input.writeUInt32LE(state.u16(CPU_STATE.x87Control), image);
    input.writeUInt32LE(state.u16(CPU_STATE.x87Status), image + 4);
    input.writeUInt32LE(fullTags(state.u16(CPU_STATE.x87Empty)), image + 8);
    for (let j = 0; j < 8; j++) {
      const from = registerAt(state, j);
      input.set(state.bytes.subarray(from, from + 10), image + 28 + 10 * j);
    }
    input.set(record.subarray(DATA_AT, DATA_AT + MEMORY_BYTES), image + IMAGE_BYTES);
    input.writeUInt32LE(state.flags, image + IMAGE_BYTES + MEMORY_BYTES);
  });
  const answers = host.ask(input);
  return records.map((_, i) => {
    const at = i * OUT_BYTES;
    return {
      control: hex(answers.readUInt16LE(at)),
      status: hex(answers.readUInt16LE(at + 4)),
      tags: hex(onlyEmpty(answers.readUInt16LE(at + 8))),
      registers: [0, 1, 2, 3, 4, 5, 6, 7].map((j) =>
        extended(answers.readBigUInt64LE(at + 28 + 10 * j), answers.readUInt16LE(at + 36 + 10 * j)),
      ),
      memory: answers.subarray(at + IMAGE_BYTES, at + IMAGE_BYTES + MEMORY_BYTES).toString('hex'),
      flags: hex(answers.readUInt32LE(at + IMAGE_BYTES + MEMORY_BYTES) & ARITHMETIC_FLAGS),
      ax: hex(answers.readUInt32LE(at + IMAGE_BYTES + MEMORY_BYTES + 4)),
    };
  });
}

const ordinal = (register: string): bigint => {
  const [signExponent, significand] = register.split(':').map((part) => BigInt(`0x${part}`)) as [bigint, bigint];
  return (signExponent << 63n) + (significand & ((1n << 63n) - 1n));
};
const withoutBits = (word: string, mask: number): string => hex(Number.parseInt(word, 16) & ~mask);

/** What the host may have otherwise: policies x87.transcendental, x87.fcomi.c1. */
function excuse({ mnemonic, operands }: Opcode, ours: Outcome, theirs: Outcome): [Outcome, Outcome] {
  let registers = theirs.registers;
  let mask = 0;
  if (TRANSCENDENTAL.test(mnemonic)) {
    mask = C1;
    registers = registers.map((theirRegister, i) => {
      const distance = ordinal(theirRegister) - ordinal(ours.registers[i]!);
      return distance >= -1n && distance <= 1n ? ours.registers[i]! : theirRegister;
    });
  } else if (FCOMI.test(mnemonic)) mask = C1;
  const ax = operands === 'ax';
  const settle = (outcome: Outcome): Outcome => ({ ...outcome, status: withoutBits(outcome.status, mask), ax: ax ? outcome.ax : '' });
  return [settle(ours), settle({ ...theirs, registers })];
}

/** FYL2XP1 is defined for operands near zero only. */
const isDefined = ({ mnemonic }: Opcode, record: Uint8Array): boolean => {
  if (mnemonic !== 'FYL2XP1') return true;
  const state = new CpuState(record.buffer);
  return (state.u16(registerAt(state, 0) + 8) & 0x7fff) < 0x3ffd;
};

const model = new ModelOracle();
const rows = X87_OPCODES.filter(({ mnemonic }) => !WITH_POINTERS.test(mnemonic)).map((row, index) => ({
  name: `${row.encoding} ${row.mnemonic} ${row.operands}`,
  row,
  index,
}));

describe('x87 instructions of the model as the host has them', () => {
  test.each(rows)('$name', ({ row, index }) => {
    const random = new Random(index + 1);
    const records: Uint8Array[] = [];
    while (records.length < CASES) {
      const record = draw(row, random);
      if (isDefined(row, record)) records.push(record);
    }
    const answers = askHost(records);
    const outcomes = createOutcomes(1, USER_RECORD_BYTES);
    records.forEach((record, i) => {
      const batch: CaseBatch = { arena: 'user', bits: 32, windows: USER_WINDOWS, count: 1, records: record, tickLimit: 1 };
      model.run(batch, outcomes);
      const [ours, theirs] = excuse(row, modelOutcome(outcomes.records), answers[i]!);
      const code = Buffer.from(record.subarray(CPU_STATE_BYTES, CPU_STATE_BYTES + 2)).toString('hex');
      expect({ code, before: modelOutcome(record), after: ours }).toEqual({ code, before: modelOutcome(record), after: theirs });
    });
  });
});
