/**
 * Floating-point arithmetic and comparisons, packed and scalar, and the approximations of reciprocals (Intel SDM volume 2, ADDPS to
 * UCOMISS).
 */
import { CPU_STATE } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { Arithmetic, type Relation } from './arithmetic.js';
import { bitLength, DOUBLE, type Format, integerSquareRoot, SINGLE, unpack } from './float-format.js';
import { deliverExceptions } from './mxcsr.js';
import { readOperand, requireSse, writeLow } from './registers.js';

/** Destination element, source element, third operand. */
type Operation = (arithmetic: Arithmetic, format: Format, a: bigint, b: bigint, immediate: number) => bigint;

export const arithmeticOf = (cpu: Cpu): Arithmetic => new Arithmetic(cpu.state.u32(CPU_STATE.mxcsr));

const immediateOf = (cpu: Cpu, operands: string): number => (operands.endsWith('imm8') ? Number(cpu.read(2)) : 0);

const packed = (format: Format, operation: Operation, operands: string) => (cpu: Cpu) => {
  requireSse(cpu);
  const source = readOperand(cpu, 'xmm', 1);
  const number = cpu.registerNumber(0);
  const destination = cpu.xmm(number);
  const immediate = immediateOf(cpu, operands);
  const arithmetic = arithmeticOf(cpu);
  let result = 0n;
  for (let at = 0; at < 128; at += format.width) {
    const a = BigInt.asUintN(format.width, destination >> BigInt(at));
    const b = BigInt.asUintN(format.width, source >> BigInt(at));
    result |= operation(arithmetic, format, a, b, immediate) << BigInt(at);
  }
  deliverExceptions(cpu, arithmetic.exceptions);
  cpu.setXmm(number, result);
};
const scalar = (format: Format, operation: Operation, operands: string) => (cpu: Cpu) => {
  requireSse(cpu);
  const b = readOperand(cpu, 'xmm', 1, format.width / 8);
  const a = BigInt.asUintN(format.width, cpu.xmm(cpu.registerNumber(0)));
  const arithmetic = arithmeticOf(cpu);
  const result = operation(arithmetic, format, a, b, immediateOf(cpu, operands));
  deliverExceptions(cpu, arithmetic.exceptions);
  writeLow(cpu, 0, format.width, result);
};

const forms = (code: string, mnemonic: string, operation: Operation, third = ''): Opcode[] =>
  (
    [
      ['NP', 'PS', `xmm, xmm/m128${third}`, packed, SINGLE],
      ['66', 'PD', `xmm, xmm/m128${third}`, packed, DOUBLE],
      ['F3', 'SS', `xmm, xmm/m32${third}`, scalar, SINGLE],
      ['F2', 'SD', `xmm, xmm/m64${third}`, scalar, DOUBLE],
    ] as const
  ).map(([prefix, suffix, operands, form, format]) =>
    opcode(`${prefix} 0F ${code} /r`, mnemonic + suffix, operands, form(format, operation, operands)),
  );

/** CMPPS, table 3-1: EQ, LT, LE, UNORD and their negations; the orderings do not take quiet NaNs. */
const PREDICATES: readonly { readonly relations: readonly Relation[]; readonly quietIsInvalid: boolean }[] = [
  { relations: ['equal'], quietIsInvalid: false },
  { relations: ['less'], quietIsInvalid: true },
  { relations: ['less', 'equal'], quietIsInvalid: true },
  { relations: ['unordered'], quietIsInvalid: false },
];
const compareMask: Operation = (arithmetic, format, a, b, immediate) => {
  const { relations, quietIsInvalid } = PREDICATES[immediate & 3]!;
  const negated = (immediate & 4) !== 0;
  const holds = relations.includes(arithmetic.compare(format, a, b, quietIsInvalid)) !== negated;
  return holds ? BigInt.asUintN(format.width, -1n) : 0n;
};

const compareIntoFlags = (format: Format, quietIsInvalid: boolean) => (cpu: Cpu) => {
  requireSse(cpu);
  const b = readOperand(cpu, 'xmm', 1, format.width / 8);
  const a = BigInt.asUintN(format.width, cpu.xmm(cpu.registerNumber(0)));
  const arithmetic = arithmeticOf(cpu);
  const relation = arithmetic.compare(format, a, b, quietIsInvalid);
  deliverExceptions(cpu, arithmetic.exceptions);
  const unordered = relation === 'unordered';
  cpu.setFlag('zf', unordered || relation === 'equal');
  cpu.setFlag('pf', unordered);
  cpu.setFlag('cf', unordered || relation === 'less');
  for (const name of ['of', 'sf', 'af'] as const) cpu.setFlag(name, false);
};

