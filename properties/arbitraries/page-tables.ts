/**
 * Page tables for 32-bit paging (SDM volume 3, 4.3): a few linear pages mapped to a few frames, with every combination of
 * rights, with holes, aliases and 4 MiB pages, and entries of the directory that forbid more than those of their tables.
 */
import fc from 'fast-check';

export interface PageMapping {
  /** Linear address, a multiple of 4096. */
  readonly linear: number;
  /** Physical address, a multiple of 4096. */
  readonly physical: number;
  /** Low bits of the entry: P, R/W, U/S, PWT, PCD, A, D. */
  readonly bits: number;
}

export interface PageTables {
  readonly cr3: number;
  /** R/W and U/S of the directory's entry above each table, by number of the entry; missing ones allow everything. */
  readonly directory: ReadonlyMap<number, number>;
  readonly mappings: readonly PageMapping[];
  /** Entries of the directory that are 4 MiB pages (CR4.PSE): number and bits. They map linear to physical one to one. */
  readonly largePages: ReadonlyMap<number, number>;
  /** Writes the tables into physical memory. */
  write(memory: DataView): void;
}

export interface PageTablesOptions {
  /** Linear pages that may be mapped, by address. */
  readonly linear: readonly number[];
  /** Frames that they may be mapped to, by address. */
  readonly physical: readonly number[];
  /** Where the directory lies; the tables follow it. Default 0x80000. */
  readonly cr3?: number;
  /** 4 MiB pages as well. Default: none. */
  readonly largePages?: boolean;
}

const PAGE = 4096;
const ENTRIES = 1024;
const PRESENT = 1;
const ALLOW = 6;
const LARGE = 0x80;
const directoryIndex = (linear: number): number => Math.floor(linear / (PAGE * ENTRIES));

class BuiltPageTables implements PageTables {
  constructor(
    readonly cr3: number,
    readonly directory: ReadonlyMap<number, number>,
    readonly mappings: readonly PageMapping[],
    readonly largePages: ReadonlyMap<number, number>,
  ) {}

  write(memory: DataView): void {
    const { cr3 } = this;
    for (let i = 0; i < PAGE; i += 4) memory.setUint32(cr3 + i, 0, true);
    for (const [index, bits] of this.largePages) memory.setUint32(cr3 + index * 4, (index * PAGE * ENTRIES) | bits | LARGE, true);
    const tables = new Map<number, number>();
    for (const { linear, physical, bits } of this.mappings) {
      const index = directoryIndex(linear);
      let table = tables.get(index);
      if (table === undefined) {
        table = cr3 + (tables.size + 1) * PAGE;
        tables.set(index, table);
        for (let i = 0; i < PAGE; i += 4) memory.setUint32(table + i, 0, true);
        memory.setUint32(cr3 + index * 4, table | PRESENT | (this.directory.get(index) ?? ALLOW), true);
      }
      memory.setUint32(table + ((linear / PAGE) % ENTRIES) * 4, physical | bits, true);
    }
  }
}

/** They shrink to fewer mappings with fewer bits. */
export function pageTables({ linear, physical, cr3 = 0x8_0000, largePages = false }: PageTablesOptions): fc.Arbitrary<PageTables> {
  const bits = fc
    .record({ present: fc.integer({ min: 0, max: 9 }), others: fc.integer({ min: 0, max: 0x3f }) })
    .map(({ present, others }) => (others << 1) | (present === 9 ? 0 : PRESENT));
  const mapping = fc.record({ linear: fc.constantFrom(...linear), physical: fc.constantFrom(...physical), bits });
  const mappings = fc.uniqueArray(mapping, { selector: (one) => one.linear, maxLength: linear.length });
  const directories = [...new Set(linear.map(directoryIndex))];
  const rights = fc.array(fc.tuple(fc.constantFrom(...directories), fc.constantFrom(0, 2, 4, ALLOW)), { maxLength: directories.length });
  const large = largePages ? fc.array(fc.tuple(fc.integer({ min: 0, max: ENTRIES - 1 }), bits), { maxLength: 3 }) : fc.constant([]);
  return fc
    .tuple(mappings, rights, large)
    .map(
      ([all, allowed, pages]) => new BuiltPageTables(cr3, new Map(allowed), all, new Map(pages.map(([index, low]) => [index, low & 0x7f]))),
    );
}
