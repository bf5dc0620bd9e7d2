/** MMX, SSE and SSE2 of the reference model (Intel SDM volume 1, chapters 9 to 11). */
import type { Opcode } from '../opcode.js';
import { SIMD_CONTROL } from './control.js';
import { CONVERSIONS } from './conversions.js';
import { FLOAT_OPERATIONS } from './float-operations.js';
import { FXSAVE } from './fxsave.js';
import { MASKED_MOVES } from './masked-moves.js';
import { MOVES } from './moves.js';
import { PACKED_INTEGER } from './packed-integer.js';
import { SHUFFLES } from './shuffles.js';
import { VECTOR_SHIFTS } from './vector-shifts.js';

export const SIMD_OPCODES: readonly Opcode[] = [
  ...MOVES,
  ...MASKED_MOVES,
  ...PACKED_INTEGER,
  ...VECTOR_SHIFTS,
  ...SHUFFLES,
  ...FLOAT_OPERATIONS,
  ...CONVERSIONS,
  ...SIMD_CONTROL,
  ...FXSAVE,
];
