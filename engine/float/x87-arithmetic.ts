/**
 * FADD, FSUB, FMUL, FDIV, FSQRT on 80-bit operands (Intel SDM vol. 2, the instructions' tables of results; vol. 1,
 * section 8.5 for the order of exceptions). Each is (a, b, control) -> result; precision control applies.
 */
import type { FunctionBuilder, FunctionReference } from '../wasm/function-builder.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { DIVIDE_BY_ZERO, F80, F80_BIAS, F80_EXPONENT_MAX, type FloatContext, ROUND_DOWN, raise, SIGN_80, TOP_BIT } from './context.js';
import { roundingOf } from './round.js';
import { addMagnitudes, divideMagnitudes, multiplyMagnitudes, squareRootMagnitude, subtractMagnitudes, type Wide } from './wide.js';
import {
  finite,
  isDenormal,
  isInfinity,
  isNormal,
  normaliseOperand,
  type Operand80,
  operand80,
  raiseDenormal,
  returnIfNan,
  returnIndefinite,
  type SpecialFunctions,
} from './x87-operands.js';

const BINARY = { parameters: [...F80, ...F80, TYPE_I32], results: F80 } as const;
const UNARY = { parameters: [...F80, TYPE_I32], results: F80 } as const;

export interface X87Arithmetic {
  readonly add: FunctionReference;
  readonly sub: FunctionReference;
  readonly mul: FunctionReference;
  readonly div: FunctionReference;
  readonly sqrt: FunctionReference;
}

function returnRounded(f: FunctionBuilder, context: FloatContext, sign: I32, wide: Wide, control: I32): void {
  f.returnCall(context.round.toF80, sign, wide.exponent.get(), wide.high.get(), wide.low.get(), control);
}

interface BinaryParts {
  readonly a: Operand80;
  readonly b: Operand80;
  readonly aInfinite: I32;
  readonly bInfinite: I32;
  readonly control: I32;
  /** Raises DE when an operand is denormal. */
  denormal(): void;
}

function binary(
  context: FloatContext,
  special: SpecialFunctions,
  /** Adds to the sign of b: 0x8000 for a subtraction. */
  flip: number,
  handleSpecial: (f: FunctionBuilder, parts: BinaryParts) => void,
  compute: (f: FunctionBuilder, a: Operand80, b: Operand80, control: I32) => void,
): FunctionReference {
  return context.module.function(BINARY, (f) => {
    const aBits = f.parameter(0, TYPE_I64);
    const aSignExponent = f.parameter(1, TYPE_I32);
    const bBits = f.parameter(2, TYPE_I64);
    const bSignExponent = f.parameter(3, TYPE_I32);
    const control = f.parameter(4, TYPE_I32);
    const a = operand80(f, aBits, aSignExponent);
    const b = operand80(f, bBits, bSignExponent.xor(flip));
    f.if(isNormal(aBits, aSignExponent).and(isNormal(bBits, bSignExponent)).eqz(), () => {
      returnIfNan(f, special.nanOfTwo, aBits, aSignExponent, bBits, bSignExponent);
      handleSpecial(f, {
        a,
        b,
        control,
        aInfinite: f.let(isInfinity(aBits, aSignExponent)),
        bInfinite: f.let(isInfinity(bBits, bSignExponent)),
        denormal: () =>
          raiseDenormal(f, context.flagsAddress, isDenormal(aBits, aSignExponent).or(isDenormal(bBits, bSignExponent)), control),
      });
      normaliseOperand(f, a);
      normaliseOperand(f, b);
    });
    compute(f, a, b, control);
  });
}

const returnInfinity = (f: FunctionBuilder, sign: I32): void => f.return(I64.of(TOP_BIT), sign.or(F80_EXPONENT_MAX));
const returnZero = (f: FunctionBuilder, sign: I32): void => f.return(I64.of(0), sign);
/** What an exact sum of zero gets as its sign. */
const cancelledSign = (control: I32): I32 => select(roundingOf(control).eq(ROUND_DOWN), I32.of(SIGN_80), I32.of(0));

