/**
 * Where the person at the prompt wants to stop: breakpoints, watchpoints and other conditions, under numbers.
 */
import type { CONSOLE_SOURCES } from '../timeline/console-log.js';
import type { Hit, StopCondition } from '../timeline/stops.js';
import { CommandError } from './command-error.js';
import type { GuestView } from './guest-view.js';
import { hex, printable } from './text.js';

export interface Watched {
  readonly linear: number | undefined;
  readonly physical: number;
  readonly bytes: number;
}

export interface StopPoint {
  readonly number: number;
  /** What it is, as `info` shows it. */
  readonly text: string;
  readonly conditions: readonly StopCondition[];
  /** Of a watchpoint: for each condition the memory it is about. */
  readonly watched: readonly Watched[];
}

export class StopPoints {
  private readonly points: StopPoint[] = [];
  private nextNumber = 1;

  get all(): readonly StopPoint[] {
    return this.points;
  }

  get conditions(): readonly StopCondition[] {
    return this.points.flatMap(({ conditions }) => conditions);
  }

  add(text: string, conditions: readonly StopCondition[], watched: readonly Watched[] = []): StopPoint {
    const point = { number: this.nextNumber++, text, conditions, watched };
    this.points.push(point);
    return point;
  }

  /** @throws CommandError */
  remove(number: number): StopPoint {
    const index = this.points.findIndex((point) => point.number === number);
    const [removed] = index < 0 ? [] : this.points.splice(index, 1);
    if (removed === undefined) throw new CommandError(`there is no stop ${number}: see info`);
    return removed;
  }

  clear(): void {
    this.points.length = 0;
  }

  of({ condition }: Hit): StopPoint | undefined {
    return this.points.find(({ conditions }) => conditions.includes(condition));
  }
}

/** By vector (Intel SDM volume 3, table 6-1). */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  0: '#DE',
  1: '#DB',
  2: 'NMI',
  3: '#BP',
  4: '#OF',
  5: '#BR',
  6: '#UD',
  7: '#NM',
  8: '#DF',
  10: '#TS',
  11: '#NP',
  12: '#SS',
  13: '#GP',
  14: '#PF',
  16: '#MF',
  17: '#AC',
  19: '#XM',
};

export function exceptionText(vector: number): string {
  const name = EXCEPTIONS[vector];
  return name === undefined ? String(vector) : `${vector} ${name}`;
}

const ACCESS_WORDS = { r: 'read', read: 'read', w: 'write', write: 'write', rw: 'access', access: 'access' } as const;
export type Access = 'read' | 'write' | 'access';

/** @throws CommandError */
export function parseAccess(word: string | undefined, otherwise: Access): Access {
  if (word === undefined) return otherwise;
  const access = Object.hasOwn(ACCESS_WORDS, word) ? ACCESS_WORDS[word as keyof typeof ACCESS_WORDS] : undefined;
  if (access === undefined) throw new CommandError(`'${word}' is none of r, w and rw`);
  return access;
}

export type Source = (typeof CONSOLE_SOURCES)[number];

/** What happened at a hit, or is about to. */
export function hitText(hit: Hit, view: GuestView): string {
  const { condition, address = 0, bytes = 0, vector = 0, value } = hit;
  switch (condition.kind) {
    case 'breakpoint':
      return `breakpoint at ${view.addressText(condition.address)}`;
    case 'instruction':
      return `${condition.mnemonics.join(' or ')} at ${view.addressText(address)}`;
    case 'watchpoint':
      return `${hit.write === true ? 'write' : 'read'} of ${bytes} ${bytes === 1 ? 'byte' : 'bytes'} at`;
    case 'interrupt':
      return `interrupt ${hex(vector, 2)}`;
    case 'exception':
      return `exception ${exceptionText(vector)}`;
    case 'port':
      return `${hit.write === true ? 'write to' : 'read from'} port ${hex(address, 3)}: ${hex(Number(value), bytes * 2)}`;
    case 'control':
      return `${condition.register} = ${hex(Number(value))}`;
    case 'mode':
      return `${modeText(Number(value))}`;
    case 'console':
      return `${condition.source} "${printable(String(value))}"`;
  }
}

/** The words of a mode as the timeline reports it (timeline/observer.ts). */
function modeText(word: number): string {
  const mode = word & 1 ? (word & 2 ? 'virtual-8086 mode' : 'protected mode') : 'real mode';
  return `${mode}, ${(word >>> 2) & 63}-bit code, privilege level ${word >>> 8}`;
}
