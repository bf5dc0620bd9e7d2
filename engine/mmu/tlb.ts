/**
 * The TLB that generated code reads: direct mapped, one table for supervisor and one for user accesses (layout.ts).
 *
 * It never goes stale: frames that hold page tables of present entries are marked (FRAME.table), a write to them comes
 * here and drops what was derived from the changed entries. So the guest cannot see the TLB, and it is no state.
 * Entries are also made by generated code (quick-walk.ts), which uses the same marks.
 */
import {
  FRAMES,
  FRAMES_LIMIT,
  TABLE_USE,
  TLB_BYTES,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FILLED,
  TLB_FILLED_COUNT,
  TLB_FILLED_LIMIT,
  TLB_GLOBAL,
  TLB_INVALID,
  TLB_NONE,
  TLB_SUPERVISOR,
  TLB_USER,
  TLB_WRITABLE,
} from '../cpu/layout.js';
import type { CpuState } from '../cpu/state.js';
import type { Translation } from './paging.js';
import { FRAME, type PhysicalMemory } from './physical-memory.js';

const SUPERVISOR = TLB_SUPERVISOR >>> 2;
const USER = TLB_USER >>> 2;
const ENTRY_WORDS = TLB_ENTRY_BYTES >>> 2;
const TABLE_WORDS = TLB_BYTES >>> 2;
const ENTRY_MASK = TLB_ENTRIES - 1;

/**
 * What a marked frame is used as: the first linear address it maps (a multiple of 2 MiB), plus the kind. Zero: not
 * marked. A frame used in more than one way is shared: any write to it drops everything.
 */
export const TABLE_KIND = { directory: 1, table: 2, directoryPae: 3, tablePae: 4, shared: 15 } as const;
const KIND_MASK = 15;

/** So many writes to marked frames make us forget all marks: some of the frames have other uses by now. */
const TABLE_WRITES_LIMIT = 4096;

export class Tlb {
  /** Called when translations of a linear page (or, without argument, of all pages) are dropped. */
  onDropped: (linearPage: number | undefined) => void = () => {};
  private readonly words: Uint32Array;
  private readonly tableUse: Uint32Array;
  private readonly markedFrames: number[] = [];
  private tableWrites = 0;

  constructor(
    state: CpuState,
    private readonly physical: PhysicalMemory,
  ) {
    this.words = state.u32;
    this.tableUse = new Uint32Array(state.memory.buffer, TABLE_USE, FRAMES_LIMIT);
    for (let at = 0; at < TABLE_WORDS; at += ENTRY_WORDS) this.invalidate((TLB_NONE >>> 2) + at);
    for (let at = 0; at < 2 * TABLE_WORDS; at += ENTRY_WORDS) this.invalidate(SUPERVISOR + at);
  }

  private get filledCount(): number {
    return this.words[TLB_FILLED_COUNT >>> 2] as number;
  }
  private set filledCount(count: number) {
    this.words[TLB_FILLED_COUNT >>> 2] = count;
  }

  private entryAt(linear: number, user: boolean): number {
    return (user ? USER : SUPERVISOR) + ((linear >>> 12) & ENTRY_MASK) * ENTRY_WORDS;
  }

  private invalidate(entry: number): void {
    this.words[entry] = TLB_INVALID;
    this.words[entry + 1] = TLB_INVALID;
  }

  private list(entry: number): void {
    const count = this.filledCount;
    if (count < TLB_FILLED_LIMIT) this.words[(TLB_FILLED >>> 2) + count] = entry * 4;
    this.filledCount = count + 1;
  }

  /** Host address of a byte if its page may be read (written) without a walk, else 0. */
  lookup(linear: number, write: boolean, user: boolean): number {
    const entry = this.entryAt(linear, user);
    const tag = this.words[entry + (write ? 1 : 0)] as number;
    return tag === (linear & 0xffff_f000) >>> 0 ? (linear + (this.words[entry + 2] as number)) >>> 0 : 0;
  }

  /** Host address of a byte that may be written but perhaps needs attention, 0 when a walk must find out. */
  lookupWritable(linear: number, user: boolean): number {
    const entry = this.entryAt(linear, user);
    if (this.words[entry] !== (linear & 0xffff_f000) >>> 0 || !((this.words[entry + 3] as number) & TLB_WRITABLE)) return 0;
    return (linear + (this.words[entry + 2] as number)) >>> 0;
  }

