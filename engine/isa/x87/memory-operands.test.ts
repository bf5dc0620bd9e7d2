/** Memory operands of the x87, as a processor was asked: faults with unmasked exceptions, alignment checks; and FDS. */
import { describe, expect, test } from 'vitest';
import { engineOracle } from '../../../properties/oracles/engine.js';
import { createOutcomes } from '../../../properties/oracles/oracle.js';
import { BACKGROUND_BYTE, USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../../../properties/state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, DS, ES, GS, SS } from '../../../properties/state/cpu-state.js';

const ABSENT = 0x30000;
const READ_ONLY = 0x24000;
const DATA = 0x20f00;
const FLAG_AC = 0x4_0000;
const CR0_AM = 0x4_0000;
const ALL_MASKED = 0x37f;
const [PAGE_FAULT, ALIGNMENT_CHECK, FILLER] = [14, 17, 13];

interface Case {
  readonly code: readonly number[];
  /** In EAX. */
  readonly address: number;
  readonly control: number;
  readonly checksAlignment?: true;
}

/** ST(0) is a signalling NaN, ST(1) very large, ST(2) very small. */
function run({ code, address, control, checksAlignment }: Case): {
  vector: number;
  errorCode: number;
  status: number;
  dataSelector: number;
} {
  const records = new Uint8Array(USER_RECORD_BYTES);
  const state = new CpuState(records.buffer);
  for (let index = 0; index < 6; index++) state.setSegment(index, index * 8 + 3, 0n, 0xffff_ffff, index === CS ? 0xc0fb : 0xc0f3);
  records.fill(BACKGROUND_BYTE, CPU_STATE_BYTES);
  records.set(code, CPU_STATE_BYTES);
  state.rip = BigInt(USER_WINDOWS[0]!.address);
  state.flags = 0x202 | (checksAlignment ? FLAG_AC : 0);
  state.setU32(CPU_STATE.cr0, (0x8000_0033 | (checksAlignment ? CR0_AM : 0)) >>> 0);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cpl, 3);
  state.registers[0] = BigInt(address);
  state.setU16(CPU_STATE.x87Control, control);
  [0x7fff, 0x7000, 0x1000].forEach((signExponent, i) => {
    state.setU64(CPU_STATE.x87Registers + 16 * i, 0x8000_0000_0000_0001n);
    state.setU16(CPU_STATE.x87Registers + 16 * i + 8, signExponent);
  });
  state.setU16(CPU_STATE.x87Empty, 0xf8);
  const outcomes = createOutcomes(1, USER_RECORD_BYTES);
  engineOracle('auto').run({ arena: 'user', bits: 32, windows: USER_WINDOWS, count: 1, records, tickLimit: 10 }, outcomes);
  const after = new CpuState(outcomes.records.buffer as ArrayBuffer);
  return {
    vector: outcomes.vectors[0]!,
    errorCode: outcomes.errorCodes[0]!,
    status: after.u16(CPU_STATE.x87Status),
    dataSelector: after.u16(CPU_STATE.x87OperandSelector),
  };
}

describe('a store that an unmasked exception keeps back faults all the same', () => {
  test.each([
    { name: 'FISTP m64, IE', code: [0xdf, 0x38], masks: ~1, status: 0 },
    { name: 'FST m32, IE', code: [0xd9, 0x10], masks: ~1, status: 0 },
    { name: 'FBSTP, IE', code: [0xdf, 0x30], masks: ~1, status: 0 },
    { name: 'FST m32, OE', code: [0xd9, 0xf7, 0xd9, 0x10], masks: ~8, status: 1 << 11 },
    { name: 'FST m32, UE', code: [0xd9, 0xf7, 0xd9, 0xf7, 0xd9, 0x10], masks: ~16, status: 2 << 11 },
  ])('$name', ({ code, masks, status }) => {
    const control = ALL_MASKED & masks;
    expect(run({ code, address: ABSENT, control })).toMatchObject({ vector: PAGE_FAULT, errorCode: 6, status });
    expect(run({ code, address: READ_ONLY, control })).toMatchObject({ vector: PAGE_FAULT, errorCode: 7, status });
  });
});

