/**
 * Delivery of interrupts and exceptions (SDM volume 3, chapter 6 and section 20.3; INT n in volume 2): real-mode vectors,
 * interrupt, trap and task gates, virtual-8086 mode with and without VME, double and triple fault.
 */
import {
  cacheOf,
  type Descriptor,
  descriptorLimitBytes,
  descriptorPrivilege,
  fetchDescriptor,
  type Gate,
  gateOf,
  isCode,
  isConforming,
  isNullSelector,
  isPresent,
  markAccessed,
  readDescriptor,
  SYSTEM_TYPE,
  selectorErrorCode,
  systemType,
} from './descriptors.js';
import { GuestException, HAS_ERROR_CODE, VECTOR } from './exceptions.js';
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';
import { nullSegment, realSegment, setPrivilege, virtual8086Segment } from './segmentation.js';
import { currentStackWriter, StackWriter } from './stack.js';
import { CR4, EFLAG } from './state.js';
import { AVAILABLE_TSS, currentTssIs32Bit, fetchTss, innerStack, TSS_IO_MAP_BASE } from './task-state.js';
import { checkTaskEip, raiseTaskTrap, switchTask } from './task-switch.js';

/** `software`: INT n; `softwareTrap`: INT3 and INTO; `icebp`: the opcode F1. */
export type EventSource = 'external' | 'exception' | 'software' | 'softwareTrap' | 'icebp';

export interface CpuEvent {
  readonly vector: number;
  readonly source: EventSource;
  /** Pushed in protected mode when given. */
  readonly errorCode?: number;
  /** RF is set in the pushed EFLAGS. */
  readonly resume?: boolean;
}

/** A bit for each type of system descriptor that the IDT may hold. */
const GATE_TYPES =
  (1 << SYSTEM_TYPE.taskGate) |
  (1 << SYSTEM_TYPE.interruptGate16) |
  (1 << SYSTEM_TYPE.trapGate16) |
  (1 << SYSTEM_TYPE.interruptGate32) |
  (1 << SYSTEM_TYPE.trapGate32);
/** Bit 0 of a gate's type: a trap gate leaves IF alone. */
const TRAP_GATE = 1;
const ESP_INDEX = 4;
const DR7 = layout.DEBUG + 7 * 8;
const DR7_GENERAL_DETECT = 1 << 13;

/** Bit of an error code: the selector is one of the IDT. */
const IDT_SELECTOR = 2;

const isSoftware = (source: EventSource): boolean => source === 'software' || source === 'softwareTrap';

/** Through the vector table of real mode (SDM volume 3, 20.1.4). */
function deliverReal(cpu: Cpu, event: CpuEvent, flags: number): void {
  const state = cpu.state;
  if (event.vector * 4 + 3 > state.get32(layout.IDTR_LIMIT)) throw new GuestException(VECTOR.generalProtection);
  const at = (state.get32(layout.IDTR_BASE) + event.vector * 4) >>> 0;
  const offset = cpu.system.read16(at) & 0xffff;
  const selector = cpu.system.read16((at + 2) >>> 0) & 0xffff;
  const stack = currentStackWriter(cpu);
  stack.push(2, flags);
  stack.push(2, state.segmentSelector(layout.CS));
  stack.push(2, state.eip);
  const code = realSegment(state, layout.CS, selector);
  if (offset > code.limit) throw new GuestException(VECTOR.generalProtection);
  stack.commit();
  state.setReg32(ESP_INDEX, stack.pointer);
  state.writeSegment(layout.CS, code);
  state.eip = offset;
  state.clearSystemFlags(EFLAG.if | EFLAG.tf | EFLAG.ac | EFLAG.rf);
  cpu.modeChanged();
}

/**
 * INT n in virtual-8086 mode (SDM volume 3, 20.3.3, table 20-2). Returns true when the 8086 program's own handler was entered,
 * false when the interrupt goes to the protected-mode handler.
 */
