/**
 * Law 5 with everything going on: guests of random instructions and guests that keep every device busy, with random input
 * logs, are in the same state at the same tick in the step tier, in the auto tier, in random slices, and when they go on in
 * another machine from a snapshot; and they have accepted the same interrupts and sent the same on the way.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Tier } from '../../engine/index.js';
import { TestRandom } from '../../engine/test-random-guest.js';
import { assertProperty } from '../testing/property-seed.js';
import { type GuestChoice, guestChoice, type InputChoice, inputLog, machineFor, play, showRun, startTickOf } from './test-runs.js';

type Ticks = readonly [startTick: number, endTick: number];

/** What happened, and the state at each input and at the end. */
function run(guest: GuestChoice, tier: Tier, name: string, inputs: readonly InputChoice[], ticks: Ticks, slice: () => number): string[] {
  const machine = machineFor(guest, name, tier);
  const seen: string[] = [];
  machine.onInterrupt = ({ tick, vector }) => seen.push(`${tick}: interrupt ${vector}`);
  machine.onSerial = (port, byte) => seen.push(`${machine.tick}: serial ${port} ${byte}`);
  const state = (): number => seen.push(`${machine.tick}: ${machine.nowNs} ns, ${machine.digest()}`);
  const reason = play(machine, machine, inputs, ticks, slice, state);
  state();
  return [...seen, JSON.stringify(reason)];
}

it('agree, sliced and restored, with interrupts and inputs at any time', () => {
  let interrupts = 0;
  assertProperty(
    fc.property(guestChoice, inputLog, fc.integer({ min: 1, max: 6000 }), fc.nat(1000), (guest, inputs, length, seed) => {
      const startTick = startTickOf(guest);
      const ticks = [startTick, startTick + length] as const;
      const whole = (): number => Number.POSITIVE_INFINITY;
      const random = new TestRandom(seed);
      const short = (): number => 1 + random.below(random.chance(50) ? 4 : 500);
      const expected = run(guest, 'step', 'whole', inputs, ticks, whole);
      interrupts += expected.filter((line) => line.includes('interrupt')).length;
      expect(run(guest, 'auto', 'whole', inputs, ticks, whole), showRun(guest, inputs)).toEqual(expected);
      expect(run(guest, 'auto', 'sliced', inputs, ticks, short), showRun(guest, inputs)).toEqual(expected);

      // Half of the log in one machine, the rest in another that takes over.
      const half = Math.floor(inputs.length / 2);
      const first = machineFor(guest, 'first', 'auto');
      const reason = play(first, first, inputs.slice(0, half), [startTick, startTick + Math.floor(length / 2)], whole);
      if (reason.kind !== 'limit') return;
      const second = machineFor(guest, 'second', 'step');
      second.restore(first.save());
      const rest = inputs.slice(half);
      expect(play(second, second, rest, ticks, whole)).toEqual(play(first, first, rest, ticks, short));
      expect([second.tick, second.nowNs, second.digest()], showRun(guest, inputs)).toEqual([first.tick, first.nowNs, first.digest()]);
    }),
    { numRuns: 25 },
  );
  expect(interrupts).toBeGreaterThan(30);
});
