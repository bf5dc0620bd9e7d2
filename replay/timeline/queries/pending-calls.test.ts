/**
 * Calls that a simulated processor makes: recursive ones, on several stacks among which it switches at will, and some that
 * are left by a jump. Which return belongs to which is known.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PendingCalls } from './pending-calls.js';
import type { Entry, Landing } from './results.js';

const SITES = [0x1000, 0x2000, 0x3000];
const place = { ip: 0, cs: 8, eip: 0, cr3: 0, privilege: 0 };

interface Frame {
  readonly entry: Entry;
  readonly popsBytes: number;
}

test('each return belongs to its call', () => {
  const action = fc.record({
    stack: fc.nat({ max: 2 }),
    call: fc.boolean(),
    site: fc.constantFrom(...SITES),
    /** Locals of the caller. */
    frameBytes: fc.nat({ max: 16 }).map((words) => words * 4),
    popsBytes: fc.constantFrom(0, 0, 8),
    batch: fc.boolean(),
  });
  let matched = 0;
  fc.assert(
    fc.property(fc.array(action, { minLength: 60, maxLength: 120 }), (actions) => {
      const stacks: Frame[][] = [[], [], []];
      const pointers = [0x10000, 0x12000, 0x14000];
      const expected = new Map<Entry, Landing>();
      const entries: Entry[] = [];
      const landings: Landing[] = [];
      const batches: number[] = [];
      let tick = 0;
      for (const { stack, call, site, frameBytes, popsBytes, batch } of actions) {
        const frames = stacks[stack] as Frame[];
        tick += 10;
        if (batch) batches.push(tick);
        if (call && (pointers[stack] as number) > 0x10000 + stack * 0x2000 - 0x1000) {
          const esp = (pointers[stack] as number) - frameBytes - popsBytes - 4;
          const entry: Entry = { ...place, tick, esp, ip: 0x9000, returnAddress: site };
          entries.push(entry);
          frames.push({ entry, popsBytes });
          pointers[stack] = esp;
          continue;
        }
        const frame = frames.pop();
        if (frame === undefined) continue;
        const esp = frame.entry.esp + 4 + frame.popsBytes;
        const landing: Landing = { ...place, tick, esp, ip: frame.entry.returnAddress, eax: tick * 7 };
        landings.push(landing);
        expected.set(frame.entry, landing);
        pointers[stack] = esp;
      }
      const pending = new PendingCalls(entries);
      for (const endTick of [...batches, tick + 1]) {
        const passed = landings.filter((landing) => landing.tick < endTick);
        pending.pass(landings.splice(0, passed.length), endTick);
      }
      expect(pending.open).toBe(expected.size < entries.length);
      pending.calls.forEach((call, i) => {
        const landing = expected.get(entries[i] as Entry);
        expect([call.returnTick, call.returnValue]).toEqual([landing?.tick, landing?.eax]);
      });
      matched += expected.size;
    }),
    { seed: 20261122, numRuns: 200 },
  );
  expect(matched).toBeGreaterThan(1000);
});

test('a call left by a jump does not take the return of the next one', () => {
  const entry = (tick: number): Entry => ({ ...place, tick, esp: 0x8000, ip: 0x9000, returnAddress: 0x1000 });
  const landing: Landing = { ...place, tick: 30, esp: 0x8004, ip: 0x1000, eax: 5 };
  const pending = new PendingCalls([entry(10), entry(20)]);
  pending.pass([landing], 100);
  expect(pending.calls.map(({ returnTick }) => returnTick)).toEqual([undefined, 30]);
  expect(pending.open).toBe(false);
});

test('calls of other address spaces are others in user code, and the same in a kernel', () => {
  const entry: Entry = { ...place, tick: 10, esp: 0x8000, ip: 0x9000, returnAddress: 0x1000 };
  const landing: Landing = { ...place, tick: 30, esp: 0x8004, ip: 0x1000, eax: 5, cr3: 0x5000 };
  const returned = (privilege: number): number | undefined => {
    const pending = new PendingCalls([{ ...entry, privilege }]);
    pending.pass([{ ...landing, privilege }], 100);
    return pending.calls[0]?.returnTick;
  };
  expect([returned(0), returned(3)]).toEqual([30, undefined]);
});
