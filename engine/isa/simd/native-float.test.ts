/**
 * The precision flag in MXCSR decides whether the host's arithmetic may be used, and must decide nothing else: with it
 * set and clear, the same operands give the same result and the same other flags.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SIMD } from './simd.js';
import { blankState, createSimdBench } from './test-simd-bench.js';

const bench = createSimdBench();
const PRECISION = 0x20;
const MASKED = 0x1f80;

interface Format {
  readonly bytes: 4 | 8;
  readonly bias: number;
  readonly fractionBits: number;
}
const SINGLE: Format = { bytes: 4, bias: 127, fractionBits: 23 };
const DOUBLE: Format = { bytes: 8, bias: 1023, fractionBits: 52 };

/** An element near the given exponent: few or many fraction bits, so that halfway cases come up. */
const element = (format: Format, exponent: number): fc.Arbitrary<bigint> =>
  fc
    .record({
      sign: fc.bigInt(0n, 1n),
      exponent: fc.integer({ min: exponent - 2, max: exponent + 2 }),
      fraction: fc.oneof(fc.constant(0n), fc.bigInt(0n, 3n), fc.bigInt(0n, (1n << BigInt(format.fractionBits)) - 1n)),
      complement: fc.boolean(),
      zero: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ sign, exponent: chosen, fraction, complement, zero }) => {
      const fractionMask = (1n << BigInt(format.fractionBits)) - 1n;
      const field = BigInt(Math.min(2 * format.bias, Math.max(0, chosen + format.bias)));
      const magnitude = zero === 0 ? 0n : (field << BigInt(format.fractionBits)) | (complement ? fractionMask - fraction : fraction);
      return (sign << BigInt(8 * format.bytes - 1)) | magnitude;
    });

/** Exponents of the operands for which results lie at an edge, or in the middle, of the range. */
function exponentPairs({ bias }: Format): (readonly [number, number])[] {
  const low = 1 - bias;
  const half = Math.floor(bias / 2);
  return [
    [0, 0],
    [low + 1, low + 1],
    [-half, -half],
    [-half, half],
    [-bias + 1, -bias + 1],
    [half, half],
    [bias, bias],
    [bias, 0],
    [10, 31],
    [0, -bias + 10],
  ];
}

const operands = (format: Format): fc.Arbitrary<Uint8Array> =>
  fc.constantFrom(...exponentPairs(format)).chain(([a, b]) =>
    fc
      .tuple(
        fc.array(element(format, a), { minLength: 16 / format.bytes, maxLength: 16 / format.bytes }),
        fc.array(element(format, b), { minLength: 16 / format.bytes, maxLength: 16 / format.bytes }),
      )
      .map(([first, second]) => {
        const bytes = new Uint8Array(128);
        const view = new DataView(bytes.buffer);
        [...first, ...second].forEach((value, i) => {
          if (format === SINGLE) view.setUint32(4 * i, Number(value), true);
          else view.setBigUint64(8 * i, value, true);
        });
        return bytes;
      }),
  );

const instructions = SIMD.filter(
  ({ mnemonic, operands: text }) => /^(add|sub|mul|div|sqrt|min|max|cvt)/.test(mnemonic) && text.startsWith('Vx,W'),
);

describe('the precision flag changes no result', () => {
  test.each(instructions.map((definition) => [definition.mnemonic, definition] as const))('%s', (mnemonic, { encoding }) => {
    const prefix = encoding.split(' ')[0] as string;
    const opcode = Number.parseInt(encoding.split(' ')[2] as string, 16);
    const code = [...(prefix === 'NP' ? [] : [Number.parseInt(prefix, 16)]), 0x0f, opcode, 0xc1];
    const isDouble = mnemonic.startsWith('cvt') ? /^cvtt?[ps]d2/.test(mnemonic) : mnemonic.endsWith('d');
    const modes = fc.constantFrom(0, 0, 0, 0x2000, 0x8000, 0x40, 0x8040);
    fc.assert(
      fc.property(operands(isDouble ? DOUBLE : SINGLE), modes, (xmm, mode) => {
        const clear = bench.run(code, { ...blankState(), xmm, mxcsr: MASKED | mode });
        const set = bench.run(code, { ...blankState(), xmm, mxcsr: MASKED | mode | PRECISION });
        expect(clear.trap).toBe(0);
        expect(set.trap).toBe(0);
        expect(set.state.xmm).toEqual(clear.state.xmm);
        expect(set.state.mxcsr).toBe(clear.state.mxcsr | PRECISION);
      }),
      { seed: 1, numRuns: 150 },
    );
  });
});

test('a result that only rounding makes normal has underflowed', () => {
  // (1 - 2^-24) x 2^-126 lies halfway between the largest denormal and the smallest normal number.
  const xmm = new Uint8Array(128);
  const view = new DataView(xmm.buffer);
  for (let at = 0; at < 16; at += 4) {
    view.setUint32(at, 0x3f7fffff, true);
    view.setUint32(16 + at, 0x00800000, true);
  }
  const { state } = bench.run([0x0f, 0x59, 0xc1], { ...blankState(), xmm, mxcsr: MASKED | PRECISION });
  expect(new DataView(state.xmm.buffer).getUint32(0, true)).toBe(0x00800000);
  expect(state.mxcsr).toBe(MASKED | PRECISION | 0x10);
});
