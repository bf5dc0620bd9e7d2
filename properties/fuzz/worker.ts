/**
 * A thread of a campaign: runs every `stride`-th shape and tells what it has found, until it is told to stop or has run
 * its share.
 */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Campaign, type CampaignOptions } from './campaign.js';
import type { Failure } from './failure.js';

export interface WorkerOrder {
  readonly options: CampaignOptions;
  /** Shapes first, first + stride... below `end`. */
  readonly first: number;
  readonly stride: number;
  readonly end: number;
}

export interface WorkerNews {
  readonly cases: number;
  readonly shapes: number;
  readonly coverage: [string, Uint32Array][];
  /** All of this thread's, with their counts. */
  readonly failures: readonly Failure[];
  readonly refused: readonly (readonly [reason: string, names: readonly string[]])[];
  readonly excused: readonly (readonly [row: string, cases: number])[];
  readonly done: boolean;
  /** The thread cannot go on. */
  readonly problem?: string;
}

const NEWS_INTERVAL_MS = 200;

async function work({ options, first, stride, end }: WorkerOrder): Promise<void> {
  let stopped = false;
  parentPort?.on('message', () => {
    stopped = true;
  });
  let campaign: Campaign | undefined;
  let shapes = 0;
  const tell = (done: boolean, problem?: string): void => {
    const news: WorkerNews = {
      cases: campaign?.cases ?? 0,
      shapes,
      coverage: campaign?.coverage.take() ?? [],
      failures: [...(campaign?.failures.values() ?? [])],
      refused: [...(campaign?.refused ?? [])].map(([reason, names]) => [reason, [...names]]),
      excused: [...(campaign?.excused ?? [])],
      done,
    };
    parentPort?.postMessage(problem === undefined ? news : { ...news, problem });
  };
  try {
    campaign = new Campaign(options);
    let toldMs = performance.now();
    for (let shape = first; shape < end && !stopped; shape += stride) {
      campaign.runShape(shape);
      shapes++;
      if (performance.now() - toldMs < NEWS_INTERVAL_MS) continue;
      tell(false);
      await setImmediate();
      toldMs = performance.now();
    }
    tell(true);
  } catch (error) {
    tell(true, error instanceof Error ? error.message : String(error));
  } finally {
    campaign?.close();
    parentPort?.close();
  }
}

await work(workerData.order as WorkerOrder);
