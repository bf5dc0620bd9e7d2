/**
 * Debug registers: breakpoints, watchpoints, single step, MOV DRn (SDM volume 3, sections 17.2 and 17.3).
 *
 * How the CPU's careful path uses this file, for each instruction:
 * 1. unless RF is set, `instructionBreakpoint` at its linear address: true raises #DB of kind `instructionBreakpoint`;
 * 2. RF is cleared when it completes (a fault sets it in the pushed image anyway), but not by IRET, and not by an
 *    iteration of a REP that goes on: that one sets it, so that the breakpoint is met once and not at every iteration;
 * 3. the bits that `dataBreakpoints` and `portBreakpoints` return for its accesses are gathered;
 * 4. once it is complete, with `DR6_SINGLE_STEP` added if TF was set before it, anything gathered goes through
 *    `debugTrap`, which raises #DB of kind `trap`.
 */
import { GuestException, invalidOpcode, VECTOR } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { requireRing0 } from './operands.js';
import { type CpuState, CR4 } from './state.js';

const DR6 = 6;
const DR7 = 7;

const DR6_GENERAL_DETECT = 1 << 13;
export const DR6_SINGLE_STEP = 1 << 14;
/** B0-B3: which conditions were met. */
const DR6_MATCHES = 0xf;
/** Reserved bits that read as one; bit 12 reads as zero. */
const DR6_ONES = 0xffff_0ff0;
const DR6_WRITABLE = 0xe00f;
const DR7_ONES = 0x0400;
const DR7_ZEROS = 0xd800;
const DR7_GENERAL_DETECT = 1 << 13;
/** L0, G0 ... L3, G3. */
const DR7_ENABLES = 0xff;

/** R/W field of a breakpoint in DR7. */
const CONDITION = { execute: 0, write: 1, port: 2, readWrite: 3 } as const;
/** LEN field; the value 2 is undefined on 32-bit processors and is taken for one byte. */
const LENGTH_BYTES = [1, 2, 1, 4] as const;

export const debugRegister = (state: CpuState, index: number): number => state.get32(layout.DEBUG + index * 8);
const setDebugRegister = (state: CpuState, index: number, value: number): void => state.set32(layout.DEBUG + index * 8, value);

/** DR6 and DR7 after reset. */
export function resetDebugRegisters(state: CpuState): void {
  for (let i = 0; i < 8; i++) setDebugRegister(state, i, 0);
  setDebugRegister(state, DR6, DR6_ONES);
  setDebugRegister(state, DR7, DR7_ONES);
}

/** Whether any breakpoint is enabled: while false, none of the matching below can find anything. */
export const breakpointsEnabled = (state: CpuState): boolean => (debugRegister(state, DR7) & DR7_ENABLES) !== 0;

/** B0-B3 for the registers whose condition is among `conditions` and whose range meets `bytes` at `address`. */
function matches(state: CpuState, address: number, bytes: number, conditions: readonly number[]): number {
  const control = debugRegister(state, DR7);
  let met = 0;
  let enabled = false;
  for (let i = 0; i < 4; i++) {
    if (!conditions.includes((control >>> (16 + i * 4)) & 3)) continue;
    const length = LENGTH_BYTES[(control >>> (18 + i * 4)) & 3] as number;
    const start = (debugRegister(state, i) & ~(length - 1)) >>> 0;
    if (address + bytes <= start || start + length <= address) continue;
    met |= 1 << i;
    if ((control >>> (i * 2)) & 3) enabled = true;
  }
  // A register that is not enabled shows in DR6 only next to one that is.
  return enabled ? met : 0;
}

/** Whether the instruction at `linear` hits a breakpoint; DR6 is updated then. The caller has looked at RF. */
export function instructionBreakpoint(state: CpuState, linear: number): boolean {
  if (!breakpointsEnabled(state)) return false;
  const met = matches(state, linear, 1, [CONDITION.execute]);
  if (met !== 0) recordDebug(state, met);
  return met !== 0;
}

/** DR6 bits of the watchpoints that a data access meets; 0 for none. */
export function dataBreakpoints(state: CpuState, linear: number, bytes: number, write: boolean): number {
  if (!breakpointsEnabled(state)) return 0;
  return matches(state, linear, bytes, write ? [CONDITION.write, CONDITION.readWrite] : [CONDITION.readWrite]);
}

/** DR6 bits of the I/O breakpoints that a port access meets: they exist while CR4.DE is set. */
export function portBreakpoints(state: CpuState, port: number, bytes: number): number {
  if (!(state.cr4 & CR4.de) || !breakpointsEnabled(state)) return 0;
  return matches(state, port, bytes, [CONDITION.port]);
}

/** B0-B3 show the latest debug exception; BD, BS and BT stay until the handler clears them. */
function recordDebug(state: CpuState, bits: number): void {
  setDebugRegister(state, DR6, (debugRegister(state, DR6) & ~DR6_MATCHES) | bits);
}

/** Records the conditions met by a completed instruction and makes the exception to raise. */
export function debugTrap(state: CpuState, bits: number): GuestException {
  recordDebug(state, bits);
  return new GuestException(VECTOR.debug, 0, 'trap');
}

/** DR4 and DR5 are DR6 and DR7, unless debug extensions are on. */
function registerOf(cpu: Cpu, instruction: HostInstruction): number {
  const index = instruction.reg;
  if (index > DR7) throw invalidOpcode();
  if (index !== 4 && index !== 5) return index;
  if (cpu.state.cr4 & CR4.de) throw invalidOpcode();
  return index + 2;
}

/** The checks shared by both directions; a debugger that guards its registers sees the access as a fault. */
function accessDebugRegister(cpu: Cpu, instruction: HostInstruction): number {
  const index = registerOf(cpu, instruction);
  requireRing0(cpu);
  const { state } = cpu;
  if (debugRegister(state, DR7) & DR7_GENERAL_DETECT) {
    setDebugRegister(state, DR6, debugRegister(state, DR6) | DR6_GENERAL_DETECT);
    throw new GuestException(VECTOR.debug);
  }
  return index;
}

export const debugSemantics: Record<string, HostSemantics> = {
  movToDebug: (cpu, instruction) => {
    const index = accessDebugRegister(cpu, instruction);
    const value = cpu.state.reg32(instruction.rm);
    if (index === DR6) setDebugRegister(cpu.state, DR6, (value & DR6_WRITABLE) | DR6_ONES);
    else if (index === DR7) setDebugRegister(cpu.state, DR7, (value & ~DR7_ZEROS) | DR7_ONES);
    else setDebugRegister(cpu.state, index, value);
    cpu.modeChanged();
  },
  movFromDebug: (cpu, instruction) => {
    const index = accessDebugRegister(cpu, instruction);
    cpu.state.setReg32(instruction.rm, debugRegister(cpu.state, index));
  },
};
