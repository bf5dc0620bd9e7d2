/** A recording that the machine does not do again: told where it is met, as often as it is met; all before it can be used. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openTraceFile } from '../../traces/index.js';
import { DivergenceError } from './playback.js';
import { type Tampering, tamperedTrace } from './test-tampered.js';
import { checkpointsBeside, openTimeline, type Timeline } from './timeline.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-divergence-'));
afterAll(() => rmSync(folder, { recursive: true }));

const text = (digest: bigint): string => digest.toString(16).padStart(16, '0');
const CORPUS = new URL('../../traces/corpus/', import.meta.url);

async function difference(travel: () => Promise<unknown>): Promise<DivergenceError> {
  try {
    await travel();
  } catch (error) {
    if (error instanceof DivergenceError) return error;
    throw error;
  }
  throw new Error('it does not differ');
}

async function digestsAt(timeline: Timeline, ticks: readonly number[]): Promise<bigint[]> {
  const digests: bigint[] = [];
  for (const tick of ticks) {
    await timeline.seek(tick);
    digests.push(timeline.machine.digest());
  }
  return digests;
}

describe.each<[Tampering, string]>([
  ['digest', 'timer'],
  ['end digest', 'faults'],
  ['end digest', 'rom'],
])('another %s in %s', (what, name) => {
  const { path, tick, recorded, stored } = tamperedTrace(name, what, folder);
  const open = (): Timeline => openTimeline(openTraceFile(path), { spacingTicks: 8192, checkpointsPath: checkpointsBeside(path) });

  test('is told by whatever comes there, again and again', async () => {
    const timeline = open();
    const agreedTick = timeline.trace.digests.ticks[(what === 'digest' ? 1 : timeline.trace.digests.ticks.length) - 1];
    const message = `diverged at tick ${tick}: digest: expected ${text(stored)}, found ${text(recorded)}; up to tick ${agreedTick} it agrees`;
    const end = timeline.endTick;
    for (const travel of [
      () => timeline.seek(end),
      () => timeline.seek(end),
      () => timeline.continue(),
      () => timeline.seek(tick - 10).then(() => timeline.step(11)),
      () => timeline.seek(tick - 10).then(() => timeline.forward([{ kind: 'breakpoint', address: 1 }])),
      () => timeline.history.explore(end),
    ])
      expect((await difference(travel)).message).toBe(message);
  });

  test('leaves what is before it as it is', async () => {
    const timeline = open();
    await difference(() => timeline.seek(timeline.endTick));
    const ticks = [tick - 1, 5, Math.floor(tick / 2), tick - 20];
    const untouched = openTimeline(openTraceFile(new URL(`${name}.trace`, CORPUS).pathname));
    expect(await digestsAt(timeline, ticks)).toEqual(await digestsAt(untouched, ticks));
    await timeline.seek(tick - 1);
    expect((await timeline.reverseContinue()).kind).toBe('begin');
    timeline.close();
  });

  test('is found again by the next opening with what was kept', async () => {
    const timeline = open();
    await difference(() => timeline.seek(timeline.endTick));
    expect(timeline.history.exploredTo).toBeLessThan(tick);
    timeline.keepCheckpoints();
    timeline.close();
    const warm = open();
    expect(warm.history.exploredTo).toBeGreaterThan(0);
    expect((await difference(() => warm.seek(warm.endTick))).divergence.tick).toBe(tick);
    warm.close();
  });
});

test('another input leads to other interrupts or another digest', async () => {
  const { path, tick } = tamperedTrace('input', 'input', folder);
  const timeline = openTimeline(openTraceFile(path));
  const first = await difference(() => timeline.seek(timeline.endTick));
  expect(first.divergence.tick).toBeGreaterThan(tick);
  expect((await difference(() => timeline.continue())).message).toBe(first.message);
  await timeline.seek(tick);
  expect(timeline.tick).toBe(tick);
});

test('what was recorded agrees', async () => {
  const timeline = openTimeline(openTraceFile(new URL('input.trace', CORPUS).pathname));
  await timeline.seek(timeline.endTick);
  expect(timeline.history.exploredTo).toBe(timeline.endTick);
});
