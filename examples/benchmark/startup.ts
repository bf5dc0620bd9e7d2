/**
 * How long a tiny guest takes from the start of the process to its end, import included, with the package as
 * `npm run build` has left it in `dist`; and Node alone, which is part of that.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from './report.js';

/** From the source or from what it is compiled to, the repository is the folder with package.json above. */
const repository = fileURLToPath(new URL(import.meta.url.includes('/dist/') ? '../../..' : '../..', import.meta.url));

/** MOV AL,'!'; OUT E9h,AL; MOV AL,0; OUT F4h,AL. */
const guest = (entryPoint: string): string => `
  import { createMachine } from '${entryPoint}';
  const image = Uint8Array.of(0xb0, 0x21, 0xe6, 0xe9, 0xb0, 0x00, 0xe6, 0xf4);
  const machine = createMachine({ boot: { kind: 'raw', image, address: 0x7c00, entry: 0x7c00, mode: 'real' } });
  let output = '';
  machine.onDebugConsole = (byte) => { output += String.fromCharCode(byte); };
  const end = machine.run({});
  if (output !== '!' || end.kind !== 'debugExit' || end.value !== 0) throw new Error(output + JSON.stringify(end));
`;
const reportCpu = 'const { user, system } = process.cpuUsage(); process.stdout.write(String((user + system) / 1000));';

const programs = [
  { name: 'node alone', text: '' },
  { name: 'replay86/engine', text: guest('replay86/engine') },
  { name: 'replay86', text: guest('replay86') },
] as const;

export interface StartupTime {
  readonly name: string;
  /** Medians, as are the CPU times: user and system, of all threads. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The quickest round: what the machine does when nothing else runs on it. */
  readonly leastWallMs: number;
}

/** @throws Error when `dist` is not what `npm run build` makes, or a guest fails. */
export function measureStartup(rounds: number): StartupTime[] {
  const code = readFileSync(`${repository}/dist/engine/translate/engine-code.js`, 'utf8');
  if (!code.includes('prebuilt-code.js')) throw new Error('dist was not left by `npm run build`: run that first');
  const taken = programs.map(() => ({ wallMs: [] as number[], cpuMs: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    programs.forEach(({ name, text }, i) => {
      const startMs = performance.now();
      // The repository as working directory makes the package's own name known to the program.
      const run = spawnSync(process.execPath, ['--input-type=module', '--eval', text + reportCpu], { cwd: repository, encoding: 'utf8' });
      taken[i]?.wallMs.push(performance.now() - startMs);
      if (run.status !== 0) throw new Error(`${name}: ${run.stderr}`);
      taken[i]?.cpuMs.push(Number(run.stdout));
    });
  }
  return programs.map(({ name }, i) => {
    const { wallMs, cpuMs } = taken[i] as (typeof taken)[number];
    return { name, wallMs: median(wallMs) as number, cpuMs: median(cpuMs) as number, leastWallMs: Math.min(...wallMs) };
  });
}

export function startupTable(times: readonly StartupTime[]): string {
  const line = (name: string, ...values: string[]): string => name.padEnd(16) + values.map((value) => value.padStart(12)).join('');
  const rows = times.map(({ name, wallMs, leastWallMs, cpuMs }) => line(name, ...[wallMs, leastWallMs, cpuMs].map((ms) => ms.toFixed(0))));
  return [line('start to end, ms', 'median', 'least', 'median CPU'), ...rows].join('\n');
}
