/** FXSAVE and FXRSTOR in 64-bit code (Intel SDM volume 1, 10.5.1.1): sixteen XMM registers, wide pointers with REX.W. */
import { describe, expect, test } from 'vitest';
import { engineOracle } from '../../../properties/oracles/engine.js';
import { createOutcomes } from '../../../properties/oracles/oracle.js';
import { USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../../../properties/state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS } from '../../../properties/state/cpu-state.js';

const HLT = 0xf4;
const CODE = 0x10f00;
const DATA = 0x20f00;
const DATA_AT = CPU_STATE_BYTES + 512;
const RBX = 3;
const FIP = 0x1122_3344_5566_7788n;
const AT = { fip: 8, mxcsr: 24, xmm15: 160 + 15 * 16 } as const;

function run(code: readonly number[], fill: (record: DataView, state: CpuState) => void): { record: DataView; state: CpuState } {
  const records = new Uint8Array(USER_RECORD_BYTES);
  records.fill(HLT, CPU_STATE_BYTES, CPU_STATE_BYTES + 512);
  records.set(code, CPU_STATE_BYTES);
  const state = new CpuState(records.buffer);
  for (let i = 0; i < 6; i++) state.setSegment(i, i === CS ? 0x33 : 0x23, 0n, 0xffff_ffff, i === CS ? 0xa0fb : 0xc0f3);
  state.rip = BigInt(CODE);
  state.flags = 0x202;
  state.setU32(CPU_STATE.cr0, 0x8000_0033);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cr4, 0x600);
  state.setU32(CPU_STATE.efer, 0x500);
  state.setU32(CPU_STATE.cpl, 3);
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU32(CPU_STATE.mxcsr, 0x1f80);
  state.registers[RBX] = BigInt(DATA);
  fill(new DataView(records.buffer), state);
  const outcomes = createOutcomes(1, USER_RECORD_BYTES);
  engineOracle('auto').run({ arena: 'user', bits: 64, windows: USER_WINDOWS, count: 1, records, tickLimit: 10 }, outcomes);
  return { record: new DataView(outcomes.records.buffer), state: new CpuState(outcomes.records.buffer as ArrayBuffer) };
}

describe.each([
  ['without REX.W', [], 0x0000_0033_5566_7788n, 0x5566_7788n, 0x3344],
  ['with REX.W', [0x48], FIP, FIP, 0],
] as const)('64-bit code, %s', (_name, prefix, stored, loaded, selector) => {
  test('FXSAVE', () => {
    const { record } = run([...prefix, 0x0f, 0xae, 0x03], (_record, state) => {
      state.setU64(CPU_STATE.xmm + 15 * 16, 15n);
      state.setU64(CPU_STATE.x87InstructionOffset, FIP);
      state.setU16(CPU_STATE.x87InstructionSelector, 0x33);
    });
    expect(record.getBigUint64(DATA_AT + AT.xmm15, true)).toBe(15n);
    expect(record.getBigUint64(DATA_AT + AT.fip, true)).toBe(stored);
  });

  test('FXRSTOR', () => {
    const { state } = run([...prefix, 0x0f, 0xae, 0x0b], (record) => {
      record.setUint32(DATA_AT + AT.mxcsr, 0x1f80, true);
      record.setBigUint64(DATA_AT + AT.xmm15, 15n, true);
      record.setBigUint64(DATA_AT + AT.fip, FIP, true);
    });
    expect(state.u64(CPU_STATE.xmm + 15 * 16)).toBe(15n);
    expect(state.u64(CPU_STATE.x87InstructionOffset)).toBe(loaded);
    expect(state.u16(CPU_STATE.x87InstructionSelector)).toBe(selector);
  });
});
