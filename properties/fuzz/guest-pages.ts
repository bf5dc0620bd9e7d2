/** The page tables of a machine read backwards (32-bit paging, Intel SDM volume 3, section 4.3): which linear pages lead to a physical one. */
import type { Machine } from '../../engine/index.js';

export interface PageMapping {
  readonly linearPage: number;
  /** Physical. */
  readonly page: number;
  /** Bits 0 to 11 of the entries, for pages of 4 KiB. */
  readonly directoryFlags: number;
  readonly tableFlags: number;
}

const PAGE_BYTES = 4096;
const ENTRIES = 1024;
const PRESENT = 0x001;
const LARGE = 0x080;
const GLOBAL = 0x100;
const CR4_PSE = 0x10;
/** Present, writable, user, write-through, cache disabled, accessed. */
const COMMON_FLAGS = 0x03f;
const DIRTY = 0x040;
const FLAGS = 0xfff;

/** @param pages physical @param linearPages to be found as well, where they are present */
export function linearPagesOf(
  machine: Machine,
  cr3: number,
  cr4: number,
  pages: ReadonlySet<number>,
  linearPages: readonly number[],
): PageMapping[] {
  const found: PageMapping[] = [];
  const wanted = (page: number, linearPage: number): boolean => pages.has(page) || linearPages.includes(linearPage);
  const directory = entriesAt(machine, cr3);
  for (let high = 0; high < directory.length; high++) {
    const entry = directory[high] as number;
    if (!(entry & PRESENT)) continue;
    if (entry & LARGE && cr4 & CR4_PSE) {
      const first = (entry >>> 22) * ENTRIES + ((entry >>> 13) & 15) * 0x10_0000;
      const directoryFlags = entry & COMMON_FLAGS;
      const tableFlags = entry & (COMMON_FLAGS | DIRTY | GLOBAL);
      for (let low = 0; low < ENTRIES; low++) {
        const linearPage = high * ENTRIES + low;
        if (wanted(first + low, linearPage)) found.push({ linearPage, page: first + low, directoryFlags, tableFlags });
      }
      continue;
    }
    entriesAt(machine, entry).forEach((tableEntry, low) => {
      const [page, linearPage] = [tableEntry >>> 12, high * ENTRIES + low];
      if (!(tableEntry & PRESENT) || !wanted(page, linearPage)) return;
      found.push({ linearPage, page, directoryFlags: entry & FLAGS, tableFlags: tableEntry & FLAGS });
    });
  }
  return found;
}

/** A table's entries, as far as there is memory. */
function entriesAt(machine: Machine, entry: number): Uint32Array {
  const bytes = machine.peekPhysical((entry & ~FLAGS) >>> 0, PAGE_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => view.getUint32(i * 4, true));
}
