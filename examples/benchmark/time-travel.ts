/**
 * Going back and forth along the recorded Linux boot of examples/linux: what the checkpoints cost, how long opening, seeking,
 * stepping back and asking for a last write take, and going back over a breakpoint that is hit 100,000 times in ten million
 * ticks. Beside it what QEMU's reverse debugging takes, where that works.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LinuxBoot, recordCommand } from './linux.js';
import { median } from './report.js';
import type { BreakpointTimes, Cost, Exploration, TravelAnswer, TravelFigures, TravelOrder, Travels } from './time-travel-child.js';
import { buildLoopGuest, loopHits } from './time-travel-guest.js';
import { measureQemuTravel, type QemuTravel } from './time-travel-qemu.js';

const POINTS = 200;
const QUERIES = 50;
const SEED = 86;
const TIMEOUT_MS = 1_800_000;

export interface TravelReport {
  readonly boot: string;
  readonly title: string;
  /** Medians of the rounds. */
  readonly replay: Cost;
  readonly explore: Cost;
  /** What exploring takes over replaying in the same round, the median. */
  readonly overhead: { readonly cpu: number; readonly wall: number };
  readonly exploration: Exploration;
  readonly travels: Travels;
}

export interface BreakpointReport {
  readonly own: BreakpointTimes;
  readonly qemu: QemuTravel | undefined;
}

/** The child's program stands beside this file, as source or compiled. */
function inChild<T extends TravelFigures>(order: TravelOrder): Promise<T> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(fileURLToPath(import.meta.url).replace(/time-travel(\.[jt]s)$/, 'time-travel-child$1'));
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    let answer: TravelAnswer | undefined;
    child.on('message', (message: TravelAnswer) => {
      answer = message;
    });
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      if (answer !== undefined && 'figures' in answer) resolve(answer.figures as T);
      else reject(new Error(answer === undefined ? `ended with ${signal ?? status}` : answer.error));
    });
    child.send(order);
  });
}

