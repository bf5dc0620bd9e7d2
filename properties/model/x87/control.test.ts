/** What the host cannot be asked about the x87 of the model: waiting, CR0, pointers, environments of every mode. */
import { describe, expect, test } from 'vitest';
import { ModelOracle } from '../../oracles/model.js';
import { type CaseBatch, type CodeBits, createOutcomes, END } from '../../oracles/oracle.js';
import { BACKGROUND_BYTE, USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, DS, SS } from '../../state/cpu-state.js';

const CODE = USER_WINDOWS[0]!.address;
const DATA = USER_WINDOWS[1]!.address;
const DATA_AT = CPU_STATE_BYTES + USER_WINDOWS[0]!.bytes;
const CR0 = { mp: 2, em: 4, ts: 8, ne: 0x20, base: 0x8000_0011 };
const PENDING_ZERO_DIVIDE = { control: 0x37b, status: 0x8084 };
const [INVALID_OPCODE, DEVICE_NOT_AVAILABLE, FILLER, X87_FAULT] = [6, 7, 13, 16];

interface Case {
  readonly code: readonly number[];
  readonly bits?: CodeBits;
  readonly cr0?: number;
  readonly control?: number;
  readonly status?: number;
  readonly set?: (state: CpuState) => void;
}
interface Result {
  readonly end: number;
  readonly vector: number;
  readonly ticks: number;
  readonly state: CpuState;
  readonly data: Uint8Array;
}

const model = new ModelOracle();

/** EAX points at the data window; all registers are empty. */
function run({ code, bits = 32, cr0 = CR0.base | CR0.ne | CR0.mp, control = 0x37f, status = 0, set }: Case): Result {
  const records = new Uint8Array(USER_RECORD_BYTES).fill(BACKGROUND_BYTE, CPU_STATE_BYTES);
  const state = new CpuState(records.buffer);
  for (let index = 0; index < 6; index++) {
    const attributes = (index === CS ? 0x80fb : 0x80f3) | (index === CS && bits === 64 ? 0x2000 : bits === 16 ? 0 : 0x4000);
    state.setSegment(index, index * 8 + 3, 0n, 0xffff_ffff, attributes);
  }
  state.rip = BigInt(CODE);
  state.flags = 0x202;
  state.setU32(CPU_STATE.cr0, cr0 >>> 0);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.efer, bits === 64 ? 0x500 : 0);
  state.setU32(CPU_STATE.cpl, 3);
  state.registers[0] = BigInt(DATA);
  state.setU16(CPU_STATE.x87Control, control);
  state.setU16(CPU_STATE.x87Status, status);
  state.setU16(CPU_STATE.x87Empty, 0xff);
  set?.(state);
  records.set(code, CPU_STATE_BYTES);
  const batch: CaseBatch = { arena: 'user', bits, windows: USER_WINDOWS, count: 1, records, tickLimit: 8 };
  const outcomes = createOutcomes(1, USER_RECORD_BYTES);
  model.run(batch, outcomes);
  return {
    end: outcomes.ends[0]!,
    vector: outcomes.vectors[0]!,
    ticks: outcomes.ticks[0]!,
    state: new CpuState(outcomes.records.buffer as ArrayBuffer),
    data: outcomes.records.subarray(DATA_AT, DATA_AT + 128),
  };
}

const WAIT = [0x9b];
const FLD1 = [0xd9, 0xe8];
const FNSTSW_AX = [0xdf, 0xe0];
const FNCLEX = [0xdb, 0xe2];
const FNINIT = [0xdb, 0xe3];

