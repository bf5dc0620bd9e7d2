/**
 * `npm run bench`: every kernel on every machine that is there, one after another. Prints a table, exits with 1 when
 * machines disagree on a checksum or one of them fails, with 2 on wrong usage.
 *
 *   npm run bench -- --quick
 *   npm run bench -- --only crc32,sort --rounds 5 --json bench.json
 *   npm run bench -- --startup
 *   npm run bench -- --linux
 *   npm run bench -- --fuzz
 *   npm run bench -- --time-travel --only vmlinux
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type FuzzingSpeed, fuzzingTable, measureFuzzing } from './fuzzing.js';
import { type Kernel, kernels } from './kernels/index.js';
import { type LinuxReport, linuxBoots, linuxTable, linuxUnavailable, measureLinux, recordKernelCommand } from './linux.js';
import { disagreement, type KernelResult, meanRatio, type RunnerResult, summarise, table } from './report.js';
import { childRunner } from './runners/in-child.js';
import { qemuRunner } from './runners/qemu.js';
import type { Runner } from './runners/runner.js';
import { measureStartup, startupTable } from './startup.js';
import { type BreakpointReport, breakpointTable, measureBreakpoint, measureTravel, type TravelReport, travelTable } from './time-travel.js';

const usage = `usage: npm run bench -- [--rounds N] [--only KERNEL,...] [--quick] [--json FILE]
  --rounds N   runs of each kernel on each machine, of which the median counts (default 3)
  --only ...   just these kernels: ${kernels.map(({ name }) => name).join(', ')}
  --quick      a tenth of the iterations and one round: does everything work?
  --json FILE  all figures as JSON
  --startup    instead of all that: how long a tiny guest takes, start of the process included (11 rounds)
  --linux      the Linux boot alone, which otherwise comes last; --only takes ${linuxBoots.map(({ name }) => name).join(', ')}
  --no-linux   all but the Linux boot
  --fuzz       the fuzzer alone, which otherwise comes before the Linux boot: cases a second on one core
  --no-fuzz    all but the fuzzer
  --time-travel  back and forth along the recorded Linux boot, and over a breakpoint; --only as for --linux
`;

/** The machine that the others are compared with. */
const subject = 'replay86';
const quickDivisor = 10;
const startupRounds = 11;

/** v86 with its JIT off and on; QEMU plain and counting instructions, as its own record and replay does. */
const runners: readonly Runner[] = [
  childRunner(subject, 'replay86'),
  childRunner('v86', 'v86'),
  childRunner('v86-jit', 'v86 JIT'),
  qemuRunner('qemu', 'QEMU', []),
  qemuRunner('qemu-icount', 'icount', ['-icount', 'shift=7']),
];

class UsageError extends Error {}

