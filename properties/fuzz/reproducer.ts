/** A failure as a test: a file for vitest that fails as long as the two oracles differ. */
import { isDeepStrictEqual } from 'node:util';
import type { Case } from '../arbitraries/case.js';
import { SYSTEM_WINDOWS } from '../state/system-arena.js';
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

const FROM = 'replay86/properties';

export interface Reproducer {
  readonly title: string;
  /** What a reader is told first. */
  readonly comment: string;
  readonly oracles: readonly [left: string, right: string];
  readonly case: Case;
}

/** @param from where the test imports from: 'replay86/properties', or a path to properties/index.js */
export const reproducerOf = (failure: Failure, from = FROM): string =>
  reproducerText({ title: failure.cause, comment: printFailure(failure), oracles: failure.oracles, case: failure.case }, from);

/** @param from as for `reproducerOf` */
export function reproducerText({ title, comment, oracles, case: one }: Reproducer, from = FROM): string {
  const windows = windowsText(one);
  const names = [
    ...new Set([
      'compareCase',
      'parseCase',
      ...(windows === SYSTEM_WINDOWS_NAME ? [windows] : []),
      ...oracles.map((name) => IMPORTS[name] as string),
    ]),
  ].sort();
  const lines = comment.split('\n').map((line) => ` * ${line}`.trimEnd());
  return `/*
${lines.join('\n').replaceAll('*/', '* /')}
 */
${importLine(['expect', 'it'], 'vitest')}
${importLine(names, from)}

it(${JSON.stringify(title)}, () => {
  const [left, right] = [${oracles.map((name) => ORACLES[name]).join(', ')}];
  const one = parseCase(${JSON.stringify(describeCase(one), undefined, 2).replaceAll('\n', '\n  ')}${windows === undefined ? '' : `, ${windows}`});
  expect(compareCase(one, left, right).differences).toEqual([]);
});
`;
}

const SYSTEM_WINDOWS_NAME = 'SYSTEM_WINDOWS';

/** The windows as the test names them; undefined for those of the user arena. */
function windowsText({ arena, windows }: Case): string | undefined {
  if (arena === 'user') return undefined;
  // Cases of other threads have windows of their own.
  if (isDeepStrictEqual(windows, SYSTEM_WINDOWS)) return SYSTEM_WINDOWS_NAME;
  return JSON.stringify(windows, undefined, 2).replaceAll('\n', '\n  ');
}
