/** A failure as a test: a file for vitest that fails as long as the two oracles differ. */
import { describeCase } from './case-text.js';
import { type Failure, printFailure } from './failure.js';

const ORACLES: Readonly<Record<string, string>> = {
  engine: "engineOracle('auto')",
  'engine-step': "engineOracle('step')",
  model: 'modelOracle()',
  host: 'createHostOracle()',
};
const IMPORTS: Readonly<Record<string, string>> = {
  engine: 'engineOracle',
  'engine-step': 'engineOracle',
  model: 'modelOracle',
  host: 'createHostOracle',
};

/** A line of the test, not of this file: what looks for imports must not take it for one. */
const importLine = (names: readonly string[], from: string): string => [`import { ${names.join(', ')} }`, `'${from}';`].join(' from ');

/** @param from where the test imports from: 'replay86/properties', or a path to properties/index.js */
export function reproducerOf(failure: Failure, from = 'replay86/properties'): string {
  const { oracles, cause, case: one } = failure;
  const system = one.arena === 'system';
  const names = [
    ...new Set(['compareCase', 'parseCase', ...(system ? ['SYSTEM_WINDOWS'] : []), ...oracles.map((name) => IMPORTS[name] as string)]),
  ].sort();
  const comment = printFailure(failure)
    .split('\n')
    .map((line) => ` * ${line}`.trimEnd());
  return `/*
${comment.join('\n').replaceAll('*/', '* /')}
 */
${importLine(['expect', 'it'], 'vitest')}
${importLine(names, from)}

it(${JSON.stringify(cause)}, () => {
  const [left, right] = [${oracles.map((name) => ORACLES[name]).join(', ')}];
  const one = parseCase(${JSON.stringify(describeCase(one), undefined, 2).replaceAll('\n', '\n  ')}${system ? ', SYSTEM_WINDOWS' : ''});
  expect(compareCase(one, left, right).differences).toEqual([]);
});
`;
}
