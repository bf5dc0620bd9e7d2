/**
 * Ranges of guest-physical memory whose accesses somebody outside wants to know of. Frames that a range touches are marked,
 * and accesses to those alone take the slow path: what is not watched costs nothing.
 *
 * Writes are heard of whoever makes them: instructions, page walks that set accessed and dirty bits, devices. Reads are
 * those that instructions make of data; fetches do not count.
 */
import { FRAME, type PhysicalMemory } from './physical-memory.js';
import type { Tlb } from './tlb.js';

export interface Watch {
  /** Guest-physical. */
  readonly address: number;
  readonly bytes: number;
  readonly reads: boolean;
  readonly writes: boolean;
}

export interface WatchedAccess {
  /** The access as it was made, which may reach beyond what is watched. Guest-physical. */
  readonly address: number;
  readonly bytes: number;
  readonly write: boolean;
}

export class Watches {
  onAccess: (access: WatchedAccess) => void = () => {};
  private watches: readonly Watch[] = [];

  constructor(
    private readonly physical: PhysicalMemory,
    private readonly tlb: Tlb,
  ) {
    physical.onWatched = (address, bytes, write) => this.accessed(address, bytes, write);
  }

  replace(watches: readonly Watch[]): void {
    const { physical } = this;
    const { frameFlags } = physical;
    const mark = (watch: Watch, flags: number, set: boolean): void => {
      for (let at = watch.address & ~0xfff; at >>> 0 < watch.address + watch.bytes; at += 0x1000) {
        const frame = physical.frameOf(at >>> 0);
        if (frame >= 0) frameFlags[frame] = ((frameFlags[frame] as number) & ~flags) | (set ? flags : 0);
      }
    };
    for (const watch of this.watches) mark(watch, FRAME.watchedReads | FRAME.watchedWrites, false);
    for (const watch of watches) {
      if (watch.reads) mark(watch, FRAME.watchedReads, true);
      if (watch.writes) mark(watch, FRAME.watchedWrites, true);
    }
    this.watches = watches;
    this.tlb.flush('all');
  }

  private accessed(address: number, bytes: number, write: boolean): void {
    const hit = this.watches.some(
      (watch) => (write ? watch.writes : watch.reads) && address < watch.address + watch.bytes && watch.address < address + bytes,
    );
    if (hit) this.onAccess({ address, bytes, write });
  }
}
