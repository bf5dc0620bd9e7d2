/**
 * The first difference between a recording and its replay.
 */
export interface Divergence {
  readonly tick: number;
  readonly what: 'interrupt' | 'digest' | 'input' | 'end';
  readonly expected: string;
  readonly found: string;
}

/** A digest as it is told. */
export const digestText = (digest: bigint): string => digest.toString(16).padStart(16, '0');

/** One line. */
export function describeDivergence({ tick, what, expected, found }: Divergence): string {
  return `diverged at tick ${tick}: ${what}: expected ${expected}, found ${found}`;
}
