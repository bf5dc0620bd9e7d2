/**
 * The seeds of property tests: a fixed one, so that a test does the same everywhere; in CI a fresh one as well, which is
 * printed with the command that repeats it. PROPERTY_SEED=123 takes that one instead.
 */
import fc from 'fast-check';
import { TestRunner } from 'vitest';
import { isCi } from './system-tool.js';

const FIXED_SEED = 86;

let fresh: number | undefined;

/** Checks a property with the fixed seed, and in CI with a fresh one. */
export function assertProperty<T>(property: fc.IProperty<T>, options: { readonly numRuns: number }): void {
  for (const seed of propertySeeds()) fc.assert(property, { ...options, seed });
}

/** The seeds to run with, in order. */
export function propertySeeds(): readonly number[] {
  const given = process.env.PROPERTY_SEED ?? '';
  if (given !== '') {
    if (!/^-?\d+$/.test(given)) throw new Error(`PROPERTY_SEED is a whole number, not ${given}`);
    return [Number(given) | 0];
  }
  return isCi() ? [FIXED_SEED, freshSeed()] : [FIXED_SEED];
}

/** One for each file of tests. */
function freshSeed(): number {
  if (fresh === undefined) {
    fresh = Math.floor(Math.random() * 0x7fffffff);
    const file = TestRunner.getCurrentTest()?.file.name ?? '';
    process.stderr.write(`fresh seed; to repeat: PROPERTY_SEED=${fresh} npx vitest run ${file}\n`);
  }
  return fresh;
}
