/**
 * What a finished run says of itself: a line for people, a file for programs.
 */
import { writeFileSync } from 'node:fs';
import { TraceError } from '../../traces/errors.js';
import { grouped, hexDigest, virtualTime } from './text.js';

export interface RunSummary {
  readonly reason: string;
  readonly status: number;
  readonly ticks: number;
  readonly ns: number;
  /** Of host time, the run alone. */
  readonly seconds: number;
}

function mipsOf({ ticks, seconds }: RunSummary): number {
  return seconds > 0 ? ticks / seconds / 1e6 : 0;
}

export function summaryLine(summary: RunSummary): string {
  const { reason, ticks, ns, seconds } = summary;
  return `${reason} at tick ${grouped(ticks)}, ${virtualTime(ns)} of virtual time (${seconds.toFixed(2)} s, ${mipsOf(summary).toFixed(1)} MIPS)`;
}

/** Writes the summary as JSON. @param more what else there is to tell. */
export function writeJson(path: string, summary: RunSummary, digest: bigint, more: Readonly<Record<string, unknown>> = {}): void {
  const { reason, status, ticks, ns, seconds } = summary;
  writeJsonFile(path, { reason, status, ticks, ns, digest: hexDigest(digest), seconds, mips: mipsOf(summary), ...more });
}

export function writeJsonFile(path: string, value: unknown): void {
  writeTextFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

export function writeTextFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new TraceError(`cannot be written: ${(error as { code?: string }).code ?? (error as Error).message}`, { fileName: path });
  }
}
