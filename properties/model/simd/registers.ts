/**
 * MMX and XMM operands, and what must hold before an instruction may use them (Intel SDM volume 3, sections 2.5, 12.1 to
 * 12.5, 14.1 and 23.25.3).
 */
import { CPU_STATE, FS } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';
import { LINEAR_LIMIT, linearAddress, longLinearAddress } from '../segmentation.js';

const CR0_EM = 1 << 2;
const CR0_TS = 1 << 3;
const CR0_NE = 1 << 5;
const CR0_AM = 1 << 18;
const CR4_OSFXSR = 1 << 9;
const STATUS_TOP = 7 << 11;
/** An unmasked x87 exception is pending. */
const STATUS_ES = 1 << 7;

export type RegisterFile = 'mmx' | 'xmm';
export const BYTES = { mmx: 8, xmm: 16 } as const;

export function requireSse(cpu: Cpu): void {
  const { state } = cpu;
  const cr0 = state.u32(CPU_STATE.cr0);
  if ((cr0 & CR0_EM) !== 0 || (state.u32(CPU_STATE.cr4) & CR4_OSFXSR) === 0) cpu.raise(VECTOR.ud);
  if ((cr0 & CR0_TS) !== 0) cpu.raise(VECTOR.nm);
}

export const isX87ExceptionPending = (cpu: Cpu): boolean => (cpu.state.u16(CPU_STATE.x87Status) & STATUS_ES) !== 0;

/** @returns false when the instruction has to be tried again: an x87 exception is pending, to be reported by FERR# (CR0.NE = 0) */
function beginMmx(cpu: Cpu): boolean {
  const { state } = cpu;
  const cr0 = state.u32(CPU_STATE.cr0);
  if ((cr0 & CR0_EM) !== 0) cpu.raise(VECTOR.ud);
  if ((cr0 & CR0_TS) !== 0) cpu.raise(VECTOR.nm);
  if (!isX87ExceptionPending(cpu)) return true;
  if ((cr0 & CR0_NE) !== 0) cpu.raise(VECTOR.mf);
  cpu.undefine('x87.ferr');
  cpu.repeatInstruction();
  return false;
}

/** Before an instruction with operands in that file: faults; false: nothing more is to be done now. */
export function begin(cpu: Cpu, file: RegisterFile): boolean {
  if (file === 'mmx') return beginMmx(cpu);
  requireSse(cpu);
  return true;
}

/** Before an instruction with operands in both files. */
export function beginWithBoth(cpu: Cpu): boolean {
  requireSse(cpu);
  return beginMmx(cpu);
}

/** The transition to MMX: the x87 stack begins at R0 and all of its registers are valid (SDM volume 3, table 12-3). */
export function enterMmx(cpu: Cpu): void {
  const { state } = cpu;
  state.setU16(CPU_STATE.x87Status, state.u16(CPU_STATE.x87Status) & ~STATUS_TOP);
  state.setU16(CPU_STATE.x87Empty, 0);
}

/** EMMS: all of the registers are empty. */
export function leaveMmx(cpu: Cpu): void {
  enterMmx(cpu);
  cpu.state.setU16(CPU_STATE.x87Empty, 0xff);
}

const mmAddress = (number: number): number => CPU_STATE.x87Registers + 16 * (number & 7);
const readMm = (cpu: Cpu, number: number): bigint => cpu.state.u64(mmAddress(number));
/** The transition included. */
function writeMm(cpu: Cpu, number: number, value: bigint): void {
  cpu.state.setU64(mmAddress(number), value);
  // Sign and exponent of the x87 register.
  cpu.state.setU16(mmAddress(number) + 8, 0xffff);
  enterMmx(cpu);
}

export const readRegister = (cpu: Cpu, file: RegisterFile, operand: number): bigint =>
  file === 'mmx' ? readMm(cpu, cpu.registerNumber(operand)) : cpu.xmm(cpu.registerNumber(operand));
export const writeRegister = (cpu: Cpu, file: RegisterFile, operand: number, value: bigint): void =>
  file === 'mmx' ? writeMm(cpu, cpu.registerNumber(operand), value) : cpu.setXmm(cpu.registerNumber(operand), value);

/** Faults as segmentation does, for an access that is then made in parts. */
export function checkSegment(cpu: Cpu, segment: number, offset: bigint, bytes: number, write: boolean): void {
  if (cpu.codeBits === 64) longLinearAddress(cpu.state, segment, offset, bytes);
  else {
    if (offset + BigInt(bytes) > BigInt(LINEAR_LIMIT)) cpu.undefine('segment.wrap');
    linearAddress(cpu.state, segment, Number(offset), bytes, write, cpu.protectedMode && !cpu.virtual8086);
  }
}

export const linearOf = (cpu: Cpu, segment: number, offset: bigint): bigint =>
  (cpu.codeBits === 64 && segment < FS ? 0n : cpu.state.segmentBase(segment)) + offset;
export const isMisaligned = (cpu: Cpu, segment: number, offset: bigint, bytes: number): boolean =>
  linearOf(cpu, segment, offset) % BigInt(bytes) !== 0n;
/** #AC is in force. */
export const checksAlignment = (cpu: Cpu): boolean => cpu.cpl === 3 && cpu.flag('ac') && (cpu.state.u32(CPU_STATE.cr0) & CR0_AM) !== 0;

/** Faults of the segment come before those of alignment, and these before those of pages. */
function requireAlignment(cpu: Cpu, segment: number, offset: bigint, bytes: number, write: boolean): void {
  try {
    checkSegment(cpu, segment, offset, bytes, write);
  } catch (thrown) {
    const misaligned = isMisaligned(cpu, segment, offset, bytes);
    if (misaligned && thrown instanceof ModelException && thrown.vector === VECTOR.ss) cpu.undefine('sse.misaligned-stack');
    throw thrown;
  }
  cpu.requireAligned(segment, offset, bytes);
}

/** So many bytes from memory; 16 must be aligned, except for the moves that say otherwise. */
export function loadMemory(cpu: Cpu, operand: number, bytes: number, aligned = bytes === 16): bigint {
  const { segment, offset } = cpu.address(operand);
  if (aligned) requireAlignment(cpu, segment, offset, bytes, false);
  return cpu.load(segment, offset, bytes);
}
export function storeMemory(cpu: Cpu, operand: number, bytes: number, value: bigint, aligned = bytes === 16): void {
  const { segment, offset } = cpu.address(operand);
  if (aligned) requireAlignment(cpu, segment, offset, bytes, true);
  cpu.store(segment, offset, bytes, value);
}

/** A register, or memory of the given width; 128 bits of memory must be aligned. */
export const readOperand = (cpu: Cpu, file: RegisterFile, operand: number, bytes: number = BYTES[file]): bigint =>
  cpu.isMemory(operand) ? loadMemory(cpu, operand, bytes) : BigInt.asUintN(8 * bytes, readRegister(cpu, file, operand));

/** Replaces the low bits of an XMM register. */
export function writeLow(cpu: Cpu, operand: number, width: number, value: bigint): void {
  const number = cpu.registerNumber(operand);
  const old = cpu.xmm(number);
  cpu.setXmm(number, old - BigInt.asUintN(width, old) + value);
}
