/** Multiplication, division and sign extension of the accumulator (Intel SDM volume 2: MUL, IMUL, DIV, IDIV, CBW, CWD and kin). */
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { type IntegerWidth, integerWidth, RAX, RDX, signed, unsigned } from './values.js';

/** CF = OF: the product does not fit. SF, ZF, AF and PF are undefined and stay. */
function setProductFlags(cpu: Cpu, fits: boolean): void {
  cpu.setFlag('cf', !fits);
  cpu.setFlag('of', !fits);
  cpu.undefine('mul.flags');
}

/** A value of twice the width: AX, DX:AX, EDX:EAX, RDX:RAX. */
function readPair(cpu: Cpu, width: IntegerWidth): bigint {
  if (width === 8) return cpu.register(RAX, 16);
  return (cpu.register(RDX, width) << BigInt(width)) | cpu.register(RAX, width);
}
/** The low half goes to AL or the accumulator, the high half to AH or the data register. */
function writePair(cpu: Cpu, width: IntegerWidth, high: bigint, low: bigint): void {
  if (width === 8) cpu.setRegister(RAX, 16, (unsigned(high, 8) << 8n) | unsigned(low, 8));
  else {
    cpu.setRegister(RAX, width, unsigned(low, width));
    cpu.setRegister(RDX, width, unsigned(high, width));
  }
}

function multiply(cpu: Cpu): void {
  const width = integerWidth(cpu, 0);
  const product = cpu.register(RAX, width) * cpu.read(0);
  writePair(cpu, width, product >> BigInt(width), product);
  setProductFlags(cpu, product === unsigned(product, width));
}

function multiplySigned(cpu: Cpu): void {
  const width = integerWidth(cpu, 0);
  const product = signed(cpu.register(RAX, width), width) * signed(cpu.read(0), width);
  writePair(cpu, width, product >> BigInt(width), product);
  setProductFlags(cpu, product === signed(product, width));
}

/** The first operand becomes the product of two operands, truncated. */
const multiplyInto = (first: number, second: number) => (cpu: Cpu) => {
  const width = integerWidth(cpu, 0);
  const product = signed(cpu.read(first), width) * signed(cpu.read(second), width);
  cpu.write(0, unsigned(product, width));
  setProductFlags(cpu, product === signed(product, width));
};

function divide(cpu: Cpu): void {
  const width = integerWidth(cpu, 0);
  const divisor = cpu.read(0);
  if (divisor === 0n) cpu.raise(VECTOR.de);
  const dividend = readPair(cpu, width);
  const quotient = dividend / divisor;
  if (quotient !== unsigned(quotient, width)) cpu.raise(VECTOR.de);
  writePair(cpu, width, dividend % divisor, quotient);
  cpu.undefine('div.flags');
}

/** Truncates toward zero, and the remainder has the sign of the dividend: as BigInt does. */
function divideSigned(cpu: Cpu): void {
  const width = integerWidth(cpu, 0);
  const divisor = signed(cpu.read(0), width);
  if (divisor === 0n) cpu.raise(VECTOR.de);
  const dividend = signed(readPair(cpu, width), 2 * width);
  const quotient = dividend / divisor;
  if (quotient !== signed(quotient, width)) cpu.raise(VECTOR.de);
  writePair(cpu, width, dividend % divisor, quotient);
  cpu.undefine('div.flags');
}

/** CBW, CWDE, CDQE. */
function extendAccumulator(cpu: Cpu): void {
  const size = cpu.operandSize;
  const half = (size / 2) as 8 | 16 | 32;
  cpu.setRegister(RAX, size, unsigned(signed(cpu.register(RAX, half), half), size));
}
/** CWD, CDQ, CQO. */
function extendIntoData(cpu: Cpu): void {
  const size = cpu.operandSize;
  cpu.setRegister(RDX, size, unsigned(signed(cpu.register(RAX, size), size) >> BigInt(size), size));
}

export const MULTIPLICATION: readonly Opcode[] = [
  opcode('F6 /4', 'MUL', 'r/m8', multiply),
  opcode('F7 /4', 'MUL', 'r/mv', multiply),
  opcode('F6 /5', 'IMUL', 'r/m8', multiplySigned),
  opcode('F7 /5', 'IMUL', 'r/mv', multiplySigned),
  opcode('0F AF /r', 'IMUL', 'rv,r/mv', multiplyInto(0, 1)),
  opcode('69 /r', 'IMUL', 'rv,r/mv,immz', multiplyInto(1, 2)),
  opcode('6B /r', 'IMUL', 'rv,r/mv,imm8s', multiplyInto(1, 2)),
  opcode('F6 /6', 'DIV', 'r/m8', divide),
  opcode('F7 /6', 'DIV', 'r/mv', divide),
  opcode('F6 /7', 'IDIV', 'r/m8', divideSigned),
  opcode('F7 /7', 'IDIV', 'r/mv', divideSigned),
  opcode('98', 'CBW', '', extendAccumulator),
  opcode('99', 'CWD', '', extendIntoData),
];
