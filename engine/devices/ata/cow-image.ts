/**
 * A disk image with copy on write: the host's image is only read, what the guest writes stays in blocks of 4 KiB
 * that belong to the guest's state.
 */
import { type BlockImage, type DeviceState, StateError, type StateValue } from '../device.js';
import { SECTOR_BYTES } from './registers.js';

const BLOCK_BYTES = 4096;

export class CowImage {
  /** A last sector that the image holds only in part is padded with zeros. */
  readonly sectorCount: number;
  private overlay = new Map<number, Uint8Array>();
  /** Blocks that a saved state holds: they are replaced, not written to. */
  private readonly shared = new Set<Uint8Array>();
  /** What `saveShared` gave last, while it holds. */
  private saved: { blocks: number[]; pieces: Uint8Array[] } | undefined;

  constructor(private readonly image: BlockImage) {
    this.sectorCount = Math.ceil(image.sizeBytes / SECTOR_BYTES);
  }

  /** Sectors from `sector` on; `into` has a whole number of them, all on the disk. */
  read(sector: number, into: Uint8Array): void {
    this.forEachPiece(sector, into, (block, offset, piece) => {
      const written = this.overlay.get(block);
      if (written === undefined) this.readImage(block * BLOCK_BYTES + offset, piece);
      else piece.set(written.subarray(offset, offset + piece.length));
    });
  }

  write(sector: number, bytes: Uint8Array): void {
    this.forEachPiece(sector, bytes, (block, offset, piece) => {
      let written = this.overlay.get(block);
      if (written === undefined || this.shared.delete(written)) {
        const copy = new Uint8Array(BLOCK_BYTES);
        if (written === undefined) this.readImage(block * BLOCK_BYTES, copy);
        else copy.set(written);
        written = copy;
        this.overlay.set(block, written);
        this.saved = undefined;
      }
      written.set(piece, offset);
    });
  }

  /** Block numbers ascending, so that equal disks have equal states whatever the order of the writes was. */
  save(): DeviceState {
    const blocks = [...this.overlay.keys()].sort((a, b) => a - b);
    const bytes = new Uint8Array(blocks.length * BLOCK_BYTES);
    blocks.forEach((block, index) => bytes.set(this.overlay.get(block) as Uint8Array, index * BLOCK_BYTES));
    return { blocks, bytes };
  }

  /** The same with a reference to each block, which will not change any more: costs nothing while nothing is written. */
  saveShared(): DeviceState {
    if (this.saved === undefined) {
      const blocks = [...this.overlay.keys()].sort((a, b) => a - b);
      const pieces = blocks.map((block) => this.overlay.get(block) as Uint8Array);
      for (const piece of pieces) this.shared.add(piece);
      this.saved = { blocks, pieces };
    }
    return { blocks: this.saved.blocks, bytes: this.saved.pieces };
  }

  /** Takes what either way of saving gives. */
  restore(state: DeviceState): void {
    const { blocks, bytes } = state;
    const pieceOf = piecesOf(bytes);
    if (!Array.isArray(blocks) || pieceOf?.count !== blocks.length) throw new StateError('disk overlay: blocks and bytes do not agree');
    const overlay = new Map<number, Uint8Array>();
    const limit = Math.ceil((this.sectorCount * SECTOR_BYTES) / BLOCK_BYTES);
    let previous = -1;
    blocks.forEach((block, index) => {
      if (!Number.isInteger(block) || (block as number) <= previous || (block as number) >= limit) {
        throw new StateError('disk overlay: block numbers out of order or beyond the disk');
      }
      previous = block as number;
      overlay.set(previous, pieceOf.at(index));
    });
    this.overlay = overlay;
    this.shared.clear();
    if (pieceOf.shared) for (const piece of overlay.values()) this.shared.add(piece);
    this.saved = undefined;
  }

  private forEachPiece(sector: number, bytes: Uint8Array, visit: (block: number, offset: number, piece: Uint8Array) => void): void {
    if (sector < 0 || sector + bytes.length / SECTOR_BYTES > this.sectorCount) throw new Error('disk: access beyond the end');
    let position = sector * SECTOR_BYTES;
    let done = 0;
    while (done < bytes.length) {
      const offset = position % BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - offset, bytes.length - done);
      visit(Math.floor(position / BLOCK_BYTES), offset, bytes.subarray(done, done + length));
      position += length;
      done += length;
    }
  }

  private readImage(offsetBytes: number, into: Uint8Array): void {
    const available = Math.max(0, Math.min(into.length, this.image.sizeBytes - offsetBytes));
    if (available > 0) this.image.read(offsetBytes, into.subarray(0, available));
    into.fill(0, available);
  }
}

/** The blocks of a saved overlay: copies of a part of the bytes, or each as it is. */
function piecesOf(bytes: StateValue | undefined): { count: number; shared: boolean; at(index: number): Uint8Array } | undefined {
  if (bytes instanceof Uint8Array)
    return {
      count: bytes.length / BLOCK_BYTES,
      shared: false,
      at: (index) => bytes.slice(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES),
    };
  if (!Array.isArray(bytes) || !bytes.every((piece) => piece instanceof Uint8Array && piece.length === BLOCK_BYTES)) return undefined;
  return { count: bytes.length, shared: true, at: (index) => bytes[index] as Uint8Array };
}
