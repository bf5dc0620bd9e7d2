/**
 * Elementary functions on fixed-point BigInt numbers. Every function works at a precision of `bits` fraction bits and
 * returns a number whose error is below 2^GUARD units in the last place (each step truncates: a few hundred units in all).
 *
 * Series: Abramowitz and Stegun, Handbook of Mathematical Functions, 4.1.33, 4.2.1, 4.3.65, 4.3.66, 4.4.42.
 */

/** log2 of the bound on the error, in units in the last place. */
export const GUARD = 12;

/** Adds terms, each made from the one before, until one vanishes. */
function sum(first: bigint, next: (term: bigint, index: number) => bigint): bigint {
  let total = 0n;
  let term = first;
  for (let index = 0; term !== 0n; index++) {
    total += term;
    term = next(term, index);
  }
  return total;
}

/** atanh(t) / t or, with `alternating`, atan(t) / t, for the square of t. */
function inverseTangentQuotient(square: bigint, bits: number, alternating: boolean): bigint {
  const scale = BigInt(bits);
  let power = 1n << scale;
  let total = 0n;
  for (let n = 1n; power !== 0n; n += 2n) {
    const term = power / n;
    total += alternating && (n & 2n) !== 0n ? -term : term;
    power = (power * square) >> scale;
  }
  return total;
}

export const atanhQuotient = (square: bigint, bits: number): bigint => inverseTangentQuotient(square, bits, false);
export const atanQuotient = (square: bigint, bits: number): bigint => inverseTangentQuotient(square, bits, true);

/** (e^x - 1) / x */
export function expm1Quotient(x: bigint, bits: number): bigint {
  return sum(1n << BigInt(bits), (term, i) => ((term * x) >> BigInt(bits)) / BigInt(i + 2));
}

/** sin(x) / x for the square of x */
export function sinQuotient(square: bigint, bits: number): bigint {
  return sum(1n << BigInt(bits), (term, i) => -((term * square) >> BigInt(bits)) / BigInt((2 * i + 2) * (2 * i + 3)));
}

/** cos(x) for the square of x */
export function cosOfSquare(square: bigint, bits: number): bigint {
  return sum(1n << BigInt(bits), (term, i) => -((term * square) >> BigInt(bits)) / BigInt((2 * i + 1) * (2 * i + 2)));
}

export function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

function cached(compute: (bits: number) => bigint): (bits: number) => bigint {
  const known = new Map<number, bigint>();
  return (bits) => {
    const hit = known.get(bits);
    if (hit !== undefined) return hit;
    const value = compute(bits);
    known.set(bits, value);
    return value;
  };
}

const EXTRA = 16;

/** ln 2 = 2 atanh(1/3) */
export const ln2 = cached((bits) => {
  const wide = bits + EXTRA;
  const one = 1n << BigInt(wide);
  return ((2n * atanhQuotient(one / 9n, wide)) / 3n) >> BigInt(EXTRA);
});

/** pi = 16 atan(1/5) - 4 atan(1/239) (Machin) */
export const pi = cached((bits) => {
  const wide = bits + EXTRA;
  const one = 1n << BigInt(wide);
  const atanOfReciprocal = (n: bigint): bigint => atanQuotient(one / (n * n), wide) / n;
  return (16n * atanOfReciprocal(5n) - 4n * atanOfReciprocal(239n)) >> BigInt(EXTRA);
});
