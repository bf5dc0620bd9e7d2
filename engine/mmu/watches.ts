/**
 * Ranges of guest-physical memory whose accesses somebody outside wants to know of. Frames that a range touches are marked,
 * and accesses to those alone take the slow path: what is not watched costs nothing.
 *
 * Writes are heard of whoever makes them: instructions, page walks that set accessed and dirty bits, devices. Reads are
 * those that instructions make of data; fetches do not count.
 */
import { type Accessor, FRAME, type PhysicalMemory } from './physical-memory.js';
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
  readonly by: Accessor;
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
      const endPage = Math.ceil((watch.address + watch.bytes) / 0x1000);
      for (let page = Math.floor(watch.address / 0x1000); page < endPage; page++) {
        const frame = physical.frameOf(page * 0x1000);
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
    if (hit) this.onAccess({ address, bytes, write, by: this.physical.accessor });
  }
}
