/**
 * Footprints against sets of lines and pages; what they say of a run is compared with single steps in queries/queries.test.ts.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Footprint } from './footprint.js';

const FRAME_COUNT = 4;
const LINES = FRAME_COUNT * 64;
const PAGES = 12;

/** From numbers of lines and of pages. */
function footprintOf(lines: readonly number[], pages: readonly number[]): Footprint {
  const frames = [...new Set(lines.map((line) => line >>> 6))].sort((a, b) => a - b);
  const sets = new Uint32Array(frames.length * 2);
  for (const line of lines) {
    const at = frames.indexOf(line >>> 6) * 2 + ((line & 63) >>> 5);
    sets[at] = (sets[at] as number) | (1 << (line & 31));
  }
  return new Footprint(Uint32Array.from(frames), sets, Uint32Array.from([...new Set(pages)].sort((a, b) => a - b)));
}

const some = fc.record({
  lines: fc.array(fc.nat({ max: LINES - 1 }), { maxLength: 40 }),
  pages: fc.array(fc.nat({ max: PAGES - 1 }), { maxLength: 6 }),
});
const range = fc.record({
  first: fc.nat({ max: LINES * 64 }),
  bytes: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9000 })),
});

test('a range may have been written when one of its lines was', () => {
  let met = 0;
  fc.assert(
    fc.property(some, range, fc.nat({ max: 39 }), ({ lines, pages }, { first, bytes }, near) => {
      const footprint = footprintOf(lines, pages);
      const about = (lines[near] ?? 0) * 64;
      for (const physical of [first, Math.max(0, about - bytes), Math.max(0, about - bytes + 1), about + 63, about + 64]) {
        const expected = lines.some((line) => line * 64 < physical + bytes && physical < line * 64 + 64);
        expect(footprint.mayWrite(physical, bytes)).toBe(expected);
        if (expected) met++;
      }
      for (let page = 0; page < PAGES; page++) expect(footprint.mayExecute(page * 4096 + 4095)).toBe(pages.includes(page));
    }),
    { seed: 20261123, numRuns: 300 },
  );
  expect(met).toBeGreaterThan(300);
});

test('two stretches that become one did what both did', () => {
  fc.assert(
    fc.property(some, some, (one, other) => {
      const both = footprintOf(one.lines, one.pages).with(footprintOf(other.lines, other.pages));
      expect(both).toEqual(footprintOf([...one.lines, ...other.lines], [...one.pages, ...other.pages]));
    }),
    { seed: 20261123, numRuns: 300 },
  );
});

test('the highest addresses', () => {
  const footprint = new Footprint(Uint32Array.of(0xbffff), new Uint32Array(2).fill(0x8000_0000), Uint32Array.of(0xffff));
  expect([0xbfff_ffff, 0xbfff_ffbf, 0xbfff_ffc0].map((at) => footprint.mayWrite(at, 1))).toEqual([true, false, true]);
  expect([0xffff_ffff, 0xffff_efff].map((at) => footprint.mayExecute(at))).toEqual([true, false]);
});
