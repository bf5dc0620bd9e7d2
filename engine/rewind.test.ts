/**
 * `rewind` with the frames that differ is `restore` of all of it, wherever it leads from and to, while breakpoints and
 * watches come and go; and it is heard of by nobody.
 */
import { describe, expect, test } from 'vitest';
import type { Machine, MachineState } from './machine.js';
import { observedGuests, runTo } from './test-observed-guest.js';
import { TestRandom } from './test-random-guest.js';

interface Point {
  readonly tick: number;
  readonly state: MachineState;
  readonly frames: readonly Uint8Array[];
  readonly full: MachineState;
}

function pointOf(machine: Machine): Point {
  const frames = Array.from({ length: machine.frameCount }, (_, frame) => machine.frameBytes(frame).slice());
  return { tick: machine.tick, state: machine.saveWithoutMemory(), frames, full: machine.save() };
}

function* differences(machine: Machine, point: Point, random: TestRandom): Iterable<readonly [number, Uint8Array]> {
  for (const [frame, bytes] of point.frames.entries()) {
    if (random.chance(2) || Buffer.compare(bytes, machine.frameBytes(frame)) !== 0) yield [frame, bytes];
  }
}

describe.each(observedGuests([1, 2]))('$name', (guest) => {
  test('agrees with restore', () => {
    const random = new TestRandom(11);
    const straight = guest.machine('auto');
    const points: Point[] = [pointOf(straight)];
    for (let part = 1; part <= 4; part++) {
      runTo(straight, Math.floor((guest.ticks * part) / 5) + random.below(50));
      points.push(pointOf(straight));
    }
    const machine = guest.machine('auto');
    const reference = guest.machine('auto');
    for (let round = 0; round < 12; round++) {
      runTo(machine, machine.tick + random.below(400));
      const point = random.pick(points);
      const heard: string[] = [];
      if (random.chance(50)) machine.setWatches([{ address: random.below(1 << 20), bytes: 1 << 16, reads: true, writes: true }]);
      if (random.chance(50)) machine.setBreakpoints(random.chance(50) ? [] : [0x10fff + random.below(64)]);
      machine.onAccess = () => heard.push('access');
      machine.onModeChange = () => heard.push('mode');
      machine.onBreakpoint = () => false;
      machine.rewind(point.state, differences(machine, point, random));
      expect(heard).toEqual([]);
      reference.restore(point.full);
      expect(machine.digest()).toBe(reference.digest());
      const furtherTick = point.tick + random.below(600);
      expect(runTo(machine, furtherTick)).toBe(runTo(reference, furtherTick));
    }
  });
});
