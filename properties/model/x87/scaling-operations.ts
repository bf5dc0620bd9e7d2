/** FSCALE, FXTRACT, FRNDINT, FPREM and FPREM1 as functions of their operands (Intel SDM volume 2). None obeys precision control. */
import { denormalFlag, invalidOperation, specialOutcome, withExceptions } from './nan.js';
import { bitLength, type Extended, infinity, magnitudeExponent, type Real, zero } from './real.js';
import { exactly, type Outcome, roundFully, roundToPlace } from './rounding.js';
import { C0, C1, C2, C3, PRECISION, roundingOf, ZERO_DIVIDE } from './words.js';

/** Beyond this every operand overflows or underflows, even with an adjusted exponent. */
const SCALE_LIMIT = 1n << 17n;

/** a x 2^b, b truncated to an integer. */
export function scale(a: Real, b: Real, control: number): Outcome {
  const special = specialOutcome(a, b);
  if (special !== undefined) return special;
  if (b.kind === 'infinity' && a.kind === (b.negative ? 'infinity' : 'zero')) return invalidOperation;
  const denormal = denormalFlag(a, b);
  if (a.kind === 'infinity') return exactly(infinity(a.negative), denormal);
  if (a.kind === 'zero') return exactly(zero(a.negative), denormal);
  if (b.kind === 'infinity') return exactly(b.negative ? zero(a.negative) : infinity(a.negative), denormal);
  const whole = b.kind === 'zero' ? 0n : truncated(b);
  const shift = Number(whole < SCALE_LIMIT ? whole : SCALE_LIMIT) * (b.negative ? -1 : 1);
  return withExceptions(roundFully({ ...a, exponent: a.exponent + shift }, control), denormal);
}

/** The integer part of a magnitude, if it is below the limit, and else something beyond it. */
function truncated(b: Real): bigint {
  if (magnitudeExponent(b) >= bitLength(SCALE_LIMIT)) return SCALE_LIMIT;
  return b.exponent >= 0 ? b.significand << BigInt(b.exponent) : b.significand >> BigInt(-b.exponent);
}

/** The exponent and the significand as numbers; the latter is pushed. */
interface Extracted {
  readonly exponent: Extended;
  readonly significand: Extended;
  readonly exceptions: number;
}

export function extract(a: Real): Extracted {
  const special = specialOutcome(a);
  if (special !== undefined) return { exponent: special.value, significand: special.value, exceptions: special.exceptions };
  if (a.kind === 'infinity') return { exponent: infinity(false), significand: infinity(a.negative), exceptions: 0 };
  if (a.kind === 'zero') return { exponent: infinity(true), significand: zero(a.negative), exceptions: ZERO_DIVIDE };
  const power = magnitudeExponent(a);
  const whole = { negative: power < 0, significand: BigInt(Math.abs(power)), exponent: 0 };
  const fraction = { ...a, exponent: a.exponent - power };
  return {
    exponent: roundFully(whole, 0).value,
    significand: roundFully(fraction, 0).value,
    exceptions: denormalFlag(a),
  };
}

export function roundToInteger(a: Real, control: number): Outcome {
  const special = specialOutcome(a);
  if (special !== undefined) return special;
  if (a.kind === 'infinity') return exactly(infinity(a.negative));
  if (a.kind === 'zero') return exactly(zero(a.negative));
  if (a.exponent >= 0) return roundFully(a, control);
  const { places, inexact, roundedUp } = roundToPlace(a, 0, roundingOf(control));
  const { value } = roundFully({ negative: a.negative, significand: places, exponent: 0 }, control);
  return { value, exceptions: denormalFlag(a) | (inexact ? PRECISION : 0), roundedUp };
}

/** `codes`: the condition codes, or undefined when there is no quotient. */
interface Remainder extends Outcome {
  readonly codes: number | undefined;
}

/** From this difference of the exponents on the remainder is partial. */
const COMPLETE_BELOW = 64;

/** FPREM truncates the quotient, FPREM1 rounds it to nearest, to even when it lies in the middle. */
export function remainder(a: Real, b: Real, nearest: boolean, control: number): Remainder {
  const special = specialOutcome(a, b);
  if (special !== undefined) return { ...special, codes: undefined };
  if (a.kind === 'infinity' || b.kind === 'zero') return { ...invalidOperation, codes: undefined };
  const denormal = denormalFlag(a, b);
  if (a.kind === 'zero') return { ...exactly(zero(a.negative), denormal), codes: 0 };
  if (b.kind === 'infinity') return { ...withExceptions(roundFully(a, control), denormal), codes: 0 };

  const difference = magnitudeExponent(a) - magnitudeExponent(b);
  const isPartial = difference >= COMPLETE_BELOW;
  // A partial step subtracts b x quotient x 2^skipped.
  const skipped = isPartial ? difference - (32 + (difference % 32)) : 0;
  const divisorExponent = b.exponent + skipped;
  // Far below the divisor, a is the remainder; this is not only quicker, it needs no place that small.
  if (difference < -1) return { ...withExceptions(roundFully(a, control), denormal), codes: 0 };
  const place = Math.min(a.exponent, divisorExponent);
  const dividend = a.significand << BigInt(a.exponent - place);
  const divisor = b.significand << BigInt(divisorExponent - place);
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  if (nearest && !isPartial) {
    const twice = 2n * rest;
    if (twice > divisor || (twice === divisor && (quotient & 1n) === 1n)) {
      quotient += 1n;
      rest -= divisor;
    }
  }
  const outcome =
    rest === 0n
      ? exactly(zero(a.negative))
      : roundFully({ negative: a.negative !== rest < 0n, significand: rest < 0n ? -rest : rest, exponent: place }, control);
  const bit = (position: bigint, code: number): number => (((quotient >> position) & 1n) === 1n ? code : 0);
  const codes = isPartial ? C2 : bit(2n, C0) | bit(1n, C3) | bit(0n, C1);
  return { ...withExceptions(outcome, denormal), codes };
}
