/**
 * The ranges of I/O ports that PCI functions decode (PCI 2.1, 6.2.5). Which function gets which port follows from
 * their registers alone, never from the order in which they were written, so that a restored machine decodes the same:
 * ports of other devices stay theirs, and where two windows overlap the one that was added first wins.
 */
import type { PortHandler, PortRegistrar } from '../device.js';

export interface PortWindow {
  /** @param base the first port, or undefined when the function decodes nothing. */
  moveTo(base: number | undefined): void;
}

interface Entry {
  readonly count: number;
  readonly handler: PortHandler;
  wantedBase: number | undefined;
  claimedBase: number | undefined;
}

export class PortWindows {
  private readonly entries: Entry[] = [];

  constructor(private readonly ports: PortRegistrar) {}

  add(count: number, handler: PortHandler): PortWindow {
    const entry: Entry = { count, handler, wantedBase: undefined, claimedBase: undefined };
    this.entries.push(entry);
    return {
      moveTo: (base) => {
        if (base === entry.wantedBase) return;
        entry.wantedBase = base;
        this.decode();
      },
    };
  }

  private decode(): void {
    for (const entry of this.entries) {
      if (entry.claimedBase !== undefined) this.ports.release(entry.claimedBase, entry.count);
      entry.claimedBase = undefined;
    }
    for (const entry of this.entries) {
      if (entry.wantedBase === undefined) continue;
      try {
        this.ports.claim(entry.wantedBase, entry.count, entry.handler);
        entry.claimedBase = entry.wantedBase;
      } catch {
        // Somebody else's ports: a guest may write any base, and this one decodes nothing.
      }
    }
  }
}
