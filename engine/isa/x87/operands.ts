/** Memory operands of x87 instructions: reading and writing the seven formats (Intel SDM volume 1, section 4.2). */
import type { AccessBits, Context } from '../../translate/context.js';
import { toI32, toI64 } from '../../translate/int.js';
import { I32, I64 } from '../../wasm/values.js';
import type { Extended, Fpu } from './fpu.js';

/** An operand of an operation, with the question whether it was a denormal before it was widened. */
export interface Source {
  readonly value: Extended;
  readonly denormal: I32 | undefined;
}

export type MemoryFormat = 'f32' | 'f64' | 'i16' | 'i32';

/** Reads memory operand 0 for an operation; faults leave. No exceptions are raised for what it is. */
export function readSource(fpu: Fpu, format: MemoryFormat): Source {
  const { c } = fpu;
  const linear = c.linear(0, false);
  const { f80 } = c.float;
  switch (format) {
    case 'f32': {
      const bits = toI32(c.load(linear, 32));
      return { value: fpu.callExtended(f80.widenF32, bits), denormal: c.let(bits.and(0x7fff_ffff).sub(1).ltU(0x7f_ffff)) };
    }
    case 'f64': {
      const bits = toI64(c.load(linear, 64));
      return {
        value: fpu.callExtended(f80.widenF64, bits),
        denormal: c.let(bits.and(0x7fff_ffff_ffff_ffffn).sub(1).ltU(0xf_ffff_ffff_ffffn)),
      };
    }
    default:
      return { value: fpu.callExtended(f80.fromI64, readInteger(c, linear, format === 'i16' ? 16 : 32)), denormal: undefined };
  }
}

/** A signed integer in memory. */
function readInteger(c: Context, linear: I32, bits: 16 | 32 | 64): I64 {
  const value = c.load(linear, bits as AccessBits);
  if (bits === 64) return toI64(value);
  return (bits === 16 ? toI32(value).extend16S() : toI32(value)).toI64S();
}

function read80(c: Context, linear: I32): Extended {
  const significand = toI64(c.load(linear, 64));
  return { significand, signExponent: toI32(c.load(linear.add(8), 16)) };
}

/** Ten bytes, all or nothing. */
export function write80(c: Context, linear: I32, value: Extended): void {
  c.requireWritable(linear, 10);
  c.store(linear, 64, value.significand);
  c.store(linear.add(8), 16, value.signExponent);
}

/** Reads a memory operand for a push: conversions raise their exceptions. The flag cell is cleared before. */
export function readForLoad(fpu: Fpu, format: MemoryFormat | 'i64' | 'f80' | 'bcd'): Extended {
  const { c } = fpu;
  const linear = c.linear(0, false);
  const { f80 } = c.float;
  switch (format) {
    case 'f32':
      return fpu.compute(f80.fromF32, toI32(c.load(linear, 32)));
    case 'f64':
      return fpu.compute(f80.fromF64, toI64(c.load(linear, 64)));
    case 'f80': {
      const value = read80(c, linear);
      fpu.clearFlags();
      return value;
    }
    case 'bcd': {
      const packed = read80(c, linear);
      return fpu.compute(f80.fromBcd, packed.significand, packed.signExponent);
    }
    default:
      return fpu.compute(f80.fromI64, readInteger(c, linear, format === 'i16' ? 16 : format === 'i32' ? 32 : 64));
  }
}

/** Integers as they are stored when there is no value: the integer indefinite, NaNs, the BCD indefinite. */
export const STORED_INDEFINITE = {
  i16: I32.of(0x8000),
  i32: I32.of(-0x8000_0000),
  i64: I64.of(-0x8000_0000_0000_0000n),
  f32: I32.of(0xffc0_0000 | 0),
  f64: I64.of(0xfff8_0000_0000_0000n),
  f80: { significand: I64.of(0xc000_0000_0000_0000n), signExponent: I32.of(0xffff) },
  bcd: { significand: I64.of(0xc000_0000_0000_0000n), signExponent: I32.of(0xffff) },
} as const;
