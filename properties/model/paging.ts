/**
 * Paging (SDM volume 3, chapter 4): 32-bit paging with 4-KiB and 4-MiB pages (4.3), PAE paging with 4-KiB and 2-MiB pages
 * (4.4), access rights (4.6), page faults (4.7), accessed and dirty flags (4.8).
 *
 * This machine has 36 physical address bits, PSE-36 and execute-disable. Its translations are never stale. A walk sets
 * accessed and dirty flags only when the access as a whole is allowed. In the flat 64-bit mode the low 4 GiB of linear
 * addresses use the same page tables; the caller keeps everything else away.
 */
import { CPU_STATE, type CpuState } from '../state/cpu-state.js';
import { ModelException, VECTOR } from './cpu.js';
import type { PhysicalMemory } from './memory.js';

/** What is done at an address, as bits of `access`. */
export const ACCESS = { read: 0, write: 1, user: 2, fetch: 4 } as const;

const CR0_WRITE_PROTECT = 0x0001_0000;
const CR0_PAGING = 0x8000_0000;
const CR4_PAGE_SIZE_EXTENSIONS = 0x10;
const CR4_PHYSICAL_ADDRESS_EXTENSION = 0x20;
const EFER_NO_EXECUTE = 0x800;

const PRESENT = 0x01;
const WRITABLE = 0x02;
const USER = 0x04;
const ACCESSED = 0x20;
const DIRTY = 0x40;
const LARGE = 0x80;
/** Bits of the upper halves of PAE entries. */
const NO_EXECUTE = 0x8000_0000;
const PAE_RESERVED_HIGH = 0x7fff_fff0;
/** Bits 17-21 of a 4-MiB entry: bits 13-16 are bits 32-35 of the address (PSE-36). */
const PSE_RESERVED = 0x003e_0000;
const PAE_LARGE_RESERVED = 0x001f_e000;

const FAULT_PRESENT = 0x01;
const FAULT_WRITE = 0x02;
const FAULT_USER = 0x04;
const FAULT_RESERVED = 0x08;
const FAULT_FETCH = 0x10;

export class Paging {
  readonly #state: CpuState;
  readonly #memory: PhysicalMemory;

  /** Walks set accessed and dirty flags. */
  leavesMarks = true;

  constructor(state: CpuState, memory: PhysicalMemory) {
    this.#state = state;
    this.#memory = memory;
  }

