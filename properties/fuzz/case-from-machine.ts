/**
 * The next instruction of a machine as a case of the system arena: the processor as it stands, and of memory what the
 * instruction touches. Where that lies above the arena's mebibyte or behind page tables, its pages are moved, and page tables are made for
 * it that say the same of the same linear addresses (32-bit paging, Intel SDM volume 3, section 4.3); aliases stay aliases.
 *
 * What depends on more (devices, time) is no case: a case is made only if this engine does in the arena what the machine does.
 */
import type { Machine } from '../../engine/index.js';
import type { Case } from '../arbitraries/case.js';
import { batchOf } from '../arbitraries/case.js';
import { disassemble } from '../assembler/disassemble.js';
import { differingFields } from '../compare/fields.js';
import { engineOracle } from '../oracles/engine.js';
import { createOutcomes } from '../oracles/oracle.js';
import { ARENA_BYTES, type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS } from '../state/cpu-state.js';
import { linearPagesOf, type PageMapping } from './guest-pages.js';
import { type MachineStep, stepOf, type Touched } from './machine-step.js';

const PAGE_BYTES = 4096;
const ARENA_PAGES = ARENA_BYTES / PAGE_BYTES;
const DIRECTORY_PAGE = 1;
/** Windows begin and end at multiples of it. */
const ALIGNED_BYTES = 16;
const INSTRUCTION_LIMIT_BYTES = 15;
const CR0_PE = 1;
const CR0_PG = 0x8000_0000;
const CR4_PAE = 0x20;
const CODE_32 = 0x4000;
/** Present, writable, for the user, accessed, dirty. */
const OPEN_ENTRY = 0x67;
/** Of the arena, not of the instruction. */
const ARENA_FIELDS: ReadonlySet<string> = new Set(['cr0', 'cr3']);

/** Where in the arena each physical page of the guest is, and words of the page tables that lead there. */
interface Placement {
  readonly pages: ReadonlyMap<number, number>;
  readonly words: readonly { readonly name: string; readonly address: number; readonly value: number }[];
}

/** @returns the case, or a line that says why there is none */
export function caseFromMachine(machine: Machine): Case | string {
  const step = stepOf(machine);
  if (typeof step === 'string') return step;
  const { before, codeAddress } = step;
  const bits = before.segmentAttributes(CS) & CODE_32 ? 32 : 16;
  const [line] = disassemble(machine.peekLinear(codeAddress, INSTRUCTION_LIMIT_BYTES), { bits, address: 0, count: 1 });
  if (line === undefined) return 'its code is not in memory';
  const codeBytes = line.bytes.length;
  const code = codeOf(machine, codeAddress, codeBytes);
  const placement = place(machine, step, code);
  if (typeof placement === 'string') return placement;
  const state = new CpuState();
  state.copyFrom(before);
  if (placement.words.length > 0) {
    state.setU64(CPU_STATE.cr0, BigInt.asUintN(64, state.u64(CPU_STATE.cr0) | BigInt(CR0_PG)));
    state.setU64(CPU_STATE.cr3, BigInt(DIRECTORY_PAGE * PAGE_BYTES));
  }
  const { windows, contents } = windowsOf(machine, [...code, ...step.touched], placement);
  const record = new Uint8Array(CPU_STATE_BYTES + windowsBytes(windows));
  record.set(state.bytes);
  record.set(contents, CPU_STATE_BYTES);
  const first = code[0] as Touched;
  const codeOffset = offsetIn(windows, moved(first.address, placement));
  const one: Case = { arena: 'system', bits, windows, record, codeOffset, codeBytes, tickLimit: step.ticks, interrupts: [] };
  return differsFromMachine(one, step) ?? one;
}

/** Where the code is in physical memory: one piece, or one in each of two pages. */
function codeOf(machine: Machine, linear: number, bytes: number): Touched[] {
  const first = Math.min(bytes, PAGE_BYTES - (linear % PAGE_BYTES));
  const pieces = [{ linear, bytes: first }];
  if (first < bytes) pieces.push({ linear: (linear + first) >>> 0, bytes: bytes - first });
  return pieces.map((piece) => ({ address: machine.translate(piece.linear) as number, bytes: piece.bytes }));
}

const pageOf = ({ address }: Touched): number => Math.floor(address / PAGE_BYTES);

