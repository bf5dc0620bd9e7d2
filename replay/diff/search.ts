/**
 * The first tick at which two machines on the same trace differ. They go side by side, their whole states compared at
 * distances that double; where these differ, the last stretch is halved to where the difference begins that lasts. Before that
 * there may be differences that come and go: everything from a common checkpoint shortly before (of a short trace, from the beginning)
 * is gone through tick by tick.
 */
import type { Pair } from './pair.js';
import { Progress, type ProgressOptions } from './progress.js';

/** Where a search has ended: the pair stands where the two differ, its checkpoint is the last tick at which they are the same. */
export interface Found {
  readonly pair: Pair;
  /**
   * One step from the same state leads to different ones. Otherwise the difference depends on what a machine has besides its
   * state (code decoded, addresses translated): it shows when all from the checkpoint on is run in one go.
   */
  readonly inOneStep: boolean;
  /** Every tick before has been looked at from here on. */
  readonly lookedFromTick: number;
}

export interface SearchOptions extends ProgressOptions {
  /** Greatest distance of comparisons. */
  readonly spacingTicks?: number | undefined;
  /** Up to here traces are gone through tick by tick from their beginning. */
  readonly everyTickLimit?: number | undefined;
}

const FIRST_SPACING_TICKS = 2 ** 12;
const SPACING_TICKS = 2 ** 20;
/** Of a longer trace, how far before the difference that lasts. */
const NEAR_TICKS = 2 ** 14;
const EVERY_TICK_LIMIT = 2 ** 19;
/** A long way in one go is made in so many ticks at a time. */
const WAY_TICKS = 2 ** 24;
/** Ticks for which only the processors are compared each time. */
const GROUP_TICKS = 32;

type OpenPair = (goesBackBy?: 'reopening') => Pair;

/**
 * What it returns has been seen with fresh machines: a mistake may have its own memory (a buffer with what was read last, code
 * decoded before), which putting a machine back does not put back.
 * @param open a fresh pair at tick 0 @param lastTick how far there is anything to compare
 * @throws the reason of `options.signal`
 */
export async function findFirstDifference(open: OpenPair, lastTick: number, options: SearchOptions = {}): Promise<Found | undefined> {
  const { spacingTicks = SPACING_TICKS, everyTickLimit = EVERY_TICK_LIMIT } = options;
  const progress = new Progress(lastTick, options);
  const pair = open();
  if (!pair.agrees()) return { pair, inOneStep: true, lookedFromTick: 0 };
  pair.commit();
  const stretch = await lastingDifference(pair, lastTick, spacingTicks, progress);
  if (stretch === undefined && lastTick > everyTickLimit) return undefined;
  const { differsTick, endTick } = stretch ?? { differsTick: lastTick, endTick: lastTick };
  const fromTheBeginning = differsTick <= everyTickLimit;
  if (!fromTheBeginning) approach(pair, differsTick);
  const slow = fromTheBeginning ? fromBeginning(open) : pair;
  const lookedFromTick = slow.checkpoint.tick;
  const inSteps = await byTicks(slow, differsTick, progress);
  if (inSteps === 'none' && stretch === undefined) return undefined;
  const exact =
    (inSteps === 'found' ? await seenAfresh(open, slow.checkpoint.tick, progress) : undefined) ??
    (await walkAfresh(open, lookedFromTick, endTick, progress));
  if (exact !== undefined) return { pair: exact, inOneStep: true, lookedFromTick };
  const fast = stretch === undefined ? undefined : await inOneGo(open, endTick, spacingTicks, progress);
  return fast === undefined ? undefined : { pair: fast, inOneStep: false, lookedFromTick };
}

function fromBeginning(open: OpenPair, goesBackBy?: 'reopening'): Pair {
  const pair = open(goesBackBy);
  pair.agrees();
  pair.commit();
  return pair;
}

/** Fresh machines, straight to a tick, where they are the same, and one step on. @returns undefined where these do not differ, either */
async function seenAfresh(open: OpenPair, commonTick: number, progress: Progress): Promise<Pair | undefined> {
  const pair = fromBeginning(open);
  await goTo(pair, commonTick, progress);
  if (!pair.agrees()) return undefined;
  pair.commit();
  pair.advance(commonTick + 1);
  return pair.agrees() ? undefined : pair;
}

/** Fresh machines, never put back: everything is looked at, at each tick from the first on. */
async function walkAfresh(open: OpenPair, firstTick: number, lastTick: number, progress: Progress): Promise<Pair | undefined> {
  const pair = fromBeginning(open, 'reopening');
  await goTo(pair, firstTick, progress);
  if (!pair.agrees()) return undefined;
  pair.commit();
  while (pair.tick < lastTick && !pair.ended) {
    pair.advance(pair.tick + 1);
    if (!pair.agrees()) return pair;
    pair.commit();
    await progress.at(pair.tick);
  }
  return undefined;
}

async function goTo(pair: Pair, tick: number, progress: Progress): Promise<void> {
  while (pair.tick < tick && !pair.ended) {
    pair.advance(Math.min(pair.tick + WAY_TICKS, tick));
    await progress.at(pair.tick);
  }
}

