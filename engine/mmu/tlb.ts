/**
 * The TLB that generated code reads: direct mapped, one table for supervisor and one for user accesses (layout.ts).
 *
 * It never goes stale: frames that hold page tables of present entries are marked (FRAME.table), a write to them comes
 * here and drops what was derived from the changed entries. So the guest cannot see the TLB, and it is no state.
 */
import { FRAMES, TLB_BYTES, TLB_ENTRIES, TLB_ENTRY_BYTES, TLB_INVALID, TLB_NONE, TLB_SUPERVISOR, TLB_USER } from '../cpu/layout.js';
import type { CpuState } from '../cpu/state.js';
import type { Translation } from './paging.js';
import { FRAME, type PhysicalMemory } from './physical-memory.js';

const SUPERVISOR = TLB_SUPERVISOR >>> 2;
const USER = TLB_USER >>> 2;
const ENTRY_WORDS = TLB_ENTRY_BYTES >>> 2;
const TABLE_WORDS = TLB_BYTES >>> 2;
const ENTRY_MASK = TLB_ENTRIES - 1;

/** What a marked frame is used as: linear address that its first entry maps, and how much each entry maps. */
interface TableUse {
  readonly linearBase: number;
  /** log2 of the bytes an entry maps. */
  readonly entryShift: number;
  readonly entryBytes: 4 | 8;
  /** Used in more than one place: any write drops everything. */
  shared: boolean;
}

/** So many writes to marked frames that dropped nothing make us forget all marks: the frames have other uses by now. */
const FUTILE_WRITES_LIMIT = 256;

export class Tlb {
  /** Called when translations of a linear page (or, without argument, of all pages) are dropped. */
  onDropped: (linearPage: number | undefined) => void = () => {};
  private readonly words: Uint32Array;
  private readonly global = new Uint8Array(2 * TLB_ENTRIES);
  /** Word indices of entries that may be valid. */
  private readonly filled = new Int32Array(4096);
  private filledCount = 0;
  private readonly tables = new Map<number, TableUse>();
  private futileWrites = 0;

  constructor(
    state: CpuState,
    private readonly physical: PhysicalMemory,
  ) {
    this.words = state.u32;
    for (let at = 0; at < TABLE_WORDS; at += ENTRY_WORDS) this.invalidate((TLB_NONE >>> 2) + at);
    this.flush('all');
  }

  private entryAt(linear: number, user: boolean): number {
    return (user ? USER : SUPERVISOR) + ((linear >>> 12) & ENTRY_MASK) * ENTRY_WORDS;
  }

  private invalidate(entry: number): void {
    this.words[entry] = TLB_INVALID;
    this.words[entry + 1] = TLB_INVALID;
  }

  private flagIndex(entry: number): number {
    return (entry - SUPERVISOR) / ENTRY_WORDS;
  }

  /** Host address of a byte if its page may be read (written) without a walk, else 0. */
  lookup(linear: number, write: boolean, user: boolean): number {
    const entry = this.entryAt(linear, user);
    const tag = this.words[entry + (write ? 1 : 0)] as number;
    return tag === (linear & 0xffff_f000) >>> 0 ? (linear + (this.words[entry + 2] as number)) >>> 0 : 0;
  }

  /** Enters a translation of a page with storage. The write tag is set only when a write needs no attention at all. */
  fill(linear: number, user: boolean, translation: Translation, frame: number): void {
    const entry = this.entryAt(linear, user);
    const page = (linear & 0xffff_f000) >>> 0;
    const quiet = translation.writable && this.physical.frameFlags[frame] === FRAME.dirty;
    this.words[entry] = page;
    this.words[entry + 1] = quiet ? page : TLB_INVALID;
    this.words[entry + 2] = FRAMES + frame * 4096 - page;
    this.global[this.flagIndex(entry)] = translation.global ? 1 : 0;
    if (this.filledCount < this.filled.length) this.filled[this.filledCount] = entry;
    this.filledCount++;
  }

  private forEachFilled(visit: (entry: number) => void): void {
    if (this.filledCount <= this.filled.length) {
      for (let i = 0; i < this.filledCount; i++) visit(this.filled[i] as number);
      return;
    }
    for (let at = 0; at < 2 * TABLE_WORDS; at += ENTRY_WORDS) visit(SUPERVISOR + at);
  }

