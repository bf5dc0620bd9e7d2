/** The MMX, SSE and SSE2 instructions of the Pentium 4 (Intel SDM volume 1, chapters 9 to 11). */
import type { Definition } from '../definition.js';
import { FLOAT_ARITHMETIC } from './float-arithmetic.js';
import { FLOAT_CONVERSIONS } from './float-conversions.js';
import { SIMD_MOVES } from './moves.js';
import { PACKED_INTEGER } from './packed-integer.js';
import { RECIPROCALS } from './reciprocals.js';
import { SHUFFLES } from './shuffles.js';
import { SIMD_CONTROL } from './simd-control.js';
import { VECTOR_SHIFTS } from './vector-shifts.js';

export const SIMD: readonly Definition[] = [
  ...SIMD_MOVES,
  ...SIMD_CONTROL,
  ...PACKED_INTEGER,
  ...VECTOR_SHIFTS,
  ...SHUFFLES,
  ...FLOAT_ARITHMETIC,
  ...FLOAT_CONVERSIONS,
  ...RECIPROCALS,
];
