/**
 * Segment registers: the checks of every data access, and loading a register in real, virtual-8086 and protected mode
 * (SDM volume 3, sections 5.3 - 5.7, 20.1.1, 20.2.1; MOV and LDS in volume 2).
 *
 * Where the manual leaves a choice: an access that runs over the end of a 4-GiB segment does not fault, it wraps.
 * Loading a segment register in real mode sets selector and base only, so limits and sizes from protected mode live
 * on ("unreal mode"); access rights are not looked at in real mode.
 */

import {
  type Descriptor,
  descriptorPrivilege,
  fetchDescriptor,
  isConforming,
  isNullSelector,
  isPresent,
  isReadable,
  isWritableData,
  markAccessed,
  requestedPrivilege,
  selectorErrorCode,
} from './descriptors.js';
import { GuestException, VECTOR } from './exceptions.js';
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';
import { ATTRIBUTE, type CpuState, type SegmentCache } from './state.js';

const EXPAND_DOWN = ATTRIBUTE.nonSystem | ATTRIBUTE.expandDownOrConforming;
const isExpandDown = (attributes: number): boolean => (attributes & (EXPAND_DOWN | ATTRIBUTE.code)) === EXPAND_DOWN;

/** Whether all of `bytes` at `offset` lies inside the limit. */
export function withinLimit(limit: number, attributes: number, offset: number, bytes: number): boolean {
  if (isExpandDown(attributes)) {
    return offset > limit && offset + bytes - 1 <= (attributes & ATTRIBUTE.big ? 0xffff_ffff : 0xffff);
  }
  return limit === 0xffff_ffff || offset + bytes - 1 <= limit;
}

const ADDRESS_BITS = 48;
/** @param address signed */
export const isCanonical = (address: bigint): boolean => BigInt.asIntN(ADDRESS_BITS, address) === address;
const FOUR_GIB = 0x1_0000_0000n;

/**
 * The checks of an access in 64-bit code (SDM volume 3, 3.3.7.1 and 5.3.1): neither limits nor types, but a canonical address.
 * Page tables of 32-bit paging and PAE map what lies below 4 GiB; nothing else is present.
 * @param address signed
 * @param alignment 0 when only the form of the address matters
 */
export function longLinear(cpu: Cpu, segment: number, address: bigint, bytes: number, write: boolean, alignment: number): number {
  const last = BigInt.asIntN(64, address + BigInt(bytes - 1));
  if (!isCanonical(address) || !isCanonical(last)) {
    throw new GuestException(segment === layout.SS ? VECTOR.stackFault : VECTOR.generalProtection, 0);
  }
  if (alignment === 0) return 0;
  if (address & BigInt(alignment - 1)) throw new GuestException(VECTOR.generalProtection, 0);
  const linear = Number(address);
  if (address < 0n || last >= FOUR_GIB) {
    if (write) cpu.memory.probeWrite(linear, bytes);
    else cpu.memory.probeRead(linear, bytes);
  }
  return linear;
}

/** Base of a segment in 64-bit code, signed. */
const longBase = (state: CpuState, segment: number): bigint =>
  segment === layout.FS || segment === layout.GS ? (state.i64[(layout.segmentAddress(segment) + layout.SEGMENT.base) >>> 3] as bigint) : 0n;

/** Implements `Cpu.linear`. */
export function checkedLinear(cpu: Cpu, segment: number, offset: number, bytes: number, write: boolean, alignment = 1): number {
  const state = cpu.state;
  if (state.longCode) {
    return longLinear(cpu, segment, BigInt.asIntN(64, longBase(state, segment) + BigInt(offset)), bytes, write, alignment);
  }
  const attributes = state.segmentAttributes(segment);
  const vector = segment === layout.SS ? VECTOR.stackFault : VECTOR.generalProtection;
  if (!state.realAddressing) {
    if (!(attributes & ATTRIBUTE.present)) throw new GuestException(vector, 0);
    const kind = attributes & (ATTRIBUTE.code | ATTRIBUTE.readWrite);
    if (write ? kind !== ATTRIBUTE.readWrite : kind === ATTRIBUTE.code) throw new GuestException(VECTOR.generalProtection, 0);
  }
  if (!withinLimit(state.segmentLimit(segment), attributes, offset, bytes)) throw new GuestException(vector, 0);
  const linear = (state.segmentBase(segment) + offset) >>> 0;
  if (linear & (alignment - 1)) throw new GuestException(VECTOR.generalProtection, 0);
  return linear;
}

/** Linear address of a byte that CLFLUSH names: of an execute-only segment, too (SDM volume 2, CLFLUSH). */
export function flushedLinear(cpu: Cpu, segment: number, offset: number): number {
  const { state } = cpu;
  const attributes = state.segmentAttributes(segment);
  const isExecuteOnly = (attributes & (ATTRIBUTE.present | ATTRIBUTE.code | ATTRIBUTE.readWrite)) === (ATTRIBUTE.present | ATTRIBUTE.code);
  if (!isExecuteOnly || state.longCode || state.realAddressing) return cpu.linear(segment, offset, 1, false);
  if (!withinLimit(state.segmentLimit(segment), attributes, offset, 1)) throw new GuestException(VECTOR.generalProtection, 0);
  return (state.segmentBase(segment) + offset) >>> 0;
}

