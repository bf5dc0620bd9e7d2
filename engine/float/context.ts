/**
 * What the functions of the floating-point library share: exception flags, the control word, operand formats.
 *
 * Exceptions are collected in one i32 cell in the order of the x87 status word and of MXCSR (Intel SDM vol. 1,
 * sections 8.1.3.3 and 10.2.3); bit 9, where the status word has C1, says that the result was rounded up in magnitude.
 *
 * The library works on one control layout, that of the x87 control word (SDM vol. 1, section 8.1.5): masks in bits 0-5,
 * precision in bits 8-9, rounding in bits 10-11; bit 15 asks for tiny results to be flushed to zero, as MXCSR.FZ does.
 */
import type { FunctionBuilder, FunctionReference, Local } from '../wasm/function-builder.js';
import { load32, store32 } from '../wasm/memory-access.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, type I64, TYPE_I32, TYPE_I64 } from '../wasm/values.js';

export const INVALID = 0x01;
export const DENORMAL = 0x02;
export const DIVIDE_BY_ZERO = 0x04;
export const OVERFLOW = 0x08;
export const UNDERFLOW = 0x10;
export const PRECISION = 0x20;
export const ROUNDED_UP = 0x200;

/** Comparison results, in the places of CF, PF and ZF in EFLAGS; shifted left by 8 they are C0, C2 and C3. */
export const LESS = 0x01;
export const EQUAL = 0x40;
export const UNORDERED = 0x45;
export const GREATER = 0x00;

export const ROUNDING_SHIFT = 10;
export const ROUND_NEAREST = 0;
export const ROUND_DOWN = 1;
export const ROUND_UP = 2;
export const FLUSH_TO_ZERO = 0x8000;

/** An unmasked x87 overflow or underflow leaves the result with its exponent moved by this much (SDM vol. 1, 8.5.4). */
export const EXPONENT_WRAP = 24576;

export const F80_BIAS = 16383;
export const F80_EXPONENT_MAX = 0x7fff;
export const SIGN_80 = 0x8000;
export const TOP_BIT = 1n << 63n;
export const QUIET_BIT_80 = 1n << 62n;
/** The default NaN, "real indefinite". */
export const INDEFINITE_SIGNIFICAND = 0xc000000000000000n;
export const INDEFINITE_SIGN_EXPONENT = 0xffff;

export interface FloatContext {
  readonly module: ModuleBuilder;
  readonly flagsAddress: number;
  readonly round: RoundingFunctions;
}

export interface RoundingFunctions {
  /** (sign 0x8000 or 0, biased exponent, high, low, control) -> f80; bit 63 of high is set. */
  readonly toF80: FunctionReference;
  /** (sign 1 or 0, exponent biased for the format, significand with bit 63 set and a sticky bit 0, control) -> bits, i64. */
  readonly toF32: FunctionReference;
  readonly toF64: FunctionReference;
}

/** Two parameters or results: significand, then sign and exponent. */
export const F80 = [TYPE_I64, TYPE_I32] as const;

/** ORs exceptions into the cell. */
export function raise(f: FunctionBuilder, flagsAddress: number, flags: I32 | number): void {
  const address = I32.of(flagsAddress);
  f.emit(store32(address, load32(address).or(flags)));
}

export function setLocal<T extends typeof TYPE_I32 | typeof TYPE_I64>(
  f: FunctionBuilder,
  type: T,
  value: T extends typeof TYPE_I32 ? I32 : I64,
): Local<T> {
  const local = f.local(type);
  f.set(local, value as never);
  return local;
}

/** 1 or 0 as i64. */
export const bit = (condition: I32): I64 => condition.toI64U();
