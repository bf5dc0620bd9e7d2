/** The integer instructions of the model (Intel SDM volume 2), without segment registers, far transfers and system instructions. */
import type { Opcode } from '../opcode.js';
import { ARITHMETIC } from './arithmetic.js';
import { BITS } from './bits.js';
import { CONTROL_FLOW } from './control-flow.js';
import { DECIMAL } from './decimal.js';
import { FLAGS } from './flags.js';
import { MOVES } from './moves.js';
import { MULTIPLICATION } from './multiplication.js';
import { SHIFTS } from './shifts.js';
import { STACK } from './stack.js';
import { STRINGS } from './strings.js';

export const INTEGER_OPCODES: readonly Opcode[] = [
  ...ARITHMETIC,
  ...MULTIPLICATION,
  ...DECIMAL,
  ...SHIFTS,
  ...BITS,
  ...MOVES,
  ...STACK,
  ...FLAGS,
  ...CONTROL_FLOW,
  ...STRINGS,
];
