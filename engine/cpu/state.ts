/**
 * Typed access to the CPU state that lives in the WebAssembly memory, for the parts of the CPU that are plain
 * TypeScript. Field addresses come from layout.ts; flags are materialised here and nowhere else.
 */
import * as layout from './layout.js';
import { MODE_CODE_64 } from './mode.js';

export const EFLAG = {
  cf: 1 << 0,
  pf: 1 << 2,
  af: 1 << 4,
  zf: 1 << 6,
  sf: 1 << 7,
  tf: 1 << 8,
  if: 1 << 9,
  df: 1 << 10,
  of: 1 << 11,
  iopl: 3 << 12,
  nt: 1 << 14,
  rf: 1 << 16,
  vm: 1 << 17,
  ac: 1 << 18,
  vif: 1 << 19,
  vip: 1 << 20,
  id: 1 << 21,
} as const;
export const ARITHMETIC_FLAGS = EFLAG.cf | EFLAG.pf | EFLAG.af | EFLAG.zf | EFLAG.sf | EFLAG.of;

export const CR0 = { pe: 1, mp: 2, em: 4, ts: 8, et: 16, ne: 32, wp: 1 << 16, am: 1 << 18, nw: 1 << 29, cd: 1 << 30, pg: 1 << 31 } as const;
export const CR4 = {
  vme: 1,
  pvi: 2,
  tsd: 4,
  de: 8,
  pse: 16,
  pae: 32,
  mce: 64,
  pge: 128,
  pce: 256,
  osfxsr: 512,
  osxmmexcpt: 1024,
} as const;

/** Bits of MXCSR that exist: setting another is #GP(0) (SDM volume 1, section 10.2.3). Includes DAZ. */
export const MXCSR_MASK = 0xffff;

/** A segment register with its hidden part. `attributes`: descriptor bits 40-55, limit bits zero; `limit` in bytes. */
export interface SegmentCache {
  selector: number;
  base: number;
  limit: number;
  attributes: number;
}

/** Bits of `SegmentCache.attributes`. */
export const ATTRIBUTE = {
  type: 0xf,
  accessed: 1,
  /** Writable (data) or readable (code). */
  readWrite: 2,
  /** Expand-down (data) or conforming (code). */
  expandDownOrConforming: 4,
  code: 8,
  nonSystem: 0x10,
  dpl: 0x60,
  present: 0x80,
  available: 0x1000,
  long: 0x2000,
  /** D (code) or B (stack, expand-down data): 32 bits. */
  big: 0x4000,
  granularity: 0x8000,
} as const;

/** Parity flag for every low byte of a result: set for an even number of ones. */
function evenParity(byte: number): boolean {
  let bits = byte ^ (byte >> 4);
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) === 0;
}

export class CpuState {
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly u8: Uint8Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  readonly view: DataView;

  constructor(readonly memory: WebAssembly.Memory) {
    const buffer = memory.buffer;
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.view = new DataView(buffer);
  }

  /** A 32-bit cell of layout.ts, unsigned. */
  get32(address: number): number {
    return this.u32[address >>> 2] as number;
  }
  set32(address: number, value: number): void {
    this.i32[address >>> 2] = value;
  }

  /** General registers by encoding number. Writing 32 bits clears the upper half of the slot. */
  reg32(index: number): number {
    return this.u32[(layout.REGISTERS >>> 2) + index * 2] as number;
  }
  setReg32(index: number, value: number): void {
    const at = (layout.REGISTERS >>> 2) + index * 2;
    this.i32[at] = value;
    this.i32[at + 1] = 0;
  }
  reg16(index: number): number {
    return this.u16[(layout.REGISTERS >>> 1) + index * 4] as number;
  }
  setReg16(index: number, value: number): void {
    this.u16[(layout.REGISTERS >>> 1) + index * 4] = value;
  }
  /** 8-bit registers in the encoding without REX: AL, CL, DL, BL, AH, CH, DH, BH. */
  reg8(index: number): number {
    return this.u8[layout.REGISTERS + (index & 3) * 8 + (index >> 2)] as number;
  }
  setReg8(index: number, value: number): void {
    this.u8[layout.REGISTERS + (index & 3) * 8 + (index >> 2)] = value;
  }

  reg64(index: number): bigint {
    return this.i64[(layout.REGISTERS >>> 3) + index] as bigint;
  }
  setReg64(index: number, value: bigint): void {
    this.i64[(layout.REGISTERS >>> 3) + index] = value;
  }

  get eip(): number {
    return this.get32(layout.EIP);
  }
  set eip(value: number) {
    this.set32(layout.EIP, value);
  }

  /** Base and limit of the code segment, which 64-bit code ignores. */
  get codeBase(): number {
    return this.longCode ? 0 : this.segmentBase(layout.CS);
  }
  get codeLimit(): number {
    return this.longCode ? 0xffff_ffff : this.segmentLimit(layout.CS);
  }

  /** 64-bit mode: EFER.LMA and CS.L. */
  get longCode(): boolean {
    return (this.get32(layout.MODE) & MODE_CODE_64) !== 0;
  }

  get cr0(): number {
    return this.get32(layout.CR0);
  }
  get cr2(): number {
    return this.get32(layout.CR2);
  }
  set cr2(value: number) {
    this.set32(layout.CR2, value);
    this.set32(layout.CR2 + 4, 0);
  }
  get cr3(): number {
    return this.get32(layout.CR3);
  }
  get cr4(): number {
    return this.get32(layout.CR4);
  }
  get cpl(): number {
    return this.get32(layout.CPL);
  }

