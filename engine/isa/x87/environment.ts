/**
 * FLDENV, FNSTENV, FNSAVE, FRSTOR: the FPU's environment in memory in its four layouts (Intel SDM volume 1, section 8.1.10,
 * figures 8-9 to 8-12). Reserved halves are stored as ones in protected mode and as zeros in real mode pointers.
 */
import type { Cpu, HostInstruction, HostSemantics } from '../../cpu/host-instruction.js';
import * as layout from '../../cpu/layout.js';
import { begin, FpuState, requireAvailable, setPointer } from './fpu-state.js';
import { STATUS } from './status.js';

/** In an image, where they lie at even addresses only: read and written by halfwords, as alignment checks want it. */
const REGISTER_BYTES = 10;
const RESERVED = 0xffff_0000;
const OPCODE_MASK = 0x7ff;

interface Pointers {
  readonly instruction: number;
  readonly instructionSelector: number;
  readonly operand: number;
  readonly operandSelector: number;
  readonly opcode: number;
}

function readPointers(cpu: Cpu): Pointers {
  const { state } = cpu;
  return {
    instruction: state.get32(layout.X87_INSTRUCTION_OFFSET),
    instructionSelector: state.get32(layout.X87_INSTRUCTION_SELECTOR) & 0xffff,
    operand: state.get32(layout.X87_OPERAND_OFFSET),
    operandSelector: state.get32(layout.X87_OPERAND_SELECTOR) & 0xffff,
    opcode: state.get32(layout.X87_OPCODE) & OPCODE_MASK,
  };
}
function writePointers(cpu: Cpu, pointers: Pointers): void {
  const { state } = cpu;
  // Images hold 32 bits of an offset.
  setPointer(state, layout.X87_INSTRUCTION_OFFSET, BigInt(pointers.instruction >>> 0));
  state.set32(layout.X87_INSTRUCTION_SELECTOR, pointers.instructionSelector);
  setPointer(state, layout.X87_OPERAND_OFFSET, BigInt(pointers.operand >>> 0));
  state.set32(layout.X87_OPERAND_SELECTOR, pointers.operandSelector);
  state.set32(layout.X87_OPCODE, pointers.opcode);
}

/** Seven words of 16 or 32 bits: control, status, tag, then the pointers. */
const environmentBytes = (instruction: HostInstruction): number => (instruction.operandSize === 16 ? 14 : 28);

function pointerWords(cpu: Cpu, instruction: HostInstruction): number[] {
  const p = readPointers(cpu);
  const narrow = instruction.operandSize === 16;
  if (!cpu.state.realAddressing) {
    if (narrow) return [p.instruction, p.instructionSelector, p.operand, p.operandSelector];
    return [p.instruction, (p.opcode << 16) | p.instructionSelector, p.operand, RESERVED | p.operandSelector];
  }
  // Real mode: linear addresses, of 20 bits in the short form.
  const code = p.instruction + p.instructionSelector * 16;
  const data = p.operand + p.operandSelector * 16;
  if (narrow) return [code, ((code >>> 4) & 0xf000) | p.opcode, data, (data >>> 4) & 0xf000];
  return [code & 0xffff, ((code >>> 4) & 0x0fff_f000) | p.opcode, data & 0xffff, (data >>> 4) & 0x0fff_f000];
}

function pointersOf(cpu: Cpu, instruction: HostInstruction, [first, second, third, fourth]: readonly number[]): Pointers {
  const [a, b, c, d] = [first ?? 0, second ?? 0, third ?? 0, fourth ?? 0];
  const narrow = instruction.operandSize === 16;
  if (!cpu.state.realAddressing) {
    return {
      instruction: a,
      instructionSelector: b & 0xffff,
      operand: c,
      operandSelector: d & 0xffff,
      opcode: narrow ? 0 : (b >>> 16) & OPCODE_MASK,
    };
  }
  const upper = narrow ? 0xf000 : 0x0fff_f000;
  return {
    instruction: (a & 0xffff) + ((b & upper) << 4),
    instructionSelector: 0,
    operand: (c & 0xffff) + ((d & upper) << 4),
    operandSelector: 0,
    opcode: b & OPCODE_MASK,
  };
}

