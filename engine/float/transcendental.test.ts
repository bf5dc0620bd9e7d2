/** Known values, tables of special operands, argument reduction; host.test.ts compares with a processor. */
import { describe, expect, test } from 'vitest';
import type { Float80, FloatResult } from './float80.js';
import { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } from './transcendental.js';

const NEAREST = 0x37f;
const DOWN = 0x77f;
const UP = 0xb7f;
const view = new DataView(new ArrayBuffer(8));

/** A double, exactly. */
function of(value: number): Float80 {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = Number(bits >> 63n) << 15;
  const exponent = Number((bits >> 52n) & 0x7ffn);
  if (value === 0) return { significand: 0n, signExponent: sign };
  return {
    significand: (1n << 63n) | BigInt.asUintN(63, bits << 11n),
    signExponent: sign | (exponent === 0x7ff ? 0x7fff : exponent - 1023 + 16383),
  };
}
const toNumber = ({ significand, signExponent }: Float80): number =>
  (signExponent & 0x8000 ? -1 : 1) * Number(significand) * 2 ** ((signExponent & 0x7fff) - 16383 - 63);
const show = ({ values, flags }: FloatResult): string =>
  `${values.map((each) => `${each.signExponent.toString(16)}:${each.significand.toString(16).padStart(16, '0')}`).join(' ')} ${flags.toString(16)}`;

const INDEFINITE = 'ffff:c000000000000000';
const INFINITY = of(Number.POSITIVE_INFINITY);
const MINUS_INFINITY = of(Number.NEGATIVE_INFINITY);

describe('the constants of mathematics to 64 bits', () => {
  test('atan2(1, 1) x 4 is pi, rounded as the mode says', () => {
    expect(show(fpatan(of(1), of(1), NEAREST))).toBe('3ffe:c90fdaa22168c235 220');
    expect(show(fpatan(of(1), of(1), DOWN))).toBe('3ffe:c90fdaa22168c234 20');
    expect(show(fpatan(of(1), of(1), UP))).toBe('3ffe:c90fdaa22168c235 220');
    expect(show(fpatan(of(-1), of(-0), DOWN))).toBe('c000:c90fdaa22168c235 220');
  });
  test('log2(10), and e from 2^x', () => {
    expect(show(fyl2x(of(10), of(1), NEAREST))).toBe('4000:d49a784bcd1b8afe 20');
    const log2e = { significand: 0xb8aa3b295c17f0bcn, signExponent: 0x3fff };
    const half = { ...log2e, signExponent: 0x3ffe };
    expect(toNumber(f2xm1(half, NEAREST).values[0]!)).toBeCloseTo(Math.sqrt(Math.E) - 1, 15);
  });
});

test.each([
  [
    'a tie with an odd number below',
    0x8000000000000001n,
    3,
    '4000:c000000000000002 220',
    '4000:c000000000000001 20',
    '4000:c000000000000002 220',
  ],
  [
    'a tie with an even number below',
    0x8000000000000003n,
    3,
    '4000:c000000000000004 20',
    '4000:c000000000000004 20',
    '4000:c000000000000005 220',
  ],
  ['less than half', 0x8000000000000001n, 5, '4001:a000000000000001 20', '4001:a000000000000001 20', '4001:a000000000000002 220'],
  ['more than half', 0x8000000000000003n, 5, '4001:a000000000000004 220', '4001:a000000000000003 20', '4001:a000000000000004 220'],
] as const)('y x log2 of a power of two is rounded once: %s', (_, significand, power, nearest, down, up) => {
  const y = { significand, signExponent: 0x3fff };
  expect([NEAREST, DOWN, UP].map((control) => show(fyl2x(of(2 ** power), y, control)))).toEqual([nearest, down, up]);
});

test('doubles agree with the functions of JavaScript', () => {
  const close = (result: FloatResult, expected: number): void => {
    expect(Math.abs(toNumber(result.values[0]!) / expected - 1)).toBeLessThan(2 ** -50);
  };
  for (let i = 1; i < 60; i++) {
    const x = i * 0.37 - 11.05;
    close(fsin(of(x), NEAREST), Math.sin(x));
    close(fcos(of(x), NEAREST), Math.cos(x));
    close(fptan(of(x), NEAREST), Math.tan(x));
    close(fpatan(of(x), of(i / 7 - 3), NEAREST), Math.atan2(i / 7 - 3, x));
    close(fyl2x(of(i / 7.5), of(x), NEAREST), x * Math.log2(i / 7.5));
    close(fyl2xp1(of(i / 300), of(x), NEAREST), (x * Math.log1p(i / 300)) / Math.LN2);
    close(f2xm1(of(x / 12), NEAREST), Math.expm1((x / 12) * Math.LN2));
  }
});

