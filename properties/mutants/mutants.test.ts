/** The tool that tests the tests: that its mutants are what they are said to be, and that a verdict means something. */
import { expect, it } from 'vitest';
import { REPOSITORY, readSources } from '../checks/sources.js';
import { Campaign, type Verdict } from './campaign.js';
import { choose } from './choose.js';
import { EQUIVALENT } from './equivalent.js';
import { CATEGORIES, OPERATORS } from './operators.js';
import { reportOf } from './report.js';
import { classicMutants, isMutated, type Mutant, mutantsOf, mutated, patchOf } from './sites.js';
import { checksFor } from './suite.js';

const sources = readSources(REPOSITORY);
const sites = sources.flatMap(mutantsOf);
const classics = classicMutants(sources);

it('finds what an operator looks for in code, not in comments, strings and imports', () => {
  const text = [
    "import { less } from './a < b.js';",
    '// if (a < b) in a comment',
    "const text = 'a < b';",
    'for (let i = 0; i < 4; i++) {}',
    'const smaller = a < b;',
  ].join('\n');
  const found = mutantsOf({ path: 'engine/devices/example.ts', text });
  expect(found.map(({ id, line }) => [id, line])).toEqual([['devices/example less-or-equal 1', 5]]);
  expect(mutated(text, found[0] as Mutant)).toBe(text.replace('smaller = a < b', 'smaller = a <= b'));
  expect(patchOf(text, found[0] as Mutant)).toBe('-const smaller = a < b;\n+const smaller = a <= b;');
  expect(mutantsOf({ path: 'engine/devices/example.test.ts', text })).toEqual([]);
});

it('has a place for each operator, and a name for each place', () => {
  const used = new Set(sites.map(({ id }) => id.split(' ')[1]));
  expect(OPERATORS.filter(({ name }) => !used.has(name))).toEqual([]);
  const all = [...sites, ...classics];
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(all.filter(({ before, after }) => before === after)).toEqual([]);
  expect(Object.keys(EQUIVALENT).filter((id) => !all.some((mutant) => mutant.id === id))).toEqual([]);
});

it('draws the same mutants for the same seed, some of each kind and of all parts of the engine', () => {
  const chosen = choose(sites, 200, 86);
  expect(chosen.map(({ id }) => id)).toEqual(choose(sites, 200, 86).map(({ id }) => id));
  expect(chosen.map(({ id }) => id)).not.toEqual(choose(sites, 200, 87).map(({ id }) => id));
  expect(new Set(chosen).size).toBe(200);
  for (const category of CATEGORIES) expect(chosen.filter((mutant) => mutant.category === category).length).toBeGreaterThan(8);
  const parts = new Set(chosen.map(({ path }) => path.split('/')[1]));
  for (const part of ['cpu', 'isa', 'translate', 'mmu', 'float', 'devices', 'clock', 'machine.ts']) expect(parts).toContain(part);
});

it('has checks for every file, made of tests that exist', () => {
  const files = sources.filter(({ path }) => isMutated(path));
  expect(files.length).toBeGreaterThan(100);
  for (const { path } of files) {
    const checks = checksFor(path);
    expect(checks.length).toBeGreaterThan(0);
    for (const check of checks) {
      const filters = check.kind === 'tests' ? check.filters : [];
      const missing = filters.filter((filter) => !sources.some((file) => file.path.endsWith('.test.ts') && file.path.includes(filter)));
      expect(missing).toEqual([]);
    }
  }
});

it('kills a mutant that the checks see, and lets one live that they do not', async () => {
  const late = classics.find(({ id }) => id === 'classic an alarm is a tick late') as Mutant;
  const unseen: Mutant = { ...late, id: 'the same', after: `(${late.before})` };
  const campaign = new Campaign(
    () => {},
    () => [{ name: 'clock', kind: 'tests', filters: ['engine/clock'] }],
  );
  let verdicts: Verdict[];
  try {
    verdicts = await campaign.run([late, unseen], 1, () => {});
  } finally {
    campaign.close();
  }
  expect(verdicts.map(({ mutant, killedBy }) => [mutant.id, killedBy])).toEqual([
    [late.id, 'clock'],
    ['the same', undefined],
  ]);
  const report = reportOf(verdicts, sources);
  expect(report).toContain('mutation score: 1 of    2   50.0 %');
  expect(report).toContain('SURVIVED  the same  (skewed clock)\nengine/clock/clock.ts:');
});
