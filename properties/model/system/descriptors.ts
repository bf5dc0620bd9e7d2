/**
 * Segment and gate descriptors: their fields, and how a selector leads to one (SDM volume 3, 3.4.2, 3.4.5, 3.5, 5.8.3, 7.2.2).
 */
import { CPU_STATE, LDTR, TR } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';

/** Type field of descriptors with S = 0 (table 3-2). */
export const SYSTEM_TYPE = {
  availableTss16: 1,
  ldt: 2,
  busyTss16: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  availableTss32: 9,
  busyTss32: 11,
  callGate32: 12,
  interruptGate32: 14,
  trapGate32: 15,
} as const;

/** Bits of the attributes, which are bits 40-55 of the descriptor (SegmentState in cpu-state.ts). */
export const PRESENT = 0x80;
const NON_SYSTEM = 0x10;
export const BIG = 0x4000;
const LONG = 0x2000;
const GRANULARITY = 0x8000;
const CODE = 8;
const CONFORMING_OR_EXPAND_DOWN = 4;
const READABLE_OR_WRITABLE = 2;
const ACCESSED = 1;

export class Descriptor {
  /** @param address linear, of the descriptor itself @param bits all 64 of it */
  constructor(
    readonly address: bigint,
    readonly bits: bigint,
  ) {}

  private field(at: number, length: number): number {
    return Number((this.bits >> BigInt(at)) & ((1n << BigInt(length)) - 1n));
  }

  get attributes(): number {
    return this.field(40, 16) & 0xf0ff;
  }
  get type(): number {
    return this.field(40, 4);
  }
  /** Code or data, not system. */
  get nonSystem(): boolean {
    return (this.attributes & NON_SYSTEM) !== 0;
  }
  get dpl(): number {
    return this.field(45, 2);
  }
  get present(): boolean {
    return this.field(47, 1) === 1;
  }
  get big(): boolean {
    return this.field(54, 1) === 1;
  }
  get base(): number {
    return this.field(16, 24) + this.field(56, 8) * 0x100_0000;
  }
  /** In bytes. */
  get limit(): number {
    const limit = this.field(0, 16) + this.field(48, 4) * 0x1_0000;
    return this.attributes & GRANULARITY ? limit * 0x1000 + 0xfff : limit;
  }

  get isCode(): boolean {
    return this.nonSystem && (this.type & CODE) !== 0;
  }
  get isConforming(): boolean {
    return this.isCode && (this.type & CONFORMING_OR_EXPAND_DOWN) !== 0;
  }
  get isWritableData(): boolean {
    return this.nonSystem && !this.isCode && (this.type & READABLE_OR_WRITABLE) !== 0;
  }
  get isExpandDown(): boolean {
    return this.nonSystem && !this.isCode && (this.type & CONFORMING_OR_EXPAND_DOWN) !== 0;
  }
  /** Data, or code that may be read. */
  get isReadable(): boolean {
    return this.nonSystem && (!this.isCode || (this.type & READABLE_OR_WRITABLE) !== 0);
  }

  // Of gates.
  get gateSelector(): number {
    return this.field(16, 16);
  }
  /** 386 gates have 32 bits of offset, 286 gates 16. */
  get gateIs32(): boolean {
    return (this.type & 8) !== 0;
  }
  get gateOffset(): number {
    return this.field(0, 16) + (this.gateIs32 ? this.field(48, 16) * 0x1_0000 : 0);
  }
  get parameterCount(): number {
    return this.field(32, 5);
  }

  isSystem(...types: readonly number[]): boolean {
    return !this.nonSystem && types.includes(this.type);
  }
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const rplOf = (selector: number): number => selector & 3;
/** Error code for a selector (6.13): EXT in bit 0, IDT (zero) in bit 1. */
export const selectorError = (selector: number, ext: number): number => (selector & 0xfffc) | ext;

export function fault(vector: number, errorCode?: number): never {
  throw new ModelException(vector, errorCode);
}

export const readDescriptor = (cpu: Cpu, address: bigint): Descriptor => new Descriptor(address, cpu.loadSystem(address, 8));

/** The descriptor a selector names; undefined outside its table, or in an LDT that is not there. */
export function lookUp(cpu: Cpu, selector: number): Descriptor | undefined {
  const { state } = cpu;
  const local = (selector & 4) !== 0;
  if (local && !(state.segmentAttributes(LDTR) & PRESENT)) return undefined;
  const base = local ? state.segmentBase(LDTR) : state.u64(CPU_STATE.gdtrBase);
  const limit = local ? state.segmentLimit(LDTR) : state.u32(CPU_STATE.gdtrLimit);
  const index = selector & 0xfff8;
  if (index + 7 > limit) return undefined;
  return readDescriptor(cpu, linear(base + BigInt(index)));
}

/** As `lookUp`, with the fault. */
export function descriptorOf(cpu: Cpu, selector: number, vector: number, ext: number): Descriptor {
  return lookUp(cpu, selector) ?? fault(vector, selectorError(selector, ext));
}

/** Linear addresses outside 64-bit mode have 32 bits. */
export const linear = (address: bigint): bigint => BigInt.asUintN(32, address);

/** Sets the accessed bit of a descriptor about to be loaded (3.4.5.1). */
export function setAccessed(cpu: Cpu, descriptor: Descriptor): void {
  if (descriptor.type & ACCESSED) return;
  cpu.storeSystem(linear(descriptor.address + 5n), 1, BigInt((descriptor.attributes & 0xff) | ACCESSED));
}

/** Makes a segment register hold a code or data segment; its accessed bit is set by then. */
export function setSegment(cpu: Cpu, index: number, selector: number, descriptor: Descriptor): void {
  cpu.state.setSegment(index, selector, BigInt(descriptor.base), descriptor.limit, descriptor.attributes | ACCESSED);
}

/** Policy `segment.null`: what a null selector leaves in the hidden part. */
export function setNullSegment(cpu: Cpu, index: number, selector: number): void {
  cpu.undefine('segment.null');
  cpu.state.setSegment(index, selector, 0n, 0, 0);
}

/** L without D is 64-bit code; other combinations of L mean nothing outside IA-32e mode. */
export const isLongCode = (descriptor: Descriptor): boolean => (descriptor.attributes & (LONG | BIG)) === LONG;

/** Whether `bytes` at `offset` are all inside a segment (5.3). */
export function insideLimit(descriptor: { limit: number; isExpandDown: boolean; big: boolean }, offset: number, bytes: number): boolean {
  const last = offset + bytes - 1;
  if (descriptor.isExpandDown) return offset > descriptor.limit && last <= (descriptor.big ? 0xffff_ffff : 0xffff);
  return last <= descriptor.limit || descriptor.limit === 0xffff_ffff;
}

/** Whether the present task has a 32-bit TSS. */
export const taskIs32 = (cpu: Cpu): boolean => (cpu.state.segmentAttributes(TR) & 8) !== 0;

export const requireRing0 = (cpu: Cpu): void => {
  if (cpu.cpl !== 0) fault(VECTOR.gp, 0);
};
