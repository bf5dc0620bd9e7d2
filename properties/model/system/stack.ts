/**
 * Frames on a stack, checked word by word before anything of them is written: the present stack, or one of an inner ring that
 * is about to be entered (SDM volume 3, 5.8.5 and 6.12.1).
 */
import { CPU_STATE, type CpuState, SS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { dataBreakpoints } from './debug-registers.js';
import { BIG, fault, insideLimit, linear } from './descriptors.js';

const RSP = 4;

export const setCpl = (state: CpuState, cpl: number): void => state.setU32(CPU_STATE.cpl, cpl);

/** What a frame needs to know of a stack segment; a Descriptor has it all. */
export interface StackSegment {
  readonly base: number;
  readonly limit: number;
  readonly isExpandDown: boolean;
  readonly big: boolean;
}

export function presentStack(state: CpuState): StackSegment {
  const attributes = state.segmentAttributes(SS);
  return {
    base: Number(state.segmentBase(SS)),
    limit: state.segmentLimit(SS),
    isExpandDown: (attributes & 0x1c) === 0x14,
    big: (attributes & BIG) !== 0,
  };
}

export const stackPointer = (cpu: Cpu): number => Number(cpu.register(RSP, 32));

export const setStackPointer = (cpu: Cpu, pointer: number): void => cpu.setRegister(RSP, 32, BigInt(pointer >>> 0));

const wrap = (segment: StackSegment, pointer: number): number => (segment.big ? pointer >>> 0 : pointer & 0xffff);

export class Frame {
  private readonly values: { readonly value: number; readonly bytes: number; readonly offset: number }[] = [];
  private offset: number;

  /**
   * @param errorCode of the #SS of a word outside the limit
   * @param inner whether this is the stack of a ring inside the present one, written as a supervisor
   */
  constructor(
    private readonly cpu: Cpu,
    private readonly segment: StackSegment,
    private readonly start: number,
    private readonly errorCode: number,
    private readonly inner = false,
  ) {
    this.offset = wrap(segment, start);
    if (inner && !segment.big) cpu.undefine('interrupt.inner-sp');
  }

  /** All of ESP behind the frame: a 16-bit stack leaves the upper half as it is. */
  get pointer(): number {
    return this.segment.big ? this.offset : ((this.start & ~0xffff) | this.offset) >>> 0;
  }

  push(bytes: number, value: number): void {
    this.offset = wrap(this.segment, this.offset - bytes);
    if (!insideLimit(this.segment, this.offset, bytes)) fault(VECTOR.ss, this.errorCode);
    this.checkPages(this.offset, bytes);
    this.values.push({ value, bytes, offset: this.offset });
  }

  /** Policy `frame.order`: a page fault comes before whatever else may be wrong behind this word. */
  private checkPages(offset: number, bytes: number): void {
    try {
      if (this.inner) this.cpu.checkStoreSystem(this.linear(offset), bytes);
      else this.cpu.checkStore(SS, BigInt(offset), bytes);
    } catch (thrown) {
      this.cpu.undefine('frame.order');
      throw thrown;
    }
  }

  /** After all checks. */
  write(): void {
    for (const { offset, bytes, value } of this.values) {
      const data = BigInt.asUintN(bytes * 8, BigInt(value));
      if (this.inner) {
        const linear = this.linear(offset);
        this.cpu.storeSystem(linear, bytes, data);
        this.cpu.debugTrap |= dataBreakpoints(this.cpu, Number(linear), bytes, true);
      } else this.cpu.store(SS, BigInt(offset), bytes, data);
    }
  }

  private linear(offset: number): bigint {
    return linear(BigInt(this.segment.base + offset));
  }
}

/** Words of the present stack from its top on, read without moving the pointer. */
export class StackReader {
  private bytesRead = 0;
  private readonly segment: StackSegment;
  private readonly start: number;

  constructor(private readonly cpu: Cpu) {
    this.segment = presentStack(cpu.state);
    this.start = stackPointer(cpu);
  }

  read(bytes: number): number {
    return Number(this.word(bytes));
  }

  /** A selector in the low half of a wider word, which is read as a whole. */
  readSelector(bytes: number): number {
    return Number(this.word(bytes) & 0xffffn);
  }

  nextWouldFault(bytes: number): boolean {
    return this.cpu.loadWouldFault(SS, this.place, bytes);
  }

  skip(bytes: number): void {
    this.bytesRead += bytes;
  }

  /** All of ESP behind what was read. */
  get pointer(): number {
    return this.segment.big ? this.offset : ((this.start & ~0xffff) | this.offset) >>> 0;
  }

  private get offset(): number {
    return wrap(this.segment, this.start + this.bytesRead);
  }

  private word(bytes: number): bigint {
    const value = this.cpu.load(SS, this.place, bytes);
    this.skip(bytes);
    return value;
  }

  private get place(): bigint {
    const { cpu } = this;
    return cpu.codeBits === 64 ? BigInt.asUintN(64, cpu.register(RSP, 64) + BigInt(this.bytesRead)) : BigInt(this.offset);
  }
}
