/** Far JMP and CALL: real mode, code segments, call gates, task gates, TSSs (SDM volume 2, JMP and CALL; volume 3, 5.8). */
import { CS, SS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import {
  type Descriptor,
  descriptorOf,
  fault,
  isLongCode,
  isNull,
  rplOf,
  SYSTEM_TYPE,
  selectorError,
  setAccessed,
  setSegment,
} from './descriptors.js';
import { farPointer } from './far-pointer.js';
import { innerStack } from './gates.js';
import { checkStackSegment, loadParagraph } from './segments.js';
import { Frame, presentStack, setCpl, setStackPointer, stackPointer } from './stack.js';
import { taskDescriptor, transferToTask } from './tasks.js';

const { availableTss16, availableTss32, callGate16, callGate32, taskGate } = SYSTEM_TYPE;

interface Target {
  readonly selector: number;
  readonly offset: number;
}

function direct(cpu: Cpu): Target {
  const pointer = cpu.read(0);
  const bits = BigInt(cpu.operandSize);
  return { selector: Number(pointer >> bits), offset: Number(BigInt.asUintN(cpu.operandSize, pointer)) };
}

function indirect(cpu: Cpu): Target {
  const { segment, offset } = cpu.address(0);
  const pointer = farPointer(cpu, segment, offset);
  return { selector: pointer.selector, offset: Number(pointer.offset) };
}

/** Frame of a CALL to the same stack: CS, then the offset of the next instruction. */
function returnFrame(cpu: Cpu, bytes: number): Frame {
  const frame = new Frame(cpu, presentStack(cpu.state), stackPointer(cpu), 0);
  frame.push(bytes, cpu.state.segmentSelector(CS));
  frame.push(bytes, Number(cpu.nextIp));
  return frame;
}

function transferReal(cpu: Cpu, call: boolean, { selector, offset }: Target): void {
  const frame = call ? returnFrame(cpu, cpu.operandSize / 8) : undefined;
  if (offset > (cpu.virtual8086 ? 0xffff : cpu.state.segmentLimit(CS))) fault(VECTOR.gp, 0);
  if (frame) {
    frame.write();
    setStackPointer(cpu, frame.pointer);
  }
  loadParagraph(cpu, CS, selector);
  cpu.setIp(BigInt(offset));
}

function transferProtected(cpu: Cpu, call: boolean, target: Target): void {
  const { selector } = target;
  if (isNull(selector)) fault(VECTOR.gp, 0);
  const descriptor = descriptorOf(cpu, selector, VECTOR.gp, 0);
  if (descriptor.isCode) toCodeSegment(cpu, call, target, descriptor);
  else if (descriptor.isSystem(callGate16, callGate32)) throughCallGate(cpu, call, selector, descriptor);
  else if (descriptor.isSystem(taskGate)) throughTaskGate(cpu, call, selector, descriptor);
  else if (descriptor.isSystem(availableTss16, availableTss32)) {
    checkGatePrivilege(cpu, selector, descriptor);
    transferToTask(cpu, selector, taskDescriptor(cpu, selector, VECTOR.gp, 0, false), call ? 'call' : 'jump');
  } else fault(VECTOR.gp, selectorError(selector, 0));
}

function toCodeSegment(cpu: Cpu, call: boolean, { selector, offset }: Target, code: Descriptor): void {
  const error = selectorError(selector, 0);
  if (code.isConforming ? code.dpl > cpu.cpl : rplOf(selector) > cpu.cpl || code.dpl !== cpu.cpl) fault(VECTOR.gp, error);
  if (!code.present) fault(VECTOR.np, error);
  const frame = call ? returnFrame(cpu, cpu.operandSize / 8) : undefined;
  if (offset > code.limit && !(cpu.codeBits === 64 && isLongCode(code))) fault(VECTOR.gp, 0);
  setAccessed(cpu, code);
  if (frame) {
    frame.write();
    setStackPointer(cpu, frame.pointer);
  }
  setSegment(cpu, CS, (selector & 0xfffc) | cpu.cpl, code);
  cpu.setIp(BigInt(offset));
}

/** Gates and TSSs are open to CPL and RPL up to their DPL. */
function checkGatePrivilege(cpu: Cpu, selector: number, gate: Descriptor): void {
  if (gate.dpl < cpu.cpl || gate.dpl < rplOf(selector)) fault(VECTOR.gp, selectorError(selector, 0));
}

function throughTaskGate(cpu: Cpu, call: boolean, selector: number, gate: Descriptor): void {
  checkGatePrivilege(cpu, selector, gate);
  if (!gate.present) fault(VECTOR.np, selectorError(selector, 0));
  const task = gate.gateSelector;
  transferToTask(cpu, task, taskDescriptor(cpu, task, VECTOR.gp, 0, false), call ? 'call' : 'jump');
}

function throughCallGate(cpu: Cpu, call: boolean, selector: number, gate: Descriptor): void {
  checkGatePrivilege(cpu, selector, gate);
  if (!gate.present) fault(VECTOR.np, selectorError(selector, 0));
  const target = gate.gateSelector;
  if (isNull(target)) fault(VECTOR.gp, 0);
  const code = descriptorOf(cpu, target, VECTOR.gp, 0);
  const error = selectorError(target, 0);
  if (!code.isCode || code.dpl > cpu.cpl) fault(VECTOR.gp, error);
  if (!call && !code.isConforming && code.dpl !== cpu.cpl) fault(VECTOR.gp, error);
  if (!code.present) fault(VECTOR.np, error);
  if (call && !code.isConforming && code.dpl < cpu.cpl) {
    callInnerRing(cpu, gate, code);
    return;
  }
  // The size of what is pushed is the gate's.
  const frame = call ? returnFrame(cpu, gate.gateIs32 ? 4 : 2) : undefined;
  if (gate.gateOffset > code.limit) fault(VECTOR.gp, 0);
  setAccessed(cpu, code);
  if (frame) {
    frame.write();
    setStackPointer(cpu, frame.pointer);
  }
  setSegment(cpu, CS, (target & 0xfffc) | cpu.cpl, code);
  cpu.setIp(BigInt(gate.gateOffset));
}

/** Parameters are copied from the caller's stack, between its SS:ESP and its CS:EIP (5.8.5). */
function callInnerRing(cpu: Cpu, gate: Descriptor, code: Descriptor): void {
  const { state } = cpu;
  const { selector, pointer } = innerStack(cpu, code.dpl, 0);
  const stack = checkStackSegment(cpu, selector, code.dpl, VECTOR.ts, 0);
  const bytes = gate.gateIs32 ? 4 : 2;
  const frame = new Frame(cpu, stack, pointer, selectorError(selector, 0), true);
  frame.push(bytes, state.segmentSelector(SS));
  frame.push(bytes, stackPointer(cpu));
  const parameters = readParameters(cpu, gate.parameterCount, bytes);
  for (const parameter of parameters) frame.push(bytes, parameter);
  frame.push(bytes, state.segmentSelector(CS));
  frame.push(bytes, Number(cpu.nextIp));
  if (gate.gateOffset > code.limit) fault(VECTOR.gp, 0);
  setAccessed(cpu, stack);
  setAccessed(cpu, code);
  frame.write();
  setCpl(state, code.dpl);
  setSegment(cpu, SS, selector, stack);
  setStackPointer(cpu, frame.pointer);
  setSegment(cpu, CS, (gate.gateSelector & 0xfffc) | code.dpl, code);
  cpu.setIp(BigInt(gate.gateOffset));
}

/** From the first pushed to the last. */
function readParameters(cpu: Cpu, count: number, bytes: number): number[] {
  const stack = presentStack(cpu.state);
  const parameters: number[] = [];
  for (let i = count - 1; i >= 0; i--) {
    const offset = stackPointer(cpu) + i * bytes;
    parameters.push(Number(cpu.load(SS, BigInt(stack.big ? offset >>> 0 : offset & 0xffff), bytes)));
  }
  return parameters;
}

const transfer =
  (call: boolean, targetOf: (cpu: Cpu) => Target) =>
  (cpu: Cpu): void => {
    const target = targetOf(cpu);
    if (!cpu.protectedMode || cpu.virtual8086) transferReal(cpu, call, target);
    else transferProtected(cpu, call, target);
  };

export const FAR_TRANSFER: readonly Opcode[] = [
  opcode('9A', 'CALL', 'ptr16:z', transfer(true, direct), { not64: true }),
  opcode('EA', 'JMP', 'ptr16:z', transfer(false, direct), { not64: true }),
  opcode('FF /3', 'CALL', 'm', transfer(true, indirect)),
  opcode('FF /5', 'JMP', 'm', transfer(false, indirect)),
];
