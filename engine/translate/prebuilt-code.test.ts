import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Form, hostSemanticsName } from '../isa/definition.js';
import { buildOpcodeMap, LEGACY_SIZES, type OpcodeMap } from '../isa/opcode-map.js';
import { INSTRUCTIONS } from '../isa/table.js';
import { generateCode } from './generated-code.js';
import { fromPrebuilt, toPrebuilt } from './prebuilt-code.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** All that the machine uses of a map; meanings only where they are names. */
const plain = ({ entries, forms, hot, outlined, host }: OpcodeMap): string =>
  JSON.stringify({ entries, forms, hot, outlined, host } satisfies OpcodeMap);

describe('prebuilt code', () => {
  const map = buildOpcodeMap(INSTRUCTIONS, LEGACY_SIZES);
  const prebuilt = JSON.parse(JSON.stringify(toPrebuilt(INSTRUCTIONS, new Uint8Array(0)))) as ReturnType<typeof toPrebuilt>;

  it('gives the opcode map that the generator numbers its functions by', () => {
    const restored = fromPrebuilt(prebuilt).map;
    expect(plain(restored)).toBe(plain(map));
    const targets = ({ definition, handler, target }: Form): unknown[] => [
      definition.encoding,
      handler,
      target,
      typeof definition.semantics,
    ];
    expect(restored.forms.map(targets)).toEqual(map.forms.map(targets));
    expect(restored.host.map(({ definition }) => hostSemanticsName(definition))).toEqual(
      map.host.map(({ definition }) => hostSemanticsName(definition)),
    );
  });

  it('cannot be taken for a source of meanings', () => {
    const semantics = fromPrebuilt(prebuilt).map.hot[0]?.definition.semantics as () => void;
    expect(semantics).toThrow('prebuilt code cannot be generated again');
  });

  it.each([0, 1, 2, 3, 4, 255, 256, 257])('keeps %i bytes', (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 89 + 151) & 0xff);
    const { module } = toPrebuilt([], bytes);
    expect(module).toBe(Buffer.from(bytes).toString('base64'));
    expect(fromPrebuilt({ rows: [], module }).bytes).toEqual(bytes);
  });
});

describe('the build', () => {
  it('leaves what the generator makes, and no reason for tsc to keep it after a change', async () => {
    const dist = mkdtempSync(join(tmpdir(), 'replay86-prebuilt-'));
    onTestFinished(() => rmSync(dist, { recursive: true }));
    writeFileSync(join(dist, 'package.json'), '{"type":"module"}');
    const run = (...parameters: string[]): void => void execFileSync(process.execPath, parameters, { cwd: repository, stdio: 'pipe' });
    const buildInfo = join(dist, 'engine.tsbuildinfo');
    run('node_modules/typescript/bin/tsc', '-p', 'engine', '--outDir', dist, '--tsBuildInfoFile', buildInfo);
    expect(existsSync(buildInfo)).toBe(true);
    run('.ci/prebuild.mjs', dist);
    expect(existsSync(buildInfo)).toBe(false);

    const file = join(dist, 'engine', 'translate', 'engine-code.js');
    expect(readFileSync(file, 'utf8')).not.toContain('generated-code');
    const { engineCode } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { engineCode: typeof generateCode };
    const [built, made] = [engineCode(), generateCode()];
    expect(Buffer.compare(built.bytes, made.bytes)).toBe(0);
    expect(plain(built.map)).toBe(plain(made.map));
  });
});
