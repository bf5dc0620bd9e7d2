/**
 * CPUID (SDM volume 2, CPUID; the signature of a Pentium 4 of 0.13 micrometres: family 15, model 2, stepping 9).
 * What is announced exists; what does not exist yet (local APIC, machine check, HT, SSE3, long mode) is not announced.
 */
import type { Cpu, HostSemantics } from './host-instruction.js';

const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;

const FEATURE = {
  fpu: 1 << 0,
  vme: 1 << 1,
  de: 1 << 2,
  pse: 1 << 3,
  tsc: 1 << 4,
  msr: 1 << 5,
  pae: 1 << 6,
  cx8: 1 << 8,
  sep: 1 << 11,
  mtrr: 1 << 12,
  pge: 1 << 13,
  cmov: 1 << 15,
  pat: 1 << 16,
  pse36: 1 << 17,
  clfsh: 1 << 19,
  mmx: 1 << 23,
  fxsr: 1 << 24,
  sse: 1 << 25,
  sse2: 1 << 26,
} as const;
const FEATURES = Object.values(FEATURE).reduce<number>((all, bit) => all | bit, 0);
const EXTENDED_NX = 1 << 20;

/** Also what EDX holds after reset. */
export const SIGNATURE = 0xf29;
/** CLFLUSH line of 64 bytes, in units of 8. */
const CLFLUSH_LINE = 8 << 8;
/** 36 physical and 32 linear address bits. */
const ADDRESS_BITS = (32 << 8) | 36;

const VENDOR = 'GenuineIntel';
const BRAND = 'replay86 virtual CPU';

/** Four characters as a register holds them. */
const packed = (text: string, at: number): number =>
  [0, 1, 2, 3].reduce((word, i) => word | ((at + i < text.length ? text.charCodeAt(at + i) : 0) << (8 * i)), 0);
const brandLeaf = (part: number): Leaf => [0, 4, 8, 12].map((at) => packed(BRAND, part * 16 + at)) as unknown as Leaf;

/** EAX, EBX, ECX, EDX. */
type Leaf = readonly [number, number, number, number];

const MAXIMUM_BASIC = 2;
const MAXIMUM_EXTENDED = 0x8000_0008;

const LEAVES = new Map<number, Leaf>([
  [0, [MAXIMUM_BASIC, packed(VENDOR, 0), packed(VENDOR, 8), packed(VENDOR, 4)]],
  [1, [SIGNATURE, CLFLUSH_LINE, 0, FEATURES]],
  // TLBs (50h, 5Bh), 8 KiB data cache (66h), trace cache (70h), 512 KiB second level (7Bh), no third level (40h).
  [2, [0x665b_5001, 0, 0, 0x007b_7040]],
  [0x8000_0000, [MAXIMUM_EXTENDED, 0, 0, 0]],
  [0x8000_0001, [0, 0, 0, EXTENDED_NX]],
  [0x8000_0002, brandLeaf(0)],
  [0x8000_0003, brandLeaf(1)],
  [0x8000_0004, brandLeaf(2)],
  [0x8000_0008, [ADDRESS_BITS, 0, 0, 0]],
]);
const NOTHING: Leaf = [0, 0, 0, 0];

export function cpuidLeaf(leaf: number): Leaf {
  const known = LEAVES.get(leaf);
  if (known !== undefined) return known;
  // A leaf above both ranges gives the data of the highest basic leaf; a hole inside a range reads as zeros.
  const inRange = leaf <= MAXIMUM_BASIC || (leaf >= 0x8000_0000 && leaf <= MAXIMUM_EXTENDED);
  return inRange ? NOTHING : (LEAVES.get(MAXIMUM_BASIC) as Leaf);
}

export const cpuidSemantics: Record<string, HostSemantics> = {
  cpuid: (cpu: Cpu) => {
    const [eax, ebx, ecx, edx] = cpuidLeaf(cpu.state.reg32(EAX));
    cpu.state.setReg32(EAX, eax);
    cpu.state.setReg32(EBX, ebx);
    cpu.state.setReg32(ECX, ecx);
    cpu.state.setReg32(EDX, edx);
  },
};
