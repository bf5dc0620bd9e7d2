/**
 * A case as plain data that a person can read and a test can hold: what of the state is not plain, and what of the memory
 * is not filler.
 */
import { type Case, firstCodeOffset } from '../arbitraries/case.js';
import { CODE_SELECTOR, codeBase, DATA_BASE_16 } from '../arbitraries/user-states.js';
import { setField, stateFields } from '../compare/fields.js';
import type { Arena, CodeBits, OfferedInterrupt } from '../oracles/oracle.js';
import { BACKGROUND_BYTE, USER_CR3, USER_WINDOWS, type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, DS, ES, FS, GS, SS, TR } from '../state/cpu-state.js';

export interface CaseText {
  readonly arena: Arena;
  readonly bits: CodeBits;
  /** Fields of the state by name, where they are not as in `plainState`. */
  readonly state: Readonly<Record<string, string>>;
  /** 'code+0x40': bytes in hexadecimal; the first entry is where the code begins, if there is code. */
  readonly memory: Readonly<Record<string, string>>;
  /** Where the code begins ('code+0x40'), if not in a window at the linear address of CS:RIP: behind page tables. */
  readonly code?: string;
  /** Of the instructions. */
  readonly codeBytes: number;
  readonly tickLimit: number;
  readonly interrupts?: readonly OfferedInterrupt[];
}

const FIXED_FLAG = 2;
const FLAT_CODE = { 16: 0x00fb, 32: 0xc0fb, 64: 0xa0fb } as const;
const FLAT_DATA = 0xc0f3;
const DATA_16 = 0xf3;
const FLAT_LIMIT = 0xffff_ffff;

/** The state that texts leave out: user code in flat segments, nothing in the registers. In the system arena all zeros, but for the flag that is always set. */
function plainState(arena: Arena, bits: CodeBits): CpuState {
  const state = new CpuState();
  state.flags = FIXED_FLAG;
  if (arena === 'system') return state;
  for (const index of [ES, SS, DS, FS, GS]) {
    if (bits === 16) state.setSegment(index, index * 8 + 7, BigInt(DATA_BASE_16), 0xffff, DATA_16);
    else state.setSegment(index, 0x2b, 0n, FLAT_LIMIT, FLAT_DATA);
  }
  state.setSegment(CS, CODE_SELECTOR[bits], BigInt(codeBase(bits)), bits === 16 ? 0xffff : FLAT_LIMIT, FLAT_CODE[bits]);
  state.setSegment(TR, 0x60, 0x9_0000n, 0, 0x8b);
  state.flags = 0x202;
  state.setU64(CPU_STATE.cr0, 0x8000_0033n);
  state.setU64(CPU_STATE.cr3, BigInt(USER_CR3));
  state.setU64(CPU_STATE.cr4, 0x600n);
  if (bits === 64) state.setU64(CPU_STATE.efer, 0x500n);
  state.setU64(CPU_STATE.debug + 48, 0xffff_0ff0n);
  state.setU64(CPU_STATE.debug + 56, 0x400n);
  state.setU32(CPU_STATE.cpl, 3);
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU16(CPU_STATE.x87Empty, 0xff);
  state.setU32(CPU_STATE.mxcsr, 0x1f80);
  return state;
}

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** Filler of so many bytes ends a stretch of memory. */
const GAP_BYTES = 8;

export function describeCase(one: Case): CaseText {
  const { arena, bits, windows, record, tickLimit, interrupts, codeOffset, codeBytes } = one;
  const plain = plainState(arena, bits);
  const state: Record<string, string> = {};
  const usual = stateFields(bits, plain.bytes);
  for (const [name, value] of stateFields(bits, record)) if (usual.get(name) !== value) state[name] = value;
  const memory: Record<string, string> = {};
  let at = CPU_STATE_BYTES;
  for (const { name, bytes } of windows) {
    for (const [start, end] of stretches(record, at, at + bytes, codeOffset, codeOffset + codeBytes)) {
      memory[`${name}+0x${(start - at).toString(16)}`] = toHex(record.subarray(start, end));
    }
    at += bytes;
  }
  const code = codeOffset === firstCodeOffset(windows, record) ? {} : { code: placeOf(windows, codeOffset) };
  const text: CaseText = { arena, bits, state, memory, ...code, codeBytes, tickLimit };
  return interrupts.length === 0 ? text : { ...text, interrupts };
}

function placeOf(windows: readonly Window[], offset: number): string {
  let at = CPU_STATE_BYTES;
  for (const { name, bytes } of windows) {
    if (offset < at + bytes) return `${name}+0x${(offset - at).toString(16)}`;
    at += bytes;
  }
  throw new Error(`no window has byte ${offset} of the record`);
}

/** What is not filler, in pieces; the code is always one by itself. */
function stretches(record: Uint8Array, start: number, end: number, codeStart: number, codeEnd: number): [number, number][] {
  const found: [number, number][] = [];
  let at = start;
  while (at < end) {
    if (at === codeStart) {
      found.push([codeStart, codeEnd]);
      at = Math.max(codeEnd, at + 1);
      continue;
    }
    if (record[at] === BACKGROUND_BYTE) {
      at++;
      continue;
    }
    const stop = at < codeStart && codeStart < end ? codeStart : end;
    let last = at + 1;
    for (let i = at + 1; i < stop && i - last < GAP_BYTES; i++) if (record[i] !== BACKGROUND_BYTE) last = i + 1;
    found.push([at, last]);
    at = last;
  }
  return found;
}

/** The case that a text describes. @param windows those of its arena; default: the user arena's */
export function parseCase(text: CaseText, windows: readonly Window[] = USER_WINDOWS): Case {
  const { arena, bits, tickLimit, code, codeBytes, interrupts = [] } = text;
  const record = new Uint8Array(CPU_STATE_BYTES + windowsBytes(windows)).fill(BACKGROUND_BYTE);
  record.set(plainState(arena, bits).bytes);
  for (const [name, value] of Object.entries(text.state)) setField(bits, record, name, value);
  for (const [place, hex] of Object.entries(text.memory)) {
    const offset = offsetOf(windows, place);
    const bytes = hex.split(' ').map((byte) => Number.parseInt(byte, 16));
    record.set(bytes, offset);
  }
  const codeOffset = code === undefined ? firstCodeOffset(windows, record) : offsetOf(windows, code);
  return { arena, bits, windows, record, codeOffset, codeBytes, tickLimit, interrupts };
}

function offsetOf(windows: readonly Window[], place: string): number {
  const [name, offset] = place.split('+') as [string, string];
  let at = CPU_STATE_BYTES;
  for (const window of windows) {
    if (window.name === name) return at + Number(offset);
    at += window.bytes;
  }
  throw new Error(`no window is named ${name}`);
}
