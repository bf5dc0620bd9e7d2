/**
 * The state of a processor as plain bytes: what a case begins and ends with, the same for the engine, the reference
 * model and the host CPU. One buffer of fixed layout, so that states are copied, compared and sent to another process
 * without looking inside; typed views for everybody who does look.
 *
 * The C helper of the host oracle knows the same offsets: `CPU_STATE` is where they are written down.
 */

/** Byte offsets, little endian. */
export const CPU_STATE = {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8-R15, 8 bytes each. */
  registers: 0,
  rip: 128,
  /** RFLAGS in 8 bytes; bit 1 always set. */
  flags: 136,
  /** ES, CS, SS, DS, FS, GS, LDTR, TR: 24 bytes each, see SEGMENT_STATE. */
  segments: 144,
  gdtrBase: 336,
  gdtrLimit: 344,
  idtrBase: 352,
  idtrLimit: 360,
  cr0: 368,
  cr2: 376,
  cr3: 384,
  cr4: 392,
  efer: 400,
  /** DR0-DR7, 8 bytes each. */
  debug: 408,
  /** u32 */
  cpl: 472,
  /** u32: 0 executing, 1 halted. */
  halted: 476,
  /** u16 each; the status word has TOP in it. */
  x87Control: 480,
  x87Status: 482,
  /** u16: bit i set when physical register i is empty. */
  x87Empty: 484,
  /** u16: the low 11 bits of the last opcode. */
  x87Opcode: 486,
  x87InstructionOffset: 488,
  /** u16 */
  x87InstructionSelector: 496,
  x87OperandSelector: 498,
  x87OperandOffset: 504,
  /** Physical registers R0-R7, 16 bytes each, of which 10 count (significand, then sign and exponent). MMX uses the first 8. */
  x87Registers: 512,
  /** XMM0-XMM15, 16 bytes each. */
  xmm: 640,
  /** u32 */
  mxcsr: 896,
  /** u32: 1 while STI or MOV SS / POP SS inhibits interrupts for the next instruction. */
  interruptShadow: 900,
  sysenterCs: 904,
  sysenterEsp: 912,
  sysenterEip: 920,
  /** The four page-directory-pointer registers of PAE paging. */
  pageDirectoryPointers: 928,
} as const;
export const CPU_STATE_BYTES = 1024;

/** Offsets within a segment register. */
export const SEGMENT_STATE = {
  base: 0,
  /** u32, in bytes (granularity applied). */
  limit: 8,
  /** u16 */
  selector: 12,
  /** u32: descriptor bits 40-55 (type, S, DPL, P, AVL, L, D/B, G) with limit bits 19:16 zero. */
  attributes: 16,
} as const;
export const SEGMENT_STATE_BYTES = 24;

export const REGISTER_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
/** In the order of their encoding; LDTR and TR follow. */
export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;

export class CpuState {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The sixteen general registers. */
  readonly registers: BigUint64Array;
  /** All of the state, for copies and comparisons. */
  readonly words: Uint32Array;

  /** @param buffer where the state lies; zeroes of its own when absent. @param offset a multiple of 8 */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(CPU_STATE_BYTES), offset = 0) {
    this.bytes = new Uint8Array(buffer, offset, CPU_STATE_BYTES);
    this.view = new DataView(buffer, offset, CPU_STATE_BYTES);
    this.registers = new BigUint64Array(buffer, offset, 16);
    this.words = new Uint32Array(buffer, offset, CPU_STATE_BYTES / 4);
  }

  copyFrom(other: CpuState): void {
    this.words.set(other.words);
  }

  get rip(): bigint {
    return this.view.getBigUint64(CPU_STATE.rip, true);
  }
  set rip(value: bigint) {
    this.view.setBigUint64(CPU_STATE.rip, value, true);
  }
  get flags(): number {
    return this.view.getUint32(CPU_STATE.flags, true);
  }
  set flags(value: number) {
    this.view.setUint32(CPU_STATE.flags, value, true);
  }

  /** Fields by their offset in CPU_STATE. */
  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }
  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(offset, value, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }
  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }

  segmentBase(index: number): bigint {
    return this.u64(segmentOffset(index) + SEGMENT_STATE.base);
  }
  segmentLimit(index: number): number {
    return this.u32(segmentOffset(index) + SEGMENT_STATE.limit);
  }
  segmentSelector(index: number): number {
    return this.u16(segmentOffset(index) + SEGMENT_STATE.selector);
  }
  segmentAttributes(index: number): number {
    return this.u32(segmentOffset(index) + SEGMENT_STATE.attributes);
  }
  setSegment(index: number, selector: number, base: bigint, limit: number, attributes: number): void {
    const at = segmentOffset(index);
    this.setU64(at + SEGMENT_STATE.base, base);
    this.setU32(at + SEGMENT_STATE.limit, limit);
    this.setU16(at + SEGMENT_STATE.selector, selector);
    this.setU32(at + SEGMENT_STATE.attributes, attributes);
  }
}

const segmentOffset = (index: number): number => CPU_STATE.segments + index * SEGMENT_STATE_BYTES;
