/**
 * Operands of SSE scalar arithmetic taken apart, MXCSR, NaN selection (Intel SDM vol. 1, sections 10.2.3, 11.5 and table
 * 4-7): of two NaNs the first is the result, quieted.
 */
import type { FunctionBuilder, Local } from '../wasm/function-builder.js';
import { F32, type F64, I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { DENORMAL, FLUSH_TO_ZERO, INVALID, raise, setLocal, TOP_BIT } from './context.js';
import { FORMAT_F32, type Format } from './formats.js';

const DENORMALS_ARE_ZERO = 0x40;

export const typeOf = (format: Format): typeof TYPE_I32 | typeof TYPE_I64 => (format === FORMAT_F32 ? TYPE_I32 : TYPE_I64);

/** The bits of the operand in a parameter, zero-extended. */
export const bitsParameter = (f: FunctionBuilder, format: Format, index: number): I64 =>
  format === FORMAT_F32 ? f.let(f.parameter(index, TYPE_I32).toI64U()) : f.parameter(index, TYPE_I64);

/** Zero-extended bits as the result of a function of the format. */
export const asResult = (format: Format, bits: I64): I32 | I64 => (format === FORMAT_F32 ? bits.wrap() : bits);

/** The control word of the library (context.ts) for an MXCSR. */
export const controlOf = (f: FunctionBuilder, mxcsr: I32): I32 =>
  f.let(mxcsr.shrU(7).and(0x3f).or(mxcsr.shrU(3).and(0xc00)).or(mxcsr.and(FLUSH_TO_ZERO)));

export interface SseOperand {
  readonly bits: I64;
  /** 1 or 0 */
  readonly negative: I32;
  /** Bits without the sign; 0 for a denormal that MXCSR.DAZ makes a zero. */
  readonly magnitude: I64;
  readonly isNan: I32;
}

export function sseOperand(f: FunctionBuilder, format: Format, bits: I64, mxcsr: I32): SseOperand {
  const magnitude = f.let(bits.and((1n << BigInt(format.signShift)) - 1n));
  const flushed = f.let(
    select(magnitude.ltU(1n << BigInt(format.fractionBits)).and(mxcsr.and(DENORMALS_ARE_ZERO).ne(0)), I64.of(0), magnitude),
  );
  return {
    bits,
    negative: f.let(bits.shrU(format.signShift).wrap()),
    magnitude: flushed,
    isNan: f.let(magnitude.gtU(format.infinity)),
  };
}

/** The operand with MXCSR.DAZ applied. */
export const effectiveBits = (format: Format, operand: SseOperand): I64 =>
  operand.magnitude.or(operand.negative.toI64U().shl(format.signShift));

export const isDenormalOperand = (format: Format, operand: SseOperand): I32 =>
  operand.magnitude.ne(0).and(operand.magnitude.ltU(1n << BigInt(format.fractionBits)));
export const isSignalling = (format: Format, operand: SseOperand): I32 => operand.isNan.and(operand.bits.and(format.quietBit).eqz());

export function returnSseIndefinite(f: FunctionBuilder, flagsAddress: number, format: Format): void {
  raise(f, flagsAddress, INVALID);
  f.return(asResult(format, I64.of(format.indefinite)));
}

/** Returns the NaN that an operation on these operands gives, if one of them is a NaN. */
export function returnIfSseNan(f: FunctionBuilder, flagsAddress: number, format: Format, operands: readonly SseOperand[]): void {
  for (const operand of operands) {
    f.if(operand.isNan, () => {
      const signalling = operands.map((each) => isSignalling(format, each)).reduce((x, y) => x.or(y));
      f.if(signalling, () => raise(f, flagsAddress, INVALID));
      f.return(asResult(format, operand.bits.or(format.quietBit)));
    });
  }
}

/** Raises DE; when it is unmasked the function ends, with a result that nobody stores. */
export function raiseSseDenormal(f: FunctionBuilder, flagsAddress: number, condition: I32, control: I32, ignored: I32 | I64): void {
  f.if(condition, () => {
    raise(f, flagsAddress, DENORMAL);
    f.if(control.and(DENORMAL).eqz(), () => f.return(ignored));
  });
}

export interface Normalised {
  readonly exponent: Local<typeof TYPE_I32>;
  readonly significand: Local<typeof TYPE_I64>;
}

/** Exponent (biased) and significand with bit 63 set; rubbish for a zero. */
export function normalised(f: FunctionBuilder, format: Format, operand: SseOperand): Normalised {
  const exponent = setLocal(f, TYPE_I32, operand.magnitude.shrU(format.fractionBits).wrap());
  const significand = setLocal(f, TYPE_I64, operand.magnitude.shl(63 - format.fractionBits));
  f.if(
    exponent.get(),
    () => f.set(significand, significand.get().or(TOP_BIT)),
    () => {
      const places = f.let(significand.get().clz());
      f.set(significand, significand.get().shl(places));
      f.set(exponent, I32.of(1).sub(places.wrap()));
    },
  );
  return { exponent, significand };
}

/** The host's arithmetic on a format. */
export type Native = F32 | F64;
export const nativeOf = (format: Format, bits: I64): Native => (format === FORMAT_F32 ? bits.wrap().asF32() : bits.asF64());
export const bitsOfNative = (native: Native): I64 => (native instanceof F32 ? native.asI32().toI64U() : native.asI64());
