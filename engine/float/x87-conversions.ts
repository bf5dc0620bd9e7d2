/**
 * FLD, FILD, FBLD, FST, FIST, FBSTP: between 80-bit operands and the formats of memory (Intel SDM vol. 1, section 4.2 and
 * table 4-3, and vol. 2, the instructions). Loads give an f80; stores take (f80, control).
 *
 * Packed decimal operands are (low eight bytes i64, high two bytes i32). Digits above 9, undefined in the manual, count
 * with their value.
 */
import type { FunctionReference } from '../wasm/function-builder.js';
import { load32, store32 } from '../wasm/memory-access.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import {
  DENORMAL,
  F80,
  F80_BIAS,
  F80_EXPONENT_MAX,
  type FloatContext,
  INVALID,
  OVERFLOW,
  PRECISION,
  QUIET_BIT_80,
  ROUNDED_UP,
  raise,
  SIGN_80,
  setLocal,
  TOP_BIT,
  UNDERFLOW,
} from './context.js';
import { FORMAT_F32, FORMAT_F64, type Format } from './formats.js';
import { normaliseInteger, returnInteger, roundToIntegerMagnitude } from './integers.js';
import { roundingOf } from './round.js';
import { exponentField, isInfinity, isNan, isQuiet, isUnsupported, normaliseOperand, operand80 } from './x87-operands.js';

export interface X87Conversions {
  readonly fromI64: FunctionReference;
  readonly fromF32: FunctionReference;
  readonly fromF64: FunctionReference;
  /** The same value for an operation to judge: no exceptions, a signalling NaN stays one, a denormal is normalised. */
  readonly widenF32: FunctionReference;
  readonly widenF64: FunctionReference;
  readonly fromBcd: FunctionReference;
  readonly toI16: FunctionReference;
  readonly toI32: FunctionReference;
  readonly toI64: FunctionReference;
  readonly toF32: FunctionReference;
  readonly toF64: FunctionReference;
  readonly toBcd: FunctionReference;
}

const BCD_LIMIT = 10n ** 18n;
const BCD_INDEFINITE_LOW = 0xc000000000000000n;
const BCD_INDEFINITE_HIGH = 0xffff;