test('reduction is by the 66-bit pi: the sine of the double nearest to pi shows its last bits', () => {
  // What the 66-bit pi has beyond the 53 bits of the double: 0x234c of ...68c234c, shifted up.
  const [sine] = fsin(of(Math.PI), NEAREST).values;
  expect(sine).toEqual({ significand: 0x8d30000000000000n, signExponent: 0x3fff - 53 });
});

test('an angle of 2^63 or more is left alone with C2 set, just below it is reduced', () => {
  const large = { significand: 1n << 63n, signExponent: 0x3fff + 63 };
  for (const instruction of [fsin, fcos, fptan, fsincos]) expect(instruction(large, NEAREST)).toEqual({ values: [large], flags: 0x400 });
  const below = { significand: (1n << 64n) - 1n, signExponent: 0x3fff + 62 };
  expect(fsin(below, NEAREST).flags & 0x400).toBe(0);
});

test('the smallest denormal stays, with DE, UE and PE; rounding decides the direction', () => {
  const tiny = { significand: 1n, signExponent: 0 };
  expect(show(fsin(tiny, NEAREST))).toBe('0:0000000000000001 232');
  expect(show(fsin(tiny, DOWN))).toBe('0:0000000000000000 32');
  expect(show(fptan(tiny, UP))).toBe('0:0000000000000002 3fff:8000000000000000 232');
  // Underflow unmasked: the exponent is wrapped.
  expect(show(fsin(tiny, NEAREST & ~0x10))).toBe('5fc2:8000000000000000 232');
});

const SPECIAL: readonly [what: string, result: FloatResult, expected: string][] = [
  ['sin of infinity', fsin(INFINITY, NEAREST), `${INDEFINITE} 1`],
  ['sincos of infinity', fsincos(MINUS_INFINITY, NEAREST), `${INDEFINITE} ${INDEFINITE} 1`],
  ['sincos of -0', fsincos(of(-0), NEAREST), '8000:0000000000000000 3fff:8000000000000000 0'],
  ['2^-infinity - 1', f2xm1(MINUS_INFINITY, NEAREST), 'bfff:8000000000000000 0'],
  ['2^-1 - 1', f2xm1(of(-1), NEAREST), 'bffe:8000000000000000 20'],
  ['1 x log2 0', fyl2x(of(0), of(1), NEAREST), 'ffff:8000000000000000 4'],
  ['-1 x log2 -0', fyl2x(of(-0), of(-1), NEAREST), '7fff:8000000000000000 4'],
  ['0 x log2 0', fyl2x(of(0), of(0), NEAREST), `${INDEFINITE} 1`],
  ['infinity x log2 1', fyl2x(of(1), INFINITY, NEAREST), `${INDEFINITE} 1`],
  ['infinity x log2 0.5', fyl2x(of(0.5), INFINITY, NEAREST), 'ffff:8000000000000000 0'],
  ['1 x log2 -2', fyl2x(of(-2), of(1), NEAREST), `${INDEFINITE} 1`],
  ['3 x log2 8', fyl2x(of(8), of(3), NEAREST), '4002:9000000000000000 20'],
  ['-0 x log2 (1 + 0)', fyl2xp1(of(0), of(-0), NEAREST), '8000:0000000000000000 0'],
  ['infinity x log2 (1 + 0)', fyl2xp1(of(0), INFINITY, NEAREST), `${INDEFINITE} 1`],
  ['1 x log2 (1 - 1)', fyl2xp1(of(-1), of(1), NEAREST), `${INDEFINITE} 1`],
  ['atan2 of two infinities', fpatan(MINUS_INFINITY, INFINITY, NEAREST), '4000:96cbe3f9990e91a8 220'],
  ['atan2 of zeros', fpatan(of(0), of(-0), NEAREST), '8000:0000000000000000 0'],
];
test.each(SPECIAL)('%s', (_what, result, expected) => {
  expect(show(result)).toBe(expected);
});

test('NaNs: quieted, the larger significand, signalling ones invalid', () => {
  const signalling = { significand: 0xa000000000000000n, signExponent: 0x7fff };
  const quiet = { significand: 0xc000000000000001n, signExponent: 0xffff };
  expect(show(fsin(signalling, NEAREST))).toBe('7fff:e000000000000000 1');
  expect(show(fpatan(signalling, quiet, NEAREST))).toBe('ffff:c000000000000001 1');
  expect(show(fyl2x({ significand: 1n, signExponent: 5 }, quiet, NEAREST))).toBe(`${INDEFINITE} 1`);
});
