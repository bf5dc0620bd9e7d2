/**
 * The thread that replays for `verify`: takes jobs, answers verdicts.
 */
import { parentPort } from 'node:worker_threads';
import { BootError } from '../engine/index.js';
import { openTraceFile, TraceError } from '../traces/index.js';
import { describeDivergence } from './divergence.js';
import { replay } from './replay.js';
import type { Verdict, VerifyJob } from './verify.js';

parentPort?.on('message', (job: VerifyJob) => parentPort?.postMessage(judge(job)));

function judge({ path, tier, imagesDirectory }: VerifyJob): Verdict {
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  try {
    const trace = openTraceFile(path);
    try {
      const { divergence, tick, digest } = replay(trace, { tier, imagesDirectory });
      return {
        path,
        tier,
        outcome: divergence === undefined ? 'agrees' : 'diverged',
        problem: divergence === undefined ? '' : describeDivergence(divergence),
        divergence,
        reason: trace.end?.reason,
        ticks: tick,
        digest: digest.toString(16).padStart(16, '0'),
        seconds: seconds(),
      };
    } finally {
      trace.close();
    }
  } catch (error) {
    if (!(error instanceof TraceError || error instanceof BootError)) throw error;
    return { path, tier, outcome: 'unreadable', problem: error.message, ticks: 0, digest: '', seconds: seconds() };
  }
}
