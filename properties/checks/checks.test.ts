import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { headViolations } from './heads.js';
import { importsOf, importViolations } from './imports.js';
import { lawViolations } from './laws.js';
import { packageProblems } from './package.js';
import { codeOf, readSources, type SourceFile } from './sources.js';

const file = (path: string, text: string): SourceFile => ({ path, text });
const DEPENDENCIES = new Set(['commander', '@msgpack/msgpack']);
const importing = (path: string, specifier: string): string[] =>
  importViolations(file(path, `import { x } from '${specifier}';\n`), DEPENDENCIES).map((violation) => violation.message);

describe('codeOf', () => {
  it('blanks comments and keeps every line and column', () => {
    expect(codeOf('a // b\n/* c\n d */ e', 'keep')).toBe('a     \n    \n      e');
  });

  it('blanks the contents of strings and regular expressions on request', () => {
    expect(codeOf(`f('a//b', "c", /['"]/g, d / e / g)`, 'blank')).toBe(`f('    ', " ", /     g, d / e / g)`);
    expect(codeOf(`f('a//b')`, 'keep')).toBe(`f('a//b')`);
  });

  it('keeps the expressions of template literals', () => {
    expect(codeOf('`a ${b({ c: `d ${e}` })} f` + g', 'blank')).toBe('`  ${b({ c: `  ${e}` })}  ` + g');
  });
});

describe('import directions', () => {
  it('finds every kind of import, and none in comments', () => {
    const text = [
      `import './a.js';`,
      `import type { B } from "./b.js";`,
      `export * from './c.js';`,
      `// import './no.js'`,
      `import {\n  d,\n} from './d.js';`,
      `const e = await import('./e.js');`,
    ].join('\n');
    expect(importsOf(text).map((found) => `${found.line} ${found.specifier}`)).toEqual([
      '1 ./a.js',
      '2 ./b.js',
      '3 ./c.js',
      '7 ./d.js',
      '8 ./e.js',
    ]);
  });

  it('takes no call or option for an import', () => {
    expect(importsOf(`Buffer.from('MAGIC'); run(['--import', 'tsx', 'a']);`)).toEqual([]);
  });

  it.each([
    ['engine/cpu/a.ts', '../clock/clock.js'],
    ['replay/a.ts', '../engine/index.js'],
    ['replay/cli/a.ts', '../../traces/reader.js'],
    ['replay/cli/a.ts', 'commander'],
    ['traces/a.ts', '@msgpack/msgpack'],
    ['traces/a.ts', 'node:zlib'],
    ['properties/a.ts', '../engine/cpu/layout.js'],
    ['properties/testing/a.ts', 'vitest'],
    ['examples/race/demo.ts', '../../replay/index.js'],
    ['examples/benchmark/bench.ts', 'v86'],
    ['traces/a.test.ts', '../replay/record.js'],
    ['engine/devices/test-bench.ts', '../boot/test-images.js'],
  ])('lets %s import %s', (path, specifier) => {
    expect(importing(path, specifier)).toEqual([]);
  });

  it.each([
    ['engine/a.ts', '../traces/index.js', 'engine/ may not import traces/'],
    ['engine/a.ts', 'node:fs', 'engine/ imports no package'],
    ['engine/a.ts', 'commander', 'engine/ imports no package'],
    ['traces/a.ts', '../engine/config.js', 'traces/ may not import engine/'],
    ['replay/a.ts', '../properties/index.js', 'replay/ may not import properties/'],
    ['properties/a.ts', '../traces/index.js', 'properties/ may not import traces/'],
    ['examples/race/demo.ts', '../../replay/record.js', 'only the public replay/index.js'],
    ['replay/a.ts', '../dist/engine/index.js', 'leads out of the houses'],
    ['replay/a.ts', './b.test.js', 'for tests only'],
    ['engine/a.ts', './devices/test-bench.js', 'for tests only'],
    ['replay/a.ts', 'fast-check', 'not among the dependencies'],
    ['replay/a.ts', '@other/scoped/deep', "'@other/scoped' is not among"],
  ])('does not let %s import %s', (path, specifier, message) => {
    expect(importing(path, specifier)).toEqual([expect.stringContaining(message)]);
  });
});

describe('laws of the engine', () => {
  const laws = (text: string, path = 'engine/a.ts') => lawViolations(file(path, text)).map((violation) => violation.line);

  it.each([
    'Math.random()',
    'Math . random()',
    'Math.sin(1)',
    'Math.log2(8)',
    'Math.pow(2, 3)',
    'async function f() {}',
    'const f = async (x) => x',
    'await x',
    "import('./a.js')",
    'import.meta.url',
    "new Function('x')",
    "a.localeCompare('b')",
    '// @ts-ignore',
  ])('finds %s', (text) => {
    expect(laws(`\n${text}`)).toEqual([2]);
  });

  it.each(['Math.floor(1)', '// Math.random()', "'Math.random()'", 'Math.sqrt(2)', 'asynchronous(reset)', 'Math.imul(2, 3)'])(
    'lets %s pass',
    (text) => {
      expect(laws(text)).toEqual([]);
    },
  );

  it('binds the engine only, and not its tests', () => {
    expect(laws('Math.random()', 'replay/a.ts')).toEqual([]);
    expect(laws('Math.random()', 'engine/a.test.ts')).toEqual([]);
  });
});

describe('file heads', () => {
  const heads = (path: string, text: string) => headViolations(file(path, text)).length;

  it('wants a comment first, after a shebang if there is one', () => {
    expect(heads('engine/a.ts', '/** A. */\nexport {};')).toBe(0);
    expect(heads('engine/a.ts', '#!/usr/bin/env node\n// A.\nexport {};')).toBe(0);
    expect(heads('engine/a.ts', 'export {};\n// A.')).toBe(1);
    expect(heads('engine/a.test.ts', 'export {};')).toBe(0);
  });

  it('finds notes of unfinished work', () => {
    expect(heads('engine/a.test.ts', `it();\n// ${'TO'}${'DO'}: more`)).toBe(1);
  });
});

describe('the package', () => {
  const manifest = {
    bin: { tool: 'dist/cli.js' },
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
  };
  const good = ['package.json', 'dist/cli.js', 'dist/index.js', 'dist/index.d.ts'];
  const problems = (files: readonly string[], text = '#!/usr/bin/env node\n', sources: (path: string) => boolean = () => true) =>
    packageProblems(files, manifest, () => text, sources);

  it('passes when all is there and nothing else', () => {
    expect(problems(good)).toEqual([]);
  });

  it('names what is missing, unwanted, stale, or cannot be executed', () => {
    expect(problems(good.slice(0, 3))).toEqual([expect.stringContaining('dist/index.d.ts')]);
    expect(problems([...good, 'dist/a.test.js'])).toEqual([expect.stringContaining('dist/a.test.js')]);
    expect(problems(good, 'import x;')).toEqual([expect.stringContaining('dist/cli.js does not start')]);
    expect(problems(good, undefined, (path) => path !== 'index.ts')).toEqual([expect.stringContaining('dist/index.js has no source')]);
  });
});

it('reads the sources of all houses', () => {
  const paths = readSources(fileURLToPath(new URL('../..', import.meta.url))).map((source) => source.path);
  expect(paths).toContain('engine/config.ts');
  expect(paths).toContain('properties/checks/checks.test.ts');
  expect(paths.filter((path) => path.includes('node_modules') || path.startsWith('dist'))).toEqual([]);
});
