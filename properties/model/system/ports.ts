/** IN, OUT, INS, OUTS and the I/O permission bit map (SDM volume 1, 18.5; volume 2). */
import { DS, ES, TR } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { portBreakpoints } from './debug-registers.js';
import { IO_MAP_BASE } from './deliver-virtual.js';
import { fault, linear, PRESENT, taskIs32 } from './descriptors.js';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;

type Bytes = 1 | 2 | 4;

/** A 16-bit TSS has no bit map: no port is allowed. The processor reads two bytes of the map, whichever it needs. */
function requirePermission(cpu: Cpu, port: number, bytes: Bytes): void {
  if (!cpu.protectedMode || (!cpu.virtual8086 && cpu.cpl <= cpu.iopl)) return;
  const { state } = cpu;
  const limit = state.segmentLimit(TR);
  if (!(state.segmentAttributes(TR) & PRESENT) || !taskIs32(cpu) || limit < IO_MAP_BASE + 1) fault(VECTOR.gp, 0);
  const base = state.segmentBase(TR);
  const at = Number(cpu.loadSystem(linear(base + BigInt(IO_MAP_BASE)), 2)) + (port >> 3);
  if (at + 1 > limit) fault(VECTOR.gp, 0);
  const bits = Number(cpu.loadSystem(linear(base + BigInt(at)), 2)) >> (port & 7);
  if ((bits & ((1 << bytes) - 1)) !== 0) fault(VECTOR.gp, 0);
}

function readPort(cpu: Cpu, port: number, bytes: Bytes): bigint {
  cpu.debugTrap |= portBreakpoints(cpu, port, bytes);
  return BigInt(cpu.environment.readPort(port, bytes));
}
function writePort(cpu: Cpu, port: number, bytes: Bytes, value: bigint): void {
  cpu.debugTrap |= portBreakpoints(cpu, port, bytes);
  cpu.environment.writePort(port, bytes, Number(value));
}

/** At most four bytes: REX.W makes no difference. */
const sizeOf = (cpu: Cpu, byte: boolean): Bytes => (byte ? 1 : cpu.operandSize === 16 ? 2 : 4);

const input =
  (byte: boolean) =>
  (cpu: Cpu): void => {
    const port = Number(cpu.read(1));
    const bytes = sizeOf(cpu, byte);
    requirePermission(cpu, port, bytes);
    cpu.setRegister(RAX, (bytes * 8) as 8 | 16 | 32, readPort(cpu, port, bytes));
  };

const output =
  (byte: boolean) =>
  (cpu: Cpu): void => {
    const port = Number(cpu.read(0));
    const bytes = sizeOf(cpu, byte);
    requirePermission(cpu, port, bytes);
    writePort(cpu, port, bytes, cpu.register(RAX, (bytes * 8) as 8 | 16 | 32));
  };

/** One iteration; the instruction comes again while CX says so. */
const repeated =
  (byte: boolean, iteration: (cpu: Cpu, port: number, bytes: Bytes) => number) =>
  (cpu: Cpu): void => {
    const { repeat } = cpu.instruction;
    const width = cpu.addressSize;
    const count = cpu.register(RCX, width);
    const port = Number(cpu.register(RDX, 16));
    const bytes = sizeOf(cpu, byte);
    if (repeat !== 0 && count === 0n) {
      if (cpu.protectedMode && cpu.cpl > cpu.iopl) cpu.undefine('port.repeat-zero');
      return;
    }
    requirePermission(cpu, port, bytes);
    const index = iteration(cpu, port, bytes);
    const step = BigInt(cpu.flag('df') ? -bytes : bytes);
    cpu.setRegister(index, width, BigInt.asUintN(width, cpu.register(index, width) + step));
    if (repeat === 0) return;
    cpu.setRegister(RCX, width, count - 1n);
    if (count > 1n) cpu.repeatInstruction();
  };

function inputString(cpu: Cpu, port: number, bytes: Bytes): number {
  const offset = cpu.register(RDI, cpu.addressSize);
  cpu.checkStore(ES, offset, bytes);
  cpu.store(ES, offset, bytes, readPort(cpu, port, bytes));
  return RDI;
}

function outputString(cpu: Cpu, port: number, bytes: Bytes): number {
  const value = cpu.load(cpu.instruction.segmentOverride ?? DS, cpu.register(RSI, cpu.addressSize), bytes);
  writePort(cpu, port, bytes, value);
  return RSI;
}

export const PORTS: readonly Opcode[] = [
  opcode('E4', 'IN', 'al,imm8', input(true)),
  opcode('E5', 'IN', 'eax,imm8', input(false)),
  opcode('EC', 'IN', 'al,dx', input(true)),
  opcode('ED', 'IN', 'eax,dx', input(false)),
  opcode('E6', 'OUT', 'imm8,al', output(true)),
  opcode('E7', 'OUT', 'imm8,eax', output(false)),
  opcode('EE', 'OUT', 'dx,al', output(true)),
  opcode('EF', 'OUT', 'dx,eax', output(false)),
  opcode('6C', 'INS', '', repeated(true, inputString)),
  opcode('6D', 'INS', '', repeated(false, inputString)),
  opcode('6E', 'OUTS', '', repeated(true, outputString)),
  opcode('6F', 'OUTS', '', repeated(false, outputString)),
];
