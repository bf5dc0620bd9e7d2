/**
 * Control registers and what manages the processor: MOV CRn, LMSW, SMSW, CLTS, HLT, INVD, WBINVD, INVLPG,
 * SWAPGS (SDM volume 2; volume 3,
 * 2.5 and 4.4.1).
 */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { fault, requireRing0 } from './descriptors.js';

const CR0 = {
  pe: 1n,
  mp: 2n,
  em: 4n,
  ts: 8n,
  et: 0x10n,
  ne: 0x20n,
  wp: 0x1_0000n,
  am: 0x4_0000n,
  nw: 0x2000_0000n,
  cd: 0x4000_0000n,
  pg: 0x8000_0000n,
};
const CR0_BITS = Object.values(CR0).reduce((all, bit) => all | bit);
/** VME, PVI, TSD, DE, PSE, PAE, PGE, PCE, OSFXSR, OSXMMEXCPT; this machine has no machine check (bit 6). */
const CR4_BITS = 0x7bfn;
const CR4_PAE = 0x20n;
/** PSE, PAE, PGE. */
const CR4_PAGING = 0xb0n;
const LMSW_BITS = CR0.pe | CR0.mp | CR0.em | CR0.ts;

const PDPTE_PRESENT = 1n;
/** Bits 1-2, 5-8 and those above 36 address bits. */
const PDPTE_RESERVED = 0xffff_fff0_0000_01e6n;

/** Loads the four page-directory-pointer registers that PAE paging works with; none of them if one is bad. */
function loadPageDirectoryPointers(cpu: Cpu, cr3: bigint): void {
  setPageDirectoryPointers(cpu, pageDirectoryPointers(cpu, cr3));
}

/** What they will be, checked. */
export function pageDirectoryPointers(cpu: Cpu, cr3: bigint): bigint[] {
  const table = cr3 & 0xffff_ffe0n;
  const entries = [0n, 1n, 2n, 3n].map((i) => cpu.loadPhysical(table + i * 8n, 8));
  for (const entry of entries) if ((entry & PDPTE_PRESENT) !== 0n && (entry & PDPTE_RESERVED) !== 0n) fault(VECTOR.gp, 0);
  return entries;
}

export function setPageDirectoryPointers(cpu: Cpu, entries: readonly bigint[]): void {
  entries.forEach((entry, i) => cpu.state.setU64(CPU_STATE.pageDirectoryPointers + i * 8, entry));
}

const isPae = (cr0: bigint, cr4: bigint): boolean => (cr0 & CR0.pg) !== 0n && (cr4 & CR4_PAE) !== 0n;

function writeCr0(cpu: Cpu, value: bigint): void {
  const { state } = cpu;
  if ((value & CR0.pg) !== 0n && (value & CR0.pe) === 0n) fault(VECTOR.gp, 0);
  if ((value & CR0.nw) !== 0n && (value & CR0.cd) === 0n) fault(VECTOR.gp, 0);
  const next = (value & CR0_BITS) | CR0.et;
  const changed = next ^ state.u64(CPU_STATE.cr0);
  if ((changed & (CR0.pg | CR0.cd | CR0.nw)) !== 0n && isPae(next, state.u64(CPU_STATE.cr4))) {
    loadPageDirectoryPointers(cpu, state.u64(CPU_STATE.cr3));
  }
  state.setU64(CPU_STATE.cr0, next);
}

function writeCr3(cpu: Cpu, value: bigint): void {
  const { state } = cpu;
  if (isPae(state.u64(CPU_STATE.cr0), state.u64(CPU_STATE.cr4))) loadPageDirectoryPointers(cpu, value);
  state.setU64(CPU_STATE.cr3, value);
}

function writeCr4(cpu: Cpu, value: bigint): void {
  const { state } = cpu;
  if ((value & ~CR4_BITS) !== 0n) fault(VECTOR.gp, 0);
  const changed = value ^ state.u64(CPU_STATE.cr4);
  if ((changed & CR4_PAGING) !== 0n && isPae(state.u64(CPU_STATE.cr0), value)) loadPageDirectoryPointers(cpu, state.u64(CPU_STATE.cr3));
  state.setU64(CPU_STATE.cr4, value);
}

const OFFSET: Readonly<Record<number, number>> = { 0: CPU_STATE.cr0, 2: CPU_STATE.cr2, 3: CPU_STATE.cr3, 4: CPU_STATE.cr4 };

function movToControl(cpu: Cpu): void {
  requireRing0(cpu);
  const value = cpu.read(1);
  switch (cpu.registerNumber(0)) {
    case 0:
      writeCr0(cpu, value);
      break;
    case 2:
      cpu.state.setU64(CPU_STATE.cr2, value);
      break;
    case 3:
      writeCr3(cpu, value);
      break;
    default:
      writeCr4(cpu, value);
  }
}

function movFromControl(cpu: Cpu): void {
  requireRing0(cpu);
  cpu.write(0, cpu.state.u64(OFFSET[cpu.registerNumber(1)] as number));
}

/** PE can be set, but not cleared. */
function lmsw(cpu: Cpu): void {
  requireRing0(cpu);
  const source = cpu.read(0) & LMSW_BITS;
  const present = cpu.state.u64(CPU_STATE.cr0);
  writeCr0(cpu, (present & ~(LMSW_BITS & ~CR0.pe)) | source);
}

/** A 32-bit register takes all of CR0 (policy `smsw.upper`). */
function smsw(cpu: Cpu): void {
  if (!cpu.isMemory(0) && cpu.operandSize !== 16) cpu.undefine('smsw.upper');
  cpu.write(0, cpu.state.u64(CPU_STATE.cr0));
}

function clts(cpu: Cpu): void {
  requireRing0(cpu);
  cpu.state.setU64(CPU_STATE.cr0, cpu.state.u64(CPU_STATE.cr0) & ~CR0.ts);
}

function hlt(cpu: Cpu): void {
  requireRing0(cpu);
  cpu.state.setU32(CPU_STATE.halted, 1);
}

/** There are no caches, and translations are never stale. */
const managesCaches = (cpu: Cpu): void => requireRing0(cpu);

/** What it exchanges GS with belongs to the system side of long mode. */
function swapGs(cpu: Cpu): void {
  requireRing0(cpu);
  cpu.raise(VECTOR.ud);
}

export const CONTROL_REGISTERS: readonly Opcode[] = [
  opcode('0F 20 /r', 'MOV', 'rm:r32,CRn', movFromControl, { not64: true }),
  opcode('0F 22 /r', 'MOV', 'CRn,rm:r32', movToControl, { not64: true }),
  opcode('0F 20 /r', 'MOV', 'rm:r64,CRn', movFromControl, { only64: true }),
  opcode('0F 22 /r', 'MOV', 'CRn,rm:r64', movToControl, { only64: true }),
  opcode('0F 01 /4', 'SMSW', 'rv/m16', smsw),
  opcode('0F 01 /6', 'LMSW', 'r/m16', lmsw),
  opcode('0F 06', 'CLTS', '', clts),
  opcode('F4', 'HLT', '', hlt),
  opcode('0F 08', 'INVD', '', managesCaches),
  opcode('0F 09', 'WBINVD', '', managesCaches),
  opcode('0F 01 /7', 'INVLPG', 'm', managesCaches),
  opcode('0F 01 F8', 'SWAPGS', '', swapGs, { only64: true }),
];
