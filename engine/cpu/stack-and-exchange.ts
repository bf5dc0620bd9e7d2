/** ENTER (any nesting level), PUSHA, POPA and CMPXCHG8B (SDM volume 2). */
import { GuestException, invalidOpcode, VECTOR } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { LongStackWriter } from './long-stack.js';
import { setFlag, writeRegister } from './operands.js';
import { stackMask, withinLimit } from './segmentation.js';
import { currentStackWriter, StackReader } from './stack.js';
import { EFLAG } from './state.js';

const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESP = 4;
const EBP = 5;
const EDI = 7;

/** ENTER in 64-bit code. The display is read before anything is written, and seen as the pushes have left it. */
function enterLong(cpu: Cpu, instruction: HostInstruction): void {
  const { state, memory } = cpu;
  const bytes = instruction.operandSize >>> 3;
  const level = instruction.immediate2 & 31;
  const stack = new LongStackWriter(cpu);
  const mask = (1n << BigInt(8 * bytes)) - 1n;
  const pushed = new Map<number, number>();
  const push = (value: bigint): void => {
    stack.push(bytes, value & mask);
    for (let i = 0; i < bytes; i++) pushed.set(stack.pointer + i, Number((value >> BigInt(8 * i)) & 0xffn));
  };
  const read = (offset: number): bigint => {
    const linear = cpu.linear(layout.SS, offset, bytes, false);
    memory.probeRead(linear, bytes);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(pushed.get(linear + i) ?? memory.read8(linear + i) & 0xff);
    return value;
  };
  push(state.reg64(EBP));
  const frame = stack.pointer;
  let display = Number(state.reg64(EBP));
  for (let i = 1; i < level; i++) {
    display -= bytes;
    push(read(display));
  }
  if (level > 0) push(BigInt(frame));
  const top = stack.pointer - (instruction.immediate & 0xffff);
  memory.probeWrite(cpu.linear(layout.SS, top, bytes, true), bytes);
  stack.commit();
  if (bytes === 2) state.setReg16(EBP, frame & 0xffff);
  else state.setReg64(EBP, BigInt(frame));
  state.setReg64(ESP, BigInt(top));
}

/** Immediates: bytes to allocate, nesting level. */
function enter(cpu: Cpu, instruction: HostInstruction): void {
  if (cpu.state.longCode) return enterLong(cpu, instruction);
  const { state } = cpu;
  const bytes = instruction.operandSize >>> 3;
  const level = instruction.immediate2 & 31;
  const stack = currentStackWriter(cpu);
  const segment = state.readSegment(layout.SS);
  const mask = stackMask(segment.attributes);
  const address = (pointer: number): number => {
    const offset = (pointer & mask) >>> 0;
    if (!withinLimit(segment.limit, segment.attributes, offset, bytes)) throw new GuestException(VECTOR.stackFault, 0);
    return (segment.base + offset) >>> 0;
  };
  /** What the pushes so far have put on the stack: the display that is copied may overlap the frame being made. */
  const pushed = new Map<number, number>();
  const push = (value: number): void => {
    stack.push(bytes, value);
    const linear = address(stack.pointer);
    for (let i = 0; i < bytes; i++) pushed.set((linear + i) >>> 0, (value >>> (8 * i)) & 0xff);
  };
  const read = (linear: number): number => {
    const stored = bytes === 4 ? cpu.memory.read32(linear) : cpu.memory.read16(linear);
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= (pushed.get((linear + i) >>> 0) ?? (stored >>> (8 * i)) & 0xff) << (8 * i);
    return value >>> 0;
  };

  push(state.reg32(EBP));
  const frame = stack.pointer;
  let display = state.reg32(EBP);
  for (let i = 1; i < level; i++) {
    display = (display - bytes) >>> 0;
    push(read(address(display)));
  }
  if (level > 0) push(frame);
  const top = ((stack.pointer & ~mask) | ((stack.pointer - (instruction.immediate & 0xffff)) & mask)) >>> 0;
  // The manual wants the faults of a write at the final stack pointer, although nothing is written there.
  cpu.memory.probeWrite(address(top), bytes);
  stack.commit();
  writeRegister(state, EBP, instruction.operandSize, frame);
  state.setReg32(ESP, top);
}

/** All eight general registers; ESP as it was before the first push. */
function pushAll(cpu: Cpu, instruction: HostInstruction): void {
  const { state } = cpu;
  const stack = currentStackWriter(cpu);
  for (let index = EAX; index <= EDI; index++) stack.push(instruction.operandSize >>> 3, state.reg32(index));
  stack.commit();
  state.setReg32(ESP, stack.pointer);
}

/** The value for ESP is skipped, but read: it can fault like the others. */
function popAll(cpu: Cpu, instruction: HostInstruction): void {
  const { state } = cpu;
  const stack = new StackReader(cpu);
  const values: number[] = [];
  for (let index = EDI; index >= EAX; index--) values[index] = stack.pop(instruction.operandSize >>> 3);
  stack.commit();
  values.forEach((value, index) => {
    if (index !== ESP) writeRegister(state, index, instruction.operandSize, value);
  });
}

function cmpxchg8b(cpu: Cpu, instruction: HostInstruction): void {
  // With REX.W it is CMPXCHG16B, which CPUID does not announce.
  if (!instruction.memory || instruction.operandSize === 64) throw invalidOpcode();
  const { state, memory } = cpu;
  const low = cpu.linear(instruction.segment, instruction.offset, 8, true);
  const high = (low + 4) >>> 0;
  memory.probeWrite(low, 8);
  const oldLow = memory.read32(low) >>> 0;
  const oldHigh = memory.read32(high) >>> 0;
  const equal = oldLow === state.reg32(EAX) && oldHigh === state.reg32(EDX);
  // The processor writes in either case.
  memory.write32(low, equal ? state.reg32(EBX) : oldLow);
  memory.write32(high, equal ? state.reg32(ECX) : oldHigh);
  if (!equal) {
    state.setReg32(EAX, oldLow);
    state.setReg32(EDX, oldHigh);
  }
  setFlag(state, EFLAG.zf, equal);
}

export const stackAndExchangeSemantics: Record<string, HostSemantics> = { enter, pushAll, popAll, cmpxchg8b };
