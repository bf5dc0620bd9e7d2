/**
 * JMP and CALL to another code segment: direct, through call gates, task gates and TSS descriptors (SDM volume 2, JMP
 * and CALL; volume 3, sections 5.8 and 7.3).
 */
import {
  cacheOf,
  type Descriptor,
  descriptorLimitBytes,
  descriptorPrivilege,
  fetchDescriptor,
  gateOf,
  isCode,
  isConforming,
  isNullSelector,
  isPresent,
  markAccessed,
  requestedPrivilege,
  SYSTEM_TYPE,
  selectorErrorCode,
  systemType,
} from './descriptors.js';
import { GuestException, generalProtection, VECTOR } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { realSegment, setPrivilege, stackMask, withinLimit } from './segmentation.js';
import { currentStackWriter, StackWriter } from './stack.js';
import type { SegmentCache } from './state.js';
import { AVAILABLE_TSS, fetchTss, innerStack } from './task-state.js';
import { checkTaskEip, raiseTaskTrap, switchTask } from './task-switch.js';

const ESP_INDEX = 4;
const isCall = (transfer: Transfer): boolean => transfer.kind === 'call';

interface Transfer {
  readonly kind: 'jump' | 'call';
  readonly selector: number;
  readonly offset: number;
  /** Width of what a CALL pushes. */
  readonly bytes: number;
}

const present = (descriptor: Descriptor, selector: number): void => {
  if (!isPresent(descriptor)) throw new GuestException(VECTOR.segmentNotPresent, selectorErrorCode(selector, 0));
};

/** The last steps of every transfer that stays in its ring. */
function enter(cpu: Cpu, transfer: Transfer, bytes: number, offset: number, limit: number, load: () => SegmentCache): void {
  const state = cpu.state;
  const stack = isCall(transfer) ? currentStackWriter(cpu) : undefined;
  stack?.push(bytes, state.segmentSelector(layout.CS));
  stack?.push(bytes, state.eip);
  if (offset > limit) throw generalProtection(0);
  const code = load();
  if (stack !== undefined) {
    stack.commit();
    state.setReg32(ESP_INDEX, stack.pointer);
  }
  state.writeSegment(layout.CS, code);
  state.eip = offset;
  cpu.modeChanged();
}

function transferReal(cpu: Cpu, transfer: Transfer): void {
  const code = realSegment(cpu.state, layout.CS, transfer.selector);
  enter(cpu, transfer, transfer.bytes, transfer.offset, code.limit, () => code);
}

function transferProtected(cpu: Cpu, transfer: Transfer): void {
  const { selector } = transfer;
  if (isNullSelector(selector)) throw generalProtection(0);
  const descriptor = fetchDescriptor(cpu, selector, VECTOR.generalProtection, 0);
  if (isCode(descriptor)) return transferToCode(cpu, transfer, descriptor);
  const cpl = cpu.state.cpl;
  const accessible = descriptorPrivilege(descriptor) >= Math.max(cpl, requestedPrivilege(selector));
  switch (accessible ? systemType(descriptor) : -1) {
    case SYSTEM_TYPE.callGate16:
    case SYSTEM_TYPE.callGate32:
      present(descriptor, selector);
      return transferThroughCallGate(cpu, transfer, descriptor);
    case SYSTEM_TYPE.taskGate: {
      present(descriptor, selector);
      return transferToTask(cpu, transfer, fetchTss(cpu, gateOf(descriptor).selector, VECTOR.generalProtection, 0, AVAILABLE_TSS));
    }
    case SYSTEM_TYPE.tss16Available:
    case SYSTEM_TYPE.tss32Available:
      // Also refuses a selector into the LDT, which may not hold a TSS.
      return transferToTask(cpu, transfer, fetchTss(cpu, selector, VECTOR.generalProtection, 0, AVAILABLE_TSS));
    default:
      throw generalProtection(selectorErrorCode(selector, 0));
  }
}

function transferToCode(cpu: Cpu, transfer: Transfer, code: Descriptor): void {
  const { selector } = transfer;
  const cpl = cpu.state.cpl;
  const privilege = descriptorPrivilege(code);
  const allowed = isConforming(code) ? privilege <= cpl : requestedPrivilege(selector) <= cpl && privilege === cpl;
  if (!allowed) throw generalProtection(selectorErrorCode(selector, 0));
  present(code, selector);
  enter(cpu, transfer, transfer.bytes, transfer.offset, descriptorLimitBytes(code), () =>
    markAccessed(cpu, code, (selector & 0xfffc) | cpl),
  );
}

function transferToTask(cpu: Cpu, transfer: Transfer, tss: Descriptor): void {
  const trap = switchTask(cpu, tss, transfer.kind, cpu.state.eflags, 0);
  checkTaskEip(cpu, 0);
  if (trap) raiseTaskTrap(cpu);
}

