/**
 * Special operands of x87 instructions: unsupported encodings, NaNs, denormals (Intel SDM vol. 1, sections 4.8.3, 8.2.2,
 * table 4-7). Of two NaNs the one with the larger significand is the result, of a quiet and a signalling one the quiet
 * one, of two with equal significands the positive one.
 */
import type { FunctionBuilder, FunctionReference, Local } from '../wasm/function-builder.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import {
  DENORMAL,
  F80,
  F80_EXPONENT_MAX,
  INDEFINITE_SIGN_EXPONENT,
  INDEFINITE_SIGNIFICAND,
  INVALID,
  QUIET_BIT_80,
  raise,
  SIGN_80,
  setLocal,
} from './context.js';

/** A non-special operand taken apart; the significand is normalised by the time the arithmetic sees it. */
export interface Operand80 {
  readonly sign: I32;
  readonly exponent: Local<typeof TYPE_I32>;
  readonly significand: Local<typeof TYPE_I64>;
}

export const exponentField = (signExponent: I32): I32 => signExponent.and(F80_EXPONENT_MAX);
/** Exponent field not extreme and integer bit set: no special handling whatsoever. */
export const isNormal = (significand: I64, signExponent: I32): I32 =>
  exponentField(signExponent)
    .sub(1)
    .ltU(F80_EXPONENT_MAX - 1)
    .and(significand.ltS(0));
export const isInfinity = (significand: I64, signExponent: I32): I32 =>
  exponentField(signExponent).eq(F80_EXPONENT_MAX).and(significand.shl(1).eqz());
export const isNan = (significand: I64, signExponent: I32): I32 =>
  exponentField(signExponent).eq(F80_EXPONENT_MAX).and(significand.shl(1).ne(0));
/** Unnormals, pseudo-NaNs and pseudo-infinities. */
export const isUnsupported = (significand: I64, signExponent: I32): I32 => exponentField(signExponent).ne(0).and(significand.geS(0));
/** Denormals and pseudo-denormals. */
export const isDenormal = (significand: I64, signExponent: I32): I32 => exponentField(signExponent).eqz().and(significand.ne(0));
export const isQuiet = (significand: I64): I32 => significand.and(QUIET_BIT_80).ne(0);

export interface SpecialFunctions {
  /** (a, b) -> (1, NaN) when the result of an operation on both is a NaN because one is unsupported or a NaN, else (0, rubbish). */
  readonly nanOfTwo: FunctionReference;
  readonly nanOfOne: FunctionReference;
}

export function returnIndefinite(f: FunctionBuilder, flagsAddress: number): void {
  raise(f, flagsAddress, INVALID);
  f.return(I64.of(INDEFINITE_SIGNIFICAND), I32.of(INDEFINITE_SIGN_EXPONENT));
}

export function defineSpecial(module: ModuleBuilder, flagsAddress: number): SpecialFunctions {
  const invalid = (f: FunctionBuilder): void => raise(f, flagsAddress, INVALID);
  const indefinite = (f: FunctionBuilder): void => {
    invalid(f);
    f.return(I32.of(1), I64.of(INDEFINITE_SIGNIFICAND), I32.of(INDEFINITE_SIGN_EXPONENT));
  };
  const nanOfTwo = module.function({ parameters: [...F80, ...F80], results: [TYPE_I32, ...F80] }, (f) => {
    const a = f.parameter(0, TYPE_I64);
    const aSign = f.parameter(1, TYPE_I32);
    const b = f.parameter(2, TYPE_I64);
    const bSign = f.parameter(3, TYPE_I32);
    f.if(isUnsupported(a, aSign).or(isUnsupported(b, bSign)), () => indefinite(f));
    const aNan = f.let(isNan(a, aSign));
    const bNan = f.let(isNan(b, bSign));
    f.if(aNan.or(bNan).eqz(), () => f.return(I32.of(0), I64.of(0), I32.of(0)));
    const aSignals = f.let(aNan.and(isQuiet(a).eqz()));
    const bSignals = f.let(bNan.and(isQuiet(b).eqz()));
    f.if(aSignals.or(bSignals), () => invalid(f));
    const larger = select(a.eq(b), bSign.and(SIGN_80).ne(0), a.gtU(b));
    const takeA = f.let(aNan.and(bNan.eqz().or(select(aSignals.eq(bSignals), larger, bSignals))));
    f.return(I32.of(1), select(takeA, a, b).or(QUIET_BIT_80), select(takeA, aSign, bSign));
  });
  const nanOfOne = module.function({ parameters: F80, results: [TYPE_I32, ...F80] }, (f) => {
    const a = f.parameter(0, TYPE_I64);
    const aSign = f.parameter(1, TYPE_I32);
    f.if(isUnsupported(a, aSign), () => indefinite(f));
    f.if(isNan(a, aSign).eqz(), () => f.return(I32.of(0), I64.of(0), I32.of(0)));
    f.if(isQuiet(a).eqz(), () => invalid(f));
    f.return(I32.of(1), a.or(QUIET_BIT_80), aSign);
  });
  return { nanOfTwo, nanOfOne };
}

/** Returns the NaN when `special` (a SpecialFunctions member) says there is one. */
export function returnIfNan(f: FunctionBuilder, special: FunctionReference, ...operands: (I64 | I32)[]): void {
  const [found, significand, signExponent] = f.callMany(special, ...operands) as [Local<typeof TYPE_I32>, Local, Local];
  f.if(found.get(), () => f.return(significand.get(), signExponent.get()));
}

/** Raises DE for a denormal operand; when it is unmasked the instruction ends here, with a result that nobody stores. */
export function raiseDenormal(f: FunctionBuilder, flagsAddress: number, condition: I32, control: I32): void {
  f.if(condition, () => {
    raise(f, flagsAddress, DENORMAL);
    f.if(control.and(DENORMAL).eqz(), () => f.return(I64.of(0), I32.of(0)));
  });
}

export function operand80(f: FunctionBuilder, significand: I64, signExponent: I32): Operand80 {
  return {
    sign: f.let(signExponent.and(SIGN_80)),
    exponent: setLocal(f, TYPE_I32, exponentField(signExponent)),
    significand: setLocal(f, TYPE_I64, significand),
  };
}

/** Brings a denormal (exponent field 0, significand not zero) to a significand with bit 63 set. */
export function normaliseOperand(f: FunctionBuilder, operand: Operand80): void {
  f.if(operand.exponent.get().eqz(), () => {
    const places = f.let(operand.significand.get().clz());
    f.set(operand.significand, operand.significand.get().shl(places));
    f.set(operand.exponent, I32.of(1).sub(places.wrap()));
  });
}

/** The two parts as the arithmetic of wide.ts takes them. */
export const finite = (operand: Operand80): { exponent: I32; significand: I64 } => ({
  exponent: operand.exponent.get(),
  significand: operand.significand.get(),
});
