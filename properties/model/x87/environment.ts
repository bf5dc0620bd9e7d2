/**
 * FLDENV, FNSTENV, FRSTOR, FNSAVE (Intel SDM volume 1, section 8.1.10, figures 8-9 to 8-12; volume 2). Seven words of the
 * operand size, 16 or 32 bits (32 also with REX.W): control, status, tags, and four that say where the last instruction
 * and its operand were, as offset and selector in protected mode and as linear address in real-address and virtual-8086
 * mode.
 */
import { CPU_STATE } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { initialise } from './control.js';
import { extendedBits, extendedOfBits } from './conversions.js';
import { inParts } from './operands.js';
import { tagOf } from './real.js';
import { Unit } from './unit.js';
import { EXCEPTIONS } from './words.js';

const TAGS = { valid: 0, zero: 1, special: 2, empty: 3 } as const;
const REGISTER_BYTES = 10;

function tagWord(unit: Unit): number {
  let word = 0;
  for (let register = 0; register < 8; register++) {
    const isEmpty = ((unit.empty >> register) & 1) === 1;
    word |= TAGS[isEmpty ? 'empty' : tagOf(unit.physical(register))] << (2 * register);
  }
  return word;
}
/** Only "empty" is taken from a tag word: the rest follows from the contents. */
function setTagWord(unit: Unit, word: number): void {
  let empty = 0;
  for (let register = 0; register < 8; register++) if (((word >> (2 * register)) & 3) === TAGS.empty) empty |= 1 << register;
  unit.empty = empty;
}

interface Format {
  readonly wordBytes: 2 | 4;
  readonly hasSelectors: boolean;
}
const formatOf = (cpu: Cpu): Format => ({
  wordBytes: cpu.operandSize === 16 ? 2 : 4,
  hasSelectors: cpu.protectedMode && !cpu.virtual8086,
});
const environmentBytes = ({ wordBytes }: Format): number => 7 * wordBytes;

/** The fourth to seventh word. */
function pointerWords(cpu: Cpu, { wordBytes, hasSelectors }: Format): bigint[] {
  const { state } = cpu;
  const instruction = state.u64(CPU_STATE.x87InstructionOffset);
  const operand = state.u64(CPU_STATE.x87OperandOffset);
  const instructionSelector = BigInt(state.u16(CPU_STATE.x87InstructionSelector));
  const operandSelector = BigInt(state.u16(CPU_STATE.x87OperandSelector));
  const lastOpcode = BigInt(state.u16(CPU_STATE.x87Opcode) & 0x7ff);
  if (hasSelectors) {
    if (wordBytes === 2) return [instruction, instructionSelector, operand, operandSelector];
    return [instruction, (lastOpcode << 16n) | instructionSelector, operand, 0xffff_0000n | operandSelector];
  }
  const code = instruction + (instructionSelector << 4n);
  const data = operand + (operandSelector << 4n);
  // Bits from 16 on go to bits from 12 on: all sixteen of them, or four when words are short.
  const upper = (linear: bigint): bigint => BigInt.asUintN(16, linear >> 16n) << 12n;
  return [BigInt.asUintN(16, code), upper(code) | lastOpcode, BigInt.asUintN(16, data), upper(data)];
}

function setPointers(cpu: Cpu, { wordBytes, hasSelectors }: Format, words: readonly bigint[]): void {
  const [first, second, third, fourth] = words as readonly [bigint, bigint, bigint, bigint];
  const upper = (word: bigint): bigint => BigInt.asUintN(wordBytes === 2 ? 4 : 16, word >> 12n) << 16n;
  const { state } = cpu;
  state.setU64(CPU_STATE.x87InstructionOffset, hasSelectors ? first : BigInt.asUintN(16, first) | upper(second));
  state.setU64(CPU_STATE.x87OperandOffset, hasSelectors ? third : BigInt.asUintN(16, third) | upper(fourth));
  state.setU16(CPU_STATE.x87InstructionSelector, hasSelectors ? Number(second & 0xffffn) : 0);
  state.setU16(CPU_STATE.x87OperandSelector, hasSelectors ? Number(fourth & 0xffffn) : 0);
  // The short form with selectors has no room for the opcode.
  const opcodeWord = hasSelectors ? second >> 16n : second;
  state.setU16(CPU_STATE.x87Opcode, Number(opcodeWord & 0x7ffn));
}

