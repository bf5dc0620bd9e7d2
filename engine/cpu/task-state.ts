/**
 * The task-state segment: where its fields are, the stacks of the inner rings, and the checks that a selector names a
 * TSS that may be switched to (SDM volume 3, sections 5.8.5, 7.2.1, 7.2.6).
 */
import { type Descriptor, fetchDescriptor, isPresent, SYSTEM_32_BIT, SYSTEM_TYPE, selectorErrorCode, systemType } from './descriptors.js';
import { GuestException, VECTOR } from './exceptions.js';
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';
import { checkStackSegment } from './segmentation.js';
import { ATTRIBUTE } from './state.js';

export interface TssLayout {
  /** Lowest limit that a task switch accepts. */
  readonly minimumLimitBytes: number;
  readonly wordBytes: 2 | 4;
  /** First of the inner stacks: pointer, then selector, one pair a ring. */
  readonly stacks: number;
  readonly eip: number;
  readonly eflags: number;
  /** EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI. */
  readonly registers: number;
  /** ES, CS, SS, DS and, in the 32-bit form, FS, GS. */
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
}

export const TSS32: TssLayout = {
  minimumLimitBytes: 0x67,
  wordBytes: 4,
  stacks: 0x04,
  eip: 0x20,
  eflags: 0x24,
  registers: 0x28,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
};
const TSS16: TssLayout = {
  minimumLimitBytes: 0x2b,
  wordBytes: 2,
  stacks: 0x02,
  eip: 0x0e,
  eflags: 0x10,
  registers: 0x12,
  segments: 0x22,
  segmentCount: 4,
  ldt: 0x2a,
};
/** Of the 32-bit form. */
export const TSS_CR3 = 0x1c;
export const TSS_DEBUG_TRAP = 0x64;
export const TSS_IO_MAP_BASE = 0x66;

export const tssLayout = (attributes: number): TssLayout => (attributes & SYSTEM_32_BIT ? TSS32 : TSS16);

/** The running task's TSS is of the 32-bit form. */
export const currentTssIs32Bit = (cpu: Cpu): boolean =>
  (cpu.state.segmentAttributes(layout.TR) & (ATTRIBUTE.present | SYSTEM_32_BIT)) === (ATTRIBUTE.present | SYSTEM_32_BIT);

export interface InnerStack {
  readonly selector: number;
  readonly pointer: number;
  readonly descriptor: Descriptor;
}

/** The stack of ring `privilege` as the running task's TSS gives it, checked; #TS or #SS with the selector. */
export function innerStack(cpu: Cpu, privilege: number, external: number): InnerStack {
  const tr = cpu.state.readSegment(layout.TR);
  const { stacks, wordBytes } = tssLayout(tr.attributes);
  const offset = stacks + privilege * wordBytes * 2;
  if (offset + wordBytes + 1 > tr.limit) throw new GuestException(VECTOR.invalidTss, selectorErrorCode(tr.selector, external));
  const at = (tr.base + offset) >>> 0;
  const pointer = wordBytes === 4 ? cpu.system.read32(at) >>> 0 : cpu.system.read16(at) & 0xffff;
  const selector = cpu.system.read16((at + wordBytes) >>> 0) & 0xffff;
  return { selector, pointer, descriptor: checkStackSegment(cpu, selector, privilege, VECTOR.invalidTss, external) };
}

/**
 * The TSS that a task gate or a nested task's back link names: in the GDT, of a type out of `types`, present.
 * `vector` is raised for the first two.
 */
export function fetchTss(cpu: Cpu, selector: number, vector: number, external: number, types: readonly number[]): Descriptor {
  if (selector & 4) throw new GuestException(vector, selectorErrorCode(selector, external));
  const descriptor = fetchDescriptor(cpu, selector, vector, external);
  if (!types.includes(systemType(descriptor))) throw new GuestException(vector, selectorErrorCode(selector, external));
  if (!isPresent(descriptor)) throw new GuestException(VECTOR.segmentNotPresent, selectorErrorCode(selector, external));
  return descriptor;
}

export const AVAILABLE_TSS = [SYSTEM_TYPE.tss16Available, SYSTEM_TYPE.tss32Available] as const;
export const BUSY_TSS = [SYSTEM_TYPE.tss16Busy, SYSTEM_TYPE.tss32Busy] as const;
