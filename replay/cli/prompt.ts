/**
 * The debugger at a terminal, with history and completion; or fed with commands from a pipe or the command line, whose first
 * wrong command ends it.
 */
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import pc from 'picocolors';
import { disassemble } from '../../properties/assembler/disassemble.js';
import { CommandError } from '../debugger/command-error.js';
import { commandsOf, Debugger, type Outcome } from '../debugger/debugger.js';
import { STATUS } from '../exit-status.js';
import type { QueriesOptions } from '../timeline/queries/queries.js';
import type { Timeline } from '../timeline/timeline.js';
import { UsageError } from './failure.js';
import { ProgressLine } from './progress-line.js';
import { grouped } from './text.js';

export interface PromptOptions {
  /** Commands to execute instead of what comes from stdin. */
  readonly commands?: string | undefined;
  readonly symbols?: string | undefined;
  /** Where threads find the trace. */
  readonly location?: QueriesOptions | undefined;
}

/** Where commands come from and answers go. */
export interface PromptStreams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

const PROGRESS_AFTER_MS = 500;
const HISTORY_LINES = 1000;
const COMMAND_END = /[;\s]$/;

/** Exit status of a run without a terminal that ends so. */
const OUTCOME_STATUS: Readonly<Record<Outcome, number | undefined>> = {
  done: undefined,
  quit: STATUS.ok,
  wrong: STATUS.usage,
  diverged: STATUS.divergence,
  interrupted: STATUS.interrupted,
};

/** @returns the exit status @throws UsageError when the symbols cannot be read */
export async function debugAtPrompt(
  timeline: Timeline,
  { commands, symbols, location }: PromptOptions,
  streams: PromptStreams = { input: process.stdin, output: process.stdout },
): Promise<number> {
  // `replay86 debug ... | head` is no failure.
  process.stdout.on('error', () => process.exit());
  const isInteractive = commands === undefined && streams.input.isTTY === true;
  const prompt = new Prompt(timeline, streams, isInteractive, location);
  try {
    if (symbols !== undefined) loadSymbols(prompt.debugger, symbols);
    if (commands !== undefined) return await prompt.script(commandsOf(commands));
    return await (isInteractive ? prompt.interactive() : prompt.piped());
  } finally {
    await prompt.debugger.close();
  }
}

function loadSymbols(prompt: Debugger, path: string): void {
  try {
    prompt.loadSymbols(path);
  } catch (error) {
    throw error instanceof CommandError ? new UsageError(error.message) : error;
  }
}

class Prompt {
  readonly debugger: Debugger;
  private readonly progress = new ProgressLine();
  private travelling: AbortController | undefined;

  constructor(
    timeline: Timeline,
    private readonly streams: PromptStreams,
    isInteractive: boolean,
    location: QueriesOptions | undefined,
  ) {
    const { output } = streams;
    this.debugger = new Debugger(timeline, {
      disassemble,
      print: (line) => {
        this.progress.hide();
        output.write(`${line}\n`);
      },
      complain: (message) => {
        this.progress.hide();
        if (isInteractive) output.write(`error: ${message}\n`);
        else process.stderr.write(`replay86: ${message}\n`);
      },
      emphasize: output.isTTY ? pc.yellow : (text) => text,
      location,
      readFile: (path) => readFileSync(path),
    });
  }

  async script(commands: Iterable<string> | AsyncIterable<string>): Promise<number> {
    const interrupt = (): void => this.travelling?.abort();
    process.on('SIGINT', interrupt);
    try {
      for await (const command of commands) {
        const status = OUTCOME_STATUS[await this.execute(command)];
        if (status !== undefined) return status;
      }
      return STATUS.ok;
    } finally {
      process.off('SIGINT', interrupt);
    }
  }

  async piped(): Promise<number> {
    const input = createInterface({ input: this.streams.input, terminal: false });
    try {
      return await this.script(commandsFrom(input));
    } finally {
      input.close();
    }
  }

  async interactive(): Promise<number> {
    const { output } = this.streams;
    const input = createInterface({
      input: this.streams.input,
      output,
      terminal: true,
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
      completer: (line: string) => {
        const { candidates, word } = this.debugger.complete(line);
        const [only] = candidates;
        return [candidates.length === 1 && !COMMAND_END.test(only as string) ? [`${only} `] : candidates, word];
      },
    });
    const ask = (): void => {
      input.setPrompt(`${grouped(this.debugger.tick)}> `);
      input.prompt();
    };
    input.on('SIGINT', () => {
      if (this.travelling !== undefined) this.travelling.abort();
      else {
        output.write('^C (quit leaves)\n');
        input.write(null, { ctrl: true, name: 'u' });
        ask();
      }
    });
    await this.execute('info trace');
    await this.execute('where');
    output.write('help shows the commands\n');
    ask();
    try {
      for await (const line of input) {
        // An empty line means the last command again: it is one command, too.
        for (const command of line.trim() === '' ? [''] : commandsOf(line)) {
          const outcome = await this.execute(command);
          if (outcome === 'quit') return STATUS.ok;
          if (outcome !== 'done') break;
        }
        ask();
      }
      output.write('\n');
      return STATUS.ok;
    } finally {
      input.close();
    }
  }

  private async execute(command: string): Promise<Outcome> {
    const travelling = new AbortController();
    const startMs = performance.now();
    let shownPercent = -1;
    this.travelling = travelling;
    try {
      return await this.debugger.execute(command, {
        signal: travelling.signal,
        onProgress: (done, total) => {
          if (!process.stderr.isTTY || performance.now() - startMs < PROGRESS_AFTER_MS) return;
          const percent = Math.min(100, Math.floor((done / total) * 100));
          if (percent !== shownPercent) this.progress.show(`${percent} % (Ctrl-C interrupts)`);
          shownPercent = percent;
        },
      });
    } finally {
      this.progress.hide();
      this.travelling = undefined;
    }
  }
}

async function* commandsFrom(input: Interface): AsyncGenerator<string> {
  for await (const line of input) yield* commandsOf(line);
}
