/**
 * Linear memory as TypeScript parts of the CPU and the slow paths of generated code see it: translation, page crossing,
 * devices, marked frames.
 */
import type { LinearMemory } from '../cpu/host-instruction.js';
import { FRAMES } from '../cpu/layout.js';
import { type CpuState, CR4 } from '../cpu/state.js';
import type { AccessSize } from '../devices/device.js';
import { type Access, pageAbsent } from './page-fault.js';
import type { Paging } from './paging.js';
import { FRAME, type PhysicalMemory } from './physical-memory.js';
import type { Tlb } from './tlb.js';

const FOUR_GIB = 0x1_0000_0000;

/** Looks at every data access while watchpoints or alignment checks are on. */
export type AccessCheck = (linear: number, bytes: number, write: boolean, user: boolean) => void;

export class Mmu {
  accessCheck: AccessCheck | undefined;
  constructor(
    readonly state: CpuState,
    readonly physical: PhysicalMemory,
    readonly paging: Paging,
    readonly tlb: Tlb,
  ) {}

  /** Physical address of a linear address; fills the TLB. @throws GuestException #PF */
  translate(linear: number, access: Access): number {
    if (linear < 0 || linear >= FOUR_GIB) throw pageAbsent(this.state, BigInt(linear), access);
    const translation = this.paging.walk(linear, access);
    this.tlb.markTables(linear, translation, (this.state.cr4 & CR4.pae) !== 0);
    const physical = translation.page + (linear & 0xfff);
    if (!access.fetch) {
      const frame = this.physical.frameOf(physical);
      if (frame >= 0) this.tlb.fill(linear, access.user, translation, frame);
    }
    return physical;
  }

  /** Reads up to 16 bytes that may cross a page into `into`. @throws GuestException before anything is read */
  readInto(linear: number, bytes: number, user: boolean, into: Uint8Array, at: number): void {
    this.accessCheck?.(linear, bytes, false, user);
    const first = Math.min(bytes, 0x1000 - (linear & 0xfff));
    const access: Access = { write: false, user, fetch: false };
    const low = this.translate(linear, access);
    const high = first < bytes ? this.translate((linear + first) >>> 0, access) : 0;
    this.readPhysical(low, first, into, at);
    if (first < bytes) this.readPhysical(high, bytes - first, into, at + first);
  }

  private readPhysical(address: number, bytes: number, into: Uint8Array, at: number): void {
    const frame = this.physical.frameOf(address);
    if (frame >= 0) {
      const from = this.physical.hostAddress(frame) + (address & 0xfff);
      into.set(this.state.u8.subarray(from, from + bytes), at);
      if ((this.physical.frameFlags[frame] as number) & FRAME.watchedReads) this.physical.onWatched(address, bytes, false);
      return;
    }
    for (let done = 0; done < bytes; ) {
      const size = accessSize(bytes - done);
      const value = this.physical.read(address + done, size);
      for (let i = 0; i < size; i++) into[at + done + i] = value >>> (8 * i);
      done += size;
    }
  }

  /** Writes up to 16 bytes that may cross a page. @throws GuestException before anything is written */
  writeFrom(linear: number, bytes: number, user: boolean, from: Uint8Array, at: number): void {
    this.accessCheck?.(linear, bytes, true, user);
    if ((linear & 0xfff) + bytes <= 0x1000) {
      const host = this.tlb.lookupWritable(linear, user);
      if (host !== 0) {
        this.writeFrame((host - FRAMES) >>> 12, linear & 0xfff, bytes, from, at);
        return;
      }
    }
    const first = Math.min(bytes, 0x1000 - (linear & 0xfff));
    const access: Access = { write: true, user, fetch: false };
    const low = this.translate(linear, access);
    const high = first < bytes ? this.translate((linear + first) >>> 0, access) : 0;
    this.writePhysical(low, first, from, at);
    if (first < bytes) this.writePhysical(high, bytes - first, from, at + first);
  }

  private writePhysical(address: number, bytes: number, from: Uint8Array, at: number): void {
    const frame = this.physical.frameOf(address);
    if (frame >= 0) {
      this.writeFrame(frame, address & 0xfff, bytes, from, at);
      return;
    }
    for (let done = 0; done < bytes; ) {
      const size = accessSize(bytes - done);
      let value = 0;
      for (let i = 0; i < size; i++) value |= (from[at + done + i] as number) << (8 * i);
      this.physical.write(address + done, size, value >>> 0);
      done += size;
    }
  }

