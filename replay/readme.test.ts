/** The program in README.md runs, and prints what its comments say. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('prints what its comments say', () => {
  const program = /```ts\n([^`]*)```/.exec(readme)?.[1] as string;
  const fromSource = program
    .replace("from 'replay86'", `from '${new URL('index.ts', import.meta.url).href}'`)
    .replace("from 'replay86/engine'", `from '${new URL('../engine/index.ts', import.meta.url).href}'`);
  const folder = mkdtempSync(join(tmpdir(), 'readme-'));
  try {
    writeFileSync(join(folder, 'program.mts'), fromSource);
    const printed = execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), 'program.mts'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(printed.trimEnd().split('\n')).toEqual(['7c02', 'A', "{ kind: 'debugExit', value: 65 }", 'A', 'true', 'undefined true']);
    for (const text of ['// 7c02', '// A, twice', "// { kind: 'debugExit', value: 65 }", '// true', '// undefined true'])
      expect(program).toContain(text);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
