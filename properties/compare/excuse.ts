/**
 * What another processor may do differently: differences that a row of the policy table excuses, in the cases in which the
 * model has needed that row (engine/policy/policy.ts).
 */
import { type Excuse, POLICY } from '../../engine/policy/policy.js';
import type { CaseBatch, Outcomes } from '../oracles/oracle.js';
import { windowsBytes } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, type CpuState } from '../state/cpu-state.js';
import { type Destination, destinationOf } from './destination.js';
import { type Difference, differingFields, stateOfRecord } from './fields.js';

const POLICY_WORDS = 4;
const TOP_BITS = 7 << 11;
const PAGE_FAULT = 14;
/** Exceptions whose error code is a selector. */
const SELECTOR_FAULTS: readonly number[] = [10, 11, 12, 13];
const ERROR_IDT = 2;
const ERROR_LDT = 4;
/** Of the host's GDT; its LDT may have anything anywhere (oracles/host-cpu.c). */
const HOST_GDT_ENTRIES = 16;

/**
 * The model has refused a selector that the tables of the host may hold, those of the case do not: what the host says of it is not
 * about this case.
 */
export function isAboutHostTables({ vectors, errorCodes }: Outcomes, index: number): boolean {
  const error = errorCodes[index] as number;
  if (!SELECTOR_FAULTS.includes(vectors[index] as number) || (error & 0xfffc) === 0 || error & ERROR_IDT) return false;
  return (error & ERROR_LDT) !== 0 || error >> 3 < HOST_GDT_ENTRIES;
}

/** Ids of the rows of the policy table that the model has needed for a case. */
export function policiesOf({ policies }: Outcomes, index: number): string[] {
  return POLICY.filter((_, row) => ((policies[index * POLICY_WORDS + (row >>> 5)] as number) >>> (row & 31)) & 1).map(({ id }) => id);
}

/** Of the differences of a case what no row excuses. */
export function unexcused(
  batch: CaseBatch,
  index: number,
  left: Outcomes,
  right: Outcomes,
  model: Outcomes,
  differences: readonly Difference[],
): Difference[] {
  if (isAboutHostTables(model, index)) return [];
  const needed = policiesOf(model, index);
  const excuses = POLICY.filter(({ id }) => needed.includes(id)).map((row) => row.excuses);
  if (excuses.length === 0) return [...differences];
  if (excuses.some(({ wholeCase }) => wholeCase === true)) return [];
  const bytes = CPU_STATE_BYTES + windowsBytes(batch.windows);
  const recordOf = (records: Uint8Array): Uint8Array => records.slice(index * bytes, (index + 1) * bytes);
  const before = recordOf(batch.records);
  const [a, b] = [recordOf(left.records), recordOf(right.records)];
  for (const excuse of excuses) {
    for (const record of [a, b]) erase(batch, before, record, excuse);
    if (excuse.x87LastPlaces !== undefined) settleLastPlaces(a, b, BigInt(excuse.x87LastPlaces));
  }
  const otherPage = excuses.some(({ cr2 }) => cr2 === true) && left.vectors[index] === PAGE_FAULT && right.vectors[index] === PAGE_FAULT;
  const remaining = new Set(differingFields(batch.bits, batch.windows, before, a, b).map(({ field }) => field));
  const strays = (): boolean => {
    const excused = excusedAddresses(batch, before, excuses);
    return strayWritesBut(excused, left, index) !== strayWritesBut(excused, right, index);
  };
  return differences.filter(({ field, before: was, kind }) => {
    if (field === 'stray writes') return strays();
    if (field === 'error code' && otherPage) return false;
    return (was === '' && kind === field) || remaining.has(field);
  });
}

/** A destination outside the windows, or that ends outside them, shows in the writes there. */
function excusedAddresses(batch: CaseBatch, before: Uint8Array, excuses: readonly Excuse[]): Set<number> {
  const addresses = new Set<number>();
  const destination = destinationOf(batch, before);
  if (destination?.address === undefined) return addresses;
  for (const excuse of excuses) {
    for (const [first, count] of destinationRanges(excuse, destination)) {
      for (let byte = first; byte < first + count; byte++) addresses.add(destination.address + byte);
    }
  }
  return addresses;
}

/** In order of addresses. */
function strayWritesBut(excused: ReadonlySet<number>, { strayWrites }: Outcomes, index: number): string {
  const values = new Map<number, number>();
  for (let i = 0; i < strayWrites.length; i += 3) {
    const address = strayWrites[i + 1] as number;
    if (strayWrites[i] === index && !excused.has(address)) values.set(address, strayWrites[i + 2] as number);
  }
  return [...values].sort(([a], [b]) => a - b).join();
}

