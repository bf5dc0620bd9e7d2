/** The x87 instructions of the model (Intel SDM volume 1, chapter 8; volume 2). */
import type { Opcode } from '../opcode.js';
import { ARITHMETIC } from './arithmetic.js';
import { COMPARISONS } from './comparison.js';
import { CONTROL } from './control.js';
import { ENVIRONMENT } from './environment.js';
import { TRANSCENDENTALS } from './transcendental.js';
import { TRANSFERS } from './transfers.js';

export const X87_OPCODES: readonly Opcode[] = [...TRANSFERS, ...ARITHMETIC, ...COMPARISONS, ...TRANSCENDENTALS, ...CONTROL, ...ENVIRONMENT];
