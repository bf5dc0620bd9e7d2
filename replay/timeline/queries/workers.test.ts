/**
 * Threads find what one thread finds, stretch by stretch in any order, and can be told to stop.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTraceFile } from '../../../traces/index.js';
import { History } from '../history.js';
import { gather } from './gather.js';
import type { Found, Question } from './question.js';
import { type Quota, type Scanner, type Stretch, StretchScanner } from './scanner.js';
import { machineOf } from './test-brute-force.js';
import { WorkerScanner } from './worker-scanner.js';

const path = new URL('../../../traces/corpus/paging.trace', import.meta.url).pathname;
const trace = openTraceFile(path);
const machine = machineOf(trace, 'auto');
const pages = (first: number, count: number): Question => ({
  kind: 'accesses',
  pieces: Array.from({ length: count }, (_, i) => ({ physical: (first + i) * 4096, bytes: 4096, linear: i * 4096 })),
  access: first === 0 ? 'write' : 'access',
});
const questions: readonly Question[] = [pages(0, 512), pages(1, 64)];

describe('a worker thread', () => {
  const history = new History(machine, trace, { spacingTicks: 500 });
  let worker: WorkerScanner;
  const stretches: Stretch[] = [];

  beforeAll(async () => {
    await history.explore(20_000);
    const ticks = history.checkpoints.all.map(({ tick }) => tick);
    ticks.slice(1).forEach((endTick, i) => {
      stretches.push({ startTick: ticks[i] as number, endTick, fromTick: 0, toTick: endTick });
    });
    worker = new WorkerScanner(history.checkpoints, { path });
    await worker.opened;
  }, 60_000);
  afterAll(() => worker.terminate());

  test('finds what one thread finds', async () => {
    const local = new StretchScanner(history, trace);
    const job = fc.record({
      question: fc.constantFrom(...questions),
      index: fc.nat({ max: stretches.length - 1 }),
      quota: fc.record({ limit: fc.integer({ min: 1, max: 50 }), end: fc.constantFrom('first' as const, 'last' as const) }),
    });
    let total = 0;
    await fc.assert(
      fc.asyncProperty(job, async ({ question, index, quota }) => {
        const stretch = stretches[index] as Stretch;
        const expected = await local.scan(question, stretch, quota, undefined);
        expect(await worker.scan(question, stretch, quota, undefined)).toEqual(expected);
        total += expected.length;
      }),
      { seed: 20261122, numRuns: 25 },
    );
    expect(total).toBeGreaterThan(100);
  });

  test('can be told to stop, and goes on with other work', async () => {
    const question = questions[0] as Question;
    const whole = { startTick: 0, endTick: trace.coveredTo.tick, fromTick: 0, toTick: trace.coveredTo.tick };
    const quota: Quota = { limit: 1, end: 'last' };
    const controller = new AbortController();
    const scan = worker.scan(question, whole, quota, controller.signal);
    controller.abort(new Error('enough'));
    await expect(
      scan.then(
        () => 'done',
        (error: unknown) => error,
      ),
    ).resolves.toSatisfy((result) => result === 'done' || (result instanceof Error && result.message === 'enough'));
    await expect(worker.scan(question, whole, quota, controller.signal)).rejects.toThrow('enough');
    const stretch = stretches[3] as Stretch;
    const expected = await new StretchScanner(history, trace).scan(question, stretch, quota, undefined);
    expect(await worker.scan(question, stretch, quota, undefined)).toEqual(expected);
  });
});

describe('several scanners', () => {
  const all: readonly Stretch[] = Array.from({ length: 20 }, (_, i) => ({
    startTick: i * 10,
    endTick: i * 10 + 10,
    fromTick: 0,
    toTick: 200,
  }));
  const question = questions[0] as Question;
  /** Finds something at the ticks of a set, after a while. */
  const scanner = (ticks: readonly number[], delay: () => number, log: number[] = []): Scanner => ({
    async scan(_question, { startTick, endTick }, { limit, end }, signal) {
      for (let turn = delay(); turn > 0; turn--) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
      }
      log.push(startTick);
      const found = ticks.filter((tick) => tick >= startTick && tick < endTick).map((tick) => ({ tick }) as Found);
      return end === 'first' ? found.slice(0, limit) : found.slice(-limit);
    },
    close() {},
  });

  test('answer what a single one does, however long each takes', async () => {
    const job = fc.record({
      ticks: fc.uniqueArray(fc.nat({ max: 199 }), { maxLength: 30 }),
      delays: fc.array(fc.nat({ max: 5 }), { minLength: 1 }),
      count: fc.integer({ min: 1, max: 4 }),
      limit: fc.integer({ min: 1, max: 12 }),
      end: fc.constantFrom('first' as const, 'last' as const),
    });
    await fc.assert(
      fc.asyncProperty(job, async ({ ticks, delays, count, limit, end }) => {
        const sorted = [...ticks].sort((a, b) => a - b);
        let call = 0;
        const scanners = Array.from({ length: count }, () => scanner(sorted, () => delays[call++ % delays.length] as number));
        const stretches = end === 'first' ? all : [...all].reverse();
        const found = await gather(() => scanners, question, stretches, { limit, end }, {});
        expect(found.map(({ tick }) => tick)).toEqual(end === 'first' ? sorted.slice(0, limit) : sorted.slice(-limit));
      }),
      { seed: 20261122, numRuns: 200 },
    );
  });

  test('stop when there is enough, when told to, and when one fails', async () => {
    const log: number[] = [];
    await gather(() => [scanner([195], () => 1, log)], question, [...all].reverse(), { limit: 1, end: 'last' }, {});
    expect(log).toEqual([190]);
    const progress: number[] = [];
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(gather(() => [scanner([], () => 1)], question, all, { limit: 1, end: 'first' }, { signal })).rejects.toThrow('no more');
    const failing: Scanner = { scan: () => Promise.reject(new Error('broken')), close() {} };
    await expect(
      gather(
        () => [scanner([], () => 1), failing],
        question,
        all,
        { limit: 1, end: 'first' },
        { onProgress: (done) => progress.push(done) },
      ),
    ).rejects.toThrow('broken');
    expect(progress.every((done) => done < 200)).toBe(true);
  });
});