describe('CR0 and pending exceptions', () => {
  test.each([
    { name: 'EM', code: FLD1, cr0: CR0.em, vector: DEVICE_NOT_AVAILABLE },
    { name: 'TS', code: FLD1, cr0: CR0.ts, vector: DEVICE_NOT_AVAILABLE },
    { name: 'TS, an instruction without wait', code: FNSTSW_AX, cr0: CR0.ts, vector: DEVICE_NOT_AVAILABLE },
    { name: 'TS, WAIT without MP', code: WAIT, cr0: CR0.ts, vector: FILLER },
    { name: 'TS, WAIT with MP', code: WAIT, cr0: CR0.ts | CR0.mp, vector: DEVICE_NOT_AVAILABLE },
    { name: 'EM, WAIT', code: WAIT, cr0: CR0.em | CR0.mp, vector: FILLER },
  ])('$name', ({ code, cr0, vector }) => {
    expect(run({ code, cr0: CR0.base | CR0.ne | cr0 }).vector).toBe(vector);
  });

  test.each([
    { name: 'an operation waits', code: FLD1, vector: X87_FAULT },
    { name: 'WAIT waits', code: WAIT, vector: X87_FAULT },
    { name: 'FLDCW waits', code: [0xd9, 0x28], vector: X87_FAULT },
    { name: 'FNSTSW does not', code: FNSTSW_AX, vector: FILLER },
    { name: 'FNCLEX lets go on', code: [...FNCLEX, ...WAIT], vector: FILLER },
    { name: 'FNINIT lets go on', code: [...FNINIT, ...WAIT], vector: FILLER },
    { name: 'FNSTENV masks', code: [0xd9, 0x30, ...WAIT], vector: FILLER },
    { name: 'a reserved encoding is undefined before all that', code: [0xd9, 0xd1], vector: INVALID_OPCODE },
  ])('#MF: $name', ({ code, vector }) => {
    expect(run({ code, ...PENDING_ZERO_DIVIDE }).vector).toBe(vector);
  });

  test('with NE clear the instruction is tried again, tick by tick', () => {
    const { end, ticks, state } = run({ code: FLD1, cr0: CR0.base, ...PENDING_ZERO_DIVIDE });
    expect([end, ticks, state.rip]).toEqual([END.limit, 8, BigInt(CODE)]);
  });

  test('a control word that unmasks a flagged exception makes it pending', () => {
    const set = (state: CpuState): void => state.setU16(CPU_STATE.x87Status, 4);
    const code = [0xc7, 0x00, 0x7b, 0x03, 0, 0, 0xd9, 0x28, ...WAIT];
    const { vector, state } = run({ code, set });
    expect([vector, state.u16(CPU_STATE.x87Status), state.u16(CPU_STATE.x87Control)]).toEqual([X87_FAULT, 0x8084, 0x37b]);
  });
});

describe('the last instruction', () => {
  const pointers = (state: CpuState): unknown => ({
    instruction: [state.u16(CPU_STATE.x87InstructionSelector), Number(state.u64(CPU_STATE.x87InstructionOffset)) - CODE],
    operand: [state.u16(CPU_STATE.x87OperandSelector), Number(state.u64(CPU_STATE.x87OperandOffset))],
    opcode: state.u16(CPU_STATE.x87Opcode),
  });

  test('is remembered with its prefixes, its operand by selector and offset', () => {
    const { state } = run({ code: [0x90, 0x36, 0xd9, 0x00] });
    expect(pointers(state)).toEqual({ instruction: [CS * 8 + 3, 1], operand: [SS * 8 + 3, DATA], opcode: 0 });
  });
  test('leaves the operand of the one before when it has none', () => {
    const { state } = run({ code: [0xd9, 0x00, ...FLD1] });
    expect(pointers(state)).toEqual({ instruction: [CS * 8 + 3, 2], operand: [DS * 8 + 3, DATA], opcode: 0 });
  });
  test('is no control instruction', () => {
    const { state } = run({ code: [...FLD1, ...FNSTSW_AX, 0xd9, 0x38, ...WAIT] });
    expect(pointers(state)).toMatchObject({ instruction: [CS * 8 + 3, 0] });
  });
  test('gives its opcode with an unmasked exception', () => {
    const { state } = run({ code: [0xd9, 0xe0], control: 0x37e });
    expect(pointers(state)).toMatchObject({ opcode: 0x1e0 });
  });
});

