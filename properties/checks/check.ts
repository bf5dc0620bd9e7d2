/**
 * `npm run check`: everything that can be known without running a guest. Runs all checks, or those named on the
 * command line, shows what each has found and ends with a table; the exit status says whether all have passed.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { headViolations } from './heads.js';
import { importViolations } from './imports.js';
import { lawViolations } from './laws.js';
import { checkPackage } from './package.js';
import { REPOSITORY, readSources, type SourceFile, type Violation } from './sources.js';

interface Check {
  readonly name: string;
  readonly what: string;
  readonly run: () => boolean;
}

function tool(name: string, ...parameters: string[]): () => boolean {
  return () => spawnSync(join(REPOSITORY, 'node_modules', '.bin', name), parameters, { cwd: REPOSITORY, stdio: 'inherit' }).status === 0;
}

function sources(violationsOf: (file: SourceFile) => Violation[]): () => boolean {
  return () => {
    const violations = readSources(REPOSITORY).flatMap(violationsOf);
    for (const { path, line, message } of violations) process.stdout.write(`${path}:${line}: ${message}\n`);
    return violations.length === 0;
  };
}

const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
const dependencies = new Set(Object.keys(manifest.dependencies));

const CHECKS: readonly Check[] = [
  { name: 'types', what: 'TypeScript, all houses and tests', run: tool('tsc', '-b') },
  {
    name: 'lint',
    what: 'Biome: lint, format, globals of the engine',
    run: tool('biome', 'ci', '--max-diagnostics=200', '--error-on-warnings', `--colors=${process.stdout.isTTY ? 'force' : 'off'}`),
  },
  { name: 'imports', what: 'import directions between the houses', run: sources((file) => importViolations(file, dependencies)) },
  { name: 'laws', what: 'laws of the engine', run: sources(lawViolations) },
  { name: 'heads', what: 'file heads', run: sources(headViolations) },
  { name: 'dead', what: 'knip: dead files, exports and dependencies', run: tool('knip') },
  { name: 'package', what: 'publint and attw on the packed build', run: checkPackage },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CHECKS.some((check) => check.name === name));
if (unknown.length > 0) {
  process.stderr.write(`No check is called ${unknown.join(', ')}. There are: ${CHECKS.map((check) => check.name).join(', ')}\n`);
  process.exit(2);
}

const lines: string[] = [];
let failures = 0;
for (const check of CHECKS) {
  if (wanted.length > 0 && !wanted.includes(check.name)) continue;
  process.stdout.write(`\n== ${check.name}: ${check.what}\n`);
  const startMs = Date.now();
  const passed = check.run();
  if (!passed) failures++;
  lines.push(
    `${passed ? 'passed' : 'FAILED'}  ${check.name.padEnd(8)} ${((Date.now() - startMs) / 1000).toFixed(1).padStart(5)} s  ${check.what}`,
  );
}
process.stdout.write(`\n${lines.join('\n')}\n`);
process.exitCode = failures === 0 ? 0 : 1;
