/**
 * Has several scanners look through stretches at once, each taking the next as it comes free, until what is wanted has been
 * found. What one finds depends on nobody else: the answer is that of a single scanner.
 */
import type { Found, Question } from './question.js';
import type { Quota, Scanner, Stretch } from './scanner.js';

/**
 * So many stretches the first scanner does alone. Most answers lie there, and a thread takes longer to get to a stretch: it has
 * to be sent the memory.
 */
const ALONE_STRETCHES = 4;

export interface GatherOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneTicks: number, totalTicks: number) => void) | undefined;
}

/**
 * @param stretches in the order in which they are wanted: of the last hits, the last first
 * @param scanners those that can be had now, the quickest first; asked for again whenever a stretch is done, as more may have come
 * @returns in the order of time
 */
export async function gather(
  scanners: () => readonly Scanner[],
  question: Question,
  stretches: readonly Stretch[],
  quota: Quota,
  { signal, onProgress }: GatherOptions,
): Promise<Found[]> {
  const totalTicks = stretches.reduce((sum, { startTick, endTick }) => sum + endTick - startTick, 0);
  const enough = new AbortController();
  const either = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
  const results: (readonly Found[] | undefined)[] = [];
  const busy = new Map<Scanner, Promise<void>>();
  let doneTicks = 0;
  let next = 0;
  /** The first stretch that is not done yet, and how much has been found before it. */
  let open = 0;
  let count = 0;
  let problem: { readonly error: unknown } | undefined;

  const work = async (scanner: Scanner): Promise<void> => {
    try {
      while (next < stretches.length && !either.aborted) {
        const index = next++;
        const stretch = stretches[index] as Stretch;
        results[index] = await scanner.scan(question, stretch, quota, either);
        doneTicks += stretch.endTick - stretch.startTick;
        for (let result = results[open]; result !== undefined; result = results[++open]) count += result.length;
        onProgress?.(doneTicks, totalTicks);
        if (count >= quota.limit) enough.abort();
        else hire();
      }
    } catch (error) {
      if (!either.aborted) problem ??= { error };
      enough.abort();
    }
  };
  const hire = (): void => {
    const all = scanners();
    for (const scanner of open < ALONE_STRETCHES ? all.slice(0, 1) : all) {
      if (busy.has(scanner) || next >= stretches.length) continue;
      busy.set(scanner, work(scanner));
    }
  };

  hire();
  for (let before = -1; before !== busy.size; ) {
    before = busy.size;
    await Promise.all(busy.values());
  }
  signal?.throwIfAborted();
  if (problem !== undefined) throw problem.error;
  const done = results.slice(0, open).map((result) => result ?? []);
  const inTime = quota.end === 'first' ? done.flat() : done.reverse().flat();
  return quota.end === 'first' ? inTime.slice(0, quota.limit) : inTime.slice(-quota.limit);
}
