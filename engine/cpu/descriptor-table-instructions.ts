/**
 * LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR, and the instructions that ask about a selector: ARPL, LAR, LSL, VERR,
 * VERW (SDM volume 2; volume 3, sections 2.4 and 5.10).
 *
 * SGDT and SIDT store all 32 bits of the base with either operand size, as processors do.
 */
import {
  cacheOf,
  type Descriptor,
  descriptorLimitBytes,
  descriptorPrivilege,
  fetchDescriptor,
  findDescriptor,
  isConforming,
  isNullSelector,
  isPresent,
  isReadable,
  isWritableData,
  requestedPrivilege,
  SYSTEM_TYPE,
  selectorErrorCode,
  systemType,
  TSS_BUSY,
} from './descriptors.js';
import { GuestException, generalProtection, invalidOpcode, VECTOR } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { readOperand, requireRing0, requireSegmentedProtection, setFlag, writeOperand, writeRegister, writeWord } from './operands.js';
import { nullSegment } from './segmentation.js';
import { EFLAG } from './state.js';

interface TableRegister {
  readonly base: number;
  readonly limit: number;
}
const GDTR: TableRegister = { base: layout.GDTR_BASE, limit: layout.GDTR_LIMIT };
const IDTR: TableRegister = { base: layout.IDTR_BASE, limit: layout.IDTR_LIMIT };

const loadTable =
  (register: TableRegister): HostSemantics =>
  (cpu, instruction) => {
    if (!instruction.memory) throw invalidOpcode();
    requireRing0(cpu);
    const { segment, offset } = instruction;
    const limit = cpu.memory.read16(cpu.linear(segment, offset, 2, false)) & 0xffff;
    const base = cpu.memory.read32(cpu.linear(segment, (offset + 2) >>> 0, 4, false)) >>> 0;
    cpu.state.set32(register.base, instruction.operandSize === 16 ? base & 0x00ff_ffff : base);
    cpu.state.set32(register.limit, limit);
  };

const storeTable =
  (register: TableRegister): HostSemantics =>
  (cpu, instruction) => {
    if (!instruction.memory) throw invalidOpcode();
    const { memory, state } = cpu;
    const { segment, offset } = instruction;
    const baseBytes = state.longCode ? 8 : 4;
    // Two accesses, each with checks and an alignment of its own.
    const linear = cpu.linear(segment, offset, 2, true);
    memory.probeWrite(linear, 2);
    const base = cpu.linear(segment, state.longCode ? offset + 2 : (offset + 2) >>> 0, baseBytes, true);
    memory.probeWrite(base, baseBytes);
    memory.write16(linear, state.get32(register.limit));
    memory.write32(base, state.get32(register.base));
    if (baseBytes === 8) memory.write32(base + 4, state.get32(register.base + 4));
  };

/** A system segment from the GDT, of a type out of `types`, present. */
function fetchSystemSegment(cpu: Cpu, selector: number, types: readonly number[]): Descriptor {
  if (selector & 4) throw generalProtection(selectorErrorCode(selector, 0));
  const descriptor = fetchDescriptor(cpu, selector, VECTOR.generalProtection, 0);
  if (!types.includes(systemType(descriptor))) throw generalProtection(selectorErrorCode(selector, 0));
  if (!isPresent(descriptor)) throw new GuestException(VECTOR.segmentNotPresent, selectorErrorCode(selector, 0));
  return descriptor;
}

function lldt(cpu: Cpu, instruction: HostInstruction): void {
  requireSegmentedProtection(cpu);
  requireRing0(cpu);
  const selector = readOperand(cpu, instruction, 16);
  if (isNullSelector(selector)) cpu.state.writeSegment(layout.LDTR, nullSegment(selector));
  else cpu.state.writeSegment(layout.LDTR, cacheOf(fetchSystemSegment(cpu, selector, [SYSTEM_TYPE.ldt]), selector));
  cpu.modeChanged();
}

