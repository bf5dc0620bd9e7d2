/** Opcode rows of this part of the model. */
import type { Opcode } from '../opcode.js';

export const X87_OPCODES: readonly Opcode[] = [];
