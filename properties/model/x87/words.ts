/** Bits of the x87 status and control words (Intel SDM volume 1, figures 8-4 and 8-6). */

/** Exceptions have the same places in the status word (flags) and in the control word (masks). */
export const INVALID = 1 << 0;
export const DENORMAL = 1 << 1;
export const ZERO_DIVIDE = 1 << 2;
export const OVERFLOW = 1 << 3;
export const UNDERFLOW = 1 << 4;
export const PRECISION = 1 << 5;
export const EXCEPTIONS = 0x3f;
/** Found before anything is computed: unmasked, they leave the operands as they are (section 8.7). */
export const PRE_COMPUTATION = INVALID | DENORMAL | ZERO_DIVIDE;

export const STACK_FAULT = 1 << 6;
export const ERROR_SUMMARY = 1 << 7;
export const BUSY = 1 << 15;
export const C0 = 1 << 8;
export const C1 = 1 << 9;
export const C2 = 1 << 10;
export const C3 = 1 << 14;
export const TOP_SHIFT = 11;

/** Bits 6, 7 and 13 to 15 of the control word cannot be written; bit 6 reads as one. */
export const CONTROL_WRITABLE = 0x1f3f;
export const CONTROL_FIXED = 0x0040;
/** After FINIT: all masked, 64 bits, to nearest. */
export const CONTROL_INITIAL = 0x037f;

export type Rounding = 'nearest' | 'down' | 'up' | 'truncate';
const ROUNDINGS: readonly Rounding[] = ['nearest', 'down', 'up', 'truncate'];
export const roundingOf = (control: number): Rounding => ROUNDINGS[(control >> 10) & 3]!;

/** Significand bits by precision control; 01 is reserved. */
const PRECISIONS = [24, 64, 53, 64] as const;
export const precisionOf = (control: number): number => PRECISIONS[(control >> 8) & 3]!;
export const isReservedPrecision = (control: number): boolean => ((control >> 8) & 3) === 1;
