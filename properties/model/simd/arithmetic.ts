/**
 * SSE arithmetic on single elements: exact results, rounded once (Intel SDM volume 1, sections 4.8, 4.9 and 11.5; for NaNs
 * table 4-7). Elements are bit patterns. What they raise is collected in `exceptions`, for deliverExceptions.
 */
import {
  bitLength,
  type Format,
  integerSquareRoot,
  type Operand,
  ROUND,
  type Rounding,
  roundedShift,
  signed,
  unpack,
} from './float-format.js';
import { MXCSR, unmasked } from './mxcsr.js';

export type Relation = 'less' | 'equal' | 'greater' | 'unordered';

type Finite = Extract<Operand, { kind: 'finite' }>;

const isNan = (operand: Operand): boolean => operand.kind === 'quiet' || operand.kind === 'signaling';
const isDenormal = (operand: Operand): boolean => operand.kind === 'finite' && operand.denormal;

export class Arithmetic {
  /** MXCSR flags. */
  exceptions = 0;
  private readonly rounding: Rounding;
  private readonly denormalsAreZeros: boolean;

  constructor(private readonly mxcsr: number) {
    this.rounding = ((mxcsr >> MXCSR.roundingAt) & 3) as Rounding;
    this.denormalsAreZeros = (mxcsr & MXCSR.denormalsAreZeros) !== 0;
  }

  add(format: Format, a: bigint, b: bigint): bigint {
    return this.sum(format, a, b, false);
  }

  subtract(format: Format, a: bigint, b: bigint): bigint {
    return this.sum(format, a, b, true);
  }

  multiply(format: Format, a: bigint, b: bigint): bigint {
    const x = this.operand(format, a);
    const y = this.operand(format, b);
    if (isNan(x) || isNan(y)) return this.nanOf(format, a, x, b, y);
    const negative = x.negative !== y.negative;
    if ((x.kind === 'infinity' && y.kind === 'zero') || (x.kind === 'zero' && y.kind === 'infinity')) return this.invalid(format);
    this.noteDenormals(x, y);
    if (x.kind === 'infinity' || y.kind === 'infinity') return signed(format, negative, format.infinity);
    if (x.kind !== 'finite' || y.kind !== 'finite') return signed(format, negative, 0n);
    return this.round(format, negative, x.significand * y.significand, x.exponent + y.exponent);
  }

  divide(format: Format, a: bigint, b: bigint): bigint {
    const x = this.operand(format, a);
    const y = this.operand(format, b);
    if (isNan(x) || isNan(y)) return this.nanOf(format, a, x, b, y);
    const negative = x.negative !== y.negative;
    if (x.kind === y.kind && x.kind !== 'finite') return this.invalid(format);
    if (y.kind === 'zero' && x.kind === 'finite') {
      this.exceptions |= MXCSR.divideByZero;
      return signed(format, negative, format.infinity);
    }
    this.noteDenormals(x, y);
    if (x.kind === 'infinity' || y.kind === 'zero') return signed(format, negative, format.infinity);
    if (x.kind !== 'finite' || y.kind !== 'finite') return signed(format, negative, 0n);
    // Enough quotient bits to round, and one below them that says whether there is more.
    const extra = format.precision + 2 + Math.max(0, bitLength(y.significand) - bitLength(x.significand));
    const dividend = x.significand << BigInt(extra);
    const quotient = dividend / y.significand;
    const sticky = quotient * y.significand === dividend ? 0n : 1n;
    return this.round(format, negative, (quotient << 1n) | sticky, x.exponent - y.exponent - extra - 1);
  }

  squareRoot(format: Format, a: bigint): bigint {
    const x = this.operand(format, a);
    if (isNan(x)) return this.nanOf(format, a, x);
    if (x.kind === 'zero') return signed(format, x.negative, 0n);
    if (x.negative) return this.invalid(format);
    this.noteDenormals(x);
    if (x.kind !== 'finite') return format.infinity;
    // Twice the precision under the root, with an even exponent.
    let extra = Math.max(0, 2 * (format.precision + 2) - bitLength(x.significand));
    if ((x.exponent - extra) % 2 !== 0) extra += 1;
    const radicand = x.significand << BigInt(extra);
    const root = integerSquareRoot(radicand);
    const sticky = root * root === radicand ? 0n : 1n;
    return this.round(format, false, (root << 1n) | sticky, (x.exponent - extra) / 2 - 1);
  }

