import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32 } from './crc32.js';
import { TraceError } from './errors.js';
import type { PlainValue } from './events.js';
import { decodeMessage, encodeMessage } from './message.js';

const { plain } = fc.letrec<{ plain: PlainValue }>((tie) => ({
  plain: fc.oneof(
    { maxDepth: 4 },
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.array(tie('plain'), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('plain'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
}));

it('plain data comes back as it was', () => {
  fc.assert(
    fc.property(plain, (value) => {
      expect(decodeMessage(encodeMessage(value))).toEqual(value);
    }),
    { seed: 4, numRuns: 300 },
  );
});

it('the bytes do not depend on the order of keys', () => {
  expect(encodeMessage({ b: 1, a: { d: 2, c: 3 } })).toEqual(encodeMessage({ a: { c: 3, d: 2 }, b: 1 }));
});

it('big integers and numbers stay what they are', () => {
  expect(decodeMessage(encodeMessage([1, 1n, 2 ** 40, 2n ** 40n, -1n]))).toEqual([1, 1n, 2 ** 40, 2n ** 40n, -1n]);
});

it('what is not plain data is refused', () => {
  const deep = (depth: number): PlainValue => (depth === 0 ? 1 : [deep(depth - 1)]);
  expect(decodeMessage(encodeMessage(deep(32)))).toEqual(deep(32));
  for (const value of [
    undefined,
    Number.NaN,
    () => 1,
    Symbol('x'),
    new Date(),
    new Map(),
    new Uint16Array(1),
    2n ** 64n,
    -(2n ** 63n) - 1n,
    '\ud800',
    { '\udc00': 1 },
    [undefined],
    deep(33),
    JSON.parse('{"__proto__":1}'),
  ]) {
    expect(() => encodeMessage(value as PlainValue)).toThrow(TraceError);
  }
});

it('random bytes never do more than fail', () => {
  const head = fc.oneof(fc.nat(255), fc.integer({ min: 0x80, max: 0xdf }));
  fc.assert(
    fc.property(fc.array(head, { maxLength: 30 }), (bytes) => {
      try {
        decodeMessage(Uint8Array.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
      }
    }),
    { seed: 5, numRuns: 3000 },
  );
});

it('CRC-32 is the one of zlib, in any number of parts', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf4_3926);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      expect(crc32(bytes)).toBe(zlibCrc32(bytes));
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(zlibCrc32(bytes));
    }),
    { seed: 6, numRuns: 200 },
  );
});