function addition(context: FloatContext, special: SpecialFunctions, flip: number): FunctionReference {
  return binary(
    context,
    special,
    flip,
    (f, { a, b, aInfinite, bInfinite, control, denormal }) => {
      f.if(aInfinite.and(bInfinite).and(a.sign.ne(b.sign)), () => returnIndefinite(f, context.flagsAddress));
      denormal();
      f.if(aInfinite, () => returnInfinity(f, a.sign));
      f.if(bInfinite, () => returnInfinity(f, b.sign));
      const returnOther = (zero: Operand80, other: Operand80): void => {
        f.if(zero.significand.get().eqz(), () => {
          f.if(other.significand.get().eqz(), () => returnZero(f, select(zero.sign.eq(other.sign), zero.sign, cancelledSign(control))));
          normaliseOperand(f, other);
          returnRounded(f, context, other.sign, { ...wideOf(other), low: lowOfZero(f) }, control);
        });
      };
      returnOther(a, b);
      returnOther(b, a);
    },
    (f, a, b, control) => {
      f.if(a.sign.eq(b.sign), () => returnRounded(f, context, a.sign, addMagnitudes(f, finite(a), finite(b)), control));
      const difference = subtractMagnitudes(f, finite(a), finite(b));
      f.if(difference.high.get().eqz(), () => returnZero(f, cancelledSign(control)));
      returnRounded(f, context, select(difference.swapped, b.sign, a.sign), difference, control);
    },
  );
}

const wideOf = (operand: Operand80): Pick<Wide, 'exponent' | 'high'> => ({ exponent: operand.exponent, high: operand.significand });

function lowOfZero(f: FunctionBuilder): Wide['low'] {
  const low = f.local(TYPE_I64);
  f.set(low, I64.of(0));
  return low;
}

export function defineX87Arithmetic(context: FloatContext, special: SpecialFunctions): X87Arithmetic {
  const { flagsAddress } = context;
  const zero = (operand: Operand80): I32 => operand.significand.get().eqz();

  const mul = binary(
    context,
    special,
    0,
    (f, { a, b, aInfinite, bInfinite, denormal }) => {
      const sign = f.let(a.sign.xor(b.sign));
      f.if(aInfinite.and(zero(b)).or(bInfinite.and(zero(a))), () => returnIndefinite(f, flagsAddress));
      denormal();
      f.if(aInfinite.or(bInfinite), () => returnInfinity(f, sign));
      f.if(zero(a).or(zero(b)), () => returnZero(f, sign));
    },
    (f, a, b, control) => {
      const exponent = a.exponent.get().add(b.exponent.get()).sub(F80_BIAS);
      returnRounded(f, context, a.sign.xor(b.sign), multiplyMagnitudes(f, exponent, a.significand.get(), b.significand.get()), control);
    },
  );

  const div = binary(
    context,
    special,
    0,
    (f, { a, b, aInfinite, bInfinite, denormal }) => {
      const sign = f.let(a.sign.xor(b.sign));
      f.if(aInfinite.and(bInfinite).or(zero(a).and(zero(b))), () => returnIndefinite(f, flagsAddress));
      f.if(zero(b).and(aInfinite.eqz()), () => {
        raise(f, flagsAddress, DIVIDE_BY_ZERO);
        returnInfinity(f, sign);
      });
      denormal();
      f.if(aInfinite, () => returnInfinity(f, sign));
      f.if(bInfinite.or(zero(a)), () => returnZero(f, sign));
    },
    (f, a, b, control) => {
      const exponent = a.exponent.get().sub(b.exponent.get()).add(F80_BIAS);
      returnRounded(f, context, a.sign.xor(b.sign), divideMagnitudes(f, exponent, a.significand.get(), b.significand.get()), control);
    },
  );

  const sqrt = context.module.function(UNARY, (f) => {
    const bits = f.parameter(0, TYPE_I64);
    const signExponent = f.parameter(1, TYPE_I32);
    const control = f.parameter(2, TYPE_I32);
    const a = operand80(f, bits, signExponent);
    f.if(isNormal(bits, signExponent).and(a.sign.eqz()).eqz(), () => {
      returnIfNan(f, special.nanOfOne, bits, signExponent);
      f.if(zero(a), () => f.return(bits, signExponent));
      f.if(a.sign, () => returnIndefinite(f, flagsAddress));
      raiseDenormal(f, flagsAddress, isDenormal(bits, signExponent), control);
      f.if(isInfinity(bits, signExponent), () => f.return(bits, signExponent));
      normaliseOperand(f, a);
    });
    const root = squareRootMagnitude(f, f.let(a.exponent.get().sub(F80_BIAS)), a.significand.get());
    f.set(root.exponent, root.exponent.get().add(F80_BIAS));
    returnRounded(f, context, I32.of(0), root, control);
  });

  return { add: addition(context, special, 0), sub: addition(context, special, SIGN_80), mul, div, sqrt };
}
