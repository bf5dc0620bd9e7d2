/**
 * The transcendental functions of finite operands, correctly rounded to 64 bits (Intel SDM volume 1, section 8.3.8 to
 * 8.3.10; volume 2). Where a first estimate does not decide how to round, a better one is made; none of these values lies
 * exactly on a boundary, but where that is said.
 */

import { quotientOf } from './basic-operations.js';
import { denormalFlag, withExceptions } from './nan.js';
import { bitLength, magnitudeExponent, powerOfTwo, type Real, realOfExtended, zero } from './real.js';
import { type Exact, exactly, type Outcome, roundFully } from './rounding.js';
import { arcTangent, cosine, type Estimate, exponentialLessOne, inverseHyperbolicTangent, ln2, pi, sine } from './series.js';
import { PRECISION, UNDERFLOW } from './words.js';

interface Magnitude {
  readonly significand: bigint;
  readonly exponent: number;
}

const FIRST_BITS = 96;

/** `estimate` is asked for at least so many significant bits. */
function roundEstimate(negative: boolean, control: number, estimate: (bits: number) => Estimate): Outcome {
  for (let bits = FIRST_BITS; ; bits *= 2) {
    const { integer, fraction, error } = estimate(bits);
    if (integer <= error) throw new Error('an estimate without a significant bit');
    const bound = (significand: bigint): Outcome => roundFully({ negative, significand, exponent: -fraction, more: true }, control);
    const [low, high] = [bound(integer - error), bound(integer + error)];
    const isDecided =
      low.value.significand === high.value.significand &&
      low.value.signExponent === high.value.signExponent &&
      low.exceptions === high.exceptions &&
      low.roundedUp === high.roundedUp;
    if (isDecided) return low;
  }
}

/** Arguments below 2^-TINY differ from their function by less than any bit that decides. */
const TINY = 200;
const isTiny = (value: Magnitude): boolean => magnitudeExponent(value) < -TINY;
/** Just above or below a number. */
function beside(negative: boolean, { significand, exponent }: Magnitude, side: 'above' | 'below'): Exact {
  const places = 130;
  const widened = significand << BigInt(places);
  return { negative, significand: side === 'above' ? widened : widened - 1n, exponent: exponent - places, more: true };
}

/** In units of 2^-fraction, truncated. */
function fixed({ significand, exponent }: Magnitude, fraction: number): bigint {
  const shift = exponent + fraction;
  return shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift);
}
/** Bits behind the point for so many significant ones in numbers of this magnitude. */
const fractionFor = (bits: number, value: Magnitude): number => bits + Math.max(0, -magnitudeExponent(value)) + 2;

/** 2^x - 1 for 0 < |x| < 1. */
export function powerOfTwoLessOne(x: Real, control: number): Outcome {
  const outcome = roundEstimate(x.negative, control, (bits) => {
    const fraction = fractionFor(bits, x);
    const y = (fixed(x, fraction) * ln2(fraction)) >> BigInt(fraction);
    return exponentialLessOne(y, fraction, x.negative);
  });
  return withExceptions(outcome, denormalFlag(x));
}

/** y x log2(p / q) for positive p / q, not 1. */
export function timesLogarithm(y: Real, p: bigint, q: bigint, control: number): Outcome {
  const negative = y.negative !== p < q;
  // p / q = n / d x 2^whole, n / d between 2/3 and 3/2.
  let whole = bitLength(p) - bitLength(q);
  const scaled = (): [bigint, bigint] => (whole >= 0 ? [p, q << BigInt(whole)] : [p << BigInt(-whole), q]);
  let [n, d] = scaled();
  if (2n * n > 3n * d) whole += 1;
  else if (3n * n < 2n * d) whole -= 1;
  [n, d] = scaled();

  // A power of two has an integer for its logarithm; hardware signals PE nevertheless.
  if (n === d) {
    const product = roundFully({ negative, significand: y.significand * BigInt(Math.abs(whole)), exponent: y.exponent }, control);
    return withExceptions(product, PRECISION | (realOfExtended(product.value).denormal ? UNDERFLOW : 0));
  }
  const numerator = n > d ? n - d : d - n;
  return roundEstimate(negative, control, (bits) => {
    const smallness = whole === 0 ? bitLength(n + d) - bitLength(numerator) : 0;
    const fraction = bits + Math.max(0, smallness) + 2;
    // ln(n / d) = 2 artanh((n - d) / (n + d))
    const half = inverseHyperbolicTangent(numerator, n + d, fraction);
    const logarithm = (half.integer << BigInt(fraction + 1)) / ln2(fraction);
    const total = (BigInt(whole) << BigInt(fraction)) + (n > d ? logarithm : -logarithm);
    const error = 4n * half.error + 8n;
    return { integer: (total < 0n ? -total : total) * y.significand, fraction: fraction - y.exponent, error: error * y.significand };
  });
}

/** Pi as the trigonometric instructions have it, 66 bits: an odd integer x 2^-64; half of it is that x 2^-65. */
const PI_66 = 0x3_243f_6a88_85a3_08d3n;
const HALF_PI: Magnitude = { significand: PI_66, exponent: -65 };

export interface Angle extends Magnitude {
  /** Quarter turns taken off, modulo 4. */
  readonly quadrant: number;
  readonly negative: boolean;
}

