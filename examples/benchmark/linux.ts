/**
 * The Linux boot of examples/linux, whole processes from start to power-off: replay86 running, recording and replaying,
 * QEMU the same, and v86. Machines take turns within a round, so that what else the host does falls on all alike.
 *
 * Time is what the process and its threads used of a processor, user and system, by the shell's `times` (POSIX,
 * Shell Command Language): a busy host hardly changes that, while it changes how long one waits.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './report.js';

/** From the source or from what it is compiled to, the repository is the folder with package.json above. */
const repository = fileURLToPath(new URL(import.meta.url.includes('/dist/') ? '../../..' : '../..', import.meta.url));
const images = join(repository, 'examples/linux/build');
const initrd = join(images, 'initramfs.cpio');
const commandLineTool = join(repository, 'dist/replay/cli/main.js');
/** v86 puts the initial RAM disk at 64 MiB, so it needs more than that. */
const memoryMib = 128;
const timeoutMs = 1_800_000;
/** What /init of the guest prints when everything has gone well. */
const sign = 'replay86: demo finished with status 0';
const qemu = 'qemu-system-i386';
const counting = 'shift=7';

export interface LinuxBoot {
  readonly name: string;
  readonly title: string;
  readonly kernel: string;
  readonly append: string;
  /** QEMU wants a PVH note in an ELF kernel, v86 a bzImage. */
  readonly elf: boolean;
}

export const linuxBoots: readonly LinuxBoot[] = [
  { name: 'vmlinux', title: 'vmlinux, no self-tests of ciphers', kernel: 'vmlinux', append: 'console=ttyS0 cryptomgr.notests', elf: true },
  { name: 'vmlinuz', title: 'stock vmlinuz', kernel: 'vmlinuz', append: 'console=ttyS0', elf: false },
];

interface Contestant {
  readonly name: string;
  readonly command: (boot: LinuxBoot, log: string) => readonly string[];
  /** Whether it writes or reads a log of the run, and which. */
  readonly log?: 'trace' | 'rr';
  /** So slow that the first round has to do. */
  readonly once?: boolean;
  readonly elf?: boolean;
}

const own = (boot: LinuxBoot): string[] => [
  ...['--memory', `${memoryMib}M`, '--kernel', join(images, boot.kernel), '--initrd', initrd, '--append', boot.append],
];
export const recordCommand = (boot: LinuxBoot, trace: string): readonly string[] => [
  ...[process.execPath, commandLineTool, 'record', '-o', trace, ...own(boot)],
];
/** Any multiboot kernel. */
export const recordKernelCommand = (kernel: string, trace: string): readonly string[] => [
  ...[process.execPath, commandLineTool, 'record', '-o', trace, '--kernel', kernel],
];
const qemuCommand = (boot: LinuxBoot, ...options: string[]): string[] => [
  ...[qemu, '-accel', 'tcg', '-m', String(memoryMib), '-nodefaults', '-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
  ...['-no-reboot', '-kernel', join(images, boot.kernel), '-initrd', initrd, '-append', boot.append, ...options],
];
const v86Command = (boot: LinuxBoot, jit: string): string[] => [
  ...[process.execPath, '--import', import.meta.resolve('tsx'), fileURLToPath(new URL('./linux-v86.ts', import.meta.url))],
  ...[join(images, boot.kernel), initrd, boot.append, String(memoryMib), jit],
];

const contestants: readonly Contestant[] = [
  { name: 'run', elf: true, command: (boot) => [process.execPath, commandLineTool, 'run', ...own(boot)] },
  {
    name: 'record',
    elf: true,
    log: 'trace',
    command: recordCommand,
  },
  { name: 'replay', elf: true, log: 'trace', command: (_boot, log) => [process.execPath, commandLineTool, 'replay', log] },
  { name: 'QEMU', command: (boot) => qemuCommand(boot) },
  { name: 'QEMU icount', command: (boot) => qemuCommand(boot, '-icount', counting) },
  { name: 'QEMU record', log: 'rr', command: (boot, log) => qemuCommand(boot, '-icount', `${counting},rr=record,rrfile=${log}`) },
  { name: 'QEMU replay', log: 'rr', command: (boot, log) => qemuCommand(boot, '-icount', `${counting},rr=replay,rrfile=${log}`) },
  { name: 'v86 JIT', command: (boot) => v86Command(boot, 'jit') },
  { name: 'v86', once: true, command: (boot) => v86Command(boot, 'interpreter') },
];

interface Cost {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

export interface LinuxResult {
  readonly name: string;
  /** Medians over the rounds. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly rounds: readonly Cost[];
  readonly logBytes?: number;
}

export interface LinuxReport {
  readonly boot: string;
  readonly title: string;
  readonly results: readonly LinuxResult[];
}

/** Processor time of the children, from the two lines that `times` prints: of the shell, and of its children. */
export function childSeconds(times: string): number {
  const ofChildren = times.trim().split('\n')[1] ?? '';
  const parts = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds));
  if (parts.length !== 2) throw new Error(`not what \`times\` prints: ${JSON.stringify(times)}`);
  return (parts[0] as number) + (parts[1] as number);
}

async function runOnce(command: readonly string[], outputFile: string): Promise<Cost> {
  const startMs = performance.now();
  // A pipe may be full, and how QEMU takes that is not in its log: its replay fails. A file is never full.
  const output = openSync(outputFile, 'w');
  // The shell waits for the command and tells on another descriptor what it cost.
  const child = spawn('/bin/sh', ['-c', '"$@"; status=$?; times >&3; exit $status', 'sh', ...command], {
    stdio: ['ignore', output, 'pipe', 'pipe'],
    timeout: timeoutMs,
  });
  closeSync(output);
  let complaints = '';
  let times = '';
  child.stdio[2]?.on('data', (piece: Buffer) => {
    complaints += piece.toString();
  });
  child.stdio[3]?.on('data', (piece: Buffer) => {
    times += piece.toString();
  });
  const status = await new Promise<number | string | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(signal ?? status));
  });
  const wallSeconds = (performance.now() - startMs) / 1000;
  if (status !== 0 || !readFileSync(outputFile, 'latin1').includes(sign)) {
    throw new Error(`ended with ${status}: ${complaints.trim().split('\n').at(-1) || 'the guest did not finish its script'}`);
  }
  return { cpuSeconds: childSeconds(times), wallSeconds };
}

