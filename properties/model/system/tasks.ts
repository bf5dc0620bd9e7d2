/**
 * Task switches by JMP, CALL, IRET, interrupts and exceptions, with TSSs of 16 and 32 bits (SDM volume 3, 7.2, 7.3 and table 7-1).
 *
 * What faults before the new task's state is loaded is a fault of the old task and changes nothing; what faults behind that
 * point is the new task's (`newTask`).
 */
import { CPU_STATE, type CpuState, CS, DS, ES, FS, GS, LDTR, SS, TR } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';
import { pageDirectoryPointers, setPageDirectoryPointers } from './control-registers.js';
import type { Event } from './deliver.js';
import {
  type Descriptor,
  descriptorOf,
  fault,
  isNull,
  linear,
  rplOf,
  SYSTEM_TYPE,
  selectorError,
  setAccessed,
  setSegment,
  taskIs32,
} from './descriptors.js';
import { checkDataSegment, checkStackSegment, loadParagraph } from './segments.js';
import { Frame, presentStack, setCpl, setStackPointer, stackPointer } from './stack.js';

/** Offsets in a TSS (figures 7-2 and 7-10). The general registers follow each other in the order of their numbers. */
interface Layout {
  readonly bytes: 2 | 4;
  readonly ip: number;
  readonly flags: number;
  readonly registers: number;
  /** ES, CS, SS, DS, and in 32 bits FS and GS, at this distance. */
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
  /** Least limit. */
  readonly limit: number;
}
const TSS16: Layout = { bytes: 2, ip: 14, flags: 16, registers: 18, segments: 34, segmentCount: 4, ldt: 42, limit: 43 };
const TSS32: Layout = { bytes: 4, ip: 32, flags: 36, registers: 40, segments: 72, segmentCount: 6, ldt: 96, limit: 103 };
const TSS32_CR3 = 28;
const TSS32_TRAP = 100;
const BACK_LINK = 0;

/** Policy `task.upper-halves`: what a 16-bit TSS has no room for. */
const UPPER_HALF = 0xffff_0000;
const BUSY = 2;
const FLAG_NT = 0x4000;
const FLAG_VM = 0x2_0000;
/** Bits of EFLAGS that exist. */
const FLAGS_MASK = 0x3f_7fd5;
const CR0_TS = 8n;
const CR0_PG = 0x8000_0000n;
const CR4_PAE = 0x20n;
const DR7 = CPU_STATE.debug + 7 * 8;
/** L0-L3 and LE. */
const DR7_LOCAL = 0x155n;
const DR6_TASK_SWITCH = 1 << 15;

export type SwitchKind = 'jump' | 'call' | 'iret';

/** The state of a task as its TSS holds it. */
interface Task {
  readonly cr3: number | undefined;
  readonly ip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  /** By number; FS and GS are null in a 16-bit TSS. */
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

/** The TSS a selector names, for a switch. @param busy whether it must be (IRET) */
export function taskDescriptor(cpu: Cpu, selector: number, vector: number, ext: number, busy: boolean): Descriptor {
  const error = selectorError(selector, ext);
  // A null selector is one of entry 0 of the GDT.
  if (selector & 4) fault(vector, error);
  const tss = descriptorOf(cpu, selector, vector, ext);
  const types = busy ? [SYSTEM_TYPE.busyTss16, SYSTEM_TYPE.busyTss32] : [SYSTEM_TYPE.availableTss16, SYSTEM_TYPE.availableTss32];
  if (!tss.isSystem(...types)) fault(vector, error);
  if (!tss.present) fault(VECTOR.np, error);
  return tss;
}

function readTask(cpu: Cpu, base: number, is32: boolean): Task {
  const layout = is32 ? TSS32 : TSS16;
  const at = (offset: number, bytes: number): number => Number(cpu.loadSystem(linear(BigInt(base + offset)), bytes));
  const { bytes } = layout;
  // Policy `task.order`: which of several missing pages is found first.
  const segments = [0, 1, 2, 3, 4, 5].map((i) => (i < layout.segmentCount ? at(layout.segments + i * bytes, 2) : 0));
  const cr3 = is32 ? at(TSS32_CR3, 4) : undefined;
  const ip = at(layout.ip, bytes);
  const flags = at(layout.flags, bytes);
  const registers = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => at(layout.registers + i * bytes, bytes) + (is32 ? 0 : UPPER_HALF));
  const ldt = at(layout.ldt, 2);
  const trap = is32 && (at(TSS32_TRAP, 2) & 1) !== 0;
  return { cr3, ip, flags, registers, segments, ldt, trap };
}

