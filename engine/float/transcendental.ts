/**
 * F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS (Intel SDM vol. 2, the tables of results; vol. 1, section
 * 8.3.8-8.3.10).
 *
 * Policy: a result is the correctly rounded value, in the rounding mode, to 64 bits. It is computed with error bounds, and
 * again with twice the bits as long as the bounds round differently; cases that are exact or too close to an operand for
 * that to end soon are treated apart. The trigonometric functions reduce their argument by the 66-bit pi of x87 hardware
 * (SDM vol. 1, 8.3.8), which is exact in BigInt, and then are correctly rounded for the reduced argument.
 * As on hardware, PE is raised for every finite operand that is computed with, also where the result happens to be exact.
 * Where the manual says "undefined": F2XM1 leaves an operand beyond +-1 as it is; FYL2XP1 gives the mathematical value
 * above -1 and is invalid from -1 down. C1 is that of the cosine for FSINCOS and that of the tangent for FPTAN.
 */
import { DIVIDE_BY_ZERO, PRECISION, ROUNDED_UP, UNDERFLOW } from './context.js';
import {
  bitLength,
  classOf,
  denormalFlag,
  exactly,
  type Float80,
  type FloatResult,
  infinity80,
  invalid,
  isDenormal80,
  isNegative,
  magnitudeOf,
  nanResult,
  powerOfTwo80,
  round80,
  zero80,
} from './float80.js';
import { atanhQuotient, atanQuotient, cosOfSquare, expm1Quotient, GUARD, ln2, pi, sinQuotient, squareRoot } from './series.js';

const OUT_OF_RANGE = 0x400;
/** First try; 64 bits plus what makes a second try rare. */
const FIRST_BITS = 128;
/** Operands below 2^TINY_EXPONENT in magnitude differ from their sine and so on by less than any bit that is looked at. */
const TINY_EXPONENT = -200;

/** A positive number `integer` x 2^power, known to within `error` units. */
interface Approximation {
  readonly integer: bigint;
  readonly power: number;
  readonly error: bigint;
}

/** Rounds a positive number that is never exactly representable nor halfway, from ever better approximations. */
function roundApproximation(negative: boolean, control: number, approximate: (bits: number) => Approximation): FloatResult {
  for (let bits = FIRST_BITS; ; bits *= 2) {
    const { integer, power, error } = approximate(bits);
    const low = round80(negative, integer - error, power, true, control);
    const high = round80(negative, integer + error, power, true, control);
    const [a] = low.values;
    const [b] = high.values;
    if (a!.significand === b!.significand && a!.signExponent === b!.signExponent && low.flags === high.flags) return low;
  }
}

const withFlags = (result: FloatResult, flags: number): FloatResult => ({ values: result.values, flags: result.flags | flags });

/** integer x 2^power as fixed point with `fraction` bits, truncated. */
const toFixed = (integer: bigint, power: number, fraction: number): bigint => {
  const shift = power + fraction;
  return shift >= 0 ? integer << BigInt(shift) : integer >> BigInt(-shift);
};

/** p / q with exactly `bits` or `bits` + 1 significant bits, and its power. */
function quotient(p: bigint, q: bigint, bits: number): { integer: bigint; power: number } {
  const shift = bits - bitLength(p) + bitLength(q);
  return { integer: shift >= 0 ? (p << BigInt(shift)) / q : p / (q << BigInt(-shift)), power: -shift };
}

const exponentOf = ({ integer, power }: { integer: bigint; power: number }): number => bitLength(integer) - 1 + power;

/** A number with `bits` significant bits or more. */
function widened({ integer, power }: { integer: bigint; power: number }, bits: number): { integer: bigint; power: number } {
  const shift = Math.max(0, bits - bitLength(integer));
  return { integer: integer << BigInt(shift), power: power - shift };
}

const errorOf = (bits: number, integer: bigint): bigint => 1n << BigInt(GUARD + Math.max(0, bitLength(integer) - bits));