function available(contestant: Contestant, boot: LinuxBoot): boolean {
  if (boot.elf && contestant.elf !== true) return false;
  return !contestant.name.startsWith('QEMU') || spawnSync(qemu, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Why there is nothing to measure here, or undefined. */
export function linuxUnavailable(): string | undefined {
  if (!existsSync(join(images, 'SHA256SUMS'))) return 'its images are not there (run examples/linux/fetch.sh)';
  return existsSync(commandLineTool) ? undefined : 'dist is not there (run `npm run build`)';
}

/** A contestant that fails is left out; `onFailure` hears of it. */
export async function measureLinux(
  boot: LinuxBoot,
  rounds: number,
  onRound: (text: string) => void,
  onFailure: (text: string) => void,
): Promise<LinuxReport> {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-bench-'));
  const taken = new Map(contestants.filter((contestant) => available(contestant, boot)).map((contestant) => [contestant, [] as Cost[]]));
  const logBytes: Partial<Record<'trace' | 'rr', number>> = {};
  try {
    for (let round = 1; round <= rounds; round++) {
      // Every other round goes backwards: who comes first has no advantage.
      const order = round % 2 === 1 ? [...taken] : [...taken].reverse();
      for (const [contestant, costs] of order) {
        const { name, log, once = false, command } = contestant;
        if (once && round > 1) continue;
        onRound(`${boot.name}: ${name}, round ${round} of ${once ? 1 : rounds}`);
        const logFile = join(folder, log ?? 'none');
        try {
          costs.push(await runOnce(command(boot, logFile), join(folder, 'output')));
          if (log !== undefined) logBytes[log] = statSync(logFile).size;
        } catch (error) {
          onFailure(`${boot.name}: ${name} ${error instanceof Error ? error.message : String(error)}`);
          taken.delete(contestant);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const results = [...taken].map(([{ name, log }, costs]): LinuxResult => {
    const bytes = log === undefined ? undefined : logBytes[log];
    return {
      name,
      cpuSeconds: median(costs.map(({ cpuSeconds }) => cpuSeconds)) as number,
      wallSeconds: median(costs.map(({ wallSeconds }) => wallSeconds)) as number,
      rounds: costs,
      ...(bytes === undefined ? {} : { logBytes: bytes }),
    };
  });
  return { boot: boot.name, title: boot.title, results };
}

/** How many times as much processor time one needs as the other. */
export function cpuRatio(results: readonly LinuxResult[], numerator: string, denominator: string): number | undefined {
  const [above, below] = [numerator, denominator].map((wanted) => results.find(({ name }) => name === wanted)?.cpuSeconds);
  return above === undefined || below === undefined ? undefined : above / below;
}

/** Seconds, the ratio to `replay86 run`, the size of the log; and what recording and replaying cost. */
export function linuxTable({ title, results }: LinuxReport): string {
  const line = (name: string, ...values: string[]): string =>
    (name.padEnd(14) + values.map((value) => value.padStart(12)).join('')).trimEnd();
  const rows = results.map(({ name, cpuSeconds, wallSeconds, logBytes }) =>
    line(
      name,
      cpuSeconds.toFixed(2),
      wallSeconds.toFixed(2),
      `${(cpuRatio(results, name, 'run') ?? Number.NaN).toFixed(2)}x`,
      logBytes === undefined ? '' : String(logBytes),
    ),
  );
  const overhead = (text: string, ratio: number | undefined): string[] =>
    ratio === undefined ? [] : [`${text}: ${((ratio - 1) * 100).toFixed(1)} %`];
  return [
    title,
    line('', 'CPU s', 'wall s', 'CPU to run', 'log bytes'),
    ...rows,
    ...overhead('recording over running', cpuRatio(results, 'record', 'run')),
    ...overhead('replaying over recording', cpuRatio(results, 'replay', 'record')),
    ...overhead('QEMU recording over -icount', cpuRatio(results, 'QEMU record', 'QEMU icount')),
  ].join('\n');
}
