import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cyclesAt, nsOfCycle } from './frequency.js';

const frequencies = fc.constantFrom(1_193_182, 32_768, 3_579_545, 1_843_200, 1, 9_000_000);

describe('frequency', () => {
  it('counts cycles like rational arithmetic, for a hundred days', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), frequencies, (ns, frequencyHz) => {
        expect(BigInt(cyclesAt(ns, frequencyHz))).toBe((BigInt(ns) * BigInt(frequencyHz)) / 1_000_000_000n);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('gives the first nanosecond at which a cycle is complete', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), frequencies, (cycle, frequencyHz) => {
        fc.pre(cycle / frequencyHz < 9_000_000);
        const exact = (BigInt(cycle) * 1_000_000_000n + BigInt(frequencyHz) - 1n) / BigInt(frequencyHz);
        const ns = nsOfCycle(cycle, frequencyHz);
        expect(BigInt(ns)).toBe(exact);
        expect(cyclesAt(ns, frequencyHz)).toBe(cycle);
        if (ns > 0) expect(cyclesAt(ns - 1, frequencyHz)).toBeLessThan(cycle);
      }),
      { seed: 2, numRuns: 2000 },
    );
  });

  it('refuses what it could not count exactly', () => {
    expect(() => cyclesAt(-1, 1000)).toThrow(RangeError);
    expect(() => cyclesAt(2 ** 53, 1000)).toThrow(RangeError);
    expect(() => nsOfCycle(1.5, 1000)).toThrow(RangeError);
    expect(() => cyclesAt(1, 10_000_000)).toThrow(RangeError);
  });
});
