/**
 * Model-specific registers (SDM volume 4, chapter 2; volume 3, sections 11.11 - 11.12 for MTRRs and PAT).
 *
 * A register that CPUID does not announce raises #GP, IA32_APIC_BASE included: there is no local APIC yet. MTRRs and the
 * PAT are storage with the checks of the manual; memory types change nothing, because there are no caches.
 * The MTRRs start the way firmware leaves them: enabled, write-back by default, no ranges.
 */
import { generalProtection } from './exceptions.js';
import type { Cpu, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { requireRing0 } from './operands.js';
import { CR4 } from './state.js';

const EAX = 0;
const ECX = 1;
const EDX = 2;

export const MSR = {
  timeStampCounter: 0x10,
  platformId: 0x17,
  biosSignId: 0x8b,
  mtrrCapabilities: 0xfe,
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
  miscEnable: 0x1a0,
  mtrrVariable: 0x200,
  pat: 0x277,
  mtrrDefaultType: 0x2ff,
  efer: 0xc000_0080,
} as const;

const MTRR_VARIABLE_COUNT = 8;
const MTRR_FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
/** Write-combining, fixed ranges, eight variable ranges. */
const MTRR_CAPABILITIES = 0x508n;
/** EFER.NXE: the only bit that can be written, since CPUID does not announce long mode. */
export const EFER_NXE = 1 << 11;
/** EFER.LMA: long mode is active. Only a processor that was made for 64-bit code (processor.ts) is put into it. */
export const EFER_LMA = 1 << 10;

/** Physical addresses have 36 bits (CPUID leaf 80000008h). */
const PHYSICAL_ADDRESS_MASK = 0xf_ffff_f000n;

interface Register {
  readonly reset: bigint;
  /** Bits that may be written; a one anywhere else is #GP. */
  readonly writable: bigint;
  readonly valid?: (value: bigint) => boolean;
}

const everyByte =
  (types: readonly number[]) =>
  (value: bigint): boolean => {
    for (let i = 0n; i < 64n; i += 8n) if (!types.includes(Number((value >> i) & 0xffn))) return false;
    return true;
  };
/** Uncacheable, write-combining, write-through, write-protected, write-back. */
const MTRR_TYPES = [0, 1, 4, 5, 6];
const PAT_TYPES = [...MTRR_TYPES, 7];
const lowByteIsType = (value: bigint): boolean => MTRR_TYPES.includes(Number(value & 0xffn));

const ALL = 0xffff_ffff_ffff_ffffn;
const LOW_32 = 0xffff_ffffn;

const registers = new Map<number, Register>([
  [MSR.timeStampCounter, { reset: 0n, writable: ALL }],
  [MSR.biosSignId, { reset: 0n, writable: ALL }],
  [MSR.sysenterCs, { reset: 0n, writable: ALL }],
  [MSR.sysenterEsp, { reset: 0n, writable: ALL }],
  [MSR.sysenterEip, { reset: 0n, writable: ALL }],
  // Fast strings on; no branch trace store (bit 11), no precise event sampling (bit 12).
  [MSR.miscEnable, { reset: 0x1801n, writable: ALL }],
  [MSR.pat, { reset: 0x0007_0406_0007_0406n, writable: ALL, valid: everyByte(PAT_TYPES) }],
  [MSR.mtrrDefaultType, { reset: 0xc06n, writable: 0xcffn, valid: lowByteIsType }],
]);
for (const address of MTRR_FIXED) registers.set(address, { reset: 0n, writable: ALL, valid: everyByte(MTRR_TYPES) });
for (let i = 0; i < MTRR_VARIABLE_COUNT; i++) {
  registers.set(MSR.mtrrVariable + 2 * i, { reset: 0n, writable: PHYSICAL_ADDRESS_MASK | 0xffn, valid: lowByteIsType });
  registers.set(MSR.mtrrVariable + 2 * i + 1, { reset: 0n, writable: PHYSICAL_ADDRESS_MASK | 0x800n });
}

const READ_ONLY = new Map<number, bigint>([
  [MSR.platformId, 0n],
  [MSR.mtrrCapabilities, MTRR_CAPABILITIES],
]);

/** Fills the map with the values after reset, always in the same order. */
export function resetMsrs(msr: Map<number, bigint>): void {
  msr.clear();
  for (const [address, { reset }] of registers) msr.set(address, reset);
}

/** The cell of `cpu.msr` under MSR.timeStampCounter is the difference of the counter to virtual time. */
const timeStampCounter = (cpu: Cpu): bigint => BigInt.asUintN(64, BigInt(cpu.nowNs) + (cpu.msr.get(MSR.timeStampCounter) as bigint));

export function readMsr(cpu: Cpu, address: number): bigint {
  if (address === MSR.timeStampCounter) return timeStampCounter(cpu);
  if (address === MSR.efer) return BigInt(cpu.state.get32(layout.EFER));
  const value = READ_ONLY.get(address) ?? cpu.msr.get(address);
  if (value === undefined) throw generalProtection(0);
  return value;
}

export function writeMsr(cpu: Cpu, address: number, value: bigint): void {
  if (address === MSR.efer) {
    if (value & ~BigInt(EFER_NXE)) throw generalProtection(0);
    cpu.state.set32(layout.EFER, Number(value));
    cpu.flushTlb('all');
    cpu.modeChanged();
    return;
  }
  const register = registers.get(address);
  if (register === undefined || value & ~register.writable || register.valid?.(value) === false) throw generalProtection(0);
  if (address === MSR.timeStampCounter) {
    const cell = layout.TIME_STAMP_BASE >>> 3;
    cpu.state.i64[cell] = (cpu.state.i64[cell] as bigint) + value - timeStampCounter(cpu);
    cpu.msr.set(address, BigInt.asUintN(64, value - BigInt(cpu.nowNs)));
    return;
  }
  // A write (of zero) asks for the microcode revision, which is then read: there is none.
  cpu.msr.set(address, address === MSR.biosSignId ? 0n : value);
}

function returnInEdxEax(cpu: Cpu, value: bigint): void {
  cpu.state.setReg32(EAX, Number(value & LOW_32));
  cpu.state.setReg32(EDX, Number(value >> 32n));
}

/** The eighteen counters of a Pentium 4 exist for RDPMC (with the fast-read bit 31); nothing ever starts them. */
const PERFORMANCE_COUNTERS = 18;

export const msrSemantics: Record<string, HostSemantics> = {
  rdmsr: (cpu) => {
    requireRing0(cpu);
    returnInEdxEax(cpu, readMsr(cpu, cpu.state.reg32(ECX)));
  },
  wrmsr: (cpu) => {
    requireRing0(cpu);
    const { state } = cpu;
    writeMsr(cpu, state.reg32(ECX), (BigInt(state.reg32(EDX)) << 32n) | BigInt(state.reg32(EAX)));
  },
  rdtsc: (cpu) => {
    if (cpu.state.cr4 & CR4.tsd && cpu.state.cpl !== 0) throw generalProtection(0);
    returnInEdxEax(cpu, timeStampCounter(cpu));
  },
  rdpmc: (cpu) => {
    if (!(cpu.state.cr4 & CR4.pce) && cpu.state.cpl !== 0) throw generalProtection(0);
    if ((cpu.state.reg32(ECX) & 0x7fff_ffff) >= PERFORMANCE_COUNTERS) throw generalProtection(0);
    returnInEdxEax(cpu, 0n);
  },
};
