/**
 * Compares the outcomes of two oracles: exactly, over all of the record, ends, exceptions, ticks and writes outside the
 * windows. For oracles that cannot show something (the host CPU), `mask` says what counts; what the policy table allows
 * others to do differently is excused case by case (excuse.ts).
 */
import { type CaseBatch, END, type Oracle, type Outcomes } from '../oracles/oracle.js';
import { windowsBytes } from '../state/arena.js';
import { CPU_STATE_BYTES } from '../state/cpu-state.js';
import { type Difference, differingFields, hexadecimal } from './fields.js';

const END_NAMES: readonly string[] = Object.entries(END)
  .sort(([, a], [, b]) => a - b)
  .map(([name]) => name);

const EXCEPTION_NAMES: Readonly<Record<number, string>> = {
  ...{ 0: '#DE', 1: '#DB', 2: 'NMI', 3: '#BP', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 8: '#DF', 10: '#TS', 11: '#NP', 12: '#SS' },
  ...{ 13: '#GP', 14: '#PF', 16: '#MF', 17: '#AC', 18: '#MC', 19: '#XM' },
};
export const exceptionName = (vector: number): string => EXCEPTION_NAMES[vector] ?? `vector ${vector}`;

export interface ComparisonOptions {
  /** Words of the record, each with the bits that count; all of them when absent. */
  readonly mask?: Uint32Array;
  /** Ticks are compared if both count them. */
  readonly ticks: boolean;
  readonly errorCodes: boolean;
}

export const comparisonOf = (left: Oracle, right: Oracle): ComparisonOptions => ({
  ticks: left.countsTicks && right.countsTicks,
  errorCodes: true,
});

/** Numbers of the cases in which two outcomes differ. Cases that one of them could not run are equal. */
export function differingCases(
  batch: CaseBatch,
  left: Outcomes,
  right: Outcomes,
  { mask, ticks, errorCodes }: ComparisonOptions,
): number[] {
  const { count } = batch;
  const words = (CPU_STATE_BYTES + windowsBytes(batch.windows)) / 4;
  const a = new Uint32Array(left.records.buffer, left.records.byteOffset, count * words);
  const b = new Uint32Array(right.records.buffer, right.records.byteOffset, count * words);
  const found: number[] = [];
  const [leftBytes, rightBytes] = [bytesOf(left, count * words), bytesOf(right, count * words)];
  // Mostly all of them agree: one look at all the bytes says so.
  const identical = leftBytes.compare(rightBytes) === 0;
  for (let index = 0; index < count; index++) {
    if (left.ends[index] === END.unsupported || right.ends[index] === END.unsupported) continue;
    let same =
      left.ends[index] === right.ends[index] &&
      left.vectors[index] === right.vectors[index] &&
      (!errorCodes || left.errorCodes[index] === right.errorCodes[index]) &&
      (!ticks || left.ticks[index] === right.ticks[index]);
    const [from, to] = [index * words, (index + 1) * words];
    if (same && !identical && leftBytes.compare(rightBytes, from * 4, to * 4, from * 4, to * 4) !== 0) {
      same = mask !== undefined;
      for (let i = 0; same && i < words; i++) same = (((a[from + i] as number) ^ (b[from + i] as number)) & (mask?.[i] as number)) === 0;
    }
    if (!same) found.push(index);
  }
  if (left.strayWrites.length > 0 || right.strayWrites.length > 0) addStrayDifferences(found, left, right);
  return found;
}

const bytesOf = ({ records }: Outcomes, words: number): Buffer => Buffer.from(records.buffer, records.byteOffset, words * 4);

/** Writes of one case outside the windows: address and value, in order of addresses. */
function strays({ strayWrites }: Outcomes, index: number): string {
  const found: [number, number][] = [];
  for (let i = 0; i < strayWrites.length; i += 3) {
    if (strayWrites[i] === index) found.push([strayWrites[i + 1] as number, strayWrites[i + 2] as number]);
  }
  return found
    .sort(([x], [y]) => x - y)
    .map(([address, value]) => `${hexadecimal(address)}=${value.toString(16).padStart(2, '0')}`)
    .join(' ');
}

function addStrayDifferences(found: number[], left: Outcomes, right: Outcomes): void {
  const cases = new Set<number>();
  for (const { strayWrites } of [left, right]) for (let i = 0; i < strayWrites.length; i += 3) cases.add(strayWrites[i] as number);
  for (const index of cases) {
    const unsupported = left.ends[index] === END.unsupported || right.ends[index] === END.unsupported;
    if (!unsupported && !found.includes(index) && strays(left, index) !== strays(right, index)) found.push(index);
  }
  found.sort((x, y) => x - y);
}

/** One case of a batch, in words: every difference by name, none where the outcomes agree. */
export function differencesOf(
  batch: CaseBatch,
  index: number,
  left: Outcomes,
  right: Outcomes,
  { mask, ticks, errorCodes }: ComparisonOptions,
): Difference[] {
  if (left.ends[index] === END.unsupported || right.ends[index] === END.unsupported) return [];
  const bytes = CPU_STATE_BYTES + windowsBytes(batch.windows);
  const found: Difference[] = [];
  const say = (field: string, a: string, b: string): void => {
    if (a !== b) found.push({ field, kind: field, before: '', left: a, right: b });
  };
  say('end', endName(left, index), endName(right, index));
  if (errorCodes) say('error code', hexadecimal(left.errorCodes[index] as number), hexadecimal(right.errorCodes[index] as number));
  if (ticks) say('ticks', String(left.ticks[index]), String(right.ticks[index]));
  const before = batch.records.subarray(index * bytes, (index + 1) * bytes);
  const a = masked(left.records.subarray(index * bytes, (index + 1) * bytes), mask);
  const b = masked(right.records.subarray(index * bytes, (index + 1) * bytes), mask);
  found.push(...differingFields(batch.bits, batch.windows, before, a, b));
  say('stray writes', strays(left, index), strays(right, index));
  return found;
}

function masked(record: Uint8Array, mask: Uint32Array | undefined): Uint8Array {
  if (mask === undefined) return record;
  const copy = record.slice();
  const words = new Uint32Array(copy.buffer);
  for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & (mask[i] as number);
  return copy;
}

/** 'exception #GP', 'halted'... */
export function endName(outcomes: Outcomes, index: number): string {
  const end = outcomes.ends[index] as number;
  return end === END.exception ? exceptionName(outcomes.vectors[index] as number) : (END_NAMES[end] as string);
}