describe('environments', () => {
  const set = (state: CpuState): void => {
    state.setU64(CPU_STATE.x87InstructionOffset, 0x1234_5678n);
    state.setU16(CPU_STATE.x87InstructionSelector, 0x9abc);
    state.setU64(CPU_STATE.x87OperandOffset, 0x8765_4321n);
    state.setU16(CPU_STATE.x87OperandSelector, 0xcba9);
    state.setU16(CPU_STATE.x87Opcode, 0x5d3);
    // R0 empty, R1 zero, R2 one, R3 a denormal.
    state.setU16(CPU_STATE.x87Empty, 0xf1);
    state.setU64(CPU_STATE.x87Registers + 32, 1n << 63n);
    state.setU16(CPU_STATE.x87Registers + 40, 0x3fff);
    state.setU64(CPU_STATE.x87Registers + 48, 1n);
  };
  const stored = (code: readonly number[], bits: CodeBits, halves: number): string[] => {
    const { data } = run({ code, bits, set, status: 1 << 11 });
    const view = new DataView(data.buffer, data.byteOffset);
    return Array.from({ length: halves }, (_, i) => view.getUint16(2 * i, true).toString(16));
  };
  const LONG = ['37f', 'ffff', '800', 'ffff', 'ff87', 'ffff', '5678', '1234', '9abc', '5d3', '4321', '8765', 'cba9', 'ffff'];
  const SHORT = ['37f', '800', 'ff87', '5678', '9abc', '4321', 'cba9', 'f4f4'];

  test('32 bits, protected mode', () => expect(stored([0xd9, 0x30], 32, 14)).toEqual(LONG));
  test('the same in 64-bit mode, with REX.W too', () => {
    expect(stored([0xd9, 0x30], 64, 14)).toEqual(LONG);
    expect(stored([0x48, 0xd9, 0x30], 64, 14)).toEqual(LONG);
  });
  test('16 bits, protected mode', () => expect(stored([0x66, 0xd9, 0x30], 32, 8)).toEqual(SHORT));

  test.each([
    { name: '32 bits', save: [0xdd, 0x30], load: [0xdd, 0x20], hasOpcode: true },
    { name: '16 bits', save: [0x66, 0xdd, 0x30], load: [0x66, 0xdd, 0x20], hasOpcode: false },
  ])('FRSTOR undoes FNSAVE, $name', ({ save, load, hasOpcode }) => {
    const before = run({ code: [0x90], set, status: 0x0800 }).state;
    const { state } = run({ code: [...save, ...load], set, status: 0x0800 });
    const image = (each: CpuState): string =>
      Buffer.from(each.bytes.subarray(CPU_STATE.x87Registers, CPU_STATE.x87Registers + 128)).toString('hex');
    expect(image(state)).toBe(image(before));
    const words = (each: CpuState): number[] => [
      each.u16(CPU_STATE.x87Control),
      each.u16(CPU_STATE.x87Status),
      each.u16(CPU_STATE.x87Empty),
    ];
    expect(words(state)).toEqual(words(before));
    expect(state.u16(CPU_STATE.x87Opcode)).toBe(hasOpcode ? 0x5d3 : 0);
    expect(state.u64(CPU_STATE.x87OperandOffset)).toBe(hasOpcode ? 0x8765_4321n : 0x4321n);
  });

  test('FNSAVE initialises', () => {
    const { state } = run({ code: [0xdd, 0x30], set, control: 0x27f, status: 0x0800 });
    expect([state.u16(CPU_STATE.x87Control), state.u16(CPU_STATE.x87Status), state.u16(CPU_STATE.x87Empty)]).toEqual([0x37f, 0, 0xff]);
    expect([state.u64(CPU_STATE.x87InstructionOffset), state.u16(CPU_STATE.x87Opcode)]).toEqual([0n, 0]);
  });
});
