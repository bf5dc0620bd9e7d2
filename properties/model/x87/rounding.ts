/**
 * From exact values to the formats of the x87, rounding once (Intel SDM volume 1, sections 4.8.4, 8.1.5 and 8.5.4 to
 * 8.5.6). Tininess is detected after rounding.
 */
import { BIAS, bitLength, type Extended, type InterchangeFormat, infinity, signBit, zero } from './real.js';
import { OVERFLOW, PRECISION, precisionOf, type Rounding, roundingOf, UNDERFLOW } from './words.js';

/**
 * (-1)^negative x (significand + f) x 2^exponent, with f = 0, or 0 < f < 1 when there is `more`. Whoever says `more` gives
 * enough bits: the last place of a result must lie two places above that of the significand.
 */
export interface Exact {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  readonly more?: boolean;
}

/** A result with what the operation signals. `roundedUp`: its magnitude is larger than the exact one's. */
export interface Outcome {
  readonly value: Extended;
  readonly exceptions: number;
  readonly roundedUp: boolean;
}
export const exactly = (value: Extended, exceptions = 0): Outcome => ({ value, exceptions, roundedUp: false });

/** A magnitude as a whole number of places. */
interface InPlaces {
  readonly places: bigint;
  readonly inexact: boolean;
  readonly roundedUp: boolean;
}

/** Rounds to a multiple of 2^place. */
export function roundToPlace({ negative, significand, exponent, more = false }: Exact, place: number, rounding: Rounding): InPlaces {
  if (place <= exponent) {
    if (more) throw new Error('not enough bits to round');
    return { places: significand << BigInt(exponent - place), inexact: false, roundedUp: false };
  }
  const dropped = BigInt(place - exponent);
  const truncated = significand >> dropped;
  const rest = significand - (truncated << dropped);
  const inexact = more || rest !== 0n;
  const half = 1n << (dropped - 1n);
  const isAboveHalf = rest > half || (rest === half && more);
  const isHalf = rest === half && !more;
  let roundedUp = false;
  if (rounding === 'nearest') roundedUp = isAboveHalf || (isHalf && (truncated & 1n) === 1n);
  else if (rounding === 'up') roundedUp = inexact && !negative;
  else if (rounding === 'down') roundedUp = inexact && negative;
  return { places: roundedUp ? truncated + 1n : truncated, inexact, roundedUp };
}

/** Rounds to so many significant bits, the exponent unbounded: the result is places x 2^place. */
function roundToPrecision(exact: Exact, precision: number, rounding: Rounding): InPlaces & { readonly place: number } {
  const place = bitLength(exact.significand) + exact.exponent - precision;
  return { ...roundToPlace(exact, place, rounding), place };
}

/** Whether an overflow gives infinity rather than the largest finite number. */
const overflowsToInfinity = (negative: boolean, rounding: Rounding): boolean =>
  rounding === 'nearest' || rounding === (negative ? 'down' : 'up');

/** Exponents of results whose overflow or underflow is unmasked are moved by this. */
const BIAS_ADJUSTMENT = 24576;
const LARGEST = BIAS;
const SMALLEST = 1 - BIAS;

/** places x 2^place as a normal number, or as a denormal when place is that of denormals. */
function pack(negative: boolean, places: bigint, place: number): Extended {
  if (places === 0n) return zero(negative);
  const length = bitLength(places);
  const exponent = length - 1 + place;
  if (exponent < SMALLEST) return { significand: places << BigInt(place - (SMALLEST - 63)), signExponent: signBit(negative) };
  return {
    significand: length > 64 ? places >> BigInt(length - 64) : places << BigInt(64 - length),
    signExponent: signBit(negative) | (exponent + BIAS),
  };
}

