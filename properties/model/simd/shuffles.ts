/** Packing, interleaving, shuffling, words and sign bits of packed values (Intel SDM volume 2, PACKSSDW to UNPCKLPS). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { inBothFiles, packed, type VectorOperation } from './packed-integer.js';
import { BYTES, begin, enterMmx, loadMemory, type RegisterFile, readRegister, writeRegister } from './registers.js';
import { saturate } from './vector.js';

const packWords =
  (type: 'i8' | 'u8'): VectorOperation =>
  (a, b, result, bytes) => {
    const half = bytes / 2;
    for (let i = 0; i < half; i++) {
      result[type][i] = saturate(type, a.i16[i]!);
      result[type][half + i] = saturate(type, b.i16[i]!);
    }
  };
const packDoublewords: VectorOperation = (a, b, result, bytes) => {
  const half = bytes / 4;
  for (let i = 0; i < half; i++) {
    result.i16[i] = saturate('i16', a.i32[i]!);
    result.i16[half + i] = saturate('i16', b.i32[i]!);
  }
};

/** Elements of one half of both operands, in turn. */
const interleave =
  (elementBytes: number, half: 'low' | 'high'): VectorOperation =>
  (a, b, result, bytes) => {
    const from = half === 'low' ? 0 : bytes / 2;
    for (let at = 0; at < bytes / 2; at += elementBytes) {
      for (let i = 0; i < elementBytes; i++) {
        result.u8[2 * at + i] = a.u8[from + at + i]!;
        result.u8[2 * at + elementBytes + i] = b.u8[from + at + i]!;
      }
    }
  };
const unpacking = (code: string, mnemonic: string, elementBytes: number, half: 'low' | 'high'): Opcode[] => {
  const operation = interleave(elementBytes, half);
  return [
    // Of memory, the low forms read just the half that they need.
    half === 'low'
      ? opcode(`NP 0F ${code} /r`, mnemonic, 'mm, mm/m32', packed('mmx', operation, 4))
      : opcode(`NP 0F ${code} /r`, mnemonic, 'mm, mm/m64', packed('mmx', operation)),
    opcode(`66 0F ${code} /r`, mnemonic, 'xmm, xmm/m128', packed('xmm', operation)),
  ];
};

/** Two bits of the immediate for each element. */
const selector = (immediate: number, element: number): number => (immediate >> (2 * element)) & 3;

type Shuffle = (immediate: number) => VectorOperation;
const shuffleDoublewords: Shuffle = (immediate) => (_a, b, result) => {
  for (let i = 0; i < 4; i++) result.u32[i] = b.u32[selector(immediate, i)]!;
};
/** Words of one half, counted from its beginning; the other half is copied. */
const shuffleWords =
  (start: 0 | 4): Shuffle =>
  (immediate) =>
  (_a, b, result) => {
    result.u64.set(b.u64);
    for (let i = 0; i < 4; i++) result.u16[start + i] = b.u16[start + selector(immediate, i)]!;
  };
const shuffleSingles: Shuffle = (immediate) => (a, b, result) => {
  for (let i = 0; i < 4; i++) result.u32[i] = (i < 2 ? a : b).u32[selector(immediate, i)]!;
};
const shuffleDoubles: Shuffle = (immediate) => (a, b, result) => {
  result.u64[0] = a.u64[immediate & 1]!;
  result.u64[1] = b.u64[(immediate >> 1) & 1]!;
};
const shuffling = (file: RegisterFile, shuffle: Shuffle) => (cpu: Cpu) => packed(file, shuffle(Number(cpu.read(2))))(cpu);

const wordAt = (cpu: Cpu, file: RegisterFile): bigint => 16n * (cpu.read(2) & (file === 'mmx' ? 3n : 7n));
const insertWord = (file: RegisterFile) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  const word = cpu.isMemory(1) ? loadMemory(cpu, 1, 2) : cpu.register(cpu.registerNumber(1), 16);
  const at = wordAt(cpu, file);
  writeRegister(cpu, file, 0, (readRegister(cpu, file, 0) & ~(0xffffn << at)) | (word << at));
};
const extractWord = (file: RegisterFile) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  cpu.write(0, (readRegister(cpu, file, 1) >> wordAt(cpu, file)) & 0xffffn);
  if (file === 'mmx') enterMmx(cpu);
};

