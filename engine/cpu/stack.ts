/**
 * Frames on a stack. A writer checks and probes every push before the first byte is written, a reader leaves ESP alone:
 * so a fault in the middle has changed nothing (SDM volume 3, section 6.5: faults are restartable).
 */
import { GuestException, VECTOR } from './exceptions.js';
import type { Cpu, LinearMemory } from './host-instruction.js';
import * as layout from './layout.js';
import { LongStackReader, LongStackWriter } from './long-stack.js';
import { stackMask, withinLimit } from './segmentation.js';
import type { SegmentCache } from './state.js';

const ESP_INDEX = 4;

/** The stack pointer after its part under `mask` became `value`. */
const replaceUnderMask = (pointer: number, value: number, mask: number): number => ((pointer & ~mask) | (value & mask)) >>> 0;

export class StackWriter {
  private readonly values: number[] = [];
  private readonly mask: number;
  private readonly start: number;
  /** All pushes of a frame are of one size. */
  private bytes = 0;

  /** @param errorCode of the #SS that a push outside the limit raises. */
  constructor(
    private readonly segment: SegmentCache,
    public pointer: number,
    private readonly memory: LinearMemory,
    private readonly errorCode: number,
  ) {
    this.mask = stackMask(segment.attributes);
    this.start = pointer;
  }

  push(bytes: number, value: number): void {
    if (this.values.length > 0 && bytes !== this.bytes) throw new Error('the pushes of a frame must be of one size');
    this.bytes = bytes;
    const offset = ((this.pointer - bytes) & this.mask) >>> 0;
    if (!withinLimit(this.segment.limit, this.segment.attributes, offset, bytes)) {
      throw new GuestException(VECTOR.stackFault, this.errorCode);
    }
    const linear = (this.segment.base + offset) >>> 0;
    this.memory.probeWrite(linear, bytes);
    this.values.push(value);
    this.pointer = replaceUnderMask(this.pointer, offset, this.mask);
  }

  /** Writes all pushes, in order. Cannot fault. */
  commit(): void {
    const { bytes, values } = this;
    let offset = this.start;
    for (let i = 0; i < values.length; i++) {
      offset = ((offset - bytes) & this.mask) >>> 0;
      const linear = (this.segment.base + offset) >>> 0;
      if (bytes === 2) this.memory.write16(linear, (values[i] as number) & 0xffff);
      else this.memory.write32(linear, values[i] as number);
    }
  }
}

/** Pushes on the stack in use. */
export const currentStackWriter = (cpu: Cpu): StackWriter =>
  new StackWriter(cpu.state.readSegment(layout.SS), cpu.state.reg32(ESP_INDEX), cpu.memory, 0);

/** One value on the stack in use. */
export function pushValue(cpu: Cpu, bytes: number, value: number): void {
  const stack = cpu.state.longCode ? new LongStackWriter(cpu) : currentStackWriter(cpu);
  stack.push(bytes, value);
  stack.commit();
  cpu.state.setReg32(ESP_INDEX, stack.pointer);
}

/** For what pops one value. */
export const currentStackReader = (cpu: Cpu): StackReader | LongStackReader =>
  cpu.state.longCode ? new LongStackReader(cpu) : new StackReader(cpu);

/** Pops from the stack in use; #SS(0) outside its limit. */
export class StackReader {
  pointer: number;
  private readonly segment: SegmentCache;
  private readonly mask: number;

  constructor(private readonly cpu: Cpu) {
    this.pointer = cpu.state.reg32(ESP_INDEX);
    this.segment = cpu.state.readSegment(layout.SS);
    this.mask = stackMask(this.segment.attributes);
  }

  pop(bytes: number): number {
    const offset = (this.pointer & this.mask) >>> 0;
    if (!withinLimit(this.segment.limit, this.segment.attributes, offset, bytes)) throw new GuestException(VECTOR.stackFault, 0);
    const linear = (this.segment.base + offset) >>> 0;
    const value = bytes === 2 ? this.cpu.memory.read16(linear) & 0xffff : this.cpu.memory.read32(linear) >>> 0;
    this.skip(bytes);
    return value;
  }

  skip(bytes: number): void {
    this.pointer = replaceUnderMask(this.pointer, this.pointer + bytes, this.mask);
  }

  /** Makes the position of the reader the stack pointer. */
  commit(): void {
    this.cpu.state.setReg32(ESP_INDEX, this.pointer);
  }
}
