import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the core imports nothing of Node, so that it runs in a browser', () => {
  const seen = new Set<string>();
  const outside = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    expect(text, file).not.toMatch(/\b(?:Buffer|process)\./);
    for (const [, name] of text.matchAll(/ from '([^']+)'/g)) {
      if (name.startsWith('./')) visit(name.replace(/\.js$/, '.ts'));
      else outside.add(name);
    }
  };
  visit('./core.ts');
  expect(seen.has('./reader.ts')).toBe(true);
  expect([...outside].sort()).toEqual(['@msgpack/msgpack', 'valibot']);
});
