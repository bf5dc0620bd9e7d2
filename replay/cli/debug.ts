/**
 * `replay86 debug`: a recorded run for gdb, on a port, on stdin and stdout, or with a gdb started here; or at the prompt of
 * our own debugger.
 */
import { openTraceFile, packTraceFile } from '../../traces/index.js';
import { STATUS } from '../exit-status.js';
import { runGdb } from '../gdb/launch.js';
import { serveOnPort, serveOnStreams } from '../gdb/server.js';
import { Stub } from '../gdb/stub.js';
import { Queries } from '../timeline/queries/queries.js';
import type { Timeline } from '../timeline/timeline.js';
import { describeFailure, UsageError } from './failure.js';
import { closeKeptTimeline, openKeptTimeline } from './kept-timeline.js';
import { debugAtPrompt } from './prompt.js';
import { symbolsFrom } from './symbols-file.js';

export interface DebugCommandOptions {
  readonly port?: number;
  readonly stdio?: boolean;
  readonly gdb?: boolean;
  readonly fork?: boolean;
  readonly prompt?: boolean;
  readonly command?: string;
  readonly symbols?: string;
  readonly images?: string;
  readonly checkpointMemory: number;
}

const DEFAULT_PORT = 1234;

export async function debug(path: string, options: DebugCommandOptions): Promise<number> {
  const { port, stdio = false, gdb = false, fork = false, command, symbols, images } = options;
  const forGdb = [port !== undefined, stdio, gdb].filter((given) => given).length;
  if (forGdb > 1) throw new UsageError('--port, --stdio and --gdb exclude each other');
  const asked = options.prompt === true || command !== undefined;
  if (asked && (forGdb > 0 || fork)) throw new UsageError('--port, --stdio, --gdb and --fork are for gdb, not for the prompt');
  const trace = openTraceFile(path);
  let timeline: Timeline | undefined;
  let queries: Queries | undefined;
  try {
    timeline = openKeptTimeline(path, trace, options);
    if (asked || (forGdb === 0 && !fork && process.stdin.isTTY)) {
      return await debugAtPrompt(timeline, { commands: command, symbols, location: { path, imagesDirectory: images } });
    }
    const killed = new AbortController();
    queries = new Queries(timeline, { path, imagesDirectory: images });
    const stub = new Stub({
      timeline,
      queries,
      writesDivert: fork,
      saveTrace: (target) => saveTrace(path, target, images),
      symbols: symbols === undefined ? undefined : symbolsFrom(symbols),
      onKill: () => killed.abort(),
      followsModes: gdb,
    });
    if (gdb) return await withGdb(stub, symbols);
    if (stdio) await onStreams(stub);
    else await untilKilled(stub, port ?? DEFAULT_PORT, killed.signal);
    return STATUS.ok;
  } finally {
    await queries?.close();
    if (timeline !== undefined) closeKeptTimeline(timeline);
    trace.close();
  }
}

function saveTrace(path: string, target: string, images: string | undefined): string {
  try {
    packTraceFile(path, target, images);
    return `written to ${target}`;
  } catch (error) {
    return describeFailure(error).line;
  }
}

async function onStreams(stub: Stub): Promise<void> {
  // Ctrl-C at gdb's terminal reaches us, too, but is meant for gdb, which tells us.
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  try {
    await serveOnStreams(stub, process.stdin, process.stdout, reportDefect);
  } finally {
    process.off('SIGINT', ignore);
  }
}

async function withGdb(stub: Stub, symbols: string | undefined): Promise<number> {
  const server = await serveOnPort(stub, 0, reportDefect);
  try {
    const status = await runGdb(server, { symbols });
    if (status === undefined) throw new UsageError('gdb is not installed: take --port and another debugger');
    return status;
  } finally {
    server.close();
  }
}

async function untilKilled(stub: Stub, port: number, killed: AbortSignal): Promise<void> {
  const server = await serveOnPort(stub, port, reportDefect).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`port ${port} cannot be had: ${error.message}`);
  });
  process.stderr.write(`replay86: waiting for gdb: target remote 127.0.0.1:${server.port}\n`);
  const stop = stopping(killed);
  try {
    await stop.promise;
  } finally {
    stop.forget();
    server.close();
  }
}

/** Resolves when gdb kills, or on SIGINT or SIGTERM. */
function stopping(killed: AbortSignal): { readonly promise: Promise<void>; readonly forget: () => void } {
  let stop = (): void => {};
  const promise = new Promise<void>((resolve) => {
    stop = resolve;
  });
  killed.addEventListener('abort', stop);
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return { promise, forget: () => void process.off('SIGINT', stop).off('SIGTERM', stop) };
}

/** gdb gets an error for an answer; why is said here. */
function reportDefect(error: unknown): void {
  process.stderr.write(`replay86: ${describeFailure(error).line}\n`);
}