function deliverVirtual(cpu: Cpu, event: CpuEvent, flags: number): boolean {
  const state = cpu.state;
  const ioplIs3 = (flags & EFLAG.iopl) === EFLAG.iopl;
  if (!(state.cr4 & CR4.vme) || redirectedToMonitor(cpu, event.vector)) {
    if (!ioplIs3) throw new GuestException(VECTOR.generalProtection);
    return false;
  }
  const at = event.vector * 4;
  const offset = cpu.memory.read16(at) & 0xffff;
  const selector = cpu.memory.read16(at + 2) & 0xffff;
  const pushed = ioplIs3 ? flags : (flags & ~EFLAG.if) | EFLAG.iopl | (flags & EFLAG.vif ? EFLAG.if : 0);
  const stack = currentStackWriter(cpu);
  stack.push(2, pushed);
  stack.push(2, state.segmentSelector(layout.CS));
  stack.push(2, state.eip);
  stack.commit();
  state.setReg32(ESP_INDEX, stack.pointer);
  state.writeSegment(layout.CS, virtual8086Segment(selector));
  state.eip = offset;
  state.clearSystemFlags(EFLAG.tf | EFLAG.rf | (ioplIs3 ? EFLAG.if : EFLAG.vif));
  cpu.modeChanged();
  return true;
}

/** The bit for `vector` in the redirection bitmap, the 32 bytes below the I/O permission bitmap of the TSS. */
function redirectedToMonitor(cpu: Cpu, vector: number): boolean {
  const tr = cpu.state.readSegment(layout.TR);
  if (!currentTssIs32Bit(cpu) || tr.limit < TSS_IO_MAP_BASE + 1) throw new GuestException(VECTOR.generalProtection);
  const mapBase = cpu.system.read16((tr.base + TSS_IO_MAP_BASE) >>> 0) & 0xffff;
  const offset = mapBase - 32 + (vector >>> 3);
  if (offset < 0 || offset > tr.limit) throw new GuestException(VECTOR.generalProtection);
  return (((cpu.system.read8((tr.base + offset) >>> 0) & 0xff) >>> (vector & 7)) & 1) !== 0;
}

function deliverProtected(cpu: Cpu, event: CpuEvent, flags: number): void {
  const state = cpu.state;
  const external = isSoftware(event.source) ? 0 : 1;
  const gateErrorCode = event.vector * 8 + 2 + external;
  if (event.vector * 8 + 7 > state.get32(layout.IDTR_LIMIT)) throw new GuestException(VECTOR.generalProtection, gateErrorCode);
  const descriptor = readDescriptor(cpu, (state.get32(layout.IDTR_BASE) + event.vector * 8) >>> 0, 0);
  const type = systemType(descriptor);
  if (type < 0 || !((GATE_TYPES >>> type) & 1)) throw new GuestException(VECTOR.generalProtection, gateErrorCode);
  if (isSoftware(event.source) && descriptorPrivilege(descriptor) < state.cpl) {
    throw new GuestException(VECTOR.generalProtection, gateErrorCode);
  }
  if (!isPresent(descriptor)) throw new GuestException(VECTOR.segmentNotPresent, gateErrorCode);
  const gate = gateOf(descriptor);
  if (gate.type === SYSTEM_TYPE.taskGate) deliverThroughTask(cpu, event, gate, flags, external);
  else deliverThroughGate(cpu, event, gate, flags, external);
}

function deliverThroughTask(cpu: Cpu, event: CpuEvent, gate: Gate, flags: number, external: number): void {
  const state = cpu.state;
  const tss = fetchTss(cpu, gate.selector, VECTOR.generalProtection, external, AVAILABLE_TSS);
  const trap = switchTask(cpu, tss, 'call', flags, external);
  if (event.errorCode !== undefined) {
    try {
      const stack = new StackWriter(state.readSegment(layout.SS), state.reg32(ESP_INDEX), cpu.memory, external);
      stack.push(currentTssIs32Bit(cpu) ? 4 : 2, event.errorCode);
      stack.commit();
      state.setReg32(ESP_INDEX, stack.pointer);
    } catch (thrown) {
      if (thrown instanceof GuestException) throw new GuestException(thrown.vector, thrown.errorCode, 'newTask');
      throw thrown;
    }
  }
  checkTaskEip(cpu, external);
  if (trap) raiseTaskTrap(cpu);
}