/** A product of a factor with relative precision and a fixed-point number around 1. */
function scaledBy(factor: { integer: bigint; power: number }, fixed: bigint, bits: number): Approximation {
  const integer = (factor.integer * fixed) >> BigInt(bits);
  return { integer, power: factor.power, error: errorOf(bits, integer) };
}

/** ST(0) <- 2^ST(0) - 1 */
export function f2xm1(x: Float80, control: number): FloatResult {
  const nan = nanResult(x);
  if (nan !== undefined) return nan;
  const negative = isNegative(x);
  if (classOf(x) === 'zero') return exactly(x);
  if (classOf(x) === 'infinite') return exactly(negative ? powerOfTwo80(0, true) : x);
  const magnitude = magnitudeOf(x);
  if (exponentOf(magnitude) >= 0) {
    const isOne = x.significand === powerOfTwo80(0, false).significand && exponentOf(magnitude) === 0;
    return { values: [isOne && negative ? powerOfTwo80(-1, true) : x], flags: PRECISION };
  }
  const result = roundApproximation(negative, control, (bits) => {
    const wide = widened(magnitude, bits);
    const y = { integer: (wide.integer * ln2(bits)) >> BigInt(bits), power: wide.power };
    const fixed = toFixed(y.integer, y.power, bits);
    return scaledBy(y, expm1Quotient(negative ? -fixed : fixed, bits), bits);
  });
  return withFlags(result, denormalFlag(x));
}

/** |log2(1 + d)| of a rational d = p / q, -1/3 < d < 1/2, d not zero, times `factor`. */
function logarithmNearOne(p: bigint, q: bigint, factor: bigint, bits: number): Approximation {
  // ln(1 + d) = 2 atanh(d / (2 + d))
  const t = quotient(p < 0n ? -p : p, 2n * q + p, bits);
  const fixed = toFixed(t.integer, t.power, bits);
  const logarithm = (t.integer * atanhQuotient((fixed * fixed) >> BigInt(bits), bits)) >> BigInt(bits);
  const integer = (factor * ((logarithm << BigInt(bits + 1)) / ln2(bits))) >> BigInt(bitLength(factor) - 1);
  return { integer, power: t.power + bitLength(factor) - 1, error: errorOf(bits, integer) };
}

/** y x log2(p / q) for finite nonzero y and positive p / q, not 1. */
function yTimesLog2(y: Float80, p: bigint, q: bigint, control: number): FloatResult {
  const { integer: factor, power } = magnitudeOf(y);
  const belowOne = p < q;
  const negative = isNegative(y) !== belowOne;
  let whole = bitLength(p) - bitLength(q);
  /** p / q / 2^whole as a fraction, brought to between 2/3 and 4/3. */
  const reduced = (): [bigint, bigint] => (whole >= 0 ? [p, q << BigInt(whole)] : [p << BigInt(-whole), q]);
  let [n, d] = reduced();
  if (3n * n > 4n * d) whole += 1;
  else if (3n * n < 2n * d) whole -= 1;
  [n, d] = reduced();
  if (n === d) {
    const product = factor * BigInt(Math.abs(whole));
    const exact = round80(negative, product, power, false, control);
    return withFlags(exact, PRECISION | (isDenormal80(exact.values[0]!) ? UNDERFLOW : 0));
  }
  if (whole === 0) {
    return roundApproximation(negative, control, (bits) => {
      const near = logarithmNearOne(n - d, d, factor, bits);
      return { ...near, power: near.power + power };
    });
  }
  return roundApproximation(negative, control, (bits) => {
    const fraction = logarithmNearOne(n - d, d, 1n, bits);
    const fixed = toFixed(fraction.integer, fraction.power, bits);
    const total = (BigInt(whole) << BigInt(bits)) + (n < d ? -fixed : fixed);
    const integer = factor * (total < 0n ? -total : total);
    return { integer, power: power - bits, error: factor << BigInt(GUARD) };
  });
}

