/**
 * A machine taken back and forth along a trace is, at every tick, the machine that runs straight there: digests of
 * all of the state, over every trace of the corpus, with few and with many checkpoints.
 *
 * HISTORY_POINTS=1000 goes from so many points of each whole trace, up to a million ticks forward and back.
 */
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openTraceFile, type Trace } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { History, type HistoryOptions } from './history.js';
import { Playback } from './playback.js';

const CORPUS = new URL('../../traces/corpus/', import.meta.url);
const LONG = process.env.HISTORY_POINTS !== undefined;
const POINTS = Number(process.env.HISTORY_POINTS ?? 8);
const traces = readdirSync(CORPUS).filter((name) => name.endsWith('.trace'));

function machineOf(trace: Trace) {
  const images = new TraceImages(trace, undefined);
  try {
    return buildMachine(configOfTrace(trace.header, images, 'auto'));
  } finally {
    images.close();
  }
}

/** Where a machine stands that was sent to a tick: behind it, where a debug trap comes in one step with its instruction. */
interface Place {
  readonly tick: number;
  readonly digest: bigint;
}

/** Places of a machine that goes forward only. */
class Straight {
  private playback: Playback;
  private readonly known = new Map<number, Place>();
  constructor(private readonly trace: Trace) {
    this.playback = new Playback(machineOf(trace), trace);
  }
  /** All at once, in ascending order. */
  places(ticks: Iterable<number>): ReadonlyMap<number, Place> {
    this.playback = new Playback(machineOf(this.trace), this.trace);
    for (const tick of [...new Set(ticks)].sort((a, b) => a - b)) {
      this.playback.advanceTo(tick);
      const { machine } = this.playback;
      this.known.set(tick, { tick: machine.tick, digest: machine.digest() });
    }
    return this.known;
  }
}

const OPTIONS: readonly (readonly [string, HistoryOptions])[] = [
  ['checkpoints close together', { spacingTicks: 1000 }],
  ['a budget that is too small', { spacingTicks: 500, checkpointBytes: 300_000 }],
  ['one checkpoint', { spacingTicks: 2 ** 40 }],
];

describe.each(traces)('%s', (name) => {
  const trace = openTraceFile(new URL(name, CORPUS).pathname);
  const endTick = trace.coveredTo.tick;

  test.each(OPTIONS)('%s', { timeout: 3_600_000 }, async (_title, options) => {
    const far = LONG ? endTick : Math.min(endTick, 60_000);
    const n = fc.nat(LONG ? 1_000_000 : 20_000);
    const walk = fc.array(fc.record({ at: fc.nat(far), n }), { minLength: POINTS, maxLength: POINTS });
    for (const steps of fc.sample(walk, { seed: 20261122, numRuns: 1 })) {
      const stations = steps.flatMap(({ at, n }) => [at, Math.min(far, at + n), at, Math.max(0, at - 1), Math.min(far, at + n)]);
      const expected = new Straight(trace).places(stations);
      const history = new History(machineOf(trace), trace, options);
      for (const tick of stations) {
        await history.seek(tick);
        expect({ tick: history.tick, digest: history.machine.digest() }, `tick ${tick}`).toEqual(expected.get(tick));
      }
      // The first, the last, and those close behind the present place stay, if they must.
      if (options.checkpointBytes !== undefined) {
        const { all, usedBytes } = history.checkpoints;
        expect(usedBytes <= options.checkpointBytes || all.length <= 8, `${all.length} checkpoints, ${usedBytes} bytes`).toBe(true);
      }
    }
  });
});
