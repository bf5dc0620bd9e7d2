/** The engine as an oracle: cases whose outcome the manual states. */
import { describe, expect, it } from 'vitest';
import { fillUserMemory, USER_CR3, USER_RECORD_BYTES, USER_WINDOWS, type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS } from '../state/cpu-state.js';
import { engineOracle } from './engine.js';
import { type CaseBatch, type CodeBits, createOutcomes, END, type OfferedInterrupt, type Outcomes } from './oracle.js';

const CODE = 0x11000;
const CODE_IN_WINDOW = 0x100;
const HLT = 0xf4;
const EAX = 0;
const EBX = 3;
const DATA = 0x21000;
const DATA_IN_WINDOWS = 512 + 0x100;

interface Case {
  readonly code: readonly number[];
  readonly set?: (state: CpuState) => void;
}

function userState(state: CpuState, bits: CodeBits): void {
  for (let index = 0; index < 6; index++) {
    state.setSegment(index, index === CS ? 0x1b : 0x23, 0n, 0xffff_ffff, (index === CS ? 0x80fb : 0x80f3) | (bits === 32 ? 0x4000 : 0));
  }
  state.rip = BigInt(CODE);
  state.flags = 0x202;
  state.setU32(CPU_STATE.cr0, 0x8000_0033);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cpl, 3);
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU16(CPU_STATE.x87Empty, 0xff);
  state.setU32(CPU_STATE.mxcsr, 0x1f80);
  state.registers[EBX] = BigInt(DATA);
}

function userBatch(cases: readonly Case[], bits: CodeBits = 32): CaseBatch {
  const records = new Uint8Array(cases.length * USER_RECORD_BYTES).fill(HLT);
  cases.forEach(({ code, set }, i) => {
    const at = i * USER_RECORD_BYTES;
    records.fill(0, at, at + CPU_STATE_BYTES);
    const state = new CpuState(records.buffer, at);
    userState(state, bits);
    set?.(state);
    records.set(code, at + CPU_STATE_BYTES + CODE_IN_WINDOW);
  });
  return { arena: 'user', bits, windows: USER_WINDOWS, count: cases.length, records, tickLimit: 100 };
}

const stateOf = ({ records }: Outcomes, index = 0): CpuState => new CpuState(records.buffer as ArrayBuffer, index * USER_RECORD_BYTES);

