/**
 * The floating-point library: exact IEEE 754 and x87 arithmetic as WebAssembly functions. All of it is integer
 * arithmetic, so results and exceptions are the same on every host.
 *
 * Exceptions are ORed into the i32 cell at `flagsAddress`, which the caller clears first: bits 0-5 IE, DE, ZE, OE, UE, PE,
 * bit 9 "rounded up" (C1). When one of IE, DE, ZE is unmasked the result must not be stored; when OE or UE is, an x87
 * register gets the result (its exponent is wrapped), memory and SSE destinations do not.
 */
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { FORMAT_F32, FORMAT_F64 } from './formats.js';
import { defineRounding } from './round.js';
import { defineSseArithmetic, type SseArithmetic } from './sse-arithmetic.js';
import { defineSseCompare, type SseCompare } from './sse-compare.js';
import { defineSseConversions, defineSseFormatConversions, type SseConversions, type SseFormatConversions } from './sse-conversions.js';
import { defineX87Arithmetic, type X87Arithmetic } from './x87-arithmetic.js';
import { defineX87Compare, type X87Compare } from './x87-compare.js';
import { defineX87Conversions, type X87Conversions } from './x87-conversions.js';
import { defineSpecial } from './x87-operands.js';
import { defineX87Scaling, type X87Scaling } from './x87-scaling.js';

type X87Functions = X87Arithmetic & X87Compare & X87Conversions & X87Scaling;
export type SseFunctions = SseArithmetic & SseCompare & SseConversions;

export interface FloatLibrary {
  /** Operands are pairs (significand i64, sign and exponent i32), control is the x87 control word. */
  readonly f80: X87Functions;
  /** Operands are bits in an i32, control is MXCSR. */
  readonly f32: SseFunctions;
  /** Operands are bits in an i64, control is MXCSR. */
  readonly f64: SseFunctions;
  readonly formats: SseFormatConversions;
}

export function buildFloatLibrary(module: ModuleBuilder, cells: { readonly flagsAddress: number }): FloatLibrary {
  const { flagsAddress } = cells;
  const context = { module, flagsAddress, round: defineRounding(module, flagsAddress) };
  const special = defineSpecial(module, flagsAddress);
  return {
    f80: {
      ...defineX87Arithmetic(context, special),
      ...defineX87Compare(context),
      ...defineX87Conversions(context),
      ...defineX87Scaling(context, special),
    },
    f32: {
      ...defineSseArithmetic(context, FORMAT_F32),
      ...defineSseCompare(context, FORMAT_F32),
      ...defineSseConversions(context, FORMAT_F32),
    },
    f64: {
      ...defineSseArithmetic(context, FORMAT_F64),
      ...defineSseCompare(context, FORMAT_F64),
      ...defineSseConversions(context, FORMAT_F64),
    },
    formats: defineSseFormatConversions(context),
  };
}
