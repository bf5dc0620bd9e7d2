/**
 * FXSAVE and FXRSTOR (Intel SDM volume 2; volume 1, section 10.5; tables 3-43 to 3-48 for the layout). Neither waits for pending
 * exceptions. Policy: XMM registers and MXCSR are saved and restored only while CR4.OSFXSR is set; reserved bytes of the
 * header are stored as zeros, all others are left alone.
 */
import { GuestException, generalProtection, VECTOR } from '../../cpu/exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from '../../cpu/host-instruction.js';
import * as layout from '../../cpu/layout.js';
import { CR0, CR4, MXCSR_MASK } from '../../cpu/state.js';
import { FpuState } from './fpu-state.js';

const AREA_BYTES = 512;
const ALIGNMENT = 16;
const AT = { mxcsr: 24, mxcsrMask: 28, registers: 32, xmm: 160 } as const;

const POINTERS = [
  { at: 8, offset: layout.X87_INSTRUCTION_OFFSET, selector: layout.X87_INSTRUCTION_SELECTOR },
  { at: 16, offset: layout.X87_OPERAND_OFFSET, selector: layout.X87_OPERAND_SELECTOR },
] as const;

function area(cpu: Cpu, instruction: HostInstruction, write: boolean): number {
  if (cpu.state.cr0 & (CR0.em | CR0.ts)) throw new GuestException(VECTOR.deviceNotAvailable);
  return cpu.linear(instruction.segment, instruction.offset, AREA_BYTES, write, ALIGNMENT);
}

const xmmCount = (cpu: Cpu): number => (cpu.state.longCode ? 16 : 8);
/** Pointers of 64 bits without selectors: REX.W. */
const hasWidePointers = (cpu: Cpu, { operandSize }: HostInstruction): boolean => cpu.state.longCode && operandSize === 64;

const hasSse = (cpu: Cpu): boolean => (cpu.state.cr4 & CR4.osfxsr) !== 0;

const save: HostSemantics = (cpu, instruction) => {
  const { memory, state } = cpu;
  const linear = area(cpu, instruction, true);
  memory.probeWrite(linear, AREA_BYTES);
  const fpu = new FpuState(state);
  memory.write16(linear, fpu.control);
  memory.write16(linear + 2, fpu.status);
  // The abridged tag word: a bit for each physical register that is not empty.
  memory.write16(linear + 4, ~fpu.emptyMask & 0xff);
  memory.write16(linear + 6, state.get32(layout.X87_OPCODE));
  const wide = hasWidePointers(cpu, instruction);
  for (const { at, offset, selector } of POINTERS) {
    memory.write32(linear + at, state.get32(offset));
    memory.write32(linear + at + 4, wide ? state.get32(offset + 4) : state.get32(selector) & 0xffff);
  }
  for (let i = 0; i < 8; i++) {
    const { significand, signExponent } = fpu.get(i);
    const at = linear + AT.registers + 16 * i;
    memory.write32(at, Number(significand & 0xffff_ffffn));
    memory.write32(at + 4, Number(significand >> 32n));
    memory.write16(at + 8, signExponent);
  }
  if (!hasSse(cpu)) return;
  memory.write32(linear + AT.mxcsr, state.get32(layout.MXCSR));
  memory.write32(linear + AT.mxcsrMask, MXCSR_MASK);
  for (let i = 0; i < xmmCount(cpu) * 4; i++) memory.write32(linear + AT.xmm + 4 * i, state.get32(layout.XMM_REGISTERS + 4 * i));
};

const restore: HostSemantics = (cpu, instruction) => {
  const { memory, state } = cpu;
  const linear = area(cpu, instruction, false);
  // All of it is read before anything changes.
  const words = Array.from({ length: AREA_BYTES / 4 }, (_, i) => memory.read32(linear + 4 * i) >>> 0);
  const word = (offset: number): number => words[offset / 4]!;
  const mxcsr = word(AT.mxcsr);
  if (hasSse(cpu) && mxcsr & ~MXCSR_MASK) throw generalProtection(0);
  const fpu = new FpuState(state);
  fpu.status = word(0) >>> 16;
  fpu.emptyMask = ~word(4) & 0xff;
  state.set32(layout.X87_OPCODE, (word(4) >>> 16) & 0x7ff);
  const wide = hasWidePointers(cpu, instruction);
  for (const { at, offset, selector } of POINTERS) {
    state.set32(offset, word(at));
    state.set32(offset + 4, wide ? word(at + 4) : 0);
    state.set32(selector, wide ? 0 : word(at + 4) & 0xffff);
  }
  fpu.control = word(0) & 0xffff;
  for (let i = 0; i < 8; i++) {
    const at = AT.registers + 16 * i;
    fpu.write(i, { significand: (BigInt(word(at + 4)) << 32n) | BigInt(word(at)), signExponent: word(at + 8) & 0xffff });
  }
  if (!hasSse(cpu)) return;
  state.set32(layout.MXCSR, mxcsr);
  for (let i = 0; i < xmmCount(cpu) * 4; i++) state.set32(layout.XMM_REGISTERS + 4 * i, word(AT.xmm + 4 * i));
};

export const fxsaveSemantics: Readonly<Record<string, HostSemantics>> = { fxsave: save, fxrstor: restore };
