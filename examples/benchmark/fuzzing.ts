/**
 * How many cases a second the fuzzer compares on one core, generation and comparison included: the engine against the
 * reference model, against the host CPU and between its tiers, and the host CPU alone.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FuzzingAnswer, FuzzingJob, FuzzingOrder, FuzzingRound } from './fuzzing-child.js';
import { median } from './report.js';

const INTEGER = ['integer'];
const X87 = ['x87'];
const SIMD = ['mmx', 'sse'];

const jobs: readonly (FuzzingJob & { readonly name: string })[] = [
  ...([16, 32, 64] as const).flatMap((bits) => [
    { name: `model, integer, ${bits} bit`, oracle: 'model' as const, modes: [bits], families: INTEGER },
    { name: `model, x87, ${bits} bit`, oracle: 'model' as const, modes: [bits], families: X87 },
    { name: `model, MMX and SSE, ${bits} bit`, oracle: 'model' as const, modes: [bits], families: SIMD },
    { name: `model, all, ${bits} bit`, oracle: 'model' as const, modes: [bits] },
  ]),
  { name: 'model, sequences', oracle: 'model', modes: [16, 32, 64], kind: 'sequences' },
  { name: 'model, system', oracle: 'model', modes: [16, 32], kind: 'system' },
  { name: 'step tier, all', oracle: 'tiers', modes: [16, 32, 64] },
  ...([16, 32, 64] as const).map((bits) => ({ name: `host CPU, all, ${bits} bit`, oracle: 'native' as const, modes: [bits] })),
  { name: 'host CPU alone, all', oracle: 'host', modes: [16, 32, 64] },
];

const SHAPES = 500;
/** Sequences and system cases take as much longer. */
const SHAPES_OF_KIND = 100;
const TIMEOUT_MS = 600_000;

export interface FuzzingSpeed {
  readonly name: string;
  /** Medians of the rounds. The helper of the host CPU is in the second only. */
  readonly casesPerCpuSecond: number;
  readonly casesPerWallSecond: number;
}

/** @param onFailure an oracle that is not there, or a child that breaks down */
export async function measureFuzzing(
  { rounds, divisor }: { readonly rounds: number; readonly divisor: number },
  onProgress: (text: string) => void,
  onFailure: (text: string) => void,
): Promise<FuzzingSpeed[]> {
  const speeds: FuzzingSpeed[] = [];
  for (const [i, { name, ...job }] of jobs.entries()) {
    onProgress(`[${i + 1}/${jobs.length}] fuzzing, ${name}`);
    const shapes = Math.ceil((job.kind === undefined ? SHAPES : SHAPES_OF_KIND) / divisor);
    try {
      const measured = await inChild({ job, shapes, rounds });
      const middle = (secondsOf: (round: FuzzingRound) => number): number =>
        median(measured.map((round) => round.cases / secondsOf(round))) as number;
      speeds.push({
        name,
        casesPerCpuSecond: middle(({ cpuSeconds }) => cpuSeconds),
        casesPerWallSecond: middle(({ wallSeconds }) => wallSeconds),
      });
    } catch (error) {
      onFailure(`fuzzing, ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return speeds;
}

/** The child's program stands beside this file, as source or compiled. */
function inChild(order: FuzzingOrder): Promise<readonly FuzzingRound[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url).replace(/fuzzing(\.[jt]s)$/, 'fuzzing-child$1'));
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    let answer: FuzzingAnswer | undefined;
    child.on('message', (message: FuzzingAnswer) => {
      answer = message;
    });
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      if (answer !== undefined && 'rounds' in answer) resolve(answer.rounds);
      else reject(new Error(answer === undefined ? `ended with ${signal ?? status}` : answer.error));
    });
    child.send(order);
  });
}

export function fuzzingTable(speeds: readonly FuzzingSpeed[]): string {
  const line = (name: string, cpu: string, wall: string): string => `${name.padEnd(32)}${cpu.padStart(16)}${wall.padStart(16)}`;
  const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');
  const rows = speeds.map(({ name, casesPerCpuSecond, casesPerWallSecond }) =>
    line(name, grouped(casesPerCpuSecond), grouped(casesPerWallSecond)),
  );
  return [line('fuzzing: cases on one core', 'per CPU second', 'per second'), ...rows].join('\n');
}
