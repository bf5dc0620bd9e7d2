/** `replay86 policy` as people call it. */
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest';
import { POLICY } from '../../engine/policy/policy.js';
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

it('prints a row in words', async () => {
  expect(await runCommandLine(['policy', '--match', '^logic\\.af '])).toBe(0);
  expect(textOf(output)).toBe(`== logic

logic.af
  instructions  AND, OR, XOR, TEST
  when          always
  left open by  SDM 2, AND, OR, XOR, TEST: Flags Affected
  this machine  AF = 0
  AMD           as ours
  Intel         as ours
  excused       AF
`);
});

it('prints every row, in lines of a width for people, and says of each what is excused', async () => {
  expect(await runCommandLine(['policy'])).toBe(0);
  const lines = textOf(output).split('\n');
  for (const { id } of POLICY) expect(lines).toContain(id);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(lines.filter((line) => line.startsWith('  excused '))).toHaveLength(POLICY.length);
  expect(lines.filter((line) => line.startsWith('  excused') && line.trim() === 'excused')).toEqual([]);
  // Rows of a group stand together.
  const groups = lines.filter((line) => line.startsWith('== '));
  expect(new Set(groups).size).toBe(groups.length);
});

it('prints the table as JSON, as it is', async () => {
  expect(await runCommandLine(['policy', '--json'])).toBe(0);
  expect(JSON.parse(textOf(output))).toEqual(JSON.parse(JSON.stringify(POLICY)));
});

it('matches mnemonics, too, in either case', async () => {
  expect(await runCommandLine(['policy', '--json', '--match', '\\bbsf\\b'])).toBe(0);
  const rows: { instructions: string }[] = JSON.parse(textOf(output));
  expect(rows.length).toBeGreaterThan(0);
  for (const { instructions } of rows) expect(instructions).toMatch(/BSF/);
});

it.each([
  { args: ['--match', 'no such row'], message: 'no row of the policy table matches' },
  { args: ['--match', '('], message: 'Invalid regular expression' },
  { args: ['shift'], message: 'too many arguments' },
])('refuses $args in one line', async ({ args, message }) => {
  expect(await runCommandLine(['policy', ...args])).toBe(2);
  expect(textOf(errors)).toContain(message);
  expect(textOf(errors).split('\n')).toHaveLength(2);
});
