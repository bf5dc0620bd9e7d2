/** The whole instruction table, in matching order: the first row that fits wins. */
import { ARITHMETIC } from './arithmetic.js';
import { BITS } from './bits.js';
import { CONTROL_FLOW } from './control.js';
import { DATA_MOVEMENT } from './data-movement.js';
import type { Definition } from './definition.js';
import { SHIFTS } from './shifts.js';
import { SIMD } from './simd/simd.js';
import { STRINGS } from './strings.js';
import { SYSTEM } from './system.js';
import { X87 } from './x87/x87.js';

export const INSTRUCTIONS: readonly Definition[] = [
  ...ARITHMETIC,
  ...DATA_MOVEMENT,
  ...SHIFTS,
  ...BITS,
  ...CONTROL_FLOW,
  ...STRINGS,
  ...X87,
  ...SIMD,
  ...SYSTEM,
];