  flush(kind: 'all' | 'nonGlobal'): void {
    if (kind === 'all') {
      if (this.filledCount <= this.filled.length && this.filledCount > 0) this.forEachFilled((entry) => this.invalidate(entry));
      else for (let at = 0; at < 2 * TABLE_WORDS; at += ENTRY_WORDS) this.invalidate(SUPERVISOR + at);
      this.filledCount = 0;
      for (const frame of this.tables.keys()) this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) & ~FRAME.table;
      this.tables.clear();
      this.futileWrites = 0;
    } else {
      // Entries may be listed twice; a list that has overflowed is made anew from the tables.
      const listed = this.filledCount <= this.filled.length;
      const count = listed ? this.filledCount : 2 * TLB_ENTRIES;
      this.filledCount = 0;
      for (let i = 0; i < count; i++) {
        const entry = listed ? (this.filled[i] as number) : SUPERVISOR + i * ENTRY_WORDS;
        if (this.global[this.flagIndex(entry)] === 0) this.invalidate(entry);
        else if (this.words[entry] !== TLB_INVALID) this.filled[this.filledCount++] = entry;
      }
    }
    this.onDropped(undefined);
  }

  invalidatePage(linear: number): void {
    const page = (linear & 0xffff_f000) >>> 0;
    for (const user of [false, true]) {
      const entry = this.entryAt(linear, user);
      if (this.words[entry] === page || this.words[entry + 1] === page) this.invalidate(entry);
    }
    this.onDropped(page);
  }

  /** Writes to a frame must be noticed from now on (code, page table, digest): forget that they need no attention. */
  protectFrame(frame: number): void {
    const host = (FRAMES + frame * 4096) >>> 0;
    this.forEachFilled((entry) => {
      const tag = this.words[entry + 1] as number;
      if (tag !== TLB_INVALID && (tag + (this.words[entry + 2] as number)) >>> 0 === host) this.words[entry + 1] = TLB_INVALID;
    });
  }

  protectAllFrames(): void {
    this.forEachFilled((entry) => {
      this.words[entry + 1] = TLB_INVALID;
    });
  }

  // --- page tables in use -------------------------------------------------------------------------------------------

  /** Marks the tables that a walk has used. `pae`: eight-byte entries. */
  markTables(linear: number, translation: Translation, pae: boolean): void {
    const entryBytes = pae ? 8 : 4;
    const directoryShift = pae ? 21 : 22;
    const directoryBase = pae ? (linear & 0xc000_0000) >>> 0 : 0;
    if (translation.directory >= 0) this.mark(translation.directory, directoryBase, directoryShift, entryBytes);
    const span = 2 ** directoryShift;
    if (translation.table >= 0) this.mark(translation.table, Math.floor(linear / span) * span, 12, entryBytes);
  }

  private mark(address: number, linearBase: number, entryShift: number, entryBytes: 4 | 8): void {
    const frame = this.physical.frameOf(address);
    if (frame < 0) return;
    const known = this.tables.get(frame);
    if (known === undefined) {
      this.tables.set(frame, { linearBase, entryShift, entryBytes, shared: false });
      this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) | FRAME.table;
      this.protectFrame(frame);
    } else if (known.linearBase !== linearBase || known.entryShift !== entryShift || known.entryBytes !== entryBytes) known.shared = true;
  }

  /** Entries of a marked frame have changed. */
  tableWritten(frame: number, offset: number, bytes: number): void {
    const use = this.tables.get(frame);
    if (use === undefined) return;
    if (use.shared || use.entryShift !== 12) {
      this.flush('all');
      return;
    }
    if (++this.futileWrites > FUTILE_WRITES_LIMIT) {
      this.flush('all');
      return;
    }
    const first = Math.floor(offset / use.entryBytes);
    const last = Math.floor((offset + bytes - 1) / use.entryBytes);
    for (let index = first; index <= last; index++) this.invalidatePage((use.linearBase + index * 4096) >>> 0);
  }
}