/**
 * Policy rcp.digits: twelve fraction bits, the nearest to the exact value, whose distance from the middle between two is never
 * zero. MXCSR plays no part; denormal operands count as zeros and denormal results become zeros.
 */
const RESULT_PRECISION = 13;

/** sqrt(significand x 2^exponent) or the number itself, and one divided by it, as a binary32 without sign. */
function approximateInverse(significand: bigint, exponent: number, ofRoot: boolean): bigint {
  const EXTRA = 100;
  // 2^(2 x EXTRA) / x, of which the root is 2^EXTRA / sqrt(x).
  const even = exponent % 2 === 0 ? significand : significand << 1n;
  const inverse = ofRoot ? integerSquareRoot((1n << BigInt(2 * EXTRA)) / even) : (1n << BigInt(EXTRA)) / significand;
  const inverseExponent = ofRoot ? -Math.floor(exponent / 2) - EXTRA : -exponent - EXTRA;
  const drop = bitLength(inverse) - RESULT_PRECISION;
  const rounded = ((inverse >> BigInt(drop - 1)) + 1n) >> 1n;
  const leading = inverseExponent + drop + bitLength(rounded) - 1;
  if (leading < SINGLE.minExponent) return 0n;
  const fraction = (rounded << BigInt(SINGLE.precision - bitLength(rounded))) & SINGLE.fractionMask;
  return (BigInt(leading + SINGLE.maxExponent) << BigInt(SINGLE.precision - 1)) | fraction;
}

const approximation =
  (ofRoot: boolean): Operation =>
  (_arithmetic, format, _a, b) => {
    const x = unpack(format, b);
    const sign = b & format.signBit;
    if (x.kind === 'quiet' || x.kind === 'signaling') return b | format.quietBit;
    const isZero = x.kind === 'zero' || (x.kind === 'finite' && x.denormal);
    if (isZero) return sign | format.infinity;
    if (ofRoot && x.negative) return format.indefinite;
    if (x.kind !== 'finite') return sign;
    return sign | approximateInverse(x.significand, x.exponent, ofRoot);
  };
const approximations = (code: string, mnemonic: string, policyId: string, ofRoot: boolean): Opcode[] => {
  const operation = approximation(ofRoot);
  const withPolicy = (execute: (cpu: Cpu) => void) => (cpu: Cpu) => {
    cpu.undefine(policyId);
    execute(cpu);
  };
  return [
    opcode(`NP 0F ${code} /r`, `${mnemonic}PS`, 'xmm, xmm/m128', withPolicy(packed(SINGLE, operation, ''))),
    opcode(`F3 0F ${code} /r`, `${mnemonic}SS`, 'xmm, xmm/m32', withPolicy(scalar(SINGLE, operation, ''))),
  ];
};

export const FLOAT_OPERATIONS: readonly Opcode[] = [
  ...forms('51', 'SQRT', (arithmetic, format, _a, b) => arithmetic.squareRoot(format, b)),
  ...approximations('52', 'RSQRT', 'rsqrt.digits', true),
  ...approximations('53', 'RCP', 'rcp.digits', false),
  ...forms('58', 'ADD', (arithmetic, format, a, b) => arithmetic.add(format, a, b)),
  ...forms('59', 'MUL', (arithmetic, format, a, b) => arithmetic.multiply(format, a, b)),
  ...forms('5C', 'SUB', (arithmetic, format, a, b) => arithmetic.subtract(format, a, b)),
  ...forms('5D', 'MIN', (arithmetic, format, a, b) => arithmetic.minimum(format, a, b)),
  ...forms('5E', 'DIV', (arithmetic, format, a, b) => arithmetic.divide(format, a, b)),
  ...forms('5F', 'MAX', (arithmetic, format, a, b) => arithmetic.maximum(format, a, b)),
  ...forms('C2', 'CMP', compareMask, ', imm8'),
  opcode('NP 0F 2E /r', 'UCOMISS', 'xmm, xmm/m32', compareIntoFlags(SINGLE, false)),
  opcode('66 0F 2E /r', 'UCOMISD', 'xmm, xmm/m64', compareIntoFlags(DOUBLE, false)),
  opcode('NP 0F 2F /r', 'COMISS', 'xmm, xmm/m32', compareIntoFlags(SINGLE, true)),
  opcode('66 0F 2F /r', 'COMISD', 'xmm, xmm/m64', compareIntoFlags(DOUBLE, true)),
];
