/**
 * Segment and gate descriptors: how they are found in the GDT and LDT, what their bits say, and the bits that the
 * processor itself writes (SDM volume 3, sections 3.4.5, 3.5, 5.8.3, 7.2.2).
 */
import { GuestException } from './exceptions.js';
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';
import { ATTRIBUTE, type SegmentCache } from './state.js';

export interface Descriptor {
  readonly selector: number;
  /** Linear address of the descriptor itself. */
  readonly address: number;
  readonly low: number;
  readonly high: number;
  /** Bits 40-55 without the limit, as in SegmentCache. */
  readonly attributes: number;
}

/** Type field with the S bit clear (SDM table 3-2). */
export const SYSTEM_TYPE = {
  tss16Available: 1,
  ldt: 2,
  tss16Busy: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tss32Available: 9,
  tss32Busy: 11,
  callGate32: 12,
  interruptGate32: 14,
  trapGate32: 15,
} as const;
export const TSS_BUSY = 2;
/** Set in the type of the 32-bit forms of TSS and gates. */
export const SYSTEM_32_BIT = 8;

export const isNullSelector = (selector: number): boolean => (selector & 0xfffc) === 0;
export const requestedPrivilege = (selector: number): number => selector & 3;
/** Error code that names a selector (SDM volume 3, 6.13): EXT in bit 0 in place of the RPL. */
export const selectorErrorCode = (selector: number, external: number): number => (selector & 0xfffc) | external;

/** The descriptor that `selector` names, or undefined when it lies outside its table. */
export function findDescriptor(cpu: Cpu, selector: number): Descriptor | undefined {
  const state = cpu.state;
  let base: number;
  let limit: number;
  if (selector & 4) {
    if (!(state.segmentAttributes(layout.LDTR) & ATTRIBUTE.present)) return undefined;
    base = state.segmentBase(layout.LDTR);
    limit = state.segmentLimit(layout.LDTR);
  } else {
    base = state.get32(layout.GDTR_BASE);
    limit = state.get32(layout.GDTR_LIMIT);
  }
  const offset = selector & 0xfff8;
  if (offset + 7 > limit) return undefined;
  return readDescriptor(cpu, (base + offset) >>> 0, selector);
}

export function readDescriptor(cpu: Cpu, address: number, selector: number): Descriptor {
  const low = cpu.system.read32(address) >>> 0;
  const high = cpu.system.read32((address + 4) >>> 0) >>> 0;
  return { selector, address, low, high, attributes: (high >>> 8) & 0xf0ff };
}

/** The same, raising `vector` with the selector when it lies outside its table. */
export function fetchDescriptor(cpu: Cpu, selector: number, vector: number, external: number): Descriptor {
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === undefined) throw new GuestException(vector, selectorErrorCode(selector, external));
  return descriptor;
}

export const descriptorBase = (descriptor: Descriptor): number =>
  ((descriptor.low >>> 16) | ((descriptor.high & 0xff) << 16) | (descriptor.high & 0xff00_0000)) >>> 0;

export function descriptorLimitBytes(descriptor: Descriptor): number {
  const limit = (descriptor.low & 0xffff) | (descriptor.high & 0x000f_0000);
  return descriptor.attributes & ATTRIBUTE.granularity ? ((limit << 12) | 0xfff) >>> 0 : limit;
}

export const descriptorPrivilege = (descriptor: Descriptor): number => (descriptor.attributes >>> 5) & 3;
export const isPresent = (descriptor: Descriptor): boolean => (descriptor.attributes & ATTRIBUTE.present) !== 0;
/** Type field of a system descriptor, -1 for a code or data segment. */
export const systemType = (descriptor: Descriptor): number =>
  descriptor.attributes & ATTRIBUTE.nonSystem ? -1 : descriptor.attributes & ATTRIBUTE.type;
export const isCode = (descriptor: Descriptor): boolean =>
  (descriptor.attributes & (ATTRIBUTE.nonSystem | ATTRIBUTE.code)) === (ATTRIBUTE.nonSystem | ATTRIBUTE.code);
export const isConforming = (descriptor: Descriptor): boolean =>
  (descriptor.attributes & ATTRIBUTE.expandDownOrConforming) !== 0 && isCode(descriptor);
export const isWritableData = (descriptor: Descriptor): boolean =>
  (descriptor.attributes & (ATTRIBUTE.nonSystem | ATTRIBUTE.code | ATTRIBUTE.readWrite)) === (ATTRIBUTE.nonSystem | ATTRIBUTE.readWrite);
/** A data segment of any kind, or a code segment that may be read. */
export const isReadable = (descriptor: Descriptor): boolean =>
  (descriptor.attributes & ATTRIBUTE.nonSystem) !== 0 &&
  (descriptor.attributes & (ATTRIBUTE.code | ATTRIBUTE.readWrite)) !== ATTRIBUTE.code;

/** The hidden part of a segment register that holds this descriptor. */
export const cacheOf = (descriptor: Descriptor, selector: number): SegmentCache => ({
  selector,
  base: descriptorBase(descriptor),
  limit: descriptorLimitBytes(descriptor),
  attributes: descriptor.attributes,
});

/** Sets the accessed bit in memory when it is clear, and returns the register contents. The last step that may fault. */
export function markAccessed(cpu: Cpu, descriptor: Descriptor, selector: number): SegmentCache {
  if (!(descriptor.attributes & ATTRIBUTE.accessed)) {
    cpu.system.write8((descriptor.address + 5) >>> 0, (descriptor.attributes & 0xff) | ATTRIBUTE.accessed);
  }
  const cache = cacheOf(descriptor, selector);
  cache.attributes |= ATTRIBUTE.accessed;
  return cache;
}

/** A call, interrupt, trap or task gate, read as its own type says. */
export interface Gate {
  readonly type: number;
  readonly selector: number;
  readonly offset: number;
  readonly parameterCount: number;
  readonly is32Bit: boolean;
}

export function gateOf(descriptor: Descriptor): Gate {
  const type = systemType(descriptor);
  const is32Bit = (type & SYSTEM_32_BIT) !== 0;
  const offset = (descriptor.low & 0xffff) | (is32Bit ? descriptor.high & 0xffff_0000 : 0);
  return { type, selector: descriptor.low >>> 16, offset: offset >>> 0, parameterCount: descriptor.high & 0x1f, is32Bit };
}
