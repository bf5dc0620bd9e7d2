/**
 * Translation of linear addresses (Intel SDM volume 3, chapter 4): 32-bit paging with PSE, PAE paging with NX.
 * A walk that succeeds sets the accessed and dirty bits and tells which frames hold the tables it used.
 */
import { GuestException, VECTOR } from '../cpu/exceptions.js';
import * as layout from '../cpu/layout.js';
import { EFER_NXE } from '../cpu/msr.js';
import { type CpuState, CR0, CR4 } from '../cpu/state.js';
import { type Access, PAGE_FAULT, pageFault } from './page-fault.js';
import type { PhysicalMemory } from './physical-memory.js';

export type { Access } from './page-fault.js';

/** Physical address bits (CPUID 80000008h). */
const PHYSICAL_ADDRESS_BITS = 36;

const ENTRY = { present: 1, writable: 2, user: 4, accessed: 32, dirty: 64, large: 128, global: 256 } as const;

/** Result of the last successful walk. */
export class Translation {
  /** Physical address of the 4 KiB page. */
  page = 0;
  /** A write with the same privilege needs no further walk: it is allowed and the dirty bit is set. */
  writable = false;
  global = false;
  /** Physical addresses of the tables used, -1 for none, and the first linear address each of the last ones maps. */
  directory = -1;
  table = -1;
}

export class Paging {
  readonly result = new Translation();

  constructor(
    private readonly state: CpuState,
    private readonly physical: PhysicalMemory,
  ) {}

  /**
   * Walks the tables for one access.
   * @throws GuestException #PF, with CR2 set
   */
  walk(linear: number, access: Access): Translation {
    const { result, state } = this;
    const cr0 = state.cr0;
    result.directory = -1;
    result.table = -1;
    if (!(cr0 & CR0.pg)) {
      result.page = (linear & this.physical.a20Mask & ~0xfff) >>> 0;
      result.writable = true;
      result.global = false;
      return result;
    }
    return state.cr4 & CR4.pae ? this.walkPae(linear, access) : this.walk32(linear, access);
  }

  private fault(linear: number, access: Access, cause: number): never {
    this.state.cr2 = linear;
    throw pageFault(this.state, access, cause);
  }

  /** May the access go ahead, given the AND of the entries' rights? */
  private checkRights(linear: number, access: Access, rights: number): void {
    if (access.user && !(rights & ENTRY.user)) this.fault(linear, access, PAGE_FAULT.present);
    if (access.write && !(rights & ENTRY.writable) && (access.user || this.state.cr0 & CR0.wp))
      this.fault(linear, access, PAGE_FAULT.present);
  }

  private finish(page: number, access: Access, rights: number, leaf: number, global: boolean): Translation {
    const { result } = this;
    result.page = page < 0x1_0000_0000 ? (page & this.physical.a20Mask) >>> 0 : page;
    const mayWrite = (rights & ENTRY.writable) !== 0 || (!access.user && !(this.state.cr0 & CR0.wp));
    result.writable = mayWrite && (leaf & ENTRY.dirty) !== 0;
    result.global = global && (this.state.cr4 & CR4.pge) !== 0;
    return result;
  }

  private walk32(linear: number, access: Access): Translation {
    const { physical, result, state } = this;
    const directory = (state.cr3 & 0xffff_f000) >>> 0;
    const pdeAddress = (directory + ((linear >>> 22) << 2)) >>> 0;
    const pde = physical.read(pdeAddress, 4);
    result.directory = directory;
    if (!(pde & ENTRY.present)) this.fault(linear, access, 0);
    if (pde & ENTRY.large && state.cr4 & CR4.pse) {
      // PSE-36: bits 13-16 are physical address bits 32-35; bits 17-21 are reserved.
      if (pde & 0x003e_0000) this.fault(linear, access, PAGE_FAULT.present | PAGE_FAULT.reserved);
      this.checkRights(linear, access, pde);
      const updated = pde | ENTRY.accessed | (access.write ? ENTRY.dirty : 0);
      if (updated !== pde) physical.writeEntry(pdeAddress, updated >>> 0);
      const page = ((pde & 0xffc0_0000) >>> 0) + ((pde >>> 13) & 15) * 0x1_0000_0000 + (linear & 0x003f_f000);
      return this.finish(page, access, pde, updated, (pde & ENTRY.global) !== 0);
    }
    const table = (pde & 0xffff_f000) >>> 0;
    const pteAddress = (table + (((linear >>> 12) & 0x3ff) << 2)) >>> 0;
    const pte = physical.read(pteAddress, 4);
    result.table = table;
    if (!(pte & ENTRY.present)) this.fault(linear, access, 0);
    const rights = pde & pte;
    this.checkRights(linear, access, rights);
    if (!(pde & ENTRY.accessed)) physical.writeEntry(pdeAddress, (pde | ENTRY.accessed) >>> 0);
    const updated = pte | ENTRY.accessed | (access.write ? ENTRY.dirty : 0);
    if (updated !== pte) physical.writeEntry(pteAddress, updated >>> 0);
    return this.finish((pte & 0xffff_f000) >>> 0, access, rights, updated, (pte & ENTRY.global) !== 0);
  }

