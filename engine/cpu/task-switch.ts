/**
 * Hardware task switch (SDM volume 3, sections 7.3 - 7.4, table 7-1).
 *
 * Everything that can be found wrong from the old task is found before anything is written. Past the commit point
 * the new task is running: what is wrong with its segments is raised there (kind `newTask`).
 */
import {
  cacheOf,
  type Descriptor,
  descriptorBase,
  descriptorLimitBytes,
  descriptorPrivilege,
  fetchDescriptor,
  isCode,
  isConforming,
  isNullSelector,
  isPresent,
  markAccessed,
  requestedPrivilege,
  SYSTEM_TYPE,
  selectorErrorCode,
  systemType,
  TSS_BUSY,
} from './descriptors.js';
import { GuestException, VECTOR } from './exceptions.js';
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';
import { checkDataSegment, checkStackSegment, nullSegment, setPrivilege, virtual8086Segment } from './segmentation.js';
import { CR0, CR4, EFLAG, type SegmentCache } from './state.js';
import { TSS_CR3, TSS_DEBUG_TRAP, TSS32, type TssLayout, tssLayout } from './task-state.js';

/** `call` also stands for an interrupt or exception through a task gate. */
export type TaskSwitchReason = 'jump' | 'call' | 'return';

/** DR6.BT: the T bit of the new TSS is set. */
const DEBUG_TASK_SWITCH = 1 << 15;
/** L0-L3 and LE of DR7 belong to a task. */
const DEBUG_LOCAL_ENABLES = 0x155;

