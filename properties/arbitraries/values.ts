/**
 * Values that find bugs: boundaries, single bits, shifted masks and small numbers besides uniform ones; floating point of
 * every class in every format (SDM volume 1, 4.2 and 4.8; unsupported 80-bit encodings: 8.2.2).
 */
import type { Random } from './random.js';

const BOUNDARIES = [
  ...[0, 1, 2, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1_0000],
  ...[0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff, 0xffff_8000, 0xffff_ff80, 0xffff_0000, 0x5555_5555, 0xaaaa_aaaa],
];

/** A 32-bit value, weighted to the interesting. */
export function interesting32(random: Random): number {
  const choice = random.u32();
  const kind = choice & 15;
  if (kind < 5) return random.u32();
  if (kind < 9) {
    const mask = choice & 0x10 ? 0xffff_ffff : 0;
    return (((random.u32() << ((choice >>> 8) & 31)) >>> ((choice >>> 16) & 31)) ^ mask) >>> 0;
  }
  if (kind < 12) return BOUNDARIES[(choice >>> 8) % BOUNDARIES.length] as number;
  if (kind < 14) return ((choice << 16) >> 24) >>> 0;
  if (kind === 14) return ((1 << ((choice >>> 8) & 31)) - ((choice >>> 16) & 1)) >>> 0;
  return Math.imul((choice >>> 8) & 0xff, 0x0101_0101) >>> 0;
}

/** 64 bits into two words: interesting halves, extended halves, shifted masks across both. */
export function interesting64Into(random: Random, words: Uint32Array, at: number): void {
  const low = interesting32(random);
  const kind = random.u32() & 7;
  words[at] = low;
  if (kind < 2) words[at + 1] = (low | 0) >> 31;
  else if (kind === 2) words[at + 1] = 0;
  else if (kind === 3) {
    words[at] = 0;
    words[at + 1] = low;
  } else if (kind === 4) words[at + 1] = low;
  else words[at + 1] = interesting32(random);
}

/** An unsigned integer of so many bytes. */
export function interestingBytes(random: Random, bytes: number): bigint {
  const words = new Uint32Array(2);
  interesting64Into(random, words, 0);
  if (bytes <= 4) return BigInt.asUintN(bytes * 8, BigInt(words[0] as number));
  return BigInt.asUintN(bytes * 8, (BigInt(words[1] as number) << 32n) | BigInt(words[0] as number));
}

export interface FloatFormat {
  readonly exponentBits: number;
  /** Without the integer bit. */
  readonly fractionBits: number;
}
export const FLOAT32: FloatFormat = { exponentBits: 8, fractionBits: 23 };
export const FLOAT64: FloatFormat = { exponentBits: 11, fractionBits: 52 };
/** The integer bit is explicit, and may be wrong. */
export const FLOAT80: FloatFormat = { exponentBits: 15, fractionBits: 63 };

function fraction(random: Random, bits: number): bigint {
  const all = (1n << BigInt(bits)) - 1n;
  switch (random.below(7)) {
    case 0:
      return 0n;
    case 1:
      return 1n;
    case 2:
      return all;
    case 3:
      return all ^ (all >> BigInt(random.below(bits)));
    case 4:
      return 1n << BigInt(random.below(bits));
    case 5:
      return (random.bigint(bits) >> BigInt(random.below(bits))) & all;
    default:
      return random.bigint(bits);
  }
}

function exponent(random: Random, { exponentBits, fractionBits }: FloatFormat): number {
  const maximum = (1 << exponentBits) - 1;
  const bias = maximum >> 1;
  const near = (centre: number, spread: number): number => Math.min(maximum, Math.max(0, centre + random.below(2 * spread + 1) - spread));
  switch (random.below(8)) {
    case 0:
      return near(bias, 2);
    case 1:
      return near(bias, fractionBits + 3);
    case 2:
      // Around what 16, 32 and 64 bits hold as integers.
      return near(bias + random.pick([15, 31, 63]), 1);
    case 3:
      return near(1, 2);
    case 4:
      return near(maximum - 1, 2);
    case 5:
      // Where the narrower formats end.
      return exponentBits > 8 ? near(bias + random.pick([-149, -126, 127, -1074, -1022, 1023]), 2) : near(bias, 24);
    default:
      return random.below(maximum + 1);
  }
}

/** The bits of a number of that format: zeros, denormals, normal numbers, infinities, NaNs, and what 80 bits have besides. */
export function interestingFloat(random: Random, format: FloatFormat): bigint {
  const { exponentBits, fractionBits } = format;
  const maximum = (1 << exponentBits) - 1;
  const explicit = format === FLOAT80;
  const quiet = 1n << BigInt(fractionBits - 1);
  let biased: number;
  let bits: bigint;
  switch (random.below(16)) {
    case 0:
      [biased, bits] = [0, 0n];
      break;
    case 1:
      [biased, bits] = [0, fraction(random, fractionBits)];
      break;
    case 2:
      [biased, bits] = [maximum, 0n];
      break;
    case 3:
      [biased, bits] = [maximum, fraction(random, fractionBits) | quiet];
      break;
    case 4:
      [biased, bits] = [maximum, (fraction(random, fractionBits) & (quiet - 1n)) | 1n];
      break;
    case 5:
    case 6:
      // Small integers and halves of them.
      return integerAsFloat(random.below(40), random.below(3), random.chance(50), format);
    default:
      [biased, bits] = [exponent(random, format), fraction(random, fractionBits)];
  }
  const sign = BigInt(random.u32() & 1) << BigInt(exponentBits);
  // The integer bit of 80-bit numbers: now and then not what the exponent asks for (pseudo-denormals, unnormals, pseudo-NaNs).
  const integerBit = explicit ? ((biased !== 0) !== random.chance(8) ? 1n << 63n : 0n) : 0n;
  return ((sign | BigInt(biased)) << BigInt(explicit ? 64 : fractionBits)) | integerBit | bits;
}

function integerAsFloat(value: number, halvings: number, negative: boolean, { exponentBits, fractionBits }: FloatFormat): bigint {
  const explicit = fractionBits === 63;
  const sign = negative ? 1n << BigInt(exponentBits) : 0n;
  if (value === 0) return sign << BigInt(explicit ? 64 : fractionBits);
  const length = 32 - Math.clz32(value);
  const biased = BigInt((1 << (exponentBits - 1)) - 1 + length - 1 - halvings);
  const significand = BigInt(value) << BigInt(fractionBits - length + 1);
  return ((sign | biased) << BigInt(explicit ? 64 : fractionBits)) | (explicit ? significand : significand ^ (1n << BigInt(fractionBits)));
}

/** Eighteen packed decimal digits and a sign (SDM volume 1, 4.7), now and then digits that are none. */
export function interestingBcd(random: Random): bigint {
  if (random.chance(20)) return random.bigint(80);
  let value = random.chance(50) ? 0x80n << 72n : 0n;
  const digits = random.below(19);
  for (let i = 0; i < digits; i++) value |= BigInt(random.below(10)) << BigInt(i * 4);
  return value;
}
