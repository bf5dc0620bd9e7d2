/**
 * Commands that show what is there: registers, memory, code, output.
 */

import { fileProblem } from '../../traces/file-source.js';
import { bytesText } from '../bytes-text.js';
import { grouped, plural } from '../cli/text.js';
import { CONSOLE_SOURCES } from '../timeline/console-log.js';
import { type Command, countOf, requireNothing, valueOf, wordsOf } from './command.js';
import { CommandError } from './command-error.js';
import { type MemoryFormat, memoryText, parseMemoryFormat } from './memory-view.js';
import { registersText } from './registers-view.js';
import type { Session } from './session.js';
import { sourceOf } from './stop-commands.js';
import { hex, printable } from './text.js';

const DISASSEMBLY_LINES = 8;
const STACK_ENTRIES = 8;
const CONSOLE_LINES = 10;
const COUNT_LIMIT = 65536;
const BYTES_SHOWN = 8;

export const LOOK_COMMANDS: readonly Command[] = [
  {
    names: ['regs', 'r', 'registers'],
    operands: '[all]',
    help: 'registers; * marks what differs from the place before; all: x87 and SSE, too',
    run: (session, operands) => {
      const [what] = wordsOf(operands, 1);
      if (what !== undefined && what !== 'all') throw new CommandError(`'${what}' is one too many`);
      const mark = (text: string): string => session.host.emphasize(`${text}*`);
      const { registersNow, registersBefore } = session;
      for (const line of registersText(registersNow, registersBefore, what === 'all', mark)) session.print(line);
    },
  },
  memoryCommand('x', false, 'memory at a linear address: count, format (x d u c a s i) and size (b h w), such as x/16xb esp'),
  memoryCommand('xp', true, 'memory at a guest-physical address'),
  {
    names: ['disas', 'u', 'disassemble'],
    operands: '[ADDRESS] [N]',
    help: 'instructions, from the next one or from an address, as CS says in 16 or 32 bits',
    completes: 'expression',
    run: (session, operands) => {
      const words = wordsOf(operands, 2);
      const { view } = session;
      const [place, countWord] = words;
      const address = place === undefined ? view.pc : valueOf(session, place);
      const count = limited(countOf(countWord, DISASSEMBLY_LINES));
      const lines = view.instructions(address, count);
      if (lines.length === 0) throw new CommandError(`no memory at ${hex(address)}`);
      for (const { linear, bytes, text } of lines) {
        const start = session.symbols.near(linear);
        if (start?.offset === 0) session.print(`${start.name}:`);
        const shown = `${bytesText(bytes.subarray(0, BYTES_SHOWN))}${bytes.length > BYTES_SHOWN ? '..' : ''}`;
        session.print(`${linear === view.pc ? '>' : ' '} ${hex(linear)}  ${shown.padEnd(BYTES_SHOWN * 3)} ${text}`);
      }
    },
  },
  {
    names: ['stack'],
    operands: '[N]',
    help: 'the words on the stack',
    run: (session, operands) => {
      const count = limited(countOf(operands.trim(), STACK_ENTRIES));
      for (const line of stackLines(session, count)) session.print(line);
    },
  },
  {
    names: ['print', 'p'],
    operands: 'EXPRESSION',
    help: 'the value of an expression: registers, symbols, numbers, [memory], + - * & | == < && ( )',
    completes: 'expression',
    run: (session, operands) => {
      const value = valueOf(session, operands);
      const name = session.symbols.textAt(value);
      session.print(
        `${hex(value)}  ${value}${value > 0x7fff_ffff ? `  ${value - 2 ** 32}` : ''}${name === undefined ? '' : `  <${name}>`}`,
      );
    },
  },
  {
    names: ['console'],
    operands: '[N] [serial0 | serial1 | debug]',
    help: 'the last lines of what the guest had sent by now',
    run: (session, operands) => {
      const words = operands.split(/\s+/).filter((word) => word !== '');
      if (words.length > 2) throw new CommandError(`'${words[2]}' is one too many`);
      const countWord = /^\d/.test(words[0] ?? '') ? words.shift() : undefined;
      if (words.length > 1) throw new CommandError(`'${words[1]}' is one too many`);
      const { history, tick } = session.timeline;
      const texts = CONSOLE_SOURCES.map((name) => [name, history.console.textBefore(name, tick)] as const);
      const source = words[0] === undefined ? (texts.find(([, text]) => text !== '')?.[0] ?? 'serial0') : sourceOf(words[0]);
      const text = texts.find(([name]) => name === source)?.[1] ?? '';
      const lines = text.replace(/\n$/, '').split('\n');
      const count = countOf(countWord, CONSOLE_LINES);
      if (text === '') session.print(`nothing was sent to ${source} before tick ${grouped(tick)}`);
      else for (const line of lines.slice(-count)) session.print(printable(line.replace(/\r$/, '')));
    },
  },
  {
    names: ['symbols'],
    operands: 'FILE',
    help: 'takes names for addresses from the symbol table of an ELF file',
    run: (session, operands) => {
      const path = operands.trim();
      if (path === '') throw new CommandError('a file is missing');
      session.print(`${plural(loadSymbols(session, path), 'symbol')} from ${path}`);
    },
  },
  {
    names: ['where', 'when'],
    operands: '',
    help: 'tick, virtual time and the next instruction',
    run: (session, operands) => {
      requireNothing(operands);
      session.print(session.placeText());
    },
  },
];

