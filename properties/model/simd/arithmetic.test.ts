/** SSE arithmetic: the host's numbers for rounding to nearest, and exceptions and directed roundings as the manual states them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arithmetic } from './arithmetic.js';
import { DOUBLE, type Format, SINGLE } from './float-format.js';
import { MXCSR } from './mxcsr.js';

const ALL_MASKED = 0x1f80;
const view = new DataView(new ArrayBuffer(8));
const bitsOf = (format: Format, value: number): bigint => {
  if (format === DOUBLE) {
    view.setFloat64(0, value);
    return view.getBigUint64(0);
  }
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
};
const valueOf = (format: Format, bits: bigint): number => {
  if (format === DOUBLE) {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
};

const number = (format: Format) =>
  fc
    .oneof(
      fc.bigInt(0n, (1n << BigInt(format.width)) - 1n),
      // Near one, and denormal.
      fc.bigInt(-(1n << 30n), 1n << 30n).map((offset) => BigInt.asUintN(format.width, bitsOf(format, 1) + offset)),
      fc.tuple(fc.bigInt(0n, 2n * format.fractionMask), fc.boolean()).map(([value, sign]) => (sign ? format.signBit | value : value)),
      fc.constantFrom(0n, format.signBit, format.infinity, format.infinity - 1n, 1n, format.fractionMask),
    )
    .filter((bits) => !Number.isNaN(valueOf(format, bits)));

const OPERATIONS = [
  ['add', (a: number, b: number) => a + b],
  ['subtract', (a: number, b: number) => a - b],
  ['multiply', (a: number, b: number) => a * b],
  ['divide', (a: number, b: number) => a / b],
] as const;

describe.each([
  ['binary32', SINGLE],
  ['binary64', DOUBLE],
] as const)('%s', (_name, format) => {
  // A binary64 result rounded again to binary32 is right for these operations.
  const expected = (value: number): bigint => (Number.isNaN(value) ? format.indefinite : bitsOf(format, value));

  test.each(OPERATIONS)('%s', (name, compute) => {
    fc.assert(
      fc.property(number(format), number(format), (a, b) => {
        const result = new Arithmetic(ALL_MASKED)[name](format, a, b);
        expect(result).toBe(expected(compute(valueOf(format, a), valueOf(format, b))));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  test('square root', () => {
    fc.assert(
      fc.property(number(format), (a) => {
        expect(new Arithmetic(ALL_MASKED).squareRoot(format, a)).toBe(expected(Math.sqrt(valueOf(format, a))));
      }),
      { seed: 2, numRuns: 2000 },
    );
  });
});

const FLAGS = { I: 1, D: 2, Z: 4, O: 8, U: 16, P: 32 } as const;
const flags = (letters: string): number => [...letters].reduce((sum, letter) => sum | FLAGS[letter as keyof typeof FLAGS], 0);
const UP = 2 << MXCSR.roundingAt;
const DOWN = 1 << MXCSR.roundingAt;
const ZERO = 3 << MXCSR.roundingAt;
const UNDERFLOW_UNMASKED = ALL_MASKED & ~(MXCSR.underflow << MXCSR.masksAt);

const ONE = 0x3f80_0000n;
const MAX = 0x7f7f_ffffn;
const MIN_NORMAL = 0x0080_0000n;
const INFINITY = 0x7f80_0000n;
const NEGATIVE = 0x8000_0000n;
const INDEFINITE = 0xffc0_0000n;
const QUIET = 0x7fc0_1234n;
const SIGNALING = 0x7f80_1234n;

describe('binary32 results and exceptions', () => {
  test.each([
    ['a NaN goes before the other', 'add', QUIET, 0xffc0_0001n, ALL_MASKED, QUIET, ''],
    ['a signaling one, too, made quiet', 'add', SIGNALING, QUIET, ALL_MASKED, SIGNALING | 0x40_0000n, 'I'],
    ['the first, even if the second signals', 'multiply', QUIET, SIGNALING, ALL_MASKED, QUIET, 'I'],
    ['NaNs hide denormals', 'add', QUIET, 1n, ALL_MASKED, QUIET, ''],
    ['infinity - infinity', 'subtract', INFINITY, INFINITY, ALL_MASKED, INDEFINITE, 'I'],
    ['0 x infinity', 'multiply', NEGATIVE, INFINITY, ALL_MASKED, INDEFINITE, 'I'],
    ['denormal x infinity', 'multiply', 1n, INFINITY, ALL_MASKED, INFINITY, 'D'],
    ['1 / -0', 'divide', ONE, NEGATIVE, ALL_MASKED, NEGATIVE | INFINITY, 'Z'],
    ['denormal / 0', 'divide', 1n, 0n, ALL_MASKED, INFINITY, 'Z'],
    ['infinity / 0', 'divide', INFINITY, 0n, ALL_MASKED, INFINITY, ''],
    ['x - x', 'subtract', ONE, ONE, ALL_MASKED, 0n, ''],
    ['x - x rounded down', 'subtract', ONE, ONE, ALL_MASKED | DOWN, NEGATIVE, ''],
    ['-0 + 0', 'add', NEGATIVE, 0n, ALL_MASKED, 0n, ''],
    ['-0 - 0', 'subtract', NEGATIVE, 0n, ALL_MASKED, NEGATIVE, ''],
    ['1 + least', 'add', ONE, 1n, ALL_MASKED, ONE, 'DP'],
    ['1 + least rounded up', 'add', ONE, 1n, ALL_MASKED | UP, ONE + 1n, 'DP'],
    ['1 + least with denormals as zeros', 'add', ONE, 1n, ALL_MASKED | UP | MXCSR.denormalsAreZeros, ONE, ''],
    ['overflow to infinity', 'add', MAX, MAX, ALL_MASKED, INFINITY, 'OP'],
    ['overflow rounded down', 'add', MAX, MAX, ALL_MASKED | DOWN, MAX, 'OP'],
    ['negative overflow rounded down', 'add', NEGATIVE | MAX, NEGATIVE | MAX, ALL_MASKED | DOWN, NEGATIVE | INFINITY, 'OP'],
    ['overflow truncated', 'multiply', MAX, MAX, ALL_MASKED | ZERO, MAX, 'OP'],
    ['an exact denormal result', 'multiply', MIN_NORMAL, 0x3f00_0000n, ALL_MASKED, 0x0040_0000n, ''],
    ['the same with underflow unmasked', 'multiply', MIN_NORMAL, 0x3f00_0000n, UNDERFLOW_UNMASKED, 0x0040_0000n, 'U'],
    ['the same flushed', 'multiply', MIN_NORMAL, 0x3f00_0000n, ALL_MASKED | MXCSR.flushToZero, 0n, 'UP'],
    ['flushing keeps the sign', 'multiply', NEGATIVE | MIN_NORMAL, 0x3f00_0000n, ALL_MASKED | MXCSR.flushToZero, NEGATIVE, 'UP'],
    ['least / 2', 'divide', MIN_NORMAL + 1n, 0x4000_0000n, ALL_MASKED, 0x0040_0000n, 'UP'],
    // Tiny before rounding, not after it: 24 bits round up to the least normal number.
    ['tininess after rounding', 'multiply', MIN_NORMAL + 1n, ONE - 1n, ALL_MASKED, MIN_NORMAL, 'P'],
  ] as const)('%s', (_name, operation, a, b, mxcsr, result, raised) => {
    const arithmetic = new Arithmetic(mxcsr);
    expect(arithmetic[operation](SINGLE, a, b).toString(16)).toBe(result.toString(16));
    expect(arithmetic.exceptions).toBe(flags(raised));
  });

  test.each([
    ['-0', NEGATIVE, NEGATIVE, ''],
    ['-1', NEGATIVE | ONE, INDEFINITE, 'I'],
    ['a negative denormal', NEGATIVE | 1n, INDEFINITE, 'I'],
    ['a denormal', 2n, 0x1a80_0000n, 'D'],
    ['2', 0x4000_0000n, 0x3fb5_04f3n, 'P'],
  ] as const)('square root of %s', (_name, a, result, raised) => {
    const arithmetic = new Arithmetic(ALL_MASKED);
    expect(arithmetic.squareRoot(SINGLE, a).toString(16)).toBe(result.toString(16));
    expect(arithmetic.exceptions).toBe(flags(raised));
  });

  test.each([
    ['zeros: the second', 0n, NEGATIVE, NEGATIVE, ''],
    ['a NaN first: the second', QUIET, ONE, ONE, 'I'],
    ['a NaN second: it, as it is', ONE, SIGNALING, SIGNALING, 'I'],
    ['the lesser', NEGATIVE | ONE, ONE, NEGATIVE | ONE, ''],
    ['a denormal', 1n, ONE, 1n, 'D'],
  ] as const)('minimum, %s', (_name, a, b, result, raised) => {
    const arithmetic = new Arithmetic(ALL_MASKED);
    expect(arithmetic.minimum(SINGLE, a, b)).toBe(result);
    expect(arithmetic.exceptions).toBe(flags(raised));
  });

  test.each([
    ['2.5', 0x4020_0000n, ALL_MASKED, false, 2n, 'P'],
    ['2.5 up', 0x4020_0000n, ALL_MASKED | UP, false, 3n, 'P'],
    ['-2.5 down', 0xc020_0000n, ALL_MASKED | DOWN, false, 0xffff_fffdn, 'P'],
    ['-2.5 truncated', 0xc020_0000n, ALL_MASKED | DOWN, true, 0xffff_fffen, 'P'],
    ['-2^31', 0xcf00_0000n, ALL_MASKED, false, 0x8000_0000n, ''],
    ['2^31', 0x4f00_0000n, ALL_MASKED, false, 0x8000_0000n, 'I'],
    ['a NaN', QUIET, ALL_MASKED, false, 0x8000_0000n, 'I'],
    ['a denormal up', 1n, ALL_MASKED | UP, false, 1n, 'P'],
  ] as const)('to an integer: %s', (_name, a, mxcsr, truncate, result, raised) => {
    const arithmetic = new Arithmetic(mxcsr);
    expect(arithmetic.toInteger(SINGLE, a, 32, truncate)).toBe(result);
    expect(arithmetic.exceptions).toBe(flags(raised));
  });
});
