/**
 * The instruction in which two machines differ as a case of the fuzzer, and what the reference model says of it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Case,
  type CaseText,
  compareCase,
  describeCase,
  engineOracle,
  modelOracle,
  reproducerText,
  type Window,
} from '../../properties/index.js';
import type { Difference } from '../diff/explain.js';
import { writeTextFile } from './summary.js';

/** A case, or why there is none. */
export type Reproducer =
  | { readonly case: Case; readonly oracles: readonly [left: string, right: string]; readonly verdict: string }
  | { readonly none: string };

/** As JSON has it: what `parseCase` takes. */
export type ReproducerData =
  | { readonly case: CaseText; readonly windows: readonly Window[]; readonly verdict: string }
  | { readonly none: string };

const FILE_NAME = 'reproducer.test.ts';
const INPUT = /^is given input/;

/**
 * @param one made of this engine's machine where all was the same, or why there is none
 * @param tiers the difference is between tiers of this engine
 */
export function reproducerFor(
  one: Case | string,
  { tick, commonTick, inOneStep, inDevicesOnly, happened }: Difference,
  tiers: boolean,
): Reproducer {
  if (tick === commonTick) return { none: 'no instruction has been executed' };
  if (!inOneStep) return { none: 'single steps do not show the difference' };
  if (happened.flat().some((event) => INPUT.test(event))) return { none: 'an input is given' };
  if (inDevicesOnly) return { none: 'processor and memory are the same' };
  if (typeof one === 'string') return { none: one };
  const [left, right] = [engineOracle('auto'), tiers ? engineOracle('step') : modelOracle()];
  const { differences } = compareCase(one, left, right);
  const [other, fields] = [tiers ? 'the step tier' : 'the reference model', differences.map(({ field }) => field).join(', ')];
  const verdict = fields === '' ? `this engine does what ${other} does` : `this engine differs from ${other} in ${fields}`;
  return { case: one, oracles: [left.name, right.name], verdict };
}

export function reproducerLine(reproducer: Reproducer, out: string | undefined): string {
  if ('none' in reproducer) return `no one-instruction reproducer: ${reproducer.none}`;
  const where = out === undefined ? '--out DIR writes the test' : `the test is ${join(out, FILE_NAME)}`;
  return `one-instruction reproducer: ${reproducer.verdict}; ${where}`;
}

export function reproducerData(reproducer: Reproducer): ReproducerData {
  if ('none' in reproducer) return reproducer;
  const { case: one, verdict } = reproducer;
  return { case: describeCase(one), windows: one.windows, verdict };
}

/**
 * A folder with the difference as text and as JSON and, where there is a case, a test for vitest that fails on the engine that
 * is wrong.
 */
export function writeDifference(
  out: string,
  found: unknown,
  lines: readonly string[],
  difference: Difference | undefined,
  reproducer: Reproducer | undefined,
): void {
  mkdirSync(out, { recursive: true });
  writeTextFile(join(out, 'difference.json'), `${JSON.stringify(found, undefined, 2)}\n`);
  writeTextFile(join(out, 'difference.txt'), `${lines.join('\n')}\n`);
  if (difference === undefined || reproducer === undefined || 'none' in reproducer) return;
  const { instruction, fields, tick, sides } = difference;
  const title = `${instruction?.text ?? 'no instruction'}: ${fields.map(({ field }) => field).join(', ')}`;
  const values = fields.map(({ field, left, right }) => `${field}: ${sides[0]} ${left}, ${sides[1]} ${right}`);
  const comment = [`found at tick ${tick} of a trace`, ...values].join('\n');
  writeTextFile(join(out, FILE_NAME), reproducerText({ title, comment, oracles: reproducer.oracles, case: reproducer.case }));
}