describe.each(['auto', 'step'] as const)('the engine as an oracle, tier %s', (tier) => {
  const oracle = engineOracle(tier);
  const run = (cases: readonly Case[], bits: CodeBits = 32): Outcomes => {
    const outcomes = createOutcomes(cases.length, USER_RECORD_BYTES);
    oracle.run(userBatch(cases, bits), outcomes);
    return outcomes;
  };

  it('ends at the filler, one tick an instruction', () => {
    const outcomes = run([{ code: [0x01, 0xd8, 0x90], set: (state) => (state.registers[EAX] = 5n) }]);
    expect([outcomes.ends[0], outcomes.vectors[0], outcomes.errorCodes[0], outcomes.ticks[0]]).toEqual([END.exception, 13, 0, 2]);
    expect([stateOf(outcomes).registers[EAX], stateOf(outcomes).rip]).toEqual([BigInt(DATA + 5), BigInt(CODE + 3)]);
  });

  it.each([
    { name: 'a page fault', code: [0xa3, 0, 0, 0, 0], vector: 14, errorCode: 6, rip: CODE, ticks: 0 },
    { name: 'a write to a read-only page', code: [0xa3, 0, 0x40, 2, 0], vector: 14, errorCode: 7, rip: CODE, ticks: 0 },
    { name: 'an undefined opcode', code: [0x90, 0x0f, 0x0b], vector: 6, errorCode: 0, rip: CODE + 1, ticks: 1 },
    { name: 'a division by zero', code: [0xf7, 0xf1], vector: 0, errorCode: 0, rip: CODE, ticks: 0 },
    { name: 'a breakpoint', code: [0xcc], vector: 3, errorCode: 0, rip: CODE + 1, ticks: 0 },
    { name: 'INT1', code: [0xf1], vector: 1, errorCode: 0, rip: CODE + 1, ticks: 0 },
    { name: 'an interrupt without a gate', code: [0xcd, 0x21], vector: 13, errorCode: 0x21 * 8 + 2, rip: CODE, ticks: 0 },
  ])('stops at $name before it is delivered', ({ code, vector, errorCode, rip, ticks }) => {
    const outcomes = run([{ code }]);
    expect([outcomes.vectors[0], outcomes.errorCodes[0], outcomes.ticks[0]]).toEqual([vector, errorCode, ticks]);
    expect(stateOf(outcomes).rip).toBe(BigInt(rip));
  });

  it('gives the address of a page fault, and nothing of it to the next case', () => {
    const outcomes = run([{ code: [0xa3, 0x78, 0x56, 0x34, 0x12] }, { code: [0x90] }]);
    expect([stateOf(outcomes, 0).u64(CPU_STATE.cr2), stateOf(outcomes, 1).u64(CPU_STATE.cr2)]).toEqual([0x1234_5678n, 0n]);
  });

  it('traps behind an instruction with TF set', () => {
    const outcomes = run([{ code: [0x90, 0x90], set: (state) => (state.flags = 0x302) }]);
    expect([outcomes.vectors[0], outcomes.ticks[0], stateOf(outcomes).rip]).toEqual([1, 1, BigInt(CODE + 1)]);
  });

  it('returns what was written into a window, and each case finds its own', () => {
    const outcomes = run([{ code: [0x89, 0x03], set: (state) => (state.registers[EAX] = 0x0403_0201n) }, { code: [0x90] }]);
    const at = CPU_STATE_BYTES + DATA_IN_WINDOWS;
    expect([...outcomes.records.subarray(at, at + 5)]).toEqual([1, 2, 3, 4, HLT]);
    expect(outcomes.records[USER_RECORD_BYTES + at]).toBe(HLT);
    expect(outcomes.strayWrites).toEqual([]);
  });

  it('reports what was written elsewhere, and takes it back', () => {
    const write = { code: [0xc6, 0x03, 0x77], set: (state: CpuState) => (state.registers[EBX] = 0x20011n) };
    const read = { code: [0x8a, 0x03], set: (state: CpuState) => (state.registers[EBX] = 0x20011n) };
    const outcomes = run([write, read, write]);
    expect(outcomes.strayWrites).toEqual([0, 0x20011, 0x77, 2, 0x20011, 0x77]);
    expect(stateOf(outcomes, 1).registers[EAX]).toBe(BigInt(HLT));
  });

  it('runs the code that is there now, whatever ran before', () => {
    const increment = { code: [0x40] };
    const decrement = { code: [0x48] };
    const outcomes = run([increment, decrement, increment, increment]);
    expect([0, 1, 2, 3].map((i) => stateOf(outcomes, i).registers[EAX])).toEqual([1n, 0xffff_ffffn, 1n, 1n]);
  });

  it('runs code that changes itself, and finds it as it was in the next case', () => {
    // mov byte [CODE + 7], 48h; inc eax -> dec eax
    const code = [0xc6, 0x05, CODE & 0xff, (CODE >> 8) & 0xff, (CODE >> 16) & 0xff, 0, 0x48, 0x40];
    code[2] = (CODE + 7) & 0xff;
    const outcomes = run([{ code }, { code }]);
    expect([0, 1].map((i) => stateOf(outcomes, i).registers[EAX])).toEqual([0xffff_ffffn, 0xffff_ffffn]);
  });

  it('runs 16-bit code', () => {
    const outcomes = run([{ code: [0x05, 0xff, 0xff], set: (state) => (state.registers[EAX] = 0x1_0002n) }], 16);
    expect(stateOf(outcomes).registers[EAX]).toBe(0x1_0001n);
  });

  it('carries x87, SIMD and debug state through', () => {
    const outcomes = run([
      {
        code: [0xd9, 0xe8, 0x0f, 0x28, 0xc8],
        set: (state) => {
          state.setU64(CPU_STATE.xmm, 0x1122_3344_5566_7788n);
          state.setU16(CPU_STATE.x87Status, 3 << 11);
          state.setU64(CPU_STATE.debug, 0x1234n);
          state.setU32(CPU_STATE.cr4, 0x600);
        },
      },
    ]);
    const state = stateOf(outcomes);
    expect(state.u64(CPU_STATE.xmm + 16)).toBe(0x1122_3344_5566_7788n);
    expect([state.u16(CPU_STATE.x87Status) >> 11, state.u16(CPU_STATE.x87Empty)]).toEqual([2, 0xfb]);
    expect([state.u64(CPU_STATE.x87Registers + 32), state.u16(CPU_STATE.x87Registers + 40)]).toEqual([1n << 63n, 0x3fff]);
    expect(state.u64(CPU_STATE.debug)).toBe(0x1234n);
  });

  describe('in the system arena', () => {
    const windows: readonly Window[] = [{ name: 'low', address: 0, bytes: 4096 }];
    const recordBytes = CPU_STATE_BYTES + windowsBytes(windows);
    const HANDLER = 0x800;
    const VECTOR = 0x20;

    function runReal(code: readonly number[], flags: number, interrupts: readonly OfferedInterrupt[] = [], tickLimit = 100): Outcomes {
      const records = new Uint8Array(recordBytes);
      records.fill(HLT, CPU_STATE_BYTES);
      const state = new CpuState(records.buffer);
      for (let index = 0; index < 6; index++) state.setSegment(index, 0, 0n, 0xffff, index === CS ? 0x9b : 0x93);
      state.setU32(CPU_STATE.cr0, 0x10);
      state.setU32(CPU_STATE.idtrLimit, 0x3ff);
      state.registers[4] = 0xf00n;
      state.rip = 0x400n;
      state.flags = flags;
      const view = new DataView(records.buffer, CPU_STATE_BYTES);
      for (const vector of [6, VECTOR]) view.setUint32(vector * 4, HANDLER, true);
      records.set(code, CPU_STATE_BYTES + 0x400);
      const outcomes = createOutcomes(1, recordBytes);
      oracle.run({ arena: 'system', bits: 16, windows, count: 1, records, tickLimit, interrupts }, outcomes);
      return outcomes;
    }

    it('halts', () => {
      const outcomes = runReal([0x40], 2);
      expect([outcomes.ends[0], outcomes.ticks[0], stateOf(outcomes).u32(CPU_STATE.halted)]).toEqual([END.halted, 2, 1]);
    });

    it('delivers exceptions', () => {
      const outcomes = runReal([0x0f, 0x0b], 2);
      expect([outcomes.ends[0], outcomes.ticks[0], stateOf(outcomes).rip]).toEqual([END.halted, 2, BigInt(HANDLER + 1)]);
    });

    it('accepts an interrupt at its tick', () => {
      const outcomes = runReal([0x40, 0x40, 0x40, 0x40], 0x202, [{ tick: 2, vector: VECTOR }]);
      expect([outcomes.ends[0], stateOf(outcomes).registers[EAX], stateOf(outcomes).rip]).toEqual([END.halted, 2n, BigInt(HANDLER + 1)]);
    });

    it('lets an interrupt wait for STI and the instruction behind it', () => {
      const outcomes = runReal([0x40, 0xfb, 0x40, 0x40, 0x40], 2, [{ tick: 0, vector: VECTOR }]);
      expect([outcomes.ends[0], stateOf(outcomes).registers[EAX], stateOf(outcomes).rip]).toEqual([END.halted, 2n, BigInt(HANDLER + 1)]);
    });

    it('stops at the limit', () => {
      const outcomes = runReal([0xeb, 0xfe], 2, [], 10);
      expect([outcomes.ends[0], outcomes.ticks[0]]).toEqual([END.limit, 10]);
    });
  });
});

it('finds the user memory as everybody does', () => {
  const memory = new Uint8Array(1 << 20);
  fillUserMemory(memory);
  const view = new DataView(memory.buffer);
  expect([view.getUint32(0x80000, true), view.getUint32(0x81000 + 0x24 * 4, true), view.getUint32(0x81000, true)]).toEqual([
    0x81067, 0x24065, 0,
  ]);
});
