/**
 * From a mistake in one instruction to a test that shows it: an engine with the mistake, `diff`, and the test run on both engines.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { REPOSITORY } from '../../properties/checks/sources.js';
import { compareCase, engineOracle, modelOracle, parseCase } from '../../properties/index.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-reproducer-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** XOR that does what OR does. */
const MISTAKE = { path: 'engine/isa/arithmetic.ts', before: "['xor', writing(xor), true]", after: "['xor', writing(or), true]" } as const;
const ENVIRONMENT = { ...process.env, NODE_V8_COVERAGE: undefined };

function makeFaultyTree(): void {
  for (const name of ['engine', 'properties', 'package.json']) cpSync(join(REPOSITORY, name), join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'tsconfig.json'), '{}');
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, MISTAKE.path);
  const text = readFileSync(file, 'utf8');
  expect(text.split(MISTAKE.before)).toHaveLength(2);
  writeFileSync(file, text.replace(MISTAKE.before, MISTAKE.after));
}

const node = (cwd: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env: ENVIRONMENT });

it('a mistake in one instruction, as a test that fails with it and passes without', () => {
  makeFaultyTree();
  const out = join(folder, 'properties', 'found');
  const engineFile = join(folder, 'engine', 'index.ts');
  const trace = join(REPOSITORY, 'traces', 'corpus', 'rings.trace');
  const diff = node(REPOSITORY, '--import', 'tsx', 'replay/cli/main.ts', 'diff', trace, '--engine', engineFile, '--out', out);
  expect(diff).toMatchObject({ status: 4, stderr: '' });
  expect(diff.stdout).toMatch(/^ +0008:[0-9a-f]{8} .* xor /m);
  expect(diff.stdout).toContain('one-instruction reproducer: this engine does what the reference model does');

  const file = join(out, 'reproducer.test.ts');
  writeFileSync(file, readFileSync(file, 'utf8').replace("'replay86/properties'", "'../index.js'"));
  const test = node(folder, 'node_modules/vitest/vitest.mjs', 'run', 'properties/found', '--configLoader=runner', '--reporter=tap-flat');
  expect(test.stdout).toMatch(/^not ok 1 .*xor edx, edx: edx, eflags.pf, eflags.zf /m);
  expect(test.stdout).toContain("expected [ { field: 'edx', …(4) }, …(2) ] to deeply equal []");

  const { reproducer } = JSON.parse(readFileSync(join(out, 'difference.json'), 'utf8'));
  const one = parseCase(reproducer.case, reproducer.windows);
  expect(compareCase(one, engineOracle('auto'), modelOracle()).differences).toEqual([]);
}, 120_000);
