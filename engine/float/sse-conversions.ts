/** CVTSI2SS, CVTSS2SI, CVTSS2SD, CVTSD2SS and their kin (Intel SDM vol. 2). */
import type { FunctionReference } from '../wasm/function-builder.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { type FloatContext, INVALID, raise, setLocal } from './context.js';
import { FORMAT_F32, FORMAT_F64, type Format } from './formats.js';
import { normaliseInteger, returnInteger } from './integers.js';
import { roundingOf } from './round.js';
import {
  asResult,
  bitsParameter,
  controlOf,
  isDenormalOperand,
  isSignalling,
  normalised,
  raiseSseDenormal,
  sseOperand,
  typeOf,
} from './sse-operands.js';

export interface SseConversions {
  /** (integer i64, mxcsr) -> bits; a 32-bit integer is sign-extended first. */
  readonly fromI64: FunctionReference;
  /** (bits, mxcsr) -> integer; truncation is MXCSR with both RC bits set (0x6000). */
  readonly toI32: FunctionReference;
  readonly toI64: FunctionReference;
}

export interface SseFormatConversions {
  /** (i64 bits of binary64, mxcsr) -> i32 bits of binary32 */
  readonly f64ToF32: FunctionReference;
  /** (i32 bits of binary32, mxcsr) -> i64 bits of binary64 */
  readonly f32ToF64: FunctionReference;
}

export function defineSseConversions(context: FloatContext, format: Format): SseConversions {
  const { module, flagsAddress } = context;
  const type = typeOf(format);
  const round = format === FORMAT_F32 ? context.round.toF32 : context.round.toF64;

  const fromI64 = module.function({ parameters: [TYPE_I64, TYPE_I32], results: [type] }, (f) => {
    const value = f.parameter(0, TYPE_I64);
    f.if(value.eqz(), () => f.return(asResult(format, I64.of(0))));
    const negative = f.let(value.ltS(0));
    const { exponent, significand } = normaliseInteger(f, f.let(select(negative, value.neg(), value)));
    const control = controlOf(f, f.parameter(1, TYPE_I32));
    f.return(asResult(format, f.callValue(round, TYPE_I64, negative, exponent.add(format.bias), significand, control)));
  });

  const toInteger = (bits: 32 | 64): FunctionReference =>
    module.function({ parameters: [type, TYPE_I32], results: [bits === 64 ? TYPE_I64 : TYPE_I32] }, (f) => {
      const mxcsr = f.parameter(1, TYPE_I32);
      const a = sseOperand(f, format, bitsParameter(f, format, 0), mxcsr);
      f.if(a.magnitude.eqz(), () => f.return(bits === 64 ? I64.of(0) : I32.of(0)));
      const { exponent, significand } = normalised(f, format, a);
      const field = a.magnitude.shrU(format.fractionBits).wrap();
      const operand = {
        // Infinities and NaNs do not fit whatever their significand is.
        exponent: f.let(select(field.eq(format.exponentMax), I32.of(64), exponent.get().sub(format.bias))),
        significand: significand.get(),
        negative: a.negative,
      };
      returnInteger(f, flagsAddress, bits, operand, f.let(roundingOf(controlOf(f, mxcsr))), (value) =>
        bits === 64 ? value : value.wrap(),
      );
      f.unreachable();
    });

  return { fromI64, toI32: toInteger(32), toI64: toInteger(64) };
}

export function defineSseFormatConversions(context: FloatContext): SseFormatConversions {
  const { module, flagsAddress } = context;
  const convert = (from: Format, to: Format): FunctionReference =>
    module.function({ parameters: [typeOf(from), TYPE_I32], results: [typeOf(to)] }, (f) => {
      const mxcsr = f.parameter(1, TYPE_I32);
      const control = controlOf(f, mxcsr);
      const a = sseOperand(f, from, bitsParameter(f, from, 0), mxcsr);
      const sign = f.let(a.negative.toI64U().shl(to.signShift));
      f.if(a.isNan, () => {
        f.if(isSignalling(from, a), () => raise(f, flagsAddress, INVALID));
        const fraction = setLocal(f, TYPE_I64, a.magnitude.shl(64 - from.fractionBits).shrU(64 - to.fractionBits));
        f.return(
          asResult(
            to,
            fraction
              .get()
              .or(to.infinity | to.quietBit)
              .or(sign),
          ),
        );
      });
      f.if(a.magnitude.eq(from.infinity), () => f.return(asResult(to, sign.or(to.infinity))));
      f.if(a.magnitude.eqz(), () => f.return(asResult(to, sign)));
      raiseSseDenormal(f, flagsAddress, isDenormalOperand(from, a), control, asResult(to, I64.of(0)));
      const { exponent, significand } = normalised(f, from, a);
      const round = to === FORMAT_F32 ? context.round.toF32 : context.round.toF64;
      const rebiased = exponent.get().add(to.bias - from.bias);
      f.return(asResult(to, f.callValue(round, TYPE_I64, a.negative, rebiased, significand.get(), control)));
    });
  return { f64ToF32: convert(FORMAT_F64, FORMAT_F32), f32ToF64: convert(FORMAT_F32, FORMAT_F64) };
}
