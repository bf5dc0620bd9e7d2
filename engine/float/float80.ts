/**
 * 80-bit operands in TypeScript: what the transcendental instructions share. Values are exact BigInt numbers times powers
 * of two; rounding is to 64 bits, as precision control does not apply to these instructions (Intel SDM vol. 1, 8.1.5.2).
 */
import {
  DENORMAL,
  EXPONENT_WRAP,
  F80_BIAS,
  F80_EXPONENT_MAX,
  INDEFINITE_SIGN_EXPONENT,
  INDEFINITE_SIGNIFICAND,
  INVALID,
  OVERFLOW,
  PRECISION,
  QUIET_BIT_80,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUNDED_UP,
  ROUNDING_SHIFT,
  SIGN_80,
  TOP_BIT,
  UNDERFLOW,
} from './context.js';

export interface Float80 {
  readonly significand: bigint;
  /** Bit 15 the sign, bits 0-14 the biased exponent. */
  readonly signExponent: number;
}

export interface FloatResult {
  /** What is left on the stack, the lowest first; nothing of use where an exception says that nothing is stored. */
  readonly values: readonly Float80[];
  /** Exceptions, ROUNDED_UP, and C2 as bit 10 for an operand out of range. */
  readonly flags: number;
}

type FloatClass = 'zero' | 'finite' | 'infinite' | 'nan' | 'unsupported';

export function classOf({ significand, signExponent }: Float80): FloatClass {
  const exponent = signExponent & F80_EXPONENT_MAX;
  if (exponent === 0) return significand === 0n ? 'zero' : 'finite';
  if (significand < TOP_BIT) return 'unsupported';
  if (exponent < F80_EXPONENT_MAX) return 'finite';
  return significand === TOP_BIT ? 'infinite' : 'nan';
}

export const isNegative = (a: Float80): boolean => (a.signExponent & SIGN_80) !== 0;
export const isDenormal80 = (a: Float80): boolean => (a.signExponent & F80_EXPONENT_MAX) === 0 && a.significand !== 0n;
const signOf = (negative: boolean): number => (negative ? SIGN_80 : 0);
export const zero80 = (negative: boolean): Float80 => ({ significand: 0n, signExponent: signOf(negative) });
export const infinity80 = (negative: boolean): Float80 => ({ significand: TOP_BIT, signExponent: signOf(negative) | F80_EXPONENT_MAX });
/** +-2^power */
export const powerOfTwo80 = (power: number, negative: boolean): Float80 => ({
  significand: TOP_BIT,
  signExponent: signOf(negative) | (F80_BIAS + power),
});
const INDEFINITE: Float80 = { significand: INDEFINITE_SIGNIFICAND, signExponent: INDEFINITE_SIGN_EXPONENT };

export const exactly = (...values: Float80[]): FloatResult => ({ values, flags: 0 });
/** The masked response to an invalid operation. */
export const invalid = (count = 1): FloatResult => ({ values: Array<Float80>(count).fill(INDEFINITE), flags: INVALID });

/** The NaN that an operation on these operands gives, by the rules of x87-operands.ts. */
export function nanResult(...operands: Float80[]): FloatResult | undefined {
  if (operands.some((each) => classOf(each) === 'unsupported')) return invalid();
  const nans = operands.filter((each) => classOf(each) === 'nan');
  if (nans.length === 0) return undefined;
  const quiet = nans.filter((each) => (each.significand & QUIET_BIT_80) !== 0n);
  const candidates = quiet.length > 0 ? quiet : nans;
  const chosen = candidates.reduce((x, y) =>
    x.significand === y.significand ? (isNegative(x) ? y : x) : x.significand > y.significand ? x : y,
  );
  return {
    values: [{ significand: chosen.significand | QUIET_BIT_80, signExponent: chosen.signExponent }],
    flags: quiet.length < nans.length ? INVALID : 0,
  };
}

export const denormalFlag = (...operands: Float80[]): number => (operands.some(isDenormal80) ? DENORMAL : 0);

/** |a| as an integer times a power of two. */
export const magnitudeOf = (a: Float80): { integer: bigint; power: number } => ({
  integer: a.significand,
  power: Math.max(a.signExponent & F80_EXPONENT_MAX, 1) - F80_BIAS - 63,
});

export function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return digits.length * 4 - (Math.clz32(Number.parseInt(digits[0]!, 16)) - 28);
}

/**
 * Rounds and packs the positive number `integer` x 2^power, or with `sticky` some number strictly between it and
 * (integer + 1) x 2^power. The same responses as toF80 in round.ts.
 */
export function round80(negative: boolean, integer: bigint, power: number, sticky: boolean, control: number): FloatResult {
  const rounding = (control >> ROUNDING_SHIFT) & 3;
  const away = rounding === (negative ? ROUND_DOWN : ROUND_UP);
  const sign = signOf(negative);

  /** Drops `places` bits; what is below is compared in units of half of the last place. */
  const rounded = (places: number): { units: bigint; inexact: boolean; up: boolean } => {
    const scaled = places > 0 ? integer : integer << BigInt(2 - places);
    const dropped = BigInt(places > 0 ? places : 2);
    const floor = scaled >> dropped;
    const rest = scaled - (floor << dropped);
    const half = 1n << (dropped - 1n);
    const inexact = rest !== 0n || sticky;
    const up = rounding === ROUND_NEAREST ? rest > half || (rest === half && (sticky || (floor & 1n) === 1n)) : away && inexact;
    return { units: floor + (up ? 1n : 0n), inexact, up };
  };

  const places = bitLength(integer) - 64;
  /** Biased exponent before rounding. */
  let exponent = bitLength(integer) - 1 + power + F80_BIAS;
  let { units, inexact, up } = rounded(places);
  const carried = units >> 64n !== 0n;
  let flags = 0;
  if (exponent + (carried ? 1 : 0) < 1) {
    if ((control & UNDERFLOW) !== 0) {
      ({ units, inexact, up } = rounded(places + 1 - exponent));
      flags = inexact ? PRECISION | UNDERFLOW | (up ? ROUNDED_UP : 0) : 0;
      return { values: [{ significand: units, signExponent: sign | Number(units >> 63n) }], flags };
    }
    flags = UNDERFLOW;
    exponent += EXPONENT_WRAP;
  }
  if (carried) {
    units >>= 1n;
    exponent += 1;
  }
  if (inexact) flags |= PRECISION | (up ? ROUNDED_UP : 0);
  if (exponent >= F80_EXPONENT_MAX) {
    if ((control & OVERFLOW) !== 0) {
      const toInfinity = rounding === ROUND_NEAREST || away;
      const largest: Float80 = { significand: 2n * TOP_BIT - 1n, signExponent: sign | (F80_EXPONENT_MAX - 1) };
      return {
        values: [toInfinity ? infinity80(negative) : largest],
        flags: OVERFLOW | PRECISION | (toInfinity ? ROUNDED_UP : 0),
      };
    }
    flags |= OVERFLOW;
    exponent -= EXPONENT_WRAP;
  }
  return { values: [{ significand: units, signExponent: sign | exponent }], flags };
}
