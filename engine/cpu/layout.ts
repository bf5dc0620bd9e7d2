/**
 * Where everything lives in the machine's WebAssembly memory. This file is the only place that knows addresses;
 * generated code takes them as constants, TypeScript goes through `CpuState` and the typed views.
 *
 * The register file holds sixteen 64-bit slots in encoding order (RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8...),
 * so that AH is byte 1 of slot 0. A 32-bit guest keeps the upper halves zero.
 */
class Region {
  private next: number;
  constructor(start: number) {
    this.next = start;
  }
  take(bytes: number, alignment = bytes > 16 ? 16 : bytes): number {
    const at = Math.ceil(this.next / alignment) * alignment;
    this.next = at + bytes;
    return at;
  }
  get end(): number {
    return this.next;
  }
}

/** The first page stays unused, so that address 0 is never valid state. */
const region = new Region(0x400);

/** Sixteen general registers, then constant zero (the base or index of an address that has none). */
export const REGISTERS = region.take(16 * 8, 256);
const ZERO_REGISTER = region.take(8, 8);

/** Offset of a general register from REGISTERS: what a decoded record stores. */
export const registerOffset = (index: number): number => index * 8;
export const ZERO_OFFSET = ZERO_REGISTER - REGISTERS;

/** Constant 2^31, the index of RIP-relative addresses whose displacement does not fit otherwise. */
export const HALF_RANGE_REGISTER = region.take(8, 8);
export const HALF_RANGE = 0x8000_0000;
export const HALF_RANGE_OFFSET = HALF_RANGE_REGISTER - REGISTERS;

export const EAX = REGISTERS + registerOffset(0);
export const ECX = REGISTERS + registerOffset(1);
export const EBX = REGISTERS + registerOffset(3);
export const ESP = REGISTERS + registerOffset(4);
export const EBP = REGISTERS + registerOffset(5);
export const ESI = REGISTERS + registerOffset(6);
export const EDI = REGISTERS + registerOffset(7);

/** 64 bits each. EIP is exact whenever generated code is not running, and where it calls out. */
export const EIP = region.take(8, 8);
/** Linear address of the page that holds the running block, minus the CS base: EIP of the page's first byte. */
export const CODE_PAGE_EIP = region.take(8, 8);
/** The base of RIP-relative addresses. */
export const CODE_PAGE_OFFSET = CODE_PAGE_EIP - REGISTERS;

/** Lazy flags, see translate/flags.ts. */
export const FLAG_RESULT = region.take(4);
export const FLAG_CARRIES = region.take(4);
/** EFLAGS without the six arithmetic flags: bit 1 (always 1), TF, IF, DF, IOPL, NT, RF, VM, AC, VIF, VIP, ID. */
export const EFLAGS_SYSTEM = region.take(4);

/** Segment registers in encoding order: ES, CS, SS, DS, FS, GS, then LDTR and TR. 64 bytes each. */
export const SEGMENTS = region.take(8 * 64, 64);
export const SEGMENT_BYTES = 64;
export const SEGMENT = {
  /** 64 bits */
  base: 0,
  /** Byte-granular limit. */
  limit: 8,
  selector: 12,
  /** Descriptor bits 40-55: type, S, DPL, P, limit 19:16 (zero), AVL, L, D/B, G. */
  attributes: 16,
  /** i64: offsets below it may be read (written) without further checks; 0 where the full check is needed. */
  readBytes: 24,
  writeBytes: 32,
} as const;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;
export const segmentAddress = (index: number): number => SEGMENTS + index * SEGMENT_BYTES;

export const CPL = region.take(4);
/** Key of the decode cache: see cpu/mode.ts. */
export const MODE = region.take(4);
/** 1 when SS is flat and 32 bits wide: pushes and pops need no checks. */
export const STACK_FLAT = region.take(4);

export const GDTR_BASE = region.take(8, 8);
export const GDTR_LIMIT = region.take(4);
export const IDTR_BASE = region.take(8, 8);
export const IDTR_LIMIT = region.take(4);

/** Control registers 0-4, 64 bits each (CR1 unused). */
export const CONTROL = region.take(5 * 8, 8);
export const CR0 = CONTROL + 0;
export const CR2 = CONTROL + 16;
export const CR3 = CONTROL + 24;
export const CR4 = CONTROL + 32;
/** Debug registers 0-7, 64 bits each. */
export const DEBUG = region.take(8 * 8, 8);
export const EFER = region.take(8, 8);

/** f64, an exact integer. The present tick = TICK_DEADLINE - TICKS_LEFT - (ticks of the running block still to come). */
export const TICK_DEADLINE = region.take(8, 8);
/** i32: ticks that may still be entered as whole blocks. */
export const TICKS_LEFT = region.take(4);
/** f64: the tick at whose boundary interrupts are inhibited by STI or MOV SS / POP SS; -1 for none. */
export const SHADOW_TICK = region.take(8, 8);
/** 1 while the PIC asserts INTR (or an NMI is pending): generated code that enables interrupts leaves at once. */
export const INTERRUPT_PENDING = region.take(4);

/** The exception that generated code ran into; NO_FAULT while there is none. */
export const NO_FAULT = -1;
export const FAULT_VECTOR = region.take(4);
export const FAULT_ERROR_CODE = region.take(4);