interface Settings {
  readonly chosen: readonly Kernel[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly startup: boolean;
  readonly timeTravel: boolean;
  /** Just this. */
  readonly alone: 'linux' | 'fuzz' | undefined;
  readonly fuzz: boolean;
  readonly boots: typeof linuxBoots;
  readonly jsonFile: string | undefined;
}

function readSettings(): Settings | undefined {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      startup: { type: 'boolean', default: false },
      linux: { type: 'boolean' },
      fuzz: { type: 'boolean' },
      'time-travel': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) throw new UsageError('--rounds takes a number from 1 to 1000');
  const { 'time-travel': timeTravel } = values;
  const names = values.only?.split(',');
  const known: readonly { readonly name: string }[] = values.linux || timeTravel ? linuxBoots : kernels;
  const unknown = names?.find((wanted) => !known.some(({ name }) => name === wanted));
  if (unknown !== undefined) throw new UsageError(`no kernel is called "${unknown}"`);
  const isChosen = ({ name }: { readonly name: string }): boolean => names?.includes(name) ?? true;
  const { quick, startup, json } = values;
  if (values.linux && values.fuzz) throw new UsageError('--linux and --fuzz exclude each other');
  const alone = values.linux ? 'linux' : values.fuzz ? 'fuzz' : undefined;
  // Unless it says otherwise, a choice among the kernels leaves the rest out, and --quick the boots.
  const all = names === undefined && alone === undefined;
  const boots = timeTravel || (values.linux ?? (all && !quick)) ? linuxBoots.filter(isChosen) : [];
  const fuzz = values.fuzz ?? all;
  return { chosen: kernels.filter(isChosen), boots, rounds, quick, startup, timeTravel, alone, fuzz, jsonFile: json };
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function availableRunners(): Promise<Runner[]> {
  const available: Runner[] = [];
  for (const runner of runners) {
    const reason = await runner.unavailable();
    if (reason === undefined) available.push(runner);
    else process.stderr.write(`${runner.title}: skipped, ${reason}\n`);
  }
  return available;
}

async function runKernel(
  kernel: Kernel,
  settings: Settings,
  available: readonly Runner[],
  prefix: string,
  failures: string[],
): Promise<KernelResult> {
  const iterations = settings.quick ? Math.ceil(kernel.iterations / quickDivisor) : kernel.iterations;
  const results: RunnerResult[] = [];
  for (const runner of available) {
    const onRound = (round: number): void => progress(`${prefix} ${kernel.name}: ${runner.title}, round ${round} of ${settings.rounds}`);
    try {
      results.push(summarise(runner.name, await runner.measure({ kernel: kernel.name, iterations }, settings.rounds, onRound)));
    } catch (error) {
      failures.push(`${kernel.name}: ${runner.title} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { kernel: kernel.name, title: kernel.title, iterations, results };
}

function writeJson(
  file: string,
  settings: Settings,
  available: readonly Runner[],
  results: readonly KernelResult[],
  failures: readonly string[],
  fuzzing: readonly FuzzingSpeed[],
  linux: readonly LinuxReport[],
): void {
  const others = available.filter(({ name }) => name !== subject);
  const geometricMeans = Object.fromEntries(others.map(({ name }) => [name, meanRatio(results, subject, name)]));
  const host = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length };
  writeFileSync(
    file,
    `${JSON.stringify({ host, rounds: settings.rounds, quick: settings.quick, kernels: results, geometricMeans, fuzzing, linux, failures }, null, 2)}\n`,
  );
}

async function main(): Promise<number> {
  const settings = readSettings();
  if (settings === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  if (settings.startup) {
    process.stdout.write(`${startupTable(measureStartup(startupRounds))}\n`);
    return 0;
  }
  if (settings.timeTravel) return await runTimeTravel(settings);
  const results: KernelResult[] = [];
  const failures: string[] = [];
  const available = settings.alone === undefined ? await availableRunners() : [];
  if (settings.alone === undefined) await runKernels(settings, available, results, failures);
  const fuzzing = settings.fuzz ? await runFuzzing(settings, failures) : [];
  const linux = await runBoots(settings, failures);
  if (settings.jsonFile !== undefined) writeJson(settings.jsonFile, settings, available, results, failures, fuzzing, linux);
  for (const failure of failures) process.stderr.write(`${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

async function runKernels(settings: Settings, available: readonly Runner[], results: KernelResult[], failures: string[]): Promise<void> {
  for (const [i, kernel] of settings.chosen.entries()) {
    const result = await runKernel(kernel, settings, available, `[${i + 1}/${settings.chosen.length}]`, failures);
    results.push(result);
    const difference = disagreement(result);
    if (difference !== undefined) failures.push(difference);
  }
  progress('');
  process.stdout.write(`${table(results, available, subject)}\n`);
}

async function runFuzzing({ rounds, quick }: Settings, failures: string[]): Promise<FuzzingSpeed[]> {
  const size = { rounds, divisor: quick ? quickDivisor : 1 };
  const speeds = await measureFuzzing(size, progress, (failure) => failures.push(failure));
  progress('');
  process.stdout.write(`\n${fuzzingTable(speeds)}\n`);
  return speeds;
}

async function runTimeTravel({ boots, rounds, jsonFile }: Settings): Promise<number> {
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  const reports: TravelReport[] = [];
  const reason = linuxUnavailable();
  if (reason !== undefined) note(`Linux: skipped, ${reason}`);
  for (const boot of reason === undefined ? boots : []) {
    const report = await measureTravel(boot, rounds, progress);
    progress('');
    process.stdout.write(`${travelTable(report)}\n\n`);
    reports.push(report);
  }
  const breakpoint: BreakpointReport = await measureBreakpoint(recordKernelCommand, progress, note);
  progress('');
  process.stdout.write(`${breakpointTable(breakpoint)}\n`);
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify({ rounds, boots: reports, breakpoint }, null, 2)}\n`);
  return 0;
}

async function runBoots({ boots, rounds }: Settings, failures: string[]): Promise<LinuxReport[]> {
  const reason = boots.length === 0 ? undefined : linuxUnavailable();
  if (reason !== undefined) {
    process.stderr.write(`Linux: skipped, ${reason}\n`);
    return [];
  }
  const reports: LinuxReport[] = [];
  for (const boot of boots) {
    const report = await measureLinux(boot, rounds, progress, (failure) => failures.push(failure));
    progress('');
    process.stdout.write(`\n${linuxTable(report)}\n`);
    reports.push(report);
  }
  return reports;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const wrongUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${wrongUsage ? usage : ''}`);
    process.exitCode = wrongUsage ? 2 : 1;
  },
);
