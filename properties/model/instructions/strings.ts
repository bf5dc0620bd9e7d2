/**
 * String instructions (Intel SDM volume 2: MOVS, CMPS, STOS, LODS, SCAS, REP/REPE/REPNE). One execution is one iteration:
 * with a repeat prefix the instruction comes again while there is more to do.
 */
import { CS, DS, ES } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { difference } from './arithmetic.js';
import { openWhereFaulting } from './open-order.js';
import { type IntegerWidth, RAX, RCX, RDI, RSI, unsigned } from './values.js';

const pointer = (cpu: Cpu, register: number): bigint => cpu.register(register, cpu.addressSize);
function advance(cpu: Cpu, register: number, width: IntegerWidth): void {
  const step = BigInt(width / 8);
  cpu.setRegister(register, cpu.addressSize, unsigned(pointer(cpu, register) + (cpu.flag('df') ? -step : step), cpu.addressSize));
}

const loadSource = (cpu: Cpu, width: IntegerWidth): bigint => cpu.load(cpu.instruction.segmentOverride ?? DS, pointer(cpu, RSI), width / 8);
/** The segment of the destination is ES, whatever the prefixes. */
const loadDestination = (cpu: Cpu, width: IntegerWidth): bigint => cpu.load(ES, pointer(cpu, RDI), width / 8);
function storeDestination(cpu: Cpu, width: IntegerWidth, value: bigint): void {
  const offset = pointer(cpu, RDI);
  cpu.store(ES, offset, width / 8, value);
  if (cpu.instruction.repeat === 0) return;
  // Where base addresses count; elsewhere they are the same for both.
  const { state } = cpu;
  const distance = cpu.codeBits === 64 ? offset - state.rip : state.segmentBase(ES) + offset - state.segmentBase(CS) - state.rip;
  if (distance > BigInt(-width / 8) && distance < BigInt(cpu.instruction.length)) cpu.undefine('rep.code');
}

type Iteration = (cpu: Cpu, width: IntegerWidth) => void;

const moveString: Iteration = (cpu, width) => {
  storeDestination(cpu, width, loadSource(cpu, width));
  advance(cpu, RSI, width);
  advance(cpu, RDI, width);
};
const compareStrings: Iteration = (cpu, width) => {
  const first = openWhereFaulting(cpu, 'cmps.order', () => loadSource(cpu, width));
  difference(cpu, first, loadDestination(cpu, width), 0n, width);
  advance(cpu, RSI, width);
  advance(cpu, RDI, width);
};
const storeString: Iteration = (cpu, width) => {
  storeDestination(cpu, width, cpu.register(RAX, width));
  advance(cpu, RDI, width);
};
const loadString: Iteration = (cpu, width) => {
  cpu.setRegister(RAX, width, loadSource(cpu, width));
  advance(cpu, RSI, width);
};
const scanString: Iteration = (cpu, width) => {
  difference(cpu, cpu.register(RAX, width), loadDestination(cpu, width), 0n, width);
  advance(cpu, RDI, width);
};

/** F3 and F2 differ where ZF ends a repetition only. */
const string = (iteration: Iteration, byte: boolean, comparing: boolean) => (cpu: Cpu) => {
  const width = byte ? 8 : cpu.operandSize;
  const { repeat } = cpu.instruction;
  if (repeat === 0) {
    iteration(cpu, width);
    return;
  }
  const count = cpu.register(RCX, cpu.addressSize);
  if (count === 0n) {
    if (cpu.codeBits === 64 && cpu.addressSize === 32) cpu.undefine('rep.zero');
    return;
  }
  iteration(cpu, width);
  cpu.setRegister(RCX, cpu.addressSize, count - 1n);
  const ended = comparing && cpu.flag('zf') !== (repeat === 0xf3);
  if (count > 1n && !ended) cpu.repeatInstruction();
};

const pair = (byteOpcode: string, opcodeOfSize: string, mnemonic: string, iteration: Iteration, comparing: boolean): Opcode[] => [
  opcode(byteOpcode, mnemonic, '', string(iteration, true, comparing)),
  opcode(opcodeOfSize, mnemonic, '', string(iteration, false, comparing)),
];

export const STRINGS: readonly Opcode[] = [
  ...pair('A4', 'A5', 'MOVS', moveString, false),
  ...pair('A6', 'A7', 'CMPS', compareStrings, true),
  ...pair('AA', 'AB', 'STOS', storeString, false),
  ...pair('AC', 'AD', 'LODS', loadString, false),
  ...pair('AE', 'AF', 'SCAS', scanString, true),
];