  private writeFrame(frame: number, offset: number, bytes: number, from: Uint8Array, at: number): void {
    const flags = this.physical.frameFlags[frame] as number;
    if (flags & FRAME.readOnly) return;
    const to = this.physical.hostAddress(frame) + offset;
    for (let i = 0; i < bytes; i++) this.state.u8[to + i] = from[at + i] as number;
    this.physical.written(frame, flags, offset, bytes);
  }

  /** Raises what a write would raise. */
  probeWrite(linear: number, bytes: number, user: boolean): void {
    this.probe(linear, bytes, { write: true, user, fetch: false });
  }

  probe(linear: number, bytes: number, access: Access): void {
    this.accessCheck?.(linear, bytes, access.write, access.user);
    const first = Math.min(bytes, 0x1000 - (linear & 0xfff));
    this.translate(linear, access);
    // Only 64-bit code has addresses behind the last of 32 bits.
    if (first < bytes) this.translate(this.state.longCode ? linear + first : (linear + first) >>> 0, access);
  }
}

function accessSize(bytes: number): AccessSize {
  return bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1;
}

/** `LinearMemory` with a privilege that is fixed or follows the CPL. */
export class PrivilegedMemory implements LinearMemory {
  private readonly buffer = new Uint8Array(16);
  private readonly view = new DataView(this.buffer.buffer);

  constructor(
    private readonly mmu: Mmu,
    private readonly privilege: 'supervisor' | 'current',
  ) {}

  private isUser(): boolean {
    return this.privilege === 'current' && this.mmu.state.cpl === 3;
  }

  private quick(linear: number, bytes: number, write: boolean, user: boolean): number {
    if (this.mmu.accessCheck !== undefined || (linear & 0xfff) + bytes > 0x1000) return 0;
    return this.mmu.tlb.lookup(linear, write, user);
  }

  read8(linear: number): number {
    const user = this.isUser();
    const host = this.quick(linear, 1, false, user);
    if (host !== 0) return this.mmu.state.u8[host] as number;
    this.mmu.readInto(linear, 1, user, this.buffer, 0);
    return this.buffer[0] as number;
  }
  read16(linear: number): number {
    const user = this.isUser();
    const host = this.quick(linear, 2, false, user);
    if (host !== 0) return this.mmu.state.view.getUint16(host, true);
    this.mmu.readInto(linear, 2, user, this.buffer, 0);
    return this.view.getUint16(0, true);
  }
  read32(linear: number): number {
    const user = this.isUser();
    const host = this.quick(linear, 4, false, user);
    if (host !== 0) return this.mmu.state.view.getUint32(host, true);
    this.mmu.readInto(linear, 4, user, this.buffer, 0);
    return this.view.getUint32(0, true);
  }
  write8(linear: number, value: number): void {
    const user = this.isUser();
    const host = this.quick(linear, 1, true, user);
    if (host !== 0) {
      this.mmu.state.u8[host] = value;
      this.mmu.physical.writtenLines.mark((host - FRAMES) >>> 12, linear & 0xfff, 1);
      return;
    }
    this.buffer[0] = value;
    this.mmu.writeFrom(linear, 1, user, this.buffer, 0);
  }
  write16(linear: number, value: number): void {
    const user = this.isUser();
    const host = this.quick(linear, 2, true, user);
    if (host !== 0) {
      this.mmu.state.view.setUint16(host, value, true);
      this.mmu.physical.writtenLines.mark((host - FRAMES) >>> 12, linear & 0xfff, 2);
      return;
    }
    this.view.setUint16(0, value, true);
    this.mmu.writeFrom(linear, 2, user, this.buffer, 0);
  }
  write32(linear: number, value: number): void {
    const user = this.isUser();
    const host = this.quick(linear, 4, true, user);
    if (host !== 0) {
      this.mmu.state.view.setUint32(host, value, true);
      this.mmu.physical.writtenLines.mark((host - FRAMES) >>> 12, linear & 0xfff, 4);
      return;
    }
    this.view.setUint32(0, value, true);
    this.mmu.writeFrom(linear, 4, user, this.buffer, 0);
  }
  probeWrite(linear: number, bytes: number): void {
    const user = this.isUser();
    // The TLB knows nothing of addresses of more than 32 bits.
    const known = linear >= 0 && linear < FOUR_GIB && this.quick(linear, bytes, true, user) !== 0;
    if (!known) this.mmu.probeWrite(linear, bytes, user);
  }
  probeRead(linear: number, bytes: number): void {
    this.mmu.probe(linear, bytes, { write: false, user: this.isUser(), fetch: false });
  }
}
