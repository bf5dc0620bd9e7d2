/** Conversions between integers, binary32 and binary64 (Intel SDM volume 2, CVTDQ2PD to CVTTSS2SI). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import type { Arithmetic } from './arithmetic.js';
import { DOUBLE, type Format, SINGLE } from './float-format.js';
import { arithmeticOf } from './float-operations.js';
import { deliverExceptions } from './mxcsr.js';
import { onFault } from './policy.js';
import { beginWithBoth, enterMmx, isX87ExceptionPending, readOperand, requireSse, writeLow, writeRegister } from './registers.js';

type Convert = (arithmetic: Arithmetic, element: bigint) => bigint;

const fromDoubleword =
  (to: Format): Convert =>
  (arithmetic, element) =>
    arithmetic.fromInteger(to, BigInt.asIntN(32, element));
const toDoubleword =
  (from: Format, truncate: boolean): Convert =>
  (arithmetic, element) =>
    arithmetic.toInteger(from, element, 32, truncate);
const between =
  (from: Format, to: Format): Convert =>
  (arithmetic, element) =>
    arithmetic.convert(from, to, element);

interface Elements {
  readonly count: number;
  readonly fromWidth: 32 | 64;
  readonly toWidth: 32 | 64;
  readonly convert: Convert;
}

function convertElements(cpu: Cpu, source: bigint, { count, fromWidth, toWidth, convert }: Elements): bigint {
  const arithmetic = arithmeticOf(cpu);
  let result = 0n;
  for (let i = 0; i < count; i++) {
    const element = BigInt.asUintN(fromWidth, source >> BigInt(i * fromWidth));
    result |= convert(arithmetic, element) << BigInt(i * toWidth);
  }
  deliverExceptions(cpu, arithmetic.exceptions);
  return result;
}

const sourceBytes = ({ count, fromWidth }: Elements): number => (count * fromWidth) / 8;

/** Between XMM registers; above the results are zeros. */
const packed = (elements: Elements) => (cpu: Cpu) => {
  requireSse(cpu);
  writeRegister(cpu, 'xmm', 0, convertElements(cpu, readOperand(cpu, 'xmm', 1, sourceBytes(elements)), elements));
};

const toMmx = (elements: Elements) => (cpu: Cpu) => {
  if (!beginWithBoth(cpu)) return;
  const source = readOperand(cpu, 'xmm', 1, sourceBytes(elements));
  const result = onFault(cpu, 'cvt.mmx-fault', () => convertElements(cpu, source, elements));
  writeRegister(cpu, 'mmx', 0, result);
};

/** CVTPI2PS: the upper half stays. Memory counts as an MMX register. */
const mmxToSingles = (elements: Elements) => (cpu: Cpu) => {
  if (cpu.isMemory(1)) cpu.undefine(isX87ExceptionPending(cpu) ? 'cvtpi2ps.memory-pending' : 'cvtpi2ps.memory');
  if (!beginWithBoth(cpu)) return;
  const source = readOperand(cpu, 'mmx', 1);
  const result = onFault(cpu, 'cvt.mmx-fault', () => convertElements(cpu, source, elements));
  enterMmx(cpu);
  writeLow(cpu, 0, 64, result);
};
/** CVTPI2PD: with memory it has nothing to do with the x87 state. */
const mmxToDoubles = (elements: Elements) => (cpu: Cpu) => {
  if (cpu.isMemory(1)) requireSse(cpu);
  else if (!beginWithBoth(cpu)) return;
  const result = convertElements(cpu, readOperand(cpu, 'mmx', 1), elements);
  if (!cpu.isMemory(1)) enterMmx(cpu);
  writeRegister(cpu, 'xmm', 0, result);
};

/** From and to a general register of 32 or 64 bits; the rest of an XMM destination stays. */
const integerToScalar = (to: Format) => (cpu: Cpu) => {
  requireSse(cpu);
  const arithmetic = arithmeticOf(cpu);
  const result = arithmetic.fromInteger(to, BigInt.asIntN(cpu.width(1), cpu.read(1)));
  deliverExceptions(cpu, arithmetic.exceptions);
  writeLow(cpu, 0, to.width, result);
};
const scalarToInteger = (from: Format, truncate: boolean) => (cpu: Cpu) => {
  requireSse(cpu);
  const arithmetic = arithmeticOf(cpu);
  const source = readOperand(cpu, 'xmm', 1, from.width / 8);
  const result = arithmetic.toInteger(from, source, cpu.width(0) === 64 ? 64 : 32, truncate);
  deliverExceptions(cpu, arithmetic.exceptions);
  cpu.write(0, result);
};
const scalarToScalar = (from: Format, to: Format) => (cpu: Cpu) => {
  requireSse(cpu);
  const arithmetic = arithmeticOf(cpu);
  const result = arithmetic.convert(from, to, readOperand(cpu, 'xmm', 1, from.width / 8));
  deliverExceptions(cpu, arithmetic.exceptions);
  writeLow(cpu, 0, to.width, result);
};

