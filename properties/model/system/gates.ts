/** Interrupt and trap gates of 16 and 32 bits: to the same ring, to an inner one, out of virtual-8086 mode (SDM volume 2, INT n). */
import { CS, DS, ES, FS, GS, SS, TR } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import type { Event } from './deliver.js';
import {
  type Descriptor,
  descriptorOf,
  fault,
  isNull,
  linear,
  selectorError,
  setAccessed,
  setNullSegment,
  setSegment,
  taskIs32,
} from './descriptors.js';
import { checkStackSegment } from './segments.js';
import { Frame, presentStack, setCpl, setStackPointer, stackPointer } from './stack.js';

const FLAG = { tf: 0x100, if: 0x200, nt: 0x4000, rf: 0x1_0000, vm: 0x2_0000 } as const;

/** Stack of an inner ring, from the present TSS (volume 3, 5.8.5, 7.2.1). */
export function innerStack(cpu: Cpu, cpl: number, ext: number): { readonly selector: number; readonly pointer: number } {
  const { state } = cpu;
  const is32 = taskIs32(cpu);
  const at = is32 ? cpl * 8 + 4 : cpl * 4 + 2;
  if (at + (is32 ? 5 : 3) > state.segmentLimit(TR)) fault(VECTOR.ts, selectorError(state.segmentSelector(TR), ext));
  const read = (offset: number, bytes: number): number => Number(cpu.loadSystem(linear(state.segmentBase(TR) + BigInt(offset)), bytes));
  const pointer = read(at, is32 ? 4 : 2);
  return { pointer, selector: read(at + (is32 ? 4 : 2), 2) };
}

export function enterGate(cpu: Cpu, gate: Descriptor, event: Event, ext: number): void {
  const selector = gate.gateSelector;
  if (isNull(selector)) fault(VECTOR.gp, ext);
  const code = descriptorOf(cpu, selector, VECTOR.gp, ext);
  const error = selectorError(selector, ext);
  if (!code.isCode || code.dpl > cpu.cpl) fault(VECTOR.gp, error);
  if (!code.present) fault(VECTOR.np, error);
  const inner = !code.isConforming && code.dpl < cpu.cpl;
  // From virtual-8086 mode only ring 0 can be entered.
  if (cpu.virtual8086 && (!inner || code.dpl !== 0)) fault(VECTOR.gp, error);
  if (inner) enterInnerRing(cpu, gate, code, event, ext);
  else enterSameRing(cpu, gate, code, event, ext);
  const clearsIf = (gate.type & 1) === 0;
  cpu.state.flags &= ~(FLAG.tf | FLAG.nt | FLAG.rf | FLAG.vm | (clearsIf ? FLAG.if : 0));
}

function pushReturn(cpu: Cpu, frame: Frame, bytes: number, { flags, ip, errorCode }: Event): void {
  frame.push(bytes, flags);
  frame.push(bytes, cpu.state.segmentSelector(CS));
  frame.push(bytes, ip);
  if (errorCode !== undefined) frame.push(bytes, errorCode);
}

function enterSameRing(cpu: Cpu, gate: Descriptor, code: Descriptor, event: Event, ext: number): void {
  const frame = new Frame(cpu, presentStack(cpu.state), stackPointer(cpu), ext);
  pushReturn(cpu, frame, gate.gateIs32 ? 4 : 2, event);
  if (gate.gateOffset > code.limit) fault(VECTOR.gp, ext);
  setAccessed(cpu, code);
  frame.write();
  setStackPointer(cpu, frame.pointer);
  setSegment(cpu, CS, (gate.gateSelector & 0xfffc) | cpu.cpl, code);
  cpu.setIp(BigInt(gate.gateOffset));
}

function enterInnerRing(cpu: Cpu, gate: Descriptor, code: Descriptor, event: Event, ext: number): void {
  const { state } = cpu;
  const cpl = code.dpl;
  const { selector, pointer } = innerStack(cpu, cpl, ext);
  const stack = checkStackSegment(cpu, selector, cpl, VECTOR.ts, ext);
  const bytes = gate.gateIs32 ? 4 : 2;
  const frame = new Frame(cpu, stack, pointer, selectorError(selector, ext), true);
  const virtual = cpu.virtual8086;
  if (virtual) for (const index of [GS, FS, DS, ES]) frame.push(bytes, state.segmentSelector(index));
  frame.push(bytes, state.segmentSelector(SS));
  frame.push(bytes, stackPointer(cpu));
  pushReturn(cpu, frame, bytes, event);
  if (gate.gateOffset > code.limit) fault(VECTOR.gp, ext);
  setAccessed(cpu, stack);
  setAccessed(cpu, code);
  frame.write();
  state.flags &= ~FLAG.vm;
  setCpl(state, cpl);
  setSegment(cpu, SS, selector, stack);
  setStackPointer(cpu, frame.pointer);
  setSegment(cpu, CS, (gate.gateSelector & 0xfffc) | cpl, code);
  if (virtual) for (const index of [GS, FS, DS, ES]) setNullSegment(cpu, index, 0);
  cpu.setIp(BigInt(gate.gateOffset));
}
