/**
 * FSCALE, FXTRACT, FRNDINT, FPREM, FPREM1 (Intel SDM vol. 2). None of them obeys precision control.
 *
 * Policy where the manual leaves the choice: a partial remainder over an exponent difference D of 64 or more reduces it by
 * 32 + D mod 32, as AMD and Intel processors do.
 */
import type { FunctionBuilder, FunctionReference, Local } from '../wasm/function-builder.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import {
  DENORMAL,
  DIVIDE_BY_ZERO,
  F80,
  F80_BIAS,
  F80_EXPONENT_MAX,
  type FloatContext,
  INDEFINITE_SIGN_EXPONENT,
  INDEFINITE_SIGNIFICAND,
  INVALID,
  QUIET_BIT_80,
  raise,
  SIGN_80,
  setLocal,
  TOP_BIT,
} from './context.js';
import { roundToIntegerMagnitude } from './integers.js';
import { roundingOf } from './round.js';
import { divideFull } from './wide.js';
import {
  isDenormal,
  isInfinity,
  isNormal,
  isQuiet,
  isUnsupported,
  normaliseOperand,
  type Operand80,
  operand80,
  raiseDenormal,
  returnIfNan,
  returnIndefinite,
  type SpecialFunctions,
} from './x87-operands.js';

export interface X87Scaling {
  /** (a, b, control) -> a x 2^trunc(b) */
  readonly scale: FunctionReference;
  /** (a, control) -> (exponent, significand), two f80 */
  readonly extract: FunctionReference;
  /** (a, control) -> f80 */
  readonly roundToInteger: FunctionReference;
  /** (a, b, control) -> (f80, condition codes in their places in the status word, or NO_QUOTIENT); FPREM */
  readonly remainder: FunctionReference;
  /** The same for FPREM1. */
  readonly remainderNearest: FunctionReference;
}

/** What a partial remainder has for condition codes when its result is a NaN. */
export const NO_QUOTIENT = 1;

const EXTENDED = 0x300;
const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;

function defineScale(context: FloatContext, special: SpecialFunctions): FunctionReference {
  const { flagsAddress } = context;
  return context.module.function({ parameters: [...F80, ...F80, TYPE_I32], results: F80 }, (f) => {
    const aBits = f.parameter(0, TYPE_I64);
    const aSignExponent = f.parameter(1, TYPE_I32);
    const bBits = f.parameter(2, TYPE_I64);
    const bSignExponent = f.parameter(3, TYPE_I32);
    const control = f.let(f.parameter(4, TYPE_I32).or(EXTENDED));
    const a = operand80(f, aBits, aSignExponent);
    f.if(isNormal(aBits, aSignExponent).and(isNormal(bBits, bSignExponent)).eqz(), () => {
      returnIfNan(f, special.nanOfTwo, aBits, aSignExponent, bBits, bSignExponent);
      const aInfinite = f.let(isInfinity(aBits, aSignExponent));
      const bInfinite = f.let(isInfinity(bBits, bSignExponent));
      const shrinks = f.let(bSignExponent.and(SIGN_80));
      f.if(bInfinite.and(select(shrinks, aInfinite, aBits.eqz())), () => returnIndefinite(f, flagsAddress));
      raiseDenormal(f, flagsAddress, isDenormal(aBits, aSignExponent).or(isDenormal(bBits, bSignExponent)), control);
      f.if(aInfinite.or(aBits.eqz()), () => f.return(aBits, aSignExponent));
      f.if(bInfinite, () => {
        f.if(shrinks, () => f.return(I64.of(0), a.sign));
        f.return(I64.of(TOP_BIT), a.sign.or(F80_EXPONENT_MAX));
      });
      normaliseOperand(f, a);
    });
    // 2^16 and more moves any operand out of the exponent range, wrapped or not.
    const bExponent = f.let(bSignExponent.and(F80_EXPONENT_MAX).sub(F80_BIAS));
    const magnitude = f.let(
      select(
        bExponent.ltS(0),
        I32.of(0),
        select(bExponent.gtS(16), I32.of(0x20000), bBits.shrU(I64.of(63).sub(bExponent.toI64S())).wrap()),
      ),
    );
    const shift = select(bSignExponent.and(SIGN_80), magnitude.neg(), magnitude);
    f.returnCall(context.round.toF80, a.sign, a.exponent.get().add(shift), a.significand.get(), I64.of(0), control);
  });
}

/** A small integer as f80. */
function smallInteger(f: FunctionBuilder, value: I32): { significand: I64; signExponent: I32 } {
  const magnitude = f.let(select(value.ltS(0), value.neg(), value));
  const places = f.let(magnitude.toI64U().clz());
  const signExponent = select(value.ltS(0), I32.of(SIGN_80), I32.of(0)).or(I32.of(F80_BIAS + 63).sub(places.wrap()));
  return {
    significand: f.let(magnitude.toI64U().shl(places)),
    signExponent: f.let(select(value, signExponent, I32.of(0))),
  };
}

