/** The x87 instruction set: rows of the table (D8-DF, 9B, 0F AE /0 and /1); those with a name for a meaning are in host-instructions.ts. */
import { type Definition, row } from '../definition.js';
import { X87_ARITHMETIC } from './arithmetic.js';
import { X87_COMPARISONS } from './comparisons.js';
import { X87_CONTROL_ROWS } from './control.js';
import { X87_TRANSFERS } from './transfers.js';

const sized = { sized: true } as const;

export const X87: readonly Definition[] = [
  ...X87_TRANSFERS,
  ...X87_ARITHMETIC,
  ...X87_COMPARISONS,
  ...X87_CONTROL_ROWS,
  row('D9 =F0', 'f2xm1', '', 'f2xm1'),
  row('D9 =F1', 'fyl2x', '', 'fyl2x'),
  row('D9 =F2', 'fptan', '', 'fptan'),
  row('D9 =F3', 'fpatan', '', 'fpatan'),
  row('D9 =F9', 'fyl2xp1', '', 'fyl2xp1'),
  row('D9 =FB', 'fsincos', '', 'fsincos'),
  row('D9 =FE', 'fsin', '', 'fsin'),
  row('D9 =FF', 'fcos', '', 'fcos'),
  row('D9 /4', 'fldenv', 'M', 'fldenv', sized),
  row('D9 /6', 'fnstenv', 'M', 'fnstenv', sized),
  row('DD /4', 'frstor', 'M', 'frstor', sized),
  row('DD /6', 'fnsave', 'M', 'fnsave', sized),
  row('NP 0F AE /0', 'fxsave', 'My', 'fxsave'),
  row('NP 0F AE /1', 'fxrstor', 'My', 'fxrstor'),
];
