/**
 * Replays many traces on worker threads, each in every tier asked for, and says for each whether it still does what it
 * did. Nothing of the guests is shown.
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Tier } from '../engine/index.js';
import type { Divergence } from './divergence.js';
import { STATUS } from './exit-status.js';

export interface VerifyJob {
  readonly path: string;
  readonly tier: Tier;
  readonly imagesDirectory: string | undefined;
}

export interface Verdict {
  readonly path: string;
  readonly tier: Tier;
  readonly outcome: 'agrees' | 'diverged' | 'unreadable';
  /** One line: the difference, or what is wrong with the trace. Empty when it agrees. */
  readonly problem: string;
  readonly divergence?: Divergence | undefined;
  /** How the recorded run ended; undefined when the recording was not finished. */
  readonly reason?: string | undefined;
  readonly ticks: number;
  /** Of the state at the end, 16 hexadecimal digits. */
  readonly digest: string;
  readonly seconds: number;
}

export interface VerifyOptions {
  /** Default: 'auto' only. */
  readonly tiers?: readonly Tier[] | undefined;
  /** Default: one for each processor. */
  readonly workers?: number | undefined;
  readonly imagesDirectory?: string | undefined;
  /** Called as each is done, in no particular order. */
  readonly onVerdict?: ((verdict: Verdict, done: number, total: number) => void) | undefined;
}

const TRACE_SUFFIX = '.trace';

/** The traces meant by a list of files and folders: of a folder, all files named *.trace in it and below. */
export function findTraces(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    // What cannot be looked at is left for the replay to complain about.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(TRACE_SUFFIX))
      .sort()
      .map((name) => join(path, name));
  });
}

/** One verdict for each trace in each tier, in the order of the traces. Problems of a trace are verdicts, not exceptions. */
export async function verify(traces: readonly string[], options: VerifyOptions = {}): Promise<Verdict[]> {
  const { tiers = ['auto'], imagesDirectory, onVerdict } = options;
  const jobs = traces.flatMap((path) => tiers.map((tier): VerifyJob => ({ path, tier, imagesDirectory })));
  const verdicts = new Array<Verdict>(jobs.length);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    let worker: Worker | undefined;
    while (next < jobs.length) {
      const index = next++;
      worker ??= startWorker();
      const verdict = await judge(worker, jobs[index] as VerifyJob);
      if (verdict.crashed) worker = undefined;
      verdicts[index] = verdict.verdict;
      onVerdict?.(verdict.verdict, ++done, jobs.length);
    }
    await worker?.terminate();
  };
  const workers = Math.max(1, Math.min(jobs.length, options.workers ?? availableParallelism()));
  await Promise.all(Array.from({ length: workers }, work));
  return verdicts;
}

/** 0 when all agree, otherwise that of the worst. */
export function verifyStatus(verdicts: readonly Verdict[]): number {
  if (verdicts.some(({ outcome }) => outcome === 'diverged')) return STATUS.divergence;
  return verdicts.some(({ outcome }) => outcome === 'unreadable') ? STATUS.unreadable : STATUS.ok;
}

/** The worker stands beside this file, compiled or (in this repository) as source. */
function startWorker(): Worker {
  const entry = import.meta.url.replace(/verify(\.[jt]s)$/, 'verify-worker$1');
  if (entry.endsWith('.js')) return new Worker(new URL(entry));
  return new Worker(new URL('source-worker.mjs', entry), { workerData: { entry }, execArgv: [] });
}

/** A worker that dies takes its trace down, not the others. */
function judge(worker: Worker, job: VerifyJob): Promise<{ verdict: Verdict; crashed: boolean }> {
  return new Promise((resolve) => {
    const finish = (verdict: Verdict, crashed: boolean): void => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      resolve({ verdict, crashed });
    };
    const crash = (message: string): void => {
      const { path, tier } = job;
      finish({ path, tier, outcome: 'unreadable', problem: `the replay broke down: ${message}`, ticks: 0, digest: '', seconds: 0 }, true);
    };
    const onMessage = (verdict: Verdict): void => finish(verdict, false);
    const onError = (error: Error): void => crash(error.message.split('\n')[0] as string);
    const onExit = (code: number): void => crash(`its thread ended with status ${code}`);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.postMessage(job);
  });
}
