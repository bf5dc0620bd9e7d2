/**
 * Timelines of the command line: what is found out about a long run is kept beside its trace, so that the next command on it
 * starts at once.
 */
import type { Trace } from '../../traces/index.js';
import { checkpointsBeside, openTimeline, type Timeline } from '../timeline/timeline.js';
import { describeFailure } from './failure.js';

/** Going through so much again takes a second or so: less is not worth a file. */
const WORTH_KEEPING_TICKS = 2 ** 28;

export interface KeptTimelineOptions {
  readonly images?: string | undefined;
  readonly checkpointMemory: number;
}

/** @throws TraceError */
export function openKeptTimeline(path: string, trace: Trace, { images, checkpointMemory }: KeptTimelineOptions): Timeline {
  return openTimeline(trace, {
    imagesDirectory: images,
    checkpointBytes: checkpointMemory,
    checkpointsPath: checkpointsBeside(path),
    onNote: note,
  });
}

/** Closes it; what cannot be kept is a pity, no failure. */
export function closeKeptTimeline(timeline: Timeline): void {
  try {
    if (timeline.history.exploredTo >= WORTH_KEEPING_TICKS) timeline.keepCheckpoints();
  } catch (error) {
    note(describeFailure(error).line);
  } finally {
    timeline.close();
  }
}

function note(text: string): void {
  process.stderr.write(`replay86: ${text}\n`);
}
