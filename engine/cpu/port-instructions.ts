/**
 * IN and OUT, and the permission check of every port access (SDM volume 1, chapter 18 on I/O: IOPL and the permission
 * bitmap of the 32-bit TSS).
 */
import { generalProtection } from './exceptions.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { ioPrivilege, readRegister, writeRegister } from './operands.js';
import { EFLAG } from './state.js';
import { currentTssIs32Bit, TSS_IO_MAP_BASE } from './task-state.js';

const EAX = 0;
const EDX = 2;
type PortBytes = 1 | 2 | 4;

/** Raises #GP(0) unless the running task may access all `bytes` ports from `port` on. */
export function checkPortAccess(cpu: Cpu, port: number, bytes: number): void {
  const { state } = cpu;
  const { eflags } = state;
  if (!state.protectedMode || (!(eflags & EFLAG.vm) && state.cpl <= ioPrivilege(eflags))) return;
  const base = state.segmentBase(layout.TR);
  const limit = state.segmentLimit(layout.TR);
  if (!currentTssIs32Bit(cpu) || limit < TSS_IO_MAP_BASE + 1) throw generalProtection(0);
  const mapOffset = (cpu.system.read16((base + TSS_IO_MAP_BASE) >>> 0) & 0xffff) + (port >>> 3);
  // Always two bytes, because the bits of one access may straddle them.
  if (mapOffset + 1 > limit) throw generalProtection(0);
  const bits = (cpu.system.read16((base + mapOffset) >>> 0) & 0xffff) >>> (port & 7);
  if (bits & ((1 << bytes) - 1)) throw generalProtection(0);
}

const bytesOf = (instruction: HostInstruction): PortBytes => (instruction.operandSize >>> 3) as PortBytes;

const input =
  (portOf: (cpu: Cpu, instruction: HostInstruction) => number): HostSemantics =>
  (cpu, instruction) => {
    const port = portOf(cpu, instruction);
    const bytes = bytesOf(instruction);
    checkPortAccess(cpu, port, bytes);
    writeRegister(cpu.state, EAX, instruction.operandSize, cpu.readPort(port, bytes));
  };

const output =
  (portOf: (cpu: Cpu, instruction: HostInstruction) => number): HostSemantics =>
  (cpu, instruction) => {
    const port = portOf(cpu, instruction);
    const bytes = bytesOf(instruction);
    checkPortAccess(cpu, port, bytes);
    cpu.writePort(port, bytes, readRegister(cpu.state, EAX, instruction.operandSize));
  };

const immediatePort = (_: Cpu, instruction: HostInstruction): number => instruction.immediate & 0xff;
const dxPort = (cpu: Cpu): number => cpu.state.reg16(EDX);

export const portSemantics: Record<string, HostSemantics> = {
  inImmediate: input(immediatePort),
  inDx: input(dxPort),
  outImmediate: output(immediatePort),
  outDx: output(dxPort),
};