const singlesToDoublewords = (count: number, truncate: boolean): Elements => ({
  count,
  fromWidth: 32,
  toWidth: 32,
  convert: toDoubleword(SINGLE, truncate),
});
const doublesToDoublewords = (truncate: boolean): Elements => ({
  count: 2,
  fromWidth: 64,
  toWidth: 32,
  convert: toDoubleword(DOUBLE, truncate),
});
const doublewordsToSingles = (count: number): Elements => ({ count, fromWidth: 32, toWidth: 32, convert: fromDoubleword(SINGLE) });
const DOUBLEWORDS_TO_DOUBLES: Elements = { count: 2, fromWidth: 32, toWidth: 64, convert: fromDoubleword(DOUBLE) };
const SINGLES_TO_DOUBLES: Elements = { count: 2, fromWidth: 32, toWidth: 64, convert: between(SINGLE, DOUBLE) };
const DOUBLES_TO_SINGLES: Elements = { count: 2, fromWidth: 64, toWidth: 32, convert: between(DOUBLE, SINGLE) };

export const CONVERSIONS: readonly Opcode[] = [
  opcode('NP 0F 2A /r', 'CVTPI2PS', 'xmm, mm/m64', mmxToSingles(doublewordsToSingles(2))),
  opcode('66 0F 2A /r', 'CVTPI2PD', 'xmm, mm/m64', mmxToDoubles(DOUBLEWORDS_TO_DOUBLES)),
  opcode('F3 0F 2A /r', 'CVTSI2SS', 'xmm, r/my', integerToScalar(SINGLE)),
  opcode('F2 0F 2A /r', 'CVTSI2SD', 'xmm, r/my', integerToScalar(DOUBLE)),
  opcode('NP 0F 2C /r', 'CVTTPS2PI', 'mm, xmm/m64', toMmx(singlesToDoublewords(2, true))),
  opcode('66 0F 2C /r', 'CVTTPD2PI', 'mm, xmm/m128', toMmx(doublesToDoublewords(true))),
  opcode('F3 0F 2C /r', 'CVTTSS2SI', 'ry, xmm/m32', scalarToInteger(SINGLE, true)),
  opcode('F2 0F 2C /r', 'CVTTSD2SI', 'ry, xmm/m64', scalarToInteger(DOUBLE, true)),
  opcode('NP 0F 2D /r', 'CVTPS2PI', 'mm, xmm/m64', toMmx(singlesToDoublewords(2, false))),
  opcode('66 0F 2D /r', 'CVTPD2PI', 'mm, xmm/m128', toMmx(doublesToDoublewords(false))),
  opcode('F3 0F 2D /r', 'CVTSS2SI', 'ry, xmm/m32', scalarToInteger(SINGLE, false)),
  opcode('F2 0F 2D /r', 'CVTSD2SI', 'ry, xmm/m64', scalarToInteger(DOUBLE, false)),
  opcode('NP 0F 5A /r', 'CVTPS2PD', 'xmm, xmm/m64', packed(SINGLES_TO_DOUBLES)),
  opcode('66 0F 5A /r', 'CVTPD2PS', 'xmm, xmm/m128', packed(DOUBLES_TO_SINGLES)),
  opcode('F3 0F 5A /r', 'CVTSS2SD', 'xmm, xmm/m32', scalarToScalar(SINGLE, DOUBLE)),
  opcode('F2 0F 5A /r', 'CVTSD2SS', 'xmm, xmm/m64', scalarToScalar(DOUBLE, SINGLE)),
  opcode('NP 0F 5B /r', 'CVTDQ2PS', 'xmm, xmm/m128', packed(doublewordsToSingles(4))),
  opcode('66 0F 5B /r', 'CVTPS2DQ', 'xmm, xmm/m128', packed(singlesToDoublewords(4, false))),
  opcode('F3 0F 5B /r', 'CVTTPS2DQ', 'xmm, xmm/m128', packed(singlesToDoublewords(4, true))),
  opcode('66 0F E6 /r', 'CVTTPD2DQ', 'xmm, xmm/m128', packed(doublesToDoublewords(true))),
  opcode('F3 0F E6 /r', 'CVTDQ2PD', 'xmm, xmm/m64', packed(DOUBLEWORDS_TO_DOUBLES)),
  opcode('F2 0F E6 /r', 'CVTPD2DQ', 'xmm, xmm/m128', packed(doublesToDoublewords(false))),
];
