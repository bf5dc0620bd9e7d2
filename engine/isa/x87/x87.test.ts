/** What is around x87 computation: availability, pending exceptions, faults, environments, FXSAVE. */
import { beforeEach, describe, expect, test } from 'vitest';
import { VECTOR } from '../../cpu/exceptions.js';
import * as layout from '../../cpu/layout.js';
import { CR0, CR4 } from '../../cpu/state.js';
import { ignoreNumericError, numericErrorLine } from './error-line.js';
import { CODE_ADDRESS, DATA_ADDRESS, X87Bench } from './test-x87-bench.js';

let bench: X87Bench;
let view: DataView;
beforeEach(() => {
  bench = new X87Bench();
  view = new DataView(bench.ram.buffer, bench.ram.byteOffset, bench.ram.byteLength);
  bench.fpu.initialise();
});

const FLD1 = [0xd9, 0xe8];
const FLDZ = [0xd9, 0xee];
const FLDPI = [0xd9, 0xeb];
const FDIVP = [0xde, 0xf9];
const FNSTSW_AX = [0xdf, 0xe0];
const FNCLEX = [0xdb, 0xe2];
const WAIT = [0x9b];
const FSIN = [0xd9, 0xfe];
/** At [EAX]. */
const FSTP_M64 = [0xdd, 0x18];
const FADD_M32 = [0xd8, 0x00];
const FLDENV = [0xd9, 0x20];
const FNSTENV = [0xd9, 0x30];
const FRSTOR = [0xdd, 0x20];
const FNSAVE = [0xdd, 0x30];
const FXSAVE = [0x0f, 0xae, 0x00];
const FXRSTOR = [0x0f, 0xae, 0x08];
const OPERAND_SIZE = 0x66;
const ONE = { significand: 1n << 63n, signExponent: 0x3fff };
const PI = { significand: 0xc90fdaa22168c235n, signExponent: 0x4000 };

/** Leaves 1 / 0 unmasked and pending. */
function divideByZero(): void {
  bench.fpu.control = 0x37b;
  bench.run(...FLD1, ...FLDZ, ...FDIVP);
}

describe('#NM', () => {
  test.each([
    ['EM', CR0.em],
    ['TS', CR0.ts],
  ])('with CR0.%s, for waiting, non-waiting and host instructions', (_name, bit) => {
    bench.setCr0(CR0.pe | CR0.ne | bit);
    for (const code of [FLD1, FNSTSW_AX, FSIN, FNSAVE, FXSAVE]) bench.run(...code);
    expect(bench.exceptions).toEqual(Array(5).fill(VECTOR.deviceNotAvailable));
    expect(bench.fpu.top).toBe(0);
  });
  test('WAIT looks at CR0.MP and CR0.TS together', () => {
    for (const bits of [CR0.em, CR0.ts, CR0.mp]) {
      bench.setCr0(CR0.pe | CR0.ne | bits);
      bench.run(...WAIT);
    }
    expect(bench.exceptions).toEqual([]);
    bench.setCr0(CR0.pe | CR0.ne | CR0.mp | CR0.ts);
    bench.run(...WAIT);
    expect(bench.exceptions).toEqual([VECTOR.deviceNotAvailable]);
  });
});

describe('a pending unmasked exception', () => {
  test('raises #MF at the next waiting instruction, not at non-waiting ones', () => {
    divideByZero();
    expect(bench.exceptions).toEqual([]);
    expect(bench.fpu.status & 0x80bf).toBe(0x8084);
    // The operands are where they were.
    expect([bench.fpu.get(0).significand, bench.fpu.get(1)]).toEqual([0n, ONE]);
    bench.run(...FNSTSW_AX);
    expect(bench.exceptions).toEqual([]);
    bench.run(...FLD1);
    bench.run(...WAIT);
    bench.run(...FSIN);
    expect(bench.exceptions).toEqual([VECTOR.x87, VECTOR.x87, VECTOR.x87]);
    bench.run(...FNCLEX);
    bench.run(...WAIT, ...FLDPI);
    expect(bench.exceptions).toHaveLength(3);
    expect(bench.fpu.get(0)).toEqual(PI);
  });

  test('with CR0.NE clear raises FERR# and holds up waiting instructions until IGNNE# or FNCLEX', () => {
    const { core } = bench;
    bench.setCr0(CR0.pe);
    divideByZero();
    expect(numericErrorLine(core.state)).toBe(true);
    for (const code of [FLDPI, FSIN, WAIT]) {
      bench.ram.set(code, CODE_ADDRESS);
      core.state.eip = CODE_ADDRESS;
      const { tick } = core;
      core.step();
      core.step();
      expect([core.state.eip, core.tick - tick]).toEqual([CODE_ADDRESS, 2]);
    }
    ignoreNumericError(core.state);
    expect(numericErrorLine(core.state)).toBe(false);
    bench.run(...FLDPI);
    expect(bench.fpu.get(0)).toEqual(PI);
    bench.run(...FNSTSW_AX, ...FNCLEX);
    expect(core.state.reg16(0) & 0x80).toBe(0x80);
    expect(numericErrorLine(core.state)).toBe(false);
    // IGNNE# went away with the exception.
    divideByZero();
    expect(numericErrorLine(core.state)).toBe(true);
    expect(bench.exceptions).toEqual([]);
  });

  test('unmasking by FLDCW makes it pending', () => {
    bench.run(...FLD1, ...FLDZ, ...FDIVP);
    expect(bench.fpu.status & 0x80).toBe(0);
    view.setUint16(DATA_ADDRESS, 0x37b, true);
    bench.run(0xd9, 0x28);
    expect(bench.fpu.status & 0x8080).toBe(0x8080);
    bench.run(...WAIT);
    expect(bench.exceptions).toEqual([VECTOR.x87]);
  });
});