/** An image is one integer, its first byte the lowest: it is one access to memory. */
function environmentImage(unit: Unit, format: Format): bigint {
  const { cpu } = unit;
  const isWide = format.wordBytes === 4;
  cpu.undefine(isWide ? 'x87.environment.long' : 'x87.environment.short');
  const controlWords = [unit.control, unit.status, tagWord(unit)].map((word) => BigInt(word) | (isWide ? 0xffff_0000n : 0n));
  const wordBits = 8 * format.wordBytes;
  return [...controlWords, ...pointerWords(cpu, format)].reduce(
    (image, word, i) => image | (BigInt.asUintN(wordBits, word) << BigInt(i * wordBits)),
    0n,
  );
}

function setEnvironment(unit: Unit, format: Format, image: bigint): void {
  const wordBits = 8 * format.wordBytes;
  const words = [0, 1, 2, 3, 4, 5, 6].map((i) => BigInt.asUintN(wordBits, image >> BigInt(i * wordBits)));
  setTagWord(unit, Number(words[2]! & 0xffffn));
  setPointers(unit.cpu, format, words.slice(3));
  unit.status = Number(words[1]! & 0xffffn);
  unit.control = Number(words[0]! & 0xffffn);
}

function store(cpu: Cpu, image: bigint, bytes: number): void {
  const { segment, offset } = cpu.address(0);
  inParts(cpu, () => cpu.store(segment, offset, bytes, image));
}
function load(cpu: Cpu, bytes: number): bigint {
  cpu.undefine('x87.environment.load');
  const { segment, offset } = cpu.address(0);
  return inParts(cpu, () => cpu.load(segment, offset, bytes));
}

/** FNSTENV masks all exceptions afterwards. */
function storeEnvironment(cpu: Cpu): void {
  const unit = new Unit(cpu);
  unit.requireAvailable();
  const format = formatOf(cpu);
  store(cpu, environmentImage(unit, format), environmentBytes(format));
  unit.control |= EXCEPTIONS;
}

function loadEnvironment(cpu: Cpu): void {
  const unit = new Unit(cpu);
  if (!unit.begin()) return;
  const format = formatOf(cpu);
  setEnvironment(unit, format, load(cpu, environmentBytes(format)));
}

const REGISTERS = 8;
const registerPosition = (format: Format, index: number): bigint => BigInt(8 * (environmentBytes(format) + index * REGISTER_BYTES));

/** FNSAVE: the environment, the registers from ST(0) on, and FNINIT. */
function save(cpu: Cpu): void {
  const unit = new Unit(cpu);
  unit.requireAvailable();
  const format = formatOf(cpu);
  let image = environmentImage(unit, format);
  for (let index = 0; index < REGISTERS; index++) image |= extendedBits(unit.st(index)) << registerPosition(format, index);
  store(cpu, image, environmentBytes(format) + REGISTERS * REGISTER_BYTES);
  initialise(unit);
}

function restore(cpu: Cpu): void {
  const unit = new Unit(cpu);
  if (!unit.begin()) return;
  const format = formatOf(cpu);
  const image = load(cpu, environmentBytes(format) + REGISTERS * REGISTER_BYTES);
  setEnvironment(unit, format, image);
  for (let index = 0; index < REGISTERS; index++) {
    const bits = BigInt.asUintN(8 * REGISTER_BYTES, image >> registerPosition(format, index));
    unit.setPhysical((unit.top + index) & 7, extendedOfBits(bits));
  }
}

export const ENVIRONMENT: readonly Opcode[] = [
  opcode('D9 /4', 'FLDENV', 'm', loadEnvironment),
  opcode('D9 /6', 'FNSTENV', 'm', storeEnvironment),
  opcode('DD /4', 'FRSTOR', 'm', restore),
  opcode('DD /6', 'FNSAVE', 'm', save),
];