function place(machine: Machine, { before, touched, faultPages, codeAddress }: MachineStep, code: readonly Touched[]): Placement | string {
  const [cr0, cr4] = [before.u64(CPU_STATE.cr0), before.u64(CPU_STATE.cr4)].map((value) => Number(value)) as [number, number];
  const paging = (cr0 & CR0_PG) !== 0;
  // Those of the code first, so that they are neighbours.
  const pages = [
    ...new Set([...code, ...touched].flatMap((piece) => [pageOf(piece), pageOf({ ...piece, address: piece.address + piece.bytes - 1 })])),
  ];
  if (!paging && pages.every((page) => page < ARENA_PAGES) && codeAddress === code[0]?.address)
    return { pages: new Map(pages.map((page) => [page, page])), words: [] };
  if (!paging && !(cr0 & CR0_PE)) return 'in real mode, it reaches memory above the first mebibyte';
  if (paging && cr4 & CR4_PAE) return 'PAE paging is on';
  const mappings = paging
    ? linearPagesOf(machine, Number(before.u64(CPU_STATE.cr3)), cr4, new Set(pages), faultPages)
    : pages.map((page): PageMapping => ({ linearPage: page, page, directoryFlags: OPEN_ENTRY, tableFlags: OPEN_ENTRY }));
  const directories = [...new Set(mappings.map(({ linearPage }) => linearPage >>> 10))];
  let next = DIRECTORY_PAGE + 1;
  const tables = new Map(directories.map((directory) => [directory, next++]));
  const moves = new Map(pages.map((page) => [page, next++]));
  for (const { page } of mappings) if (!moves.has(page)) moves.set(page, next++);
  if (next > ARENA_PAGES) return 'it touches more pages than the arena has';
  const words = new Map<number, Placement['words'][number]>();
  const word = (name: string, address: number, value: number): void => void words.set(address, { name, address, value });
  for (const { linearPage, page, directoryFlags, tableFlags } of mappings) {
    const [directory, index] = [linearPage >>> 10, linearPage & 0x3ff];
    const table = (tables.get(directory) as number) * PAGE_BYTES;
    word(`pde${directory}`, DIRECTORY_PAGE * PAGE_BYTES + directory * 4, table | directoryFlags);
    word(`pte${directory}.${index}`, table + index * 4, ((moves.get(page) as number) * PAGE_BYTES) | tableFlags);
  }
  return { pages: moves, words: [...words.values()] };
}

const moved = (address: number, { pages }: Placement): number =>
  (pages.get(Math.floor(address / PAGE_BYTES)) as number) * PAGE_BYTES + (address % PAGE_BYTES);

/** What is touched as windows, neighbours together, each named by where the guest has it; then the words of page tables. */
function windowsOf(machine: Machine, touched: readonly Touched[], placement: Placement): { windows: Window[]; contents: Uint8Array } {
  const origin = new Map([...placement.pages].map(([page, arenaPage]) => [arenaPage, page]));
  const blocks = new Set<number>();
  for (const { address, bytes } of touched) {
    for (let at = address - (address % ALIGNED_BYTES); at < address + bytes; at += ALIGNED_BYTES) blocks.add(moved(at, placement));
  }
  const guestAddress = (address: number): number =>
    (origin.get(Math.floor(address / PAGE_BYTES)) as number) * PAGE_BYTES + (address % PAGE_BYTES);
  const windows: { name: string; address: number; bytes: number }[] = [];
  const contents: number[] = [];
  for (const address of [...blocks].sort((a, b) => a - b)) {
    const last = windows.at(-1);
    if (last !== undefined && last.address + last.bytes === address) last.bytes += ALIGNED_BYTES;
    else windows.push({ name: `0x${guestAddress(address).toString(16)}`, address, bytes: ALIGNED_BYTES });
    contents.push(...machine.peekPhysical(guestAddress(address), ALIGNED_BYTES));
  }
  for (const { name, address, value } of placement.words) {
    windows.push({ name, address, bytes: 4 });
    contents.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }
  return { windows, contents: Uint8Array.from(contents) };
}

function offsetIn(windows: readonly Window[], address: number): number {
  let at = CPU_STATE_BYTES;
  for (const window of windows) {
    if (address >= window.address && address < window.address + window.bytes) return at + address - window.address;
    at += window.bytes;
  }
  throw new Error(`no window has 0x${address.toString(16)}`);
}

/** A line where this engine's outcome of the case is not what the machine has come to. */
function differsFromMachine(one: Case, { before, after }: MachineStep): string | undefined {
  const oracle = engineOracle('auto');
  const outcomes = createOutcomes(1, one.record.length);
  oracle.run(batchOf(one), outcomes);
  oracle.close();
  const state = outcomes.records.subarray(0, CPU_STATE_BYTES);
  const [difference] = differingFields(one.bits, [], before.bytes, after.bytes, state).filter(({ field }) => !ARENA_FIELDS.has(field));
  if (difference !== undefined) {
    const { field, left, right } = difference;
    return `it depends on more than processor and memory: ${field} becomes ${left}, without devices ${right}`;
  }
  return outcomes.strayWrites.length > 0 ? 'it writes where there is no memory' : undefined;
}