/** ST(1) <- ST(1) x log2(ST(0)), pop */
export function fyl2x(x: Float80, y: Float80, control: number): FloatResult {
  const nan = nanResult(x, y);
  if (nan !== undefined) return nan;
  const xClass = classOf(x);
  const yClass = classOf(y);
  if (isNegative(x) && xClass !== 'zero') return invalid();
  if (xClass === 'zero') {
    if (yClass === 'zero') return invalid();
    return { values: [infinity80(!isNegative(y))], flags: yClass === 'infinite' ? 0 : DIVIDE_BY_ZERO };
  }
  if (xClass === 'infinite') {
    if (yClass === 'zero') return invalid();
    return withFlags(exactly(infinity80(isNegative(y))), denormalFlag(y));
  }
  const { integer, power } = magnitudeOf(x);
  const [p, q] = power >= 0 ? [integer << BigInt(power), 1n] : [integer, 1n << BigInt(-power)];
  return yTimesLogarithm(y, p, q, false, control, denormalFlag(x, y));
}

/** The rest of FYL2X and FYL2XP1: a finite positive argument p / q of the logarithm. */
function yTimesLogarithm(y: Float80, p: bigint, q: bigint, oneIsNegative: boolean, control: number, flags: number): FloatResult {
  const yClass = classOf(y);
  const negative = isNegative(y) !== (p === q ? oneIsNegative : p < q);
  if (yClass === 'infinite') return p === q ? invalid() : withFlags(exactly(infinity80(negative)), flags);
  if (yClass === 'zero' || p === q) return withFlags(exactly(zero80(negative)), flags);
  return withFlags(yTimesLog2(y, p, q, control), flags);
}

/** ST(1) <- ST(1) x log2(ST(0) + 1), pop */
export function fyl2xp1(x: Float80, y: Float80, control: number): FloatResult {
  const nan = nanResult(x, y);
  if (nan !== undefined) return nan;
  const negative = isNegative(x);
  if (classOf(x) === 'infinite') {
    if (negative || classOf(y) === 'zero') return invalid();
    return withFlags(exactly(infinity80(isNegative(y))), denormalFlag(y));
  }
  const { integer, power } = magnitudeOf(x);
  if (negative && power + bitLength(integer) - 1 >= 0) return invalid();
  const [p, q] = power >= 0 ? [integer << BigInt(power), 1n] : [integer, 1n << BigInt(-power)];
  return yTimesLogarithm(y, negative ? q - p : q + p, q, negative, control, denormalFlag(x, y));
}

/** 66 bits of pi: pi / 2 is this times 2^-65. */
const PI_66 = 0xc90fdaa22168c234cn >> 2n;
const HALF_PI_POWER = -65;

interface Reduced {
  /** Number of quarter turns, modulo 4. */
  readonly quadrant: number;
  readonly negative: boolean;
  /** |remainder|, at most pi / 4. */
  readonly integer: bigint;
  readonly power: number;
}

function reduceAngle(x: Float80): Reduced {
  const { integer, power } = magnitudeOf(x);
  // Below 1/2 there is nothing to reduce.
  if (exponentOf({ integer, power }) < -1) return { quadrant: 0, negative: isNegative(x), integer, power };
  const common = Math.min(power, HALF_PI_POWER);
  const angle = integer << BigInt(power - common);
  const halfPi = PI_66 << BigInt(HALF_PI_POWER - common);
  const turns = (2n * angle + halfPi) / (2n * halfPi);
  const rest = angle - turns * halfPi;
  const quadrant = Number(turns & 3n);
  const flip = isNegative(x);
  return {
    quadrant: flip ? (4 - quadrant) & 3 : quadrant,
    negative: rest < 0n !== flip,
    integer: rest < 0n ? -rest : rest,
    power: common,
  };
}

