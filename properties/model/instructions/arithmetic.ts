/** Addition, subtraction and logic (Intel SDM volume 2: ADC, ADD, AND, CMP, DEC, INC, NEG, NOT, OR, SBB, SUB, TEST, XOR). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { hexByte } from './notation.js';
import { type IntegerWidth, integerWidth, modify, mostSignificantBit, unsigned } from './values.js';

type Operation = (cpu: Cpu, destination: bigint, source: bigint, width: IntegerWidth) => bigint;

/** Overflow and auxiliary carry of a sum; the carry is what does not fit. */
export function sum(cpu: Cpu, a: bigint, b: bigint, carry: bigint, width: IntegerWidth): bigint {
  const exact = a + b + carry;
  const result = unsigned(exact, width);
  cpu.setFlag('cf', exact !== result);
  cpu.setFlag('af', (a & 15n) + (b & 15n) + carry > 15n);
  // The signs of the operands agree, and the result has another.
  cpu.setFlag('of', mostSignificantBit((a ^ result) & (b ^ result), width));
  cpu.setResultFlags(result, width);
  return result;
}

export function difference(cpu: Cpu, a: bigint, b: bigint, borrow: bigint, width: IntegerWidth): bigint {
  const result = unsigned(a - b - borrow, width);
  cpu.setFlag('cf', a < b + borrow);
  cpu.setFlag('af', (a & 15n) < (b & 15n) + borrow);
  // The signs of the operands differ, and the result does not have the first one's.
  cpu.setFlag('of', mostSignificantBit((a ^ b) & (a ^ result), width));
  cpu.setResultFlags(result, width);
  return result;
}

const carryOf = (cpu: Cpu): bigint => (cpu.flag('cf') ? 1n : 0n);

const logical =
  (combine: (a: bigint, b: bigint) => bigint): Operation =>
  (cpu, a, b, width) => {
    const result = combine(a, b);
    cpu.setFlag('cf', false);
    cpu.setFlag('of', false);
    cpu.setFlag('af', false);
    cpu.undefine('logic.af');
    cpu.setResultFlags(result, width);
    return result;
  };

const add: Operation = (cpu, a, b, width) => sum(cpu, a, b, 0n, width);
const addWithCarry: Operation = (cpu, a, b, width) => sum(cpu, a, b, carryOf(cpu), width);
const subtract: Operation = (cpu, a, b, width) => difference(cpu, a, b, 0n, width);
const subtractWithBorrow: Operation = (cpu, a, b, width) => difference(cpu, a, b, carryOf(cpu), width);
const and = logical((a, b) => a & b);
const or = logical((a, b) => a | b);
const xor = logical((a, b) => a ^ b);

const writing = (operation: Operation) => (cpu: Cpu) => {
  modify(cpu, (old, width) => operation(cpu, old, cpu.read(1), width));
};
const comparing = (operation: Operation) => (cpu: Cpu) => {
  operation(cpu, cpu.read(0), cpu.read(1), integerWidth(cpu, 0));
};

/** In the order of their encoding, which they share: opcodes 8n to 8n + 5, and ModRM.reg = n of 80-83. */
const GROUP_1: readonly (readonly [string, (cpu: Cpu) => void, { readonly lock?: true }])[] = [
  ['ADD', writing(add), { lock: true }],
  ['OR', writing(or), { lock: true }],
  ['ADC', writing(addWithCarry), { lock: true }],
  ['SBB', writing(subtractWithBorrow), { lock: true }],
  ['AND', writing(and), { lock: true }],
  ['SUB', writing(subtract), { lock: true }],
  ['XOR', writing(xor), { lock: true }],
  ['CMP', comparing(subtract), {}],
];

const group1 = GROUP_1.flatMap(([mnemonic, execute, lock], n) => [
  opcode(`${hexByte(8 * n)} /r`, mnemonic, 'r/m8,r8', execute, lock),
  opcode(`${hexByte(8 * n + 1)} /r`, mnemonic, 'r/mv,rv', execute, lock),
  opcode(`${hexByte(8 * n + 2)} /r`, mnemonic, 'r8,r/m8', execute),
  opcode(`${hexByte(8 * n + 3)} /r`, mnemonic, 'rv,r/mv', execute),
  opcode(hexByte(8 * n + 4), mnemonic, 'al,imm8', execute),
  opcode(hexByte(8 * n + 5), mnemonic, 'rax,immz', execute),
  opcode(`80 /${n}`, mnemonic, 'r/m8,imm8', execute, lock),
  opcode(`81 /${n}`, mnemonic, 'r/mv,immz', execute, lock),
  opcode(`82 /${n}`, mnemonic, 'r/m8,imm8', execute, { ...lock, not64: true }),
  opcode(`83 /${n}`, mnemonic, 'r/mv,imm8s', execute, lock),
]);

/** INC and DEC leave CF alone. */
const counting = (operation: Operation) => (cpu: Cpu) => {
  const carry = cpu.flag('cf');
  modify(cpu, (old, width) => operation(cpu, old, 1n, width));
  cpu.setFlag('cf', carry);
};
const increment = counting(add);
const decrement = counting(subtract);

/** CF = 0 for a zero operand, else 1: the borrow of 0 - operand, like the other flags. */
const negate = (cpu: Cpu): void => modify(cpu, (old, width) => difference(cpu, 0n, old, 0n, width));
const complement = (cpu: Cpu): void => modify(cpu, (old, width) => unsigned(~old, width));
const test = comparing(and);

const lock = { lock: true } as const;

export const ARITHMETIC: readonly Opcode[] = [
  ...group1,
  opcode('84 /r', 'TEST', 'r/m8,r8', test),
  opcode('85 /r', 'TEST', 'r/mv,rv', test),
  opcode('A8', 'TEST', 'al,imm8', test),
  opcode('A9', 'TEST', 'rax,immz', test),
  // /1 is an alias that AMD documents.
  ...[0, 1].flatMap((digit) => [opcode(`F6 /${digit}`, 'TEST', 'r/m8,imm8', test), opcode(`F7 /${digit}`, 'TEST', 'r/mv,immz', test)]),
  opcode('40+r', 'INC', 'rv', increment, { not64: true }),
  opcode('48+r', 'DEC', 'rv', decrement, { not64: true }),
  opcode('FE /0', 'INC', 'r/m8', increment, lock),
  opcode('FE /1', 'DEC', 'r/m8', decrement, lock),
  opcode('FF /0', 'INC', 'r/mv', increment, lock),
  opcode('FF /1', 'DEC', 'r/mv', decrement, lock),
  opcode('F6 /2', 'NOT', 'r/m8', complement, lock),
  opcode('F7 /2', 'NOT', 'r/mv', complement, lock),
  opcode('F6 /3', 'NEG', 'r/m8', negate, lock),
  opcode('F7 /3', 'NEG', 'r/mv', negate, lock),
];
