/**
 * RDMSR, WRMSR, RDTSC, RDPMC (SDM volume 2; volume 3, 11.11-11.12; volume 4). Which registers this machine has is its own choice:
 * a Pentium 4 without local APIC, whose MTRRs and PAT are storage.
 */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { fault, requireRing0 } from './descriptors.js';

const RAX = 0;
const RCX = 1;
const RDX = 2;

interface Register {
  /** Value before anything is written. */
  readonly initial: bigint;
  /** A one anywhere else is #GP; absent: read-only. */
  readonly writable?: bigint;
  /** Bytes of memory types: all, or the lowest, must be one of these. */
  readonly types?: { readonly allowed: readonly number[]; readonly bytes: 1 | 8 };
  /** Writes leave it as it is. */
  readonly ignoresValue?: true;
  /** Where CpuState has it. */
  readonly field?: number;
}

const ALL = 0xffff_ffff_ffff_ffffn;
const ADDRESS_MASK = 0xf_ffff_f000n;
const MTRR_TYPES = [0, 1, 4, 5, 6];
const PAT_TYPES = [0, 1, 4, 5, 6, 7];
const FIXED_RANGES = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
const VARIABLE_RANGES = 8;
const TIME_STAMP_COUNTER = 0x10;
const EFER_NXE = 0x800n;

const REGISTERS = new Map<number, Register>([
  [TIME_STAMP_COUNTER, { initial: 0n, writable: ALL }],
  [0x17, { initial: 0n }],
  [0x8b, { initial: 0n, writable: ALL, ignoresValue: true }],
  [0xfe, { initial: 0x508n }],
  [0x174, { initial: 0n, writable: ALL, field: CPU_STATE.sysenterCs }],
  [0x175, { initial: 0n, writable: ALL, field: CPU_STATE.sysenterEsp }],
  [0x176, { initial: 0n, writable: ALL, field: CPU_STATE.sysenterEip }],
  [0x1a0, { initial: 0x1801n, writable: ALL }],
  [0x277, { initial: 0x0007_0406_0007_0406n, writable: ALL, types: { allowed: PAT_TYPES, bytes: 8 } }],
  [0x2ff, { initial: 0xc06n, writable: 0xcffn, types: { allowed: MTRR_TYPES, bytes: 1 } }],
  [0xc000_0080, { initial: 0n, writable: EFER_NXE, field: CPU_STATE.efer }],
  ...FIXED_RANGES.map((address): [number, Register] => [address, { initial: 0n, writable: ALL, types: { allowed: MTRR_TYPES, bytes: 8 } }]),
  ...Array.from({ length: VARIABLE_RANGES }, (_, i): [number, Register][] => [
    [0x200 + 2 * i, { initial: 0n, writable: ADDRESS_MASK | 0xffn, types: { allowed: MTRR_TYPES, bytes: 1 } }],
    [0x201 + 2 * i, { initial: 0n, writable: ADDRESS_MASK | 0x800n }],
  ]).flat(),
]);

/** Virtual time in nanoseconds, and the difference that writes to the counter have made. */
const timeStampCounter = (cpu: Cpu): bigint =>
  BigInt.asUintN(64, cpu.environment.timeNs() + (cpu.environment.msrs.get(TIME_STAMP_COUNTER) ?? 0n));

const number = (cpu: Cpu): number => Number(cpu.register(RCX, 32));

function returnValue(cpu: Cpu, value: bigint): void {
  cpu.setRegister(RAX, 32, value & 0xffff_ffffn);
  cpu.setRegister(RDX, 32, value >> 32n);
}

function readRegister(cpu: Cpu): bigint {
  const address = number(cpu);
  const register = REGISTERS.get(address);
  if (register === undefined) fault(VECTOR.gp, 0);
  if (address === TIME_STAMP_COUNTER) return timeStampCounter(cpu);
  if (register.field !== undefined) return cpu.state.u64(register.field);
  return cpu.environment.msrs.get(address) ?? register.initial;
}

function rdmsr(cpu: Cpu): void {
  requireRing0(cpu);
  returnValue(cpu, readRegister(cpu));
}

function wrmsr(cpu: Cpu): void {
  requireRing0(cpu);
  const address = number(cpu);
  const value = (cpu.register(RDX, 32) << 32n) | cpu.register(RAX, 32);
  const register = REGISTERS.get(address);
  if (register?.writable === undefined || (value & ~register.writable) !== 0n) fault(VECTOR.gp, 0);
  if (register.types !== undefined) {
    const { allowed, bytes } = register.types;
    for (let i = 0; i < bytes; i++) if (!allowed.includes(Number((value >> BigInt(8 * i)) & 0xffn))) fault(VECTOR.gp, 0);
  }
  if (register.ignoresValue) return;
  if (register.field !== undefined) cpu.state.setU64(register.field, value);
  else if (address === TIME_STAMP_COUNTER) cpu.environment.msrs.set(address, BigInt.asUintN(64, value - cpu.environment.timeNs()));
  else cpu.environment.msrs.set(address, value);
}

const CR4_TSD = 4n;
const CR4_PCE = 0x100n;

function rdtsc(cpu: Cpu): void {
  if ((cpu.state.u64(CPU_STATE.cr4) & CR4_TSD) !== 0n) requireRing0(cpu);
  returnValue(cpu, timeStampCounter(cpu));
}

/** The eighteen counters of a Pentium 4, bit 31 asking for a fast read; nothing ever counts. */
const COUNTERS = 18;

function rdpmc(cpu: Cpu): void {
  if ((cpu.state.u64(CPU_STATE.cr4) & CR4_PCE) === 0n) requireRing0(cpu);
  if ((number(cpu) & 0x7fff_ffff) >= COUNTERS) fault(VECTOR.gp, 0);
  returnValue(cpu, 0n);
}

export const MODEL_SPECIFIC_REGISTERS: readonly Opcode[] = [
  opcode('0F 30', 'WRMSR', '', wrmsr),
  opcode('0F 31', 'RDTSC', '', rdtsc),
  opcode('0F 32', 'RDMSR', '', rdmsr),
  opcode('0F 33', 'RDPMC', '', rdpmc),
];
