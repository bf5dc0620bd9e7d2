/** The system side of the model: segment loads, far control flow, system instructions. */
import type { Opcode } from '../opcode.js';
import { CONTROL_REGISTERS } from './control-registers.js';
import { CPUID } from './cpuid.js';
import { DEBUG_REGISTERS } from './debug-registers.js';
import { DESCRIPTOR_INSTRUCTIONS } from './descriptor-instructions.js';
import { FAR_RETURN } from './far-return.js';
import { FAR_TRANSFER } from './far-transfer.js';
import { FAST_CALLS } from './fast-calls.js';
import { INTERRUPT_INSTRUCTIONS } from './interrupt-instructions.js';
import { MODEL_SPECIFIC_REGISTERS } from './model-specific-registers.js';
import { PORTS } from './ports.js';
import { SEGMENT_INSTRUCTIONS } from './segment-instructions.js';

export const SYSTEM_OPCODES: readonly Opcode[] = [
  ...SEGMENT_INSTRUCTIONS,
  ...FAR_TRANSFER,
  ...FAR_RETURN,
  ...INTERRUPT_INSTRUCTIONS,
  ...DESCRIPTOR_INSTRUCTIONS,
  ...CONTROL_REGISTERS,
  ...DEBUG_REGISTERS,
  ...MODEL_SPECIFIC_REGISTERS,
  ...CPUID,
  ...PORTS,
  ...FAST_CALLS,
];
