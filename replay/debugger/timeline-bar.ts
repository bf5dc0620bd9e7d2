/**
 * The whole recording as one line: how many interrupts came where, the marks, and the present place.
 */
import { grouped } from '../cli/text.js';
import type { Extent } from './place.js';

const CELLS = 60;
/** From few to many; the first is for none. */
const LEVELS = [...'·▁▂▃▄▅▆▇█'];

export interface BarOptions extends Extent {
  readonly interruptTicks: ArrayLike<number>;
  readonly marks: ReadonlyMap<string, number>;
  /** Makes the present place stand out. */
  readonly emphasize: (text: string) => string;
}

/** Marks are shown by their first letter, the present place as `|`. */
export function timelineBar({ tick, endTick, interruptTicks, marks, emphasize }: BarOptions): string {
  const cellOf = (at: number): number => (endTick === 0 ? 0 : Math.min(CELLS - 1, Math.floor((at / endTick) * CELLS)));
  const counts = new Array<number>(CELLS).fill(0);
  for (let index = 0; index < interruptTicks.length; index++) counts[cellOf(interruptTicks[index] as number)]!++;
  const most = Math.max(...counts);
  const cells = counts.map((count) => LEVELS[count === 0 ? 0 : Math.ceil((count / most) * (LEVELS.length - 1))] as string);
  for (const [name, at] of marks) cells[cellOf(at)] = name.charAt(0);
  cells[cellOf(tick)] = emphasize('|');
  const percent = endTick === 0 ? 100 : (tick / endTick) * 100;
  return `0 ${cells.join('')} ${grouped(endTick)}  ${percent.toFixed(1)} %`;
}
