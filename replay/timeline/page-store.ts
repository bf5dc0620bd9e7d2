/**
 * Pages of guest memory in slabs of a MiB: thousands of them are kept and dropped, and single buffers would cost the host
 * more than what is in them.
 */
export const PAGE_BYTES = 4096;
const SLAB_PAGES = 256;
/** Pages from here on are in a file. */
const FILE_PAGES: PageId = 2 ** 32;

/** Where pages are that are read when they are wanted. */
export interface PageSource {
  readPage(page: number): Uint8Array;
}

/** Names a stored page. */
export type PageId = number;
/** A page of zeros: not stored. */
export const ZERO_PAGE: PageId = -1;

export class PageStore {
  /** Pages of a file are copied into memory until so much is in use. */
  copyLimitBytes = 0;
  private readonly slabs: Uint8Array[] = [];
  private readonly free: PageId[] = [];
  private readonly zero = new Uint8Array(PAGE_BYTES);
  private used = 0;
  private source: PageSource | undefined;
  /** Pages of the file that are in memory, too. */
  private readonly copies = new Map<number, PageId>();

  /** Bytes of the pages kept. */
  get usedBytes(): number {
    return this.used * PAGE_BYTES;
  }

  /** The pages of a file can be named from now on. */
  attach(source: PageSource): void {
    this.source = source;
  }

  /** Names a page of the file; takes no memory. */
  inFile(page: number): PageId {
    return FILE_PAGES + page;
  }

  /** Keeps a copy. */
  add(bytes: Uint8Array): PageId {
    if (isZero(bytes)) return ZERO_PAGE;
    const id = this.free.pop() ?? this.grow();
    this.used++;
    (this.slabs[Math.floor(id / SLAB_PAGES)] as Uint8Array).set(bytes, (id % SLAB_PAGES) * PAGE_BYTES);
    return id;
  }

  /** A view; only for reading, until the page is dropped. */
  page(id: PageId): Uint8Array {
    if (id === ZERO_PAGE) return this.zero;
    if (id >= FILE_PAGES) return this.filePage(id - FILE_PAGES);
    const slab = this.slabs[Math.floor(id / SLAB_PAGES)] as Uint8Array;
    const at = (id % SLAB_PAGES) * PAGE_BYTES;
    return slab.subarray(at, at + PAGE_BYTES);
  }

  /** Reading costs more than the place does, as long as there is any. */
  private filePage(page: number): Uint8Array {
    const copy = this.copies.get(page);
    if (copy !== undefined) return this.page(copy);
    const bytes = (this.source as PageSource).readPage(page);
    if (this.usedBytes < this.copyLimitBytes) this.copies.set(page, this.add(bytes));
    return bytes;
  }

  dropCopies(): void {
    for (const copy of this.copies.values()) this.drop(copy);
    this.copies.clear();
  }

  drop(id: PageId): void {
    if (id === ZERO_PAGE || id >= FILE_PAGES) return;
    this.used--;
    this.free.push(id);
  }

  private grow(): PageId {
    const first = this.slabs.length * SLAB_PAGES;
    // Not cleared first: each page is written whole.
    const { buffer, byteOffset, length } = Buffer.allocUnsafeSlow(SLAB_PAGES * PAGE_BYTES);
    this.slabs.push(new Uint8Array(buffer, byteOffset, length));
    for (let id = first + SLAB_PAGES - 1; id > first; id--) this.free.push(id);
    return first;
  }
}

function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0) return false;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