test('a store that faults leaves the stack as it was', () => {
  bench.run(...FLDPI);
  const { state } = bench.core;
  state.writeSegment(layout.DS, { ...state.readSegment(layout.DS), limit: DATA_ADDRESS + 6 });
  bench.core.modeChanged();
  bench.run(...FSTP_M64);
  bench.run(0xdb, 0x38);
  bench.run(0xdf, 0x30);
  expect(bench.exceptions).toEqual([VECTOR.generalProtection, VECTOR.generalProtection, VECTOR.generalProtection]);
  expect([bench.fpu.top, bench.fpu.emptyMask, bench.fpu.get(0)]).toEqual([7, 0x7f, PI]);
  expect(bench.ram.subarray(DATA_ADDRESS, DATA_ADDRESS + 10).every((byte) => byte === 0)).toBe(true);
});

/** FLD1, FADD m32 with a signalling NaN that is unmasked: pointers, opcode and status are all set. */
function signalFromMemory(): void {
  bench.fpu.control = 0x37e;
  view.setUint32(DATA_ADDRESS, 0x7fa00000, true);
  bench.run(...FLD1, ...FADD_M32);
}
const words16 = (count: number): number[] => Array.from({ length: count }, (_, i) => view.getUint16(DATA_ADDRESS + 2 * i, true));
const words32 = (count: number): number[] => Array.from({ length: count }, (_, i) => view.getUint32(DATA_ADDRESS + 4 * i, true));

describe('the environment', () => {
  test('in 32-bit protected mode; storing it masks all exceptions', () => {
    signalFromMemory();
    bench.run(...FNSTENV);
    expect(words32(7).map((word) => word.toString(16))).toEqual(['ffff037e', 'ffffb881', 'ffff3fff', '1002', '8', '2000', 'ffff0010']);
    expect(view.getUint32(DATA_ADDRESS + 16, true) >>> 16).toBe(0x000);
    expect(bench.fpu.control).toBe(0x37f);
    expect(bench.fpu.status & 0x8081).toBe(1);
  });

  test('in 16-bit protected mode', () => {
    signalFromMemory();
    bench.run(OPERAND_SIZE, ...FNSTENV);
    expect(words16(8)).toEqual([0x37e, 0xb881, 0x3fff, 0x1002, 0x8, 0x2000, 0x10, 0]);
  });

  test('in real mode has linear addresses and the opcode', () => {
    const { state } = bench.core;
    for (const [segment, selector] of [
      [layout.CS, 0x1234],
      [layout.DS, 0xf000],
    ] as const) {
      state.set32(layout.segmentAddress(segment) + layout.SEGMENT.selector, selector);
    }
    bench.setCr0(CR0.ne);
    bench.fpu.control = 0x37b;
    // FDIV m32, a zero
    view.setUint32(DATA_ADDRESS, 0, true);
    bench.run(...FLD1, 0xd8, 0x30);
    expect(bench.fpu.status & 0x84).toBe(0x84);
    bench.run(OPERAND_SIZE, ...FNSTENV);
    expect(words16(7).map((word) => word.toString(16))).toEqual(['37b', 'b884', '3fff', '3342', '1030', '2000', 'f000']);
    bench.fpu.control = 0x37b;
    bench.run(...FNSTENV);
    expect(words32(7).map((word) => word.toString(16))).toEqual(['ffff037b', 'ffffb884', 'ffff3fff', '3342', '1030', '2000', 'f000']);
  });

  test('is loaded back, with the summary bits made anew', () => {
    signalFromMemory();
    bench.run(...FNSTENV);
    bench.fpu.initialise();
    bench.run(...FLDENV);
    const { state } = bench.core;
    expect([bench.fpu.control, bench.fpu.status, bench.fpu.emptyMask]).toEqual([0x37e, 0xb881, 0x7f]);
    expect(state.get32(layout.X87_INSTRUCTION_OFFSET)).toBe(0x1002);
    expect(state.get32(layout.X87_OPERAND_SELECTOR)).toBe(0x10);
    bench.run(...WAIT);
    expect(bench.exceptions).toEqual([VECTOR.x87]);
  });

  test.each([
    ['32-bit', [] as number[], 28],
    ['16-bit', [OPERAND_SIZE], 14],
  ])('%s FNSAVE stores the registers in stack order and initialises, FRSTOR brings them back', (_name, prefix, head) => {
    bench.run(...FLD1, ...FLDPI);
    bench.run(...prefix, ...FNSAVE);
    expect(view.getBigUint64(DATA_ADDRESS + head, true)).toBe(PI.significand);
    expect(view.getUint16(DATA_ADDRESS + head + 18, true)).toBe(ONE.signExponent);
    expect([bench.fpu.control, bench.fpu.status, bench.fpu.emptyMask]).toEqual([0x37f, 0, 0xff]);
    bench.run(...FLDZ, ...FLDZ, ...FLDZ);
    bench.run(...prefix, ...FRSTOR);
    expect([bench.fpu.top, bench.fpu.emptyMask, bench.fpu.get(0), bench.fpu.get(1)]).toEqual([6, 0x3f, PI, ONE]);
  });

  test('the tag word is made from the registers', () => {
    bench.run(...FLD1, ...FLDZ, 0xdb, 0x28);
    // R7 = 1 valid, R6 = 0 zero, R5 = [memory] = 0 zero
    expect(bench.fpu.tagWord).toBe(0x17ff);
    bench.fpu.write(0, { significand: 1n, signExponent: 0 });
    expect(bench.fpu.tagWord).toBe(0x1bff);
  });
});

