/**
 * RET to another code segment and IRET (SDM volume 2, RET and IRET/IRETD; volume 3, sections 5.8.6, 20.2.7, 20.3): real,
 * virtual-8086 and protected mode, to the same or an outer ring, back to virtual-8086 mode, and out of a nested task.
 */
import {
  type Descriptor,
  descriptorLimitBytes,
  descriptorPrivilege,
  fetchDescriptor,
  isCode,
  isConforming,
  isNullSelector,
  isPresent,
  markAccessed,
  requestedPrivilege,
  selectorErrorCode,
} from './descriptors.js';
import { GuestException, generalProtection, VECTOR } from './exceptions.js';
import { refuseInLongMode } from './far-transfer.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { LongStackReader } from './long-stack.js';
import { checkStackSegment, dropInaccessibleSegments, realSegment, setPrivilege, stackMask, virtual8086Segment } from './segmentation.js';
import { StackReader } from './stack.js';
import { ARITHMETIC_FLAGS, CR4, EFLAG } from './state.js';
import { BUSY_TSS, fetchTss } from './task-state.js';
import { checkTaskEip, raiseTaskTrap, switchTask } from './task-switch.js';

const ESP_INDEX = 4;

/** Bits of EFLAGS that exist in the 16-bit FLAGS, without IOPL and IF, which need privilege. */
const FLAGS_16 = ARITHMETIC_FLAGS | EFLAG.tf | EFLAG.df | EFLAG.nt;
const FLAGS_32 = FLAGS_16 | EFLAG.rf | EFLAG.ac | EFLAG.id;

const iopl = (flags: number): number => (flags >>> 12) & 3;

function replaceFlags(cpu: Cpu, value: number, mask: number): void {
  cpu.state.eflags = (cpu.state.eflags & ~mask) | (value & mask);
}

/** The checks of a code segment that a return goes to. */
function checkReturnCode(cpu: Cpu, selector: number): Descriptor {
  if (isNullSelector(selector)) throw generalProtection(0);
  const code = fetchDescriptor(cpu, selector, VECTOR.generalProtection, 0);
  const rpl = requestedPrivilege(selector);
  const privilege = descriptorPrivilege(code);
  const allowed = isCode(code) && rpl >= cpu.state.cpl && (isConforming(code) ? privilege <= rpl : privilege === rpl);
  if (!allowed) throw generalProtection(selectorErrorCode(selector, 0));
  if (!isPresent(code)) throw new GuestException(VECTOR.segmentNotPresent, selectorErrorCode(selector, 0));
  return code;
}

/**
 * The common end of RET and IRET in protected mode: `reader` stands behind CS (and EFLAGS), `release` bytes of
 * parameters follow. `flags` is applied with the privilege of the ring that is left.
 */
function returnTo(cpu: Cpu, reader: StackReader, bytes: number, eip: number, selector: number, release: number, flags: () => void): void {
  const state = cpu.state;
  const code = checkReturnCode(cpu, selector);
  const rpl = requestedPrivilege(selector);
  reader.skip(release);
  if (rpl === state.cpl) {
    if (eip > descriptorLimitBytes(code)) throw generalProtection(0);
    const cs = markAccessed(cpu, code, selector);
    flags();
    state.writeSegment(layout.CS, cs);
    state.eip = eip;
    reader.commit();
    cpu.modeChanged();
    return;
  }
  const outerPointer = reader.pop(bytes);
  const outerSelector = reader.pop(bytes) & 0xffff;
  const stack = checkStackSegment(cpu, outerSelector, rpl, VECTOR.generalProtection, 0);
  if (eip > descriptorLimitBytes(code)) throw generalProtection(0);
  const ss = markAccessed(cpu, stack, outerSelector);
  const cs = markAccessed(cpu, code, selector);
  flags();
  state.writeSegment(layout.CS, cs);
  state.writeSegment(layout.SS, ss);
  state.eip = eip;
  // A 16-bit outer stack takes SP only, the rest of ESP stays what the inner ring had.
  const mask = stackMask(ss.attributes);
  const pointer = (outerPointer + release) & mask;
  state.setReg32(ESP_INDEX, ((state.reg32(ESP_INDEX) & ~mask) | pointer) >>> 0);
  setPrivilege(state, rpl);
  dropInaccessibleSegments(state);
  cpu.modeChanged();
}

/** Real and virtual-8086 mode: CS takes any value. */
function returnReal(cpu: Cpu, reader: StackReader, eip: number, selector: number): void {
  const code = realSegment(cpu.state, layout.CS, selector);
  if (eip > code.limit) throw generalProtection(0);
  cpu.state.writeSegment(layout.CS, code);
  cpu.state.eip = eip;
  reader.commit();
}

function retFar(cpu: Cpu, instruction: HostInstruction, release: number): void {
  const bytes = instruction.operandSize >>> 3;
  if (cpu.state.longCode) return retFarLong(cpu, bytes);
  const reader = new StackReader(cpu);
  const eip = reader.pop(bytes);
  const selector = reader.pop(bytes) & 0xffff;
  if (cpu.state.realAddressing) {
    reader.skip(release);
    returnReal(cpu, reader, eip, selector);
    cpu.modeChanged();
  } else {
    returnTo(cpu, reader, bytes, eip, selector, release, () => {});
  }
}

