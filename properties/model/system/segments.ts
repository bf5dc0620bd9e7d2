/** Loading ES, SS, DS, FS and GS: real, virtual-8086 and protected mode (SDM volume 2, MOV; volume 3, 5.4-5.7, 20.1.1, 20.2.1). */
import { DS, ES, FS, GS, SS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import {
  type Descriptor,
  descriptorOf,
  fault,
  isNull,
  PRESENT,
  rplOf,
  selectorError,
  setAccessed,
  setNullSegment,
  setSegment,
} from './descriptors.js';

/** Present, writable, accessed data. */
const REAL_MODE_ATTRIBUTES = 0x93;
/** The same with DPL 3 (20.2.1). */
const VIRTUAL_8086_ATTRIBUTES = 0xf3;

/** A paragraph number as the base, in real or virtual-8086 mode. */
export function loadParagraph(cpu: Cpu, index: number, selector: number): void {
  const { state } = cpu;
  const base = BigInt(selector) << 4n;
  if (cpu.virtual8086) {
    state.setSegment(index, selector, base, 0xffff, VIRTUAL_8086_ATTRIBUTES);
    return;
  }
  // Limit and rights stay what they were, so that limits of protected mode live on.
  const kept = (state.segmentAttributes(index) & PRESENT) !== 0;
  if (!kept) cpu.undefine('segment.real-after-null');
  const limit = kept ? state.segmentLimit(index) : 0xffff;
  state.setSegment(index, selector, base, limit, kept ? state.segmentAttributes(index) : REAL_MODE_ATTRIBUTES);
}

/** A stack segment for use at privilege `cpl`: #GP, or #TS when a TSS names it, and #SS when it is not present. */
export function checkStackSegment(cpu: Cpu, selector: number, cpl: number, vector: number, ext: number): Descriptor {
  if (isNull(selector)) fault(vector, ext);
  const descriptor = descriptorOf(cpu, selector, vector, ext);
  const error = selectorError(selector, ext);
  if (rplOf(selector) !== cpl || !descriptor.isWritableData || descriptor.dpl !== cpl) fault(vector, error);
  if (!descriptor.present) fault(VECTOR.ss, error);
  return descriptor;
}

/** A data segment that is not null, for use at privilege `cpl`. */
export function checkDataSegment(cpu: Cpu, selector: number, cpl: number, vector: number, ext: number): Descriptor {
  const descriptor = descriptorOf(cpu, selector, vector, ext);
  const error = selectorError(selector, ext);
  if (!descriptor.isReadable) fault(vector, error);
  if (!descriptor.isConforming && (rplOf(selector) > descriptor.dpl || cpl > descriptor.dpl)) fault(vector, error);
  if (!descriptor.present) fault(VECTOR.np, error);
  return descriptor;
}

export function loadSegmentRegister(cpu: Cpu, index: number, selector: number): void {
  if (!cpu.protectedMode || cpu.virtual8086) {
    loadParagraph(cpu, index, selector);
    return;
  }
  if (index !== SS && isNull(selector)) {
    setNullSegment(cpu, index, selector);
    return;
  }
  const check = index === SS ? checkStackSegment : checkDataSegment;
  const descriptor = check(cpu, selector, cpu.cpl, VECTOR.gp, 0);
  setAccessed(cpu, descriptor);
  setSegment(cpu, index, selector, descriptor);
}

/** After a return to an outer ring: segments that may not be used there become null, and null ones 0 (volume 2, RET). */
export function dropInnerSegments(cpu: Cpu): void {
  const { state } = cpu;
  for (const index of [ES, FS, GS, DS]) {
    const attributes = state.segmentAttributes(index);
    const conforming = (attributes & 0x1c) === 0x1c;
    const dpl = (attributes >> 5) & 3;
    if (!conforming && cpu.cpl > dpl) setNullSegment(cpu, index, 0);
  }
}
