/**
 * From a segment and an offset to a linear address, with the checks of the segment (SDM volume 3, 5.3-5.5, 20.1.1; 64-bit mode:
 * 3.3.7.1 and 5.3.1). The segment registers' cached descriptors decide, in every mode.
 */
import { CPU_STATE, type CpuState, CS, FS, SEGMENT_STATE, SEGMENT_STATE_BYTES, SS } from '../state/cpu-state.js';
import { ModelException, VECTOR } from './cpu.js';

const PRESENT = 0x80;
const BIG = 0x4000;
const TYPE_CODE = 0x08;
const TYPE_EXPAND_DOWN = 0x04;
/** Of data; of code: readable. */
const TYPE_WRITABLE = 0x02;

export const LINEAR_LIMIT = 0x1_0000_0000;
/** Linear addresses of 64-bit mode have 48 bits, sign-extended. */
const CANONICAL_BITS = 48;

export const isCanonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(CANONICAL_BITS, address)) === address;

/** #SS for the stack segment, #GP for the others. */
function segmentFault(segment: number): never {
  throw new ModelException(segment === SS ? VECTOR.ss : VECTOR.gp, 0);
}

/**
 * Linear address of an access to memory in 16- and 32-bit code.
 * @param checkType protected mode: real-address and virtual-8086 segments may be read and written, code or not
 */
export function linearAddress(state: CpuState, segment: number, offset: number, bytes: number, write: boolean, checkType: boolean): number {
  const at = CPU_STATE.segments + segment * SEGMENT_STATE_BYTES;
  const attributes = state.u32(at + SEGMENT_STATE.attributes);
  if (checkType) {
    // A null selector leaves a register unusable (5.4.1).
    if (!(attributes & PRESENT)) segmentFault(segment);
    const isCode = (attributes & TYPE_CODE) !== 0;
    const allowed = write ? !isCode && (attributes & TYPE_WRITABLE) !== 0 : !isCode || (attributes & TYPE_WRITABLE) !== 0;
    if (!allowed) segmentFault(segment);
  }
  const limit = state.u32(at + SEGMENT_STATE.limit);
  const last = offset + bytes - 1;
  if ((attributes & (TYPE_CODE | TYPE_EXPAND_DOWN)) === TYPE_EXPAND_DOWN) {
    const upper = attributes & BIG ? 0xffff_ffff : 0xffff;
    if (offset <= limit || last > upper) segmentFault(segment);
  } else if (last > limit && limit !== 0xffff_ffff) {
    // An access over the end of a segment of 4 GiB wraps around: the manual leaves the choice (5.3).
    segmentFault(segment);
  }
  return (state.u32(at + SEGMENT_STATE.base) + offset) % LINEAR_LIMIT;
}

/** A code segment that may not be read. */
export function isExecuteOnly(state: CpuState, segment: number): boolean {
  const mask = PRESENT | TYPE_CODE | TYPE_WRITABLE;
  return (state.segmentAttributes(segment) & mask) === (PRESENT | TYPE_CODE);
}

/** Linear address in 64-bit mode: no limits, no types; only FS and GS have a base. */
export function longLinearAddress(state: CpuState, segment: number, offset: bigint, bytes: number): bigint {
  const address = segment >= FS ? BigInt.asUintN(64, state.segmentBase(segment) + offset) : offset;
  const last = bytes === 1 ? address : BigInt.asUintN(64, address + BigInt(bytes - 1));
  if (!isCanonical(address) || !isCanonical(last)) segmentFault(segment);
  return address;
}

/** Width of the code segment. @param efer lower half of EFER */
export function codeBitsOf(state: CpuState, efer: number): 16 | 32 | 64 {
  const attributes = state.segmentAttributes(CS);
  if (efer & EFER_LONG_MODE_ACTIVE && attributes & CODE_LONG) return 64;
  return attributes & BIG ? 32 : 16;
}
const EFER_LONG_MODE_ACTIVE = 0x400;
const CODE_LONG = 0x2000;

/** Width of the stack segment in 16- and 32-bit code. */
export const stackBitsOf = (state: CpuState): 16 | 32 => (state.segmentAttributes(SS) & BIG ? 32 : 16);
