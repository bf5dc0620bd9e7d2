/**
 * Guest-physical memory: frames with storage (RAM, ROM), and holes, where devices or nobody answer.
 *
 * Frame numbers: RAM page p is frame p; the pages of the ROM below 4 GiB follow. `frameFlags` says of each frame what
 * the quick paths must not do with it behind the MMU's back.
 */
import { A20_OPEN, FRAME_FLAGS, FRAMES, FRAMES_LIMIT, RAM_FRAMES } from '../cpu/layout.js';
import type { AccessSize, BusMemory, MmioHandler } from '../devices/device.js';
import { WrittenLines } from './written-lines.js';

export const FRAME = {
  /** Writes are ignored (ROM). */
  readOnly: 1,
  /** No storage behind this RAM page: devices or nobody. */
  hole: 2,
  /** Holds decoded code: writes must be looked at. */
  code: 4,
  /** Holds page tables that translations were derived from. */
  table: 8,
  /** A write to it is reported to the observer. */
  watchedWrites: 32,
  /** So is a read. */
  watchedReads: 64,
  /** Written since somebody last asked which frames were (written-frames.ts). */
  dirty: 16,
} as const;

export interface UnclaimedMemoryAccess {
  readonly kind: 'memory';
  readonly address: number;
  readonly bytes: number;
  readonly write: boolean;
}

interface MmioRegion {
  readonly first: number;
  readonly bytes: number;
  readonly handler: MmioHandler;
}

/** What wants to know of writes to marked frames. */
export interface WriteObserver {
  codeWritten(frame: number, offset: number, bytes: number): void;
  tableWritten(frame: number, offset: number, bytes: number): void;
}

/** What makes an access: an instruction, the delivery of an interrupt or exception, the page walk for either, a bus master. */
export type Accessor = 'instruction' | 'delivery' | 'pageWalk' | 'device';

/** Whoever watches memory. Called after the access, within the instruction or device that made it. */
export type AccessListener = (address: number, bytes: number, write: boolean) => void;

const PAGE = 4096;

export class PhysicalMemory implements BusMemory {
  readonly frameFlags: Uint8Array;
  readonly writtenLines: WrittenLines;
  readonly ramFrames: number;
  readonly frames: number;
  onUnclaimed: ((access: UnclaimedMemoryAccess) => void) | undefined;
  observer: WriteObserver = { codeWritten() {}, tableWritten() {} };
  /** Told of accesses to frames with FRAME.watchedWrites or watchedReads. */
  onWatched: AccessListener = () => {};
  /** Who is making the access that `onWatched` hears of. */
  accessor: Accessor = 'instruction';
  /** Address bit 20 is forced to zero while the gate is closed. */
  a20Mask = 0xffff_ffff;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly regions: MmioRegion[] = [];
  private readonly romBase: number;

  /** @param romBytes size of the ROM that ends at 4 GiB; 0 for none. */
  constructor(
    memory: WebAssembly.Memory,
    readonly ramBytes: number,
    romBytes: number,
  ) {
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.ramFrames = ramBytes / PAGE;
    this.frames = this.ramFrames + romBytes / PAGE;
    this.romBase = 0x1_0000_0000 - romBytes;
    if (this.frames > FRAMES_LIMIT) throw new RangeError('more memory than the frame tables have room for');
    // New memory is zero, as the digest takes frames to be that it has not seen: none is dirty yet.
    this.frameFlags = new Uint8Array(memory.buffer, FRAME_FLAGS, this.frames);
    this.writtenLines = new WrittenLines(memory, this.frames);
    this.view.setUint32(RAM_FRAMES, this.ramFrames, true);
    this.setA20(true);
    this.frameFlags.fill(FRAME.readOnly, this.ramFrames);
  }

  /** Frame of a physical address, or -1 where no storage is. Addresses up to 2^36. */
  frameOf(address: number): number {
    if (address < this.ramBytes) {
      const frame = address >>> 12;
      return (this.frameFlags[frame] as number) & FRAME.hole ? -1 : frame;
    }
    if (address >= this.romBase && address < 0x1_0000_0000) return this.ramFrames + ((address - this.romBase) >>> 12);
    return -1;
  }

