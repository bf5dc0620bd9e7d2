/**
 * A debugger for recorded runs: takes lines as people type them, does what they say, and prints lines for people. Without
 * a terminal of its own; see cli/prompt.ts.
 */
import { TraceError } from '../../traces/index.js';
import type { TravelOptions } from '../timeline/history.js';
import { DivergenceError } from '../timeline/playback.js';
import { QueryError } from '../timeline/queries/target.js';
import type { Timeline } from '../timeline/timeline.js';
import { type Command, requireNothing } from './command.js';
import { CommandError } from './command-error.js';
import { FORK_COMMAND } from './fork-command.js';
import { REGISTER_WORDS } from './guest-view.js';
import { LOOK_COMMANDS, loadSymbols } from './look-commands.js';
import { RECORD_COMMANDS, TOPICS } from './record-commands.js';
import { type DebuggerHost, Session } from './session.js';
import { STOP_COMMANDS, STOP_KINDS } from './stop-commands.js';
import { TRAVEL_COMMANDS } from './travel-commands.js';

/**
 * `wrong`: the line was not understood or cannot be done; one line has said why, and nothing has changed. `diverged`: the
 * machine does not do what was recorded; one line has said what, and the timeline stands where it stood.
 */
export type Outcome = 'done' | 'wrong' | 'diverged' | 'interrupted' | 'quit';

const HELP: Command = {
  names: ['help', 'h', '?'],
  operands: '[COMMAND]',
  help: 'this list',
  run: (session, operands) => {
    const name = operands.trim();
    const shown = name === '' ? COMMANDS : [commandOf(name)];
    const heads = shown.map((command) => `${command.names.join(', ')} ${command.operands}`.trim());
    const width = Math.min(HELP_COLUMNS, Math.max(...heads.map((head) => head.length)));
    shown.forEach(({ help }, index) => {
      const head = heads[index] as string;
      if (head.length > width) session.print(head);
      session.print(`${head.length > width ? ' '.repeat(width) : head.padEnd(width)}  ${help}`);
    });
  },
};

const QUIT: Command = {
  names: ['quit', 'q', 'exit'],
  operands: '',
  help: 'leaves the debugger',
  run: (_session, operands) => requireNothing(operands),
};

const COMMANDS: readonly Command[] = [...TRAVEL_COMMANDS, ...STOP_COMMANDS, ...LOOK_COMMANDS, ...RECORD_COMMANDS, FORK_COMMAND, HELP, QUIT];

/** What is wrong with a command, or with what it asks for. */
const WRONG = [CommandError, QueryError, TraceError] as const;

const HELP_COLUMNS = 34;
const COMPLETIONS_LIMIT = 200;
const COMMAND_WORD = /^\s*([a-z][a-z-]*|\?)(.*)$/i;

/** By its names, or the only one that begins so. @throws CommandError */
function commandOf(word: string): Command {
  const exact = COMMANDS.find(({ names }) => names.includes(word));
  if (exact !== undefined) return exact;
  const candidates = COMMANDS.filter(({ names }) => names.some((name) => name.startsWith(word)));
  const [only] = candidates;
  if (only === undefined) throw new CommandError(`there is no command '${word}': see help`);
  if (candidates.length > 1) throw new CommandError(`'${word}' may be ${candidates.map(({ names }) => names[0]).join(', ')}`);
  return only;
}

/** The commands of a line: semicolons stand between them, but not in a /pattern/. */
export function commandsOf(line: string): string[] {
  const parts = line.match(/(?:(?<=\s)\/(?:\\.|[^/\\])*\/|[^;])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

export class Debugger {
  private readonly session: Session;
  private last: { readonly command: Command; readonly operands: string } | undefined;

  constructor(timeline: Timeline, host: DebuggerHost) {
    this.session = new Session(timeline, host);
  }

  get tick(): number {
    return this.session.timeline.tick;
  }

  /** Ends the threads that have helped with queries. */
  async close(): Promise<void> {
    await this.session.queries.close();
  }

  /** @throws CommandError */
  loadSymbols(path: string): void {
    loadSymbols(this.session, path);
  }

  /** One command; an empty line repeats the last one where that makes sense. */
  async execute(line: string, travelOptions: TravelOptions = {}): Promise<Outcome> {
    const { session } = this;
    const startTick = this.tick;
    session.travelOptions = travelOptions;
    try {
      const todo = this.parse(line);
      if (todo === undefined) return 'done';
      const { command, operands } = todo;
      await command.run(session, operands);
      if (command === QUIT) return 'quit';
      this.last = command.repeats === true ? { command, operands: command.continues === true ? '' : operands } : undefined;
      return travelOptions.signal?.aborted === true ? 'interrupted' : 'done';
    } catch (error) {
      const diverged = error instanceof DivergenceError;
      if (!(error instanceof Error) || !(diverged || WRONG.some((type) => error instanceof type))) throw error;
      session.host.complain(error.message.replace(/\s+/g, ' '));
      if (diverged) await session.timeline.seek(startTick);
      return diverged ? 'diverged' : 'wrong';
    }
  }

  private parse(line: string): { readonly command: Command; readonly operands: string } | undefined {
    if (line.trim() === '') return this.last;
    const [, word, operands = ''] = COMMAND_WORD.exec(line) ?? [];
    if (word === undefined) throw new CommandError(`'${line.trim()}' is no command: see help`);
    return { command: commandOf(word), operands: operands.trim() };
  }

  /** What the last word of a line can become, and that word. */
  complete(line: string): { readonly candidates: readonly string[]; readonly word: string } {
    const [, name, operands = ''] = COMMAND_WORD.exec(line) ?? [];
    if (name === undefined || operands === '') {
      const word = line.trim();
      const names = COMMANDS.map(({ names: [first] }) => first);
      return { candidates: names.filter((candidate) => candidate.startsWith(word)), word };
    }
    const word = /[\w.$%-]*$/.exec(line)?.[0] ?? '';
    let command: Command;
    try {
      command = commandOf(name);
    } catch (error) {
      if (error instanceof CommandError) return { candidates: [], word };
      throw error;
    }
    return { candidates: this.wordsFor(command, word), word };
  }

  private wordsFor(command: Command, word: string): string[] {
    const { symbols, marks, stops } = this.session;
    const fixed = {
      expression: REGISTER_WORDS,
      place: ['begin', 'end', ...marks.keys()],
      stop: ['on', ...STOP_KINDS],
      topic: TOPICS,
    };
    if (command.names[0] === 'delete') return stops.all.map(({ number }) => String(number)).filter((number) => number.startsWith(word));
    if (command === HELP) return COMMANDS.map(({ names: [name] }) => name).filter((name) => name.startsWith(word));
    if (command.completes === undefined) return [];
    const words = fixed[command.completes].filter((candidate) => candidate.startsWith(word));
    return command.completes === 'expression' && word !== '' ? [...words, ...symbols.startingWith(word, COMPLETIONS_LIMIT)] : words;
  }
}
