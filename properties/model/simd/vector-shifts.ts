/** Shifts of packed elements by a common count, and of a whole register by bytes (Intel SDM volume 2, PSLLW to PSRLDQ). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { BYTES, begin, type RegisterFile, readOperand, readRegister, requireSse, writeRegister } from './registers.js';

type Kind = 'left' | 'right' | 'arithmetic';

/** Counts of the element width and above shift everything out; arithmetic shifts fill with the sign. */
function shiftElement(kind: Kind, element: bigint, width: number, count: bigint): bigint {
  const limited = count > BigInt(width) ? BigInt(width) : count;
  switch (kind) {
    case 'left':
      return BigInt.asUintN(width, element << limited);
    case 'right':
      return element >> limited;
    case 'arithmetic':
      return BigInt.asUintN(width, BigInt.asIntN(width, element) >> limited);
  }
}

function shiftElements(cpu: Cpu, file: RegisterFile, kind: Kind, width: number, count: bigint): void {
  const value = readRegister(cpu, file, 0);
  let result = 0n;
  for (let at = 0; at < 8 * BYTES[file]; at += width) {
    const element = BigInt.asUintN(width, value >> BigInt(at));
    result |= shiftElement(kind, element, width, count) << BigInt(at);
  }
  writeRegister(cpu, file, 0, result);
}

const byOperand = (file: RegisterFile, kind: Kind, width: number) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  // All of the operand is read, but 64 bits of it count.
  shiftElements(cpu, file, kind, width, BigInt.asUintN(64, readOperand(cpu, file, 1)));
};
const byImmediate = (file: RegisterFile, kind: Kind, width: number) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  shiftElements(cpu, file, kind, width, cpu.read(1));
};

const forms = (mnemonic: string, kind: Kind, width: number, code: string, immediateCode: string, digit: number): Opcode[] => [
  opcode(`NP 0F ${code} /r`, mnemonic, 'mm, mm/m64', byOperand('mmx', kind, width)),
  opcode(`66 0F ${code} /r`, mnemonic, 'xmm, xmm/m128', byOperand('xmm', kind, width)),
  opcode(`NP 0F ${immediateCode} /${digit}`, mnemonic, 'rm:mm, imm8', byImmediate('mmx', kind, width)),
  opcode(`66 0F ${immediateCode} /${digit}`, mnemonic, 'rm:xmm, imm8', byImmediate('xmm', kind, width)),
];

const shiftBytes = (kind: 'left' | 'right') => (cpu: Cpu) => {
  requireSse(cpu);
  writeRegister(cpu, 'xmm', 0, shiftElement(kind, readRegister(cpu, 'xmm', 0), 128, 8n * cpu.read(1)));
};

export const VECTOR_SHIFTS: readonly Opcode[] = [
  ...forms('PSLLW', 'left', 16, 'F1', '71', 6),
  ...forms('PSLLD', 'left', 32, 'F2', '72', 6),
  ...forms('PSLLQ', 'left', 64, 'F3', '73', 6),
  ...forms('PSRLW', 'right', 16, 'D1', '71', 2),
  ...forms('PSRLD', 'right', 32, 'D2', '72', 2),
  ...forms('PSRLQ', 'right', 64, 'D3', '73', 2),
  ...forms('PSRAW', 'arithmetic', 16, 'E1', '71', 4),
  ...forms('PSRAD', 'arithmetic', 32, 'E2', '72', 4),
  opcode('66 0F 73 /3', 'PSRLDQ', 'rm:xmm, imm8', shiftBytes('right')),
  opcode('66 0F 73 /7', 'PSLLDQ', 'rm:xmm, imm8', shiftBytes('left')),
];
