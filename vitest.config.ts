/**
 * Tests run on the sources. Only for coverage (NODE_V8_COVERAGE is set) are the sources replaced by what tsc made of
 * them: V8 then counts in files whose source maps are right, in child processes and workers too.
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';

const repository = dirname(fileURLToPath(import.meta.url));

/** Sends the import of a source file of ours to its counterpart in dist, where it has one. */
const fromDist: Plugin = {
  name: 'sources-from-dist',
  enforce: 'pre',
  resolveId(specifier, importer) {
    if (importer === undefined || !specifier.startsWith('.') || !specifier.endsWith('.js')) return undefined;
    const built = join(repository, 'dist', relative(repository, resolve(dirname(importer), specifier)));
    return existsSync(built) ? { id: built, external: true } : undefined;
  },
};

const coverage = process.env.NODE_V8_COVERAGE !== undefined;

export default defineConfig({
  plugins: coverage ? [fromDist] : [],
  test: {
    include: ['{engine,traces,replay,properties,examples}/**/*.test.ts'],
    testTimeout: 60_000,
    server: coverage ? { deps: { external: [/\/dist\//] } } : {},
  },
});
