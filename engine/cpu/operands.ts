/** Operands of host instructions: the r/m operand, general registers by width, and checks that many of them share. */
import { generalProtection, invalidOpcode } from './exceptions.js';
import type { Cpu, HostInstruction } from './host-instruction.js';
import type { CpuState } from './state.js';

export type Width = 8 | 16 | 32;

export function readRegister(state: CpuState, index: number, bits: number): number {
  if (bits === 8) return state.reg8(index);
  return bits === 16 ? state.reg16(index) : state.reg32(index);
}

export function writeRegister(state: CpuState, index: number, bits: number, value: number): void {
  if (bits === 8) state.setReg8(index, value);
  else if (bits === 16) state.setReg16(index, value);
  else state.setReg32(index, value);
}

/** Reads `bits` at the memory operand. */
function loadOperand(cpu: Cpu, instruction: HostInstruction, bits: number): number {
  const linear = cpu.linear(instruction.segment, instruction.offset, bits >>> 3, false);
  if (bits === 8) return cpu.memory.read8(linear) & 0xff;
  return bits === 16 ? cpu.memory.read16(linear) & 0xffff : cpu.memory.read32(linear) >>> 0;
}

function storeOperand(cpu: Cpu, instruction: HostInstruction, bits: number, value: number): void {
  const linear = cpu.linear(instruction.segment, instruction.offset, bits >>> 3, true);
  if (bits === 8) cpu.memory.write8(linear, value & 0xff);
  else if (bits === 16) cpu.memory.write16(linear, value & 0xffff);
  else cpu.memory.write32(linear, value);
}

/** The r/m operand, unsigned. */
export function readOperand(cpu: Cpu, instruction: HostInstruction, bits: Width): number {
  return instruction.memory ? loadOperand(cpu, instruction, bits) : readRegister(cpu.state, instruction.rm, bits);
}

export function writeOperand(cpu: Cpu, instruction: HostInstruction, bits: Width, value: number): void {
  if (instruction.memory) storeOperand(cpu, instruction, bits, value);
  else writeRegister(cpu.state, instruction.rm, bits, value);
}

/**
 * Where a system register of 16 bits goes (SLDT, STR, SMSW, MOV from a segment register): memory takes 16 bits
 * whatever the operand size, a 32-bit register the value extended with zeros.
 */
export function writeWord(cpu: Cpu, instruction: HostInstruction, value: number): void {
  writeOperand(cpu, instruction, instruction.memory || instruction.operandSize === 16 ? 16 : 32, value);
}

export function setFlag(state: CpuState, flag: number, on: boolean): void {
  state.eflags = on ? state.eflags | flag : state.eflags & ~flag;
}

export function requireRing0(cpu: Cpu): void {
  if (cpu.state.cpl !== 0) throw generalProtection(0);
}

/** Instructions that real and virtual-8086 mode do not have. */
export function requireSegmentedProtection(cpu: Cpu): void {
  if (cpu.state.realAddressing) throw invalidOpcode();
}

export const ioPrivilege = (eflags: number): number => (eflags >>> 12) & 3;
