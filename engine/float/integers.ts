/** Rounding a significand to an integer: shared by FIST, FBSTP, FRNDINT and the SSE conversions. */
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { bit, INVALID, PRECISION, ROUNDED_UP, raise, setLocal } from './context.js';
import { roundsUp } from './round.js';

interface RoundedInteger {
  readonly magnitude: I64;
  /** PE and C1 as they apply. */
  readonly flags: I32;
}

/** Rounds `significand` x 2^(exponent - 63) for an exponent up to 63. */
export function roundToIntegerMagnitude(f: FunctionBuilder, exponent: I32, significand: I64, negative: I32, rounding: I32): RoundedInteger {
  const places = f.let(I32.of(63).sub(exponent));
  const wide = f.let(places.toI64U());
  const magnitude = setLocal(f, TYPE_I64, significand);
  const fraction = setLocal(f, TYPE_I64, I64.of(0));
  f.if(places, () => {
    f.set(magnitude, select(places.ltU(64), significand.shrU(wide), I64.of(0)));
    f.set(
      fraction,
      select(places.ltU(64), significand.shl(I64.of(64).sub(wide)), select(places.eq(64), significand, bit(significand.ne(0)))),
    );
  });
  const up = roundsUp(f, rounding, negative, fraction.get(), magnitude.get().wrap().and(1));
  f.set(magnitude, magnitude.get().add(bit(up)));
  const flags = select(fraction.get().ne(0), select(up, I32.of(PRECISION | ROUNDED_UP), I32.of(PRECISION)), I32.of(0));
  return { magnitude: magnitude.get(), flags: f.let(flags) };
}

/**
 * Ends the function with the two's complement integer of `bits` bits, sign-extended to i64, or with the integer indefinite
 * (the most negative integer) and IE when it does not fit.
 */
export function returnInteger(
  f: FunctionBuilder,
  flagsAddress: number,
  bits: number,
  operand: { exponent: I32; significand: I64; negative: I32 },
  rounding: I32,
  result: (value: I64) => I32 | I64,
): void {
  const { exponent, significand, negative } = operand;
  const limit = 1n << BigInt(bits - 1);
  f.if(exponent.leS(63), () => {
    const { magnitude, flags } = roundToIntegerMagnitude(f, exponent, significand, negative, rounding);
    f.if(magnitude.ltU(select(negative.eqz(), I64.of(limit), I64.of(limit + 1n))), () => {
      f.if(flags, () => raise(f, flagsAddress, flags));
      f.return(result(select(negative.eqz(), magnitude, magnitude.neg())));
    });
  });
  raise(f, flagsAddress, INVALID);
  f.return(result(I64.of(-limit)));
}

/** A nonzero integer magnitude, normalised; the exponent is unbiased. */
export function normaliseInteger(f: FunctionBuilder, magnitude: I64): { exponent: I32; significand: I64 } {
  const places = setLocal(f, TYPE_I32, magnitude.clz().wrap());
  return { exponent: f.let(I32.of(63).sub(places.get())), significand: f.let(magnitude.shl(places.get().toI64U())) };
}
