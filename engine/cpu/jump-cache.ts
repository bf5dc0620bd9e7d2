/**
 * The jump cache that generated code looks branch targets up in (layout.ts): direct mapped by linear address. An entry
 * holds as long as the translation of its page does.
 */
import * as layout from './layout.js';
import type { CpuState } from './state.js';

/** No mode has these numbers: an entry that has one fits nothing. Free, and in use before. */
const FREE_MODE = 0xffff_ffff;
const DROPPED_MODE = 0xffff_fffe;

export class JumpCache {
  /** Linear pages that there are entries of. */
  private readonly pages = new Set<number>();
  /** Addresses of the entries that are in use. */
  private readonly slots: number[] = [];

  constructor(private readonly state: CpuState) {
    const end = layout.JUMP_CACHE + layout.JUMP_CACHE_BYTES;
    for (let slot = layout.JUMP_CACHE; slot < end; slot += layout.JUMP_CACHE_ENTRY_BYTES) state.set32(slot + 4, FREE_MODE);
  }

  enter(linear: number, mode: number, record: number): void {
    const { state } = this;
    const index = (linear ^ (linear >>> layout.JUMP_CACHE_HASH_SHIFT)) & (layout.JUMP_CACHE_ENTRIES - 1);
    const slot = layout.JUMP_CACHE + index * layout.JUMP_CACHE_ENTRY_BYTES;
    if (state.get32(slot + 4) === FREE_MODE) this.slots.push(slot);
    state.set32(slot, linear);
    state.set32(slot + 4, mode);
    state.set32(slot + 8, record);
    this.pages.add(linear >>> 12);
  }

  dropAll(): void {
    for (const slot of this.slots) this.state.set32(slot + 4, FREE_MODE);
    this.slots.length = 0;
    this.pages.clear();
  }

  dropPage(linear: number): void {
    const page = linear >>> 12;
    if (!this.pages.delete(page)) return;
    for (const slot of this.slots) if (this.state.get32(slot) >>> 12 === page) this.state.set32(slot + 4, DROPPED_MODE);
  }
}
