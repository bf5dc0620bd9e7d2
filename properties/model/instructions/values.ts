/** Integers of the operand widths, as the Operation sections of the Intel SDM volume 2 use them. */
import type { Cpu } from '../cpu.js';

export type IntegerWidth = 8 | 16 | 32 | 64;

export const unsigned = (value: bigint, width: number): bigint => BigInt.asUintN(width, value);
export const signed = (value: bigint, width: number): bigint => BigInt.asIntN(width, value);

export const bit = (value: bigint, position: number): boolean => ((value >> BigInt(position)) & 1n) !== 0n;
export const mostSignificantBit = (value: bigint, width: number): boolean => bit(value, width - 1);

/** Width of an operand of an integer instruction. */
export function integerWidth(cpu: Cpu, operand: number): IntegerWidth {
  const width = cpu.width(operand);
  if (width > 64) throw new Error(`an integer operand of ${width} bits`);
  return width as IntegerWidth;
}

/** Reads the first operand, to write it afterwards: memory that cannot be written faults before anything is done. */
export function modify(cpu: Cpu, operation: (old: bigint, width: IntegerWidth) => bigint): void {
  cpu.checkWrite(0);
  cpu.write(0, operation(cpu.read(0), integerWidth(cpu, 0)));
}

/** General registers by number. */
export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
