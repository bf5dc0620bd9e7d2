/** Moves between MMX, XMM and general registers and memory (Intel SDM volume 2, MASKMOVDQU to MOVUPS). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import {
  BYTES,
  begin,
  beginWithBoth,
  enterMmx,
  loadMemory,
  type RegisterFile,
  readOperand,
  readRegister,
  requireSse,
  storeMemory,
  writeLow,
  writeRegister,
} from './registers.js';

/** MOVD, MOVQ from general registers: zeros above the value. */
const loadInteger = (file: RegisterFile) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  writeRegister(cpu, file, 0, cpu.read(1));
};
const storeInteger = (file: RegisterFile) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  cpu.write(0, BigInt.asUintN(cpu.width(0), readRegister(cpu, file, 1)));
  if (file === 'mmx') enterMmx(cpu);
};

/** The whole register, or its low bytes with zeros above them. */
const load =
  (file: RegisterFile, bytes: number = BYTES[file]) =>
  (cpu: Cpu) => {
    if (!begin(cpu, file)) return;
    writeRegister(cpu, file, 0, readOperand(cpu, file, 1, bytes));
  };
const loadUnaligned = (cpu: Cpu): void => {
  requireSse(cpu);
  cpu.setXmm(cpu.registerNumber(0), cpu.isMemory(1) ? loadMemory(cpu, 1, 16, false) : readRegister(cpu, 'xmm', 1));
};
const store =
  (file: RegisterFile, bytes: number = BYTES[file], aligned = bytes === 16) =>
  (cpu: Cpu) => {
    if (!begin(cpu, file)) return;
    const value = BigInt.asUintN(8 * bytes, readRegister(cpu, file, 1));
    if (!cpu.isMemory(0)) {
      writeRegister(cpu, file, 0, value);
      return;
    }
    storeMemory(cpu, 0, bytes, value, aligned);
    if (file === 'mmx') enterMmx(cpu);
  };
const storeUnaligned = store('xmm', 16, false);

/** MOVSS, MOVSD: from memory zeros go above the value, between registers the rest of the destination stays. */
const loadScalar = (bytes: number) => (cpu: Cpu) => {
  requireSse(cpu);
  const value = readOperand(cpu, 'xmm', 1, bytes);
  if (cpu.isMemory(1)) cpu.setXmm(cpu.registerNumber(0), value);
  else writeLow(cpu, 0, 8 * bytes, value);
};
const storeScalar = (bytes: number) => (cpu: Cpu) => {
  requireSse(cpu);
  const value = BigInt.asUintN(8 * bytes, readRegister(cpu, 'xmm', 1));
  if (cpu.isMemory(0)) storeMemory(cpu, 0, bytes, value);
  else writeLow(cpu, 0, 8 * bytes, value);
};

const LOW = (1n << 64n) - 1n;
/** MOVLPS, MOVHPS and, between registers, MOVHLPS and MOVLHPS: one half from memory or the other half of the source. */
const loadHalf = (half: 'low' | 'high') => (cpu: Cpu) => {
  requireSse(cpu);
  const number = cpu.registerNumber(0);
  const old = cpu.xmm(number);
  if (half === 'low') {
    const value = cpu.isMemory(1) ? loadMemory(cpu, 1, 8) : cpu.xmm(cpu.registerNumber(1)) >> 64n;
    cpu.setXmm(number, (old & ~LOW) | value);
  } else {
    const value = cpu.isMemory(1) ? loadMemory(cpu, 1, 8) : cpu.xmm(cpu.registerNumber(1)) & LOW;
    cpu.setXmm(number, (value << 64n) | (old & LOW));
  }
};
const storeHalf = (half: 'low' | 'high') => (cpu: Cpu) => {
  requireSse(cpu);
  const value = readRegister(cpu, 'xmm', 1);
  storeMemory(cpu, 0, 8, half === 'low' ? value & LOW : value >> 64n);
};

const mmxToXmm = (cpu: Cpu): void => {
  if (!beginWithBoth(cpu)) return;
  writeRegister(cpu, 'xmm', 0, readRegister(cpu, 'mmx', 1));
  enterMmx(cpu);
};
const xmmToMmx = (cpu: Cpu): void => {
  if (!beginWithBoth(cpu)) return;
  writeRegister(cpu, 'mmx', 0, readRegister(cpu, 'xmm', 1) & LOW);
};

const storeGeneral = (cpu: Cpu): void => cpu.write(0, cpu.read(1));

