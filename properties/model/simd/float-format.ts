/**
 * The binary32 and binary64 formats and correct rounding into them (IEEE 754-2008; Intel SDM volume 1, sections 4.2.2 and
 * 4.8.4). Finite numbers are exact: magnitude = significand x 2^exponent, with a BigInt significand of any length.
 */

export interface Format {
  readonly width: 32 | 64;
  /** Bits of a significand, the implicit one included. */
  readonly precision: number;
  readonly minExponent: number;
  readonly maxExponent: number;
  readonly signBit: bigint;
  readonly quietBit: bigint;
  readonly fractionMask: bigint;
  /** The exponent field in place, all ones: also positive infinity. */
  readonly infinity: bigint;
  /** The default NaN. */
  readonly indefinite: bigint;
}

const format = (width: 32 | 64, precision: number): Format => {
  const fractionBits = BigInt(precision - 1);
  const signBit = 1n << BigInt(width - 1);
  const quietBit = 1n << (fractionBits - 1n);
  const infinity = signBit - (1n << fractionBits);
  const maxExponent = 2 ** (width - precision - 1) - 1;
  return {
    width,
    precision,
    minExponent: 1 - maxExponent,
    maxExponent,
    signBit,
    quietBit,
    fractionMask: (1n << fractionBits) - 1n,
    infinity,
    indefinite: signBit | infinity | quietBit,
  };
};
export const SINGLE = format(32, 24);
export const DOUBLE = format(64, 53);

/** As MXCSR.RC and the x87 control word encode it. */
export const ROUND = { nearest: 0, down: 1, up: 2, zero: 3 } as const;
export type Rounding = (typeof ROUND)[keyof typeof ROUND];

export type Operand =
  | { readonly kind: 'zero' | 'infinity' | 'quiet' | 'signaling'; readonly negative: boolean }
  | {
      readonly kind: 'finite';
      readonly negative: boolean;
      readonly denormal: boolean;
      readonly significand: bigint;
      readonly exponent: number;
    };

export function unpack(format: Format, bits: bigint): Operand {
  const negative = (bits & format.signBit) !== 0n;
  const fraction = bits & format.fractionMask;
  const field = Number((bits & format.infinity) >> BigInt(format.precision - 1));
  if (field === 2 * format.maxExponent + 1) {
    if (fraction === 0n) return { kind: 'infinity', negative };
    return { kind: (fraction & format.quietBit) === 0n ? 'signaling' : 'quiet', negative };
  }
  const exponent = Math.max(field, 1) - format.maxExponent - (format.precision - 1);
  if (field !== 0) return { kind: 'finite', negative, denormal: false, significand: fraction | (format.fractionMask + 1n), exponent };
  return fraction === 0n ? { kind: 'zero', negative } : { kind: 'finite', negative, denormal: true, significand: fraction, exponent };
}

export const signed = (format: Format, negative: boolean, magnitude: bigint): bigint => (negative ? format.signBit | magnitude : magnitude);

/** Of a positive number. */
export function bitLength(value: bigint): number {
  let length = 0;
  while (value > 0xffff_ffffn) {
    value >>= 32n;
    length += 32;
  }
  return length + 32 - Math.clz32(Number(value));
}

/** magnitude / 2^bits as an integer. */
export function roundedShift(magnitude: bigint, bits: number, negative: boolean, rounding: Rounding): bigint {
  if (bits <= 0) return magnitude << BigInt(-bits);
  const below = magnitude >> BigInt(bits);
  const rest = magnitude - (below << BigInt(bits));
  if (rest === 0n) return below;
  switch (rounding) {
    case ROUND.zero:
      return below;
    case ROUND.down:
      return negative ? below + 1n : below;
    case ROUND.up:
      return negative ? below : below + 1n;
    case ROUND.nearest: {
      const half = 1n << BigInt(bits - 1);
      return rest > half || (rest === half && (below & 1n) === 1n) ? below + 1n : below;
    }
  }
}

/** The integer below the square root. */
export function integerSquareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  // Newton's iteration falls monotonically from any start above the root.
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
