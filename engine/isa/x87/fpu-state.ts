/**
 * The x87 state for the instructions that are TypeScript: the same cells, stack and exceptions as fpu.ts has for generated
 * code (Intel SDM volume 1, sections 8.1 and 8.4 to 8.7).
 */
import { GuestException, VECTOR } from '../../cpu/exceptions.js';
import type { Cpu, HostInstruction } from '../../cpu/host-instruction.js';
import * as layout from '../../cpu/layout.js';
import { type CpuState, CR0 } from '../../cpu/state.js';
import { INDEFINITE_SIGN_EXPONENT, INDEFINITE_SIGNIFICAND } from '../../float/context.js';
import { classOf, type Float80 } from '../../float/float80.js';
import { CONDITION_CODES, CONTROL_INITIAL, CONTROL_ONES, CONTROL_WRITABLE, ERROR_PENDING, STATUS } from './status.js';

export const INDEFINITE_80: Float80 = { significand: INDEFINITE_SIGNIFICAND, signExponent: INDEFINITE_SIGN_EXPONENT };
const BEFORE_THE_OPERATION = 0x07;
const TOP_MASK = 7 << STATUS.topShift;
/** Tags of the full tag word. */
const TAG = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

export class FpuState {
  constructor(private readonly state: CpuState) {}

  get control(): number {
    return this.state.get32(layout.X87_CONTROL);
  }
  /** Reserved bits are dropped; exceptions that become unmasked are pending from now on. */
  set control(value: number) {
    this.state.set32(layout.X87_CONTROL, (value & CONTROL_WRITABLE) | CONTROL_ONES);
    this.summarise();
  }

  get top(): number {
    return this.state.get32(layout.X87_TOP);
  }
  set top(value: number) {
    this.state.set32(layout.X87_TOP, value & 7);
  }

  private get flags(): number {
    return this.state.get32(layout.X87_STATUS);
  }
  private set flags(value: number) {
    this.state.set32(layout.X87_STATUS, value);
  }
  /** The status word as programs see it. Written, the summary bits follow from the exceptions. */
  get status(): number {
    return (this.flags & 0xffff) | (this.top << STATUS.topShift);
  }
  set status(value: number) {
    this.top = value >> STATUS.topShift;
    this.flags = value & 0xffff & ~TOP_MASK;
    this.summarise();
  }
  private summarise(): void {
    const settled = this.flags & ~(ERROR_PENDING | STATUS.ignoreError);
    this.flags = settled | (settled & ~this.control & STATUS.exceptions ? ERROR_PENDING : 0);
  }

  get emptyMask(): number {
    return this.state.get32(layout.X87_EMPTY);
  }
  set emptyMask(value: number) {
    this.state.set32(layout.X87_EMPTY, value & 0xff);
  }
  /** Two bits for each physical register. */
  get tagWord(): number {
    let word = 0;
    for (let physical = 0; physical < 8; physical++) word |= this.tagOf(physical) << (physical * 2);
    return word;
  }
  /** Only empty or not is taken from it: the rest follows from the registers. */
  set tagWord(value: number) {
    let mask = 0;
    for (let physical = 0; physical < 8; physical++) if (((value >> (physical * 2)) & 3) === TAG.empty) mask |= 1 << physical;
    this.emptyMask = mask;
  }
  private tagOf(physical: number): number {
    if (this.emptyMask & (1 << physical)) return TAG.empty;
    const value = this.physical(physical);
    const kind = classOf(value);
    if (kind === 'zero') return TAG.zero;
    return kind === 'finite' && (value.signExponent & 0x7fff) !== 0 ? TAG.valid : TAG.special;
  }