  get protectedMode(): boolean {
    return (this.cr0 & CR0.pe) !== 0;
  }
  get virtual8086(): boolean {
    return (this.get32(layout.EFLAGS_SYSTEM) & EFLAG.vm) !== 0;
  }
  /** Real mode or virtual-8086 mode: segment registers hold paragraph numbers. */
  get realAddressing(): boolean {
    return !this.protectedMode || this.virtual8086;
  }

  /** The whole EFLAGS register, lazy flags materialised. */
  get eflags(): number {
    const result = this.i32[layout.FLAG_RESULT >>> 2] as number;
    const carries = this.i32[layout.FLAG_CARRIES >>> 2] as number;
    let flags = this.get32(layout.EFLAGS_SYSTEM);
    if (carries < 0) flags |= EFLAG.cf;
    if (((carries >>> 31) ^ (carries >>> 30)) & 1) flags |= EFLAG.of;
    if (carries & 8) flags |= EFLAG.af;
    if (result === 0) flags |= EFLAG.zf;
    if ((result ^ (carries << 31)) < 0) flags |= EFLAG.sf;
    if (evenParity((result ^ (carries >>> 8)) & 0xff)) flags |= EFLAG.pf;
    return flags >>> 0;
  }

  /** Sets all of EFLAGS as given (bit 1 reads as one, reserved bits as zero). No checks, no side effects. */
  set eflags(value: number) {
    const zf = (value >>> 6) & 1;
    const pf = (value >>> 2) & 1;
    const cf = value & 1;
    const of = (value >>> 11) & 1;
    this.i32[layout.FLAG_RESULT >>> 2] = zf ^ 1;
    this.i32[layout.FLAG_CARRIES >>> 2] =
      (cf << 31) | ((cf ^ of) << 30) | (((value >>> 4) & 1) << 3) | ((pf ^ zf) << 8) | ((value >>> 7) & 1);
    this.set32(layout.EFLAGS_SYSTEM, (value & 0x003f_7700) | 2);
  }

  /** Clears flags that are no arithmetic flags. */
  clearSystemFlags(mask: number): void {
    this.set32(layout.EFLAGS_SYSTEM, this.get32(layout.EFLAGS_SYSTEM) & ~mask);
  }

  get interruptsEnabled(): boolean {
    return (this.get32(layout.EFLAGS_SYSTEM) & EFLAG.if) !== 0;
  }

  readSegment(index: number): SegmentCache {
    const at = layout.segmentAddress(index);
    return {
      selector: this.get32(at + layout.SEGMENT.selector),
      base: this.get32(at + layout.SEGMENT.base),
      limit: this.get32(at + layout.SEGMENT.limit),
      attributes: this.get32(at + layout.SEGMENT.attributes),
    };
  }
  /** Stores the register as it is; `Cpu.modeChanged` must follow before guest code runs again. */
  writeSegment(index: number, segment: SegmentCache): void {
    const at = layout.segmentAddress(index);
    this.set32(at + layout.SEGMENT.selector, segment.selector);
    const { base, limit, attributes } = segment;
    // Mostly a segment of the same extent comes back: the bounds hold then.
    if (
      this.get32(at + layout.SEGMENT.base) === base &&
      this.get32(at + layout.SEGMENT.limit) === limit &&
      this.get32(at + layout.SEGMENT.attributes) === attributes
    ) {
      return;
    }
    this.set32(at + layout.SEGMENT.base, base);
    this.set32(at + layout.SEGMENT.base + 4, 0);
    this.set32(at + layout.SEGMENT.limit, limit);
    this.set32(at + layout.SEGMENT.attributes, attributes);
    this.deriveBounds(index);
  }

  /** Computes up to which offset accesses through a segment register need no check. LDTR and TR have no such. */
  deriveBounds(index: number): void {
    const at = layout.segmentAddress(index);
    const attributes = this.segmentAttributes(index);
    const code = (attributes & ATTRIBUTE.code) !== 0;
    const expandDown = !code && (attributes & ATTRIBUTE.expandDownOrConforming) !== 0;
    const usable = ATTRIBUTE.present | ATTRIBUTE.nonSystem;
    const simple = index <= layout.GS && (attributes & usable) === usable && !expandDown;
    const readable = simple && (!code || (attributes & ATTRIBUTE.readWrite) !== 0);
    const writable = simple && !code && (attributes & ATTRIBUTE.readWrite) !== 0;
    // limit + 1 as 64 bits.
    const low = (this.segmentLimit(index) + 1) | 0;
    const high = low === 0 ? 1 : 0;
    this.set32(at + layout.SEGMENT.readBytes, readable ? low : 0);
    this.set32(at + layout.SEGMENT.readBytes + 4, readable ? high : 0);
    this.set32(at + layout.SEGMENT.writeBytes, writable ? low : 0);
    this.set32(at + layout.SEGMENT.writeBytes + 4, writable ? high : 0);
  }

  /** Base 0, 4 GiB, readable and writable. */
  segmentIsFlat(index: number): boolean {
    const at = layout.segmentAddress(index);
    return (
      this.get32(at + layout.SEGMENT.base) === 0 &&
      this.get32(at + layout.SEGMENT.readBytes + 4) !== 0 &&
      this.get32(at + layout.SEGMENT.writeBytes + 4) !== 0
    );
  }

  segmentSelector(index: number): number {
    return this.get32(layout.segmentAddress(index) + layout.SEGMENT.selector);
  }
  segmentBase(index: number): number {
    return this.get32(layout.segmentAddress(index) + layout.SEGMENT.base);
  }
  segmentLimit(index: number): number {
    return this.get32(layout.segmentAddress(index) + layout.SEGMENT.limit);
  }
  segmentAttributes(index: number): number {
    return this.get32(layout.segmentAddress(index) + layout.SEGMENT.attributes);
  }
}
