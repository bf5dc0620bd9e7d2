import { describe, expect, it } from 'vitest';
import { Random } from './random.js';

describe('Random', () => {
  it('gives the same sequence for a seed, always', () => {
    const random = new Random(86);
    const first = [random.u32(), random.u32(), random.u32()];
    random.reseed(86);
    expect([random.u32(), random.u32(), random.u32()]).toEqual(first);
    expect(first).toEqual([2976604214, 4189729123, 2305917594]);
  });

  it('reaches all of a range and nothing outside it', () => {
    const random = new Random(1);
    const seen = new Set(Array.from({ length: 1000 }, () => random.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(random.below(1)).toBe(0);
  });

  it('draws bits of every width', () => {
    const random = new Random(2);
    for (const bits of [1, 31, 32, 33, 64, 80, 128]) {
      let union = 0n;
      for (let i = 0; i < 64; i++) union |= random.bigint(bits);
      expect(union).toBe((1n << BigInt(bits)) - 1n);
    }
  });
});
