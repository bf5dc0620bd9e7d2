/**
 * RCPPS, RCPSS, RSQRTPS, RSQRTSS (Intel SDM volume 2). The manual promises a relative error of at most 1.5 x 2^-12 and
 * leaves the digits open; here the result is the exact one rounded to twelve fraction bits, half a unit upwards, so the
 * error is at most 2^-13. No exception is ever raised, MXCSR plays no part, denormal operands count as zeros.
 *
 * binary64 division and square root of the host are exact to the last bit, and no NaN goes through them.
 */
import type { Context } from '../../translate/context.js';
import { F64, I32, TYPE_I32 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { laneNumbers, SINGLE, withLanes } from './float-lanes.js';
import { readLow32, readPacked, requireSse, writeLow, writePacked } from './operands.js';

const SIGN = 0x8000_0000 | 0;
const MAGNITUDE = 0x7fff_ffff;
const INFINITY = 0x7f80_0000;
const QUIET = 0x0040_0000;
const INDEFINITE = 0xffc0_0000 | 0;
const SMALLEST_NORMAL = 0x0080_0000;
/** Fraction bits of binary32 that the result does not have. */
const DROPPED_BITS = 23 - 12;
const F32_EXPONENT_OFFSET = 1023 - 127;

type Approximation = (c: Context, value: I32) => I32;

/** The approximation of a positive, normal binary64 number in the normal range of binary32, as bits; 0 when below it. */
function rounded(c: Context, exact: F64): I32 {
  const bits = c.let(exact.asI64());
  // Exponent and twelve bits of the fraction, after half a unit is added: a carry goes into the exponent as it should.
  const high = c.let(
    bits
      .add(1n << 39n)
      .shrU(40)
      .wrap(),
  );
  const result = c.let(high.sub(F32_EXPONENT_OFFSET << 12).shl(DROPPED_BITS));
  return c.f.choose(
    high.ltS((F32_EXPONENT_OFFSET + 1) << 12),
    () => I32.of(0),
    () => result,
    TYPE_I32,
  );
}

const reciprocal: Approximation = (c, value) => {
  const magnitude = c.let(value.and(MAGNITUDE));
  const sign = value.and(SIGN);
  return c.f.choose(
    magnitude.gtU(INFINITY),
    () => value.or(QUIET),
    () =>
      c.f.choose(
        magnitude.ltU(SMALLEST_NORMAL),
        () => sign.or(INFINITY),
        () =>
          c.f.choose(
            magnitude.eq(INFINITY),
            () => sign,
            () => sign.or(rounded(c, F64.of(1).div(magnitude.asF32().promote()))),
            TYPE_I32,
          ),
        TYPE_I32,
      ),
    TYPE_I32,
  );
};

const reciprocalRoot: Approximation = (c, value) => {
  const magnitude = c.let(value.and(MAGNITUDE));
  return c.f.choose(
    magnitude.gtU(INFINITY),
    () => value.or(QUIET),
    () =>
      c.f.choose(
        magnitude.ltU(SMALLEST_NORMAL),
        () => value.and(SIGN).or(INFINITY),
        () =>
          c.f.choose(
            value.ltS(0),
            () => I32.of(INDEFINITE),
            () =>
              c.f.choose(
                magnitude.eq(INFINITY),
                () => I32.of(0),
                () => rounded(c, F64.of(1).div(magnitude.asF32().promote().sqrt())),
                TYPE_I32,
              ),
            TYPE_I32,
          ),
        TYPE_I32,
      ),
    TYPE_I32,
  );
};

const packed =
  (approximation: Approximation): Semantics =>
  (c) => {
    requireSse(c);
    const source = readPacked(c, 1, 'xmm');
    const results = laneNumbers(SINGLE).map((lane) => approximation(c, c.let(SINGLE.get(source, lane) as I32)));
    writePacked(c, 0, 'xmm', withLanes(SINGLE, source, results));
  };
const scalar =
  (approximation: Approximation): Semantics =>
  (c) => {
    requireSse(c);
    writeLow(c, 0, approximation(c, readLow32(c, 1)));
  };

export const RECIPROCALS: readonly Definition[] = [
  row('NP 0F 52 /r', 'rsqrtps', 'Vx,Wx', packed(reciprocalRoot)),
  row('F3 0F 52 /r', 'rsqrtss', 'Vx,Wd', scalar(reciprocalRoot)),
  row('NP 0F 53 /r', 'rcpps', 'Vx,Wx', packed(reciprocal)),
  row('F3 0F 53 /r', 'rcpss', 'Vx,Wd', scalar(reciprocal)),
];
