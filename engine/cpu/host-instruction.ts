/**
 * Instructions that are long or rare enough to be plain TypeScript: what they see of the decoded instruction, and
 * what they may do with the CPU.
 *
 * A host instruction is called with EIP already pointing behind the instruction (a fault puts it back). It throws
 * GuestException to raise a fault; before that it may not have changed anything. Whatever changes segments, CPL,
 * control registers or EFLAGS.VM ends in `cpu.modeChanged()`.
 */
import type { CpuState } from './state.js';

export interface HostInstruction {
  /** Effective operand size in bits: 16 or 32 (64 in long mode), 8 for byte forms. */
  readonly operandSize: number;
  /** Effective address size in bits. */
  readonly addressSize: number;
  /** ModRM.reg (or the register in the opcode) as encoded, REX.R included. */
  readonly reg: number;
  /** ModRM.rm as a register number; meaningful when `memory` is false. */
  readonly rm: number;
  /** ModRM.rm is a memory operand at `segment`:`offset` (offset already wrapped to the address size). */
  readonly memory: boolean;
  readonly segment: number;
  /** Of 64 bits it is signed: what can be an address is exact, what is not canonical stays so. */
  readonly offset: number;
  /** First immediate, sign-extended as the instruction says; for far pointers the offset. */
  readonly immediate: number;
  /** Second immediate; for far pointers the selector. */
  readonly immediate2: number;
  /** Offset in CS of this instruction. */
  readonly eip: number;
  readonly repeat: boolean;
}

/** Linear memory with the privilege of the current CPL, or of the supervisor for descriptor tables and TSS. */
export interface LinearMemory {
  /** @throws GuestException #PF */
  read8(linear: number): number;
  read16(linear: number): number;
  read32(linear: number): number;
  write8(linear: number, value: number): void;
  write16(linear: number, value: number): void;
  write32(linear: number, value: number): void;
  /** Raises the fault that a write of `bytes` at `linear` would raise, without writing. */
  probeWrite(linear: number, bytes: number): void;
  probeRead(linear: number, bytes: number): void;
}

/** What system code may use of the CPU and the machine around it. */
export interface Cpu {
  readonly state: CpuState;
  /** Accesses with the privilege of the current CPL. */
  readonly memory: LinearMemory;
  /** Implicit supervisor accesses: GDT, LDT, IDT, TSS; inner stacks in privilege transitions. */
  readonly system: LinearMemory;
  /**
   * Checks a data access of `bytes` at `segment`:`offset` (limit, null selector, access rights; #GP(0), or #SS(0) for SS)
   * and returns the linear address. Does not check paging, except that nothing is present from 4 GiB on in 64-bit code.
   * @param alignment #GP(0) unless the linear address is a multiple of it
   */
  linear(segment: number, offset: number, bytes: number, write: boolean, alignment?: number): number;
  /** Segments, CPL, CR0, CR4, EFER, EFLAGS.VM or paging roots changed: recomputes the cached mode and TLB base. */
  modeChanged(): void;
  /** Drops translations: all, all but global ones, or those of one linear page. */
  flushTlb(kind: 'all' | 'nonGlobal'): void;
  invalidatePage(linear: number): void;
  /**
   * PAE paging: reads the four page-directory-pointer entries that `cr3` points to into the CPU's own copies.
   * @throws GuestException #GP(0) on a present entry with reserved bits set, before anything has changed.
   */
  loadPageDirectoryPointers(cr3: number): void;
  /** The same without loading them: eight words for the CPU's copies. */
  pageDirectoryPointers(cr3: number): readonly number[];
  /** The present tick, exact. Before the instruction under way completes. */
  readonly tick: number;
  readonly nowNs: number;
  /** Interrupts are inhibited after the instruction that is under way (STI, MOV SS, POP SS). */
  inhibitInterrupts(debugTraps: boolean): void;
  /** HLT: stop executing until an interrupt. */
  halt(): void;
  /** Exceptions, those of INT3, INTO and INT1 included, stop the processor instead of being delivered. */
  readonly interceptsExceptions: boolean;
  readPort(port: number, bytes: 1 | 2 | 4): number;
  writePort(port: number, bytes: 1 | 2 | 4, value: number): void;
  /** Model-specific registers that are not plain cells; see msr.ts for the ones the CPU keeps itself. */
  readonly msr: Map<number, bigint>;
}

export type HostSemantics = (cpu: Cpu, instruction: HostInstruction) => void;