function deliverThroughGate(cpu: Cpu, event: CpuEvent, gate: Gate, flags: number, external: number): void {
  const state = cpu.state;
  if (isNullSelector(gate.selector)) throw new GuestException(VECTOR.generalProtection, external);
  const code = fetchDescriptor(cpu, gate.selector, VECTOR.generalProtection, external);
  const codeErrorCode = selectorErrorCode(gate.selector, external);
  const privilege = descriptorPrivilege(code);
  const cpl = state.cpl;
  if (!isCode(code) || privilege > cpl) throw new GuestException(VECTOR.generalProtection, codeErrorCode);
  if (!isPresent(code)) throw new GuestException(VECTOR.segmentNotPresent, codeErrorCode);
  const inner = !isConforming(code) && privilege < cpl;
  if (state.virtual8086 && (!inner || privilege !== 0)) throw new GuestException(VECTOR.generalProtection, codeErrorCode);
  if (inner) enterInner(cpu, event, gate, code, flags, external);
  else enterSame(cpu, event, gate, code, flags, external);
}

function pushReturn(cpu: Cpu, stack: StackWriter, event: CpuEvent, bytes: number, flags: number): void {
  stack.push(bytes, flags);
  stack.push(bytes, cpu.state.segmentSelector(layout.CS));
  stack.push(bytes, cpu.state.eip);
  if (event.errorCode !== undefined) stack.push(bytes, event.errorCode);
}

function checkHandler(code: Descriptor, gate: Gate, external: number): void {
  if (gate.offset > descriptorLimitBytes(code)) throw new GuestException(VECTOR.generalProtection, external);
}

const GATE_CLEARED_FLAGS = EFLAG.tf | EFLAG.nt | EFLAG.vm | EFLAG.rf;

function enterSame(cpu: Cpu, event: CpuEvent, gate: Gate, code: Descriptor, flags: number, external: number): void {
  const state = cpu.state;
  const cpl = state.cpl;
  const stack = new StackWriter(state.readSegment(layout.SS), state.reg32(ESP_INDEX), cpu.memory, external);
  pushReturn(cpu, stack, event, gate.is32Bit ? 4 : 2, flags);
  checkHandler(code, gate, external);
  const cs = markAccessed(cpu, code, (gate.selector & 0xfffc) | cpl);
  stack.commit();
  state.setReg32(ESP_INDEX, stack.pointer);
  state.writeSegment(layout.CS, cs);
  state.eip = gate.offset;
  state.clearSystemFlags(GATE_CLEARED_FLAGS | (gate.type & TRAP_GATE ? 0 : EFLAG.if));
  cpu.modeChanged();
}

/** To an inner ring, from protected or virtual-8086 mode (the latter also saves and clears the data segments). */
function enterInner(cpu: Cpu, event: CpuEvent, gate: Gate, code: Descriptor, flags: number, external: number): void {
  const state = cpu.state;
  const privilege = descriptorPrivilege(code);
  const inner = innerStack(cpu, privilege, external);
  const fromVirtual = state.virtual8086;
  const bytes = gate.is32Bit ? 4 : 2;
  const stack = new StackWriter(
    cacheOf(inner.descriptor, inner.selector),
    inner.pointer,
    cpu.system,
    selectorErrorCode(inner.selector, external),
  );
  if (fromVirtual) {
    for (const index of [layout.GS, layout.FS, layout.DS, layout.ES]) stack.push(bytes, state.segmentSelector(index));
  }
  stack.push(bytes, state.segmentSelector(layout.SS));
  stack.push(bytes, state.reg32(ESP_INDEX));
  pushReturn(cpu, stack, event, bytes, flags);
  checkHandler(code, gate, external);
  const ss = markAccessed(cpu, inner.descriptor, inner.selector);
  const cs = markAccessed(cpu, code, (gate.selector & 0xfffc) | privilege);
  stack.commit();
  state.writeSegment(layout.SS, ss);
  state.setReg32(ESP_INDEX, stack.pointer);
  state.writeSegment(layout.CS, cs);
  state.eip = gate.offset;
  if (fromVirtual) for (const index of [layout.GS, layout.FS, layout.DS, layout.ES]) state.writeSegment(index, nullSegment(0));
  setPrivilege(state, privilege);
  state.clearSystemFlags(GATE_CLEARED_FLAGS | (gate.type & TRAP_GATE ? 0 : EFLAG.if));
  cpu.modeChanged();
}

