/** Add, subtract, multiply, divide, square root (Intel SDM volume 2, the tables of FADD, FSUB, FMUL, FDIV, FSQRT). */
import { denormalFlag, invalidOperation, specialOutcome, withExceptions } from './nan.js';
import { bitLength, infinity, magnitudeExponent, type Real, zero } from './real.js';
import { type Exact, exactly, type Outcome, roundByControl } from './rounding.js';
import { roundingOf, ZERO_DIVIDE } from './words.js';

export type BinaryOperation = (a: Real, b: Real, control: number) => Outcome;

/** More bits than any rounding looks at, with those that say on which side of a boundary a value lies. */
const PLENTY = 132;

/**
 * The exact sum. An operand so small that it lies wholly beyond all bits of interest of the other counts as the smallest
 * number that does.
 */
function sum(a: Real, b: Real): Exact {
  const [larger, smaller] = magnitudeExponent(a) >= magnitudeExponent(b) ? [a, b] : [b, a];
  const floor = magnitudeExponent(larger) - PLENTY;
  const isBeyond = magnitudeExponent(smaller) < floor;
  const significand = isBeyond ? 1n : smaller.significand;
  const exponent = isBeyond ? floor : smaller.exponent;
  const place = Math.min(larger.exponent, exponent);
  const signed = (negative: boolean, integer: bigint, power: number): bigint => {
    const magnitude = integer << BigInt(power - place);
    return negative ? -magnitude : magnitude;
  };
  const total = signed(larger.negative, larger.significand, larger.exponent) + signed(smaller.negative, significand, exponent);
  return { negative: total < 0n, significand: total < 0n ? -total : total, exponent: place };
}

export const add: BinaryOperation = (a, b, control) => {
  const special = specialOutcome(a, b);
  if (special !== undefined) return special;
  if (a.kind === 'infinity' && b.kind === 'infinity' && a.negative !== b.negative) return invalidOperation;
  const denormal = denormalFlag(a, b);
  if (a.kind === 'infinity' || b.kind === 'infinity') {
    return exactly(infinity(a.kind === 'infinity' ? a.negative : b.negative), denormal);
  }
  // Zeros of unlike sign, and what cancels: -0 when rounding down, else +0.
  const signOfZero = a.negative === b.negative ? a.negative : roundingOf(control) === 'down';
  let total: Exact;
  if (a.kind === 'zero') total = b;
  else if (b.kind === 'zero') total = a;
  else total = sum(a, b);
  if (total.significand === 0n) return exactly(zero(signOfZero), denormal);
  return withExceptions(roundByControl(total, control), denormal);
};

export const subtract: BinaryOperation = (a, b, control) => {
  // A NaN keeps its sign.
  const special = specialOutcome(a, b);
  return special ?? add(a, { ...b, negative: !b.negative }, control);
};

export const multiply: BinaryOperation = (a, b, control) => {
  const special = specialOutcome(a, b);
  if (special !== undefined) return special;
  const negative = a.negative !== b.negative;
  const isInfinite = a.kind === 'infinity' || b.kind === 'infinity';
  const isZero = a.kind === 'zero' || b.kind === 'zero';
  if (isInfinite && isZero) return invalidOperation;
  const denormal = denormalFlag(a, b);
  if (isInfinite) return exactly(infinity(negative), denormal);
  if (isZero) return exactly(zero(negative), denormal);
  const product = { negative, significand: a.significand * b.significand, exponent: a.exponent + b.exponent };
  return withExceptions(roundByControl(product, control), denormal);
};

/** p / q to at least `bits` significant bits. */
export function quotientOf(
  p: { significand: bigint; exponent: number },
  q: { significand: bigint; exponent: number },
  bits: number,
): { significand: bigint; exponent: number; more: boolean } {
  const shift = Math.max(0, bits + 1 + bitLength(q.significand) - bitLength(p.significand));
  const dividend = p.significand << BigInt(shift);
  const significand = dividend / q.significand;
  return { significand, exponent: p.exponent - q.exponent - shift, more: significand * q.significand !== dividend };
}

export const divide: BinaryOperation = (a, b, control) => {
  const special = specialOutcome(a, b);
  if (special !== undefined) return special;
  const negative = a.negative !== b.negative;
  if (a.kind === b.kind && a.kind !== 'finite') return invalidOperation;
  if (a.kind === 'finite' && b.kind === 'zero') return exactly(infinity(negative), ZERO_DIVIDE);
  const denormal = denormalFlag(a, b);
  if (a.kind === 'infinity') return exactly(infinity(negative), denormal);
  if (a.kind === 'zero' || b.kind === 'infinity') return exactly(zero(negative), denormal);
  return withExceptions(roundByControl({ negative, ...quotientOf(a, b, 66) }, control), denormal);
};

/** The integer part of a square root, by Newton's iteration from above. */
function integerSquareRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function squareRoot(a: Real, control: number): Outcome {
  const special = specialOutcome(a);
  if (special !== undefined) return special;
  if (a.kind === 'zero') return exactly(zero(a.negative));
  if (a.negative) return invalidOperation;
  if (a.kind === 'infinity') return exactly(infinity(false));
  // An even exponent, and twice as many bits as the root needs.
  const widening = 136 - bitLength(a.significand);
  const shift = (a.exponent - widening) % 2 === 0 ? widening : widening + 1;
  const radicand = a.significand << BigInt(shift);
  const significand = integerSquareRoot(radicand);
  const root = { negative: false, significand, exponent: (a.exponent - shift) / 2, more: significand * significand !== radicand };
  return withExceptions(roundByControl(root, control), denormalFlag(a));
}