/** @returns the pair where a run in one go differs, its checkpoint as close before as the difference lets it */
async function inOneGo(open: OpenPair, lastTick: number, spacingTicks: number, progress: Progress): Promise<Pair | undefined> {
  for (const goesBackBy of [undefined, 'reopening'] as const) {
    const pair = fromBeginning(open, goesBackBy);
    const stretch = await lastingDifference(pair, lastTick, spacingTicks, progress);
    if (stretch === undefined) continue;
    narrow(pair, stretch.differsTick);
    if (!pair.rewinds || boundsSeenAfresh(pair, pair.checkpoint.tick, stretch.differsTick)) return pair;
  }
  return undefined;
}

/** Fresh machines differ at the tick, not at the one before, and not after a stop behind the checkpoint. */
function boundsSeenAfresh(pair: Pair, commonTick: number, differsTick: number): boolean {
  const differs = (...ticks: readonly number[]): boolean => {
    pair.reopen();
    for (const tick of ticks) pair.advance(tick);
    return !pair.agrees();
  };
  return !differs(differsTick - 1) && !differs(commonTick + 1, differsTick) && differs(differsTick);
}

/**
 * @returns the first tick at which they differ when run in one go from the checkpoint, and from which on they go on differing; and
 *   where that was seen by machines that had never been put back
 */
async function lastingDifference(
  pair: Pair,
  lastTick: number,
  spacingTicks: number,
  progress: Progress,
): Promise<{ readonly differsTick: number; readonly endTick: number } | undefined> {
  let distance = Math.min(FIRST_SPACING_TICKS, spacingTicks);
  while (pair.tick < lastTick && !pair.ended) {
    const target = Math.min(pair.tick + distance, lastTick);
    pair.advance(target);
    if (!pair.agrees()) {
      const differsTick = firstWhere(pair.checkpoint.tick, target, (tick) => differsAt(pair, [tick]));
      return { differsTick, endTick: target };
    }
    pair.commit();
    await progress.at(pair.tick);
    distance = Math.min(distance * 2, spacingTicks);
  }
  return undefined;
}

/** Back to the checkpoint, and from there on, stopping at each of these ticks. */
function differsAt(pair: Pair, ticks: readonly number[]): boolean {
  pair.rewind();
  for (const tick of ticks) pair.advance(tick);
  return !pair.agrees();
}

/** Least tick above `low` where it holds, if it holds at `high` and from some tick on. */
function firstWhere(low: number, high: number, holds: (tick: number) => boolean): number {
  let [below, at] = [low, high];
  while (at - below > 1) {
    const middle = below + Math.floor((at - below) / 2);
    if (holds(middle)) at = middle;
    else below = middle;
  }
  return at;
}

/** Moves the checkpoint towards a difference, as long as the two are the same. */
function approach(pair: Pair, differsTick: number): void {
  pair.rewind();
  while (pair.tick + NEAR_TICKS < differsTick) {
    pair.advance(pair.tick + NEAR_TICKS);
    if (!pair.agrees()) break;
    pair.commit();
  }
  pair.rewind();
}

/**
 * Tick by tick from the checkpoint.
 * @returns 'found' where they differ where the pair stands now, the checkpoint being one step before; 'unsure' where the machines
 *   cannot be put back
 */
async function byTicks(pair: Pair, lastTick: number, progress: Progress): Promise<'found' | 'none' | 'unsure'> {
  while (pair.tick < lastTick && !pair.ended) {
    const groupEnd = Math.min(pair.tick + GROUP_TICKS, lastTick);
    if (!groupAgrees(pair, groupEnd)) {
      pair.rewind();
      if (!pair.rewinds) return 'unsure';
      while (pair.tick < groupEnd && !pair.ended) {
        pair.advance(pair.tick + 1);
        if (!pair.agrees()) return 'found';
        pair.commit();
      }
    }
    await progress.at(pair.tick);
  }
  return 'none';
}

/** A quick look at a group: nothing happens in it but in processor and memory, and both are the same. */
function groupAgrees(pair: Pair, groupEnd: number): boolean {
  while (pair.tick < groupEnd && !pair.ended) {
    pair.advance(pair.tick + 1);
    if (!pair.processorsAgree()) return false;
  }
  if (!pair.agrees() || !pair.devicesUnchanged) return false;
  pair.commit();
  return true;
}

/** Moves the checkpoint to the last tick from which a run in one go still ends in the difference. */
function narrow(pair: Pair, differenceTick: number): void {
  const { tick } = pair.checkpoint;
  const vanishes = (start: number): boolean => !differsAt(pair, [start, differenceTick]);
  let distance = 1;
  while (differenceTick - distance > tick && vanishes(differenceTick - distance)) distance *= 2;
  const low = Math.max(tick, differenceTick - distance);
  const start = distance === 1 ? differenceTick - 1 : firstWhere(low, differenceTick - Math.floor(distance / 2), vanishes) - 1;
  pair.rewind();
  pair.advance(start);
  if (start > tick && pair.agrees()) pair.commit();
  pair.advance(differenceTick);
  if (pair.agrees()) {
    // What it depends on goes back further than this.
    pair.rewind();
    pair.advance(differenceTick);
  }
}
