/**
 * Places of a recording as people name them.
 */
import { grouped } from '../cli/text.js';
import { CommandError } from './command-error.js';

const RELATIVE = /^([+-]?)(0x[0-9a-f]+|\d[\d,_]*)$/i;
const PERCENT = /^(\d{1,3}(?:\.\d{1,6})?)%$/;

export interface Extent {
  readonly tick: number;
  readonly endTick: number;
}

/** @throws CommandError */
export function tickOfPlace(text: string, { tick, endTick }: Extent, marks: ReadonlyMap<string, number>): number {
  if (text === 'begin') return 0;
  if (text === 'end') return endTick;
  const marked = marks.get(text);
  if (marked !== undefined) return marked;
  const percent = PERCENT.exec(text)?.[1];
  const relative = RELATIVE.exec(text);
  const target = percent === undefined ? tickOfNumber(relative, tick) : Math.round((endTick * Number(percent)) / 100);
  if (target === undefined)
    throw new CommandError(text === '' ? 'a place is missing: a tick, begin, end, N% or a mark' : `'${text}' is no tick and no mark`);
  if (!(target >= 0 && target <= endTick)) throw new CommandError(`the recording goes from tick 0 to tick ${grouped(endTick)}`);
  return target;
}

function tickOfNumber(match: RegExpExecArray | null, tick: number): number | undefined {
  if (match === null) return undefined;
  const value = Number((match[2] as string).replace(/[,_]/g, ''));
  return match[1] === '' ? value : match[1] === '+' ? tick + value : tick - value;
}
