/** CPUID (SDM volume 2): what this machine says of itself, a Pentium 4 of family 15, model 2, stepping 9. */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';

type Leaf = readonly [eax: number, ebx: number, ecx: number, edx: number];

/** FPU, VME, DE, PSE, TSC, MSR, PAE, CX8, SEP, MTRR, PGE, CMOV, PAT, PSE-36, CLFSH, MMX, FXSR, SSE, SSE2. */
const FEATURES = [0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 15, 16, 17, 19, 23, 24, 25, 26].reduce((all, bit) => all | (1 << bit), 0);
const NO_EXECUTE = 1 << 20;

const text = (characters: string): Leaf =>
  [0, 4, 8, 12].map((at) => [3, 2, 1, 0].reduce((word, i) => word * 256 + (characters.charCodeAt(at + i) || 0), 0)) as unknown as Leaf;
const [genu, ineI, ntel] = text('GenuineIntel');
const BRAND = 'replay86 virtual CPU';

const CACHES: Leaf = [0x665b_5001, 0, 0, 0x007b_7040];
const LEAVES = new Map<number, Leaf>([
  [0, [2, genu, ntel, ineI]],
  [1, [0xf29, 0x800, 0, FEATURES]],
  [2, CACHES],
  [0x8000_0000, [0x8000_0008, 0, 0, 0]],
  [0x8000_0001, [0, 0, 0, NO_EXECUTE]],
  [0x8000_0002, text(BRAND.slice(0, 16))],
  [0x8000_0003, text(BRAND.slice(16, 32))],
  [0x8000_0004, text('')],
  [0x8000_0005, [0, 0, 0, 0]],
  [0x8000_0006, [0, 0, 0, 0]],
  [0x8000_0007, [0, 0, 0, 0]],
  [0x8000_0008, [0x2024, 0, 0, 0]],
]);

function cpuid(cpu: Cpu): void {
  // Beyond both ranges: what the highest basic leaf says.
  const [eax, ebx, ecx, edx] = LEAVES.get(Number(cpu.register(0, 32))) ?? CACHES;
  for (const [register, value] of [
    [0, eax],
    [3, ebx],
    [1, ecx],
    [2, edx],
  ] as const) {
    cpu.setRegister(register, 32, BigInt(value >>> 0));
  }
}

export const CPUID: readonly Opcode[] = [opcode('0F A2', 'CPUID', '', cpuid)];