  /** Physical address of the first byte of a frame. */
  addressOf(frame: number): number {
    return frame < this.ramFrames ? frame * PAGE : this.romBase + (frame - this.ramFrames) * PAGE;
  }

  /** Address in WebAssembly memory of the first byte of a frame. */
  hostAddress(frame: number): number {
    return FRAMES + frame * PAGE;
  }

  get a20Open(): boolean {
    return this.a20Mask === 0xffff_ffff;
  }

  /** The caller flushes the TLB. */
  setA20(open: boolean): void {
    this.a20Mask = open ? 0xffff_ffff : 0xffef_ffff;
    this.view.setUint32(A20_OPEN, open ? 1 : 0, true);
  }

  /** Takes storage away from RAM pages (the VGA window) or gives it a device. */
  makeHole(first: number, bytes: number): void {
    for (let at = first; at < first + bytes && at < this.ramBytes; at += PAGE) {
      const frame = at >>> 12;
      this.frameFlags[frame] = ((this.frameFlags[frame] as number) & FRAME.dirty) | FRAME.hole;
    }
  }

  setReadOnly(first: number, bytes: number, readOnly: boolean): void {
    for (let at = first; at < first + bytes; at += PAGE) {
      const frame = at >>> 12;
      const flags = this.frameFlags[frame] as number;
      this.frameFlags[frame] = readOnly ? flags | FRAME.readOnly : flags & ~FRAME.readOnly;
    }
  }

  claim(first: number, bytes: number, handler: MmioHandler): void {
    this.regions.push({ first, bytes, handler });
    this.makeHole(first, bytes);
  }

  /** Writes image bytes while the machine is put together; ROM and holes included. */
  load(address: number, bytes: Uint8Array): void {
    const at = address >= this.romBase ? this.ramBytes + (address - this.romBase) : address;
    this.bytes.set(bytes, FRAMES + at);
    for (let frame = at >>> 12; frame * PAGE < at + bytes.length; frame++)
      this.frameFlags[frame] = (this.frameFlags[frame] as number) | FRAME.dirty;
  }

  // --- access by physical address; nothing here crosses a page ----------------------------------------------------

  read(address: number, size: AccessSize): number {
    const frame = this.frameOf(address);
    if (frame < 0) return this.readHole(address, size);
    const at = FRAMES + frame * PAGE + (address & 0xfff);
    if (size === 1) return this.bytes[at] as number;
    return size === 2 ? this.view.getUint16(at, true) : this.view.getUint32(at, true);
  }

  write(address: number, size: AccessSize, value: number): void {
    const frame = this.frameOf(address);
    if (frame < 0) {
      this.writeHole(address, size, value);
      return;
    }
    const flags = this.frameFlags[frame] as number;
    if (flags & FRAME.readOnly) return;
    const at = FRAMES + frame * PAGE + (address & 0xfff);
    if (size === 1) this.bytes[at] = value;
    else if (size === 2) this.view.setUint16(at, value, true);
    else this.view.setUint32(at, value, true);
    if (flags === FRAME.dirty) this.writtenLines.mark(frame, address & 0xfff, size);
    else this.written(frame, flags, address & 0xfff, size);
  }

  /** An entry of a paging structure, by the walk that sets bits in it. */
  writeEntry(address: number, value: number): void {
    const { accessor } = this;
    this.accessor = 'pageWalk';
    this.write(address, 4, value);
    this.accessor = accessor;
  }

  /** Bookkeeping after storage of a frame has changed. */
  written(frame: number, flags: number, offset: number, bytes: number): void {
    this.frameFlags[frame] = flags | FRAME.dirty;
    this.writtenLines.mark(frame, offset, bytes);
    if (flags & FRAME.code) this.observer.codeWritten(frame, offset, bytes);
    if (flags & FRAME.table) this.observer.tableWritten(frame, offset, bytes);
    if (flags & FRAME.watchedWrites) this.onWatched(this.addressOf(frame) + offset, bytes, true);
  }

