/**
 * SSE scalar add, subtract, multiply, divide, square root on the bits of binary32 and binary64 (Intel SDM vol. 2, ADDSS
 * and so on; vol. 1, section 11.5 for exceptions). Each is (a, b, mxcsr) -> bits.
 *
 * The host's arithmetic is used only where it cannot differ: rounding to nearest with PE masked, normal operands, a result
 * well inside the normal range (so neither over- nor underflow), and either PE already set in MXCSR, so that raising it
 * again changes nothing, or a proof that the operation was exact. A NaN never comes out of it.
 */
import type { FunctionBuilder, FunctionReference } from '../wasm/function-builder.js';
import { F32, F64, I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { DIVIDE_BY_ZERO, type FloatContext, PRECISION, ROUND_DOWN, raise } from './context.js';
import { FORMAT_F32, type Format } from './formats.js';
import { roundingOf } from './round.js';
import {
  asResult,
  bitsOfNative,
  bitsParameter,
  controlOf,
  isDenormalOperand,
  type Native,
  type Normalised,
  nativeOf,
  normalised,
  raiseSseDenormal,
  returnIfSseNan,
  returnSseIndefinite,
  type SseOperand,
  sseOperand,
  typeOf,
} from './sse-operands.js';
import { addMagnitudes, divideMagnitudes, multiplyMagnitudes, squareRootMagnitude, subtractMagnitudes, type Wide } from './wide.js';

export interface SseArithmetic {
  readonly add: FunctionReference;
  readonly sub: FunctionReference;
  readonly mul: FunctionReference;
  readonly div: FunctionReference;
  /** (a, mxcsr) -> bits */
  readonly sqrt: FunctionReference;
}

/** MXCSR: rounding control and the precision mask, then the precision flag. */
const ROUNDING_AND_PRECISION_MASK = 0x7000;
const NEAREST_AND_MASKED = 0x1000;

/** Whether a native result is surely exact; undefined where that is not cheap to know. */
type ExactnessProof = ((f: FunctionBuilder, result: Native, a: Native, b: Native) => I32) | undefined;

function nativeTwo(operation: 'add' | 'sub' | 'mul' | 'div', a: Native, b: Native): Native {
  return a instanceof F32 ? a[operation](b as F32) : a[operation](b as F64);
}

/** Knuth's error of a sum is zero; an overflow on the way gives "no". */
function sumIsExact(f: FunctionBuilder, sum: Native, a: Native, b: Native): I32 {
  const back = f.let(nativeTwo('sub', sum, a));
  const aError = nativeTwo('sub', a, nativeTwo('sub', sum, back));
  const error = nativeTwo('add', aError, nativeTwo('sub', b, back));
  return error instanceof F32 ? error.promote().eq(F64.of(0)) : error.eq(F64.of(0));
}

const differenceIsExact = (f: FunctionBuilder, difference: Native, a: Native, b: Native): I32 => sumIsExact(f, difference, a, b.neg());

// Products of two binary32 numbers are exact in binary64.
const asDouble = (value: Native): F64 => (value instanceof F32 ? value.promote() : value);
const productIsExact: ExactnessProof = (_f, product, a, b) => asDouble(product).eq(asDouble(a).mul(asDouble(b)));
const quotientIsExact: ExactnessProof = (_f, quotient, a, b) => asDouble(quotient).mul(asDouble(b)).eq(asDouble(a));
const rootIsExact: ExactnessProof = (_f, root, a) => asDouble(root).mul(asDouble(root)).eq(asDouble(a));

function returnNative(
  f: FunctionBuilder,
  format: Format,
  mxcsr: I32,
  operands: readonly [I64, I64] | readonly [I64],
  compute: (a: Native, b: Native) => Native,
  proof: ExactnessProof,
): void {
  const field = (bits: I64): I32 => bits.shrU(format.fractionBits).wrap().and(format.exponentMax);
  const normal = operands.map((bits) => field(bits).ne(0)).reduce((x, y) => x.and(y));
  const extraFlag = proof === undefined ? PRECISION : 0;
  f.if(normal.and(mxcsr.and(ROUNDING_AND_PRECISION_MASK | extraFlag).eq(NEAREST_AND_MASKED | extraFlag)), () => {
    const a = nativeOf(format, operands[0]);
    const b = nativeOf(format, operands[1] ?? operands[0]);
    const result = f.let(compute(a, b));
    const bits = f.let(bitsOfNative(result));
    f.if(
      field(bits)
        .sub(2)
        .ltU(format.exponentMax - 3),
      () => {
        if (proof === undefined) f.return(asResult(format, bits));
        else
          f.if(
            mxcsr
              .and(PRECISION)
              .ne(0)
              .or(proof(f, result, a, b)),
            () => f.return(asResult(format, bits)),
          );
      },
    );
  });
}

function returnSseRounded(f: FunctionBuilder, context: FloatContext, format: Format, negative: I32, wide: Wide, control: I32): void {
  const round = format === FORMAT_F32 ? context.round.toF32 : context.round.toF64;
  const sticky = wide.high.get().or(wide.low.get().ne(0).toI64U());
  f.return(asResult(format, f.callValue(round, TYPE_I64, negative, wide.exponent.get(), sticky, control)));
}

interface Parts {
  readonly a: SseOperand;
  readonly b: SseOperand;
  readonly aInfinite: I32;
  readonly bInfinite: I32;
  readonly aZero: I32;
  readonly bZero: I32;
  readonly control: I32;
  denormal(): void;
}

export function defineSseArithmetic(context: FloatContext, format: Format): SseArithmetic {
  const { module, flagsAddress } = context;
  const type = typeOf(format);
  const signBit = (negative: I32): I64 => negative.toI64U().shl(format.signShift);
  const returnInfinity = (f: FunctionBuilder, negative: I32): void => f.return(asResult(format, signBit(negative).or(format.infinity)));
  const returnZero = (f: FunctionBuilder, negative: I32): void => f.return(asResult(format, signBit(negative)));
  const cancelledSign = (control: I32): I32 => roundingOf(control).eq(ROUND_DOWN);

  const binary = (
    compute: (a: Native, b: Native) => Native,
    proof: ExactnessProof,
    /** Changes the sign of b after NaN handling. */
    negateB: boolean,
    special: (f: FunctionBuilder, parts: Parts) => void,
    finite: (f: FunctionBuilder, a: Normalised, b: Normalised, parts: Parts) => void,
  ): FunctionReference =>
    module.function({ parameters: [type, type, TYPE_I32], results: [type] }, (f) => {
      const aBits = bitsParameter(f, format, 0);
      const bBits = bitsParameter(f, format, 1);
      const mxcsr = f.parameter(2, TYPE_I32);
      returnNative(f, format, mxcsr, [aBits, bBits], compute, proof);
      const control = controlOf(f, mxcsr);
      const a = sseOperand(f, format, aBits, mxcsr);
      const bAsGiven = sseOperand(f, format, bBits, mxcsr);
      returnIfSseNan(f, flagsAddress, format, [a, bAsGiven]);
      const b = negateB ? { ...bAsGiven, negative: f.let(bAsGiven.negative.eqz()) } : bAsGiven;
      const parts: Parts = {
        a,
        b,
        control,
        aInfinite: f.let(a.magnitude.eq(format.infinity)),
        bInfinite: f.let(b.magnitude.eq(format.infinity)),
        aZero: f.let(a.magnitude.eqz()),
        bZero: f.let(b.magnitude.eqz()),
        denormal: () =>
          raiseSseDenormal(
            f,
            flagsAddress,
            isDenormalOperand(format, a).or(isDenormalOperand(format, b)),
            control,
            asResult(format, I64.of(0)),
          ),
      };
      special(f, parts);
      finite(f, normalised(f, format, a), normalised(f, format, b), parts);
    });

  const addition = (subtract: boolean): FunctionReference =>
    binary(
      (a, b) => nativeTwo(subtract ? 'sub' : 'add', a, b),
      subtract ? differenceIsExact : sumIsExact,
      subtract,
      (f, { a, b, aInfinite, bInfinite, aZero, bZero, control, denormal }) => {
        f.if(aInfinite.and(bInfinite).and(a.negative.ne(b.negative)), () => returnSseIndefinite(f, flagsAddress, format));
        denormal();
        f.if(aInfinite, () => returnInfinity(f, a.negative));
        f.if(bInfinite, () => returnInfinity(f, b.negative));
        f.if(aZero.and(bZero), () => returnZero(f, select(a.negative.eq(b.negative), a.negative, cancelledSign(control))));
      },
      (f, a, b, { a: aOperand, b: bOperand, aZero, bZero, control }) => {
        const low = f.local(TYPE_I64);
        f.set(low, I64.of(0));
        const alone = (operand: SseOperand, part: Normalised): void =>
          returnSseRounded(f, context, format, operand.negative, { exponent: part.exponent, high: part.significand, low }, control);
        f.if(aZero, () => alone(bOperand, b));
        f.if(bZero, () => alone(aOperand, a));
        const aPart = { exponent: a.exponent.get(), significand: a.significand.get() };
        const bPart = { exponent: b.exponent.get(), significand: b.significand.get() };
        f.if(aOperand.negative.eq(bOperand.negative), () =>
          returnSseRounded(f, context, format, aOperand.negative, addMagnitudes(f, aPart, bPart), control),
        );
        const difference = subtractMagnitudes(f, aPart, bPart);
        f.if(difference.high.get().eqz(), () => returnZero(f, cancelledSign(control)));
        returnSseRounded(f, context, format, select(difference.swapped, bOperand.negative, aOperand.negative), difference, control);
      },
    );

  const mul = binary(
    (a, b) => nativeTwo('mul', a, b),
    format === FORMAT_F32 ? productIsExact : undefined,
    false,
    (f, { a, b, aInfinite, bInfinite, aZero, bZero, denormal }) => {
      f.if(aInfinite.and(bZero).or(bInfinite.and(aZero)), () => returnSseIndefinite(f, flagsAddress, format));
      denormal();
      f.if(aInfinite.or(bInfinite), () => returnInfinity(f, a.negative.xor(b.negative)));
      f.if(aZero.or(bZero), () => returnZero(f, a.negative.xor(b.negative)));
    },
    (f, a, b, parts) => {
      const exponent = a.exponent.get().add(b.exponent.get()).sub(format.bias);
      const product = multiplyMagnitudes(f, exponent, a.significand.get(), b.significand.get());
      returnSseRounded(f, context, format, parts.a.negative.xor(parts.b.negative), product, parts.control);
    },
  );

  const div = binary(
    (a, b) => nativeTwo('div', a, b),
    format === FORMAT_F32 ? quotientIsExact : undefined,
    false,
    (f, { a, b, aInfinite, bInfinite, aZero, bZero, denormal }) => {
      const negative = a.negative.xor(b.negative);
      f.if(aInfinite.and(bInfinite).or(aZero.and(bZero)), () => returnSseIndefinite(f, flagsAddress, format));
      f.if(bZero.and(aInfinite.eqz()), () => {
        raise(f, flagsAddress, DIVIDE_BY_ZERO);
        returnInfinity(f, negative);
      });
      denormal();
      f.if(aInfinite, () => returnInfinity(f, negative));
      f.if(bInfinite.or(aZero), () => returnZero(f, negative));
    },
    (f, a, b, parts) => {
      const exponent = a.exponent.get().sub(b.exponent.get()).add(format.bias);
      const quotient = divideMagnitudes(f, exponent, a.significand.get(), b.significand.get());
      returnSseRounded(f, context, format, parts.a.negative.xor(parts.b.negative), quotient, parts.control);
    },
  );

  const sqrt = module.function({ parameters: [type, TYPE_I32], results: [type] }, (f) => {
    const bits = bitsParameter(f, format, 0);
    const mxcsr = f.parameter(1, TYPE_I32);
    returnNative(f, format, mxcsr, [bits], (a) => a.sqrt(), format === FORMAT_F32 ? rootIsExact : undefined);
    const control = controlOf(f, mxcsr);
    const a = sseOperand(f, format, bits, mxcsr);
    returnIfSseNan(f, flagsAddress, format, [a]);
    f.if(a.magnitude.eqz(), () => returnZero(f, a.negative));
    f.if(a.negative, () => returnSseIndefinite(f, flagsAddress, format));
    f.if(a.magnitude.eq(format.infinity), () => returnInfinity(f, I32.of(0)));
    raiseSseDenormal(f, flagsAddress, isDenormalOperand(format, a), control, asResult(format, I64.of(0)));
    const { exponent, significand } = normalised(f, format, a);
    const root = squareRootMagnitude(f, f.let(exponent.get().sub(format.bias)), significand.get());
    f.set(root.exponent, root.exponent.get().add(format.bias));
    returnSseRounded(f, context, format, I32.of(0), root, control);
  });

  return { add: addition(false), sub: addition(true), mul, div, sqrt };
}
