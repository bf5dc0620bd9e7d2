/** INT n, INT3, INTO, INT1, CLI, STI (SDM volume 2; volume 3, 20.3 and 20.4 for the virtual interrupt flag). */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { fault } from './descriptors.js';

function into(cpu: Cpu): void {
  if (cpu.flag('of')) cpu.softwareInterrupt(VECTOR.of, 'into');
}

const CR4_VME = 1n;
const CR4_PVI = 2n;

/** Which flag CLI and STI are about: IF, or its stand-in for programs without the privilege; #GP(0) when neither. */
function interruptFlag(cpu: Cpu): 'if' | 'vif' {
  if (!cpu.protectedMode) return 'if';
  const cr4 = cpu.state.u64(CPU_STATE.cr4);
  if (cpu.virtual8086) {
    if (cpu.iopl === 3) return 'if';
    if ((cr4 & CR4_VME) !== 0n) return 'vif';
  } else {
    if (cpu.iopl >= cpu.cpl) return 'if';
    if (cpu.cpl === 3 && (cr4 & CR4_PVI) !== 0n) return 'vif';
  }
  return fault(VECTOR.gp, 0);
}

const cli = (cpu: Cpu): void => cpu.setFlag(interruptFlag(cpu), false);

function sti(cpu: Cpu): void {
  const name = interruptFlag(cpu);
  if (name === 'vif') {
    if (cpu.flag('vip')) fault(VECTOR.gp, 0);
    cpu.setFlag('vif', true);
    return;
  }
  if (!cpu.flag('if')) cpu.inhibitInterrupts(false);
  cpu.setFlag('if', true);
}

export const INTERRUPT_INSTRUCTIONS: readonly Opcode[] = [
  opcode('CC', 'INT3', '', (cpu) => cpu.softwareInterrupt(VECTOR.bp, 'int3')),
  opcode('CD', 'INT', 'imm8', (cpu) => cpu.softwareInterrupt(Number(cpu.read(0)), 'int')),
  opcode('CE', 'INTO', '', into, { not64: true }),
  opcode('F1', 'INT1', '', (cpu) => {
    cpu.undefine('int1.hypervisor');
    cpu.softwareInterrupt(VECTOR.db, 'int1');
  }),
  opcode('FA', 'CLI', '', cli),
  opcode('FB', 'STI', '', sti),
];