function store(cpu: Cpu, instruction: HostInstruction, linear: number, fpu: FpuState): void {
  const words = [fpu.control, fpu.status, fpu.tagWord];
  if (instruction.operandSize === 16) {
    [...words, ...pointerWords(cpu, instruction)].forEach((word, i) => cpu.memory.write16(linear + 2 * i, word & 0xffff));
    return;
  }
  words.forEach((word, i) => cpu.memory.write32(linear + 4 * i, (RESERVED | word) >>> 0));
  pointerWords(cpu, instruction).forEach((word, i) => cpu.memory.write32(linear + 12 + 4 * i, word >>> 0));
}

interface Environment {
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  readonly pointers: Pointers;
}

function load(cpu: Cpu, instruction: HostInstruction, linear: number): Environment {
  const narrow = instruction.operandSize === 16;
  const words = [0, 1, 2, 3, 4, 5, 6].map((i) => (narrow ? cpu.memory.read16(linear + 2 * i) : cpu.memory.read32(linear + 4 * i)));
  return { control: words[0]!, status: words[1]!, tags: words[2]!, pointers: pointersOf(cpu, instruction, words.slice(3)) };
}

function apply(cpu: Cpu, fpu: FpuState, environment: Environment): void {
  fpu.status = environment.status;
  fpu.tagWord = environment.tags;
  writePointers(cpu, environment.pointers);
  fpu.control = environment.control;
}

const storeEnvironment: HostSemantics = (cpu, instruction) => {
  requireAvailable(cpu);
  const fpu = new FpuState(cpu.state);
  const bytes = environmentBytes(instruction);
  const linear = cpu.linear(instruction.segment, instruction.offset, bytes, true);
  cpu.memory.probeWrite(linear, bytes);
  store(cpu, instruction, linear, fpu);
  fpu.control |= STATUS.exceptions;
};

const loadEnvironment: HostSemantics = (cpu, instruction) => {
  const fpu = new FpuState(cpu.state);
  if (!begin(cpu, instruction, fpu)) return;
  const linear = cpu.linear(instruction.segment, instruction.offset, environmentBytes(instruction), false);
  apply(cpu, fpu, load(cpu, instruction, linear));
};

const save: HostSemantics = (cpu, instruction) => {
  requireAvailable(cpu);
  const fpu = new FpuState(cpu.state);
  const head = environmentBytes(instruction);
  const bytes = head + 8 * REGISTER_BYTES;
  const linear = cpu.linear(instruction.segment, instruction.offset, bytes, true);
  cpu.memory.probeWrite(linear, bytes);
  store(cpu, instruction, linear, fpu);
  for (let i = 0; i < 8; i++) {
    const at = linear + head + i * REGISTER_BYTES;
    const { significand, signExponent } = fpu.get(i);
    for (let byte = 0; byte < 8; byte += 2) cpu.memory.write16(at + byte, Number((significand >> BigInt(8 * byte)) & 0xffffn));
    cpu.memory.write16(at + 8, signExponent);
  }
  fpu.initialise();
};

const restore: HostSemantics = (cpu, instruction) => {
  const fpu = new FpuState(cpu.state);
  if (!begin(cpu, instruction, fpu)) return;
  const head = environmentBytes(instruction);
  const linear = cpu.linear(instruction.segment, instruction.offset, head + 8 * REGISTER_BYTES, false);
  const environment = load(cpu, instruction, linear);
  const registers = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => {
    const at = linear + head + i * REGISTER_BYTES;
    let significand = 0n;
    for (let byte = 0; byte < 8; byte += 2) significand |= BigInt(cpu.memory.read16(at + byte)) << BigInt(8 * byte);
    return { significand, signExponent: cpu.memory.read16(at + 8) };
  });
  apply(cpu, fpu, environment);
  registers.forEach((value, i) => fpu.write(i, value));
};

export const environmentSemantics: Readonly<Record<string, HostSemantics>> = {
  fldenv: loadEnvironment,
  fnstenv: storeEnvironment,
  fnsave: save,
  frstor: restore,
};