function defineExtract(context: FloatContext): FunctionReference {
  const { flagsAddress } = context;
  return context.module.function({ parameters: [...F80, TYPE_I32], results: [...F80, ...F80] }, (f) => {
    const bits = f.parameter(0, TYPE_I64);
    const signExponent = f.parameter(1, TYPE_I32);
    const a = operand80(f, bits, signExponent);
    f.if(isNormal(bits, signExponent).eqz(), () => {
      const field = a.exponent.get();
      f.if(isUnsupported(bits, signExponent), () => {
        raise(f, flagsAddress, INVALID);
        const nan = [I64.of(INDEFINITE_SIGNIFICAND), I32.of(INDEFINITE_SIGN_EXPONENT)];
        f.return(...nan, ...nan);
      });
      f.if(field.eq(F80_EXPONENT_MAX), () => {
        f.if(isInfinity(bits, signExponent), () => f.return(I64.of(TOP_BIT), I32.of(F80_EXPONENT_MAX), bits, signExponent));
        f.if(isQuiet(bits).eqz(), () => raise(f, flagsAddress, INVALID));
        const quiet = bits.or(QUIET_BIT_80);
        f.return(quiet, signExponent, quiet, signExponent);
      });
      f.if(bits.eqz(), () => {
        raise(f, flagsAddress, DIVIDE_BY_ZERO);
        f.return(I64.of(TOP_BIT), I32.of(SIGN_80 | F80_EXPONENT_MAX), bits, signExponent);
      });
      raise(f, flagsAddress, DENORMAL);
      normaliseOperand(f, a);
    });
    const exponent = smallInteger(f, f.let(a.exponent.get().sub(F80_BIAS)));
    f.return(exponent.significand, exponent.signExponent, a.significand.get(), a.sign.or(F80_BIAS));
  });
}

function defineRoundToInteger(context: FloatContext, special: SpecialFunctions): FunctionReference {
  const { flagsAddress } = context;
  return context.module.function({ parameters: [...F80, TYPE_I32], results: F80 }, (f) => {
    const bits = f.parameter(0, TYPE_I64);
    const signExponent = f.parameter(1, TYPE_I32);
    const control = f.parameter(2, TYPE_I32);
    f.if(isNormal(bits, signExponent).eqz(), () => {
      returnIfNan(f, special.nanOfOne, bits, signExponent);
      f.if(bits.eqz(), () => f.return(bits, signExponent));
      raiseDenormal(f, flagsAddress, isDenormal(bits, signExponent), control);
    });
    const exponent = f.let(signExponent.and(F80_EXPONENT_MAX).sub(F80_BIAS));
    f.if(exponent.geS(63), () => f.return(bits, signExponent));
    const sign = f.let(signExponent.and(SIGN_80));
    const { magnitude, flags } = roundToIntegerMagnitude(f, exponent, bits, sign, f.let(roundingOf(control)));
    raise(f, flagsAddress, flags);
    f.if(magnitude.eqz(), () => f.return(I64.of(0), sign));
    const places = f.let(magnitude.clz());
    f.return(magnitude.shl(places), sign.or(I32.of(F80_BIAS + 63).sub(places.wrap())));
  });
}

