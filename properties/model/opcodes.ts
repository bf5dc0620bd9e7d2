/** All rows of the model's opcode table. */
import { INTEGER_OPCODES } from './instructions/index.js';
import type { Opcode } from './opcode.js';
import { SIMD_OPCODES } from './simd/index.js';
import { SYSTEM_OPCODES } from './system/index.js';
import { X87_OPCODES } from './x87/index.js';

export const OPCODES: readonly Opcode[] = [...INTEGER_OPCODES, ...SYSTEM_OPCODES, ...X87_OPCODES, ...SIMD_OPCODES];