/** @throws CommandError */
export function loadSymbols(session: Session, path: string): number {
  let file: Uint8Array;
  try {
    file = session.host.readFile(path);
  } catch (error) {
    throw new CommandError(`${path}: cannot be read: ${fileProblem(error)}`);
  }
  try {
    return session.symbols.load(file);
  } catch (error) {
    if (error instanceof CommandError) throw new CommandError(`${path}: ${error.message}`);
    throw error;
  }
}

function limited(count: number): number {
  if (count > COUNT_LIMIT) throw new CommandError(`no more than ${COUNT_LIMIT}, please`);
  return count;
}

function memoryCommand(name: 'x' | 'xp', physical: boolean, help: string): Command {
  let last: { readonly session: Session; readonly address: number; readonly format: MemoryFormat } | undefined;
  return {
    names: [name],
    operands: '/FORMAT ADDRESS',
    help,
    repeats: true,
    continues: true,
    completes: 'expression',
    run: (session, operands) => {
      const [, formatText, rest = ''] = /^(?:\/(\S*))?\s*(.*)$/.exec(operands) ?? [];
      const before = last?.session === session ? last : undefined;
      const format = formatText === undefined ? (before?.format ?? parseMemoryFormat('')) : parseMemoryFormat(formatText);
      if (rest === '' && before === undefined) throw new CommandError('an address is missing');
      const address = rest === '' ? (before?.address ?? 0) : valueOf(session, rest);
      const { lines, nextAddress } = memoryText(session.view, address, format, physical);
      for (const line of lines) session.print(line);
      last = { session, address: nextAddress, format };
    },
  };
}

function stackLines(session: Session, count: number): string[] {
  const { view, timeline } = session;
  const { machine } = timeline;
  const entryBytes = machine.registers.codeBits / 8;
  const offsetMask = machine.registers.stackBits === 32 ? 0xffff_ffff : 0xffff;
  const base = machine.registers.segmentBase('ss');
  const pointer = (name: 'esp' | 'ebp'): number => (base + ((machine.registers.get(name) & offsetMask) >>> 0)) >>> 0;
  const lines: string[] = [];
  for (let index = 0; index < count; index++) {
    const linear = (pointer('esp') + index * entryBytes) >>> 0;
    const value = view.read(linear, entryBytes);
    if (value === undefined) {
      lines.push(`${hex(linear)}: no memory`);
      break;
    }
    const name = entryBytes === 4 ? view.symbols.textAt(value) : undefined;
    const frame = linear === pointer('ebp') ? '  <- ebp' : '';
    lines.push(`${hex(linear)}: ${hex(value, entryBytes * 2)}${name === undefined ? '' : ` <${name}>`}${frame}`);
  }
  return lines;
}