export function defineX87Conversions(context: FloatContext): X87Conversions {
  const { module, flagsAddress } = context;
  const toWide = (negative: I32): I32 => negative.shl(15);

  const fromI64 = module.function({ parameters: [TYPE_I64], results: F80 }, (f) => {
    const value = f.parameter(0, TYPE_I64);
    f.if(value.eqz(), () => f.return(I64.of(0), I32.of(0)));
    const negative = f.let(value.ltS(0));
    const { exponent, significand } = normaliseInteger(f, f.let(select(negative, value.neg(), value)));
    f.return(significand, exponent.add(F80_BIAS).or(toWide(negative)));
  });

  const fromFormat = (format: Format, raises: boolean): FunctionReference => {
    const single = format.signShift === 31;
    return module.function({ parameters: [single ? TYPE_I32 : TYPE_I64], results: F80 }, (f) => {
      const bits = single ? f.let(f.parameter(0, TYPE_I32).toI64U()) : f.parameter(0, TYPE_I64);
      const sign = f.let(bits.shrU(format.signShift).wrap().shl(15));
      const exponent = f.let(bits.shrU(format.fractionBits).wrap().and(format.exponentMax));
      const fraction = f.let(bits.shl(64 - format.fractionBits).shrU(1));
      f.if(exponent.sub(1).ltU(format.exponentMax - 1), () =>
        f.return(fraction.or(TOP_BIT), sign.or(exponent.add(F80_BIAS - format.bias))),
      );
      f.if(exponent, () => {
        f.if(fraction.eqz(), () => f.return(I64.of(TOP_BIT), sign.or(F80_EXPONENT_MAX)));
        if (raises) f.if(isQuiet(fraction).eqz(), () => raise(f, flagsAddress, INVALID));
        f.return(fraction.or(raises ? TOP_BIT | QUIET_BIT_80 : TOP_BIT), sign.or(F80_EXPONENT_MAX));
      });
      f.if(fraction.eqz(), () => f.return(I64.of(0), sign));
      if (raises) raise(f, flagsAddress, DENORMAL);
      const places = f.let(fraction.clz());
      f.return(fraction.shl(places), sign.or(I32.of(F80_BIAS - format.bias + 1).sub(places.wrap())));
    });
  };

  const toInteger = (bits: number): FunctionReference => {
    const type = bits === 64 ? TYPE_I64 : TYPE_I32;
    return module.function({ parameters: [...F80, TYPE_I32], results: [type] }, (f) => {
      const significand = f.parameter(0, TYPE_I64);
      const signExponent = f.parameter(1, TYPE_I32);
      const exponent = f.let(exponentField(signExponent));
      const unsupported = isUnsupported(significand, signExponent);
      const operand = {
        exponent: f.let(select(unsupported, I32.of(F80_EXPONENT_MAX), exponent.sub(F80_BIAS))),
        significand,
        negative: f.let(signExponent.and(SIGN_80)),
      };
      returnInteger(f, flagsAddress, bits, operand, f.let(roundingOf(f.parameter(2, TYPE_I32))), (value) =>
        bits === 64 ? value : value.wrap(),
      );
      f.unreachable();
    });
  };

  const toFormat = (format: Format): FunctionReference => {
    const single = format.signShift === 31;
    const round = single ? context.round.toF32 : context.round.toF64;
    return module.function({ parameters: [...F80, TYPE_I32], results: [single ? TYPE_I32 : TYPE_I64] }, (f) => {
      const significand = f.parameter(0, TYPE_I64);
      const signExponent = f.parameter(1, TYPE_I32);
      const control = f.let(f.parameter(2, TYPE_I32).and(0xfff));
      const narrow = (value: I64): I32 | I64 => (single ? value.wrap() : value);
      const signBit = f.let(signExponent.shrU(15).and(1).toI64U().shl(format.signShift));
      f.if(isUnsupported(significand, signExponent), () => {
        raise(f, flagsAddress, INVALID);
        f.return(narrow(I64.of(format.indefinite)));
      });
      f.if(isNan(significand, signExponent), () => {
        f.if(isQuiet(significand).eqz(), () => raise(f, flagsAddress, INVALID));
        const payload = significand.shl(1).shrU(64 - format.fractionBits);
        f.return(narrow(payload.or(format.infinity | format.quietBit).or(signBit)));
      });
      f.if(isInfinity(significand, signExponent), () => f.return(narrow(signBit.or(format.infinity))));
      f.if(significand.eqz(), () => f.return(narrow(signBit)));
      const a = operand80(f, significand, signExponent);
      normaliseOperand(f, a);
      const exponent = a.exponent.get().add(format.bias - F80_BIAS);
      const bits = f.let(f.callValue(round, TYPE_I64, signExponent.shrU(15).and(1), exponent, a.significand.get(), control));
      // Nothing is stored for an unmasked overflow or underflow, so nothing was rounded either.
      const cell = I32.of(flagsAddress);
      f.if(
        load32(cell)
          .and(control.not())
          .and(OVERFLOW | UNDERFLOW),
        () => f.emit(store32(cell, load32(cell).and(~(PRECISION | ROUNDED_UP)))),
      );
      f.return(narrow(bits));
    });
  };

  const fromBcd = module.function({ parameters: [TYPE_I64, TYPE_I32], results: F80 }, (f) => {
    const low = f.parameter(0, TYPE_I64);
    const high = f.parameter(1, TYPE_I32);
    const sign = f.let(high.and(SIGN_80));
    const value = setLocal(f, TYPE_I64, high.shrU(4).and(15).mul(10).add(high.and(15)).toI64U());
    const shift = setLocal(f, TYPE_I64, I64.of(64));
    f.loop((again) => {
      f.set(shift, shift.get().sub(4));
      f.set(value, value.get().mul(10).add(low.shrU(shift.get()).and(15)));
      f.brIf(shift.get().ne(0), again);
    });
    f.if(value.get().eqz(), () => f.return(I64.of(0), sign));
    const { exponent, significand } = normaliseInteger(f, value.get());
    f.return(significand, exponent.add(F80_BIAS).or(sign));
  });

  const toBcd = module.function({ parameters: [...F80, TYPE_I32], results: F80 }, (f) => {
    const significand = f.parameter(0, TYPE_I64);
    const signExponent = f.parameter(1, TYPE_I32);
    const sign = f.let(signExponent.and(SIGN_80));
    const exponent = f.let(exponentField(signExponent).sub(F80_BIAS));
    f.if(exponent.leS(62).and(isUnsupported(significand, signExponent).eqz()), () => {
      const { magnitude, flags } = roundToIntegerMagnitude(f, exponent, significand, sign, f.let(roundingOf(f.parameter(2, TYPE_I32))));
      f.if(magnitude.ltU(BCD_LIMIT), () => {
        raise(f, flagsAddress, flags);
        const rest = setLocal(f, TYPE_I64, magnitude);
        const digits = setLocal(f, TYPE_I64, I64.of(0));
        const shift = setLocal(f, TYPE_I64, I64.of(0));
        f.loop((again) => {
          f.set(digits, digits.get().or(rest.get().remU(10).shl(shift.get())));
          f.set(rest, rest.get().divU(10));
          f.set(shift, shift.get().add(4));
          f.brIf(shift.get().ne(64), again);
        });
        const top = f.let(rest.get().wrap());
        f.return(digits.get(), sign.or(top.divU(10).shl(4)).or(top.remU(10)));
      });
    });
    raise(f, flagsAddress, INVALID);
    f.return(I64.of(BCD_INDEFINITE_LOW), I32.of(BCD_INDEFINITE_HIGH));
  });

  return {
    fromI64,
    fromF32: fromFormat(FORMAT_F32, true),
    fromF64: fromFormat(FORMAT_F64, true),
    widenF32: fromFormat(FORMAT_F32, false),
    widenF64: fromFormat(FORMAT_F64, false),
    fromBcd,
    toI16: toInteger(16),
    toI32: toInteger(32),
    toI64: toInteger(64),
    toF32: toFormat(FORMAT_F32),
    toF64: toFormat(FORMAT_F64),
    toBcd,
  };
}