/**
 * Enters the handler of `event`; EIP is the address to come back to.
 * @throws GuestException when that faults: nothing has changed then, unless its kind is `newTask` or `trap`.
 */
export function deliver(cpu: Cpu, event: CpuEvent): void {
  const state = cpu.state;
  // The IDT of long mode has gates of its own, which belong to its system side.
  if (state.longCode)
    throw new GuestException(VECTOR.generalProtection, (event.vector << 3) | IDT_SELECTOR | (isSoftware(event.source) ? 0 : 1));
  const flags = event.resume ? (state.eflags | EFLAG.rf) >>> 0 : state.eflags;
  if (!state.protectedMode) deliverReal(cpu, event, flags);
  else if (!(state.virtual8086 && event.source === 'software' && deliverVirtual(cpu, event, flags))) {
    deliverProtected(cpu, event, flags);
  }
  // SDM volume 3, 17.2.4: a debug handler may use the debug registers.
  if (event.vector === VECTOR.debug && !isSoftware(event.source)) state.set32(DR7, state.get32(DR7) & ~DR7_GENERAL_DETECT);
}

type FaultClass = 'benign' | 'contributory' | 'pageFault' | 'doubleFault';

/** SDM table 6-4. */
function classOf(vector: number): FaultClass {
  switch (vector) {
    case VECTOR.divideError:
    case VECTOR.invalidTss:
    case VECTOR.segmentNotPresent:
    case VECTOR.stackFault:
    case VECTOR.generalProtection:
      return 'contributory';
    case VECTOR.pageFault:
      return 'pageFault';
    case VECTOR.doubleFault:
      return 'doubleFault';
    default:
      return 'benign';
  }
}

/** SDM table 6-5: what becomes of an exception that occurs while `first` is being delivered. */
function combine(first: FaultClass, second: FaultClass): 'serial' | 'doubleFault' | 'tripleFault' {
  if (first === 'benign' || second === 'benign') return 'serial';
  if (first === 'doubleFault') return 'tripleFault';
  return first === 'contributory' && second === 'pageFault' ? 'serial' : 'doubleFault';
}

/**
 * More faults in a row than any chain of distinct ones has: the processor would go on for ever (for instance an
 * alignment check while the alignment check is delivered). Here it shuts down.
 */
const LONGEST_CHAIN = 16;

export type RaiseResult = 'delivered' | 'tripleFault';

function deliverWithFaults(cpu: Cpu, event: CpuEvent, firstClass: FaultClass): RaiseResult {
  let pending = event;
  let pendingClass = firstClass;
  for (let depth = 0; depth < LONGEST_CHAIN; depth++) {
    try {
      deliver(cpu, pending);
      return 'delivered';
    } catch (thrown) {
      if (!(thrown instanceof GuestException)) throw thrown;
      const second = classOf(thrown.vector);
      const outcome = combine(pendingClass, second);
      if (outcome === 'tripleFault') return 'tripleFault';
      pending = outcome === 'doubleFault' ? eventOf(new GuestException(VECTOR.doubleFault, 0, 'trap')) : eventOf(thrown);
      pendingClass = outcome === 'doubleFault' ? 'doubleFault' : second;
    }
  }
  return 'tripleFault';
}

function eventOf(exception: GuestException): CpuEvent {
  const resume = exception.kind === 'fault' || exception.kind === 'newTask';
  const event = { vector: exception.vector, source: 'exception', resume } as const;
  return HAS_ERROR_CODE.has(exception.vector) ? { ...event, errorCode: exception.errorCode } : event;
}

/**
 * Delivers an exception, and those that its delivery meets. EIP must be what the handler returns to: for the kinds
 * `fault` and `instructionBreakpoint` the start of the instruction. CR2 and DR6 are set by whoever found the exception.
 */
export function raise(cpu: Cpu, exception: GuestException): RaiseResult {
  return deliverWithFaults(cpu, eventOf(exception), classOf(exception.vector));
}

/** Accepts an external interrupt (or NMI, vector 2) between two instructions; EIP is the next one, RF is pushed as it is. */
export function acceptInterrupt(cpu: Cpu, vector: number): RaiseResult {
  return deliverWithFaults(cpu, { vector, source: 'external' }, 'benign');
}
