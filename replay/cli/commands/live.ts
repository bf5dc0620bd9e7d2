/**
 * `run` and `record` are the same but for the trace: the machine, the guest's output, the person at the terminal, signals.
 */
import { readFileSync } from 'node:fs';
import type { Machine } from '../../../engine/index.js';
import { openFileSource } from '../../../traces/file-source.js';
import type { InputScript } from '../../input-script.js';
import type { SessionOptions } from '../../session.js';
import { TerminalInput } from '../../terminal.js';
import { GuestOutput } from '../guest-output.js';
import type { MachineOptions } from '../machine-options.js';
import { ProgressLine } from '../progress-line.js';
import { logUnclaimed } from '../unclaimed-log.js';

export interface LiveOptions extends MachineOptions {
  readonly input?: string;
  readonly serial: string;
  readonly maxTicks?: number;
  readonly realtime?: boolean;
  readonly logUnclaimed?: boolean;
  readonly json?: string;
}

/** What a run that is being watched brings to its session. */
export interface LiveRun {
  readonly session: Pick<SessionOptions, 'script' | 'live' | 'maxTicks' | 'realtime' | 'signal' | 'onProgress' | 'sliceMs'>;
  prepare(machine: Machine): void;
  /** The person asked to quit, rather than a signal. */
  readonly quit: boolean;
  /** Of host time, since the guest started. */
  readonly seconds: number;
  /** May be called again. */
  close(): void;
}

/** Somebody at a terminal notices longer slices. */
const INTERACTIVE_SLICE_MS = 10;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function startLive(options: LiveOptions): Promise<LiveRun> {
  const script = options.input === undefined ? undefined : await readScript(options.input);
  const output = new GuestOutput(options.serial);
  const interactive = process.stdin.isTTY && options.serial === 'stdio';
  const progress = interactive ? undefined : new ProgressLine(output);
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  for (const signal of SIGNALS) process.once(signal, interrupt);
  // Whoever read the output has gone: nobody is left to run for.
  process.stdout.on('error', interrupt);

  let quit = false;
  let closed = false;
  const leave = (): void => {
    quit = true;
    interrupt();
  };
  const say = (text: string): void => {
    process.stderr.write(text);
  };
  const live = interactive ? new TerminalInput(process.stdin, leave, say) : undefined;
  if (interactive) say('replay86: Ctrl-A x quits, Ctrl-A h helps\n');
  let startMs = performance.now();
  return {
    session: {
      script,
      live,
      maxTicks: options.maxTicks,
      realtime: options.realtime,
      signal: interruption.signal,
      sliceMs: interactive ? INTERACTIVE_SLICE_MS : undefined,
      onProgress: (now) => {
        output.flush();
        progress?.update(now);
      },
    },
    prepare(machine) {
      startMs = performance.now();
      machine.onSerial = (port, byte) => {
        if (port === 0) output.byte(byte);
      };
      machine.onDebugConsole = (byte) => {
        process.stderr.write(Uint8Array.of(byte));
      };
      if (options.logUnclaimed === true) logUnclaimed(machine);
    },
    get quit() {
      return quit;
    },
    get seconds() {
      return (performance.now() - startMs) / 1000;
    },
    close() {
      if (closed) return;
      closed = true;
      for (const signal of SIGNALS) process.off(signal, interrupt);
      live?.close();
      progress?.hide();
      output.close();
    },
  };
}

async function readScript(path: string): Promise<InputScript> {
  // Says in our words what is wrong with the file, before it is read.
  openFileSource(path).close();
  const { parseInputScript } = await import('../../input-script.js');
  return parseInputScript(readFileSync(path, 'utf8'), path);
}
