/**
 * Commands that say where to stop.
 */
import { CONSOLE_SOURCES } from '../timeline/console-log.js';
import { piecesOf } from '../timeline/queries/target.js';
import type { StopCondition } from '../timeline/stops.js';
import { type Command, expressionOf, requireNothing, valueOf, wordsOf } from './command.js';
import { CommandError } from './command-error.js';
import type { Session } from './session.js';
import { exceptionText, parseAccess, type Source } from './stop-points.js';
import { hex } from './text.js';

const DEFAULT_WATCH_BYTES = 4;
const VECTOR_MAX = 255;
const PORT_MAX = 0xffff;
const CONTROL_REGISTERS = ['cr0', 'cr3', 'cr4'] as const;
const CONSOLE_STOP = /^\/(.*)\/(i?)(?:\s+(\S+))?$/;

export const STOP_KINDS: readonly string[] = ['interrupt', 'exception', 'port', ...CONTROL_REGISTERS, 'mode', 'console'];

export const STOP_COMMANDS: readonly Command[] = [
  {
    names: ['break', 'b'],
    operands: 'ADDRESS [if EXPRESSION]',
    help: 'stop in front of the instruction at a linear address; break alone: at the next one',
    completes: 'expression',
    run: (session, operands) => {
      const [place = '', test, ...more] = operands.split(/(?:^|\s+)if(?:\s+|$)/);
      if (more.length > 0) throw new CommandError('one condition, please');
      const address = place.trim() === '' ? session.view.pc : valueOf(session, place);
      const expression = test === undefined ? undefined : expressionOf(session, test);
      const condition: StopCondition = {
        kind: 'breakpoint',
        address,
        when: expression === undefined ? undefined : () => isTrue(expression),
      };
      const text = `break ${session.view.addressText(address)}${test === undefined ? '' : ` if ${test.trim()}`}`;
      added(session, text, [condition]);
    },
  },
  watchCommand('watch', 'linear', ['watch', 'w']),
  watchCommand('watchp', 'physical', ['watchp']),
  {
    names: ['stop'],
    operands: 'on interrupt [N] | exception [N] | port N [r|w] | cr0 | cr3 | cr4 | mode | console /REGEX/ [SOURCE]',
    help: 'stop at what happens',
    completes: 'stop',
    run: (session, operands) => {
      const [, kind = '', rest = ''] = /^(?:on\b)?\s*(\S*)\s*(.*)$/.exec(operands.trim()) ?? [];
      const [text, conditions] = stopOn(session, kind, rest);
      added(session, text, conditions);
    },
  },
  {
    names: ['delete', 'd'],
    operands: '[NUMBER ...]',
    help: 'takes stops away, or all of them',
    run: (session, operands) => {
      const words = operands.trim() === '' ? [] : operands.trim().split(/\s+/);
      const numbers = words.map((word) => (/^\d+$/.test(word) ? Number(word) : Number.NaN));
      const unknown = words.find((_, index) => !session.stops.all.some(({ number }) => number === numbers[index]));
      if (unknown !== undefined) throw new CommandError(`there is no stop ${unknown}: see info`);
      if (words.length === 0) session.stops.clear();
      for (const number of new Set(numbers)) session.stops.remove(number);
    },
  },
];

function added(session: Session, text: string, conditions: readonly StopCondition[]): void {
  session.print(`stop ${session.stops.add(text, conditions).number}: ${text}`);
}