function defineRemainder(context: FloatContext, special: SpecialFunctions, nearest: boolean): FunctionReference {
  const { flagsAddress } = context;
  return context.module.function({ parameters: [...F80, ...F80, TYPE_I32], results: [...F80, TYPE_I32] }, (f) => {
    const aBits = f.parameter(0, TYPE_I64);
    const aSignExponent = f.parameter(1, TYPE_I32);
    const bBits = f.parameter(2, TYPE_I64);
    const bSignExponent = f.parameter(3, TYPE_I32);
    const control = f.let(f.parameter(4, TYPE_I32).or(EXTENDED));
    const a = operand80(f, aBits, aSignExponent);
    const b = operand80(f, bBits, bSignExponent);
    /** Ends with a finite nonzero result: always exact, but it may be tiny. */
    const returnPacked = (sign: I32, operand: Pick<Operand80, 'exponent' | 'significand'>, codes: I32): void => {
      const [significand, signExponent] = f.callMany(
        context.round.toF80,
        sign,
        operand.exponent.get(),
        operand.significand.get(),
        I64.of(0),
        control,
      ) as [Local<typeof TYPE_I64>, Local<typeof TYPE_I32>];
      f.return(significand.get(), signExponent.get(), codes);
    };
    f.if(isNormal(aBits, aSignExponent).and(isNormal(bBits, bSignExponent)).eqz(), () => {
      const [found, significand, signExponent] = f.callMany(special.nanOfTwo, aBits, aSignExponent, bBits, bSignExponent) as [
        Local<typeof TYPE_I32>,
        Local<typeof TYPE_I64>,
        Local<typeof TYPE_I32>,
      ];
      f.if(found.get(), () => f.return(significand.get(), signExponent.get(), I32.of(NO_QUOTIENT)));
      f.if(isInfinity(aBits, aSignExponent).or(bBits.eqz()), () => {
        raise(f, flagsAddress, INVALID);
        f.return(I64.of(INDEFINITE_SIGNIFICAND), I32.of(INDEFINITE_SIGN_EXPONENT), I32.of(NO_QUOTIENT));
      });
      f.if(isDenormal(aBits, aSignExponent).or(isDenormal(bBits, bSignExponent)), () => {
        raise(f, flagsAddress, DENORMAL);
        f.if(control.and(DENORMAL).eqz(), () => f.return(I64.of(0), I32.of(0), I32.of(NO_QUOTIENT)));
      });
      f.if(aBits.eqz(), () => f.return(aBits, aSignExponent, I32.of(0)));
      normaliseOperand(f, a);
      f.if(isInfinity(bBits, bSignExponent), () => returnPacked(a.sign, a, I32.of(0)));
      normaliseOperand(f, b);
    });

    const difference = f.let(a.exponent.get().sub(b.exponent.get()));
    f.if(difference.ltS(nearest ? -1 : 0), () => returnPacked(a.sign, a, I32.of(0)));

    // The quotient of a x 2^shift and b; what the partial steps leave over goes back into the exponent.
    const partial = f.let(difference.geS(64));
    const shift = f.let(select(partial, difference.and(31).add(32), difference));
    const wideShift = f.let(shift.toI64U());
    const high = setLocal(f, TYPE_I64, select(shift.leS(0), I64.of(0), a.significand.get().shrU(I64.of(64).sub(wideShift))));
    const low = setLocal(f, TYPE_I64, a.significand.get().shl(wideShift));
    const result = { exponent: setLocal(f, TYPE_I32, b.exponent.get().add(difference.sub(shift))), significand: f.local(TYPE_I64) };
    const quotient = setLocal(f, TYPE_I64, I64.of(0));
    const sign = setLocal(f, TYPE_I32, a.sign);
    const divide = (): void => {
      const parts = divideFull(f, high.get(), low.get(), b.significand.get());
      f.set(quotient, parts.quotient);
      f.set(result.significand, parts.remainder);
    };
    if (nearest) {
      f.if(
        difference.eq(-1),
        () => {
          // a is below b: with both in units of a's last place, b is 2 x its significand, and only its half matters.
          f.if(a.significand.get().leU(b.significand.get()), () => returnPacked(a.sign, a, I32.of(0)));
          f.set(quotient, I64.of(1));
          f.set(sign, a.sign.xor(SIGN_80));
          // 2b - a, in units of a: at most b, since a > b.
          f.set(result.significand, b.significand.get().sub(a.significand.get().sub(b.significand.get())));
          f.set(result.exponent, a.exponent.get());
        },
        () => {
          divide();
          f.if(partial.eqz(), () => {
            const rest = f.let(b.significand.get().sub(result.significand.get()));
            const up = result.significand
              .get()
              .gtU(rest)
              .or(result.significand.get().eq(rest).and(quotient.get().wrap().and(1)));
            f.if(up, () => {
              f.set(quotient, quotient.get().add(1));
              f.set(result.significand, rest);
              f.set(sign, sign.get().xor(SIGN_80));
            });
          });
        },
      );
    } else {
      divide();
    }
    const low3 = f.let(quotient.get().wrap());
    const place = (mask: number, code: number): I32 => select(low3.and(mask), I32.of(code), I32.of(0));
    const codes = f.let(select(partial, I32.of(C2), place(4, C0).or(place(2, C3)).or(place(1, C1))));
    f.if(result.significand.get().eqz(), () => f.return(I64.of(0), a.sign, codes));
    const places = f.let(result.significand.get().clz());
    f.set(result.significand, result.significand.get().shl(places));
    f.set(result.exponent, result.exponent.get().sub(places.wrap()));
    returnPacked(sign.get(), result, codes);
  });
}

export function defineX87Scaling(context: FloatContext, special: SpecialFunctions): X87Scaling {
  return {
    scale: defineScale(context, special),
    extract: defineExtract(context),
    roundToInteger: defineRoundToInteger(context, special),
    remainder: defineRemainder(context, special, false),
    remainderNearest: defineRemainder(context, special, true),
  };
}