function recordWith([program = '', ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', timeout: TIMEOUT_MS });
  // The guest of the breakpoints writes 0 to port F4h: status 1.
  if (status !== 0 && status !== 1) throw new Error(`recording ended with ${status}: ${stderr.trim().split('\n').at(-1)}`);
}

async function inFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-bench-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function measureTravel(boot: LinuxBoot, rounds: number, onStep: (text: string) => void): Promise<TravelReport> {
  return inFolder(async (folder) => {
    const trace = join(folder, 'boot.trace');
    onStep(`${boot.name}: recording`);
    recordWith(recordCommand(boot, trace));
    const [replays, explorations]: [Cost[], Exploration[]] = [[], []];
    for (let round = 1; round <= rounds; round++) {
      onStep(`${boot.name}: replaying and exploring, round ${round} of ${rounds}`);
      // What exploring leaves is for the next opening, not for the next round.
      rmSync(`${trace}.checkpoints`, { force: true });
      const both = [
        async () => void replays.push(await inChild<Cost>({ job: 'replay', trace })),
        async () => void explorations.push(await inChild<Exploration>({ job: 'explore', trace })),
      ];
      for (const one of round % 2 === 1 ? both : both.reverse()) await one();
    }
    onStep(`${boot.name}: going to ${POINTS} places, asking ${QUERIES} questions`);
    const travels = await inChild<Travels>({ job: 'travel', trace, points: POINTS, queries: QUERIES, seed: SEED });
    const exploration = explorations[0] as Exploration;
    const over = (seconds: (cost: Cost) => number): number =>
      median(explorations.map((one, round) => seconds(one) / seconds(replays[round] as Cost) - 1)) as number;
    const overhead = { cpu: over(({ cpuSeconds }) => cpuSeconds), wall: over(({ wallSeconds }) => wallSeconds) };
    const [replay, explore] = [medianCost(replays), medianCost(explorations)];
    return { boot: boot.name, title: boot.title, replay, explore, overhead, exploration, travels };
  });
}

export function measureBreakpoint(
  command: (kernel: string, trace: string) => readonly string[],
  onStep: (text: string) => void,
  onNote: (text: string) => void,
): Promise<BreakpointReport> {
  return inFolder(async (folder) => {
    const guest = buildLoopGuest();
    const address = guest.labels.get('hit') as number;
    const [kernel, trace] = [join(folder, 'loop.bin'), join(folder, 'loop.trace')];
    writeFileSync(kernel, guest.bytes);
    onStep('breakpoint: going back over it');
    recordWith(command(kernel, trace));
    const own = await inChild<BreakpointTimes>({ job: 'breakpoint', trace, address });
    if (own.hits !== loopHits) throw new Error(`the breakpoint was met ${own.hits} times, not ${loopHits}`);
    onStep('breakpoint: the same in QEMU');
    let qemu: QemuTravel | undefined;
    try {
      qemu = await measureQemuTravel(folder, kernel, address);
    } catch (error) {
      onNote(`QEMU: no reverse debugging to compare with, ${error instanceof Error ? error.message : String(error)}`);
    }
    return { own, qemu };
  });
}

function medianCost(costs: readonly Cost[]): Cost {
  const middle = (value: (cost: Cost) => number): number => median(costs.map(value)) as number;
  return { cpuSeconds: middle(({ cpuSeconds }) => cpuSeconds), wallSeconds: middle(({ wallSeconds }) => wallSeconds) };
}

/** The smallest value that this part of all values does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

const WIDTH = 50;
const line = (name: string, ...values: string[]): string =>
  (name.padEnd(WIDTH) + values.map((value) => value.padStart(12)).join('')).trimEnd();
const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 0);
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const spread = (name: string, costs: readonly Cost[]): string => {
  const wall = costs.map(({ wallSeconds }) => wallSeconds * 1000);
  const cpu = costs.map(({ cpuSeconds }) => cpuSeconds * 1000);
  return line(name, ...[0.5, 0.98, 0.99, 1].map((part) => ms(quantile(wall, part))), ...[0.5, 0.99].map((part) => ms(quantile(cpu, part))));
};
const sum = (a: Cost, b: Cost): Cost => ({ cpuSeconds: a.cpuSeconds + b.cpuSeconds, wallSeconds: a.wallSeconds + b.wallSeconds });

const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)} %`;

export function travelTable({ title, replay, explore, overhead, exploration, travels }: TravelReport): string {
  const { ticks, checkpoints, checkpointBytes, fileBytes, keepSeconds } = exploration;
  const { opening, seeks, reverseSteps, lastWrites, found } = travels;
  const both = seeks.map((seek, index) => sum(seek, reverseSteps[index] as Cost));
  return [
    `time travel: ${title}, ${(ticks / 1e9).toFixed(2)} thousand million ticks`,
    line('', 'CPU s', 'wall s'),
    ...(
      [
        ['replaying', replay],
        ['exploring', explore],
      ] as const
    ).map(([name, { cpuSeconds, wallSeconds }]) => line(name, cpuSeconds.toFixed(2), wallSeconds.toFixed(2))),
    `checkpoints over replaying: ${percent(overhead.cpu)} CPU, ${percent(overhead.wall)} wall; ${checkpoints} in ${mib(checkpointBytes)}, kept in ${mib(fileBytes)} in ${keepSeconds.toFixed(1)} s`,
    line('ms', 'p50', 'p98', 'p99', 'max', 'CPU p50', 'CPU p99'),
    spread('opening, with checkpoints kept', [opening]),
    spread(`going to a random tick (${seeks.length})`, seeks),
    spread('one step back from there', reverseSteps),
    spread('both', both),
    spread(`last write of a random byte (${lastWrites.length}, ${found} found)`, lastWrites),
  ].join('\n');
}

export function breakpointTable({ own, qemu }: BreakpointReport): string {
  const row = (name: string, { wallSeconds, cpuSeconds }: Cost, other?: number): string =>
    line(name, ms(wallSeconds * 1000), ms(cpuSeconds * 1000), other === undefined ? '-' : ms(other));
  return [
    line('time travel: ten million ticks, ms', 'replay86', 'its CPU', 'QEMU'),
    row(`back to the last of ${own.hits} hits of a breakpoint`, own.last, qemu?.breakpointMs),
    row('back to the beginning, a condition never true', own.all),
    ...(qemu?.reverseSteps ?? []).map(({ part, ms: value }) =>
      line(`one step back at ${(part * 100).toFixed(0)} % of the run`, '', '', ms(value)),
    ),
  ].join('\n');
}