/** What cannot be read is not true. */
function isTrue(expression: () => number): boolean {
  try {
    return expression() !== 0;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

function watchCommand(name: string, space: 'linear' | 'physical', names: readonly [string, ...string[]]): Command {
  return {
    names,
    operands: 'ADDRESS [LENGTH] [r|w|rw]',
    help:
      space === 'linear'
        ? 'stop at accesses to memory (default: writes to 4 bytes), where it is mapped now'
        : 'the same for guest-physical memory',
    completes: 'expression',
    run: (session, operands) => {
      const words = wordsOf(operands, 3);
      const [place, length, accessWord] = /^(?:r|w|rw)$/.test(words[1] ?? '') ? [words[0], undefined, words[1]] : words;
      if (place === undefined) throw new CommandError('an address is missing');
      if (/^(?:r|w|rw)$/.test(words[1] ?? '') && words[2] !== undefined) throw new CommandError(`'${words[2]}' is one too many`);
      const access = parseAccess(accessWord, 'write');
      const address = valueOf(session, place);
      const bytes = length === undefined ? DEFAULT_WATCH_BYTES : valueOf(session, length);
      const { view, stops, timeline } = session;
      const watched = piecesOf(space === 'linear' ? address : { physical: address }, bytes, timeline.machine);
      const conditions = watched.map(
        (piece): StopCondition => ({ kind: 'watchpoint', address: piece.physical, bytes: piece.bytes, access }),
      );
      const where = space === 'linear' ? `${view.addressText(address)} (physical ${hex(watched[0]?.physical ?? 0)})` : hex(address);
      const text = `${name} ${where}, ${bytes} ${bytes === 1 ? 'byte' : 'bytes'}, ${access}`;
      session.print(`stop ${stops.add(text, conditions, watched).number}: ${text}`);
    },
  };
}

function stopOn(session: Session, kind: string, rest: string): readonly [text: string, conditions: readonly StopCondition[]] {
  const number = (what: string, max: number): number | undefined => {
    const [word] = wordsOf(rest, 1);
    if (word === undefined) return undefined;
    const value = valueOf(session, word);
    if (value > max) throw new CommandError(`${what} goes from 0 to ${max}`);
    return value;
  };
  switch (kind) {
    case 'interrupt': {
      const vector = number('a vector', VECTOR_MAX);
      return [`interrupt${vector === undefined ? '' : ` ${hex(vector, 2)}`}`, [{ kind, vector }]];
    }
    case 'exception': {
      const vector = number('a vector', VECTOR_MAX);
      return [`exception${vector === undefined ? '' : ` ${exceptionText(vector)}`}`, [{ kind, vector }]];
    }
    case 'port': {
      const [word, accessWord] = wordsOf(rest, 2);
      if (word === undefined) throw new CommandError('a port is missing');
      const port = valueOf(session, word);
      if (port > PORT_MAX) throw new CommandError(`a port goes from 0 to ${PORT_MAX}`);
      const access = parseAccess(accessWord, 'access');
      return [`port ${hex(port, 3)}, ${access}`, [{ kind, port, access }]];
    }
    case 'mode':
      requireNothing(rest);
      return ['mode', [{ kind }]];
    case 'console':
      return stopOnConsole(rest);
    default: {
      const register = CONTROL_REGISTERS.find((name) => name === kind);
      if (register === undefined) throw new CommandError(`stop on what? ${STOP_KINDS.join(', ')}`);
      requireNothing(rest);
      return [register, [{ kind: 'control', register }]];
    }
  }
}

function stopOnConsole(rest: string): readonly [text: string, conditions: readonly StopCondition[]] {
  const [, pattern, flags, sourceName] = CONSOLE_STOP.exec(rest) ?? [];
  if (pattern === undefined || pattern === '') throw new CommandError('a pattern is missing, such as /login: /');
  const sources = sourceName === undefined ? CONSOLE_SOURCES : [sourceOf(sourceName)];
  let compiled: RegExp;
  try {
    compiled = new RegExp(pattern, flags);
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
  return [`console ${rest}`, sources.map((source): StopCondition => ({ kind: 'console', source, pattern: compiled }))];
}

/** @throws CommandError */
export function sourceOf(name: string): Source {
  const source = CONSOLE_SOURCES.find((candidate) => candidate === name);
  if (source === undefined) throw new CommandError(`'${name}' is none of ${CONSOLE_SOURCES.join(', ')}`);
  return source;
}
