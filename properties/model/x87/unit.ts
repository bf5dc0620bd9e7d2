/**
 * The x87 unit around an operation: register stack, waiting for pending exceptions, pointers to the last instruction,
 * stack faults and the response to exceptions (Intel SDM volume 1, sections 8.1 and 8.5 to 8.7).
 */
import { CPU_STATE, CS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Extended, INDEFINITE } from './real.js';
import {
  BUSY,
  C1,
  CONTROL_FIXED,
  CONTROL_WRITABLE,
  ERROR_SUMMARY,
  EXCEPTIONS,
  INVALID,
  PRE_COMPUTATION,
  STACK_FAULT,
  TOP_SHIFT,
} from './words.js';

const CR0_MP = 1n << 1n;
const CR0_EM = 1n << 2n;
const CR0_TS = 1n << 3n;
const CR0_NE = 1n << 5n;
const REGISTER_BYTES = 16;
const TOP_MASK = 7 << TOP_SHIFT;

export class Unit {
  constructor(readonly cpu: Cpu) {}

  // --- words -----------------------------------------------------------------------------------------------------
  get control(): number {
    return this.cpu.state.u16(CPU_STATE.x87Control);
  }
  set control(value: number) {
    this.cpu.state.setU16(CPU_STATE.x87Control, (value & CONTROL_WRITABLE) | CONTROL_FIXED);
    this.summarise();
  }
  get status(): number {
    return this.cpu.state.u16(CPU_STATE.x87Status);
  }
  set status(value: number) {
    this.cpu.state.setU16(CPU_STATE.x87Status, value);
    this.summarise();
  }
  /** ES and B are no memory of their own: they say that an exception flag is set whose mask is clear. */
  private summarise(): void {
    const { status } = this;
    const pending = (status & ~this.control & EXCEPTIONS) !== 0 ? ERROR_SUMMARY | BUSY : 0;
    this.cpu.state.setU16(CPU_STATE.x87Status, (status & ~(ERROR_SUMMARY | BUSY)) | pending);
  }
  /** Replaces the condition codes in `mask`. */
  setCodes(mask: number, codes: number): void {
    this.status = (this.status & ~mask) | codes;
  }