/** Mask of the stack pointer: 32 or 16 bits, by the B bit of the stack segment. */
export const stackMask = (attributes: number): number => (attributes & ATTRIBUTE.big ? 0xffff_ffff : 0xffff);

export const setPrivilege = (state: CpuState, privilege: number): void => state.set32(layout.CPL, privilege);

export const nullSegment = (selector: number): SegmentCache => ({ selector, base: 0, limit: 0, attributes: 0 });

const REAL_ATTRIBUTES = ATTRIBUTE.present | ATTRIBUTE.nonSystem | ATTRIBUTE.readWrite | ATTRIBUTE.accessed;

/** SDM volume 3, 20.2.1: a virtual-8086 segment is 64 KiB of writable data at 16 x selector, DPL 3. */
export const virtual8086Segment = (selector: number): SegmentCache => ({
  selector,
  base: selector << 4,
  limit: 0xffff,
  attributes: REAL_ATTRIBUTES | ATTRIBUTE.dpl,
});

/** What a load of `selector` makes of the register in real or virtual-8086 mode. */
export function realSegment(state: CpuState, index: number, selector: number): SegmentCache {
  if (state.virtual8086) return virtual8086Segment(selector);
  const previous = state.readSegment(index);
  // A register that protected mode left unusable has no limit that could live on.
  if (!(previous.attributes & ATTRIBUTE.present)) return { selector, base: selector << 4, limit: 0xffff, attributes: REAL_ATTRIBUTES };
  return { ...previous, selector, base: selector << 4 };
}

/**
 * The checks of a stack segment for use at `privilege`. `vector` is raised for everything but a segment that is not
 * present (#SS): #GP for loads and returns, #TS when the selector comes from a TSS.
 */
export function checkStackSegment(cpu: Cpu, selector: number, privilege: number, vector: number, external: number): Descriptor {
  if (isNullSelector(selector)) throw new GuestException(vector, external);
  const descriptor = fetchDescriptor(cpu, selector, vector, external);
  const errorCode = selectorErrorCode(selector, external);
  if (requestedPrivilege(selector) !== privilege || !isWritableData(descriptor) || descriptorPrivilege(descriptor) !== privilege) {
    throw new GuestException(vector, errorCode);
  }
  if (!isPresent(descriptor)) throw new GuestException(VECTOR.stackFault, errorCode);
  return descriptor;
}

/** The checks of DS, ES, FS, GS for use at `privilege`; a null selector has no descriptor. */
export function checkDataSegment(cpu: Cpu, selector: number, privilege: number, vector: number, external: number): Descriptor | undefined {
  if (isNullSelector(selector)) return undefined;
  const descriptor = fetchDescriptor(cpu, selector, vector, external);
  const errorCode = selectorErrorCode(selector, external);
  if (!isReadable(descriptor)) throw new GuestException(vector, errorCode);
  const weakest = Math.max(requestedPrivilege(selector), privilege);
  if (!isConforming(descriptor) && weakest > descriptorPrivilege(descriptor)) throw new GuestException(vector, errorCode);
  if (!isPresent(descriptor)) throw new GuestException(VECTOR.segmentNotPresent, errorCode);
  return descriptor;
}

/**
 * Everything of a load of DS, ES, FS, GS or SS that can fault. The caller stores the result with
 * `state.writeSegment` and ends in `cpu.modeChanged()`.
 */
export function prepareSegment(cpu: Cpu, index: number, selector: number): SegmentCache {
  const state = cpu.state;
  if (state.realAddressing) return realSegment(state, index, selector);
  const descriptor =
    index === layout.SS
      ? checkStackSegment(cpu, selector, state.cpl, VECTOR.generalProtection, 0)
      : checkDataSegment(cpu, selector, state.cpl, VECTOR.generalProtection, 0);
  return descriptor === undefined ? nullSegment(selector) : markAccessed(cpu, descriptor, selector);
}

/** After a return to less privilege: data segments that it may not use become null (SDM volume 2, RET and IRET). */
export function dropInaccessibleSegments(state: CpuState): void {
  for (const index of [layout.ES, layout.DS, layout.FS, layout.GS]) {
    const { selector, attributes } = state.readSegment(index);
    const conforming = ATTRIBUTE.code | ATTRIBUTE.expandDownOrConforming;
    if ((attributes & conforming) === conforming) continue;
    if (isNullSelector(selector) || (attributes & ATTRIBUTE.dpl) >>> 5 < state.cpl) state.writeSegment(index, nullSegment(0));
  }
}