interface Kernel {
  readonly sine: Approximation;
  readonly cosine: Approximation;
}

function kernel({ integer, power }: Reduced, bits: number): Kernel {
  const wide = widened({ integer, power }, bits);
  const fixed = toFixed(wide.integer, wide.power, bits);
  const square = (fixed * fixed) >> BigInt(bits);
  return {
    sine: scaledBy(wide, sinQuotient(square, bits), bits),
    cosine: { integer: cosOfSquare(square, bits), power: -bits, error: 1n << BigInt(GUARD) },
  };
}

/** A value just below (or above) a positive number, closer than any rounding can tell. */
function roundBeside(
  negative: boolean,
  { integer, power }: { integer: bigint; power: number },
  above: boolean,
  control: number,
): FloatResult {
  const wide = widened({ integer, power }, FIRST_BITS);
  return round80(negative, above ? wide.integer : wide.integer - 1n, wide.power, true, control);
}

const isTiny = (value: { integer: bigint; power: number }): boolean => exponentOf(value) < TINY_EXPONENT;

/** sin (quarter 0) or cos (quarter 1) of the reduced angle. */
function sineOf(reduced: Reduced, quarter: 0 | 1, control: number): FloatResult {
  const quadrant = (reduced.quadrant + quarter) & 3;
  const useCosine = (quadrant & 1) === 1;
  const negative = quadrant >= 2 !== (!useCosine && reduced.negative);
  if (isTiny(reduced)) return roundBeside(negative, useCosine ? { integer: 1n, power: 0 } : reduced, false, control);
  return roundApproximation(negative, control, (bits) => kernel(reduced, bits)[useCosine ? 'cosine' : 'sine']);
}

function tangentOf(reduced: Reduced, control: number): FloatResult {
  const inverted = (reduced.quadrant & 1) === 1;
  const negative = reduced.negative !== inverted;
  if (!inverted && isTiny(reduced)) return roundBeside(negative, reduced, true, control);
  return roundApproximation(negative, control, (bits) => {
    const { sine, cosine } = kernel(reduced, bits);
    const [over, under] = inverted ? [cosine, sine] : [sine, cosine];
    const ratio = quotient(over.integer, under.integer, bits);
    return { integer: ratio.integer, power: ratio.power + over.power - under.power, error: 1n << BigInt(GUARD + 4) };
  });
}

/** The common frame: NaNs, infinities, zeros and operands that are too large. */
function trigonometric(
  x: Float80,
  count: 1 | 2,
  ofZero: (negative: boolean) => Float80[],
  compute: (reduced: Reduced) => FloatResult,
): FloatResult {
  const nan = nanResult(x);
  if (nan !== undefined) return { values: Array<Float80>(count).fill(nan.values[0]!), flags: nan.flags };
  if (classOf(x) === 'infinite') return invalid(count);
  if (classOf(x) === 'zero') return exactly(...ofZero(isNegative(x)));
  if (exponentOf(magnitudeOf(x)) >= 63) return { values: [x], flags: OUT_OF_RANGE };
  return withFlags(compute(reduceAngle(x)), denormalFlag(x));
}

const ONE = powerOfTwo80(0, false);

export const fsin = (x: Float80, control: number): FloatResult =>
  trigonometric(
    x,
    1,
    (negative) => [zero80(negative)],
    (reduced) => sineOf(reduced, 0, control),
  );

export const fcos = (x: Float80, control: number): FloatResult =>
  trigonometric(
    x,
    1,
    () => [ONE],
    (reduced) => sineOf(reduced, 1, control),
  );

/** Sine, then cosine, which is pushed. */
export const fsincos = (x: Float80, control: number): FloatResult =>
  trigonometric(
    x,
    2,
    (negative) => [zero80(negative), ONE],
    (reduced) => {
      const sine = sineOf(reduced, 0, control);
      const cosine = sineOf(reduced, 1, control);
      return { values: [...sine.values, ...cosine.values], flags: (sine.flags & ~ROUNDED_UP) | cosine.flags };
    },
  );

