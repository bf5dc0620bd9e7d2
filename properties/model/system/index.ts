/** Opcode rows of this part of the model. */
import type { Opcode } from '../opcode.js';

export const SYSTEM_OPCODES: readonly Opcode[] = [];
