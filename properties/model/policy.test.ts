/** The policy table as the model uses it: every row somewhere, every name once. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { POLICY } from '../../engine/policy/policy.js';

const folder = new URL('.', import.meta.url);
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.includes('test'))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));

it('has no name twice, and as many rows as the bit sets of outcomes can tell', () => {
  expect(new Set(POLICY.map(({ id }) => id)).size).toBe(POLICY.length);
  expect(POLICY.length).toBeLessThanOrEqual(128);
});

it.each(POLICY.map(({ id }) => id))('relies on %s somewhere', (id) => {
  expect(sources.some((source) => source.includes(`'${id}'`))).toBe(true);
});
