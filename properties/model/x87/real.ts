/** What the formats of the x87 stand for: classes and exact values (Intel SDM volume 1, sections 4.2, 4.8 and 8.2). */

/** Double extended precision: 64 bits of significand with the integer bit, sign and 15 bits of exponent. */
export interface Extended {
  readonly significand: bigint;
  readonly signExponent: number;
}

type Kind = 'zero' | 'finite' | 'infinity' | 'quiet' | 'signalling' | 'unsupported';

/** An operand: when finite, (-1)^negative x significand x 2^exponent; a NaN has the significand of its extended form. */
export interface Real {
  readonly kind: Kind;
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  /** A denormal in the format it came from, pseudo-denormals included. */
  readonly denormal: boolean;
}

export const SIGN = 0x8000;
export const EXPONENT = 0x7fff;
export const BIAS = 16383;
export const INTEGER_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;
/** Exponent of the last place of denormals, and of the smallest normal numbers. */
const SMALLEST_PLACE = 1 - BIAS - 63;

/** The real indefinite: what an invalid operation gives. */
export const INDEFINITE: Extended = { significand: INTEGER_BIT | QUIET_BIT, signExponent: SIGN | EXPONENT };

export const signBit = (negative: boolean): number => (negative ? SIGN : 0);
export const zero = (negative: boolean): Extended => ({ significand: 0n, signExponent: signBit(negative) });
export const infinity = (negative: boolean): Extended => ({ significand: INTEGER_BIT, signExponent: signBit(negative) | EXPONENT });
/** (-1)^negative x 2^exponent, a normal number. */
export const powerOfTwo = (exponent: number, negative = false): Extended => ({
  significand: INTEGER_BIT,
  signExponent: signBit(negative) | (exponent + BIAS),
});

export function realOfExtended({ significand, signExponent }: Extended): Real {
  const negative = (signExponent & SIGN) !== 0;
  const field = signExponent & EXPONENT;
  const real = (kind: Kind, exponent = 0, denormal = false): Real => ({ kind, negative, significand, exponent, denormal });
  if (field === 0) return significand === 0n ? real('zero') : real('finite', SMALLEST_PLACE, true);
  // Pseudo-NaNs, pseudo-infinities and unnormals have no integer bit.
  if ((significand & INTEGER_BIT) === 0n) return real('unsupported');
  if (field !== EXPONENT) return real('finite', field - BIAS - 63);
  if (significand === INTEGER_BIT) return real('infinity');
  return real((significand & QUIET_BIT) !== 0n ? 'quiet' : 'signalling');
}

/** Formats without an integer bit. */
export interface InterchangeFormat {
  readonly fractionBits: number;
  readonly exponentBits: number;
}
export const SINGLE: InterchangeFormat = { fractionBits: 23, exponentBits: 8 };
export const DOUBLE: InterchangeFormat = { fractionBits: 52, exponentBits: 11 };

export function realOfInterchange(bits: bigint, { fractionBits, exponentBits }: InterchangeFormat): Real {
  const fraction = BigInt.asUintN(fractionBits, bits);
  const field = Number(BigInt.asUintN(exponentBits, bits >> BigInt(fractionBits)));
  const negative = bits >> BigInt(fractionBits + exponentBits) !== 0n;
  const largest = 2 ** exponentBits - 1;
  const smallestPlace = 1 - (largest >> 1) - fractionBits;
  const real = (kind: Kind, significand: bigint, exponent = 0, denormal = false): Real => ({
    kind,
    negative,
    significand,
    exponent,
    denormal,
  });
  if (field === 0) return fraction === 0n ? real('zero', 0n) : real('finite', fraction, smallestPlace, true);
  if (field !== largest) return real('finite', fraction | (1n << BigInt(fractionBits)), smallestPlace + field - 1);
  const significand = INTEGER_BIT | (fraction << BigInt(63 - fractionBits));
  if (fraction === 0n) return real('infinity', significand);
  return real((significand & QUIET_BIT) !== 0n ? 'quiet' : 'signalling', significand);
}

export function realOfInteger(value: bigint): Real {
  const negative = value < 0n;
  return { kind: value === 0n ? 'zero' : 'finite', negative, significand: negative ? -value : value, exponent: 0, denormal: false };
}

/** The class a tag word has for a register that is not empty (figure 8-7). */
export function tagOf(value: Extended): 'valid' | 'zero' | 'special' {
  const { kind, denormal } = realOfExtended(value);
  if (kind === 'zero') return 'zero';
  return kind === 'finite' && !denormal ? 'valid' : 'special';
}

export const isNan = ({ kind }: Real): boolean => kind === 'quiet' || kind === 'signalling';

/** Number of bits of a positive integer. */
export function bitLength(value: bigint): number {
  let rest = value;
  let bits = 0;
  while (rest > 0xffff_ffffn) {
    rest >>= 32n;
    bits += 32;
  }
  return bits + 32 - Math.clz32(Number(rest));
}
/** Of a finite operand: e with 2^e <= |x| < 2^(e + 1). */
export const magnitudeExponent = ({ significand, exponent }: { significand: bigint; exponent: number }): number =>
  bitLength(significand) - 1 + exponent;