/** Takes off the nearest multiple of pi / 2. No operand is a multiple of it: 64 bits are too few. */
export function reduceAngle(x: Real): Angle {
  if (magnitudeExponent(x) < -1) return { quadrant: 0, negative: x.negative, significand: x.significand, exponent: x.exponent };
  const exponent = Math.min(x.exponent, HALF_PI.exponent);
  const angle = x.significand << BigInt(x.exponent - exponent);
  const halfPi = HALF_PI.significand << BigInt(HALF_PI.exponent - exponent);
  const quarters = (2n * angle + halfPi) / (2n * halfPi);
  const rest = angle - quarters * halfPi;
  const signedQuarters = x.negative ? -quarters : quarters;
  return {
    quadrant: Number(signedQuarters & 3n),
    negative: rest < 0n !== x.negative,
    significand: rest < 0n ? -rest : rest,
    exponent,
  };
}

function sineEstimate(angle: Angle, bits: number): Estimate {
  const fraction = fractionFor(bits, angle);
  return sine(fixed(angle, fraction), fraction);
}
/** An angle that is too small to be seen has a cosine of one. */
function cosineEstimate(angle: Angle, bits: number): Estimate {
  return cosine(fixed(angle, bits + 2), bits + 2);
}

/** `quarter` 1 is a quarter turn further: the cosine. */
export function sineOf(angle: Angle, quarter: 0 | 1, control: number): Outcome {
  const quadrant = (angle.quadrant + quarter) & 3;
  const isCosine = (quadrant & 1) === 1;
  const negative = quadrant >= 2 !== (!isCosine && angle.negative);
  if (isTiny(angle)) return roundFully(beside(negative, isCosine ? { significand: 1n, exponent: 0 } : angle, 'below'), control);
  return roundEstimate(negative, control, (bits) => (isCosine ? cosineEstimate : sineEstimate)(angle, bits));
}

export function tangentOf(angle: Angle, control: number): Outcome {
  const isInverted = (angle.quadrant & 1) === 1;
  const negative = angle.negative !== isInverted;
  if (!isInverted && isTiny(angle)) return roundFully(beside(negative, angle, 'above'), control);
  return roundEstimate(negative, control, (bits) => {
    const [s, c] = [sineEstimate(angle, bits), cosineEstimate(angle, bits)];
    const [over, under] = isInverted ? [c, s] : [s, c];
    const shift = Math.max(0, bits + bitLength(under.integer) - bitLength(over.integer));
    const integer = (over.integer << BigInt(shift)) / under.integer;
    // The relative errors add; twice their sum covers what is left out.
    const relative = over.error * under.integer + under.error * over.integer;
    const error = (2n * integer * relative) / (over.integer * under.integer) + 2n;
    return { integer, fraction: shift + over.fraction - under.fraction, error };
  });
}

/** So many quarters of pi. */
export const quartersOfPi = (negative: boolean, quarters: bigint, control: number): Outcome =>
  roundEstimate(negative, control, (bits) => ({ integer: quarters * pi(bits), fraction: bits + 2, error: 4n * quarters }));

/** The angle of the point (x, y), neither of them zero or infinite. */
export function angleOf(y: Real, x: Real, control: number): Outcome {
  const { negative } = y;
  const isSteep = compareMagnitudes(y, x) > 0;
  const [p, q] = isSteep ? [x, y] : [y, x];
  const ratio = quotientOf(p, q, 132);
  if (!isSteep && !x.negative && isTiny(ratio)) {
    const { significand, exponent, more } = ratio;
    return roundFully(more ? { negative, ...ratio } : beside(negative, { significand, exponent }, 'below'), control);
  }
  return roundEstimate(negative, control, (bits) => {
    const isNearAxis = isSteep || x.negative;
    const fraction = isNearAxis ? bits + 2 : fractionFor(bits, ratio);
    const small = smallAngle(p, q, ratio, fraction);
    if (!isNearAxis) return small;
    // Counted from the y axis when steep, else from the negative x axis.
    const axis = isSteep ? pi(fraction) >> 1n : pi(fraction);
    const integer = isSteep && x.negative ? axis + small.integer : axis - small.integer;
    return { integer, fraction, error: small.error + 4n };
  });
}

/** The arc tangent of p / q <= 1; nothing when that is smaller than the unit. */
function smallAngle(p: Magnitude, q: Magnitude, ratio: Magnitude, fraction: number): Estimate {
  if (magnitudeExponent(ratio) < -fraction) return { integer: 0n, fraction, error: 2n };
  const exponent = Math.min(p.exponent, q.exponent);
  return arcTangent(p.significand << BigInt(p.exponent - exponent), q.significand << BigInt(q.exponent - exponent), fraction);
}

function compareMagnitudes(a: Magnitude, b: Magnitude): number {
  const difference = magnitudeExponent(a) - magnitudeExponent(b);
  if (difference !== 0) return difference;
  const exponent = Math.min(a.exponent, b.exponent);
  const [left, right] = [a, b].map((value) => value.significand << BigInt(value.exponent - exponent)) as [bigint, bigint];
  return left === right ? 0 : left > right ? 1 : -1;
}

/** Exact results of F2XM1 at the ends of its range: 1 and -1/2. */
export const atTheEnds = (negative: boolean): Outcome => exactly(negative ? powerOfTwo(-1, true) : powerOfTwo(0), PRECISION);
export const exactZero = (negative: boolean, ...operands: readonly Real[]): Outcome => exactly(zero(negative), denormalFlag(...operands));
