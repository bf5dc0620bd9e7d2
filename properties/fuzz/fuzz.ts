/**
 * A fuzzing campaign on all processors: threads that each run their share of the shapes, and what they have found put
 * together. Whenever it is ended, the report is complete up to there.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type CampaignOptions, casesPerShape, targetsFor } from './campaign.js';
import { Coverage, type CoverageRow } from './coverage.js';
import type { Failure } from './failure.js';
import { createOracles } from './oracles.js';
import type { WorkerNews, WorkerOrder } from './worker.js';

export interface FuzzOptions extends CampaignOptions {
  /** At least so many cases. */
  readonly cases?: number | undefined;
  readonly minutes?: number | undefined;
  /** Default: one for each processor. */
  readonly workers?: number | undefined;
  /** Ends the campaign early. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FuzzProgress) => void) | undefined;
}

export interface FuzzProgress {
  readonly seconds: number;
  readonly cases: number;
  readonly covered: number;
  readonly targets: number;
  readonly failures: number;
}

export interface FuzzReport {
  readonly options: CampaignOptions;
  readonly seconds: number;
  readonly cases: number;
  /** Number of encodings to be covered, in all modes asked for. */
  readonly targets: number;
  readonly coverage: readonly CoverageRow[];
  readonly uncovered: readonly string[];
  readonly failures: readonly Failure[];
  /** Why shapes were not run, and which encodings that concerned. */
  readonly refused: Readonly<Record<string, readonly string[]>>;
  /** Cases by the row of the policy table that explains them. */
  readonly excused: Readonly<Record<string, number>>;
  /** Threads that broke down. */
  readonly problems: readonly string[];
}

const DEFAULT_CASES = 1_000_000;
const MILLISECONDS_PER_MINUTE = 60_000;

/** @throws Error with one line of text when there is nothing to run, or an oracle is missing */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { modes, match, oracle, sequences, system, seed, minutes, signal } = options;
  const campaign: CampaignOptions = { modes, match, oracle, sequences, system, seed };
  const targets = targetsFor(campaign);
  if (targets.length === 0) throw new Error('no encoding matches');
  createOracles(oracle).close();
  const cases = options.cases ?? (minutes === undefined ? DEFAULT_CASES : Number.POSITIVE_INFINITY);
  const end = Math.ceil(cases / casesPerShape(campaign));
  const stride = Math.max(1, Math.min(end, options.workers ?? availableParallelism()));
  const totals = new Totals();
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const workers: Worker[] = [];
  const stop = (): void => {
    for (const worker of workers) worker.postMessage('stop');
  };
  const timer = minutes === undefined ? undefined : setTimeout(stop, minutes * MILLISECONDS_PER_MINUTE);
  signal?.addEventListener('abort', stop);
  try {
    const runs = Array.from({ length: stride }, (_, first) => {
      const worker = startWorker({ options: campaign, first, stride, end });
      workers.push(worker);
      return followWorker(worker, (news) => {
        totals.take(first, news);
        const { cases: done, failures } = totals;
        options.onProgress?.({
          seconds: seconds(),
          cases: done,
          covered: totals.coverage.size,
          targets: targets.length,
          failures: failures.size,
        });
      });
    });
    if (signal?.aborted === true) stop();
    await Promise.all(runs);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
  return totals.report(campaign, targets, seconds());
}

/** What all threads have said last. */
class Totals {
  readonly coverage = new Coverage();
  private readonly latest = new Map<number, WorkerNews>();

  take(worker: number, news: WorkerNews): void {
    this.coverage.merge(news.coverage);
    this.latest.set(worker, news);
  }

  get cases(): number {
    return [...this.latest.values()].reduce((sum, { cases }) => sum + cases, 0);
  }

  /** By cause: that of the lowest shape, and how often in all. */
  get failures(): Map<string, Failure> {
    const merged = new Map<string, Failure>();
    for (const { failures } of this.latest.values()) {
      for (const failure of failures) {
        const other = merged.get(failure.cause);
        const first = other === undefined || failure.shape < other.shape ? failure : other;
        merged.set(failure.cause, { ...first, count: failure.count + (other?.count ?? 0) });
      }
    }
    return merged;
  }

  report(options: CampaignOptions, targets: ReturnType<typeof targetsFor>, seconds: number): FuzzReport {
    const refused: Record<string, string[]> = {};
    const excused: Record<string, number> = {};
    const problems: string[] = [];
    for (const news of this.latest.values()) {
      for (const [reason, names] of news.refused) refused[reason] = [...new Set([...(refused[reason] ?? []), ...names])].sort();
      for (const [row, count] of news.excused) excused[row] = (excused[row] ?? 0) + count;
      if (news.problem !== undefined) problems.push(news.problem);
    }
    return {
      options,
      seconds,
      cases: this.cases,
      targets: targets.length,
      coverage: this.coverage.rows(targets),
      uncovered: this.coverage.uncovered(targets),
      failures: [...this.failures.values()].sort((a, b) => b.count - a.count || (a.cause < b.cause ? -1 : 1)),
      refused,
      excused,
      problems,
    };
  }
}

/** The worker stands beside this file, compiled or (in this repository) as source. */
function startWorker(order: WorkerOrder): Worker {
  const entry = import.meta.url.replace(/fuzz(\.[jt]s)$/, 'worker$1');
  if (entry.endsWith('.js')) return new Worker(new URL(entry), { workerData: { order } });
  return new Worker(new URL('source-worker.mjs', entry), { workerData: { entry, order }, execArgv: [] });
}

/** Resolves when the thread is over, whatever ended it. */
function followWorker(worker: Worker, onNews: (news: WorkerNews) => void): Promise<void> {
  return new Promise((resolve) => {
    let last: WorkerNews | undefined;
    const broken = (problem: string): void => {
      const empty: WorkerNews = { cases: 0, shapes: 0, coverage: [], failures: [], refused: [], excused: [], done: true };
      if (last?.done !== true) onNews({ ...(last ?? empty), coverage: [], done: true, problem });
    };
    worker.on('message', (news: WorkerNews) => {
      last = news;
      onNews(news);
    });
    worker.on('error', (error) => broken(error.message.split('\n')[0] as string));
    worker.on('exit', (code) => {
      broken(`a thread ended with status ${code}`);
      resolve();
    });
  });
}
