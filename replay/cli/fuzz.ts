/**
 * `replay86 fuzz`: a campaign, its live line, its report, and a reproducer and a trace for each failure.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CodeBits,
  caseMachine,
  type Failure,
  type FuzzReport,
  fullReport,
  fuzz,
  type OracleChoice,
  printFailure,
  reportAsData,
  reproducerOf,
  summaryOf,
} from '../../properties/fuzz/index.js';
import { packTraceFile } from '../../traces/index.js';
import { STATUS } from '../exit-status.js';
import { record } from '../record.js';
import { UsageError } from './failure.js';
import { ProgressLine } from './progress-line.js';
import { writeTextFile } from './summary.js';
import { grouped } from './text.js';

export interface FuzzCommandOptions {
  readonly mode?: CodeBits;
  readonly match?: string;
  readonly oracle: OracleChoice;
  readonly sequences?: boolean;
  readonly system?: boolean;
  readonly cases?: number;
  readonly minutes?: number;
  readonly seed?: number;
  readonly workers?: number;
  readonly out?: string;
  readonly json?: boolean;
}

const MODES_32: readonly CodeBits[] = [16, 32];
const ALL_MODES: readonly CodeBits[] = [16, 32, 64];
const SEEDS = 2 ** 32;
/** Shown at the terminal when there is no folder for all of them. */
const FAILURES_SHOWN = 20;
/** More than any case takes, the loading of its state included. */
const TRACE_TICKS = 100_000;

export async function fuzzCommand(options: FuzzCommandOptions): Promise<number> {
  const { mode, match, oracle, sequences = false, system = false, cases, minutes, workers, out, json = false } = options;
  if (sequences && system) throw new UsageError('--sequences and --system exclude each other');
  if (system && oracle === 'native') throw new UsageError('--system cannot be judged by the host CPU: take --oracle model or tiers');
  if (system && mode === 64) throw new UsageError('--system has 16- and 32-bit code only');
  const seed = options.seed ?? Math.floor(Math.random() * SEEDS);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const progress = new ProgressLine();
  try {
    const report = await fuzz({
      modes: mode !== undefined ? [mode] : system ? MODES_32 : ALL_MODES,
      match,
      oracle,
      sequences,
      system,
      seed,
      cases,
      minutes,
      workers,
      signal: interrupt.signal,
      onProgress: ({ seconds, cases: done, covered, targets, failures }) => {
        if (!process.stderr.isTTY) return;
        const speed = grouped(Math.round(done / Math.max(seconds, 0.001)));
        progress.show(`${grouped(done)} cases, ${speed} a second, ${covered} of ${targets} encodings, ${failures} failures`);
      },
    }).catch((error: unknown) => {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    });
    progress.hide();
    if (out !== undefined) await writeReport(report, out);
    process.stdout.write(json ? `${JSON.stringify(reportAsData(report))}\n` : textFor(report, out));
    if (report.problems.length > 0) return STATUS.internal;
    return report.failures.length === 0 ? STATUS.ok : STATUS.differences;
  } finally {
    progress.hide();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function textFor(report: FuzzReport, out: string | undefined): string {
  const { failures, uncovered } = report;
  const parts = [summaryOf(report)];
  for (const failure of failures.slice(0, FAILURES_SHOWN)) parts.push(printFailure(failure));
  if (failures.length > FAILURES_SHOWN) parts.push(`and ${failures.length - FAILURES_SHOWN} more: --out writes all of them`);
  if (uncovered.length > 0) parts.push(`${uncovered.length} encodings not covered${out === undefined ? ': --out lists them' : ''}`);
  if (out !== undefined) parts.push(`report, reproducers and traces are in ${out}`);
  return `${parts.join('\n\n')}\n`;
}

async function writeReport(report: FuzzReport, out: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  writeTextFile(join(out, 'report.txt'), fullReport(report));
  writeTextFile(join(out, 'report.json'), `${JSON.stringify(reportAsData(report), undefined, 2)}\n`);
  for (const [number, failure] of report.failures.entries()) {
    const name = `${String(number + 1).padStart(3, '0')}-${fileName(failure)}`;
    writeTextFile(join(out, `${name}.test.ts`), reproducerOf(failure));
    await writeTrace(failure, out, name);
  }
}

const fileName = ({ cause }: Failure): string =>
  cause
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);

/** The engine's side of the failure on a machine of its own, in a trace that has all it needs. */
async function writeTrace({ case: one }: Failure, out: string, name: string): Promise<void> {
  const machine = caseMachine(one);
  if (machine === undefined) return;
  const { image, address, entry, mode, memoryBytes } = machine;
  const imagePath = join(out, `${name}.bin`);
  const tracePath = join(out, `${name}.trace`);
  writeFileSync(imagePath, image);
  await record({
    config: { boot: { kind: 'raw', image, address, entry, mode }, memoryBytes },
    imagePaths: { raw: imagePath },
    to: tracePath,
    maxTicks: TRACE_TICKS,
  });
  packTraceFile(tracePath, tracePath);
  rmSync(imagePath);
}
