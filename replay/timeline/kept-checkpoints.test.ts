/**
 * What is kept beside a trace: the next opening knows everything that the one before has found, and stands at every tick
 * where a fresh machine stands; whatever is wrong with the file, it is left aside, told of, and written anew.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestRandom } from '../../engine/test-random-guest.js';
import { openTraceFile } from '../../traces/index.js';
import type { Footprint } from './footprint.js';
import { checkpointsBeside, openTimeline, type Timeline } from './timeline.js';

const CORPUS = new URL('../../traces/corpus/', import.meta.url);
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kept-checkpoints-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function copyOf(name: string): string {
  const path = join(folder, name);
  copyFileSync(new URL(name, CORPUS), path);
  return path;
}

function open(path: string, notes: string[] = [], checkpointsPath = checkpointsBeside(path)): Timeline {
  return openTimeline(openTraceFile(path), { checkpointsPath, spacingTicks: 4096, onNote: (note) => notes.push(note) });
}

async function digestsOf(timeline: Timeline, ticks: readonly number[]): Promise<bigint[]> {
  const digests: bigint[] = [];
  for (const tick of ticks) {
    await timeline.seek(tick);
    digests.push(timeline.machine.digest());
  }
  return digests;
}

test.each(['serial.trace', 'disk.trace', 'strings.trace'])('%s opens warm', async (name) => {
  const path = copyOf(name);
  const cold = open(path);
  await cold.seek(cold.endTick);
  const random = new TestRandom(5);
  const ticks = Array.from({ length: 12 }, () => random.below(cold.endTick + 1));
  cold.keepCheckpoints();
  const expected = await digestsOf(cold, ticks);
  const notes: string[] = [];
  const warm = open(path, notes);
  expect(warm.history.exploredTo).toBe(warm.endTick);
  expect(warm.tick).toBe(0);
  const known = warm.history.checkpoints;
  expect(known.all.map(({ tick }) => tick)).toEqual(expect.arrayContaining([0, 4096, 8192]));
  const stretch = ({ history }: Timeline): Footprint => history.stretchBefore(50_000).footprint as Footprint;
  expect(stretch(warm)).toEqual(stretch(cold));
  expect(Object.values(stretch(warm)).map((column: Uint32Array) => column.length > 0)).toEqual([true, true, true]);
  for (const source of ['serial0', 'debug'] as const)
    expect(warm.history.console.textBefore(source, warm.endTick)).toBe(cold.history.console.textBefore(source, cold.endTick));
  expect(await digestsOf(warm, ticks)).toEqual(expected);
  // Nothing new was found: the file stays as it is.
  const before = readFileSync(checkpointsBeside(path));
  warm.keepCheckpoints();
  expect(readFileSync(checkpointsBeside(path)).equals(before)).toBe(true);
  expect(notes).toEqual([]);
  cold.close();
  warm.close();
});

test('what was kept is a part, and is added to', async () => {
  const path = copyOf('selfmodify.trace');
  const first = open(path);
  await first.seek(40_000);
  first.keepCheckpoints();
  const second = open(path);
  expect(second.history.exploredTo).toBe(40_000);
  await second.seek(second.endTick);
  second.keepCheckpoints();
  const third = open(path);
  expect(third.history.exploredTo).toBe(third.endTick);
  const ticks = [39_999, 100, 141_000, 40_001];
  expect(await digestsOf(third, ticks)).toEqual(await digestsOf(open(path, [], join(folder, 'none')), ticks));
});

test('damaged anywhere, it is never believed', { timeout: 120_000 }, async () => {
  const path = copyOf('board.trace');
  const kept = checkpointsBeside(path);
  const fresh = open(path);
  await fresh.seek(fresh.endTick);
  fresh.keepCheckpoints();
  const good = readFileSync(kept);
  const ticks = [fresh.endTick, 60_000, 20_000, 100_000];
  const expected = await digestsOf(fresh, ticks);
  const random = new TestRandom(8);
  let told = 0;
  for (let round = 0; round < 20; round++) {
    const damaged = Buffer.from(good);
    const at = round < 8 ? random.below(400) : random.below(good.length);
    if (round === 0) writeFileSync(kept, good.subarray(0, at));
    else {
      damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
      writeFileSync(kept, damaged);
    }
    const notes: string[] = [];
    const timeline = open(path, notes);
    expect(await digestsOf(timeline, ticks), `byte ${at}`).toEqual(expected);
    told += notes.length > 0 ? 1 : 0;
    if (timeline.history.exploredTo < timeline.endTick) expect(notes).not.toEqual([]);
    timeline.close();
  }
  expect(told).toBeGreaterThan(5);
});

test('that of another run is not used', async () => {
  const path = copyOf('timer.trace');
  const other = copyOf('paging.trace');
  const timeline = open(other);
  await timeline.seek(50_000);
  timeline.keepCheckpoints();
  copyFileSync(checkpointsBeside(other), checkpointsBeside(path));
  const notes: string[] = [];
  expect(open(path, notes).history.exploredTo).toBe(0);
  expect(notes).toEqual([`${checkpointsBeside(path)}: not used: it belongs to another recording or another version`]);
});

test('without a path nothing is kept', async () => {
  const path = copyOf('rom.trace');
  const timeline = openTimeline(openTraceFile(path));
  await timeline.seek(1000);
  timeline.keepCheckpoints();
  expect(existsSync(checkpointsBeside(path))).toBe(false);
});
