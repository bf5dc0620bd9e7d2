import { describe, expect, it } from 'vitest';
import { USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS } from '../state/cpu-state.js';
import { modelOracle } from './model.js';
import { type CodeBits, createOutcomes, END, type Outcomes } from './oracle.js';

const CODE = 0x10f00;
const DATA = 0x20f00;
const CR0 = 0x8005_0033;
const CODE_ATTRIBUTES: Readonly<Record<CodeBits, number>> = { 16: 0x00fb, 32: 0xc0fb, 64: 0xa0fb };

interface Start {
  readonly bits?: CodeBits;
  readonly flags?: number;
  readonly rip?: number;
  readonly tickLimit?: number;
  readonly set?: (state: CpuState, record: Uint8Array) => void;
}

function run(code: readonly number[], start: Start = {}): { state: CpuState; outcomes: Outcomes; record: Uint8Array } {
  const { bits = 32, flags = 2, rip = CODE, tickLimit = 100, set } = start;
  const record = new Uint8Array(USER_RECORD_BYTES).fill(0xf4);
  const state = new CpuState(record.buffer);
  state.bytes.fill(0);
  state.rip = BigInt(rip);
  state.flags = flags;
  state.setU32(CPU_STATE.cr0, CR0);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cr4, 0x600);
  state.setU32(CPU_STATE.efer, bits === 64 ? 0x500 : 0);
  state.setU32(CPU_STATE.cpl, 3);
  for (let segment = 0; segment < 6; segment++) {
    state.setSegment(segment, 0x23, 0n, 0xffff_ffff, segment === CS ? CODE_ATTRIBUTES[bits] : bits === 16 ? 0x00f3 : 0xc0f3);
  }
  state.registers[4] = BigInt(DATA + 0x80);
  record.set(code, CPU_STATE_BYTES + rip - CODE);
  set?.(state, record);
  const outcomes = createOutcomes(1, USER_RECORD_BYTES);
  modelOracle().run({ arena: 'user', bits, windows: USER_WINDOWS, count: 1, records: record, tickLimit }, outcomes);
  return { state: new CpuState(outcomes.records.buffer), outcomes, record: outcomes.records };
}

const ended = ({ state, outcomes }: ReturnType<typeof run>) => ({
  end: outcomes.ends[0],
  vector: outcomes.vectors[0],
  errorCode: outcomes.errorCodes[0],
  ticks: outcomes.ticks[0],
  rip: Number(state.rip),
});
const exception = (vector: number, errorCode: number, ticks: number, rip: number) => ({
  end: END.exception,
  vector,
  errorCode,
  ticks,
  rip,
});

