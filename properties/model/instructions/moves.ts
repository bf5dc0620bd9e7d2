/** Moves and exchanges (Intel SDM volume 2: MOV, MOVSX, MOVSXD, MOVZX, CMOVcc, SETcc, LEA, XCHG, XADD, CMPXCHG, CMPXCHG8B, BSWAP, XLAT). */
import { DS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { difference, sum } from './arithmetic.js';
import { CONDITIONS, type Condition } from './conditions.js';
import { hexByte } from './notation.js';
import { integerWidth, RAX, RBX, RCX, RDX, signed, unsigned } from './values.js';

const move = (cpu: Cpu): void => cpu.write(0, cpu.read(1));
const moveZeroExtended = move;
const moveSignExtended = (cpu: Cpu): void => cpu.write(0, unsigned(signed(cpu.read(1), integerWidth(cpu, 1)), cpu.operandSize));

/** With an operand size of 16 bits the source has 16 bits, too. */
function moveSignExtendedDouble(cpu: Cpu): void {
  if (cpu.operandSize !== 16) moveSignExtended(cpu);
  else if (cpu.isMemory(1)) {
    const { segment, offset } = cpu.address(1);
    cpu.undefine('movsxd.16');
    cpu.write(0, cpu.load(segment, offset, 2));
  } else cpu.write(0, unsigned(cpu.read(1), 16));
}

/** The source is read whatever the condition, and a 32-bit destination is written: in 64-bit mode its upper half becomes zero. */
const conditionalMove =
  ({ holds }: Condition) =>
  (cpu: Cpu) => {
    const source = cpu.read(1);
    cpu.write(0, holds(cpu) ? source : cpu.read(0));
  };
const setByte =
  ({ holds }: Condition) =>
  (cpu: Cpu) =>
    cpu.write(0, holds(cpu) ? 1n : 0n);

const loadEffectiveAddress = (cpu: Cpu): void => cpu.write(0, unsigned(cpu.address(1).offset, cpu.operandSize));

/** The operand that may be memory goes first: its address may depend on the other one. */
function exchange(cpu: Cpu): void {
  cpu.checkWrite(0);
  const first = cpu.read(0);
  const second = cpu.read(1);
  cpu.write(0, second);
  cpu.write(1, first);
}
/** 90 is NOP: EAX exchanged with itself keeps the upper half of RAX. */
function exchangeWithAccumulator(cpu: Cpu): void {
  if (cpu.registerNumber(0) !== RAX) exchange(cpu);
}

function exchangeAndAdd(cpu: Cpu): void {
  cpu.checkWrite(0);
  const destination = cpu.read(0);
  const result = sum(cpu, destination, cpu.read(1), 0n, integerWidth(cpu, 0));
  if (cpu.isMemory(0)) {
    cpu.write(0, result);
    cpu.write(1, destination);
  } else {
    // Of one register with itself the sum remains.
    cpu.write(1, destination);
    cpu.write(0, result);
  }
}

/** Memory is written in any case; a register only when it is equal, which matters for the upper half of a 32-bit one. */
function compareAndExchange(cpu: Cpu): void {
  const width = integerWidth(cpu, 0);
  cpu.checkWrite(0);
  const destination = cpu.read(0);
  const accumulator = cpu.register(RAX, width);
  difference(cpu, accumulator, destination, 0n, width);
  if (destination === accumulator) cpu.write(0, cpu.read(1));
  else {
    if (cpu.isMemory(0)) cpu.write(0, destination);
    else if (width === 32 && cpu.codeBits === 64) cpu.undefine('cmpxchg.upper');
    cpu.setRegister(RAX, width, destination);
  }
}

/** CMPXCHG16B, its form with REX.W, does not exist: CPUID does not announce it. */
function compareAndExchangeEightBytes(cpu: Cpu): void {
  if (cpu.operandSize === 64) cpu.raise(VECTOR.ud);
  cpu.checkWrite(0);
  const destination = cpu.read(0);
  const equal = destination === ((cpu.register(RDX, 32) << 32n) | cpu.register(RAX, 32));
  cpu.setFlag('zf', equal);
  cpu.write(0, equal ? (cpu.register(RCX, 32) << 32n) | cpu.register(RBX, 32) : destination);
  if (!equal) {
    cpu.setRegister(RAX, 32, unsigned(destination, 32));
    cpu.setRegister(RDX, 32, destination >> 32n);
  }
}

function swapBytes(cpu: Cpu): void {
  const width = integerWidth(cpu, 0);
  if (width === 16) {
    cpu.undefine('bswap.16');
    cpu.write(0, 0n);
    return;
  }
  const value = cpu.read(0);
  let result = 0n;
  for (let position = 0; position < width; position += 8) result = (result << 8n) | ((value >> BigInt(position)) & 0xffn);
  cpu.write(0, result);
}

function translate(cpu: Cpu): void {
  const offset = unsigned(cpu.register(RBX, cpu.addressSize) + cpu.register(RAX, 8), cpu.addressSize);
  cpu.setRegister(RAX, 8, cpu.load(cpu.instruction.segmentOverride ?? DS, offset, 1));
}

const lock = { lock: true } as const;

export const MOVES: readonly Opcode[] = [
  opcode('88 /r', 'MOV', 'r/m8,r8', move),
  opcode('89 /r', 'MOV', 'r/mv,rv', move),
  opcode('8A /r', 'MOV', 'r8,r/m8', move),
  opcode('8B /r', 'MOV', 'rv,r/mv', move),
  opcode('A0', 'MOV', 'al,moffs8', move),
  opcode('A1', 'MOV', 'rax,moffsv', move),
  opcode('A2', 'MOV', 'moffs8,al', move),
  opcode('A3', 'MOV', 'moffsv,rax', move),
  opcode('B0+r', 'MOV', 'r8,imm8', move),
  opcode('B8+r', 'MOV', 'rv,immv', move),
  opcode('C6 /0', 'MOV', 'r/m8,imm8', move),
  opcode('C7 /0', 'MOV', 'r/mv,immz', move),
  opcode('0F B6 /r', 'MOVZX', 'rv,r/m8', moveZeroExtended),
  opcode('0F B7 /r', 'MOVZX', 'rv,r/m16', moveZeroExtended),
  opcode('0F BE /r', 'MOVSX', 'rv,r/m8', moveSignExtended),
  opcode('0F BF /r', 'MOVSX', 'rv,r/m16', moveSignExtended),
  opcode('63 /r', 'MOVSXD', 'rv,r/m32', moveSignExtendedDouble, { only64: true }),
  opcode('8D /r', 'LEA', 'rv,m', loadEffectiveAddress),
  opcode('86 /r', 'XCHG', 'r/m8,r8', exchange, lock),
  opcode('87 /r', 'XCHG', 'r/mv,rv', exchange, lock),
  opcode('90+r', 'XCHG', 'rv,rax', exchangeWithAccumulator),
  opcode('0F C0 /r', 'XADD', 'r/m8,r8', exchangeAndAdd, lock),
  opcode('0F C1 /r', 'XADD', 'r/mv,rv', exchangeAndAdd, lock),
  opcode('0F B0 /r', 'CMPXCHG', 'r/m8,r8', compareAndExchange, lock),
  opcode('0F B1 /r', 'CMPXCHG', 'r/mv,rv', compareAndExchange, lock),
  opcode('0F C7 /1', 'CMPXCHG8B', 'm64', compareAndExchangeEightBytes, lock),
  opcode('0F C8+r', 'BSWAP', 'rv', swapBytes),
  opcode('D7', 'XLAT', '', translate),
  ...CONDITIONS.flatMap((condition, code) => [
    opcode(`0F ${hexByte(0x40 + code)} /r`, `CMOV${condition.suffix}`, 'rv,r/mv', conditionalMove(condition)),
    opcode(`0F ${hexByte(0x90 + code)} /r`, `SET${condition.suffix}`, 'r/m8', setByte(condition)),
  ]),
];