interface TaskImage {
  readonly cr3: number;
  readonly eip: number;
  readonly eflags: number;
  readonly registers: readonly number[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly debugTrap: boolean;
}

function readImage(cpu: Cpu, base: number, tss: TssLayout): TaskImage {
  const word = (offset: number): number => {
    const at = (base + offset) >>> 0;
    return tss.wordBytes === 4 ? cpu.system.read32(at) >>> 0 : cpu.system.read16(at) & 0xffff;
  };
  const words = (offset: number, count: number): number[] => Array.from({ length: count }, (_, i) => word(offset + i * tss.wordBytes));
  const is32Bit = tss === TSS32;
  const segments = words(tss.segments, tss.segmentCount).map((selector) => selector & 0xffff);
  while (segments.length < 6) segments.push(0);
  return {
    cr3: is32Bit ? word(TSS_CR3) : 0,
    eip: word(tss.eip),
    eflags: word(tss.eflags),
    // The 16-bit form has no upper halves; they become all ones (as on the 80386 and its successors).
    registers: words(tss.registers, 8).map((value) => (is32Bit ? value : (value | 0xffff_0000) >>> 0)),
    segments,
    ldt: word(tss.ldt) & 0xffff,
    debugTrap: is32Bit && (word(TSS_DEBUG_TRAP) & 1) !== 0,
  };
}

/** The dynamic fields of the task being left. */
function saveTask(cpu: Cpu, base: number, tss: TssLayout, eflags: number): void {
  const { state, system } = cpu;
  const put = (offset: number, value: number): void => {
    const at = (base + offset) >>> 0;
    if (tss.wordBytes === 4) system.write32(at, value);
    else system.write16(at, value & 0xffff);
  };
  put(tss.eip, state.eip);
  put(tss.eflags, eflags);
  for (let i = 0; i < 8; i++) put(tss.registers + i * tss.wordBytes, state.reg32(i));
  for (let i = 0; i < tss.segmentCount; i++) system.write16((base + tss.segments + i * tss.wordBytes) >>> 0, state.segmentSelector(i));
}

function setBusy(cpu: Cpu, address: number, busy: boolean): void {
  const at = (address + 5) >>> 0;
  const access = cpu.system.read8(at) & 0xff;
  cpu.system.write8(at, busy ? access | TSS_BUSY : access & ~TSS_BUSY);
}

const fault = (vector: number, selector: number, external: number): GuestException =>
  new GuestException(vector, selectorErrorCode(selector, external), 'newTask');

/** Runs a check whose exception belongs to the new task. */
function inNewTask<T>(check: () => T): T {
  try {
    return check();
  } catch (thrown) {
    if (thrown instanceof GuestException) throw new GuestException(thrown.vector, thrown.errorCode, 'newTask');
    throw thrown;
  }
}

function loadTaskCode(cpu: Cpu, selector: number, external: number): SegmentCache {
  if (isNullSelector(selector)) throw fault(VECTOR.invalidTss, selector, external);
  const descriptor = fetchDescriptor(cpu, selector, VECTOR.invalidTss, external);
  const privilege = descriptorPrivilege(descriptor);
  const rpl = requestedPrivilege(selector);
  if (!isCode(descriptor) || (isConforming(descriptor) ? privilege > rpl : privilege !== rpl)) {
    throw fault(VECTOR.invalidTss, selector, external);
  }
  if (!isPresent(descriptor)) throw fault(VECTOR.segmentNotPresent, selector, external);
  return markAccessed(cpu, descriptor, selector);
}

function loadTaskLdt(cpu: Cpu, selector: number, external: number): void {
  if (isNullSelector(selector)) return;
  if (selector & 4) throw fault(VECTOR.invalidTss, selector, external);
  const descriptor = fetchDescriptor(cpu, selector, VECTOR.invalidTss, external);
  if (systemType(descriptor) !== SYSTEM_TYPE.ldt || !isPresent(descriptor)) throw fault(VECTOR.invalidTss, selector, external);
  cpu.state.writeSegment(layout.LDTR, cacheOf(descriptor, selector));
}

/** The new task's segments; every register keeps at least its selector when a check fails. */
function loadTaskSegments(cpu: Cpu, image: TaskImage, external: number): void {
  const state = cpu.state;
  for (let i = 0; i < 6; i++) state.writeSegment(i, nullSegment(image.segments[i] as number));
  state.writeSegment(layout.LDTR, nullSegment(image.ldt));
  const code = image.segments[layout.CS] as number;
  const virtual = state.virtual8086;
  setPrivilege(state, virtual ? 3 : requestedPrivilege(code));
  if (virtual) for (let i = 0; i < 6; i++) state.writeSegment(i, virtual8086Segment(image.segments[i] as number));
  inNewTask(() => loadTaskLdt(cpu, image.ldt, external));
  if (virtual) return;
  inNewTask(() => state.writeSegment(layout.CS, loadTaskCode(cpu, code, external)));
  inNewTask(() => {
    const selector = image.segments[layout.SS] as number;
    const descriptor = checkStackSegment(cpu, selector, state.cpl, VECTOR.invalidTss, external);
    state.writeSegment(layout.SS, markAccessed(cpu, descriptor, selector));
  });
  for (const index of [layout.ES, layout.DS, layout.FS, layout.GS]) {
    inNewTask(() => {
      const selector = image.segments[index] as number;
      const descriptor = checkDataSegment(cpu, selector, state.cpl, VECTOR.invalidTss, external);
      if (descriptor !== undefined) state.writeSegment(index, markAccessed(cpu, descriptor, selector));
    });
  }
}

/**
 * Switches to the task whose TSS descriptor (type, privilege, presence checked) is given. `eflags` is what the old
 * task is left with; EIP is taken as it stands. Returns whether the new task's T bit asks for a debug trap: the
 * caller throws `taskTrap()` once it is done with the new task's stack.
 */
export function switchTask(cpu: Cpu, descriptor: Descriptor, reason: TaskSwitchReason, eflags: number, external: number): boolean {
  const { state, system } = cpu;
  const newSelector = descriptor.selector;
  const newBase = descriptorBase(descriptor);
  const newTss = tssLayout(descriptor.attributes);
  const old = state.readSegment(layout.TR);
  const oldTss = tssLayout(old.attributes);
  if (descriptorLimitBytes(descriptor) < newTss.minimumLimitBytes) {
    throw new GuestException(VECTOR.invalidTss, selectorErrorCode(newSelector, external));
  }
  if (old.limit < oldTss.minimumLimitBytes) {
    throw new GuestException(VECTOR.invalidTss, selectorErrorCode(old.selector, external));
  }
  const oldDescriptorAddress = (state.get32(layout.GDTR_BASE) + (old.selector & 0xfff8)) >>> 0;

  // Everything that could page-fault, while the old task can still be restarted.
  const image = readImage(cpu, newBase, newTss);
  const savedBytes = oldTss.segments + oldTss.segmentCount * oldTss.wordBytes - oldTss.eip;
  system.probeWrite((old.base + oldTss.eip) >>> 0, savedBytes);
  if (reason === 'call') system.probeWrite(newBase, 2);
  else system.probeWrite((oldDescriptorAddress + 5) >>> 0, 1);
  if (reason !== 'return') system.probeWrite((descriptor.address + 5) >>> 0, 1);
  const paging = (state.cr0 & CR0.pg) !== 0;
  const pointers = paging && newTss === TSS32 && state.cr4 & CR4.pae ? cpu.pageDirectoryPointers(image.cr3) : undefined;

  saveTask(cpu, old.base, oldTss, reason === 'return' ? eflags & ~EFLAG.nt : eflags);
  if (reason === 'call') system.write16(newBase, old.selector);
  else setBusy(cpu, oldDescriptorAddress, false);
  if (reason !== 'return') setBusy(cpu, descriptor.address, true);

  const tr = cacheOf(descriptor, newSelector);
  tr.attributes |= TSS_BUSY;
  state.writeSegment(layout.TR, tr);
  state.set32(layout.CR0, state.cr0 | CR0.ts);
  // What is written for the old task is written where its pages are.
  pointers?.forEach((value, i) => state.set32(layout.PDPTE + i * 4, value));
  if (paging && newTss === TSS32 && (image.cr3 !== state.cr3 || pointers !== undefined)) {
    state.set32(layout.CR3, image.cr3);
    cpu.flushTlb('nonGlobal');
  }
  state.set32(layout.DEBUG + 7 * 8, state.get32(layout.DEBUG + 7 * 8) & ~DEBUG_LOCAL_ENABLES);
  state.eip = image.eip;
  state.eflags = reason === 'call' ? image.eflags | EFLAG.nt : image.eflags;
  for (let i = 0; i < 8; i++) state.setReg32(i, image.registers[i] as number);
  try {
    loadTaskSegments(cpu, image, external);
  } finally {
    cpu.modeChanged();
  }
  return image.debugTrap;
}

/** The checks of EIP, with the new task running. */
export function checkTaskEip(cpu: Cpu, external: number): void {
  const { state } = cpu;
  if (state.eip > state.segmentLimit(layout.CS)) throw new GuestException(VECTOR.generalProtection, external, 'newTask');
}

/** The debug trap of a TSS with the T bit: taken before the new task's first instruction. */
export function raiseTaskTrap(cpu: Cpu): never {
  const at = layout.DEBUG + 6 * 8;
  cpu.state.set32(at, cpu.state.get32(at) | DEBUG_TASK_SWITCH);
  throw new GuestException(VECTOR.debug, 0, 'trap');
}
