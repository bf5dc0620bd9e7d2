/** Packed integer arithmetic, comparisons and logic of MMX and SSE2 (Intel SDM volume 2, PADDB to PXOR). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { BYTES, begin, type RegisterFile, readOperand, readRegister, writeRegister } from './registers.js';
import { ELEMENT_BYTES, type ElementType, type RANGES, saturate, Vector } from './vector.js';

/** Destination and source in, result out; the upper half of MMX values is zero, that of the result is ignored. */
export type VectorOperation = (a: Vector, b: Vector, result: Vector, bytes: 8 | 16) => void;

const first = new Vector();
const second = new Vector();
const result = new Vector();

export const packed =
  (file: RegisterFile, operation: VectorOperation, sourceBytes: number = BYTES[file]) =>
  (cpu: Cpu): void => {
    if (!begin(cpu, file)) return;
    second.value = readOperand(cpu, file, 1, sourceBytes);
    first.value = readRegister(cpu, file, 0);
    operation(first, second, result, BYTES[file]);
    writeRegister(cpu, file, 0, file === 'mmx' ? result.u64[0]! : result.value);
  };

/** The forms for both register files. */
export const inBothFiles = (code: string, mnemonic: string, operation: VectorOperation): Opcode[] => [
  opcode(`NP 0F ${code} /r`, mnemonic, 'mm, mm/m64', packed('mmx', operation)),
  opcode(`66 0F ${code} /r`, mnemonic, 'xmm, xmm/m128', packed('xmm', operation)),
];

const elements =
  (type: ElementType, compute: (a: number, b: number) => number): VectorOperation =>
  (a, b, result, bytes) => {
    // Stored, a number is taken modulo the size of its element.
    for (let i = 0; i < bytes / ELEMENT_BYTES[type]; i++) result[type][i] = compute(a[type][i]!, b[type][i]!);
  };
const quadwords =
  (compute: (a: bigint, b: bigint) => bigint): VectorOperation =>
  (a, b, result) => {
    for (let i = 0; i < 2; i++) result.u64[i] = BigInt.asUintN(64, compute(a.u64[i]!, b.u64[i]!));
  };

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
const saturating = (type: keyof typeof RANGES, compute: (a: number, b: number) => number): VectorOperation =>
  elements(type, (a, b) => saturate(type, compute(a, b)));
const mask = (holds: boolean): number => (holds ? -1 : 0);
const equal = (a: number, b: number): number => mask(a === b);
const greater = (a: number, b: number): number => mask(a > b);
const average = (a: number, b: number): number => (a + b + 1) >> 1;
const and = quadwords((a, b) => a & b);
const andNot = quadwords((a, b) => ~a & b);
const or = quadwords((a, b) => a | b);
const xor = quadwords((a, b) => a ^ b);

const multiplyAdd: VectorOperation = (a, b, result, bytes) => {
  for (let i = 0; i < bytes / 4; i++) {
    result.i32[i] = a.i16[2 * i]! * b.i16[2 * i]! + a.i16[2 * i + 1]! * b.i16[2 * i + 1]!;
  }
};
const multiplyEven: VectorOperation = (a, b, result) => {
  for (let i = 0; i < 2; i++) result.u64[i] = BigInt(a.u32[2 * i]!) * BigInt(b.u32[2 * i]!);
};
const sumOfDifferences: VectorOperation = (a, b, result) => {
  for (let half = 0; half < 2; half++) {
    let sum = 0;
    for (let i = 8 * half; i < 8 * half + 8; i++) sum += Math.abs(a.u8[i]! - b.u8[i]!);
    result.u64[half] = BigInt(sum);
  }
};

const logic = (code: string, name: string, operation: VectorOperation): Opcode[] => [
  opcode(`NP 0F ${code} /r`, `${name}PS`, 'xmm, xmm/m128', packed('xmm', operation)),
  opcode(`66 0F ${code} /r`, `${name}PD`, 'xmm, xmm/m128', packed('xmm', operation)),
];

export const PACKED_INTEGER: readonly Opcode[] = [
  ...inBothFiles('FC', 'PADDB', elements('u8', add)),
  ...inBothFiles('FD', 'PADDW', elements('u16', add)),
  ...inBothFiles('FE', 'PADDD', elements('u32', add)),
  ...inBothFiles(
    'D4',
    'PADDQ',
    quadwords((a, b) => a + b),
  ),
  ...inBothFiles('EC', 'PADDSB', saturating('i8', add)),
  ...inBothFiles('ED', 'PADDSW', saturating('i16', add)),
  ...inBothFiles('DC', 'PADDUSB', saturating('u8', add)),
  ...inBothFiles('DD', 'PADDUSW', saturating('u16', add)),
  ...inBothFiles('F8', 'PSUBB', elements('u8', subtract)),
  ...inBothFiles('F9', 'PSUBW', elements('u16', subtract)),
  ...inBothFiles('FA', 'PSUBD', elements('u32', subtract)),
  ...inBothFiles(
    'FB',
    'PSUBQ',
    quadwords((a, b) => a - b),
  ),
  ...inBothFiles('E8', 'PSUBSB', saturating('i8', subtract)),
  ...inBothFiles('E9', 'PSUBSW', saturating('i16', subtract)),
  ...inBothFiles('D8', 'PSUBUSB', saturating('u8', subtract)),
  ...inBothFiles('D9', 'PSUBUSW', saturating('u16', subtract)),
  ...inBothFiles('74', 'PCMPEQB', elements('u8', equal)),
  ...inBothFiles('75', 'PCMPEQW', elements('u16', equal)),
  ...inBothFiles('76', 'PCMPEQD', elements('u32', equal)),
  ...inBothFiles('64', 'PCMPGTB', elements('i8', greater)),
  ...inBothFiles('65', 'PCMPGTW', elements('i16', greater)),
  ...inBothFiles('66', 'PCMPGTD', elements('i32', greater)),
  ...inBothFiles('DA', 'PMINUB', elements('u8', Math.min)),
  ...inBothFiles('DE', 'PMAXUB', elements('u8', Math.max)),
  ...inBothFiles('EA', 'PMINSW', elements('i16', Math.min)),
  ...inBothFiles('EE', 'PMAXSW', elements('i16', Math.max)),
  ...inBothFiles('E0', 'PAVGB', elements('u8', average)),
  ...inBothFiles('E3', 'PAVGW', elements('u16', average)),
  ...inBothFiles(
    'D5',
    'PMULLW',
    elements('i16', (a, b) => a * b),
  ),
  ...inBothFiles(
    'E5',
    'PMULHW',
    elements('i16', (a, b) => (a * b) >> 16),
  ),
  ...inBothFiles(
    'E4',
    'PMULHUW',
    elements('u16', (a, b) => Math.floor((a * b) / 0x10000)),
  ),
  ...inBothFiles('F5', 'PMADDWD', multiplyAdd),
  ...inBothFiles('F4', 'PMULUDQ', multiplyEven),
  ...inBothFiles('F6', 'PSADBW', sumOfDifferences),
  ...inBothFiles('DB', 'PAND', and),
  ...inBothFiles('DF', 'PANDN', andNot),
  ...inBothFiles('EB', 'POR', or),
  ...inBothFiles('EF', 'PXOR', xor),
  ...logic('54', 'AND', and),
  ...logic('55', 'ANDN', andNot),
  ...logic('56', 'OR', or),
  ...logic('57', 'XOR', xor),
];
