import fc from 'fast-check';
import { expect, it } from 'vitest';
import { firstAtOrAfter, firstWhere, lastAtOrBefore } from './sorted.js';

const ascending = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 12 }).map((values) => values.sort((a, b) => a - b));
const value = fc.integer({ min: -1, max: 21 });

it('finds what a look at each from the beginning finds', () => {
  fc.assert(
    fc.property(ascending, value, (values, wanted) => {
      const found = values.findIndex((each) => each >= wanted);
      expect(firstAtOrAfter(values, wanted)).toBe(found < 0 ? values.length : found);
      const items = values.map((tick) => ({ tick }));
      expect(lastAtOrBefore(items, wanted)).toBe(values.filter((each) => each <= wanted).length - 1);
    }),
    { seed: 86, numRuns: 500 },
  );
});

it('looks at a list of n in no more than log2(n) + 1 places', () => {
  let looks = 0;
  expect(firstWhere(1 << 20, (index) => ++looks > 0 && index >= 777_777)).toBe(777_777);
  expect(looks).toBeLessThanOrEqual(21);
});
