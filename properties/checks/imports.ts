/**
 * Which house may call which (ARCHITECTURE.md, "Houses"): a table, and what in the sources contradicts it. Tests, and what
 * only they use, may import from anywhere. Published code may only import packages that are installed with it.
 */
import { posix } from 'node:path';
import { codeOf, type House, houseOf, isTest, isTestHelper, lineAt, type SourceFile, type Violation } from './sources.js';

/** What a house may import, besides itself. */
const ALLOWED_HOUSES: Record<House, readonly House[]> = {
  engine: [],
  traces: [],
  replay: ['engine', 'traces'],
  properties: ['engine'],
  examples: ['engine', 'traces', 'replay', 'properties'],
};

/** The command line brings the parts together: nothing else of replay/ knows the fuzzer. */
const ALLOWED_BESIDES: readonly (readonly [folder: string, house: House])[] = [['replay/cli/', 'properties']];

/** Examples stand for our users: of another house they see the public entry point only. */
const PUBLIC_ENTRY_ONLY: ReadonlySet<House> = new Set<House>(['examples']);

/** Tools of the repository itself: they are not published, so development packages are theirs to use. */
const UNPUBLISHED = ['examples/', 'properties/checks/', 'properties/mutants/', 'properties/testing/'];

const IMPORT = /(?<![-.\w])(?:from\s*|import\s*\(?\s*)(['"])([^'"\n]+)\1/g;

interface Import {
  readonly specifier: string;
  readonly line: number;
}

export function importsOf(text: string): Import[] {
  const code = codeOf(text, 'keep');
  return [...code.matchAll(IMPORT)].map((match) => ({ specifier: match[2] ?? '', line: lineAt(code, match.index) }));
}

/** `dependencies` are the names under that key in package.json. */
export function importViolations(file: SourceFile, dependencies: ReadonlySet<string>): Violation[] {
  const house = houseOf(file.path);
  if (house === undefined || isTest(file.path) || isTestHelper(file.path)) return [];
  const violations: Violation[] = [];
  for (const { specifier, line } of importsOf(file.text)) {
    const message = specifier.startsWith('.')
      ? houseViolation(file.path, house, specifier)
      : packageViolation(file.path, house, specifier, dependencies);
    if (message !== undefined) violations.push({ path: file.path, line, message });
  }
  return violations;
}

function houseViolation(path: string, house: House, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  const targetHouse = houseOf(target);
  if (targetHouse === undefined) return `'${specifier}' leads out of the houses`;
  if (isTest(target.replace(/\.js$/, '.ts')) || isTestHelper(target)) return `'${specifier}' is for tests only`;
  if (targetHouse === house) return undefined;
  const allowed =
    ALLOWED_HOUSES[house].includes(targetHouse) ||
    ALLOWED_BESIDES.some(([folder, besides]) => path.startsWith(folder) && besides === targetHouse);
  if (!allowed) {
    return `'${specifier}': ${house}/ may not import ${targetHouse}/ (it may import ${ALLOWED_HOUSES[house].join(', ') || 'no other house'})`;
  }
  if (PUBLIC_ENTRY_ONLY.has(house) && target !== `${targetHouse}/index.js`) {
    return `'${specifier}': ${house}/ may import only the public ${targetHouse}/index.js`;
  }
  return undefined;
}

function packageViolation(path: string, house: House, specifier: string, dependencies: ReadonlySet<string>): string | undefined {
  if (house === 'engine') return `'${specifier}': engine/ imports no package and no node: module (law 1)`;
  if (specifier.startsWith('node:') || UNPUBLISHED.some((prefix) => path.startsWith(prefix))) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return dependencies.has(name) ? undefined : `'${name}' is not among the dependencies in package.json, so users would not have it`;
}
