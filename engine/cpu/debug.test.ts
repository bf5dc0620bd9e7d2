import { describe, expect, it } from 'vitest';
import {
  breakpointsEnabled,
  DR6_SINGLE_STEP,
  dataBreakpoints,
  debugRegister,
  debugTrap,
  instructionBreakpoint,
  portBreakpoints,
  resetDebugRegisters,
} from './debug.js';
import * as layout from './layout.js';
import { CR4 } from './state.js';
import { ProtectedModeCpu } from './test-protected-mode.js';

const UD: [number, number] = [6, 0];
const EXECUTE = 0;
const WRITE = 1;
const PORT = 2;
const READ_WRITE = 3;
const BYTES = { 1: 0, 2: 1, 4: 3 } as const;

function withBreakpoint(index: number, address: number, condition: number, bytes: 1 | 2 | 4, enable = 1): ProtectedModeCpu {
  const cpu = new ProtectedModeCpu();
  resetDebugRegisters(cpu.state);
  cpu.state.set32(layout.DEBUG + index * 8, address);
  const field = condition | (BYTES[bytes] << 2);
  cpu.state.set32(layout.DEBUG + 7 * 8, (field << (16 + index * 4)) | (enable << (index * 2)) | 0x400);
  return cpu;
}

describe('matching', () => {
  it.each([
    [READ_WRITE, 4, 0x1000, 0xfff, 1, false, 0],
    [READ_WRITE, 4, 0x1000, 0xfff, 2, false, 4],
    [READ_WRITE, 4, 0x1000, 0x1003, 1, true, 4],
    [READ_WRITE, 4, 0x1000, 0x1004, 4, true, 0],
    [READ_WRITE, 4, 0x1003, 0x1000, 1, true, 4],
    [WRITE, 2, 0x1002, 0x1003, 1, true, 4],
    [WRITE, 2, 0x1002, 0x1003, 1, false, 0],
    [WRITE, 1, 0x1002, 0x1003, 1, true, 0],
    [EXECUTE, 1, 0x1000, 0x1000, 4, true, 0],
    [PORT, 1, 0x1000, 0x1000, 4, true, 0],
  ] as const)(
    'condition %i of %i bytes at %i: access at %i of %i bytes, write %s',
    (condition, length, at, linear, bytes, write, expected) => {
      const cpu = withBreakpoint(2, at, condition, length);
      expect(dataBreakpoints(cpu.state, linear, bytes, write)).toBe(expected);
    },
  );

  it('local and global enables both count; a register without shows only next to another', () => {
    for (const enable of [1, 2]) expect(dataBreakpoints(withBreakpoint(1, 0x10, WRITE, 1, enable).state, 0x10, 1, true)).toBe(2);
    const cpu = withBreakpoint(1, 0x10, WRITE, 1, 0);
    expect(breakpointsEnabled(cpu.state)).toBe(false);
    expect(dataBreakpoints(cpu.state, 0x10, 1, true)).toBe(0);
    cpu.state.set32(layout.DEBUG, 0x10);
    cpu.state.set32(layout.DEBUG + 56, 0x0011_0401);
    expect(dataBreakpoints(cpu.state, 0x10, 1, true)).toBe(3);
    cpu.state.set32(layout.DEBUG + 56, 0x0011_0410);
    expect(dataBreakpoints(cpu.state, 0x10, 1, true)).toBe(0);
  });

  it('instructions match by their first byte, and say so in DR6', () => {
    const cpu = withBreakpoint(3, 0x1000, EXECUTE, 1);
    expect(instructionBreakpoint(cpu.state, 0xfff)).toBe(false);
    expect(debugRegister(cpu.state, 6)).toBe(0xffff_0ff0);
    expect(instructionBreakpoint(cpu.state, 0x1000)).toBe(true);
    expect(debugRegister(cpu.state, 6)).toBe(0xffff_0ff8);
  });

  it('ports need CR4.DE', () => {
    const cpu = withBreakpoint(0, 0x3f8, PORT, 4);
    expect(portBreakpoints(cpu.state, 0x3f9, 1)).toBe(0);
    cpu.state.set32(layout.CR4, CR4.de);
    expect(portBreakpoints(cpu.state, 0x3f9, 1)).toBe(1);
    expect(portBreakpoints(cpu.state, 0x3fc, 1)).toBe(0);
  });

  it('a trap replaces B0-B3 and keeps BS', () => {
    const cpu = withBreakpoint(0, 0, WRITE, 1);
    expect(debugTrap(cpu.state, DR6_SINGLE_STEP | 2)).toEqual({ vector: 1, errorCode: 0, kind: 'trap' });
    debugTrap(cpu.state, 1);
    expect(debugRegister(cpu.state, 6)).toBe(0xffff_4ff1);
  });
});

describe('MOV DRn', () => {
  it('keeps the fixed bits of DR6 and DR7', () => {
    const cpu = new ProtectedModeCpu();
    for (const [written, dr6, dr7] of [
      [0xffff_ffff, 0xffff_efff, 0xffff_27ff],
      [0, 0xffff_0ff0, 0x400],
    ] as const) {
      cpu.state.set32(layout.DEBUG + 56, 0);
      cpu.state.setReg32(3, written);
      cpu.run('movToDebug', { reg: 6, rm: 3 });
      cpu.run('movToDebug', { reg: 7, rm: 3 });
      expect([debugRegister(cpu.state, 6), debugRegister(cpu.state, 7)]).toEqual([dr6, dr7]);
    }
  });

  it('DR4 and DR5 are DR6 and DR7 until CR4.DE', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(3, 0x1);
    cpu.run('movToDebug', { reg: 5, rm: 3 });
    cpu.run('movFromDebug', { reg: 7, rm: 1 });
    expect(cpu.state.reg32(1)).toBe(0x401);
    cpu.state.set32(layout.CR4, CR4.de);
    expect(cpu.faultOf(() => cpu.run('movToDebug', { reg: 5 }))).toEqual(UD);
    expect(cpu.faultOf(() => cpu.run('movFromDebug', { reg: 4 }))).toEqual(UD);
    expect(cpu.faultOf(() => cpu.run('movFromDebug', { reg: 8 }))).toEqual(UD);
  });

  it('GD turns any access into a debug fault', () => {
    const cpu = new ProtectedModeCpu();
    resetDebugRegisters(cpu.state);
    cpu.state.set32(layout.DEBUG + 56, 0x2400);
    expect(cpu.faultOf(() => cpu.run('movFromDebug', { reg: 0 }))).toEqual([1, 0]);
    expect(debugRegister(cpu.state, 6)).toBe(0xffff_2ff0);
    cpu.enterRing(3);
    expect(cpu.faultOf(() => cpu.run('movFromDebug', { reg: 0 }))).toEqual([13, 0]);
  });
});
