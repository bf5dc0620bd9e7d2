/** What loads and stores make of a value (Intel SDM volume 1, sections 4.2 and 4.7; volume 2, FLD, FIST, FBLD, FBSTP). */
import { invalidOperation } from './nan.js';
import { EXPONENT, type Extended, INTEGER_BIT, type InterchangeFormat, QUIET_BIT, type Real, SIGN, signBit } from './real.js';
import { exactly, type Outcome, roundFully, roundToInterchange, roundToPlace, type StoredOutcome } from './rounding.js';
import { DENORMAL, INVALID, PRECISION, roundingOf } from './words.js';

const stored = (bits: bigint, exceptions: number): StoredOutcome => ({ bits, exceptions, roundedUp: false });

/** FLD m32fp, FLD m64fp and the loads of integers: always exact. */
export function toExtended(real: Real): Outcome {
  switch (real.kind) {
    case 'unsupported':
      return invalidOperation;
    case 'infinity':
      return exactly({ significand: INTEGER_BIT, signExponent: signBit(real.negative) | EXPONENT });
    case 'quiet':
    case 'signalling':
      return exactly(
        { significand: real.significand | QUIET_BIT, signExponent: signBit(real.negative) | EXPONENT },
        real.kind === 'signalling' ? INVALID : 0,
      );
    default:
      return { ...roundFully(real, 0), exceptions: real.denormal ? DENORMAL : 0 };
  }
}

export const indefiniteOf = ({ fractionBits, exponentBits }: InterchangeFormat): bigint =>
  ((1n << BigInt(exponentBits + 2)) - 1n) << BigInt(fractionBits - 1);

/** FST m32fp and m64fp. A NaN keeps the upper bits of its significand. */
export function toInterchange(real: Real, format: InterchangeFormat, control: number): StoredOutcome {
  const { fractionBits, exponentBits } = format;
  const sign = real.negative ? 1n << BigInt(fractionBits + exponentBits) : 0n;
  const infinite = ((1n << BigInt(exponentBits)) - 1n) << BigInt(fractionBits);
  switch (real.kind) {
    case 'unsupported':
      return stored(indefiniteOf(format), INVALID);
    case 'infinity':
      return stored(sign | infinite, 0);
    case 'quiet':
    case 'signalling': {
      const fraction = ((real.significand | QUIET_BIT) & (INTEGER_BIT - 1n)) >> BigInt(63 - fractionBits);
      return stored(sign | infinite | fraction, real.kind === 'signalling' ? INVALID : 0);
    }
    default:
      return roundToInterchange(real, format, control);
  }
}

/** The magnitude as an integer, rounded; none for what is no number. */
function roundedInteger(real: Real, control: number): { magnitude: bigint; inexact: boolean; roundedUp: boolean } | undefined {
  if (real.kind === 'zero') return { magnitude: 0n, inexact: false, roundedUp: false };
  if (real.kind !== 'finite') return undefined;
  // Nothing from 2^64 on fits anywhere.
  if (real.exponent > 0) return undefined;
  const { places, inexact, roundedUp } = roundToPlace(real, 0, roundingOf(control));
  return { magnitude: places, inexact, roundedUp };
}

/** FIST. What does not fit gives the integer indefinite. */
export function toInteger(real: Real, bits: number, control: number): StoredOutcome {
  const limit = 1n << BigInt(bits - 1);
  const rounded = roundedInteger(real, control);
  if (rounded === undefined || rounded.magnitude > (real.negative ? limit : limit - 1n)) return stored(limit, INVALID);
  const { magnitude, inexact, roundedUp } = rounded;
  const value = real.negative ? -magnitude : magnitude;
  return { bits: BigInt.asUintN(bits, value), exceptions: inexact ? PRECISION : 0, roundedUp };
}

const DECIMAL_DIGITS = 18;
const DECIMAL_LIMIT = 10n ** BigInt(DECIMAL_DIGITS);
const DECIMAL_SIGN = 1n << 79n;
/** The packed BCD integer indefinite. */
export const DECIMAL_INDEFINITE = 0xffff_c000_0000_0000_0000n;

/** FBSTP */
export function toDecimal(real: Real, control: number): StoredOutcome {
  const rounded = roundedInteger(real, control);
  if (rounded === undefined || rounded.magnitude >= DECIMAL_LIMIT) return stored(DECIMAL_INDEFINITE, INVALID);
  const digits = BigInt(`0x${rounded.magnitude.toString(10)}`);
  return {
    bits: digits | (real.negative ? DECIMAL_SIGN : 0n),
    exceptions: rounded.inexact ? PRECISION : 0,
    roundedUp: rounded.roundedUp,
  };
}

/** FBLD. `hasExcessDigits`: a digit is above 9; it counts with its value. */
export function fromDecimal(bits: bigint): { value: Extended; hasExcessDigits: boolean } {
  let magnitude = 0n;
  let hasExcessDigits = false;
  for (let position = DECIMAL_DIGITS - 1; position >= 0; position--) {
    const digit = (bits >> BigInt(4 * position)) & 0xfn;
    if (digit > 9n) hasExcessDigits = true;
    magnitude = magnitude * 10n + digit;
  }
  const negative = (bits & DECIMAL_SIGN) !== 0n;
  return { value: roundFully({ negative, significand: magnitude, exponent: 0 }, 0).value, hasExcessDigits };
}

export const extendedBits = ({ significand, signExponent }: Extended): bigint => (BigInt(signExponent) << 64n) | significand;
export const extendedOfBits = (bits: bigint): Extended => ({
  significand: BigInt.asUintN(64, bits),
  signExponent: Number(bits >> 64n) & (SIGN | EXPONENT),
});