  /** Enters a translation of a page with storage, unless its reads are watched. The write tag is set only when a write needs no attention at all. */
  fill(linear: number, user: boolean, translation: Translation, frame: number): void {
    const flags = this.physical.frameFlags[frame] as number;
    if (flags & FRAME.watchedReads) return;
    const entry = this.entryAt(linear, user);
    const page = (linear & 0xffff_f000) >>> 0;
    const quiet = translation.writable && flags === FRAME.dirty;
    if (this.words[entry] === TLB_INVALID) this.list(entry);
    this.words[entry] = page;
    this.words[entry + 1] = quiet ? page : TLB_INVALID;
    this.words[entry + 2] = FRAMES + frame * 4096 - page;
    this.words[entry + 3] = (translation.global ? TLB_GLOBAL : 0) | (translation.writable ? TLB_WRITABLE : 0);
  }

  /** Every entry that may be valid, some perhaps twice. */
  private forEachFilled(visit: (entry: number) => void): void {
    const count = this.filledCount;
    if (count <= TLB_FILLED_LIMIT) {
      const list = TLB_FILLED >>> 2;
      for (let i = 0; i < count; i++) visit((this.words[list + i] as number) >>> 2);
      return;
    }
    for (let at = 0; at < 2 * TABLE_WORDS; at += ENTRY_WORDS) visit(SUPERVISOR + at);
  }

  flush(kind: 'all' | 'nonGlobal'): void {
    if (kind === 'all') {
      this.forEachFilled((entry) => this.invalidate(entry));
      this.filledCount = 0;
      for (const frame of this.markedFrames) {
        this.tableUse[frame] = 0;
        this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) & ~FRAME.table;
      }
      this.markedFrames.length = 0;
      this.tableWrites = 0;
    } else this.dropNonGlobal();
    this.onDropped(undefined);
  }

  private dropNonGlobal(): void {
    const count = this.filledCount;
    const listed = count <= TLB_FILLED_LIMIT;
    const list = TLB_FILLED >>> 2;
    const { words } = this;
    let kept = 0;
    for (let i = 0; i < (listed ? count : 2 * TLB_ENTRIES); i++) {
      const entry = listed ? (words[list + i] as number) >>> 2 : SUPERVISOR + i * ENTRY_WORDS;
      if (words[entry] === TLB_INVALID) continue;
      if (((words[entry + 3] as number) & TLB_GLOBAL) === 0) this.invalidate(entry);
      else words[list + kept++] = entry * 4;
    }
    this.filledCount = kept;
  }

  invalidatePage(linear: number): void {
    const page = (linear & 0xffff_f000) >>> 0;
    for (let user = 0; user < 2; user++) {
      const entry = this.entryAt(linear, user === 1);
      if (this.words[entry] === page) this.invalidate(entry);
    }
    this.onDropped(page);
  }

  /** Writes to a frame must be noticed from now on (code, page table, digest): forget that they need no attention. */
  protectFrame(frame: number): void {
    const host = (FRAMES + frame * 4096) >>> 0;
    const { words } = this;
    this.forEachFilled((entry) => {
      const tag = words[entry + 1] as number;
      if (tag !== TLB_INVALID && (tag + (words[entry + 2] as number)) >>> 0 === host) words[entry + 1] = TLB_INVALID;
    });
  }

  protectAllFrames(): void {
    this.forEachFilled((entry) => {
      this.words[entry + 1] = TLB_INVALID;
    });
  }

  // --- page tables in use -------------------------------------------------------------------------------------------

  /** Marks the tables that a walk has used. */
  markTables(linear: number, translation: Translation, pae: boolean): void {
    if (translation.directory >= 0) {
      this.mark(translation.directory, pae ? ((linear & 0xc000_0000) | TABLE_KIND.directoryPae) >>> 0 : TABLE_KIND.directory);
    }
    if (translation.table >= 0) {
      this.mark(translation.table, ((linear & (pae ? 0xffe0_0000 : 0xffc0_0000)) | (pae ? TABLE_KIND.tablePae : TABLE_KIND.table)) >>> 0);
    }
  }

  private mark(address: number, use: number): void {
    const frame = this.physical.frameOf(address);
    if (frame < 0) return;
    const known = this.tableUse[frame] as number;
    if (known === use) return;
    if (known !== 0) {
      this.tableUse[frame] = TABLE_KIND.shared;
      return;
    }
    this.tableUse[frame] = use;
    this.markedFrames.push(frame);
    this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) | FRAME.table;
    this.protectFrame(frame);
  }

  /** Entries of a marked frame have changed. */
  tableWritten(frame: number, offset: number, bytes: number): void {
    const use = this.tableUse[frame] as number;
    const kind = use & KIND_MASK;
    if ((kind !== TABLE_KIND.table && kind !== TABLE_KIND.tablePae) || ++this.tableWrites > TABLE_WRITES_LIMIT) {
      this.flush('all');
      return;
    }
    const shift = kind === TABLE_KIND.tablePae ? 3 : 2;
    const first = offset >>> shift;
    const last = (offset + bytes - 1) >>> shift;
    for (let index = first; index <= last; index++) this.invalidatePage(((use & ~KIND_MASK) + index * 4096) >>> 0);
  }
}
