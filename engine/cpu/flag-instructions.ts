/**
 * Instructions that IOPL guards, with the virtual interrupt flag of CR4.VME and CR4.PVI: CLI, STI, PUSHF, POPF (SDM
 * volume 2; volume 3, sections 20.3 and 20.4).
 */
import { generalProtection } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import { ioPrivilege } from './operands.js';
import { currentStackReader, pushValue } from './stack.js';
import { ARITHMETIC_FLAGS, CR4, EFLAG } from './state.js';

/** Which flag CLI and STI work on. */
function interruptFlag(cpu: Cpu): number {
  const { state } = cpu;
  const { eflags, cpl } = state;
  if (!state.protectedMode || ioPrivilege(eflags) >= cpl) return EFLAG.if;
  const virtual = state.virtual8086 ? CR4.vme : CR4.pvi;
  if (cpl === 3 && state.cr4 & virtual) return EFLAG.vif;
  throw generalProtection(0);
}

function cli(cpu: Cpu): void {
  const flag = interruptFlag(cpu);
  cpu.state.eflags = cpu.state.eflags & ~flag;
}

function sti(cpu: Cpu): void {
  const { state } = cpu;
  const flag = interruptFlag(cpu);
  const { eflags } = state;
  if (flag === EFLAG.vif && eflags & EFLAG.vip) throw generalProtection(0);
  if (flag === EFLAG.if && !(eflags & EFLAG.if)) cpu.inhibitInterrupts(false);
  state.eflags = eflags | flag;
}

/** In virtual-8086 mode with IOPL below 3: PUSHF and POPF need VME and the 16-bit form. */
function usesVirtualFlag(cpu: Cpu, instruction: HostInstruction): boolean {
  const { state } = cpu;
  if (!state.virtual8086 || ioPrivilege(state.eflags) === 3) return false;
  if (instruction.operandSize !== 16 || !(state.cr4 & CR4.vme)) throw generalProtection(0);
  return true;
}

function pushf(cpu: Cpu, instruction: HostInstruction): void {
  const { state } = cpu;
  let image = state.eflags & ~(EFLAG.vm | EFLAG.rf);
  if (usesVirtualFlag(cpu, instruction)) {
    image = (image & ~EFLAG.if) | EFLAG.iopl | (image & EFLAG.vif ? EFLAG.if : 0);
  }
  pushValue(cpu, instruction.operandSize >>> 3, image);
}

const POPF_16 = ARITHMETIC_FLAGS | EFLAG.tf | EFLAG.df | EFLAG.nt;
const POPF_32 = POPF_16 | EFLAG.ac | EFLAG.id;

function popf(cpu: Cpu, instruction: HostInstruction): void {
  const { state } = cpu;
  const virtualFlag = usesVirtualFlag(cpu, instruction);
  const { eflags, cpl } = state;
  const reader = currentStackReader(cpu);
  const popped = reader.pop(instruction.operandSize >>> 3);
  if (virtualFlag) {
    const pending = (eflags & EFLAG.vip) !== 0 && (popped & EFLAG.if) !== 0;
    if (pending || popped & EFLAG.tf) throw generalProtection(0);
    const vif = popped & EFLAG.if ? EFLAG.vif : 0;
    state.eflags = (eflags & ~(POPF_16 | EFLAG.vif | EFLAG.rf)) | (popped & POPF_16) | vif;
  } else {
    let mask = instruction.operandSize === 16 ? POPF_16 : POPF_32;
    if (cpl <= ioPrivilege(eflags)) mask |= EFLAG.if;
    if (cpl === 0) mask |= EFLAG.iopl;
    state.eflags = (eflags & ~(mask | EFLAG.rf)) | (popped & mask);
  }
  reader.commit();
}

export const flagSemantics: Record<string, HostSemantics> = { cli, sti, pushf, popf };