/** Tangent, then 1.0, which is pushed. */
export const fptan = (x: Float80, control: number): FloatResult =>
  trigonometric(
    x,
    2,
    (negative) => [zero80(negative), ONE],
    (reduced) => {
      const tangent = tangentOf(reduced, control);
      return { values: [...tangent.values, ONE], flags: tangent.flags };
    },
  );

/** atan(p / q), 0 < p / q <= 1 */
function arcTangent(p: bigint, q: bigint, bits: number): Approximation {
  let ratio = quotient(p, q, bits);
  let doublings = 0;
  // atan z = 2 atan(z / (1 + sqrt(1 + z^2)))
  const one = 1n << BigInt(bits);
  while (exponentOf(ratio) >= -3) {
    const z = toFixed(ratio.integer, ratio.power, bits);
    const root = squareRoot(one * one + z * z);
    ratio = quotient(z, one + root, bits);
    doublings += 1;
  }
  const fixed = toFixed(ratio.integer, ratio.power, bits);
  const result = scaledBy(ratio, atanQuotient((fixed * fixed) >> BigInt(bits), bits), bits);
  return { integer: result.integer, power: result.power + doublings, error: result.error };
}

/** ST(1) <- atan2(ST(1), ST(0)), pop */
export function fpatan(x: Float80, y: Float80, control: number): FloatResult {
  const nan = nanResult(x, y);
  if (nan !== undefined) return nan;
  const negative = isNegative(y);
  const flags = denormalFlag(x, y);
  const eighthsOfTurn = (eighths: number): FloatResult =>
    withFlags(
      roundApproximation(negative, control, (bits) => ({
        integer: pi(bits) * BigInt(eighths),
        power: -bits - 2,
        error: 1n << BigInt(GUARD),
      })),
      flags,
    );
  const xClass = classOf(x);
  const yClass = classOf(y);
  if (yClass === 'infinite') return eighthsOfTurn(xClass === 'infinite' ? (isNegative(x) ? 3 : 1) : 2);
  if (yClass === 'zero' || xClass === 'infinite') {
    return isNegative(x) ? eighthsOfTurn(4) : withFlags(exactly(zero80(negative)), flags);
  }
  if (xClass === 'zero') return eighthsOfTurn(2);

  const yMagnitude = magnitudeOf(y);
  const xMagnitude = magnitudeOf(x);
  const common = Math.min(yMagnitude.power, xMagnitude.power);
  const p = yMagnitude.integer << BigInt(yMagnitude.power - common);
  const q = xMagnitude.integer << BigInt(xMagnitude.power - common);
  const steep = p > q;
  const ratio = quotient(steep ? q : p, steep ? p : q, 2 * FIRST_BITS);
  if (!steep && !isNegative(x) && isTiny(ratio)) {
    // atan z lies just below z: below the quotient if that is exact, else above what was cut off.
    const exact = ratio.integer * q === toFixed(p, -ratio.power, 0);
    return withFlags(round80(negative, exact ? ratio.integer - 1n : ratio.integer, ratio.power, true, control), flags);
  }
  const result = roundApproximation(negative, control, (bits) => {
    const small = arcTangent(steep ? q : p, steep ? p : q, bits);
    if (!steep && !isNegative(x)) return small;
    const fixed = toFixed(small.integer, small.power, bits);
    // From the nearest axis: pi/2 -+ atan(x/y) when steep, else pi - atan(y/x).
    const axis = steep ? pi(bits) >> 1n : pi(bits);
    const towards = steep && isNegative(x);
    return { integer: towards ? axis + fixed : axis - fixed, power: -bits, error: 1n << BigInt(GUARD + 2) };
  });
  return withFlags(result, flags);
}