describe('ModelOracle', () => {
  it('ends with #GP(0) at the HLT behind the code', () => {
    expect(ended(run([0x90, 0x90]))).toEqual(exception(13, 0, 2, CODE + 2));
  });

  it('ends at the tick limit', () => {
    expect(ended(run([0xeb, 0xfe], { tickLimit: 7 }))).toEqual({ end: END.limit, vector: 0, errorCode: 0, ticks: 7, rip: CODE });
  });

  it('ends with the #DB behind an instruction under TF', () => {
    const outcome = run([0x90, 0x90], { flags: 0x102 });
    expect(ended(outcome)).toEqual(exception(1, 0, 1, CODE + 1));
    expect(outcome.state.u64(CPU_STATE.debug + 48) & 0x4000n).toBe(0x4000n);
  });

  it('ends behind INT3, and at INT n, which finds no gate', () => {
    expect(ended(run([0xcc]))).toEqual(exception(3, 0, 0, CODE + 1));
    expect(ended(run([0xcd, 0x21]))).toEqual(exception(13, 0x21 * 8 + 2, 0, CODE));
  });

  it('undoes the registers of an instruction that faults, which RF has served', () => {
    // POP into an absent page with ESP as base: ESP has been incremented by then.
    const outcome = run([0x8f, 0x04, 0x24], { flags: 0x1_0002, set: ({ registers }) => (registers[4] = 0x21ffcn) });
    expect(ended(outcome)).toEqual(exception(14, 6, 0, CODE));
    expect(outcome.state.registers[4]).toBe(0x21ffcn);
    expect(outcome.state.flags).toBe(2);
    expect(outcome.state.u64(CPU_STATE.cr2)).toBe(0x22000n);
  });

  it('clears RF behind an instruction that is complete', () => {
    expect(run([0x90], { flags: 0x1_0002, tickLimit: 1 }).state.flags).toBe(2);
  });

  it('counts a tick for each iteration of a repeated instruction', () => {
    const strings = run([0xf3, 0xaa], {
      set: ({ registers }) => {
        registers[1] = 5n;
        registers[7] = BigInt(DATA);
      },
    });
    expect(ended(strings)).toEqual(exception(13, 0, 5, CODE + 2));
    expect(strings.state.registers[1]).toBe(0n);
  });

  it('tells of bytes that are written outside the windows, and forgets them for the next case', () => {
    // mov byte [0x20100], 0x12
    const code = [0xc6, 0x05, 0x00, 0x01, 0x02, 0x00, 0x12];
    expect(run(code).outcomes.strayWrites).toEqual([0, 0x20100, 0x12]);
    expect(run([0x90]).outcomes.strayWrites).toEqual([]);
  });

  it('writes nothing of an access whose second page is not writable', () => {
    // mov [0x21fff], eax: the page behind is absent.
    const { outcomes, record } = run([0xa3, 0xff, 0x1f, 0x02, 0x00]);
    expect([outcomes.vectors[0], outcomes.errorCodes[0]]).toEqual([14, 6]);
    expect(record[CPU_STATE_BYTES + 512 + 512 + 255]).toBe(0xf4);
  });

  it('fetches over a page boundary, and decodes again what has changed', () => {
    // inc byte [0x11000]; then 83 c0 ib across the boundary: the immediate is the byte that was incremented.
    const rip = 0x10ff8;
    const code = [0xfe, 0x05, 0x00, 0x10, 0x01, 0x00, 0x83, 0xc0, 0x40];
    expect(run(code, { rip }).state.registers[0]).toBe(0x41n);
  });

  it('raises #GP(0) for a fetch beyond the limit of CS', () => {
    const limited = run([0x90, 0x90], { set: (state) => state.setSegment(CS, 0x1b, 0n, CODE, 0x40fb) });
    expect(ended(limited)).toEqual(exception(13, 0, 1, CODE + 1));
  });

  it('checks alignment at CPL 3 under AC and AM', () => {
    const load = [0xa1, 0x01, 0x0f, 0x02, 0x00];
    expect(ended(run(load, { flags: 0x4_0002 }))).toEqual(exception(17, 0, 0, CODE));
    expect(outcomeVector(run(load))).toBe(13);
    expect(outcomeVector(run(load, { flags: 0x4_0002, set: (state) => state.setU32(CPU_STATE.cr0, 0x8001_0033) }))).toBe(13);
  });

  it('knows in 64-bit mode pages below 4 GiB, none above, and addresses that are not canonical', () => {
    // mov eax, [rbx]
    const load = (address: bigint) => ended(run([0x8b, 0x03], { bits: 64, set: ({ registers }) => (registers[3] = address) }));
    expect(load(BigInt(DATA))).toEqual(exception(13, 0, 1, CODE + 2));
    expect(load(0x1_0002_0f00n)).toEqual(exception(14, 4, 0, CODE));
    expect(load(0xffff_fffen)).toEqual(exception(14, 4, 0, CODE));
    expect(load(0x8000_0000_0000n)).toEqual(exception(13, 0, 0, CODE));
  });

  it('returns far in 64-bit mode by a selector from a word of 64 bits', () => {
    const retf = (pointer: bigint) =>
      run([0x48, 0xcb], {
        bits: 64,
        set: ({ registers }, record) => {
          registers[4] = pointer;
          new DataView(record.buffer).setBigUint64(CPU_STATE_BYTES + 512 + 0x88, 0x6b57_c6b7_3168_3169n, true);
        },
      });
    expect(ended(retf(BigInt(DATA + 0x80)))).toEqual(exception(13, 0x3168, 0, CODE));
    expect(ended(retf(0x1_0000_0000n + BigInt(DATA + 0x80)))).toEqual(exception(14, 4, 0, CODE));
  });

  it('clears upper halves with 32-bit results in 64-bit mode', () => {
    const outcome = run([0x01, 0xc8], { bits: 64, set: ({ registers }) => registers.fill(0xffff_ffff_0000_0001n, 0, 2) });
    expect(outcome.state.registers[0]).toBe(2n);
  });
});

function outcomeVector({ outcomes }: ReturnType<typeof run>): number {
  return outcomes.vectors[0] as number;
}
