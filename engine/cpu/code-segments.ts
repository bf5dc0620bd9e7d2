/** Numbers for the code segments (base and limit) that blocks are decoded under: part of the mode word (mode.ts). */
import { MODE_SEGMENT_UNCACHED } from './mode.js';

const FLAT_LIMIT = 0xffff_ffff;

export class CodeSegments {
  /** By base, then by limit. */
  private readonly numbers = new Map<number, Map<number, number>>();
  private count = 0;

  /** 0 for the flat segment, MODE_SEGMENT_UNCACHED when the numbers are used up. */
  numberOf(base: number, limit: number): number {
    if (base === 0 && limit === FLAT_LIMIT) return 0;
    let byLimit = this.numbers.get(base);
    if (byLimit === undefined) {
      byLimit = new Map();
      this.numbers.set(base, byLimit);
    }
    let number = byLimit.get(limit);
    if (number === undefined) {
      if (this.count >= MODE_SEGMENT_UNCACHED - 1) return MODE_SEGMENT_UNCACHED;
      number = ++this.count;
      byLimit.set(limit, number);
    }
    return number;
  }

  clear(): void {
    this.numbers.clear();
    this.count = 0;
  }
}
