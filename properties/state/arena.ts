/**
 * Where cases run: a small world of memory that every oracle can build, and the windows in it whose contents belong to
 * a case. Everything outside the windows is background, equal in all oracles before each case.
 *
 * The code window is filled with HLT behind the instructions of a case, and every other window may be: wherever a case
 * ends up, it stops there. In the user arena (CPL 3) HLT is #GP(0), so that a case is over with its first exception; in the
 * system arena exceptions are delivered and a case is over when the processor halts or shuts down.
 */
import { CPU_STATE_BYTES } from './cpu-state.js';

export interface Window {
  readonly name: string;
  /** Linear; in the user arena and in the system arena without paging also physical. */
  readonly address: number;
  readonly bytes: number;
}

export interface Page {
  readonly address: number;
  readonly writable: boolean;
}

/** Physical memory of either arena. Linear addresses from 0 to here are mapped one to one, where they are mapped at all. */
export const ARENA_BYTES = 1 << 20;

/**
 * User code: CPL 3, paging on, each page either absent or present and executable, some read-only. What is not listed is
 * not present. The page tables lie at `USER_CR3`, where no case can see them.
 */
export const USER_PAGES: readonly Page[] = [
  { address: 0x10000, writable: true },
  { address: 0x11000, writable: true },
  { address: 0x20000, writable: true },
  { address: 0x21000, writable: true },
  { address: 0x24000, writable: false },
];
/** The page tables of every user case, and its CR3. */
export const USER_CR3 = 0x80000;

/** Instructions of a user case begin in the code window; it crosses from one page into the next in its middle. */
export const USER_WINDOWS: readonly Window[] = [
  { name: 'code', address: 0x10f00, bytes: 512 },
  /** Across two writable pages. */
  { name: 'data', address: 0x20f00, bytes: 512 },
  /** Up to the end of the last writable page; behind it nothing is present. */
  { name: 'edge', address: 0x21f00, bytes: 256 },
  /** The beginning of a read-only page; before it nothing is present. */
  { name: 'readOnly', address: 0x24000, bytes: 256 },
];

/** A case or an outcome as bytes: the state, then the contents of the windows in order. */
export const windowsBytes = (windows: readonly Window[]): number => windows.reduce((sum, { bytes }) => sum + bytes, 0);
export const USER_RECORD_BYTES = CPU_STATE_BYTES + windowsBytes(USER_WINDOWS);

/** Every byte outside the windows and the page tables, before each case: HLT. */
export const BACKGROUND_BYTE = 0xf4;

const PAGE_BYTES = 4096;
/** Present, user, accessed, dirty: walks change nothing. */
const USER_ENTRY = 0x65;
const WRITABLE_ENTRY = 0x02;

/** Physical memory before a user case, its windows aside: background, and page tables for 32-bit paging (SDM volume 3, 4.3). */
export function fillUserMemory(memory: Uint8Array): void {
  memory.fill(BACKGROUND_BYTE, 0, ARENA_BYTES);
  memory.fill(0, USER_CR3, USER_CR3 + 2 * PAGE_BYTES);
  const view = new DataView(memory.buffer, memory.byteOffset);
  const table = USER_CR3 + PAGE_BYTES;
  view.setUint32(USER_CR3, table | USER_ENTRY | WRITABLE_ENTRY, true);
  for (const { address, writable } of USER_PAGES) {
    view.setUint32(table + (address / PAGE_BYTES) * 4, address | USER_ENTRY | (writable ? WRITABLE_ENTRY : 0), true);
  }
}
