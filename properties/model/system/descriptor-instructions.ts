/** LGDT, SGDT, LIDT, SIDT, LLDT, SLDT, LTR, STR, LAR, LSL, VERR, VERW, ARPL (SDM volume 2). */
import { CPU_STATE, LDTR, TR } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import {
  type Descriptor,
  descriptorOf,
  fault,
  isNull,
  linear,
  lookUp,
  requireRing0,
  rplOf,
  SYSTEM_TYPE,
  selectorError,
} from './descriptors.js';

/** These are instructions of protected mode only. */
function requireProtected(cpu: Cpu): void {
  if (!cpu.protectedMode || cpu.virtual8086) fault(VECTOR.ud);
}

type TableRegister = 'gdtr' | 'idtr';
const TABLE = {
  gdtr: { base: CPU_STATE.gdtrBase, limit: CPU_STATE.gdtrLimit },
  idtr: { base: CPU_STATE.idtrBase, limit: CPU_STATE.idtrLimit },
} as const;

/** The base behind the limit; the pair is one operand, whose second part does not wrap at 64 KiB. */
const baseOffset = (cpu: Cpu, offset: bigint): bigint =>
  cpu.addressSize === 16 ? offset + 2n : BigInt.asUintN(cpu.addressSize, offset + 2n);

const loadTable =
  (register: TableRegister) =>
  (cpu: Cpu): void => {
    requireRing0(cpu);
    const { segment, offset } = cpu.address(0);
    const limit = cpu.load(segment, offset, 2);
    const bytes = cpu.codeBits === 64 ? 8 : 4;
    const base = cpu.load(segment, baseOffset(cpu, offset), bytes);
    cpu.state.setU32(TABLE[register].limit, Number(limit));
    // Operand size 16: the base of an 80286, 24 bits.
    cpu.state.setU64(TABLE[register].base, cpu.operandSize === 16 && bytes === 4 ? base & 0xff_ffffn : base);
  };

const storeTable =
  (register: TableRegister) =>
  (cpu: Cpu): void => {
    const { segment, offset } = cpu.address(0);
    const bytes = cpu.codeBits === 64 ? 8 : 4;
    cpu.checkStore(segment, offset, 2);
    cpu.checkStore(segment, baseOffset(cpu, offset), bytes);
    cpu.store(segment, offset, 2, BigInt(cpu.state.u32(TABLE[register].limit)));
    cpu.store(segment, baseOffset(cpu, offset), bytes, cpu.state.u64(TABLE[register].base));
  };

const storeSelector =
  (index: number) =>
  (cpu: Cpu): void => {
    requireProtected(cpu);
    cpu.write(0, BigInt(cpu.state.segmentSelector(index)));
  };

function lldt(cpu: Cpu): void {
  requireProtected(cpu);
  requireRing0(cpu);
  const selector = Number(cpu.read(0));
  if (isNull(selector)) {
    cpu.undefine('segment.null');
    cpu.state.setSegment(LDTR, selector, 0n, 0, 0);
    return;
  }
  const error = selectorError(selector, 0);
  if (selector & 4) fault(VECTOR.gp, error);
  const descriptor = descriptorOf(cpu, selector, VECTOR.gp, 0);
  if (!descriptor.isSystem(SYSTEM_TYPE.ldt)) fault(VECTOR.gp, error);
  if (!descriptor.present) fault(VECTOR.np, error);
  cpu.state.setSegment(LDTR, selector, BigInt(descriptor.base), descriptor.limit, descriptor.attributes);
}

function ltr(cpu: Cpu): void {
  requireProtected(cpu);
  requireRing0(cpu);
  const selector = Number(cpu.read(0));
  if (isNull(selector)) fault(VECTOR.gp, 0);
  const error = selectorError(selector, 0);
  if (selector & 4) fault(VECTOR.gp, error);
  const descriptor = descriptorOf(cpu, selector, VECTOR.gp, 0);
  if (!descriptor.isSystem(SYSTEM_TYPE.availableTss16, SYSTEM_TYPE.availableTss32)) fault(VECTOR.gp, error);
  if (!descriptor.present) fault(VECTOR.np, error);
  cpu.storeSystem(linear(descriptor.address + 5n), 1, BigInt((descriptor.attributes & 0xff) | 2));
  cpu.state.setSegment(TR, selector, BigInt(descriptor.base), descriptor.limit, descriptor.attributes | 2);
}