function retFarLong(cpu: Cpu, bytes: number): void {
  const reader = new LongStackReader(cpu);
  reader.pop(bytes);
  refuseInLongMode(cpu, reader.pop(bytes) & 0xffff);
}

/** There is no return from a nested task (SDM volume 2, IRET). */
function iretLong(cpu: Cpu, bytes: number): void {
  if (cpu.state.eflags & EFLAG.nt) throw generalProtection(0);
  const reader = new LongStackReader(cpu);
  reader.pop(bytes);
  const selector = reader.pop(bytes) & 0xffff;
  reader.pop(bytes);
  refuseInLongMode(cpu, selector);
}

function iretReal(cpu: Cpu, bytes: number): void {
  const reader = new StackReader(cpu);
  const eip = reader.pop(bytes);
  const selector = reader.pop(bytes) & 0xffff;
  const flags = reader.pop(bytes);
  returnReal(cpu, reader, eip, selector);
  replaceFlags(cpu, flags, (bytes === 4 ? FLAGS_32 : FLAGS_16) | EFLAG.if | EFLAG.iopl);
  cpu.modeChanged();
}

/** SDM volume 3, 20.2.8 and table 20-2: IOPL guards IRET, unless VME lends it VIF. */
function iretVirtual(cpu: Cpu, bytes: number): void {
  const state = cpu.state;
  const current = state.eflags;
  const virtualInterruptFlag = iopl(current) < 3;
  if (virtualInterruptFlag && (bytes === 4 || !(state.cr4 & CR4.vme))) throw generalProtection(0);
  const reader = new StackReader(cpu);
  const eip = reader.pop(bytes);
  const selector = reader.pop(bytes) & 0xffff;
  const flags = reader.pop(bytes);
  const pending = (current & EFLAG.vip) !== 0 && (flags & EFLAG.if) !== 0;
  if (virtualInterruptFlag && (pending || flags & EFLAG.tf)) throw generalProtection(0);
  returnReal(cpu, reader, eip, selector);
  if (virtualInterruptFlag) {
    replaceFlags(cpu, flags, FLAGS_16);
    replaceFlags(cpu, flags & EFLAG.if ? EFLAG.vif : 0, EFLAG.vif);
  } else {
    replaceFlags(cpu, flags, (bytes === 4 ? FLAGS_32 : FLAGS_16) | EFLAG.if);
  }
  cpu.modeChanged();
}

function iretFromTask(cpu: Cpu): void {
  const state = cpu.state;
  const link = cpu.system.read16(state.segmentBase(layout.TR)) & 0xffff;
  const tss = fetchTss(cpu, link, VECTOR.invalidTss, 0, BUSY_TSS);
  const trap = switchTask(cpu, tss, 'return', state.eflags, 0);
  checkTaskEip(cpu, 0);
  if (trap) raiseTaskTrap(cpu);
}

/** From ring 0 with VM set in the popped EFLAGS. */
function iretToVirtual(cpu: Cpu, reader: StackReader, eip: number, selector: number, flags: number): void {
  const state = cpu.state;
  const pointer = reader.pop(4);
  const selectors: [number, number][] = [[layout.CS, selector]];
  for (const index of [layout.SS, layout.ES, layout.DS, layout.FS, layout.GS]) selectors.push([index, reader.pop(4) & 0xffff]);
  if (eip > 0xffff) throw generalProtection(0);
  state.eflags = flags;
  for (const [index, value] of selectors) state.writeSegment(index, virtual8086Segment(value));
  state.setReg32(ESP_INDEX, pointer);
  state.eip = eip;
  setPrivilege(state, 3);
  cpu.modeChanged();
}

function iretProtected(cpu: Cpu, bytes: number): void {
  const state = cpu.state;
  if (state.eflags & EFLAG.nt) return iretFromTask(cpu);
  const cpl = state.cpl;
  const reader = new StackReader(cpu);
  const eip = reader.pop(bytes);
  const selector = reader.pop(bytes) & 0xffff;
  const flags = reader.pop(bytes);
  if (bytes === 4 && flags & EFLAG.vm && cpl === 0) return iretToVirtual(cpu, reader, eip, selector, flags);
  let mask = bytes === 4 ? FLAGS_32 : FLAGS_16;
  if (cpl <= iopl(state.eflags)) mask |= EFLAG.if;
  if (cpl === 0) mask |= EFLAG.iopl | (bytes === 4 ? EFLAG.vif | EFLAG.vip : 0);
  returnTo(cpu, reader, bytes, eip, selector, 0, () => replaceFlags(cpu, flags, mask));
}

function iret(cpu: Cpu, instruction: HostInstruction): void {
  const bytes = instruction.operandSize >>> 3;
  if (cpu.state.longCode) iretLong(cpu, bytes);
  else if (!cpu.state.protectedMode) iretReal(cpu, bytes);
  else if (cpu.state.virtual8086) iretVirtual(cpu, bytes);
  else iretProtected(cpu, bytes);
}

export const farReturnSemantics: Record<string, HostSemantics> = {
  retFar: (cpu, instruction) => retFar(cpu, instruction, 0),
  retFarImmediate: (cpu, instruction) => retFar(cpu, instruction, instruction.immediate & 0xffff),
  iret,
};
