/**
 * The package as a user would get it: packs a build and looks at the result with publint, with attw, and for what
 * neither sees: files that should not be there, and entry points that are missing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from './sources.js';

interface PackedPackage {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

interface Manifest {
  readonly bin: Record<string, string>;
  readonly exports: Record<string, { readonly types: string; readonly default: string }>;
}

const UNWANTED = [
  /\.test\./,
  /\/test-[^/]*$/,
  /\.tsbuildinfo$/,
  /^dist\/\.tests\//,
  /^dist\/examples\//,
  /^dist\/properties\/(?:checks|testing)\//,
];

/** Problems with the list of packed files. `read` gives the text of a file, `exists` tells whether a source is there. */
export function packageProblems(
  files: readonly string[],
  manifest: Manifest,
  read: (path: string) => string,
  exists: (path: string) => boolean,
): string[] {
  const problems: string[] = [];
  const packed = new Set(files);
  for (const path of files) {
    if (UNWANTED.some((pattern) => pattern.test(path))) problems.push(`${path} does not belong into the package`);
    const source = /^dist\/(.*)\.js$/.exec(path)?.[1];
    if (source !== undefined && !exists(`${source}.ts`)) problems.push(`${path} has no source any more: remove dist and build again`);
  }
  const wanted = [...Object.values(manifest.bin), ...Object.values(manifest.exports).flatMap((entry) => [entry.types, entry.default])];
  for (const path of new Set(wanted.map((entry) => entry.replace(/^\.\//, '')))) {
    if (!packed.has(path)) problems.push(`${path}, named in package.json, is missing from the package`);
  }
  for (const path of Object.values(manifest.bin)) {
    if (packed.has(path) && !read(path).startsWith('#!/usr/bin/env node\n'))
      problems.push(`${path} does not start with '#!/usr/bin/env node'`);
  }
  return problems;
}

/** Packs what `npm run build` left in dist, checks it, and returns whether all is well. */
export function checkPackage(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-package-'));
  try {
    const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
      cwd: REPOSITORY,
      encoding: 'utf8',
    });
    if (packed.status !== 0) {
      process.stdout.write(`npm pack failed:\n${packed.stdout}${packed.stderr}`);
      return false;
    }
    const [result] = JSON.parse(packed.stdout) as PackedPackage[];
    if (result === undefined) throw new Error('npm pack has packed nothing');
    const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as Manifest;
    const paths = result.files.map((file) => file.path);
    const problems = packageProblems(
      paths,
      manifest,
      (path) => readFileSync(join(REPOSITORY, path), 'utf8'),
      (path) => existsSync(join(REPOSITORY, path)),
    );
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    const tarball = join(folder, result.filename);
    const tools = [
      ['publint', 'run', tarball, '--strict'],
      ['attw', tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'],
    ];
    const passed = tools.map(([tool = '', ...parameters]) => {
      const run = spawnSync(join(REPOSITORY, 'node_modules', '.bin', tool), parameters, { cwd: REPOSITORY, encoding: 'utf8' });
      if (run.status !== 0) process.stdout.write(`${run.stdout}${run.stderr}`);
      return run.status === 0;
    });
    return problems.length === 0 && passed.every((ok) => ok);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
