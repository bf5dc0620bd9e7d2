/**
 * Footprints against sets of words and pages; what they say of a run is compared with single steps in queries/queries.test.ts.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Footprint } from './footprint.js';

const FRAME_COUNT = 4;
const WORDS = FRAME_COUNT * 1024;
const PAGES = 12;

/** From numbers of words and of pages. */
function footprintOf(words: readonly number[], pages: readonly number[]): Footprint {
  const frames = [...new Set(words.map((word) => word >>> 10))].sort((a, b) => a - b);
  const sets = new Uint32Array(frames.length * 32);
  for (const word of words) {
    const at = frames.indexOf(word >>> 10) * 32 + ((word & 1023) >>> 5);
    sets[at] = (sets[at] as number) | (1 << (word & 31));
  }
  return new Footprint(Uint32Array.from(frames), sets, Uint32Array.from([...new Set(pages)].sort((a, b) => a - b)));
}

const some = fc.record({
  words: fc.array(fc.nat({ max: WORDS - 1 }), { maxLength: 40 }),
  pages: fc.array(fc.nat({ max: PAGES - 1 }), { maxLength: 6 }),
});
const range = fc.record({
  first: fc.nat({ max: WORDS * 4 }),
  bytes: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9000 })),
});

test('a range may have been written when one of its words was', () => {
  let met = 0;
  fc.assert(
    fc.property(some, range, fc.nat({ max: 39 }), ({ words, pages }, { first, bytes }, near) => {
      const footprint = footprintOf(words, pages);
      const about = (words[near] ?? 0) * 4;
      for (const physical of [first, Math.max(0, about - bytes), Math.max(0, about - bytes + 1), about + 3, about + 4]) {
        const expected = words.some((word) => word * 4 < physical + bytes && physical < word * 4 + 4);
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
      const both = footprintOf(one.words, one.pages).with(footprintOf(other.words, other.pages));
      expect(both).toEqual(footprintOf([...one.words, ...other.words], [...one.pages, ...other.pages]));
    }),
    { seed: 20261123, numRuns: 300 },
  );
});

test('the highest addresses', () => {
  const footprint = new Footprint(Uint32Array.of(0xbffff), new Uint32Array(32).fill(0x8000_0000), Uint32Array.of(0xfffff));
  expect([0xbfff_ffff, 0xbfff_fffb, 0xbfff_fffc].map((at) => footprint.mayWrite(at, 1))).toEqual([true, false, true]);
  expect([0xffff_ffff, 0xffff_efff].map((at) => footprint.mayExecute(at))).toEqual([true, false]);
});