export const MOVES: readonly Opcode[] = [
  opcode('NP 0F 6E /r', 'MOVD', 'mm, r/my', loadInteger('mmx')),
  opcode('66 0F 6E /r', 'MOVD', 'xmm, r/my', loadInteger('xmm')),
  opcode('NP 0F 7E /r', 'MOVD', 'r/my, mm', storeInteger('mmx')),
  opcode('66 0F 7E /r', 'MOVD', 'r/my, xmm', storeInteger('xmm')),
  opcode('NP 0F 6F /r', 'MOVQ', 'mm, mm/m64', load('mmx')),
  opcode('NP 0F 7F /r', 'MOVQ', 'mm/m64, mm', store('mmx')),
  opcode('F3 0F 7E /r', 'MOVQ', 'xmm, xmm/m64', load('xmm', 8)),
  opcode('66 0F D6 /r', 'MOVQ', 'xmm/m64, xmm', store('xmm', 8)),
  opcode('66 0F 6F /r', 'MOVDQA', 'xmm, xmm/m128', load('xmm')),
  opcode('66 0F 7F /r', 'MOVDQA', 'xmm/m128, xmm', store('xmm')),
  opcode('F3 0F 6F /r', 'MOVDQU', 'xmm, xmm/m128', loadUnaligned),
  opcode('F3 0F 7F /r', 'MOVDQU', 'xmm/m128, xmm', storeUnaligned),
  opcode('F3 0F D6 /r', 'MOVQ2DQ', 'xmm, rm:mm', mmxToXmm),
  opcode('F2 0F D6 /r', 'MOVDQ2Q', 'mm, rm:xmm', xmmToMmx),
  opcode('NP 0F 10 /r', 'MOVUPS', 'xmm, xmm/m128', loadUnaligned),
  opcode('66 0F 10 /r', 'MOVUPD', 'xmm, xmm/m128', loadUnaligned),
  opcode('F3 0F 10 /r', 'MOVSS', 'xmm, xmm/m32', loadScalar(4)),
  opcode('F2 0F 10 /r', 'MOVSD', 'xmm, xmm/m64', loadScalar(8)),
  opcode('NP 0F 11 /r', 'MOVUPS', 'xmm/m128, xmm', storeUnaligned),
  opcode('66 0F 11 /r', 'MOVUPD', 'xmm/m128, xmm', storeUnaligned),
  opcode('F3 0F 11 /r', 'MOVSS', 'xmm/m32, xmm', storeScalar(4)),
  opcode('F2 0F 11 /r', 'MOVSD', 'xmm/m64, xmm', storeScalar(8)),
  opcode('NP 0F 12 /r', 'MOVLPS', 'xmm, m64', loadHalf('low')),
  opcode('NP 0F 12 /r', 'MOVHLPS', 'xmm, rm:xmm', loadHalf('low')),
  opcode('66 0F 12 /r', 'MOVLPD', 'xmm, m64', loadHalf('low')),
  opcode('NP 0F 13 /r', 'MOVLPS', 'm64, xmm', storeHalf('low')),
  opcode('66 0F 13 /r', 'MOVLPD', 'm64, xmm', storeHalf('low')),
  opcode('NP 0F 16 /r', 'MOVHPS', 'xmm, m64', loadHalf('high')),
  opcode('NP 0F 16 /r', 'MOVLHPS', 'xmm, rm:xmm', loadHalf('high')),
  opcode('66 0F 16 /r', 'MOVHPD', 'xmm, m64', loadHalf('high')),
  opcode('NP 0F 17 /r', 'MOVHPS', 'm64, xmm', storeHalf('high')),
  opcode('66 0F 17 /r', 'MOVHPD', 'm64, xmm', storeHalf('high')),
  opcode('NP 0F 28 /r', 'MOVAPS', 'xmm, xmm/m128', load('xmm')),
  opcode('66 0F 28 /r', 'MOVAPD', 'xmm, xmm/m128', load('xmm')),
  opcode('NP 0F 29 /r', 'MOVAPS', 'xmm/m128, xmm', store('xmm')),
  opcode('66 0F 29 /r', 'MOVAPD', 'xmm/m128, xmm', store('xmm')),
  // Hints about caches mean nothing here.
  opcode('NP 0F 2B /r', 'MOVNTPS', 'm128, xmm', store('xmm')),
  opcode('66 0F 2B /r', 'MOVNTPD', 'm128, xmm', store('xmm')),
  opcode('66 0F E7 /r', 'MOVNTDQ', 'm128, xmm', store('xmm')),
  opcode('NP 0F E7 /r', 'MOVNTQ', 'm64, mm', store('mmx')),
  opcode('NP 0F C3 /r', 'MOVNTI', 'my, ry', storeGeneral),
];