/** To a register, at a precision; the response to overflow and underflow is that of the masks in `control`. */
function roundToRegister(exact: Exact, control: number, precision: number): Outcome {
  const { negative } = exact;
  if (exact.significand === 0n && exact.more !== true) return exactly(zero(negative));
  const rounding = roundingOf(control);
  const rounded = roundToPrecision(exact, precision, rounding);
  const exponent = bitLength(rounded.places) - 1 + rounded.place;
  const inexact = rounded.inexact ? PRECISION : 0;
  if (exponent > LARGEST) {
    if ((control & OVERFLOW) === 0) return adjusted(negative, rounded, exponent, -BIAS_ADJUSTMENT, OVERFLOW | inexact);
    const toInfinity = overflowsToInfinity(negative, rounding);
    const largest = {
      significand: ((1n << BigInt(precision)) - 1n) << BigInt(64 - precision),
      signExponent: signBit(negative) | (LARGEST + BIAS),
    };
    return { value: toInfinity ? infinity(negative) : largest, exceptions: OVERFLOW | PRECISION, roundedUp: toInfinity };
  }
  if (exponent < SMALLEST) {
    if ((control & UNDERFLOW) === 0) return adjusted(negative, rounded, exponent, BIAS_ADJUSTMENT, UNDERFLOW | inexact);
    const place = SMALLEST + 1 - precision;
    const tiny = roundToPlace(exact, place, rounding);
    return { value: pack(negative, tiny.places, place), exceptions: tiny.inexact ? UNDERFLOW | PRECISION : 0, roundedUp: tiny.roundedUp };
  }
  return { value: pack(negative, rounded.places, rounded.place), exceptions: inexact, roundedUp: rounded.roundedUp };
}

/** With the adjusted exponent. FSCALE may still be out of range then: its result is infinity or zero, and counts as inexact. */
function adjusted(
  negative: boolean,
  { places, place, roundedUp }: InPlaces & { readonly place: number },
  exponent: number,
  adjustment: number,
  exceptions: number,
): Outcome {
  const finalExponent = exponent + adjustment;
  if (finalExponent > LARGEST) return { value: infinity(negative), exceptions: exceptions | PRECISION, roundedUp: true };
  if (finalExponent < SMALLEST) return { value: zero(negative), exceptions: exceptions | PRECISION, roundedUp: false };
  return { value: pack(negative, places, place + adjustment), exceptions, roundedUp };
}

/** To a register under precision control. */
export const roundByControl = (exact: Exact, control: number): Outcome => roundToRegister(exact, control, precisionOf(control));
/** To a register with all bits: instructions that do not obey precision control. */
export const roundFully = (exact: Exact, control: number): Outcome => roundToRegister(exact, control, 64);

export interface StoredOutcome {
  readonly bits: bigint;
  readonly exceptions: number;
  readonly roundedUp: boolean;
}

const nothingStored = (exceptions: number): StoredOutcome => ({ bits: 0n, exceptions, roundedUp: false });

/** To single or double precision in memory; nothing is stored when overflow or underflow is unmasked. */
export function roundToInterchange(exact: Exact, format: InterchangeFormat, control: number): StoredOutcome {
  const { negative } = exact;
  const { fractionBits, exponentBits } = format;
  const rounding = roundingOf(control);
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = negative ? 1n << BigInt(fractionBits + exponentBits) : 0n;
  if (exact.significand === 0n) return { bits: sign, exceptions: 0, roundedUp: false };
  const infinite = ((1n << BigInt(exponentBits)) - 1n) << BigInt(fractionBits);
  const rounded = roundToPrecision(exact, fractionBits + 1, rounding);
  const exponent = bitLength(rounded.places) - 1 + rounded.place;
  if (exponent > bias) {
    if ((control & OVERFLOW) === 0) return nothingStored(OVERFLOW);
    const toInfinity = overflowsToInfinity(negative, rounding);
    return { bits: sign | (toInfinity ? infinite : infinite - 1n), exceptions: OVERFLOW | PRECISION, roundedUp: toInfinity };
  }
  if (exponent < 1 - bias) {
    if ((control & UNDERFLOW) === 0) return nothingStored(UNDERFLOW);
    // The number of places is the encoding: a carry out of the fraction makes the smallest normal number.
    const tiny = roundToPlace(exact, 1 - bias - fractionBits, rounding);
    return { bits: sign | tiny.places, exceptions: tiny.inexact ? UNDERFLOW | PRECISION : 0, roundedUp: tiny.roundedUp };
  }
  const fraction = rounded.places - (1n << BigInt(bitLength(rounded.places) - 1));
  const field = BigInt(exponent + bias) << BigInt(fractionBits);
  return { bits: sign | field | fraction, exceptions: rounded.inexact ? PRECISION : 0, roundedUp: rounded.roundedUp };
}
