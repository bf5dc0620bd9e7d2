/**
 * Control registers and what manages the processor: MOV CRn, LMSW, SMSW, CLTS, HLT, INVD, WBINVD, INVLPG (SDM volume 2;
 * volume 3, sections 2.5 and 4.1 - 4.4 for the loads of the PAE page-directory pointers).
 */
import { generalProtection, invalidOpcode } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { readOperand, requireRing0, writeWord } from './operands.js';
import { flushedLinear } from './segmentation.js';
import { CR0, CR4 } from './state.js';

const CR0_WRITABLE = CR0.pe | CR0.mp | CR0.em | CR0.ts | CR0.ne | CR0.wp | CR0.am | CR0.nw | CR0.cd | CR0.pg;
/** No machine check (CPUID.MCE is clear). */
const CR4_WRITABLE = CR4.vme | CR4.pvi | CR4.tsd | CR4.de | CR4.pse | CR4.pae | CR4.pge | CR4.pce | CR4.osfxsr | CR4.osxmmexcpt;
const CR4_PAGING = CR4.pse | CR4.pae | CR4.pge;
const LMSW_BITS = CR0.pe | CR0.mp | CR0.em | CR0.ts;

const paePaging = (cr0: number, cr4: number): boolean => (cr0 & CR0.pg) !== 0 && (cr4 & CR4.pae) !== 0;

function writeCr0(cpu: Cpu, value: number): void {
  const { state } = cpu;
  if (value & CR0.pg && !(value & CR0.pe)) throw generalProtection(0);
  if (value & CR0.nw && !(value & CR0.cd)) throw generalProtection(0);
  // Reserved bits are ignored, ET reads as one.
  const next = (value & CR0_WRITABLE) | CR0.et;
  const changed = next ^ state.cr0;
  if (changed & (CR0.pg | CR0.cd | CR0.nw) && paePaging(next, state.cr4)) cpu.loadPageDirectoryPointers(state.cr3);
  state.set32(layout.CR0, next);
  if (changed & (CR0.pg | CR0.wp | CR0.pe)) cpu.flushTlb('all');
  cpu.modeChanged();
}

function writeCr3(cpu: Cpu, value: number): void {
  const { state } = cpu;
  if (paePaging(state.cr0, state.cr4)) cpu.loadPageDirectoryPointers(value);
  state.set32(layout.CR3, value);
  cpu.flushTlb('nonGlobal');
  cpu.modeChanged();
}

function writeCr4(cpu: Cpu, value: number): void {
  const { state } = cpu;
  if (value & ~CR4_WRITABLE) throw generalProtection(0);
  const changed = value ^ state.cr4;
  if (changed & CR4_PAGING && paePaging(state.cr0, value)) cpu.loadPageDirectoryPointers(state.cr3);
  state.set32(layout.CR4, value);
  if (changed & CR4_PAGING) cpu.flushTlb('all');
  cpu.modeChanged();
}

const CONTROL_REGISTERS: readonly number[] = [0, 2, 3, 4];
const TASK_PRIORITY = 8;

/** #UD for those that do not exist. CR8, the task priority, does in 64-bit code, where privilege is what is missing. */
function requireControlRegister(cpu: Cpu, index: number): void {
  const exists = CONTROL_REGISTERS.includes(index) || (index === TASK_PRIORITY && cpu.state.longCode && cpu.state.cpl !== 0);
  if (!exists) throw invalidOpcode();
}

function movToControl(cpu: Cpu, instruction: HostInstruction): void {
  requireControlRegister(cpu, instruction.reg);
  requireRing0(cpu);
  const value = cpu.state.reg32(instruction.rm);
  if (instruction.reg === 0) writeCr0(cpu, value);
  else if (instruction.reg === 2) cpu.state.cr2 = value;
  else if (instruction.reg === 3) writeCr3(cpu, value);
  else writeCr4(cpu, value);
}

function movFromControl(cpu: Cpu, instruction: HostInstruction): void {
  requireControlRegister(cpu, instruction.reg);
  requireRing0(cpu);
  cpu.state.setReg32(instruction.rm, cpu.state.get32(layout.CONTROL + instruction.reg * 8));
}

export const controlSemantics: Record<string, HostSemantics> = {
  movToControl,
  movFromControl,
  lmsw: (cpu, instruction) => {
    requireRing0(cpu);
    // LMSW can set PE but not clear it.
    const value = readOperand(cpu, instruction, 16) & LMSW_BITS;
    const { cr0 } = cpu.state;
    writeCr0(cpu, (cr0 & ~(LMSW_BITS & ~CR0.pe)) | value);
  },
  smsw: (cpu, instruction) => {
    // A 32-bit register takes all of CR0.
    writeWord(cpu, instruction, instruction.memory ? cpu.state.cr0 & 0xffff : cpu.state.cr0);
  },
  clts: (cpu) => {
    requireRing0(cpu);
    cpu.state.set32(layout.CR0, cpu.state.cr0 & ~CR0.ts);
    cpu.modeChanged();
  },
  hlt: (cpu) => {
    requireRing0(cpu);
    cpu.halt();
  },
  // What it exchanges GS with is a register of long mode's system side.
  swapgs: (cpu) => {
    requireRing0(cpu);
    throw invalidOpcode();
  },
  // There are no caches to lose or write back.
  invd: requireRing0,
  wbinvd: requireRing0,
  clflush: (cpu, { segment, offset }) => {
    cpu.memory.read8(flushedLinear(cpu, segment, offset));
  },
  invlpg: (cpu, instruction) => {
    if (!instruction.memory) throw invalidOpcode();
    requireRing0(cpu);
    cpu.invalidatePage((cpu.state.segmentBase(instruction.segment) + instruction.offset) >>> 0);
  },
};
