/** The library against two independent judges: JavaScript arithmetic for binary64 and binary32, BigInt rationals for f80. */
import { describe, expect, test } from 'vitest';
import { type Bits80, createFloatBench, OperandSource } from './test-float-bench.js';

const bench = createFloatBench();
const CASES = 4000;
const MXCSR_DEFAULT = 0x1f80;
const PRECISION_FLAG = 0x20;

const view = new DataView(new ArrayBuffer(8));
const toDouble = (bits: bigint): number => {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};
const ofDouble = (value: number): bigint => {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const toSingle = (bits: number): number => {
  view.setUint32(0, bits);
  return view.getFloat32(0);
};
const ofSingle = (value: number): number => {
  view.setFloat32(0, value);
  return view.getUint32(0);
};

const operations = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  sqrt: (a: number, _b: number) => Math.sqrt(a),
};
const names = Object.keys(operations) as (keyof typeof operations)[];

describe('SSE arithmetic to nearest equals JavaScript', () => {
  test.each(names)('%s', (name) => {
    const source = new OperandSource(7);
    for (let i = 0; i < CASES; i++) {
      // With PE set the native path is open, without it the integers decide.
      const mxcsr = MXCSR_DEFAULT | (source.below(2) * PRECISION_FLAG);
      const a = source.f64();
      const b = source.f64();
      const double = operations[name](toDouble(a), toDouble(b));
      const [bits] = name === 'sqrt' ? bench.f64.sqrt(a, mxcsr) : bench.f64[name](a, b, mxcsr);
      if (Number.isNaN(double)) expect(toDouble(bits as bigint)).toBeNaN();
      else expect(bits).toBe(ofDouble(double));
      const c = source.f32();
      const d = source.f32();
      const single = Math.fround(operations[name](toSingle(c), toSingle(d)));
      const [word] = name === 'sqrt' ? bench.f32.sqrt(c, mxcsr) : bench.f32[name](c, d, mxcsr);
      if (Number.isNaN(single)) expect(toSingle(word as number)).toBeNaN();
      else expect(word).toBe(ofSingle(single));
    }
  });
});

/** A positive rational number. */
type Rational = readonly [numerator: bigint, denominator: bigint];
const EMIN = -16382;
const EMAX = 16383;

const times2 = ([p, q]: Rational, power: number): Rational => (power >= 0 ? [p << BigInt(power), q] : [p, q << BigInt(-power)]);
const exponentOf = ([p, q]: Rational): number => {
  const guess = p.toString(2).length - q.toString(2).length;
  const [x, y] = times2([p, q], -guess);
  return x >= y ? guess : guess - 1;
};

/** An integer times `quantum`, with what rounding did. */
function roundTo(value: Rational, quantum: number, negative: boolean, rounding: number) {
  const [p, q] = times2(value, -quantum);
  const floor = p / q;
  const rest = 2n * (p % q);
  const up = rest !== 0n && (rounding === 0 ? rest > q || (rest === q && floor % 2n === 1n) : rounding === (negative ? 1 : 2));
  return { units: floor + (up ? 1n : 0n), inexact: rest !== 0n, up };
}

/** Rounds and packs with all exceptions masked; flags as in the library. */
function referenceRound(value: Rational, negative: boolean, control: number): { bits: Bits80; flags: number } {
  const precision = { 0: 24, 1: 64, 2: 53, 3: 64 }[(control >> 8) & 3]!;
  const rounding = (control >> 10) & 3;
  const sign = negative ? 0x8000 : 0;
  const exponent = exponentOf(value);
  const unboundedQuantum = exponent - precision + 1;
  const unbounded = roundTo(value, unboundedQuantum, negative, rounding);
  const tiny = unboundedQuantum + unbounded.units.toString(2).length - 1 < EMIN;
  const quantum = Math.max(exponent, EMIN) - precision + 1;
  const { units, inexact, up } = roundTo(value, quantum, negative, rounding);
  const flags = inexact ? 0x20 | (up ? 0x200 : 0) | (tiny ? 0x10 : 0) : 0;
  if (units === 0n) return { bits: { significand: 0n, signExponent: sign }, flags };
  const top = units.toString(2).length - 1 + quantum;
  if (top > EMAX) {
    const toInfinity = rounding === 0 || rounding === (negative ? 1 : 2);
    const largest = ((1n << BigInt(precision)) - 1n) << BigInt(64 - precision);
    return {
      bits: toInfinity ? { significand: 1n << 63n, signExponent: sign | 0x7fff } : { significand: largest, signExponent: sign | 0x7ffe },
      flags: 0x28 | (toInfinity ? 0x200 : 0),
    };
  }
  const lsb = Math.max(top, EMIN) - 63;
  const significand = quantum >= lsb ? units << BigInt(quantum - lsb) : units >> BigInt(lsb - quantum);
  return { bits: { significand, signExponent: sign | (top < EMIN ? 0 : top + 16383) }, flags };
}

