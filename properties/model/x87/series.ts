/**
 * Elementary functions as integers with error bounds: fixed point, with so many bits behind the point, from the series of
 * any table of functions (Abramowitz and Stegun, 4.2.1, 4.3.65, 4.3.66, 4.4.42, 4.6.33; Euler's series for the arc tangent).
 * Arguments and results are not negative.
 */

/** A value lies within `error` of `integer`, both in units of 2^-fraction. */
export interface Estimate {
  readonly integer: bigint;
  readonly fraction: number;
  readonly error: bigint;
}

/** Every term of a series adds less than this to the error. */
const ERROR_PER_TERM = 8n;

/** Adds terms until one vanishes. `next` makes the nth term (n >= 1) of the one before. */
function series(first: bigint, fraction: number, next: (term: bigint, n: bigint) => bigint, alternating: boolean): Estimate {
  let sum = first;
  let n = 0n;
  for (let term = first; term !== 0n; ) {
    n += 1n;
    term = next(term, n);
    sum += alternating && (n & 1n) === 1n ? -term : term;
  }
  return { integer: sum, fraction, error: ERROR_PER_TERM * (n + 1n) };
}

/** e^y - 1, or 1 - e^-y. */
export function exponentialLessOne(y: bigint, fraction: number, negative: boolean): Estimate {
  const shift = BigInt(fraction);
  return series(y, fraction, (term, n) => ((term * y) / (n + 1n)) >> shift, negative);
}

export function sine(angle: bigint, fraction: number): Estimate {
  const shift = BigInt(fraction);
  const square = (angle * angle) >> shift;
  return series(angle, fraction, (term, n) => ((term * square) >> shift) / (2n * n * (2n * n + 1n)), true);
}

export function cosine(angle: bigint, fraction: number): Estimate {
  const shift = BigInt(fraction);
  const square = (angle * angle) >> shift;
  return series(1n << shift, fraction, (term, n) => ((term * square) >> shift) / (2n * n * (2n * n - 1n)), true);
}

/** The inverse hyperbolic tangent of p / q, at most 1/2. */
export function inverseHyperbolicTangent(p: bigint, q: bigint, fraction: number): Estimate {
  const shift = BigInt(fraction);
  const argument = (p << shift) / q;
  const square = (argument * argument) >> shift;
  let power = argument;
  return series(
    argument,
    fraction,
    (term, n) => {
      power = (power * square) >> shift;
      return term === 0n ? 0n : power / (2n * n + 1n);
    },
    false,
  );
}

/** The arc tangent of p / q, at most 1: pq/(p^2+q^2) (1 + 2/3 w + 2/3 4/5 w^2 + ...) with w = p^2/(p^2+q^2). */
export function arcTangent(p: bigint, q: bigint, fraction: number): Estimate {
  const shift = BigInt(fraction);
  const hypotenuse = p * p + q * q;
  const w = ((p * p) << shift) / hypotenuse;
  return series(((p * q) << shift) / hypotenuse, fraction, (term, n) => (((term * w) >> shift) * (2n * n)) / (2n * n + 1n), false);
}

/** Series of reciprocals of integers: sum of factor x f(1 / q). */
type Formula = readonly (readonly [factor: bigint, q: bigint])[];
/** Machin's formula. */
const PI: Formula = [
  [16n, 5n],
  [-4n, 239n],
];
/** 14 artanh 1/31 + 10 artanh 1/49 + 6 artanh 1/161 */
const LN2: Formula = [
  [14n, 31n],
  [10n, 49n],
  [6n, 161n],
];

function constant(formula: Formula, alternating: boolean): (fraction: number) => bigint {
  const guard = 32;
  let known = 0n;
  let knownFraction = 0;
  return (fraction) => {
    if (fraction > knownFraction) {
      knownFraction = Math.ceil(fraction / 512) * 512;
      known = 0n;
      for (const [factor, q] of formula) {
        let power = (1n << BigInt(knownFraction + guard)) / q;
        const sum = series(
          power,
          knownFraction,
          (_, n) => {
            power /= q * q;
            return power / (2n * n + 1n);
          },
          alternating,
        );
        known += factor * sum.integer;
      }
      known >>= BigInt(guard);
    }
    return known >> BigInt(knownFraction - fraction);
  };
}

/** Within two units. */
export const pi = constant(PI, true);
export const ln2 = constant(LN2, false);
