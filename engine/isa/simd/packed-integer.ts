/**
 * Packed integer arithmetic, comparison and logic on MMX and XMM registers (Intel SDM volume 2). One operation serves
 * both register files: the upper half of an MMX operand is zeros, and the upper half of the result is dropped.
 */
import type { Context } from '../../translate/context.js';
import { I32, V128 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { type RegisterFile, readPacked, requireFile, writePacked } from './operands.js';
import { AND, AND_NOT, I8, I16, I32X4, I64X2, OR, XOR } from './vector-opcodes.js';

/** Both operands are locals. */
export type PackedOperation = (c: Context, a: V128, b: V128, file: RegisterFile) => V128;

export const packed =
  (file: RegisterFile, operation: PackedOperation): Semantics =>
  (c) => {
    requireFile(c, file);
    const b = readPacked(c, 1, file);
    const a = readPacked(c, 0, file);
    writePacked(c, 0, file, operation(c, a, b, file));
  };

/** The MMX and the XMM row of an instruction. */
export const inBothFiles = (opcode: string, mnemonic: string, operation: PackedOperation, mmxSource = 'Qq'): Definition[] => [
  row(`NP 0F ${opcode} /r`, mnemonic, `Pq,${mmxSource}`, packed('mmx', operation)),
  row(`66 0F ${opcode} /r`, mnemonic, 'Vx,Wx', packed('xmm', operation)),
];

const vector =
  (opcode: number): PackedOperation =>
  (_c, a, b) =>
    a.op(opcode, b);

const andNot: PackedOperation = (_c, a, b) => b.op(AND_NOT, a);

/** The upper halves of 32-bit products. */
const UPPER_WORDS = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
const multiplyHigh =
  (low: number, high: number): PackedOperation =>
  (_c, a, b) =>
    a.op(low, b).shuffle(a.op(high, b), UPPER_WORDS);

const EVEN_DOUBLEWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
const multiplyEven: PackedOperation = (_c, a, b) => a.shuffle(a, EVEN_DOUBLEWORDS).op(I64X2.multiplyLowU, b.shuffle(b, EVEN_DOUBLEWORDS));

const LOWER_DOUBLEWORDS = V128.of([255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]);
/** PSADBW: absolute differences of bytes, summed over each eight. */
const sumOfDifferences: PackedOperation = (c, a, b) => {
  const differences = a.op(I8.maxU, b).op(I8.sub, a.op(I8.minU, b));
  const sums = c.let(differences.op(I16.addPairsU).op(I32X4.addPairsU));
  return sums.op(I64X2.add, sums.op(I64X2.shrU, I32.of(32))).op(AND, LOWER_DOUBLEWORDS);
};

/** Instructions that MMX brought and SSE2 extended to XMM registers, and those that SSE and SSE2 brought for both. */
export const PACKED_INTEGER: readonly Definition[] = [
  ...inBothFiles('64', 'pcmpgtb', vector(I8.gtS)),
  ...inBothFiles('65', 'pcmpgtw', vector(I16.gtS)),
  ...inBothFiles('66', 'pcmpgtd', vector(I32X4.gtS)),
  ...inBothFiles('74', 'pcmpeqb', vector(I8.eq)),
  ...inBothFiles('75', 'pcmpeqw', vector(I16.eq)),
  ...inBothFiles('76', 'pcmpeqd', vector(I32X4.eq)),
  ...inBothFiles('D4', 'paddq', vector(I64X2.add)),
  ...inBothFiles('D5', 'pmullw', vector(I16.mul)),
  ...inBothFiles('D8', 'psubusb', vector(I8.subSatU)),
  ...inBothFiles('D9', 'psubusw', vector(I16.subSatU)),
  ...inBothFiles('DA', 'pminub', vector(I8.minU)),
  ...inBothFiles('DB', 'pand', vector(AND)),
  ...inBothFiles('DC', 'paddusb', vector(I8.addSatU)),
  ...inBothFiles('DD', 'paddusw', vector(I16.addSatU)),
  ...inBothFiles('DE', 'pmaxub', vector(I8.maxU)),
  ...inBothFiles('DF', 'pandn', andNot),
  ...inBothFiles('E0', 'pavgb', vector(I8.averageU)),
  ...inBothFiles('E3', 'pavgw', vector(I16.averageU)),
  ...inBothFiles('E4', 'pmulhuw', multiplyHigh(I32X4.multiplyLowU, I32X4.multiplyHighU)),
  ...inBothFiles('E5', 'pmulhw', multiplyHigh(I32X4.multiplyLowS, I32X4.multiplyHighS)),
  ...inBothFiles('E8', 'psubsb', vector(I8.subSatS)),
  ...inBothFiles('E9', 'psubsw', vector(I16.subSatS)),
  ...inBothFiles('EA', 'pminsw', vector(I16.minS)),
  ...inBothFiles('EB', 'por', vector(OR)),
  ...inBothFiles('EC', 'paddsb', vector(I8.addSatS)),
  ...inBothFiles('ED', 'paddsw', vector(I16.addSatS)),
  ...inBothFiles('EE', 'pmaxsw', vector(I16.maxS)),
  ...inBothFiles('EF', 'pxor', vector(XOR)),
  ...inBothFiles('F4', 'pmuludq', multiplyEven),
  ...inBothFiles('F5', 'pmaddwd', vector(I32X4.dot)),
  ...inBothFiles('F6', 'psadbw', sumOfDifferences),
  ...inBothFiles('F8', 'psubb', vector(I8.sub)),
  ...inBothFiles('F9', 'psubw', vector(I16.sub)),
  ...inBothFiles('FA', 'psubd', vector(I32X4.sub)),
  ...inBothFiles('FB', 'psubq', vector(I64X2.sub)),
  ...inBothFiles('FC', 'paddb', vector(I8.add)),
  ...inBothFiles('FD', 'paddw', vector(I16.add)),
  ...inBothFiles('FE', 'paddd', vector(I32X4.add)),
  // The bitwise instructions of SSE and SSE2 (SDM volume 2, ANDPS and so on) differ in nothing but their encoding.
  ...['NP', '66'].flatMap((prefix) => {
    const suffix = prefix === 'NP' ? 'ps' : 'pd';
    return [
      row(`${prefix} 0F 54 /r`, `and${suffix}`, 'Vx,Wx', packed('xmm', vector(AND))),
      row(`${prefix} 0F 55 /r`, `andn${suffix}`, 'Vx,Wx', packed('xmm', andNot)),
      row(`${prefix} 0F 56 /r`, `or${suffix}`, 'Vx,Wx', packed('xmm', vector(OR))),
      row(`${prefix} 0F 57 /r`, `xor${suffix}`, 'Vx,Wx', packed('xmm', vector(XOR))),
    ];
  }),
];
