/**
 * A trace against this engine, when no other is at hand: where the replay differs from what was recorded, how far it is known
 * to agree, and whether the tiers of this engine agree with each other that far.
 */
import type { Trace } from '../../traces/index.js';
import type { Divergence } from '../divergence.js';
import { replay } from '../replay.js';
import { firstAtOrAfter } from '../sorted.js';
import { type DiffOptions, diffTrace } from './diff.js';
import type { Difference } from './explain.js';

export interface RecordingDifference {
  readonly divergence: Divergence;
  /** The last digest that agreed; tick 0 if none. */
  readonly agreedTick: number;
  /** The first tick at which something recorded was found not to be so. */
  readonly differsTick: number;
  /** Recorded in between. */
  readonly interrupts: number;
  readonly inputs: number;
  /** Where tiers of this engine differ from each other, if they do. */
  readonly tiers: Difference | undefined;
}

/** @returns undefined when the replay is as recorded @throws TraceError */
export async function diffRecording(trace: Trace, options: DiffOptions): Promise<RecordingDifference | undefined> {
  let agreedTick = 0;
  const { divergence } = replay(trace, {
    imagesDirectory: options.imagesDirectory,
    onDigest: (tick) => {
      agreedTick = tick;
    },
    onProgress: (tick) => options.onProgress?.(tick, trace.coveredTo.tick),
  });
  if (divergence === undefined) return undefined;
  const differsTick = divergence.tick;
  const { ticks } = trace.interrupts;
  // With a tick more, as an interrupt at the last one is part of the step behind it.
  const within = firstAtOrAfter(ticks, differsTick + 1) - firstAtOrAfter(ticks, agreedTick);
  const inputs = trace.inputs.filter(({ tick }) => tick >= agreedTick && tick <= differsTick).length;
  const sides = [
    { name: 'auto', tier: 'auto' },
    { name: 'step', tier: 'step' },
  ] as const;
  const tiers = await diffTrace(trace, sides, { ...options, lastTick: differsTick });
  return { divergence, agreedTick, differsTick, interrupts: within, inputs, tiers };
}