  /** Bits 32-63 of a PAE entry that must be zero: everything above the physical address, NX unless it is enabled. */
  private reservedHigh(): number {
    const noExecute = (this.state.get32(layout.EFER) & EFER_NXE) !== 0;
    const address = (1 << (PHYSICAL_ADDRESS_BITS - 32)) - 1;
    return ~address & (noExecute ? 0x7fff_ffff : 0xffff_ffff);
  }

  private walkPae(linear: number, access: Access): Translation {
    const { physical, result, state } = this;
    const register = (layout.PDPTE >>> 2) + (linear >>> 30) * 2;
    const pdpteLow = state.u32[register] as number;
    if (!(pdpteLow & ENTRY.present)) this.fault(linear, access, 0);
    const reserved = this.reservedHigh();
    const directory = ((pdpteLow & 0xffff_f000) >>> 0) + ((state.u32[register + 1] as number) & 15) * 0x1_0000_0000;
    const pdeAddress = directory + (((linear >>> 21) & 0x1ff) << 3);
    const pde = physical.read(pdeAddress, 4);
    const pdeHigh = physical.read(pdeAddress + 4, 4);
    result.directory = directory;
    if (!(pde & ENTRY.present)) this.fault(linear, access, 0);
    if (pdeHigh & reserved) this.fault(linear, access, PAGE_FAULT.present | PAGE_FAULT.reserved);
    if (pde & ENTRY.large) {
      if (pde & 0x001f_e000) this.fault(linear, access, PAGE_FAULT.present | PAGE_FAULT.reserved);
      this.checkRights(linear, access, pde);
      if (access.fetch && pdeHigh & 0x8000_0000) this.fault(linear, access, PAGE_FAULT.present);
      const updated = pde | ENTRY.accessed | (access.write ? ENTRY.dirty : 0);
      if (updated !== pde) physical.writeEntry(pdeAddress, updated >>> 0);
      const page = ((pde & 0xffe0_0000) >>> 0) + (pdeHigh & 15) * 0x1_0000_0000 + (linear & 0x001f_f000);
      return this.finish(page, access, pde, updated, (pde & ENTRY.global) !== 0);
    }
    const table = ((pde & 0xffff_f000) >>> 0) + (pdeHigh & 15) * 0x1_0000_0000;
    const pteAddress = table + (((linear >>> 12) & 0x1ff) << 3);
    const pte = physical.read(pteAddress, 4);
    const pteHigh = physical.read(pteAddress + 4, 4);
    result.table = table;
    if (!(pte & ENTRY.present)) this.fault(linear, access, 0);
    if (pteHigh & reserved) this.fault(linear, access, PAGE_FAULT.present | PAGE_FAULT.reserved);
    const rights = pde & pte;
    this.checkRights(linear, access, rights);
    // Bit 63 is only set here when NX is enabled: otherwise it was reserved.
    if (access.fetch && (pdeHigh | pteHigh) & 0x8000_0000) this.fault(linear, access, PAGE_FAULT.present);
    if (!(pde & ENTRY.accessed)) physical.writeEntry(pdeAddress, (pde | ENTRY.accessed) >>> 0);
    const updated = pte | ENTRY.accessed | (access.write ? ENTRY.dirty : 0);
    if (updated !== pte) physical.writeEntry(pteAddress, updated >>> 0);
    const page = ((pte & 0xffff_f000) >>> 0) + (pteHigh & 15) * 0x1_0000_0000;
    return this.finish(page, access, rights, updated, (pte & ENTRY.global) !== 0);
  }

  /** PAE: the four directory pointers are registers, loaded with CR3 (SDM volume 3, section 4.4.1). */
  loadPageDirectoryPointers(cr3: number): void {
    this.state.u32.set(this.pageDirectoryPointers(cr3), layout.PDPTE >>> 2);
  }

  /** What they will be, checked. */
  pageDirectoryPointers(cr3: number): readonly number[] {
    const base = (cr3 & 0xffff_ffe0) >>> 0;
    const values: number[] = [];
    for (let i = 0; i < 4; i++) {
      const low = this.physical.read(base + i * 8, 4);
      const high = this.physical.read(base + i * 8 + 4, 4);
      if (low & ENTRY.present && (low & 0x1e6 || high & ~15)) throw new GuestException(VECTOR.generalProtection, 0);
      values.push(low, high);
    }
    return values;
  }
}