  private physical(index: number): Float80 {
    const at = layout.X87_REGISTERS + index * 16;
    return { significand: this.state.view.getBigUint64(at, true), signExponent: this.state.view.getUint16(at + 8, true) };
  }
  /** ST(index), whatever its tag. */
  get(index: number): Float80 {
    return this.physical((this.top + index) & 7);
  }
  /** Writes ST(index); its tag stays. */
  write(index: number, { significand, signExponent }: Float80): void {
    const at = layout.X87_REGISTERS + ((this.top + index) & 7) * 16;
    this.state.view.setBigUint64(at, significand, true);
    this.state.view.setUint16(at + 8, signExponent, true);
  }
  isEmpty(index: number): boolean {
    return (this.emptyMask & (1 << ((this.top + index) & 7))) !== 0;
  }
  /** Writes ST(index) and marks it as not empty. */
  set(index: number, value: Float80): void {
    this.write(index, value);
    this.emptyMask &= ~(1 << ((this.top + index) & 7));
  }
  push(value: Float80): void {
    this.top -= 1;
    this.set(0, value);
  }
  pop(): void {
    this.emptyMask |= 1 << this.top;
    this.top += 1;
  }

  /** FNINIT */
  initialise(): void {
    for (const cell of [
      layout.X87_STATUS,
      layout.X87_TOP,
      layout.X87_OPCODE,
      layout.X87_INSTRUCTION_SELECTOR,
      layout.X87_OPERAND_SELECTOR,
    ]) {
      this.state.set32(cell, 0);
    }
    setPointer(this.state, layout.X87_INSTRUCTION_OFFSET, 0n);
    setPointer(this.state, layout.X87_OPERAND_OFFSET, 0n);
    this.state.set32(layout.X87_CONTROL, CONTROL_INITIAL);
    this.emptyMask = 0xff;
  }

  /** Records where a computing instruction is. */
  note(instruction: HostInstruction): void {
    setPointer(this.state, layout.X87_INSTRUCTION_OFFSET, BigInt(instruction.eip));
    this.state.set32(layout.X87_INSTRUCTION_SELECTOR, this.state.segmentSelector(layout.CS));
  }

  /**
   * Takes exceptions, C1 and condition codes into the status word.
   * @param opcode the low eleven bits of the instruction, for FOP
   * @returns whether the result may be stored
   */
  commit(flags: number, codes: number, opcode: number): boolean {
    const unmasked = flags & ~this.control & STATUS.exceptions;
    const raised = unmasked & BEFORE_THE_OPERATION ? flags & (BEFORE_THE_OPERATION | STATUS.stackFault) : flags;
    this.flags = (this.flags & ~CONDITION_CODES) | codes | raised | (unmasked ? ERROR_PENDING : 0);
    if (unmasked) this.state.set32(layout.X87_OPCODE, opcode);
    return (unmasked & BEFORE_THE_OPERATION) === 0;
  }
  get conditionCodes(): number {
    return this.flags & CONDITION_CODES;
  }

  get hasPendingError(): boolean {
    return (this.flags & STATUS.errorSummary) !== 0;
  }
  get ignoresError(): boolean {
    return (this.flags & STATUS.ignoreError) !== 0;
  }
  ignoreError(): void {
    if (this.hasPendingError) this.flags |= STATUS.ignoreError;
  }
}

/** Offsets have 64 bits; outside 64-bit code the upper half is zero. */
export function setPointer(state: CpuState, cell: number, offset: bigint): void {
  state.i64[cell >>> 3] = offset;
}

/** #NM unless the FPU is there for this task. */
export function requireAvailable(cpu: Cpu): void {
  if (cpu.state.cr0 & (CR0.em | CR0.ts)) throw new GuestException(VECTOR.deviceNotAvailable);
}

/**
 * What a waiting instruction does first. @returns false when it must be tried again later: an unmasked exception is
 * pending, and it is reported by FERR#.
 */
export function begin(cpu: Cpu, instruction: HostInstruction, fpu: FpuState): boolean {
  requireAvailable(cpu);
  if (!fpu.hasPendingError) return true;
  if (cpu.state.cr0 & CR0.ne) throw new GuestException(VECTOR.x87);
  if (fpu.ignoresError) return true;
  cpu.state.eip = instruction.eip;
  return false;
}

/** The opcode of a register form of D9, as FOP has it. */
export const registerOpcode = ({ reg, rm }: HostInstruction): number => 0x1c0 | ((reg & 7) << 3) | (rm & 7);
