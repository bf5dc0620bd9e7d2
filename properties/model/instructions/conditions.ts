/** Condition codes (Intel SDM volume 1, appendix B): numbered as in the low four bits of Jcc, SETcc and CMOVcc. */
import type { Cpu } from '../cpu.js';

export interface Condition {
  readonly suffix: string;
  readonly holds: (cpu: Cpu) => boolean;
}

const PAIRS: readonly (readonly [string, string, (cpu: Cpu) => boolean])[] = [
  ['O', 'NO', (cpu) => cpu.flag('of')],
  ['B', 'AE', (cpu) => cpu.flag('cf')],
  ['E', 'NE', (cpu) => cpu.flag('zf')],
  ['BE', 'A', (cpu) => cpu.flag('cf') || cpu.flag('zf')],
  ['S', 'NS', (cpu) => cpu.flag('sf')],
  ['P', 'NP', (cpu) => cpu.flag('pf')],
  ['L', 'GE', (cpu) => cpu.flag('sf') !== cpu.flag('of')],
  ['LE', 'G', (cpu) => cpu.flag('zf') || cpu.flag('sf') !== cpu.flag('of')],
];

/** Each odd one is the opposite of the one before it. */
export const CONDITIONS: readonly Condition[] = PAIRS.flatMap(([suffix, opposite, holds]) => [
  { suffix, holds },
  { suffix: opposite, holds: (cpu: Cpu) => !holds(cpu) },
]);
