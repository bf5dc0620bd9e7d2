/**
 * Diversions: without changes they go the recorded way, with changes another; recorded, they replay from the beginning; and
 * the timeline that they come from stays as it is.
 */
import { expect, test } from 'vitest';
import { bytesSource, nodeCodec, openTraceFile, readTrace, type TraceSink } from '../../traces/index.js';
import { replay } from '../replay.js';
import { openTimeline, type Timeline } from './timeline.js';

const open = (name: string): Timeline => openTimeline(openTraceFile(new URL(`../../traces/corpus/${name}`, import.meta.url).pathname));

class Sink implements TraceSink {
  readonly parts: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.parts.push(bytes.slice());
  }
  get bytes(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

test.each([
  ['timer.trace', 300_000],
  ['disk.trace', 120_000],
])('%s without changes goes the recorded way', async (name, tick) => {
  const timeline = open(name);
  const fork = await timeline.fork(tick);
  expect(fork.startTick).toBe(tick);
  fork.run({ tick: tick + 40_000 });
  await timeline.seek(tick + 40_000);
  expect(fork.machine.digest()).toBe(timeline.machine.digest());
});

test('with changes it goes another, and the timeline does not notice', async () => {
  const timeline = open('timer.trace');
  await timeline.seek(300_000);
  const before = timeline.machine.digest();
  const fork = await timeline.fork(300_000, {
    registers: { eax: 0x1234_5678 },
    memory: [{ address: 0x500, bytes: Uint8Array.of(1, 2, 3) }],
  });
  expect(fork.machine.registers.get('eax')).toBe(0x1234_5678);
  expect([...fork.machine.peekPhysical(0x500, 3)]).toEqual([1, 2, 3]);
  fork.run({ tick: 310_000 });
  expect(timeline.machine.digest()).toBe(before);
  expect(timeline.tick).toBe(300_000);
});

test('recorded, it is a trace that replays from the beginning', async () => {
  const timeline = open('timer.trace');
  const sink = new Sink();
  const fork = await timeline.fork(300_000, { registers: { ebx: 7 }, memory: [{ address: 0x500, bytes: Uint8Array.of(9) }] }, sink);
  fork.run({ tick: 305_000 });
  fork.through.input('keyboard', Uint8Array.of(0x1e));
  fork.change({ registers: { ecx: 3 } });
  fork.run({ tick: 320_000 });
  const digest = fork.machine.digest();
  fork.finish({ kind: 'limit' });
  const trace = { ...readTrace(bytesSource(sink.bytes), nodeCodec), images: timeline.trace.images };
  expect(trace.inputs.map(({ tick, device }) => [tick, device])).toEqual([
    [300_000, 'debugger'],
    [305_000, 'keyboard'],
    [305_000, 'debugger'],
  ]);
  const result = replay(trace);
  expect(result.divergence).toBeUndefined();
  expect(result.digest).toBe(digest);
  const again = openTimeline(trace);
  await again.seek(320_000);
  expect(again.machine.digest()).toBe(digest);
});

test('changes that cannot be made are refused before anything has changed', async () => {
  const timeline = open('timer.trace');
  const fork = await timeline.fork(200_000);
  const before = fork.machine.digest();
  const nowhere = { address: 0xa0000, bytes: Uint8Array.of(1) };
  expect(() => fork.change({ registers: { eax: 1 }, memory: [nowhere] })).toThrow('no memory at 0xa0000');
  expect(() => fork.machine.input('debugger', Uint8Array.of(0, 10, 0, 0, 0, 0))).toThrow('debugger: there is no register 10 to change');
  for (const payload of [[0, 1, 2], [2], [1, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1]])
    expect(() => fork.machine.input('debugger', Uint8Array.from(payload))).toThrow('debugger: ');
  expect(fork.machine.digest()).toBe(before);
});