  get enabled(): boolean {
    return (this.#state.u32(CPU_STATE.cr0) & CR0_PAGING) !== 0;
  }

  /** Physical address of a linear address below 4 GiB. @param access bits of ACCESS */
  translate(linear: number, access: number): number {
    if (!this.enabled) return linear;
    if (this.#state.u32(CPU_STATE.cr4) & CR4_PHYSICAL_ADDRESS_EXTENSION) return this.#walkPae(linear, access);
    return this.#walk32(linear, access);
  }

  #walk32(linear: number, access: number): number {
    const memory = this.#memory;
    const directoryAddress = (this.#state.u32(CPU_STATE.cr3) & 0xffff_f000) >>> 0;
    const pdeAddress = directoryAddress + (linear >>> 22) * 4;
    const pde = memory.readWord(pdeAddress);
    if (!(pde & PRESENT)) this.fault(linear, access, 0);

    if (pde & LARGE && this.#state.u32(CPU_STATE.cr4) & CR4_PAGE_SIZE_EXTENSIONS) {
      if (pde & PSE_RESERVED) this.fault(linear, access, FAULT_PRESENT | FAULT_RESERVED);
      this.#checkRights(linear, access, pde, false);
      this.#mark(pdeAddress, pde, access & ACCESS.write ? ACCESSED | DIRTY : ACCESSED);
      return ((pde >>> 13) & 0xf) * 0x1_0000_0000 + ((pde & 0xffc0_0000) >>> 0) + (linear & 0x003f_ffff);
    }

    const pteAddress = ((pde & 0xffff_f000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4;
    const pte = memory.readWord(pteAddress);
    if (!(pte & PRESENT)) this.fault(linear, access, 0);
    this.#checkRights(linear, access, pde & pte, false);
    this.#mark(pdeAddress, pde, ACCESSED);
    this.#mark(pteAddress, pte, access & ACCESS.write ? ACCESSED | DIRTY : ACCESSED);
    return ((pte & 0xffff_f000) >>> 0) + (linear & 0xfff);
  }

  #walkPae(linear: number, access: number): number {
    const memory = this.#memory;
    const noExecute = (this.#state.u32(CPU_STATE.efer) & EFER_NO_EXECUTE) !== 0;
    const reservedHigh = noExecute ? PAE_RESERVED_HIGH : PAE_RESERVED_HIGH | NO_EXECUTE;

    // The four registers were checked for reserved bits when they were loaded (4.4.1).
    const pointer = CPU_STATE.pageDirectoryPointers + (linear >>> 30) * 8;
    const pdpte = this.#state.u32(pointer);
    if (!(pdpte & PRESENT)) this.fault(linear, access, 0);

    const pdeAddress = frame(pdpte, this.#state.u32(pointer + 4)) + ((linear >>> 21) & 0x1ff) * 8;
    const pde = memory.readWord(pdeAddress);
    const pdeHigh = memory.readWord(pdeAddress + 4);
    if (!(pde & PRESENT)) this.fault(linear, access, 0);
    if (pdeHigh & reservedHigh) this.fault(linear, access, FAULT_PRESENT | FAULT_RESERVED);

    if (pde & LARGE) {
      if (pde & PAE_LARGE_RESERVED) this.fault(linear, access, FAULT_PRESENT | FAULT_RESERVED);
      this.#checkRights(linear, access, pde, (pdeHigh & NO_EXECUTE) !== 0);
      this.#mark(pdeAddress, pde, access & ACCESS.write ? ACCESSED | DIRTY : ACCESSED);
      return frame(pde & 0xffe0_0000, pdeHigh) + (linear & 0x001f_ffff);
    }

    const pteAddress = frame(pde, pdeHigh) + ((linear >>> 12) & 0x1ff) * 8;
    const pte = memory.readWord(pteAddress);
    const pteHigh = memory.readWord(pteAddress + 4);
    if (!(pte & PRESENT)) this.fault(linear, access, 0);
    if (pteHigh & reservedHigh) this.fault(linear, access, FAULT_PRESENT | FAULT_RESERVED);
    this.#checkRights(linear, access, pde & pte, ((pdeHigh | pteHigh) & NO_EXECUTE) !== 0);
    this.#mark(pdeAddress, pde, ACCESSED);
    this.#mark(pteAddress, pte, access & ACCESS.write ? ACCESSED | DIRTY : ACCESSED);
    return frame(pte, pteHigh) + (linear & 0xfff);
  }

  /** @param rights R/W and U/S of all levels, combined */
  #checkRights(linear: number, access: number, rights: number, noExecute: boolean): void {
    const user = (access & ACCESS.user) !== 0;
    if (user && !(rights & USER)) this.fault(linear, access, FAULT_PRESENT);
    if (access & ACCESS.write && !(rights & WRITABLE) && (user || this.#state.u32(CPU_STATE.cr0) & CR0_WRITE_PROTECT)) {
      this.fault(linear, access, FAULT_PRESENT);
    }
    if (access & ACCESS.fetch && noExecute) this.fault(linear, access, FAULT_PRESENT);
  }

  #mark(address: number, entry: number, bits: number): void {
    if (this.leavesMarks && (entry & bits) !== bits) this.#memory.writeWord(address, entry | bits);
  }

  /** @param cause P and RSVD of the error code */
  fault(linear: number | bigint, access: number, cause: number): never {
    const { cr4, efer } = CPU_STATE;
    // I/D exists only where execute-disable does (4.7).
    const executeDisable = this.#state.u32(cr4) & CR4_PHYSICAL_ADDRESS_EXTENSION && this.#state.u32(efer) & EFER_NO_EXECUTE;
    const code =
      cause |
      (access & ACCESS.write ? FAULT_WRITE : 0) |
      (access & ACCESS.user ? FAULT_USER : 0) |
      (access & ACCESS.fetch && executeDisable ? FAULT_FETCH : 0);
    const address = BigInt(linear);
    this.#state.setU64(CPU_STATE.cr2, address);
    throw new ModelException(VECTOR.pf, code, address);
  }
}

/** Address of the 4-KiB frame in a PAE entry. */
const frame = (low: number, high: number): number => (high & 0xf) * 0x1_0000_0000 + ((low & 0xffff_f000) >>> 0);