const maskByPolicies = new Map<string, Uint32Array | undefined>();

/**
 * Whether the rows that the model has needed explain everything by what they say of flags, status and pointers: most cases, and
 * much faster than `unexcused`. @param mask what counts at all
 */
export function excusedAtOnce(
  batch: CaseBatch,
  index: number,
  left: Outcomes,
  right: Outcomes,
  policies: Uint32Array,
  mask: Uint32Array | undefined,
): boolean {
  if (left.ends[index] !== right.ends[index] || left.vectors[index] !== right.vectors[index]) return false;
  if (left.errorCodes[index] !== right.errorCodes[index] || left.strayWrites.length > 0 || right.strayWrites.length > 0) return false;
  const words = (CPU_STATE_BYTES + windowsBytes(batch.windows)) / 4;
  const key = `${policies.join()} ${words}`;
  let counts = maskByPolicies.get(key);
  if (counts === undefined) {
    counts = countingBits(policies, words);
    maskByPolicies.set(key, counts);
  }
  const a = new Uint32Array(left.records.buffer, left.records.byteOffset + index * words * 4, words);
  const b = new Uint32Array(right.records.buffer, right.records.byteOffset + index * words * 4, words);
  for (let i = 0; i < words; i++) {
    if (((a[i] as number) ^ (b[i] as number)) & (counts[i] as number) & (mask?.[i] ?? ~0)) return false;
  }
  return true;
}

/** Ones where no row excuses the bit by its place alone. */
function countingBits(policies: Uint32Array, words: number): Uint32Array {
  const bits = new Uint32Array(words).fill(0xffff_ffff);
  const record = new Uint8Array(bits.buffer);
  const state = stateOfRecord(record);
  POLICY.forEach(({ excuses }, row) => {
    if ((((policies[row >>> 5] as number) >>> (row & 31)) & 1) === 1) eraseByPlace(record, state, excuses);
  });
  return bits;
}

/** What is at the same place in every record. */
function eraseByPlace(record: Uint8Array, state: CpuState, excuse: Excuse): void {
  if (excuse.flags !== undefined) state.flags &= ~excuse.flags;
  let status = state.u16(CPU_STATE.x87Status) & ~(excuse.x87Status ?? 0);
  if (excuse.x87Stack === true) {
    status &= ~TOP_BITS;
    state.setU16(CPU_STATE.x87Empty, 0);
  }
  state.setU16(CPU_STATE.x87Status, status);
  if (excuse.x87Pointers === true) {
    state.setU16(CPU_STATE.x87Opcode, 0);
    record.fill(0, CPU_STATE.x87InstructionOffset, CPU_STATE.x87OperandOffset + 8);
  }
  if (excuse.cr2 === true) state.setU64(CPU_STATE.cr2, 0n);
}

/** Makes what an excuse names the same in every record. */
function erase(batch: CaseBatch, before: Uint8Array, record: Uint8Array, excuse: Excuse): void {
  eraseByPlace(record, stateOfRecord(record), excuse);
  if (excuse.destination !== true && excuse.destinationBytes === undefined) return;
  const destination = destinationOf(batch, before);
  if (destination === undefined) return;
  for (const [first, count] of destinationRanges(excuse, destination)) {
    for (let byte = first; byte < first + count; byte++) {
      const place = destination.placeOf(byte);
      if (place !== undefined) record[place] = 0;
    }
  }
}

const destinationRanges = (excuse: Excuse, { bytes }: Destination): readonly (readonly [first: number, count: number])[] =>
  excuse.destination === true ? [[0, bytes]] : (excuse.destinationBytes ?? []);

const X87_REGISTERS = 8;
const X87_REGISTER_BYTES = 16;

/** Gives x87 registers that are so close the same contents. */
function settleLastPlaces(a: Uint8Array, b: Uint8Array, places: bigint): void {
  const [left, right] = [stateOfRecord(a), stateOfRecord(b)];
  // Sign and exponent, then the significand without its integer bit: neighbours in steps of one.
  const ordinal = (state: CpuState, at: number): bigint => (BigInt(state.u16(at + 8)) << 63n) + BigInt.asUintN(63, state.u64(at));
  for (let i = 0; i < X87_REGISTERS; i++) {
    const at = CPU_STATE.x87Registers + i * X87_REGISTER_BYTES;
    const distance = ordinal(left, at) - ordinal(right, at);
    if (distance <= places && -distance <= places) b.set(a.subarray(at, at + X87_REGISTER_BYTES), at);
  }
}