  /** The second operand is the result unless the first is less: also for NaNs and for zeros of either sign. */
  minimum(format: Format, a: bigint, b: bigint): bigint {
    return this.compare(format, a, b, true) === 'less' ? this.flushed(format, a) : this.flushed(format, b);
  }

  maximum(format: Format, a: bigint, b: bigint): bigint {
    return this.compare(format, a, b, true) === 'greater' ? this.flushed(format, a) : this.flushed(format, b);
  }

  /** @param quietIsInvalid a quiet NaN is an invalid operand, too */
  compare(format: Format, a: bigint, b: bigint, quietIsInvalid: boolean): Relation {
    const x = this.operand(format, a);
    const y = this.operand(format, b);
    if (isNan(x) || isNan(y)) {
      if (quietIsInvalid || x.kind === 'signaling' || y.kind === 'signaling') this.exceptions |= MXCSR.invalid;
      return 'unordered';
    }
    this.noteDenormals(x, y);
    // Encodings of one sign are ordered as integers.
    const order = (operand: Operand, bits: bigint): bigint => {
      if (operand.kind === 'zero') return 0n;
      return operand.negative ? -(bits & ~format.signBit) : bits;
    };
    const left = order(x, a);
    const right = order(y, b);
    return left < right ? 'less' : left > right ? 'greater' : 'equal';
  }

  convert(from: Format, to: Format, a: bigint): bigint {
    const x = this.operand(from, a);
    switch (x.kind) {
      case 'quiet':
      case 'signaling': {
        if (x.kind === 'signaling') this.exceptions |= MXCSR.invalid;
        const shift = BigInt(to.precision - from.precision);
        const fraction = (a & from.fractionMask) | from.quietBit;
        return signed(to, x.negative, to.infinity | (shift < 0n ? fraction >> -shift : fraction << shift));
      }
      case 'infinity':
        return signed(to, x.negative, to.infinity);
      case 'zero':
        return signed(to, x.negative, 0n);
      case 'finite':
        this.noteDenormals(x);
        return this.round(to, x.negative, x.significand, x.exponent);
    }
  }

  fromInteger(format: Format, value: bigint): bigint {
    return value === 0n ? 0n : this.round(format, value < 0n, value < 0n ? -value : value, 0);
  }

  /** A signed integer of that width in two's complement; the integer indefinite when it is none. */
  toInteger(format: Format, a: bigint, width: 32 | 64, truncate: boolean): bigint {
    const indefinite = 1n << BigInt(width - 1);
    const x = this.operand(format, a);
    if (x.kind === 'zero') return 0n;
    // 2^64 and above need no exact integer to be seen as too large.
    if (x.kind !== 'finite' || x.exponent > 64) {
      this.exceptions |= MXCSR.invalid;
      return indefinite;
    }
    const magnitude = roundedShift(x.significand, -x.exponent, x.negative, truncate ? ROUND.zero : this.rounding);
    if (x.negative ? magnitude > indefinite : magnitude >= indefinite) {
      this.exceptions |= MXCSR.invalid;
      return indefinite;
    }
    const exact = x.exponent >= 0 || magnitude << BigInt(-x.exponent) === x.significand;
    if (!exact) this.exceptions |= MXCSR.precision;
    return BigInt.asUintN(width, x.negative ? -magnitude : magnitude);
  }

  private operand(format: Format, bits: bigint): Operand {
    const operand = unpack(format, bits);
    return this.denormalsAreZeros && isDenormal(operand) ? { kind: 'zero', negative: operand.negative } : operand;
  }

  /** An operand that is the result as it is. */
  private flushed(format: Format, bits: bigint): bigint {
    const operand = this.operand(format, bits);
    return operand.kind === 'zero' ? signed(format, operand.negative, 0n) : bits;
  }

  private noteDenormals(...operands: readonly Operand[]): void {
    if (operands.some(isDenormal)) this.exceptions |= MXCSR.denormal;
  }