function ltr(cpu: Cpu, instruction: HostInstruction): void {
  requireSegmentedProtection(cpu);
  requireRing0(cpu);
  const selector = readOperand(cpu, instruction, 16);
  if (isNullSelector(selector)) throw generalProtection(0);
  const descriptor = fetchSystemSegment(cpu, selector, [SYSTEM_TYPE.tss16Available, SYSTEM_TYPE.tss32Available]);
  cpu.system.write8((descriptor.address + 5) >>> 0, (descriptor.attributes & 0xff) | TSS_BUSY);
  const tr = cacheOf(descriptor, selector);
  tr.attributes |= TSS_BUSY;
  cpu.state.writeSegment(layout.TR, tr);
  cpu.modeChanged();
}

const storeSelector =
  (register: number): HostSemantics =>
  (cpu, instruction) => {
    requireSegmentedProtection(cpu);
    writeWord(cpu, instruction, cpu.state.segmentSelector(register));
  };

function arpl(cpu: Cpu, instruction: HostInstruction): void {
  requireSegmentedProtection(cpu);
  const destination = readOperand(cpu, instruction, 16);
  const source = cpu.state.reg16(instruction.reg);
  const adjust = (destination & 3) < (source & 3);
  if (adjust) writeOperand(cpu, instruction, 16, (destination & ~3) | (source & 3));
  setFlag(cpu.state, EFLAG.zf, adjust);
}

const TSS_AND_LDT: readonly number[] = [
  SYSTEM_TYPE.tss16Available,
  SYSTEM_TYPE.ldt,
  SYSTEM_TYPE.tss16Busy,
  SYSTEM_TYPE.tss32Available,
  SYSTEM_TYPE.tss32Busy,
];
const LAR_TYPES: readonly number[] = [...TSS_AND_LDT, SYSTEM_TYPE.callGate16, SYSTEM_TYPE.taskGate, SYSTEM_TYPE.callGate32];

/** The descriptor, when the selector may be used from here: within its table, and privileged unless conforming code. */
function visibleDescriptor(cpu: Cpu, selector: number): Descriptor | undefined {
  if (isNullSelector(selector)) return undefined;
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === undefined || isConforming(descriptor)) return descriptor;
  return Math.max(cpu.state.cpl, requestedPrivilege(selector)) <= descriptorPrivilege(descriptor) ? descriptor : undefined;
}

const describe =
  (types: readonly number[], value: (descriptor: Descriptor) => number): HostSemantics =>
  (cpu, instruction) => {
    requireSegmentedProtection(cpu);
    const descriptor = visibleDescriptor(cpu, readOperand(cpu, instruction, 16));
    const type = descriptor === undefined ? 0 : systemType(descriptor);
    const found = descriptor !== undefined && (type === -1 || types.includes(type));
    if (found) writeRegister(cpu.state, instruction.reg, instruction.operandSize, value(descriptor));
    setFlag(cpu.state, EFLAG.zf, found);
  };

const verify =
  (allowed: (descriptor: Descriptor) => boolean): HostSemantics =>
  (cpu, instruction) => {
    requireSegmentedProtection(cpu);
    const descriptor = visibleDescriptor(cpu, readOperand(cpu, instruction, 16));
    setFlag(cpu.state, EFLAG.zf, descriptor !== undefined && allowed(descriptor));
  };

export const descriptorTableSemantics: Record<string, HostSemantics> = {
  lgdt: loadTable(GDTR),
  lidt: loadTable(IDTR),
  sgdt: storeTable(GDTR),
  sidt: storeTable(IDTR),
  lldt,
  ltr,
  sldt: storeSelector(layout.LDTR),
  str: storeSelector(layout.TR),
  arpl,
  lar: describe(LAR_TYPES, (descriptor) => descriptor.high & 0x00f0_ff00),
  lsl: describe(TSS_AND_LDT, descriptorLimitBytes),
  verr: verify(isReadable),
  verw: verify(isWritableData),
};