  /** Puts other contents into a frame, which nobody hears of as a write; what was derived from bytes that differ is dropped. */
  replaceFrame(frame: number, contents: Uint8Array): void {
    const at = this.hostAddress(frame);
    const flags = this.frameFlags[frame] as number;
    const watched = flags & (FRAME.watchedReads | FRAME.watchedWrites);
    if ((flags & (FRAME.code | FRAME.table)) === 0) {
      this.bytes.set(contents, at);
      this.frameFlags[frame] = flags | FRAME.dirty;
      return;
    }
    for (let offset = 0; offset < PAGE; ) {
      if (this.bytes[at + offset] === contents[offset]) {
        offset++;
        continue;
      }
      const first = offset;
      while (offset < PAGE && this.bytes[at + offset] !== contents[offset]) offset++;
      this.bytes.set(contents.subarray(first, offset), at + first);
      this.written(frame, (this.frameFlags[frame] as number) & ~watched, first, offset - first);
    }
    this.frameFlags[frame] = (this.frameFlags[frame] as number) | watched;
  }

  private regionOf(address: number): MmioRegion | undefined {
    return this.regions.find((region) => address >= region.first && address < region.first + region.bytes);
  }
  private readHole(address: number, size: AccessSize): number {
    const region = this.regionOf(address);
    if (region !== undefined) return region.handler.read(address - region.first, size);
    this.onUnclaimed?.({ kind: 'memory', address, bytes: size, write: false });
    return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffff_ffff;
  }
  private writeHole(address: number, size: AccessSize, value: number): void {
    const region = this.regionOf(address);
    if (region !== undefined) region.handler.write(address - region.first, size, value);
    else this.onUnclaimed?.({ kind: 'memory', address, bytes: size, write: true });
  }

  /** A view of storage that does not cross a page, without effect on anything; undefined where there is none. */
  peek(address: number, bytes: number): Uint8Array | undefined {
    const frame = this.frameOf(address);
    if (frame < 0) return undefined;
    const at = FRAMES + frame * PAGE + (address & 0xfff);
    return this.bytes.subarray(at, at + bytes);
  }

  // --- bus masters: any alignment --------------------------------------------------------------------------------

  read8(address: number): number {
    return this.read(address, 1);
  }
  read16(address: number): number {
    if ((address & 0xfff) === 0xfff) return this.read8(address) | (this.read8(address + 1) << 8);
    return this.read(address, 2);
  }
  read32(address: number): number {
    if ((address & 0xfff) > 0xffc) return (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
    return this.read(address, 4);
  }
  write8(address: number, value: number): void {
    this.write(address, 1, value & 0xff);
  }
  write16(address: number, value: number): void {
    if ((address & 0xfff) === 0xfff) {
      this.write8(address, value);
      this.write8(address + 1, value >>> 8);
    } else this.write(address, 2, value & 0xffff);
  }
  write32(address: number, value: number): void {
    if ((address & 0xfff) > 0xffc) {
      this.write16(address, value);
      this.write16(address + 2, value >>> 16);
    } else this.write(address, 4, value >>> 0);
  }
  readBytes(address: number, into: Uint8Array): void {
    this.chunks(address, into.length, (frame, at, offset, length) => {
      if (frame >= 0)
        into.set(this.bytes.subarray(FRAMES + frame * PAGE + (at & 0xfff), FRAMES + frame * PAGE + (at & 0xfff) + length), offset);
      else for (let i = 0; i < length; i++) into[offset + i] = this.read(at + i, 1);
    });
  }
  writeBytes(address: number, bytes: Uint8Array): void {
    this.chunks(address, bytes.length, (frame, at, offset, length) => {
      if (frame < 0) {
        for (let i = 0; i < length; i++) this.write(at + i, 1, bytes[offset + i] as number);
        return;
      }
      const flags = this.frameFlags[frame] as number;
      if (flags & FRAME.readOnly) return;
      this.bytes.set(bytes.subarray(offset, offset + length), FRAMES + frame * PAGE + (at & 0xfff));
      if (flags === FRAME.dirty) {
        this.writtenLines.mark(frame, at & 0xfff, length);
        return;
      }
      const { accessor } = this;
      this.accessor = 'device';
      this.written(frame, flags, at & 0xfff, length);
      this.accessor = accessor;
    });
  }
  private chunks(address: number, length: number, visit: (frame: number, at: number, offset: number, length: number) => void): void {
    let offset = 0;
    while (offset < length) {
      const at = address + offset;
      const size = Math.min(length - offset, PAGE - (at & 0xfff));
      visit(this.frameOf(at), at, offset, size);
      offset += size;
    }
  }
}
