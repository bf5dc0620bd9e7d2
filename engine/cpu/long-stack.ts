/**
 * The stack of 64-bit code, for host instructions (SDM volume 1, section 6.2.5): no limits, a pointer of 64 bits. Whatever an
 * access succeeds at lies below 4 GiB (segmentation.ts), so numbers are exact where it matters.
 */
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';

const RSP = 4;
const LOW_32 = 0xffff_ffffn;

/** RSP, signed. */
const stackPointer = (cpu: Cpu): number => Number(cpu.state.reg64(RSP));

/** Pushes: checked and probed one by one, written together. */
export class LongStackWriter {
  pointer: number;
  private readonly pushed: { readonly linear: number; readonly bytes: number; readonly value: bigint }[] = [];

  constructor(private readonly cpu: Cpu) {
    this.pointer = stackPointer(cpu);
  }

  push(bytes: number, value: number | bigint): void {
    const linear = this.cpu.linear(layout.SS, this.pointer - bytes, bytes, true);
    this.cpu.memory.probeWrite(linear, bytes);
    this.pushed.push({ linear, bytes, value: BigInt(value) });
    this.pointer -= bytes;
  }

  /** Cannot fault. */
  commit(): void {
    const { memory } = this.cpu;
    for (const { linear, bytes, value } of this.pushed) {
      if (bytes === 2) memory.write16(linear, Number(value & 0xffffn));
      else {
        memory.write32(linear, Number(value & LOW_32));
        memory.write32(linear + 4, Number((value >> 32n) & LOW_32));
      }
    }
  }
}

/** Pops, of which the low 32 bits are given. */
export class LongStackReader {
  private pointer: number;

  constructor(private readonly cpu: Cpu) {
    this.pointer = stackPointer(cpu);
  }

  pop(bytes: number): number {
    const { memory } = this.cpu;
    const linear = this.cpu.linear(layout.SS, this.pointer, bytes, false);
    // All of it is looked at before the first byte counts.
    memory.probeRead(linear, bytes);
    const value = bytes === 2 ? memory.read16(linear) & 0xffff : memory.read32(linear) >>> 0;
    this.pointer += bytes;
    return value;
  }

  commit(): void {
    this.cpu.state.setReg64(RSP, BigInt(this.pointer));
  }
}
