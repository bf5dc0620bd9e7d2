/** The report of a campaign as text: failures, what was covered with which outcomes, and by name what was not. */
import { printFailure } from './failure.js';
import type { FuzzReport } from './fuzz.js';

const grouped = (number: number): string => number.toLocaleString('en-US');

/** The table of encodings and outcomes: one line each, in the order of the opcode list. */
function coverageTable({ coverage }: FuzzReport): string {
  const width = Math.max(8, ...coverage.map(({ encoding }) => encoding.length));
  const lines = coverage.map(({ bits, encoding, cases, outcomes }) => {
    const ends = Object.entries(outcomes).map(([name, count]) => `${name} ${grouped(count)}`);
    return `${bits}  ${encoding.padEnd(width)}  ${grouped(cases).padStart(9)}  ${ends.join(', ')}`;
  });
  return ['mode and encoding, cases, outcomes', ...lines].join('\n');
}

/** A few lines for a terminal. */
export function summaryOf(report: FuzzReport): string {
  const { cases, seconds, coverage, targets, uncovered, failures, problems, excused, options } = report;
  const covered = targets - uncovered.length;
  const lines = [
    `seed ${options.seed}: ${grouped(cases)} cases in ${seconds.toFixed(1)} s (${grouped(Math.round(cases / Math.max(seconds, 0.001)))} a second), ` +
      `${grouped(covered)} of ${grouped(targets)} encodings covered`,
  ];
  const outcomes = new Map<string, number>();
  for (const row of coverage)
    for (const [name, count] of Object.entries(row.outcomes)) outcomes.set(name, (outcomes.get(name) ?? 0) + count);
  lines.push(`outcomes: ${[...outcomes].map(([name, count]) => `${name} ${grouped(count)}`).join(', ')}`);
  const explained = Object.values(excused).reduce((sum, count) => sum + count, 0);
  if (explained > 0)
    lines.push(`differences explained by the policy table: ${grouped(explained)} cases, ${Object.keys(excused).length} rows`);
  for (const problem of problems) lines.push(`a thread broke down: ${problem}`);
  lines.push(failures.length === 0 ? 'no differences' : `${grouped(failures.length)} causes of differences`);
  return lines.join('\n');
}

/** Everything, for a file. */
export function fullReport(report: FuzzReport): string {
  const { uncovered, refused, excused, failures } = report;
  const parts = [summaryOf(report)];
  if (failures.length > 0) parts.push(failures.map(printFailure).join('\n\n'));
  parts.push(coverageTable(report));
  if (uncovered.length > 0) parts.push(['not covered:', ...uncovered.map((name) => `  ${name}`)].join('\n'));
  for (const [reason, names] of Object.entries(refused))
    parts.push([`not run, because ${reason}:`, ...names.map((name) => `  ${name}`)].join('\n'));
  const rows = Object.entries(excused).sort(([, a], [, b]) => b - a);
  if (rows.length > 0)
    parts.push(['explained by the policy table:', ...rows.map(([row, count]) => `  ${row}  ${grouped(count)}`)].join('\n'));
  return `${parts.join('\n\n')}\n`;
}

/** For scripts: the same as plain data. */
export function reportAsData(report: FuzzReport): unknown {
  return {
    ...report,
    failures: report.failures.map(({ case: _, ...failure }) => ({ ...failure, text: printFailure({ case: _, ...failure }) })),
  };
}
