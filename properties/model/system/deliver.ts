/**
 * Delivery of exceptions and interrupts: the real-mode table, the IDT, double and triple faults (SDM volume 2, INT n;
 * volume 3, 6.11-6.15, 17.2-17.3, 20.1.4).
 */
import { CPU_STATE, CpuState, CS } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';
import { deliverToProgram, redirectedToProgram } from './deliver-virtual.js';
import { type Descriptor, fault, linear, readDescriptor, SYSTEM_TYPE } from './descriptors.js';
import { enterGate } from './gates.js';
import { loadParagraph } from './segments.js';
import { Frame, presentStack, setStackPointer, stackPointer } from './stack.js';
import { enterTaskGate } from './tasks.js';

/** `external` comes from outside the program; the others are instructions, or a fault or trap of one. */
export type EventKind = 'exception' | 'external' | 'int' | 'int3' | 'into' | 'int1';

export interface Event {
  readonly vector: number;
  readonly kind: EventKind;
  /** Pushed in protected mode. */
  readonly errorCode: number | undefined;
  /** EFLAGS as they are saved. */
  readonly flags: number;
  /** Offset as it is saved. */
  readonly ip: number;
}

const FLAG = { tf: 0x100, if: 0x200, rf: 0x1_0000, ac: 0x4_0000 } as const;
const DR6 = CPU_STATE.debug + 6 * 8;
const DR7 = CPU_STATE.debug + 7 * 8;
const DR7_GENERAL_DETECT = 1 << 13;
const DR6_BREAKPOINTS = 0xfn;
const DR6_SINGLE_STEP = 1 << 14;
const DR6_TASK_SWITCH = 1 << 15;

const GATE_TYPES = [
  SYSTEM_TYPE.taskGate,
  SYSTEM_TYPE.interruptGate16,
  SYSTEM_TYPE.trapGate16,
  SYSTEM_TYPE.interruptGate32,
  SYSTEM_TYPE.trapGate32,
];

/** INT n, INT3 and INTO are the program's own doing: EXT is clear and the gate's DPL counts (6.12.1.1, 6.13). */
const isProgrammed = (kind: EventKind): boolean => kind === 'int' || kind === 'int3' || kind === 'into';

function deliverReal(cpu: Cpu, { vector, flags, ip }: Event): void {
  const { state } = cpu;
  if (vector * 4 + 3 > state.u32(CPU_STATE.idtrLimit)) fault(VECTOR.gp, 0);
  const frame = new Frame(cpu, presentStack(state), stackPointer(cpu), 0);
  frame.push(2, flags);
  frame.push(2, state.segmentSelector(CS));
  frame.push(2, ip);
  const entry = cpu.loadSystem(linear(state.u64(CPU_STATE.idtrBase) + BigInt(vector * 4)), 4);
  const offset = Number(entry & 0xffffn);
  // Policy `interrupt.real-limit`: the limit of CS stays what it was, and the handler must lie within it.
  if (offset > state.segmentLimit(CS)) {
    cpu.undefine('interrupt.real-limit');
    fault(VECTOR.gp, 0);
  }
  frame.write();
  setStackPointer(cpu, frame.pointer);
  loadParagraph(cpu, CS, Number(entry >> 16n));
  cpu.setIp(BigInt(offset));
  state.flags &= ~(FLAG.if | FLAG.tf | FLAG.ac | FLAG.rf);
}

function deliverProtected(cpu: Cpu, event: Event): boolean {
  const { state } = cpu;
  const { vector, kind } = event;
  const ext = isProgrammed(kind) ? 0 : 1;
  const error = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > state.u32(CPU_STATE.idtrLimit)) fault(VECTOR.gp, error);
  const gate: Descriptor = readDescriptor(cpu, linear(state.u64(CPU_STATE.idtrBase) + BigInt(vector * 8)));
  if (!gate.isSystem(...GATE_TYPES)) fault(VECTOR.gp, error);
  if (isProgrammed(kind) && gate.dpl < cpu.cpl) fault(VECTOR.gp, error);
  if (!gate.present) fault(VECTOR.np, error);
  if (gate.isSystem(SYSTEM_TYPE.taskGate)) return enterTaskGate(cpu, gate, event, ext);
  enterGate(cpu, gate, event, ext);
  return false;
}

/** @returns whether a task was entered whose TSS asks for a debug trap */
function enterHandler(cpu: Cpu, event: Event): boolean {
  let trap = false;
  if (!cpu.protectedMode) deliverReal(cpu, event);
  else if (cpu.virtual8086 && event.kind === 'int' && redirectedToProgram(cpu, event.vector)) deliverToProgram(cpu, event);
  else trap = deliverProtected(cpu, event);
  // A debug handler may use the debug registers (17.2.4).
  if (event.vector === VECTOR.db && !isProgrammed(event.kind)) {
    cpu.state.setU64(DR7, cpu.state.u64(DR7) & ~BigInt(DR7_GENERAL_DETECT));
  }
  return trap;
}