function transferThroughCallGate(cpu: Cpu, transfer: Transfer, descriptor: Descriptor): void {
  const gate = gateOf(descriptor);
  const cpl = cpu.state.cpl;
  if (isNullSelector(gate.selector)) throw generalProtection(0);
  const code = fetchDescriptor(cpu, gate.selector, VECTOR.generalProtection, 0);
  const privilege = descriptorPrivilege(code);
  const inner = isCall(transfer) && !isConforming(code) && privilege < cpl;
  const allowed = isCode(code) && (isConforming(code) || isCall(transfer) ? privilege <= cpl : privilege === cpl);
  if (!allowed) throw generalProtection(selectorErrorCode(gate.selector, 0));
  present(code, gate.selector);
  if (inner) return callInner(cpu, gate, code);
  enter(cpu, transfer, gate.is32Bit ? 4 : 2, gate.offset, descriptorLimitBytes(code), () =>
    markAccessed(cpu, code, (gate.selector & 0xfffc) | cpl),
  );
}

/** CALL through a gate to an inner ring: new stack, old one and parameters on it. */
function callInner(cpu: Cpu, gate: ReturnType<typeof gateOf>, code: Descriptor): void {
  const state = cpu.state;
  const privilege = descriptorPrivilege(code);
  const bytes = gate.is32Bit ? 4 : 2;
  const inner = innerStack(cpu, privilege, 0);
  const stack = new StackWriter(cacheOf(inner.descriptor, inner.selector), inner.pointer, cpu.system, selectorErrorCode(inner.selector, 0));
  const oldPointer = state.reg32(ESP_INDEX);
  stack.push(bytes, state.segmentSelector(layout.SS));
  stack.push(bytes, oldPointer);
  const outer = state.readSegment(layout.SS);
  for (let i = gate.parameterCount - 1; i >= 0; i--) {
    const offset = ((oldPointer + i * bytes) & stackMask(outer.attributes)) >>> 0;
    if (!withinLimit(outer.limit, outer.attributes, offset, bytes)) throw new GuestException(VECTOR.stackFault, 0);
    const linear = (outer.base + offset) >>> 0;
    stack.push(bytes, bytes === 4 ? cpu.memory.read32(linear) : cpu.memory.read16(linear));
  }
  stack.push(bytes, state.segmentSelector(layout.CS));
  stack.push(bytes, state.eip);
  if (gate.offset > descriptorLimitBytes(code)) throw generalProtection(0);
  const ss = markAccessed(cpu, inner.descriptor, inner.selector);
  const cs = markAccessed(cpu, code, (gate.selector & 0xfffc) | privilege);
  stack.commit();
  state.writeSegment(layout.SS, ss);
  state.setReg32(ESP_INDEX, stack.pointer);
  state.writeSegment(layout.CS, cs);
  state.eip = gate.offset;
  setPrivilege(state, privilege);
  cpu.modeChanged();
}

function transfer(cpu: Cpu, instruction: HostInstruction, kind: Transfer['kind'], selector: number, offset: number): void {
  const bytes = instruction.operandSize >>> 3;
  const target = { kind, selector: selector & 0xffff, offset: (bytes === 2 ? offset & 0xffff : offset) >>> 0, bytes };
  if (cpu.state.realAddressing) transferReal(cpu, target);
  else transferProtected(cpu, target);
}

const direct =
  (kind: Transfer['kind']): HostSemantics =>
  (cpu, instruction) =>
    transfer(cpu, instruction, kind, instruction.immediate2, instruction.immediate);

interface FarPointer {
  readonly offset: number;
  /** Of 64-bit offsets. */
  readonly offsetHigh: number;
  readonly selector: number;
}

/**
 * The far pointer in memory: offset and selector are two accesses, each with checks and an alignment of its own. A register
 * operand is undefined.
 */
export function readFarPointer(cpu: Cpu, { memory: isMemory, segment, offset: at, operandSize }: HostInstruction): FarPointer {
  if (!isMemory) throw new GuestException(VECTOR.invalidOpcode);
  const { memory } = cpu;
  const bytes = operandSize >>> 3;
  const linear = cpu.linear(segment, at, bytes, false);
  memory.probeRead(linear, bytes);
  const offset = bytes === 2 ? memory.read16(linear) & 0xffff : memory.read32(linear) >>> 0;
  const offsetHigh = bytes === 8 ? memory.read32(linear + 4) >>> 0 : 0;
  const behind = cpu.state.longCode ? at + bytes : (at + bytes) >>> 0;
  return { offset, offsetHigh, selector: memory.read16(cpu.linear(segment, behind, 2, false)) & 0xffff };
}

/**
 * 64-bit code comes with its user side only: what a far transfer would have to look at in the descriptor belongs to long mode's
 * system side. So no selector is accepted.
 */
export function refuseInLongMode(cpu: Cpu, selector: number): never {
  if (isNullSelector(selector)) throw generalProtection(0);
  fetchDescriptor(cpu, selector, VECTOR.generalProtection, 0);
  throw generalProtection(selectorErrorCode(selector, 0));
}

const indirect =
  (kind: Transfer['kind']): HostSemantics =>
  (cpu, instruction) => {
    const { offset, selector } = readFarPointer(cpu, instruction);
    if (cpu.state.longCode) refuseInLongMode(cpu, selector);
    transfer(cpu, instruction, kind, selector, offset);
  };

export const farTransferSemantics: Record<string, HostSemantics> = {
  jumpFarDirect: direct('jump'),
  jumpFarIndirect: indirect('jump'),
  callFarDirect: direct('call'),
  callFarIndirect: indirect('call'),
};
