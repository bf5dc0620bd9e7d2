import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { requireReplayable } from './compatibility.js';
import { ENGINE_VERSION } from './version.js';

it('is the version of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  expect(ENGINE_VERSION).toBe(version);
});

it.each([
  ['1.2.3', '1.2.3'],
  ['1.2.3', '1.3.0'],
  ['1.9.9', '2.0.0'],
  ['0.9.10', '0.10.0'],
])('replays what %s recorded on %s', (recorded, own) => {
  expect(() => requireReplayable(recorded, own)).not.toThrow();
});

it.each([
  ['1.2.4', '1.2.3', 'replay it with 1.2.4 or later'],
  ['0.10.0', '0.9.9', 'replay it with 0.10.0 or later'],
  ['nightly', '1.0.0', 'not a version number'],
  ['1.0', '1.0.0', 'not a version number'],
])('refuses what %s recorded on %s', (recorded, own, message) => {
  expect(() => requireReplayable(recorded, own)).toThrow(message);
});
