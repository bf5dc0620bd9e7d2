/**
 * Watches tell of every access to what is watched: of the same accesses in either tier, whole or in slices; of every byte
 * that changes; of nothing else. The guest does not notice.
 */
import { describe, expect, test } from 'vitest';
import type { Machine } from '../machine.js';
import { MODES, type Mode, type ObservedGuest, observedGuests, runTo, slicesOf } from '../test-observed-guest.js';
import { TestRandom } from '../test-random-guest.js';
import type { Watch, WatchedAccess } from './watches.js';

type Access = WatchedAccess & { readonly tick: number };

const EVERYTHING: Watch = { address: 0, bytes: 1 << 20, reads: true, writes: true };

function listen(machine: Machine, watches: readonly Watch[]): Access[] {
  const accesses: Access[] = [];
  machine.setWatches(watches);
  machine.onAccess = (access) => accesses.push(access);
  return accesses;
}

function accessesOf(guest: ObservedGuest, mode: Mode, watches: readonly Watch[]): { accesses: Access[]; outcome: string } {
  const machine = guest.machine(mode.tier);
  const accesses = listen(machine, watches);
  const outcome = runTo(machine, guest.ticks, slicesOf(mode));
  return { accesses, outcome };
}

const meets = (watch: Watch, { address, bytes, write }: Access): boolean =>
  (write ? watch.writes : watch.reads) && address < watch.address + watch.bytes && watch.address < address + bytes;

/** Ranges around what is accessed: a byte, some bytes across a page, more than a page. */
function choose(accesses: readonly Access[], random: TestRandom): Watch[] {
  return Array.from({ length: 3 }, () => {
    const address = Math.max(0, random.pick(accesses).address - random.below(3));
    const bytes = random.pick([1, 1, 2, 8, 16, 5000]);
    const roll = random.below(3);
    return { address, bytes, reads: roll !== 0, writes: roll !== 1 };
  });
}

describe.each(observedGuests([1, 2]))('$name', (guest) => {
  const [auto] = MODES as readonly [Mode];
  const all = accessesOf(guest, auto, [EVERYTHING]);
  const unwatched = runTo(guest.machine('auto'), guest.ticks);

  test.each(MODES)('everything watched: $title', (mode) => {
    const { accesses, outcome } = accessesOf(guest, mode, [EVERYTHING]);
    expect(accesses).toEqual(all.accesses);
    expect(outcome).toBe(unwatched);
  });

  test.each(MODES)('some watched: $title', (mode) => {
    const random = new TestRandom(17);
    for (let round = 0; round < 3; round++) {
      const watches = choose(all.accesses, random);
      const { accesses, outcome } = accessesOf(guest, mode, watches);
      expect(accesses).toEqual(all.accesses.filter((access) => watches.some((watch) => meets(watch, access))));
      expect(outcome).toBe(unwatched);
    }
  });

  test('every byte that changes was written, in that step', () => {
    const machine = guest.machine('auto');
    const accesses = listen(machine, [{ ...EVERYTHING, reads: false }]);
    let before = machine.peekPhysical(0, 0xa0000).slice();
    for (;;) {
      const { tick } = machine;
      accesses.length = 0;
      const reason = machine.run({ tick: tick + 1 });
      const after = machine.peekPhysical(0, 0xa0000);
      if (Buffer.compare(before, after) !== 0) {
        for (let at = 0; at < after.length; at++) {
          if (before[at] === after[at]) continue;
          const told = accesses.some(({ address, bytes }) => at >= address && at < address + bytes);
          expect(told, `byte ${at.toString(16)} at tick ${tick}`).toBe(true);
        }
        before = after.slice();
      }
      // A debug trap comes in one step with the instruction before it.
      for (const access of accesses) expect(access.tick >= tick && access.tick < machine.tick).toBe(true);
      if (reason.kind !== 'limit' || machine.tick >= guest.ticks / 2) break;
    }
  });
});

test('ranges at the end of what can be addressed, and where nothing is', () => {
  const [guest] = observedGuests([1]) as readonly [ObservedGuest];
  const { accesses, outcome } = accessesOf(guest, MODES[0] as Mode, [
    { address: 0xffff_f000, bytes: 0x1000, reads: true, writes: true },
    { address: 0xf_ffff_f000, bytes: 0x1000, reads: true, writes: true },
    { address: 0xa0000, bytes: 0x20000, reads: true, writes: true },
  ]);
  expect(accesses).toEqual([]);
  expect(outcome).toBe(runTo(guest.machine('auto'), guest.ticks));
});