  private invalid(format: Format): bigint {
    this.exceptions |= MXCSR.invalid;
    return format.indefinite;
  }

  /** The first NaN, made quiet. */
  private nanOf(format: Format, a: bigint, x: Operand, b = 0n, y: Operand = x): bigint {
    if (x.kind === 'signaling' || y.kind === 'signaling') this.exceptions |= MXCSR.invalid;
    return (isNan(x) ? a : b) | format.quietBit;
  }

  private sum(format: Format, a: bigint, b: bigint, subtract: boolean): bigint {
    const x = this.operand(format, a);
    const y = this.operand(format, b);
    if (isNan(x) || isNan(y)) return this.nanOf(format, a, x, b, y);
    const yNegative = y.negative !== subtract;
    if (x.kind === 'infinity' && y.kind === 'infinity' && x.negative !== yNegative) return this.invalid(format);
    this.noteDenormals(x, y);
    if (x.kind === 'infinity') return signed(format, x.negative, format.infinity);
    if (y.kind === 'infinity') return signed(format, yNegative, format.infinity);
    const exponent = Math.min(exponentOf(x), exponentOf(y));
    const total = scaled(x, exponent, x.negative) + scaled(y, exponent, yNegative);
    if (total === 0n) {
      const negative = x.kind === 'zero' && x.negative === yNegative ? yNegative : this.rounding === ROUND.down;
      return signed(format, negative, 0n);
    }
    return this.round(format, total < 0n, total < 0n ? -total : total, exponent);
  }

  /** Rounds a number that is not zero; overflow, underflow and precision exceptions. */
  private round(format: Format, negative: boolean, significand: bigint, exponent: number): bigint {
    const { precision, minExponent, maxExponent } = format;
    const { rounding } = this;
    const drop = bitLength(significand) - precision;
    // As if the exponent had no limits.
    let rounded = roundedShift(significand, drop, negative, rounding);
    let inexact = drop > 0 && rounded << BigInt(drop) !== significand;
    const leading = exponent + drop + bitLength(rounded) - 1;
    if (leading > maxExponent) {
      this.exceptions |= MXCSR.overflow;
      if (inexact || !unmasked(this.mxcsr, MXCSR.overflow)) this.exceptions |= MXCSR.precision;
      const toInfinity = rounding === ROUND.nearest || rounding === (negative ? ROUND.down : ROUND.up);
      return signed(format, negative, toInfinity ? format.infinity : format.infinity - 1n);
    }
    if (leading < minExponent) {
      const masked = !unmasked(this.mxcsr, MXCSR.underflow);
      if (masked && (this.mxcsr & MXCSR.flushToZero) !== 0) {
        this.exceptions |= MXCSR.underflow | MXCSR.precision;
        return signed(format, negative, 0n);
      }
      const denormalDrop = minExponent - (precision - 1) - exponent;
      rounded = roundedShift(significand, denormalDrop, negative, rounding);
      if (masked) inexact = denormalDrop > 0 && rounded << BigInt(denormalDrop) !== significand;
      if (inexact) this.exceptions |= MXCSR.precision;
      if (inexact || !masked) this.exceptions |= MXCSR.underflow;
      // Rounded up to the smallest normal number, the implicit bit makes its exponent field.
      return signed(format, negative, rounded);
    }
    if (inexact) this.exceptions |= MXCSR.precision;
    // A carry out of the significand goes into the exponent field.
    const field = BigInt(exponent + drop + (precision - 1) + maxExponent);
    const implicit = format.fractionMask + 1n;
    return signed(format, negative, field * implicit + (rounded - implicit));
  }
}

const exponentOf = (operand: Operand): number => (operand.kind === 'finite' ? operand.exponent : Number.POSITIVE_INFINITY);

/** An operand that is zero or finite as a multiple of 2^exponent. */
function scaled(operand: Operand, exponent: number, negative: boolean): bigint {
  if (operand.kind !== 'finite') return 0n;
  const { significand, exponent: own } = operand as Finite;
  const magnitude = significand << BigInt(own - exponent);
  return negative ? -magnitude : magnitude;
}
