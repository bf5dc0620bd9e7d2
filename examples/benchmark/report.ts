/** Figures of a benchmark run: medians, ratios, geometric means, the table and the JSON file. */
import type { Measurement } from './runners/runner.js';

export interface RunnerResult {
  readonly runner: string;
  readonly checksum: string;
  /** Median over the rounds; undefined when none could be timed. */
  readonly seconds: number | undefined;
  readonly roundSeconds: readonly (number | undefined)[];
  readonly instructions?: number;
}

export interface KernelResult {
  readonly kernel: string;
  readonly title: string;
  readonly iterations: number;
  readonly results: readonly RunnerResult[];
}

export interface Column {
  readonly name: string;
  readonly title: string;
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return sorted.length === 0 ? undefined : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function geometricMean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** @throws Error when the rounds do not agree on the checksum. */
export function summarise(runner: string, measurements: readonly Measurement[]): RunnerResult {
  const checksums = [...new Set(measurements.map(({ checksum }) => checksum))];
  if (checksums.length !== 1) throw new Error(`${runner}: rounds with different checksums ${checksums.join(', ')}`);
  const roundSeconds = measurements.map(({ seconds }) => seconds);
  const instructions = measurements[0]?.instructions;
  return {
    runner,
    checksum: checksums[0] as string,
    seconds: median(roundSeconds.filter((seconds) => seconds !== undefined)),
    roundSeconds,
    ...(instructions === undefined ? {} : { instructions }),
  };
}

/** One line for a kernel whose machines do not agree; undefined when they do. */
export function disagreement({ kernel, results }: KernelResult): string | undefined {
  if (new Set(results.map(({ checksum }) => checksum)).size <= 1) return undefined;
  return `${kernel}: checksums differ: ${results.map(({ runner, checksum }) => `${runner} ${checksum}`).join(', ')}`;
}

function secondsOf(result: KernelResult, runner: string): number | undefined {
  return result.results.find((candidate) => candidate.runner === runner)?.seconds;
}

/** How many times as fast `subject` is as `other`. */
export function speedRatio(result: KernelResult, subject: string, other: string): number | undefined {
  const own = secondsOf(result, subject);
  const theirs = secondsOf(result, other);
  return own === undefined || theirs === undefined || own <= 0 || theirs <= 0 ? undefined : theirs / own;
}

export function meanRatio(results: readonly KernelResult[], subject: string, other: string): number | undefined {
  const ratios = results.map((result) => speedRatio(result, subject, other));
  return geometricMean(ratios.filter((ratio) => ratio !== undefined));
}

function mips(result: KernelResult, runner: string): number | undefined {
  const found = result.results.find((candidate) => candidate.runner === runner);
  if (found?.instructions === undefined || found.seconds === undefined) return undefined;
  return found.instructions / found.seconds / 1e6;
}

const cell = (value: number | undefined, digits: number, unit = ''): string =>
  value === undefined ? '-' : `${value.toFixed(digits)}${unit}`;

/** Seconds by machine, MIPS of the first and of every other that counts, and the first's speed in terms of each other. */
export function table(results: readonly KernelResult[], columns: readonly Column[], subject: string): string {
  const others = columns.filter(({ name }) => name !== subject);
  const counting = columns.filter(({ name }) => results.some((result) => mips(result, name) !== undefined));
  const compared = columns.some(({ name }) => name === subject) ? others : [];
  const head = [
    'kernel',
    ...columns.map(({ title }) => `${title} s`),
    ...counting.map(({ title }) => `${title} MIPS`),
    ...compared.map(({ title }) => `vs ${title}`),
  ];
  const rows = results.map((result) => [
    result.title,
    ...columns.map(({ name }) => cell(secondsOf(result, name), 3)),
    ...counting.map(({ name }) => cell(mips(result, name), 0)),
    ...compared.map(({ name }) => cell(speedRatio(result, subject, name), 2, 'x')),
  ]);
  const mean = [
    'geometric mean',
    ...columns.map(() => ''),
    ...counting.map(({ name }) =>
      cell(geometricMean(results.map((result) => mips(result, name)).filter((value) => value !== undefined)), 0),
    ),
    ...compared.map(({ name }) => cell(meanRatio(results, subject, name), 2, 'x')),
  ];
  const lines = [head, ...rows, mean];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => (line[i] as string).length)));
  const text = lines.map((line) =>
    line
      .map((value, i) => (i === 0 ? value.padEnd(widths[i] as number) : value.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
  const rule = '-'.repeat(Math.max(...text.map((line) => line.length)));
  return [text[0], rule, ...text.slice(1, -1), rule, text.at(-1)].join('\n');
}