test.each([
  ['f32', 0x0000_0000n, 0],
  ['f32', 0x0000_0001n, 2],
  ['f32', 0x807f_ffffn, 2],
  ['f32', 0x0080_0000n, 0],
  ['f64', 0x0000_0000_0000_0000n, 0],
  ['f64', 0x0000_0000_0000_0001n, 2],
  ['f64', 0x800f_ffff_ffff_ffffn, 2],
  ['f64', 0x0010_0000_0000_0000n, 0],
] as const)('1 plus the %s with the bits %s: DE is %i', (format, value, expected) => {
  const bytes = Array.from({ length: format === 'f32' ? 4 : 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  const code = [0xd9, 0xe8, format === 'f32' ? 0xd8 : 0xdc, 0x00, 0xf4, 0xf4, 0xf4, 0xf4, ...bytes];
  expect(run({ code, address: USER_WINDOWS[0]!.address + 8, control: ALL_MASKED }).status & 2).toBe(expected);
});

describe('alignment checks', () => {
  const refused = (code: readonly number[]): number[] =>
    [0, 1, 2, 4, 8].filter((offset) => {
      const { vector } = run({ code, address: DATA + offset, control: ALL_MASKED, checksAlignment: true });
      expect([ALIGNMENT_CHECK, FILLER]).toContain(vector);
      return vector === ALIGNMENT_CHECK;
    });

  test.each([
    { name: 'FLD m80: 8', code: [0xdb, 0x28], offsets: [1, 2, 4] },
    { name: 'FSTP m80: 8', code: [0xdb, 0x38], offsets: [1, 2, 4] },
    { name: 'FBSTP: 8', code: [0xdf, 0x30], offsets: [1, 2, 4] },
    { name: 'FNSTENV, 32 bits: 4', code: [0xd9, 0x30], offsets: [1, 2] },
    { name: 'FNSTENV, 16 bits: 2', code: [0x66, 0xd9, 0x30], offsets: [1] },
    { name: 'FNSAVE, 32 bits: 4', code: [0xdd, 0x30], offsets: [1, 2] },
    { name: 'FNSAVE, 16 bits: 2', code: [0x66, 0xdd, 0x30], offsets: [1] },
    { name: 'FLDENV, 32 bits: 4', code: [0xd9, 0x20], offsets: [1, 2] },
    { name: 'FRSTOR, 32 bits: 4', code: [0xdd, 0x20], offsets: [1, 2] },
    { name: 'FRSTOR, 16 bits: 2', code: [0x66, 0xdd, 0x20], offsets: [1] },
  ])('$name', ({ code, offsets }) => {
    expect(refused(code)).toEqual(offsets);
  });
});

test.each([
  { name: 'DS', code: [0xd9, 0x00], segment: DS },
  { name: 'ES by prefix', code: [0x26, 0xd9, 0x00], segment: ES },
  { name: 'SS by the base register', code: [0x89, 0xc5, 0xd9, 0x45, 0x00], segment: SS },
  { name: 'GS by prefix', code: [0x65, 0xd9, 0x00], segment: GS },
])('FDS names the segment of the operand: $name', ({ code, segment }) => {
  expect(run({ code, address: DATA, control: ALL_MASKED }).dataSelector).toBe(segment * 8 + 3);
});

test('an environment loaded in real mode has pointers of 32 bits', () => {
  const windows = [{ name: 'low', address: 0, bytes: 4096 }];
  const records = new Uint8Array(CPU_STATE_BYTES + 4096);
  const state = new CpuState(records.buffer);
  for (let index = 0; index < 6; index++) state.setSegment(index, 0, 0n, 0xffff, index === CS ? 0x9b : 0x93);
  state.setU32(CPU_STATE.cr0, 0x30);
  state.rip = 0x400n;
  state.flags = 2;
  state.registers[6] = 0x800n;
  // FLDENV [SI] with operand size 32, HLT; the pointers are all ones.
  records.set([0x66, 0xd9, 0x24, 0xf4], CPU_STATE_BYTES + 0x400);
  records.fill(0xff, CPU_STATE_BYTES + 0x80c, CPU_STATE_BYTES + 0x81c);
  const outcomes = createOutcomes(1, records.length);
  engineOracle('auto').run({ arena: 'system', bits: 16, windows, count: 1, records, tickLimit: 10 }, outcomes);
  const after = new CpuState(outcomes.records.buffer as ArrayBuffer);
  expect([after.u64(CPU_STATE.x87InstructionOffset), after.u64(CPU_STATE.x87OperandOffset)]).toEqual([0xffff_ffffn, 0xffff_ffffn]);
});