/** x87: eight registers of 16 bytes (significand 8 bytes, sign and exponent 2 bytes), physical numbering R0-R7. */
export const X87_REGISTERS = region.take(8 * 16, 16);
export const X87_CONTROL = region.take(4);
/** Status word without TOP. */
export const X87_STATUS = region.take(4);
export const X87_TOP = region.take(4);
/** Bit i set: physical register i is empty. */
export const X87_EMPTY = region.take(4);
export const X87_OPCODE = region.take(4);
export const X87_INSTRUCTION_OFFSET = region.take(8, 8);
export const X87_INSTRUCTION_SELECTOR = region.take(4);
export const X87_OPERAND_OFFSET = region.take(8, 8);
export const X87_OPERAND_SELECTOR = region.take(4);
/** Exception flags of the floating-point library, see float/. */
export const FLOAT_FLAGS = region.take(4);

/** Sixteen XMM registers of 16 bytes. */
export const XMM_REGISTERS = region.take(16 * 16, 16);
export const MXCSR = region.take(4);

/** Scratch that a TypeScript helper and generated code use to pass up to 64 bytes. */
export const SCRATCH = region.take(64, 16);

/** A single record followed by an exit record: where the step tier decodes to. */
export const STEP_RECORDS = region.take(4 * 32, 16);

/** Page-directory-pointer registers of PAE paging, four of 64 bits. */
export const PDPTE = region.take(4 * 8, 8);
/** Address of the TLB table for the current privilege level. */
export const TLB_BASE = region.take(4);
/** Time-stamp counter = tick * NS_PER_TICK (f64) + TIME_STAMP_BASE (i64, modulo 2^64). */
export const NS_PER_TICK = region.take(8, 8);
export const TIME_STAMP_BASE = region.take(8, 8);
/** How many frames are RAM, and whether A20 is open: what the quick page walk must know of physical memory. */
export const RAM_FRAMES = region.take(4);
export const A20_OPEN = region.take(4);
/** How many entries TLB_FILLED lists; more than it holds once it has overflowed. */
export const TLB_FILLED_COUNT = region.take(4);

export const CPU_STATE_END = region.end;

/**
 * TLB: direct mapped by linear page, one table for supervisor and one for user accesses. An entry is
 * { read tag u32, write tag u32, addend u32, flags u32 }; a tag is the linear page address, or TLB_INVALID.
 */
export const TLB_ENTRIES = 8192;
export const TLB_ENTRY_SHIFT = 4;
export const TLB_ENTRY_BYTES = 1 << TLB_ENTRY_SHIFT;
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES;
export const TLB_INVALID = 1;
/** Flags: the translation survives a load of CR3; writes are allowed and the dirty bit is set. */
export const TLB_GLOBAL = 1;
export const TLB_WRITABLE = 2;
export const TLB_SUPERVISOR = 0x10000;
export const TLB_USER = TLB_SUPERVISOR + TLB_BYTES;
/** A table without a valid entry: in force while every access must be looked at (alignment checks, watchpoints). */
export const TLB_NONE = TLB_USER + TLB_BYTES;

/** Addresses of TLB entries that may be valid. */
export const TLB_FILLED_LIMIT = 2 * TLB_ENTRIES;
export const TLB_FILLED = TLB_NONE + TLB_BYTES;

/** Jump cache: { key i64 (linear EIP | mode << 32), record u32, unused u32 }. */
export const JUMP_CACHE_ENTRIES = 16384;
/** Slot of a linear address: (address xor address >> this) modulo the entries. */
export const JUMP_CACHE_HASH_SHIFT = 10;
export const JUMP_CACHE_ENTRY_BYTES = 16;
export const JUMP_CACHE = TLB_FILLED + TLB_FILLED_LIMIT * 4;
export const JUMP_CACHE_BYTES = JUMP_CACHE_ENTRIES * JUMP_CACHE_ENTRY_BYTES;

/** Where state is encoded to be hashed. */
export const DIGEST_BUFFER = JUMP_CACHE + JUMP_CACHE_BYTES;
export const DIGEST_BUFFER_BYTES = 0x10000;

/** By frame: flags (one byte, mmu/physical-memory.ts) and use as a page table (u32, mmu/tlb.ts). RAM to 3 GiB, ROM to 16 MiB. */
export const FRAMES_LIMIT = (3072 + 16) * 256;
export const FRAME_FLAGS = DIGEST_BUFFER + DIGEST_BUFFER_BYTES;
export const TABLE_USE = FRAME_FLAGS + FRAMES_LIMIT;

/** By linear page, the lower bits of its number: a byte (cpu/executed-pages.ts). */
export const EXECUTED_PAGES = Math.ceil((TABLE_USE + FRAMES_LIMIT * 4) / 16) * 16;
export const EXECUTED_PAGES_BYTES = 2 ** 16;

/** By line of the frames: a byte (mmu/written-lines.ts). */
export const LINE_SHIFT = 6;
export const LINE_BYTES = 1 << LINE_SHIFT;
export const WRITTEN_LINES = EXECUTED_PAGES + EXECUTED_PAGES_BYTES;
const WRITTEN_LINES_BYTES = FRAMES_LIMIT * (4096 / LINE_BYTES);

/** Decoded records. */
export const RECORD_BYTES = 24;
export const RECORD_ARENA = WRITTEN_LINES + WRITTEN_LINES_BYTES;
export const RECORD_ARENA_BYTES = 24 * 1024 * 1024;
const FIXED_END = RECORD_ARENA + RECORD_ARENA_BYTES;
/** Storage of frames: RAM, then ROM. On a 64 KiB boundary. */
export const FRAMES = Math.ceil(FIXED_END / 0x10000) * 0x10000;

/** Size of a memory with so much storage for frames, in pages. Generated code reads up to 16 bytes from wherever an access begins. */
export const memoryPages = (frameBytes: number): number => Math.ceil((FRAMES + frameBytes + 16) / 0x10000);