  // --- the register stack ------------------------------------------------------------------------------------------
  get top(): number {
    return (this.status >> TOP_SHIFT) & 7;
  }
  set top(value: number) {
    this.status = (this.status & ~TOP_MASK) | ((value & 7) << TOP_SHIFT);
  }
  /** Bit i: physical register i is empty. */
  get empty(): number {
    return this.cpu.state.u16(CPU_STATE.x87Empty);
  }
  set empty(value: number) {
    this.cpu.state.setU16(CPU_STATE.x87Empty, value & 0xff);
  }
  isEmpty(index: number): boolean {
    return (this.empty & this.tagBit(index)) !== 0;
  }
  private tagBit(index: number): number {
    return 1 << ((this.top + index) & 7);
  }
  physical(register: number): Extended {
    const at = CPU_STATE.x87Registers + register * REGISTER_BYTES;
    return { significand: this.cpu.state.u64(at), signExponent: this.cpu.state.u16(at + 8) };
  }
  setPhysical(register: number, { significand, signExponent }: Extended): void {
    const at = CPU_STATE.x87Registers + register * REGISTER_BYTES;
    this.cpu.state.setU64(at, significand);
    this.cpu.state.setU16(at + 8, signExponent);
  }
  /** Whatever the tag says. */
  st(index: number): Extended {
    return this.physical((this.top + index) & 7);
  }
  setSt(index: number, value: Extended): void {
    this.setPhysical((this.top + index) & 7, value);
    this.empty &= ~this.tagBit(index);
  }
  free(index: number): void {
    this.empty |= this.tagBit(index);
  }
  push(value: Extended): void {
    this.top -= 1;
    this.setSt(0, value);
  }
  pop(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.free(0);
      this.top += 1;
    }
  }

  // --- before the operation ------------------------------------------------------------------------------------------
  /** All that control instructions without a wait need. */
  requireAvailable(): void {
    if ((this.cpu.state.u64(CPU_STATE.cr0) & (CR0_EM | CR0_TS)) !== 0n) this.cpu.raise(VECTOR.nm);
  }

  /**
   * What a waiting instruction does first.
   * @returns false when it has to be tried again: an exception is pending, to be reported by FERR# (CR0.NE = 0)
   */
  begin(): boolean {
    this.requireAvailable();
    return this.settle();
  }
  /** The same for WAIT, which a task switch concerns only when CR0.MP is set. */
  beginWait(): boolean {
    const watched = CR0_MP | CR0_TS;
    if ((this.cpu.state.u64(CPU_STATE.cr0) & watched) === watched) this.cpu.raise(VECTOR.nm);
    return this.settle();
  }
  private settle(): boolean {
    if ((this.status & ERROR_SUMMARY) === 0) return true;
    if ((this.cpu.state.u64(CPU_STATE.cr0) & CR0_NE) !== 0n) this.cpu.raise(VECTOR.mf);
    this.cpu.undefine('x87.ferr');
    this.cpu.repeatInstruction();
    return false;
  }

  /** Points FIP and, for an instruction with a memory operand, FDP at this instruction. */
  note(): void {
    const { cpu } = this;
    const { state } = cpu;
    cpu.undefine('x87.pointers');
    state.setU64(CPU_STATE.x87InstructionOffset, state.rip);
    state.setU16(CPU_STATE.x87InstructionSelector, state.segmentSelector(CS));
    if (cpu.instruction.operands.length === 0 || !cpu.isMemory(0)) return;
    const { segment, offset } = cpu.address(0);
    state.setU64(CPU_STATE.x87OperandOffset, offset);
    state.setU16(CPU_STATE.x87OperandSelector, state.segmentSelector(segment));
  }

  // --- exceptions ------------------------------------------------------------------------------------------------------
  unmaskedOf(exceptions: number): number {
    return exceptions & ~this.control & EXCEPTIONS;
  }

  /**
   * Takes exceptions and C1 into the status word. When one that is found before the operation is unmasked, nothing was
   * computed and the others are not signalled.
   * @returns the unmasked ones
   */
  signal(exceptions: number, c1 = false): number {
    const early = this.unmaskedOf(exceptions) & PRE_COMPUTATION;
    const signalled = early === 0 ? exceptions : exceptions & PRE_COMPUTATION;
    this.recordOpcode(signalled);
    this.status = (this.status & ~C1) | signalled | (c1 && early === 0 ? C1 : 0);
    return this.unmaskedOf(signalled);
  }

  /** @returns whether the masked response is to follow */
  stackFault(kind: 'underflow' | 'overflow'): boolean {
    this.recordOpcode(INVALID);
    this.status = (this.status & ~C1) | INVALID | STACK_FAULT | (kind === 'overflow' ? C1 : 0);
    return this.unmaskedOf(INVALID) === 0;
  }

  /** FOP is recorded with an unmasked exception. */
  private recordOpcode(exceptions: number): void {
    if (this.unmaskedOf(exceptions) === 0) return;
    const { opcodeByte, modRm } = this.cpu.instruction;
    this.cpu.state.setU16(CPU_STATE.x87Opcode, ((opcodeByte & 7) << 8) | modRm);
  }

  /** Of an instruction whose only result is ST(index): the indefinite after a masked stack underflow. */
  underflowInto(index: number, pops = 0): void {
    if (!this.stackFault('underflow')) return;
    this.setSt(index, INDEFINITE);
    this.pop(pops);
  }
}

/** An instruction that waits for pending exceptions, and counts as the last one executed. */
export const computing =
  (operation: (unit: Unit) => void) =>
  (cpu: Cpu): void => {
    const unit = new Unit(cpu);
    if (!unit.begin()) return;
    operation(unit);
    unit.note();
  };