describe('FXSAVE', () => {
  test('saves and restores everything when CR4.OSFXSR is set', () => {
    const { state } = bench.core;
    state.set32(layout.CR4, CR4.osfxsr);
    state.set32(layout.MXCSR, 0x1fa0);
    for (let i = 0; i < 32; i++) state.set32(layout.XMM_REGISTERS + 4 * i, 0x1000 + i);
    bench.run(...FLD1, ...FLDPI);
    bench.ram.fill(0xaa, DATA_ADDRESS, DATA_ADDRESS + 512);
    bench.run(...FXSAVE);
    expect(words16(8)).toEqual([0x37f, 0x3000, 0xc0, 0, 0x1002, 0, 8, 0]);
    expect([view.getUint32(DATA_ADDRESS + 24, true), view.getUint32(DATA_ADDRESS + 28, true)]).toEqual([0x1fa0, 0xffff]);
    expect(view.getUint16(DATA_ADDRESS + 32 + 10, true)).toBe(0xaaaa);
    expect(view.getUint32(DATA_ADDRESS + 288, true)).toBe(0xaaaaaaaa);
    bench.fpu.initialise();
    state.set32(layout.MXCSR, 0x1f80);
    for (let i = 0; i < 32; i++) state.set32(layout.XMM_REGISTERS + 4 * i, 0);
    bench.run(...FXRSTOR);
    expect([bench.fpu.top, bench.fpu.emptyMask, bench.fpu.get(0), bench.fpu.get(1)]).toEqual([6, 0x3f, PI, ONE]);
    expect(state.get32(layout.MXCSR)).toBe(0x1fa0);
    expect(state.get32(layout.XMM_REGISTERS + 4 * 31)).toBe(0x1000 + 31);
    expect(bench.exceptions).toEqual([]);
  });

  test('leaves SSE state alone without CR4.OSFXSR', () => {
    bench.ram.fill(0xaa, DATA_ADDRESS, DATA_ADDRESS + 512);
    bench.run(...FXSAVE);
    expect(view.getUint32(DATA_ADDRESS + 24, true)).toBe(0xaaaaaaaa);
    bench.run(...FXRSTOR);
    expect(bench.core.state.get32(layout.MXCSR)).toBe(0x1f80);
    expect(bench.exceptions).toEqual([]);
  });

  test('wants 16-byte alignment and no reserved bits of MXCSR', () => {
    bench.core.state.set32(layout.CR4, CR4.osfxsr);
    bench.run(0x0f, 0xae, 0x40, 0x08);
    bench.run(0x0f, 0xae, 0x48, 0x04);
    view.setUint32(DATA_ADDRESS + 24, 0x10000, true);
    bench.run(...FXRSTOR);
    expect(bench.exceptions).toEqual(Array(3).fill(VECTOR.generalProtection));
  });
});
