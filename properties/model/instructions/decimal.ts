/** Decimal adjustment (Intel SDM volume 2: DAA, DAS, AAA, AAS, AAM, AAD), and SALC, which AMD and Intel have without saying so. */
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { RAX, unsigned } from './values.js';

const al = (cpu: Cpu): bigint => cpu.register(RAX, 8);
const setAl = (cpu: Cpu, value: bigint): void => cpu.setRegister(RAX, 8, unsigned(value, 8));
const ah = (cpu: Cpu): bigint => cpu.register(RAX, 16) >> 8n;

function decimalAdjustAddition(cpu: Cpu): void {
  const oldAl = al(cpu);
  const oldCarry = cpu.flag('cf');
  const low = (oldAl & 15n) > 9n || cpu.flag('af');
  const high = oldAl > 0x99n || oldCarry;
  setAl(cpu, oldAl + (low ? 6n : 0n) + (high ? 0x60n : 0n));
  finishDecimal(cpu, high, low);
}

/** Unlike in DAA, the borrow of the low correction reaches CF. */
function decimalAdjustSubtraction(cpu: Cpu): void {
  const oldAl = al(cpu);
  const oldCarry = cpu.flag('cf');
  const low = (oldAl & 15n) > 9n || cpu.flag('af');
  const high = oldAl > 0x99n || oldCarry;
  setAl(cpu, oldAl - (low ? 6n : 0n) - (high ? 0x60n : 0n));
  finishDecimal(cpu, high || (low && oldAl < 6n), low);
}

function finishDecimal(cpu: Cpu, carry: boolean, auxiliaryCarry: boolean): void {
  cpu.setFlag('cf', carry);
  cpu.setFlag('af', auxiliaryCarry);
  cpu.setFlag('of', false);
  cpu.setResultFlags(al(cpu), 8);
  cpu.undefine('daa.of');
}

const asciiAdjust = (direction: 1n | -1n) => (cpu: Cpu) => {
  const adjust = (al(cpu) & 15n) > 9n || cpu.flag('af');
  // AX as a whole: a carry out of AL goes into AH, besides the 1.
  if (adjust) cpu.setRegister(RAX, 16, unsigned(cpu.register(RAX, 16) + direction * 0x106n, 16));
  setAl(cpu, al(cpu) & 15n);
  cpu.setFlag('af', adjust);
  cpu.setFlag('cf', adjust);
  cpu.setFlag('of', false);
  cpu.setResultFlags(al(cpu), 8);
  cpu.undefine('aaa.flags');
};

function asciiAdjustMultiplication(cpu: Cpu): void {
  const base = cpu.read(0);
  if (base === 0n) cpu.raise(VECTOR.de);
  const value = al(cpu);
  cpu.setRegister(RAX, 16, ((value / base) << 8n) | (value % base));
  finishBase(cpu);
}

function asciiAdjustDivision(cpu: Cpu): void {
  const value = unsigned(al(cpu) + ah(cpu) * cpu.read(0), 8);
  cpu.setRegister(RAX, 16, value);
  finishBase(cpu);
}

function finishBase(cpu: Cpu): void {
  cpu.setResultFlags(al(cpu), 8);
  cpu.setFlag('cf', false);
  cpu.setFlag('af', false);
  cpu.setFlag('of', false);
  cpu.undefine('aam.flags');
}

const setAlFromCarry = (cpu: Cpu): void => setAl(cpu, cpu.flag('cf') ? 0xffn : 0n);

const not64 = { not64: true } as const;

export const DECIMAL: readonly Opcode[] = [
  opcode('27', 'DAA', '', decimalAdjustAddition, not64),
  opcode('2F', 'DAS', '', decimalAdjustSubtraction, not64),
  opcode('37', 'AAA', '', asciiAdjust(1n), not64),
  opcode('3F', 'AAS', '', asciiAdjust(-1n), not64),
  opcode('D4', 'AAM', 'imm8', asciiAdjustMultiplication, not64),
  opcode('D5', 'AAD', 'imm8', asciiAdjustDivision, not64),
  opcode('D6', 'SALC', '', setAlFromCarry, not64),
];