/** The sign bit of each element, in a general register. */
const signBits = (file: RegisterFile, elementBytes: number) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  const value = readRegister(cpu, file, 1);
  let result = 0n;
  for (let i = 0; i < BYTES[file] / elementBytes; i++) {
    const sign = (value >> BigInt(8 * elementBytes * (i + 1) - 1)) & 1n;
    result |= sign << BigInt(i);
  }
  cpu.write(0, result);
  if (file === 'mmx') enterMmx(cpu);
};

export const SHUFFLES: readonly Opcode[] = [
  ...inBothFiles('63', 'PACKSSWB', packWords('i8')),
  ...inBothFiles('67', 'PACKUSWB', packWords('u8')),
  ...inBothFiles('6B', 'PACKSSDW', packDoublewords),
  ...unpacking('60', 'PUNPCKLBW', 1, 'low'),
  ...unpacking('61', 'PUNPCKLWD', 2, 'low'),
  ...unpacking('62', 'PUNPCKLDQ', 4, 'low'),
  ...unpacking('68', 'PUNPCKHBW', 1, 'high'),
  ...unpacking('69', 'PUNPCKHWD', 2, 'high'),
  ...unpacking('6A', 'PUNPCKHDQ', 4, 'high'),
  opcode('66 0F 6C /r', 'PUNPCKLQDQ', 'xmm, xmm/m128', packed('xmm', interleave(8, 'low'))),
  opcode('66 0F 6D /r', 'PUNPCKHQDQ', 'xmm, xmm/m128', packed('xmm', interleave(8, 'high'))),
  opcode('NP 0F 14 /r', 'UNPCKLPS', 'xmm, xmm/m128', packed('xmm', interleave(4, 'low'))),
  opcode('66 0F 14 /r', 'UNPCKLPD', 'xmm, xmm/m128', packed('xmm', interleave(8, 'low'))),
  opcode('NP 0F 15 /r', 'UNPCKHPS', 'xmm, xmm/m128', packed('xmm', interleave(4, 'high'))),
  opcode('66 0F 15 /r', 'UNPCKHPD', 'xmm, xmm/m128', packed('xmm', interleave(8, 'high'))),
  opcode('NP 0F 70 /r', 'PSHUFW', 'mm, mm/m64, imm8', shuffling('mmx', shuffleWords(0))),
  opcode('66 0F 70 /r', 'PSHUFD', 'xmm, xmm/m128, imm8', shuffling('xmm', shuffleDoublewords)),
  opcode('F3 0F 70 /r', 'PSHUFHW', 'xmm, xmm/m128, imm8', shuffling('xmm', shuffleWords(4))),
  opcode('F2 0F 70 /r', 'PSHUFLW', 'xmm, xmm/m128, imm8', shuffling('xmm', shuffleWords(0))),
  opcode('NP 0F C6 /r', 'SHUFPS', 'xmm, xmm/m128, imm8', shuffling('xmm', shuffleSingles)),
  opcode('66 0F C6 /r', 'SHUFPD', 'xmm, xmm/m128, imm8', shuffling('xmm', shuffleDoubles)),
  opcode('NP 0F C4 /r', 'PINSRW', 'mm, r32/m16, imm8', insertWord('mmx')),
  opcode('66 0F C4 /r', 'PINSRW', 'xmm, r32/m16, imm8', insertWord('xmm')),
  opcode('NP 0F C5 /r', 'PEXTRW', 'r32, rm:mm, imm8', extractWord('mmx')),
  opcode('66 0F C5 /r', 'PEXTRW', 'r32, rm:xmm, imm8', extractWord('xmm')),
  opcode('NP 0F D7 /r', 'PMOVMSKB', 'r32, rm:mm', signBits('mmx', 1)),
  opcode('66 0F D7 /r', 'PMOVMSKB', 'r32, rm:xmm', signBits('xmm', 1)),
  opcode('NP 0F 50 /r', 'MOVMSKPS', 'r32, rm:xmm', signBits('xmm', 4)),
  opcode('66 0F 50 /r', 'MOVMSKPD', 'r32, rm:xmm', signBits('xmm', 8)),
];
