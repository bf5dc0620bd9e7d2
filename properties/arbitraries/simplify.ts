/**
 * Makes a case simpler step by step until a person can read it: fewer instructions, plain registers, memory like its
 * surroundings.
 */
import { iced } from '../assembler/iced.js';
import type { CodeBits } from '../oracles/oracle.js';
import { BACKGROUND_BYTE } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, DS, ES, FS, GS, SS } from '../state/cpu-state.js';
import type { Case } from './case.js';

/** The lengths of the instructions in some code; what does not decode counts as one to its end. */
function instructionLengths(code: Uint8Array, bits: CodeBits): number[] {
  const { Decoder, DecoderOptions, Instruction } = iced();
  const decoder = new Decoder(bits, code, DecoderOptions.None);
  const instruction = new Instruction();
  const lengths: number[] = [];
  while (decoder.canDecode) {
    const start = decoder.position;
    decoder.decodeOut(instruction);
    if (instruction.isInvalid) {
      lengths.push(code.length - start);
      break;
    }
    lengths.push(decoder.position - start);
  }
  instruction.free();
  decoder.free();
  return lengths;
}

/** One way to make a case simpler; undefined where it already is. */
export type Simplification = (from: Case) => Case | undefined;

function edited(from: Case, edit: (record: Uint8Array, state: CpuState) => void): Case | undefined {
  const record = from.record.slice();
  edit(record, new CpuState(record.buffer));
  return Buffer.compare(record, from.record) === 0 ? undefined : { ...from, record };
}

/** Replaces the code by another, with the filler behind it. */
function withCode(from: Case, code: Uint8Array): Case {
  const record = from.record.slice();
  record.fill(BACKGROUND_BYTE, from.codeOffset, from.codeOffset + from.codeBytes);
  record.set(code, from.codeOffset);
  return { ...from, record, codeBytes: code.length };
}

const codeOf = ({ record, codeOffset, codeBytes }: Case): Uint8Array => record.subarray(codeOffset, codeOffset + codeBytes);

/** Takes `count` instructions out, from the one numbered `first`. */
function withoutInstructions(first: number, count: number): Simplification {
  return (from) => {
    const code = codeOf(from);
    const lengths = instructionLengths(code, from.bits);
    if (first >= lengths.length || lengths.length <= count) return undefined;
    const start = lengths.slice(0, first).reduce((sum, length) => sum + length, 0);
    const end = lengths.slice(0, first + count).reduce((sum, length) => sum + length, 0);
    const rest = new Uint8Array(code.length - (end - start));
    rest.set(code.subarray(0, start));
    rest.set(code.subarray(end), start);
    return withCode(from, rest);
  };
}

const PLAIN_REGISTERS = [0n, 1n];
const MAXIMUM_INSTRUCTIONS = 64;
const PLAIN_FLAGS = 0x202;
const FLAT_DATA = 0xc0f3;

/** From the coarse to the fine. The list is the same for all cases of an arena and mode, so that a place in it means something. */
export function simplificationsOf({ arena, bits, windows }: Case): readonly Simplification[] {
  const steps: Simplification[] = [];
  for (let count = 32; count >= 1; count >>= 1) {
    for (let first = MAXIMUM_INSTRUCTIONS - count; first >= 0; first -= count) steps.push(withoutInstructions(first, count));
  }
  steps.push((from) => (from.interrupts.length === 0 ? undefined : { ...from, interrupts: [] }));
  steps.push((from) => (from.interrupts.length < 2 ? undefined : { ...from, interrupts: from.interrupts.slice(0, 1) }));
  steps.push((from) => edited(from, (record) => record.fill(0, CPU_STATE.xmm, CPU_STATE.mxcsr)));
  steps.push((from) => edited(from, (_, state) => plainX87(state)));
  steps.push((from) => edited(from, (record) => record.fill(0, CPU_STATE.x87Registers, CPU_STATE.xmm)));
  steps.push((from) => edited(from, (_, state) => state.setU32(CPU_STATE.mxcsr, 0x1f80)));
  steps.push((from) => withFlags(from, () => PLAIN_FLAGS));
  for (let bit = 0; bit < 22; bit++) {
    if (((PLAIN_FLAGS >> bit) & 1) === 0) steps.push((from) => withFlags(from, (flags) => flags & ~(1 << bit)));
  }
  if (arena === 'user') for (const index of [ES, SS, DS, FS, GS]) steps.push((from) => flatSegment(from, index));
  let at = CPU_STATE_BYTES;
  for (const { bytes } of windows) {
    const [start, end] = [at, at + bytes];
    steps.push((from) => withMemory(from, start, end));
    for (let piece = bytes >> 1; piece >= 8; piece >>= 1) {
      for (let from = start; from < end; from += piece) {
        const [first, last] = [from, Math.min(end, from + piece)];
        steps.push((simple) => withMemory(simple, first, last));
      }
    }
    at = end;
  }
  for (let register = 0; register < (bits === 64 ? 16 : 8); register++) {
    for (const value of PLAIN_REGISTERS) steps.push((from) => withRegister(from, register, () => value));
    steps.push((from) => withRegister(from, register, simplerNumber));
  }
  for (let i = 0; i < 8; i++) {
    const first = CPU_STATE.x87Registers + i * 16;
    steps.push((from) => edited(from, (record) => record.fill(0, first, first + 16)));
  }
  for (let i = 0; i < 16; i++) {
    const first = CPU_STATE.xmm + i * 16;
    for (const [skip, count] of [
      [0, 16],
      [8, 8],
      [0, 8],
      [4, 4],
      [0, 4],
    ] as const) {
      steps.push((from) => edited(from, (record) => record.fill(0, first + skip, first + skip + count)));
    }
  }
  const words: readonly (readonly [number, number])[] = [
    [CPU_STATE.x87Status, 0],
    [CPU_STATE.x87Empty, 0],
    [CPU_STATE.x87Empty, 0xff],
    [CPU_STATE.x87Control, 0x37f],
  ];
  for (const [offset, value] of words) steps.push((from) => edited(from, (_, state) => state.setU16(offset, value)));
  return steps;
}

/** Memory as it is around the windows: filler. The code is left alone. */
function withMemory(from: Case, start: number, end: number): Case | undefined {
  return edited(from, (record) => {
    const codeEnd = from.codeOffset + from.codeBytes;
    for (let i = start; i < end; i++) if (i < from.codeOffset || i >= codeEnd) record[i] = BACKGROUND_BYTE;
  });
}

const withFlags = (from: Case, change: (flags: number) => number): Case | undefined =>
  edited(from, (_, state) => {
    state.flags = change(state.flags);
  });

const withRegister = (from: Case, register: number, change: (value: bigint) => bigint): Case | undefined =>
  edited(from, (_, { registers }) => {
    registers[register] = change(registers[register] as bigint);
  });

function plainX87(state: CpuState): void {
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU16(CPU_STATE.x87Status, 0);
  state.setU16(CPU_STATE.x87Empty, 0xff);
}

function flatSegment(from: Case, index: number): Case | undefined {
  if (from.bits === 16) return undefined;
  return edited(from, (_, state) => {
    const selector = state.segmentSelector(index);
    state.setSegment(index, selector === 0 ? 0x2b + index * 8 : selector, 0n, 0xffff_ffff, FLAT_DATA);
  });
}

/** With fewer digits: the lowest bit that is not needed goes first. */
const simplerNumber = (value: bigint): bigint => ((value & 0xffn) === value ? value >> 1n : value & (value - 1n));
