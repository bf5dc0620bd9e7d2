/**
 * A machine's state as fields with names, and those in which two states differ. The state is plain data (`StateValue`); what
 * the processor keeps as bytes is taken apart into registers as the manual names them (engine/cpu/cpu-snapshot.ts has the
 * cells), flags one by one. Devices' fields are named by the way to them: 'pit.counters[0].mode'.
 */
import type { StateValue } from '../../engine/index.js';
import { bytesText } from '../bytes-text.js';

export interface FieldDifference {
  /** 'eax', 'eflags.cf', 'pit.counters[0].mode', 'memory 0x1000' (guest-physical) */
  readonly field: string;
  /** What both had where they still agreed. */
  readonly before: string;
  readonly left: string;
  readonly right: string;
}

const ABSENT = 'absent';

/** Whether two states are the same. */
export function sameState(left: StateValue | undefined, right: StateValue | undefined): boolean {
  if (left === right) return true;
  if (left instanceof Uint8Array) return right instanceof Uint8Array && sameBytes(left, right);
  if (typeof left !== 'object' || typeof right !== 'object' || right instanceof Uint8Array) return Object.is(left, right);
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    return left.every((value, index) => sameState(value, right[index]));
  }
  if (left === null || right === null || Array.isArray(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => sameState((left as Tree)[name], (right as Tree)[name]));
}

export const sameBytes = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

type Tree = { readonly [name: string]: StateValue };
type Fields = Map<string, string>;

/** The fields in which two states differ, in the order of the state. */
export function differingFields(
  before: StateValue | undefined,
  left: StateValue | undefined,
  right: StateValue | undefined,
): FieldDifference[] {
  const [was, one, other] = [before, left, right].map((state) => fieldsOf(state)) as [Fields, Fields, Fields];
  return [...new Set([...one.keys(), ...other.keys()])]
    .filter((field) => one.get(field) !== other.get(field))
    .map((field) => {
      const value = (fields: Fields): string => fields.get(field) ?? ABSENT;
      return { field, before: value(was), left: value(one), right: value(other) };
    });
}

/** Every field of a state by name. Long stretches of bytes are cut into lines of sixteen. */
export function fieldsOf(state: StateValue | undefined): Fields {
  const fields: Fields = new Map();
  if (!isTree(state)) return fields;
  const { cpu, devices, ...others } = state as Tree;
  if (isTree(cpu)) addCpu(fields, cpu);
  if (isTree(devices)) for (const [name, device] of Object.entries(devices)) addTree(fields, name, device);
  for (const [name, value] of Object.entries(others)) addTree(fields, name, value);
  return fields;
}

const isTree = (value: StateValue | undefined): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

const LINE_BYTES = 16;

function addTree(fields: Fields, name: string, value: StateValue): void {
  if (value instanceof Uint8Array) {
    if (value.length <= LINE_BYTES) fields.set(name, bytesText(value));
    else
      for (let at = 0; at < value.length; at += LINE_BYTES)
        fields.set(`${name}[0x${at.toString(16)}]`, bytesText(value.subarray(at, at + LINE_BYTES)));
  } else if (Array.isArray(value)) value.forEach((item, index) => addTree(fields, `${name}[${index}]`, item as StateValue));
  else if (isTree(value)) for (const [key, item] of Object.entries(value)) addTree(fields, `${name}.${key}`, item);
  else fields.set(name, String(value));
}

/** Parts of a cell that are registers of their own: names in order, bytes of each. */
const CELL_PARTS: Readonly<Record<string, readonly [names: readonly string[], bytes: number]>> = {
  registers: [['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', ...numbered('r', 8, 16)], 8],
  control: [numbered('cr', 0, 5), 8],
  debug: [numbered('dr', 0, 8), 8],
  pageDirectoryPointers: [numbered('pdpte', 0, 4), 8],
  x87Registers: [numbered('x87.r', 0, 8), 16],
  xmm: [numbered('xmm', 0, 16), 16],
};
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'];
/** Within a segment register: what, where, bytes (engine/cpu/layout.ts). */
const SEGMENT_PARTS: readonly (readonly [name: string, offset: number, bytes: number])[] = [
  ['base', 0, 8],
  ['limit', 8, 4],
  ['selector', 12, 2],
  ['attributes', 16, 4],
];
/** EFLAGS by bit (Intel SDM volume 1, section 3.4.3). */
const FLAGS: Readonly<Record<string, number>> = {
  cf: 0,
  pf: 2,
  af: 4,
  zf: 6,
  sf: 7,
  tf: 8,
  if: 9,
  df: 10,
  of: 11,
  iopl0: 12,
  iopl1: 13,
  nt: 14,
  rf: 16,
  vm: 17,
  ac: 18,
  vif: 19,
  vip: 20,
  id: 21,
};

function numbered(name: string, first: number, end: number): string[] {
  return Array.from({ length: end - first }, (_, index) => `${name}${first + index}`);
}

function addCpu(fields: Fields, { cells, eflags, msr, ...others }: Tree): void {
  if (isTree(cells)) {
    for (const [name, value] of Object.entries(cells)) {
      const parts = CELL_PARTS[name];
      const segment = SEGMENTS[Number(/^segment(\d)$/.exec(name)?.[1])];
      if (!(value instanceof Uint8Array)) addTree(fields, name, value);
      else if (segment !== undefined) {
        for (const [part, offset, bytes] of SEGMENT_PARTS)
          fields.set(`${segment}.${part}`, numberText(value.subarray(offset, offset + bytes)));
      } else if (parts !== undefined) {
        const [names, bytes] = parts;
        names.forEach((part, index) => {
          fields.set(part, numberText(value.subarray(index * bytes, (index + 1) * bytes)));
        });
      } else fields.set(name, numberText(value));
    }
  }
  if (typeof eflags === 'number')
    for (const [flag, bit] of Object.entries(FLAGS)) fields.set(`eflags.${flag}`, String((eflags >>> bit) & 1));
  if (Array.isArray(msr)) {
    for (const entry of msr as StateValue[])
      if (Array.isArray(entry)) fields.set(`msr 0x${Number(entry[0]).toString(16)}`, `0x${BigInt(entry[1] as bigint).toString(16)}`);
  }
  for (const [name, value] of Object.entries(others)) addTree(fields, name, value);
}

/** Little endian, as one number; at least eight digits, as most registers have. */
function numberText(bytes: Uint8Array): string {
  let digits = '';
  for (const byte of bytes) digits = byte.toString(16).padStart(2, '0') + digits;
  return `0x${digits.replace(/^0+(?=[0-9a-f]{8})/, '')}`;
}

/** Bytes of a frame in which two machines differ, neighbours together. */
export function differingBytes(address: number, before: Uint8Array, left: Uint8Array, right: Uint8Array): FieldDifference[] {
  const found: FieldDifference[] = [];
  for (let at = 0; at < left.length; at++) {
    if (left[at] === right[at]) continue;
    let end = at + 1;
    while (end < left.length && end - at < LINE_BYTES && left[end] !== right[end]) end++;
    const text = (bytes: Uint8Array): string => bytesText(bytes.subarray(at, end));
    found.push({ field: `memory 0x${(address + at).toString(16)}`, before: text(before), left: text(left), right: text(right) });
    at = end;
  }
  return found;
}
