import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeColumn, encodeColumn, encodePlainColumn } from './columns.js';
import { TraceError } from './errors.js';

const MAX = Number.MAX_SAFE_INTEGER;
const values = fc.oneof(
  fc.array(fc.maxSafeNat(), { maxLength: 50 }),
  fc.array(fc.nat(3), { maxLength: 50 }),
  fc.array(fc.nat(1e6), { maxLength: 50 }).map((steps) =>
    steps.map(
      (
        (sum) => (step) =>
          (sum += step)
      )(0),
    ),
  ),
  fc.array(fc.nat(5), { maxLength: 50 }).map((jitter) => jitter.map((late, i) => i * 1_000_000 + late)),
);

it('a column comes back as it was, in either form', () => {
  fc.assert(
    fc.property(values, (column) => {
      const encoded = encodeColumn(column);
      const plain = encodePlainColumn(column);
      expect(Array.from(decodeColumn(encoded, column.length, MAX, 'x'))).toEqual(column);
      expect(Array.from(decodeColumn(plain, column.length, MAX, 'x'))).toEqual(column);
      expect(encoded.length).toBeLessThanOrEqual(plain.length);
    }),
    { seed: 2, numRuns: 500 },
  );
});

it('the shortest mode is taken', () => {
  const ramp = (step: number) => Array.from({ length: 100 }, (_, i) => 1000 + i * step);
  const cases: readonly (readonly [number[], string])[] = [
    [[], ''],
    [[5], '0005'],
    [[1, 200, 3], '0001c80103'],
    [[300, 301, 305], '01ac020104'],
    [ramp(0), `03e80763`],
  ];
  for (const [column, hex] of cases) expect(Buffer.from(encodeColumn(column)).toString('hex')).toBe(hex);
  expect(encodeColumn(ramp(1_000_000)).slice(0, 8)).toEqual(Uint8Array.of(2, 0xd0, 0x0f, 0xb0, 0xf9, 0x79, 0, 0));
  expect(encodeColumn([0, MAX, 0, MAX])[0]).toBe(0);
});

it('anything but the values that were asked for is refused', () => {
  const cases: readonly (readonly [string, number[], number, RegExp])[] = [
    ['too short', [0, 1], 2, /shorter than its count/],
    ['too long', [0, 1, 1], 1, /longer than its count/],
    ['cut inside a number', [0, 0x80], 1, /ends inside a number/],
    ['not the shortest form', [0, 0x81, 0x00], 1, /shortest form/],
    ['2^53', [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], 1, /2\^53/],
    ['endless', [0, ...Array.from({ length: 400 }, () => 0x80), 1], 1, /2\^53/],
    ['sum over the limit', [1, 60, 60], 2, /outside 0\.\.100/],
    ['below zero', [2, 1], 1, /outside/],
    ['long run', [3, 1, 5], 5, /beyond the end/],
    ['no mode', [], 1, /shorter|mode/],
    ['unknown mode', [4, 1], 1, /mode 4/],
    ['not empty', [0], 0, /no values/],
  ];
  for (const [what, bytes, count, problem] of cases) {
    expect(() => decodeColumn(Uint8Array.from(bytes), count, 100, 'x'), what).toThrow(problem);
  }
  expect(() => decodeColumn(Uint8Array.from([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), 1, MAX, 'x')).not.toThrow();
});

it('random bytes never do more than fail', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(40), (bytes, count) => {
      try {
        expect(decodeColumn(bytes, count, 1000, 'x').every((value) => value >= 0 && value <= 1000)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
      }
    }),
    { seed: 3, numRuns: 2000 },
  );
});

it('only natural numbers are stored', () => {
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) expect(() => encodeColumn([value])).toThrow(TraceError);
});