/** What the present task's TSS is to hold, as writes of address, bytes and value. */
function savedTask(cpu: Cpu, ip: number, flags: number): (readonly [bigint, number, number])[] {
  const { state } = cpu;
  const layout = taskIs32(cpu) ? TSS32 : TSS16;
  const base = Number(state.segmentBase(TR));
  const writes: (readonly [bigint, number, number])[] = [];
  const put = (offset: number, bytes: number, value: number): void => {
    writes.push([linear(BigInt(base + offset)), bytes, value]);
  };
  put(layout.ip, layout.bytes, ip);
  put(layout.flags, layout.bytes, flags);
  for (let i = 0; i < 8; i++) put(layout.registers + i * layout.bytes, layout.bytes, Number(cpu.register(i, 32)));
  for (let i = 0; i < layout.segmentCount; i++) put(layout.segments + i * layout.bytes, 2, state.segmentSelector(i));
  return writes;
}

const tssAddress = (cpu: Cpu, selector: number): bigint => linear(cpu.state.u64(CPU_STATE.gdtrBase) + BigInt(selector & 0xfff8));

/** The busy bit of a TSS descriptor, in memory. */
function setBusy(cpu: Cpu, descriptor: bigint, busy: boolean): void {
  const at = linear(descriptor + 5n);
  const type = cpu.loadSystem(at, 1);
  cpu.storeSystem(at, 1, busy ? type | BigInt(BUSY) : type & ~BigInt(BUSY));
}

/**
 * Leaves the present task for another.
 * @param flags EFLAGS to be saved @param ip offset to be saved
 * @returns whether the new TSS asks for a debug trap
 */
function switchTask(cpu: Cpu, selector: number, tss: Descriptor, kind: SwitchKind, ip: number, flags: number, ext: number): boolean {
  const { state } = cpu;
  const is32 = (tss.type & 8) !== 0;
  if (tss.limit < (is32 ? TSS32 : TSS16).limit) fault(VECTOR.ts, selectorError(selector, ext));

  // Everything that a switch touches must be there before it begins.
  const oldDescriptor = tssAddress(cpu, state.segmentSelector(TR));
  const saved = savedTask(cpu, ip, kind === 'iret' ? flags & ~FLAG_NT : flags);
  const task = readTask(cpu, tss.base, is32);
  for (const [address, bytes] of saved) cpu.checkStoreSystem(address, bytes);
  if (kind === 'call') cpu.checkStoreSystem(linear(BigInt(tss.base + BACK_LINK)), 2);
  if (kind !== 'call') cpu.checkStoreSystem(linear(oldDescriptor + 5n), 1);
  if (kind !== 'iret') cpu.checkStoreSystem(linear(tss.address + 5n), 1);
  // Policy `task.pointers`: bad page-directory pointers are a fault of the old task.
  let pointers: readonly bigint[] = [];
  if (task.cr3 !== undefined && usesPae(state)) {
    cpu.undefine('task.pointers');
    pointers = pageDirectoryPointers(cpu, BigInt(task.cr3));
  }

  if (kind !== 'call') setBusy(cpu, oldDescriptor, false);
  for (const [address, bytes, value] of saved) cpu.storeSystem(address, bytes, BigInt(value));
  if (kind === 'call') cpu.storeSystem(linear(BigInt(tss.base + BACK_LINK)), 2, BigInt(state.segmentSelector(TR)));
  if (kind !== 'iret') setBusy(cpu, tss.address, true);
  setPageDirectoryPointers(cpu, pointers);
  enterTask(cpu, selector, tss, task, kind === 'call', ext);
  return task.trap;
}

const usesPae = (state: CpuState): boolean => (state.u64(CPU_STATE.cr0) & CR0_PG) !== 0n && (state.u64(CPU_STATE.cr4) & CR4_PAE) !== 0n;

/** From here on faults are the new task's. */
function enterTask(cpu: Cpu, selector: number, tss: Descriptor, task: Task, nested: boolean, ext: number): void {
  const { state } = cpu;
  state.setSegment(TR, selector, BigInt(tss.base), tss.limit, tss.attributes | BUSY);
  state.setU64(CPU_STATE.cr0, state.u64(CPU_STATE.cr0) | CR0_TS);
  state.setU64(DR7, state.u64(DR7) & ~DR7_LOCAL);
  if (task.cr3 !== undefined && (state.u64(CPU_STATE.cr0) & CR0_PG) !== 0n) {
    state.setU64(CPU_STATE.cr3, BigInt(task.cr3));
  }
  state.flags = (task.flags & FLAGS_MASK) | 2 | (nested ? FLAG_NT : 0);
  if (task.cr3 === undefined) cpu.undefine('task.upper-halves');
  task.registers.forEach((value, number) => cpu.setRegister(number, 32, BigInt(value)));
  state.rip = BigInt(task.ip);
  cpu.setIp(BigInt(task.ip));

  const cs = task.segments[CS] as number;
  const virtual = (state.flags & FLAG_VM) !== 0;
  setCpl(state, virtual ? 3 : rplOf(cs));
  // Selectors are there before their descriptors are looked at.
  task.segments.forEach((value, index) => state.setSegment(index, value, 0n, 0, 0));
  state.setSegment(LDTR, task.ldt, 0n, 0, 0);
  if (virtual) task.segments.forEach((value, index) => loadParagraph(cpu, index, value));
  cpu.undefine('task.order');
  asNewTask(() => {
    loadTaskLdt(cpu, task.ldt, ext);
    if (!virtual) loadTaskSegments(cpu, task.segments, ext);
  });
}

