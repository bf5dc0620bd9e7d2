/**
 * INS and OUTS (SDM volume 2). One call is one iteration: while (E)CX is not used up, EIP goes back to the instruction,
 * so that interrupts can be taken between iterations and each one is a tick.
 */
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { readRegister, writeRegister } from './operands.js';
import { checkPortAccess } from './port-instructions.js';
import { EFLAG } from './state.js';

const ECX = 1;
const EDX = 2;
const ESI = 6;
const EDI = 7;

function oneIteration(cpu: Cpu, instruction: HostInstruction, transfer: (port: number, bytes: 1 | 2 | 4, step: number) => void): void {
  const { state } = cpu;
  const width = instruction.addressSize;
  if (instruction.repeat && pointer(cpu, ECX, width) === 0) return;
  const bytes = (instruction.operandSize >>> 3) as 1 | 2 | 4;
  const port = state.reg16(EDX);
  checkPortAccess(cpu, port, bytes);
  transfer(port, bytes, state.eflags & EFLAG.df ? -bytes : bytes);
  if (!instruction.repeat) return;
  advance(cpu, ECX, width, -1);
  if (pointer(cpu, ECX, width) !== 0) state.eip = instruction.eip;
}

/** A register as wide as addresses are; of 64 bits it is signed. */
function pointer(cpu: Cpu, index: number, width: number): number {
  return width === 64 ? Number(cpu.state.reg64(index)) : readRegister(cpu.state, index, width);
}

function advance(cpu: Cpu, index: number, width: number, step: number): void {
  if (width === 64) cpu.state.setReg64(index, cpu.state.reg64(index) + BigInt(step));
  else writeRegister(cpu.state, index, width, readRegister(cpu.state, index, width) + step);
}

const ins: HostSemantics = (cpu, instruction) =>
  oneIteration(cpu, instruction, (port, bytes, step) => {
    const width = instruction.addressSize;
    const linear = cpu.linear(layout.ES, pointer(cpu, EDI, width), bytes, true);
    cpu.memory.probeWrite(linear, bytes);
    const value = cpu.readPort(port, bytes);
    if (bytes === 1) cpu.memory.write8(linear, value);
    else if (bytes === 2) cpu.memory.write16(linear, value);
    else cpu.memory.write32(linear, value);
    advance(cpu, EDI, width, step);
  });

const outs: HostSemantics = (cpu, instruction) =>
  oneIteration(cpu, instruction, (port, bytes, step) => {
    const width = instruction.addressSize;
    const linear = cpu.linear(instruction.segment, pointer(cpu, ESI, width), bytes, false);
    const { memory } = cpu;
    const value = bytes === 1 ? memory.read8(linear) : bytes === 2 ? memory.read16(linear) : memory.read32(linear);
    cpu.writePort(port, bytes, value);
    advance(cpu, ESI, width, step);
  });

export const stringPortSemantics: Record<string, HostSemantics> = { ins, outs };
