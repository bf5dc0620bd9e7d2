/**
 * `replay86 diff`: where two machines on one trace first differ, down to the instruction and the field.
 */
import type { Machine, Tier } from '../../engine/index.js';
import { type Case, caseFromMachine, disassemble } from '../../properties/index.js';
import { openTraceFile, quote } from '../../traces/index.js';
import { diffTrace, type SideChoice } from '../diff/diff.js';
import { EngineBuildError, loadEngineBuild } from '../diff/engine-build.js';
import type { Difference } from '../diff/explain.js';
import { diffRecording, type RecordingDifference } from '../diff/recording.js';
import type { DiffMachine } from '../diff/side.js';
import { STATUS } from '../exit-status.js';
import { reproducerData, reproducerFor, reproducerLine, writeDifference } from './diff-reproducer.js';
import { UsageError } from './failure.js';
import { ProgressLine } from './progress-line.js';
import { grouped, millions } from './text.js';

export interface DiffCommandOptions {
  readonly tier?: readonly Tier[];
  readonly engine?: string;
  readonly images?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const MOST_FIELDS = 32;

/** @returns the exit status */
export async function diff(path: string, options: DiffCommandOptions): Promise<number> {
  const choice = await choiceOf(options);
  const progress = new ProgressLine();
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  const trace = openTraceFile(path);
  let one: Case | string = '';
  let comparedTick = 0;
  const search = {
    imagesDirectory: options.images,
    disassemble,
    // Left is always this engine.
    atCommonTick: (machine: DiffMachine): void => {
      one = caseFromMachine(machine as Machine);
    },
    signal: interrupted.signal,
    onProgress: (tick: number, lastTick: number): void => {
      comparedTick = Math.max(comparedTick, tick);
      if (process.stderr.isTTY) progress.show(`comparing: ${millions(tick)} of ${millions(lastTick)} ticks`);
    },
  };
  try {
    if (choice !== undefined) process.on('SIGINT', stop);
    const recording = choice === undefined ? await diffRecording(trace, search) : undefined;
    const difference = choice === undefined ? recording?.tiers : await diffTrace(trace, choice, search);
    progress.hide();
    const reproducer = difference === undefined ? undefined : reproducerFor(one, difference, options.engine === undefined);
    const withReproducer =
      difference === undefined || reproducer === undefined ? undefined : { ...difference, reproducer: reproducerData(reproducer) };
    const found = recording === undefined ? withReproducer : { ...recording, tiers: withReproducer };
    const lines = recording === undefined ? [] : recordingLines(recording);
    if (difference !== undefined) lines.push(...differenceLines(difference));
    if (reproducer !== undefined) lines.push(reproducerLine(reproducer, options.out));
    if (options.out !== undefined && found !== undefined) writeDifference(options.out, found, lines, difference, reproducer);
    if (lines.length === 0) lines.push(`no difference in ${grouped(trace.coveredTo.tick)} ticks`);
    process.stdout.write(options.json === true ? `${JSON.stringify(found ?? null, undefined, 2)}\n` : `${lines.join('\n')}\n`);
    return found === undefined ? STATUS.ok : STATUS.divergence;
  } catch (error) {
    if (error instanceof EngineBuildError) throw new UsageError(error.message);
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write(`interrupted at tick ${grouped(comparedTick)}: the first difference has not been found\n`);
    return STATUS.interrupted;
  } finally {
    process.off('SIGINT', stop);
    progress.hide();
    trace.close();
  }
}

async function choiceOf({ tier, engine }: DiffCommandOptions): Promise<[SideChoice, SideChoice] | undefined> {
  if (tier !== undefined && engine !== undefined) throw new UsageError('--tier and --engine exclude each other');
  if (tier !== undefined) {
    const [one, other] = tier;
    if (one === undefined || other === undefined || tier.length !== 2 || one === other)
      throw new UsageError('--tier needs two different tiers: --tier auto,step');
    return [
      { name: one, tier: one },
      { name: other, tier: other },
    ];
  }
  if (engine === undefined) return undefined;
  try {
    return [
      { name: 'this engine', tier: 'auto' },
      { name: engine, tier: 'auto', create: await loadEngineBuild(engine) },
    ];
  } catch (error) {
    if (error instanceof EngineBuildError) throw new UsageError(error.message);
    throw error;
  }
}

function recordingLines({ divergence, agreedTick, differsTick, interrupts, inputs }: RecordingDifference): string[] {
  const { tick, what, expected, found } = divergence;
  return [
    `the replay differs from the recording at tick ${grouped(tick)}: ${what}: recorded ${quote(expected)}, now ${quote(found)}`,
    `  between tick ${grouped(agreedTick)}, to which all agrees, and tick ${grouped(differsTick)}: ${interrupts} interrupts and ${inputs} inputs recorded`,
    '  within that, only another engine can tell more: --engine with the build that recorded it',
  ];
}

function differenceLines(difference: Difference): string[] {
  const { tick, commonTick, inOneStep, lookedFromTick, sides, instruction, happened, fields, before } = difference;
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const lines = [
    tick === commonTick
      ? 'they differ before the first instruction'
      : `first difference at tick ${grouped(tick)}; last common checkpoint: tick ${grouped(commonTick)}`,
  ];
  if (!inOneStep) lines.push(`  single steps do not show it: it takes a run in one go from tick ${grouped(commonTick)}`);
  if (lookedFromTick > 0) lines.push(`  every tick compared from tick ${grouped(lookedFromTick)}, before that in stretches`);
  if (instruction !== undefined)
    lines.push(`  ${hex(instruction.cs, 4)}:${hex(instruction.eip, 8)}  ${instruction.bytes.padEnd(24)}  ${instruction.text}`);
  sides.forEach((side, index) => {
    for (const event of happened[index] ?? []) lines.push(`  ${side}: ${event}`);
  });
  for (const { field, before: was, left, right } of fields.slice(0, MOST_FIELDS))
    lines.push(`  ${field}: ${sides[0]} ${left}, ${sides[1]} ${right}${was === '' ? '' : `, before ${was}`}`);
  if (fields.length > MOST_FIELDS) lines.push(`  and ${fields.length - MOST_FIELDS} more: --json has them`);
  lines.push('to see it again:');
  const processor = Object.entries(before.processor).map(([name, value]) => `${name}=${value}`);
  lines.push(`  processor: ${processor.join(' ')}`);
  for (const [place, bytes] of Object.entries(before.memory)) lines.push(`  ${place}: ${bytes}`);
  return lines;
}
