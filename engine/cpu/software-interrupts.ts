/**
 * Instructions that raise an interrupt or exception by themselves: INT n, INT3, INTO, INT1 (F1), BOUND, UD (SDM volume 2).
 * What the system does not have raises #UD: RSM outside system management mode.
 */
import { GuestException, invalidOpcode, VECTOR } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import { deliver, type EventSource } from './interrupts.js';
import { readRegister } from './operands.js';
import { EFLAG } from './state.js';

/** Two operands, each with checks of its own. */
function bound(cpu: Cpu, instruction: HostInstruction): void {
  if (!instruction.memory) throw invalidOpcode();
  const bits = instruction.operandSize;
  const bytes = bits >>> 3;
  const signed = (value: number): number => (bits === 16 ? (value << 16) >> 16 : value | 0);
  const read = (offset: number): number => {
    const linear = cpu.linear(instruction.segment, offset, bytes, false);
    return signed(bits === 16 ? cpu.memory.read16(linear) : cpu.memory.read32(linear));
  };
  const lower = read(instruction.offset);
  const upper = read((instruction.offset + bytes) >>> 0);
  const index = signed(readRegister(cpu.state, instruction.reg, bits));
  if (index < lower || index > upper) throw new GuestException(VECTOR.boundRange);
}

const undefinedInstruction: HostSemantics = () => {
  throw invalidOpcode();
};

/** Exceptions that an instruction raises by completing. */
function trap(cpu: Cpu, vector: number, source: EventSource): void {
  if (cpu.interceptsExceptions) throw new GuestException(vector, 0, 'trap');
  deliver(cpu, { vector, source });
}

export const softwareInterruptSemantics: Record<string, HostSemantics> = {
  int: (cpu, instruction) => deliver(cpu, { vector: instruction.immediate & 0xff, source: 'software' }),
  int3: (cpu) => trap(cpu, VECTOR.breakpoint, 'softwareTrap'),
  into: (cpu) => {
    if (cpu.state.eflags & EFLAG.of) trap(cpu, VECTOR.overflow, 'softwareTrap');
  },
  int1: (cpu) => trap(cpu, VECTOR.debug, 'icebp'),
  bound,
  undefinedInstruction,
  rsm: undefinedInstruction,
};