/** INT n, INT3, INTO and INT1, as part of their execution. Faults are thrown: they are faults of the instruction. */
export function deliverSoftwareInterrupt(cpu: Cpu, vector: number, kind: 'int' | 'int3' | 'into' | 'int1'): void {
  // TF is clear in the handler: the instruction is not followed by a single-step trap (17.3.1.4).
  cpu.debugTrap &= ~DR6_SINGLE_STEP;
  const trap = enterHandler(cpu, { vector, kind, errorCode: undefined, flags: cpu.state.flags, ip: Number(cpu.nextIp) });
  if (trap) cpu.debugTrap |= DR6_TASK_SWITCH;
}

const CONTRIBUTORY: readonly number[] = [VECTOR.de, VECTOR.ts, VECTOR.np, VECTOR.ss, VECTOR.gp];

/** Table 6-5: what an exception met while `first` is delivered turns into. */
function combined(first: number | undefined, second: number): 'serial' | 'double fault' | 'shutdown' {
  const grave = (vector: number | undefined): boolean => vector !== undefined && (CONTRIBUTORY.includes(vector) || vector === VECTOR.pf);
  if (!grave(second)) return 'serial';
  if (first === VECTOR.df) return 'shutdown';
  if (!grave(first)) return 'serial';
  return first !== VECTOR.pf && second === VECTOR.pf ? 'serial' : 'double fault';
}

/** Policy `fault.endless`: so many exceptions in a row, each met while the one before is delivered, are a shutdown. */
const LONGEST_CHAIN = 16;

export type Delivery = 'delivered' | 'shutdown';

/** CR2 and DR6 tell of an exception even when it becomes a double fault. */
export function recordException(state: CpuState, { vector, detail }: ModelException): void {
  if (vector === VECTOR.pf) state.setU64(CPU_STATE.cr2, detail);
  if (vector === VECTOR.db) state.setU64(DR6, (state.u64(DR6) & ~DR6_BREAKPOINTS) | detail);
}

const before = new CpuState();

function deliver(cpu: Cpu, first: Event, firstVector: number | undefined): Delivery {
  const { state } = cpu;
  let event = first;
  let vector = firstVector;
  // STI and MOV SS shelter one instruction only; HLT waits for any interrupt or debug exception.
  state.setU32(CPU_STATE.interruptShadow, 0);
  state.setU32(CPU_STATE.halted, 0);
  for (let length = 0; length < LONGEST_CHAIN; length++) {
    before.copyFrom(state);
    let met: ModelException;
    try {
      if (!enterHandler(cpu, event)) return 'delivered';
      met = new ModelException(VECTOR.db, undefined, BigInt(DR6_TASK_SWITCH), 'trap');
    } catch (thrown) {
      if (!(thrown instanceof ModelException)) throw thrown;
      met = thrown;
      if (met.kind !== 'newTask') {
        state.copyFrom(before);
      }
    }
    recordException(state, met);
    const ip = met.kind === 'newTask' || met.kind === 'trap' ? Number(state.rip) : event.ip;
    const outcome = combined(vector, met.vector);
    if (outcome === 'shutdown') return outcome;
    if (outcome === 'double fault') {
      vector = VECTOR.df;
      event = { vector, kind: 'exception', errorCode: 0, flags: state.flags, ip };
    } else {
      vector = met.vector;
      event = eventOf(met, state.flags, ip);
    }
  }
  cpu.undefine('fault.endless');
  return 'shutdown';
}

function eventOf({ vector, errorCode, kind }: ModelException, flags: number, ip: number): Event {
  const resume = kind === 'fault' || kind === 'newTask';
  return { vector, kind: 'exception', errorCode, flags: resume ? flags | FLAG.rf : flags, ip };
}

/** An exception, and those that its delivery meets. The state is the one to be saved; `cpu.nextIp` is where to return. */
export function deliverException(cpu: Cpu, exception: ModelException): Delivery {
  recordException(cpu.state, exception);
  return deliver(cpu, eventOf(exception, cpu.state.flags, Number(cpu.nextIp)), exception.vector);
}

/** An interrupt from outside, between two instructions. */
export function deliverInterrupt(cpu: Cpu, vector: number): Delivery {
  return deliver(cpu, { vector, kind: 'external', errorCode: undefined, flags: cpu.state.flags, ip: Number(cpu.nextIp) }, undefined);
}

/** The #DB of an instruction that is complete (17.3.1.2-17.3.1.5). @param bits of DR6 */
export const deliverDebugTrap = (cpu: Cpu, bits: number): Delivery =>
  deliverException(cpu, new ModelException(VECTOR.db, undefined, BigInt(bits), 'trap'));