/** Whether CPL and RPL may use a descriptor; conforming code is open to all. */
const isVisible = (cpu: Cpu, selector: number, descriptor: Descriptor): boolean =>
  descriptor.isConforming || (cpu.cpl <= descriptor.dpl && rplOf(selector) <= descriptor.dpl);

/** The descriptor that LAR, LSL, VERR or VERW is asked about, if it may be seen. */
function visible(cpu: Cpu, selector: number, types: readonly number[]): Descriptor | undefined {
  const descriptor = isNull(selector) ? undefined : lookUp(cpu, selector);
  if (descriptor === undefined || !isVisible(cpu, selector, descriptor)) return undefined;
  return descriptor.nonSystem || types.includes(descriptor.type) ? descriptor : undefined;
}

const { availableTss16, ldt, busyTss16, callGate16, taskGate, availableTss32, busyTss32, callGate32 } = SYSTEM_TYPE;
const LSL_TYPES = [availableTss16, ldt, busyTss16, availableTss32, busyTss32];
const LAR_TYPES = [...LSL_TYPES, callGate16, taskGate, callGate32];

const query =
  (types: readonly number[], answer: (descriptor: Descriptor) => number) =>
  (cpu: Cpu): void => {
    requireProtected(cpu);
    const descriptor = visible(cpu, Number(cpu.read(1) & 0xffffn), types);
    cpu.setFlag('zf', descriptor !== undefined);
    if (descriptor) cpu.write(0, BigInt(answer(descriptor) >>> 0));
  };

/** The second doubleword but for base and limit: 00F0FF00h, and bits 16-19, which Intel leaves undefined (policy `lar.limit`). */
const accessRights = (descriptor: Descriptor): number => Number(descriptor.bits >> 32n) & 0x00f0_ff00;

const verify =
  (allowed: (descriptor: Descriptor) => boolean) =>
  (cpu: Cpu): void => {
    requireProtected(cpu);
    const descriptor = visible(cpu, Number(cpu.read(0)), []);
    cpu.setFlag('zf', descriptor !== undefined && allowed(descriptor));
  };

function arpl(cpu: Cpu): void {
  requireProtected(cpu);
  const destination = cpu.read(0);
  const rpl = cpu.read(1) & 3n;
  const raises = (destination & 3n) < rpl;
  if (!raises && cpu.isMemory(0)) cpu.undefine('arpl.write');
  if (raises) cpu.write(0, (destination & ~3n) | rpl);
  cpu.setFlag('zf', raises);
}

export const DESCRIPTOR_INSTRUCTIONS: readonly Opcode[] = [
  opcode('0F 01 /0', 'SGDT', 'm', storeTable('gdtr')),
  opcode('0F 01 /1', 'SIDT', 'm', storeTable('idtr')),
  opcode('0F 01 /2', 'LGDT', 'm', loadTable('gdtr')),
  opcode('0F 01 /3', 'LIDT', 'm', loadTable('idtr')),
  opcode('0F 00 /0', 'SLDT', 'rv/m16', storeSelector(LDTR)),
  opcode('0F 00 /1', 'STR', 'rv/m16', storeSelector(TR)),
  opcode('0F 00 /2', 'LLDT', 'r/m16', lldt),
  opcode('0F 00 /3', 'LTR', 'r/m16', ltr),
  opcode(
    '0F 00 /4',
    'VERR',
    'r/m16',
    verify((descriptor) => descriptor.isReadable),
  ),
  opcode(
    '0F 00 /5',
    'VERW',
    'r/m16',
    verify((descriptor) => descriptor.isWritableData),
  ),
  opcode('0F 02 /r', 'LAR', 'rv,r/m16', query(LAR_TYPES, accessRights)),
  opcode(
    '0F 03 /r',
    'LSL',
    'rv,r/m16',
    query(LSL_TYPES, (descriptor) => descriptor.limit),
  ),
  opcode('63 /r', 'ARPL', 'r/m16,r16', arpl, { not64: true }),
];