const isFinite80 = ({ significand, signExponent }: Bits80): boolean => {
  const exponent = signExponent & 0x7fff;
  return exponent !== 0x7fff && (exponent === 0 || significand >> 63n === 1n);
};
const isNegative = (a: Bits80): boolean => (a.signExponent & 0x8000) !== 0;
const rational = ({ significand, signExponent }: Bits80): Rational =>
  times2([significand, 1n], Math.max(signExponent & 0x7fff, 1) - 16383 - 63);
const denormalFlag = (...operands: Bits80[]): number =>
  operands.some(({ significand, signExponent }) => (signExponent & 0x7fff) === 0 && significand !== 0n) ? 2 : 0;

function squareRoot(n: bigint): bigint {
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Nonzero finite operands and results only: the rest is the host's to judge. */
function reference(name: (typeof names)[number], a: Bits80, b: Bits80, control: number) {
  const [p, q] = rational(a);
  const [r, s] = rational(b);
  const signed = (numerator: bigint, negative: boolean): bigint => (negative ? -numerator : numerator);
  switch (name) {
    case 'add':
    case 'sub': {
      const sum = signed(p * s, isNegative(a)) + signed(r * q, isNegative(b) !== (name === 'sub'));
      return sum === 0n ? undefined : referenceRound([sum < 0n ? -sum : sum, q * s], sum < 0n, control);
    }
    case 'mul':
      return referenceRound([p * r, q * s], isNegative(a) !== isNegative(b), control);
    case 'div':
      return referenceRound([p * s, q * r], isNegative(a) !== isNegative(b), control);
    default: {
      if (isNegative(a)) return undefined;
      // Scaled so that the root has far more than 64 bits; one more bit says that it goes on.
      const n = (p * q) << 400n;
      const root = squareRoot(n);
      return referenceRound([2n * root + (root * root === n ? 0n : 1n), q << 201n], false, control);
    }
  }
}

describe('f80 arithmetic equals exact rationals, rounded', () => {
  test.each(names)('%s', (name) => {
    const source = new OperandSource(11);
    for (let checked = 0; checked < 1500; ) {
      const a = source.f80();
      const b = source.below(2) === 0 ? source.f80Near(a) : source.f80();
      if (!isFinite80(a) || !isFinite80(b) || a.significand === 0n || b.significand === 0n) continue;
      const control = 0x7f | (source.u32() & 0xf00);
      const expected = reference(name, a, b, control);
      if (expected === undefined) continue;
      checked += 1;
      const operands = name === 'sqrt' ? [a] : [a, b];
      const result = bench.f80[name](...operands.flatMap((each) => [each.significand, each.signExponent]), control);
      const flags = bench.flags();
      const what = `${name} ${JSON.stringify(operands.map((each) => [each.signExponent.toString(16), each.significand.toString(16)]))} ${control.toString(16)}`;
      expect([what, ...result, flags]).toEqual([
        what,
        expected.bits.significand,
        expected.bits.signExponent,
        expected.flags | denormalFlag(...operands),
      ]);
    }
  });
});

test('a NaN never comes from the host: payloads and signs are those of the operands', () => {
  const quiet = 0x7ff8_0000_0000_1234n;
  const infinity = 0x7ff0_0000_0000_0000n;
  const mxcsr = MXCSR_DEFAULT | PRECISION_FLAG;
  expect(bench.f64.add(quiet, ofDouble(1), mxcsr)).toEqual([quiet]);
  expect(bench.f64.mul(ofDouble(1), quiet | (1n << 63n), mxcsr)).toEqual([quiet | (1n << 63n)]);
  expect(bench.f64.sub(infinity, infinity, mxcsr)).toEqual([0xfff8_0000_0000_0000n]);
  expect(bench.flags()).toBe(1);
});

test('partial remainder by the rules: quotient bits, and reduction by 32 + D mod 32 for a large difference D', () => {
  const one = { significand: 1n << 63n, signExponent: 0x3fff };
  const seven = { significand: 7n << 61n, signExponent: 0x4001 };
  const call = (a: Bits80, b: Bits80) => bench.f80.remainder(a.significand, a.signExponent, b.significand, b.signExponent, 0x37f);
  // 7 mod 1 = 0, quotient 7: C0, C3 and C1.
  expect(call(seven, one)).toEqual([0n, 0, 0x4300]);
  // D is 70: a step by 38 leaves 2^72 mod 7 x 2^32 = 2^32 x (2^40 mod 7) = 2^33, with C2 set.
  expect(call({ significand: 1n << 63n, signExponent: 0x3fff + 72 }, seven)).toEqual([1n << 63n, 0x3fff + 33, 0x400]);
});