function asNewTask(body: () => void): void {
  try {
    body();
  } catch (thrown) {
    if (!(thrown instanceof ModelException)) throw thrown;
    throw new ModelException(thrown.vector, thrown.errorCode, thrown.detail, 'newTask');
  }
}

function loadTaskLdt(cpu: Cpu, selector: number, ext: number): void {
  if (isNull(selector)) return;
  const error = selectorError(selector, ext);
  if (selector & 4) fault(VECTOR.ts, error);
  const ldt = descriptorOf(cpu, selector, VECTOR.ts, ext);
  if (!ldt.isSystem(SYSTEM_TYPE.ldt) || !ldt.present) fault(VECTOR.ts, error);
  cpu.state.setSegment(LDTR, selector, BigInt(ldt.base), ldt.limit, ldt.attributes);
}

/** Table 7-1 leaves the order open (policy `task.order`): CS, SS, then ES, DS, FS, GS. */
function loadTaskSegments(cpu: Cpu, segments: readonly number[], ext: number): void {
  const cs = segments[CS] as number;
  const cpl = rplOf(cs);
  if (isNull(cs)) fault(VECTOR.ts, ext);
  const code = descriptorOf(cpu, cs, VECTOR.ts, ext);
  const error = selectorError(cs, ext);
  if (!code.isCode || (code.isConforming ? code.dpl > cpl : code.dpl !== cpl)) fault(VECTOR.ts, error);
  if (!code.present) fault(VECTOR.np, error);
  setAccessed(cpu, code);
  setSegment(cpu, CS, cs, code);

  const ss = segments[SS] as number;
  const stack = checkStackSegment(cpu, ss, cpl, VECTOR.ts, ext);
  setAccessed(cpu, stack);
  setSegment(cpu, SS, ss, stack);

  for (const index of [ES, DS, FS, GS]) {
    const selector = segments[index] as number;
    if (isNull(selector)) continue;
    const data = checkDataSegment(cpu, selector, cpl, VECTOR.ts, ext);
    setAccessed(cpu, data);
    setSegment(cpu, index, selector, data);
  }
}

/** The first instruction of a task must lie within its code segment. */
function checkTaskIp(cpu: Cpu, ext: number): void {
  const { state } = cpu;
  if (Number(state.rip) > state.segmentLimit(CS)) throw new ModelException(VECTOR.gp, ext, 0n, 'newTask');
}

/** JMP, CALL and IRET to a task; the debug trap is left to the end of the instruction. */
export function transferToTask(cpu: Cpu, selector: number, tss: Descriptor, kind: SwitchKind): void {
  const trap = switchTask(cpu, selector, tss, kind, Number(cpu.nextIp), cpu.state.flags, 0);
  checkTaskIp(cpu, 0);
  if (trap) cpu.debugTrap |= DR6_TASK_SWITCH;
}

/** An exception or interrupt through a task gate. @returns whether the new TSS asks for a debug trap */
export function enterTaskGate(cpu: Cpu, gate: Descriptor, event: Event, ext: number): boolean {
  const selector = gate.gateSelector;
  const tss = taskDescriptor(cpu, selector, VECTOR.gp, ext, false);
  const trap = switchTask(cpu, selector, tss, 'call', event.ip, event.flags, ext);
  const { errorCode } = event;
  if (errorCode !== undefined) {
    asNewTask(() => {
      const frame = new Frame(cpu, presentStack(cpu.state), stackPointer(cpu), ext);
      frame.push(taskIs32(cpu) ? 4 : 2, errorCode);
      frame.write();
      setStackPointer(cpu, frame.pointer);
    });
  }
  checkTaskIp(cpu, ext);
  return trap;
}

/** IRET with NT set: back to the task that the present TSS is linked to. */
export function returnToTask(cpu: Cpu): void {
  const selector = Number(cpu.loadSystem(linear(cpu.state.segmentBase(TR) + BigInt(BACK_LINK)), 2));
  const tss = taskDescriptor(cpu, selector, VECTOR.ts, 0, true);
  transferToTask(cpu, selector, tss, 'iret');
}
