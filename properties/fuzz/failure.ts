/**
 * A case in which two oracles differ: shrunk by fast-check, named by its cause, printed as assembly with what differs and
 * what the registers held before.
 */
import fc from 'fast-check';
import type { Case } from '../arbitraries/case.js';
import { shrinkableCase } from '../arbitraries/case-arbitrary.js';
import { disassemble } from '../assembler/disassemble.js';
import type { Difference } from '../compare/fields.js';
import type { CodeBits } from '../oracles/oracle.js';
import { CPU_STATE_BYTES, CpuState, CS } from '../state/cpu-state.js';
import { describeCase } from './case-text.js';

export interface Failure {
  /** Failures of one cause differ in the same kinds of fields, at the same instructions. */
  readonly cause: string;
  /** What was generated. */
  readonly target: string;
  readonly bits: CodeBits;
  readonly oracles: readonly [left: string, right: string];
  readonly seed: number;
  /** Number of the shape in the campaign of this seed, and of the case in it. */
  readonly shape: number;
  readonly index: number;
  /** How often the cause was met. */
  readonly count: number;
  readonly case: Case;
  readonly differences: readonly Difference[];
  /** Rows of the policy table that the model needed. */
  readonly policies: readonly string[];
  /** Says what the model had, where it was a third. */
  readonly note: string;
}

/** What an examination of a case found: none where the oracles agree. */
export interface Finding {
  readonly differences: readonly Difference[];
  readonly ends: readonly [string, string];
  readonly policies: readonly string[];
  readonly note: string;
}

export const kindsOf = (differences: readonly Difference[]): string[] => [...new Set(differences.map(({ kind }) => kind))].sort();

/** Instructions as text, those that the case has. */
export function instructionsOf(one: Case): string[] {
  const { record, codeOffset, codeBytes, bits } = one;
  const state = new CpuState(record.buffer as ArrayBuffer, record.byteOffset);
  const address = bits === 64 ? state.rip : state.rip + state.segmentBase(CS);
  const code = record.subarray(codeOffset, codeOffset + codeBytes);
  return disassemble(code, { bits, address: Number(BigInt.asUintN(32, address)) }).map(({ bytes, text }) => {
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return `${hex.padEnd(24)}  ${text}`;
  });
}

const LONGEST_CAUSE = 3;

export function causeOf(one: Case, { differences, ends }: Finding): string {
  const mnemonics = instructionsOf(one).map(
    (line) =>
      line
        .slice(26)
        .replace(/^((lock|rep|repe|repne|data(16|32)|addr(16|32|64)|rex\S*|hint\S*) )+/, '')
        .split(' ')[0],
  );
  const names = mnemonics.length > LONGEST_CAUSE ? `${mnemonics.slice(0, LONGEST_CAUSE).join(', ')}...` : mnemonics.join(', ');
  const end = ends[0] === ends[1] ? ends[0] : `${ends[0]} or ${ends[1]}`;
  return `${names}: ${
    kindsOf(differences)
      .filter((kind) => kind !== 'end')
      .join(', ') || 'end'
  }, ${end}`;
}

const SHRINKS = 20_000;

/**
 * The simplest case found that fails in the same way: no other kinds of differences, the same ends.
 * @param limit of the candidates that are tried
 */
export function shrink(one: Case, finding: Finding, examine: (candidate: Case) => Finding | undefined, limit = SHRINKS): Case {
  const kinds = new Set(kindsOf(finding.differences));
  let runs = 0;
  const agrees = (candidate: Case): boolean => {
    if (runs++ > limit) return true;
    const found = examine(candidate);
    if (found === undefined) return true;
    const same = found.ends[0] === finding.ends[0] && found.ends[1] === finding.ends[1];
    return !same || found.differences.some(({ kind }) => !kinds.has(kind));
  };
  const details = fc.check(fc.property(shrinkableCase(one), agrees), { examples: [[one]], numRuns: 1 });
  return details.counterexample?.[0] ?? one;
}

/** As people read it. */
export function printFailure(failure: Failure): string {
  const { case: one, differences, oracles, policies, cause, count, note } = failure;
  const lines = [
    cause,
    `  ${count} ${count === 1 ? 'case' : 'cases'}, first: ${failure.target}, seed ${failure.seed}, shape ${failure.shape}, case ${failure.index}`,
  ];
  for (const line of instructionsOf(one)) lines.push(`    ${line}`);
  const { state, memory } = describeCase(one);
  const before = Object.entries(state).map(([name, value]) => `${name}=${value}`);
  lines.push(`  before: ${before.join(' ') || 'a plain state'}`);
  for (const [place, bytes] of Object.entries(memory)) if (!coversCode(one, place)) lines.push(`    ${place}: ${bytes}`);
  for (const { field, before: was, left, right } of differences) {
    lines.push(`  ${field}: ${oracles[0]} ${left || '-'}, ${oracles[1]} ${right || '-'}${was === '' ? '' : `, before ${was}`}`);
  }
  if (policies.length > 0) lines.push(`  policy: ${policies.join(', ')}`);
  if (note !== '') lines.push(`  ${note}`);
  return lines.join('\n');
}

function coversCode({ windows, codeOffset }: Case, place: string): boolean {
  const [name, offset] = place.split('+') as [string, string];
  let at = CPU_STATE_BYTES;
  for (const window of windows) {
    if (window.name === name) return at + Number(offset) === codeOffset;
    at += window.bytes;
  }
  return false;
}
