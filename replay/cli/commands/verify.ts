/**
 * `replay86 verify`
 */
import pc from 'picocolors';
import type { Tier } from '../../../engine/index.js';
import { quote } from '../../../traces/index.js';
import { junitReport } from '../../junit.js';
import { findTraces, type Verdict, verifyStatus, verify as verifyTraces } from '../../verify.js';
import { UsageError } from '../failure.js';
import { ProgressLine } from '../progress-line.js';
import { writeJsonFile, writeTextFile } from '../summary.js';
import { grouped } from '../text.js';

export interface VerifyCommandOptions {
  readonly tier: readonly Tier[];
  readonly images?: string;
  readonly workers?: number;
  readonly json?: string;
  readonly junit?: string;
}

export async function verify(paths: readonly string[], options: VerifyCommandOptions): Promise<number> {
  const traces = findTraces(paths);
  if (traces.length === 0)
    throw new UsageError(`no files named *.trace in ${paths.map(quote).join(', ')}: name a trace, or another folder`);
  const progress = new ProgressLine();
  const verdicts = await verifyTraces(traces, {
    tiers: options.tier,
    workers: options.workers,
    imagesDirectory: options.images,
    onVerdict: (_verdict, done, total) => {
      if (process.stderr.isTTY) progress.show(`${done} of ${total}`);
    },
  });
  progress.hide();
  process.stdout.write(table(verdicts));
  const status = verifyStatus(verdicts);
  if (options.json !== undefined) writeJsonFile(options.json, { status, verdicts });
  if (options.junit !== undefined) writeTextFile(options.junit, junitReport(verdicts));
  return status;
}

/** Not in CI either, where picocolors would colour whatever goes into a pipe or a file. */
const { bold, green, red } = pc.createColors(pc.isColorSupported && process.stdout.isTTY === true);
const COLOURS = { agrees: green, diverged: red, unreadable: red } as const;

function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ path, tier, ticks, seconds, outcome, problem }) => ({
    outcome,
    cells: [quote(path), tier, grouped(ticks), seconds.toFixed(2), outcome],
    problem,
  }));
  const heads = ['trace', 'tier', 'ticks', 'seconds', 'outcome'];
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map(({ cells }) => (cells[column] as string).length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 2 || column === 3 ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number),
      )
      .join('  ');
  const lines = rows.map(({ cells, outcome, problem }) => {
    const text = line(cells).trimEnd();
    const coloured = text.slice(0, text.length - outcome.length) + COLOURS[outcome](outcome);
    return problem === '' ? coloured : `${coloured}: ${problem}`;
  });
  const good = verdicts.filter(({ outcome }) => outcome === 'agrees').length;
  return `${[bold(line(heads).trimEnd()), ...lines, `${good} of ${verdicts.length} agree`].join('\n')}\n`;
}
