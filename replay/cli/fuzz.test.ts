/** `replay86 fuzz` as people call it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest';
import { runCommandLine } from './program.js';

let output: MockInstance<typeof process.stdout.write>;
let errors: MockInstance<typeof process.stderr.write>;
const textOf = (stream: MockInstance<typeof process.stdout.write>): string => stream.mock.calls.map(([text]) => String(text)).join('');

beforeEach(() => {
  output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  output.mockRestore();
  errors.mockRestore();
});

const TIERS = ['fuzz', '--oracle', 'tiers', '--mode', '32', '--match', '^(ADD|SUB) ', '--cases', '8000', '--workers', '1', '--seed', '86'];

it('says what it has compared, and ends with 0 when nothing differs', async () => {
  expect(await runCommandLine(TIERS)).toBe(0);
  expect(textOf(output)).toMatch(/^seed 86: 8,064 cases in .* 30 of 30 encodings covered\n/);
  expect(textOf(output)).toContain('no differences');
});

it('writes a report as JSON, and a full one into a folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-fuzz-'));
  try {
    expect(await runCommandLine([...TIERS, '--json', '--out', folder])).toBe(0);
    const report = JSON.parse(textOf(output));
    expect([report.cases, report.failures, report.uncovered]).toEqual([8064, [], []]);
    expect(readdirSync(folder).sort()).toEqual(['report.json', 'report.txt']);
    expect(readFileSync(join(folder, 'report.txt'), 'utf8')).toMatch(/32 {2}ADD r\/m8, r8 \[00 \/r\] .* normal \d+/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.each([
  { args: ['--mode', '48'], message: 'Give 16, 32 or 64.' },
  { args: ['--match', '('], message: 'Invalid regular expression' },
  { args: ['--match', 'no such instruction'], message: 'no encoding matches' },
  { args: ['--oracle', 'oracle'], message: 'Allowed choices are model, native, tiers' },
  { args: ['--system', '--sequences'], message: 'exclude each other' },
  { args: ['--system', '--oracle', 'native'], message: 'cannot be judged by the host CPU' },
])('refuses $args in one line', async ({ args, message }) => {
  expect(await runCommandLine(['fuzz', ...args])).toBe(2);
  expect(textOf(errors)).toContain(message);
  expect(textOf(errors).split('\n')).toHaveLength(2);
});
