/**
 * The system arena: what a case of system code finds in memory. All tables of a processor with 32-bit paging or PAE, real and
 * protected mode lie in windows of the case; everything else is HLT, so that handlers, tasks and other code segments are
 * complete wherever they begin. Exceptions and interrupts are delivered; at CPL 0 the HLT of a handler ends the case, at others it is
 * #GP(0) on the way to one.
 *
 * Linear addresses are physical ones: the page table maps, as far as a case lets it, the first `MAPPED_PAGES` pages one to one.
 */
import { ARENA_BYTES, BACKGROUND_BYTE, type Window, windowsBytes } from './arena.js';
import { CPU_STATE_BYTES } from './cpu-state.js';

/** Where the windows are, by what is in them. */
export const SYSTEM_AREA = {
  /** Vector table of real mode and of 8086 programs. */
  vectors: { address: 0x0000, bytes: 0x100 },
  gdt: { address: 0x1000, bytes: 0x180 },
  ldt: { address: 0x1180, bytes: 0x80 },
  idt: { address: 0x1800, bytes: 0x200 },
  /** The present task; its I/O permission bit map begins at TASK_IO_MAP, the redirection map before it. */
  task: { address: 0x2000, bytes: 0x100 },
  /** Other tasks. */
  task32: { address: 0x2f80, bytes: 0x80 },
  task16: { address: 0x2400, bytes: 0x40 },
  otherTask16: { address: 0x2440, bytes: 0x40 },
  pageDirectory: { address: 0x3000, bytes: 0x10 },
  pageTable: { address: 0x4000, bytes: 0x80 },
  pageDirectoryPointers: { address: 0x5000, bytes: 0x20 },
  paeDirectory: { address: 0x6000, bytes: 0x10 },
  paeTable: { address: 0x7000, bytes: 0x100 },
  /** Stacks cross from one page into the next in their middle. */
  stack0: { address: 0x8f80, bytes: 0x100 },
  stack1: { address: 0xafc0, bytes: 0x80 },
  stack2: { address: 0xcfc0, bytes: 0x80 },
  stack3: { address: 0xef80, bytes: 0x100 },
  data: { address: 0x10f80, bytes: 0x100 },
  code: { address: 0x12fc0, bytes: 0x80 },
} as const;
export type SystemArea = keyof typeof SYSTEM_AREA;

export const MAPPED_PAGES = 32;
/** In the present task, behind 32 bytes of interrupt redirection. */
export const TASK_IO_MAP = 0x88;
/** First instruction of a case; it is near the end of a page. */
export const SYSTEM_CODE = 0x12ff0;
/** A place full of HLT, for handlers and targets. */
export const SYSTEM_HANDLERS = 0x14000;

const SYSTEM_AREAS = Object.keys(SYSTEM_AREA) as readonly SystemArea[];
export const SYSTEM_WINDOWS: readonly Window[] = SYSTEM_AREAS.map((name) => ({ name, ...SYSTEM_AREA[name] }));
export const SYSTEM_RECORD_BYTES = CPU_STATE_BYTES + windowsBytes(SYSTEM_WINDOWS);

/** Where each window lies in a record. */
export const SYSTEM_OFFSET: Readonly<Record<SystemArea, number>> = (() => {
  const offsets: Partial<Record<SystemArea, number>> = {};
  let at = CPU_STATE_BYTES;
  for (const name of SYSTEM_AREAS) {
    offsets[name] = at;
    at += SYSTEM_AREA[name].bytes;
  }
  return offsets as Record<SystemArea, number>;
})();

/** Physical memory before a system case, its windows aside. */
export function fillSystemMemory(memory: Uint8Array): void {
  memory.fill(BACKGROUND_BYTE, 0, ARENA_BYTES);
}
