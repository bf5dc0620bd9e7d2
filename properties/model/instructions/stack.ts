/** The stack (Intel SDM volume 2: PUSH, POP, PUSHA, POPA, ENTER, LEAVE). PUSH and POP of segment registers are not here. */
import { SS } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { openWhereFaulting } from './open-order.js';
import { RAX, RBP, RDI, RSP, unsigned } from './values.js';

/** An operand that uses ESP, or is ESP, has its value before the push. */
const push = (cpu: Cpu): void => cpu.push(cpu.read(0));

/** An address that uses ESP has its value after the pop; so has POP ESP, which the popped value then overwrites. */
const pop = (cpu: Cpu): void => cpu.write(0, cpu.pop());

const stackOffset = (cpu: Cpu, pointer: bigint): bigint => unsigned(pointer, cpu.stackBits);

/** Nothing is written unless all of it can be. */
function pushAll(cpu: Cpu): void {
  const bytes = cpu.operandSize / 8;
  const before = cpu.register(RSP, 32);
  const check = (place: number): void => cpu.checkStore(SS, stackOffset(cpu, before - BigInt(place * bytes)), bytes);
  check(1);
  openWhereFaulting(cpu, 'pusha.fault', () => {
    for (let place = 2; place <= 8; place++) check(place);
  });
  for (let number = RAX; number <= RDI; number++) cpu.push(number === RSP ? before : cpu.register(number, 32));
}

/** What was pushed for ESP is passed over. */
function popAll(cpu: Cpu): void {
  cpu.setRegister(RDI, cpu.operandSize, cpu.pop());
  openWhereFaulting(cpu, 'popa.fault', () => {
    for (let number = RDI - 1; number >= RAX; number--) {
      const value = cpu.pop();
      if (number !== RSP) cpu.setRegister(number, cpu.operandSize, value);
    }
  });
}

/** Of the i-th pointer of the display that ENTER copies. */
const displayOffset = (cpu: Cpu, i: number): bigint => stackOffset(cpu, cpu.register(RBP, 64) - BigInt(i * (cpu.operandSize / 8)));

/**
 * Every access is checked first, so that a fault leaves the stack as it was. The display is read as the pushes before have made
 * it, where it overlaps the new frame.
 */
function enter(cpu: Cpu): void {
  const allocated = cpu.read(0);
  const level = Number(cpu.read(1)) & 31;
  const bytes = cpu.operandSize / 8;
  let bottom = cpu.register(RSP, cpu.stackBits);
  const check = (): void => {
    bottom = stackOffset(cpu, bottom - BigInt(bytes));
    cpu.checkStore(SS, bottom, bytes);
  };
  check();
  const top = openWhereFaulting(cpu, 'enter.fault', () => {
    for (let i = 1; i < level; i++) {
      cpu.load(SS, displayOffset(cpu, i), bytes);
      check();
    }
    if (level > 0) check();
    const top = stackOffset(cpu, bottom - allocated);
    // Faults as a write at the final stack pointer would.
    cpu.checkStore(SS, top, bytes);
    return top;
  });
  const push = (value: bigint): void => cpu.push(unsigned(value, cpu.operandSize));
  push(cpu.register(RBP, 64));
  const frame = cpu.register(RSP, 64);
  for (let i = 1; i < level; i++) push(cpu.load(SS, displayOffset(cpu, i), bytes));
  if (level > 0) push(frame);
  cpu.setRegister(RBP, cpu.operandSize, unsigned(frame, cpu.operandSize));
  cpu.setRegister(RSP, cpu.stackBits, top);
}

function leave(cpu: Cpu): void {
  cpu.setRegister(RSP, cpu.stackBits, cpu.register(RBP, cpu.stackBits));
  cpu.setRegister(RBP, cpu.operandSize, cpu.pop());
}

const default64 = { default64: true } as const;
const not64 = { not64: true } as const;

export const STACK: readonly Opcode[] = [
  opcode('50+r', 'PUSH', 'rv', push, default64),
  opcode('58+r', 'POP', 'rv', pop, default64),
  opcode('68', 'PUSH', 'immz', push, default64),
  opcode('6A', 'PUSH', 'imm8s', push, default64),
  opcode('FF /6', 'PUSH', 'r/mv', push, default64),
  opcode('8F /0', 'POP', 'r/mv', pop, default64),
  opcode('60', 'PUSHA', '', pushAll, not64),
  opcode('61', 'POPA', '', popAll, not64),
  opcode('C8', 'ENTER', 'imm16,imm8', enter, default64),
  opcode('C9', 'LEAVE', '', leave, default64),
];
