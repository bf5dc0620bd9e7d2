/**
 * Floating-point elements of XMM registers and the exceptions of operations on them (Intel SDM volume 1, section 11.5).
 * An operation computes all its elements first; only when none of them has an unmasked exception is the result stored.
 */
import { VECTOR } from '../../cpu/exceptions.js';
import * as layout from '../../cpu/layout.js';
import { CR4 } from '../../cpu/state.js';
import type { SseFunctions } from '../../float/library.js';
import type { Context } from '../../translate/context.js';
import type { FunctionReference } from '../../wasm/function-builder.js';
import { type I32, type I64, TYPE_I32, TYPE_I64, type V128 } from '../../wasm/values.js';
import { readLow32, readLow64 } from './operands.js';

const ALL_EXCEPTIONS = 0x3f;
/** IE, DE, ZE: detected before anything is computed. */
const PRE_COMPUTATION = 0x07;
const MASKS_SHIFT = 7;

export type Bits = I32 | I64;

/** An element format: its width, and how to get at elements. */
export interface Lanes {
  readonly bits: 32 | 64;
  readonly count: 4 | 2;
  readonly type: typeof TYPE_I32 | typeof TYPE_I64;
  /** Size letter of a scalar operand. */
  readonly size: 'd' | 'q';
  functions(c: Context): SseFunctions;
  get(vector: V128, lane: number): Bits;
  with(vector: V128, lane: number, value: Bits): V128;
  readLow(c: Context, index: number): Bits;
}

export const SINGLE: Lanes = {
  bits: 32,
  count: 4,
  type: TYPE_I32,
  size: 'd',
  functions: (c) => c.float.f32,
  get: (vector, lane) => vector.laneI32(lane as 0),
  with: (vector, lane, value) => vector.withLaneI32(lane, value as I32),
  readLow: readLow32,
};

export const DOUBLE: Lanes = {
  bits: 64,
  count: 2,
  type: TYPE_I64,
  size: 'q',
  functions: (c) => c.float.f64,
  get: (vector, lane) => vector.laneI64(lane as 0),
  with: (vector, lane, value) => vector.withLaneI64(lane, value as I64),
  readLow: readLow64,
};

/** A library call on the elements of one lane, evaluated now. */
export function call(c: Context, target: FunctionReference, ...args: (Bits | number)[]): Bits {
  const type = target.type.results[0] === TYPE_I64 ? TYPE_I64 : TYPE_I32;
  return c.let(c.f.callValue(target, type, ...args) as Bits);
}

/** Runs an operation, given MXCSR, and deals with its exceptions: #XM (or #UD) if one is unmasked. Nothing is stored yet. */
export function withExceptions<T>(c: Context, compute: (mxcsr: I32) => T): T {
  const mxcsr = c.let(c.cell32(layout.MXCSR));
  c.setCell32(layout.FLOAT_FLAGS, 0);
  const result = compute(mxcsr);
  const flags = c.let(c.cell32(layout.FLOAT_FLAGS).and(ALL_EXCEPTIONS));
  c.f.if(flags, () => {
    const unmasked = c.let(flags.and(mxcsr.shrU(MASKS_SHIFT).not()));
    c.f.if(unmasked, () => {
      // Nothing is computed once an element has an exception before the computation.
      const preempted = unmasked.and(PRE_COMPUTATION).ne(0);
      const kept = preempted.neg().not().or(PRE_COMPUTATION);
      c.setCell32(layout.MXCSR, mxcsr.or(flags.and(kept)));
      c.f.if(c.cell32(layout.CR4).and(CR4.osxmmexcpt), () => c.raise(VECTOR.simd));
      c.raise(VECTOR.invalidOpcode);
    });
    c.setCell32(layout.MXCSR, mxcsr.or(flags));
  });
  return result;
}

/** `base` with its first elements replaced. */
export function withLanes(lanes: Lanes, base: V128, values: readonly Bits[]): V128 {
  return values.reduce((vector, value, lane) => lanes.with(vector, lane, value), base);
}

export const laneNumbers = (lanes: Lanes): number[] => Array.from({ length: lanes.count }, (_, lane) => lane);
