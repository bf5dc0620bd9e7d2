/** EMMS, MXCSR and fences (Intel SDM volume 2). */
import { VECTOR } from '../../cpu/exceptions.js';
import * as layout from '../../cpu/layout.js';
import { MXCSR_MASK } from '../../cpu/state.js';
import { toI32 } from '../../translate/int.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { requireMmx, requireSse } from './operands.js';

const emptyMmx: Semantics = (c) => {
  requireMmx(c);
  c.setCell32(layout.X87_TOP, 0);
  c.setCell32(layout.X87_EMPTY, 0xff);
};

const loadMxcsr: Semantics = (c) => {
  requireSse(c);
  const value = toI32(c.load(c.linear(0, false), 32));
  c.f.if(value.and(~MXCSR_MASK), () => c.raise(VECTOR.generalProtection, 0));
  c.setCell32(layout.MXCSR, value);
};
const storeMxcsr: Semantics = (c) => {
  requireSse(c);
  c.store(c.linear(0, true), 32, c.cell32(layout.MXCSR));
};

/** Memory is always in order. */
const fence: Semantics = () => {};

export const SIMD_CONTROL: readonly Definition[] = [
  row('NP 0F 77', 'emms', '', emptyMmx),
  row('NP 0F AE /2', 'ldmxcsr', 'Md', loadMxcsr),
  row('NP 0F AE /3', 'stmxcsr', 'Md', storeMxcsr),
  row('NP 0F AE /5', 'lfence', '', fence),
  row('NP 0F AE /6', 'mfence', '', fence),
  row('NP 0F AE /7', 'sfence', '', fence),
];
