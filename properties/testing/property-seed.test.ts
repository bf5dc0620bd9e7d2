import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { assertProperty, propertySeeds } from './property-seed.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it('has one fixed seed for everybody', () => {
  vi.stubEnv('CI', '');
  vi.stubEnv('PROPERTY_SEED', '');
  expect(propertySeeds()).toEqual([86]);
});

it('adds a fresh one in CI, and says once how to repeat it', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.stubEnv('CI', 'true');
  vi.stubEnv('PROPERTY_SEED', '');
  const seeds = propertySeeds();
  expect(seeds).toHaveLength(2);
  expect(propertySeeds()).toEqual(seeds);
  const line = `fresh seed; to repeat: PROPERTY_SEED=${seeds[1]} npx vitest run properties/testing/property-seed.test.ts\n`;
  expect(said.mock.calls).toEqual([[line]]);
});

it('takes the seed it is given, and only a number', () => {
  vi.stubEnv('CI', 'true');
  vi.stubEnv('PROPERTY_SEED', '123');
  const drawn: number[][] = [[], []];
  for (const list of drawn)
    assertProperty(
      fc.property(fc.nat(), (value) => void list.push(value)),
      { numRuns: 5 },
    );
  expect(drawn[0]).toHaveLength(5);
  expect(drawn[1]).toEqual(drawn[0]);
  vi.stubEnv('PROPERTY_SEED', 'today');
  expect(() => propertySeeds()).toThrow('PROPERTY_SEED is a whole number, not today');
});
