/** What random operands on the host cannot show: who may run these instructions, faults, and what is ours to define. */
import { describe, expect, test } from 'vitest';
import { VECTOR } from '../../cpu/exceptions.js';
import { CR0, CR4 } from '../../cpu/state.js';
import { STATUS } from '../x87/status.js';
import { blankState, createSimdBench, GUEST_PAGE, type SimdState } from './test-simd-bench.js';

const bench = createSimdBench();
const OSFXSR = CR4.osfxsr;

const PADDB_MMX = [0x0f, 0xfc, 0xc1];
const PADDB_XMM = [0x66, 0x0f, 0xfc, 0xc1];
const MOVQ2DQ = [0xf3, 0x0f, 0xd6, 0xc1];
const EMMS = [0x0f, 0x77];
const LDMXCSR = [0x0f, 0xae, 0x17];
const SQRTSS = [0xf3, 0x0f, 0x51, 0xc1];
const MOVNTI = [0x0f, 0xc3, 0x07];
const FENCES = [
  [0x0f, 0xae, 0xe8],
  [0x0f, 0xae, 0xf0],
  [0x0f, 0xae, 0xf8],
];

const outcome = (code: number[], changes: Partial<SimdState>): number | 'left' => {
  const { trap, left } = bench.run(code, { ...blankState(), ...changes });
  return left ? 'left' : trap;
};

describe('availability', () => {
  const pending = { x87Status: STATUS.errorSummary };
  const conditions: [string, Partial<SimdState>, { mmx: unknown; xmm: unknown; both: unknown }][] = [
    ['nothing in the way', {}, { mmx: 0, xmm: 0, both: 0 }],
    ['CR0.EM', { cr0: CR0.em }, { mmx: 6, xmm: 6, both: 6 }],
    ['CR0.EM goes before CR0.TS', { cr0: CR0.em | CR0.ts }, { mmx: 6, xmm: 6, both: 6 }],
    ['CR0.TS', { cr0: CR0.ts }, { mmx: 7, xmm: 7, both: 7 }],
    ['no CR4.OSFXSR', { cr4: 0 }, { mmx: 0, xmm: 6, both: 6 }],
    ['no CR4.OSFXSR goes before CR0.TS', { cr4: 0, cr0: CR0.ts }, { mmx: 7, xmm: 6, both: 6 }],
    ['a pending x87 exception', { ...pending, cr0: CR0.ne }, { mmx: 16, xmm: 0, both: 16 }],
    ['CR0.TS goes before it', { ...pending, cr0: CR0.ne | CR0.ts }, { mmx: 7, xmm: 7, both: 7 }],
    ['a pending x87 exception reported by FERR#', pending, { mmx: 'left', xmm: 0, both: 'left' }],
    ['the same with IGNNE#', { x87Status: STATUS.errorSummary | STATUS.ignoreError }, { mmx: 0, xmm: 0, both: 0 }],
  ];
  test.each(conditions)('%s', (_name, changes, expected) => {
    const outcomes = { mmx: outcome(PADDB_MMX, changes), xmm: outcome(PADDB_XMM, changes), both: outcome(MOVQ2DQ, changes) };
    expect(outcomes).toEqual(expected);
    expect(outcome(EMMS, changes)).toBe(expected.mmx);
    expect(outcome(LDMXCSR, changes)).toBe(expected.xmm);
  });

  test('MOVNTI and fences need none of this', () => {
    for (const code of [MOVNTI, ...FENCES]) expect(outcome(code, { cr0: CR0.em | CR0.ts, cr4: 0 })).toBe(0);
  });

  test('encodings that do not exist are undefined', () => {
    const undefinedCodes = [
      [0xf2, 0x0f, 0x6f, 0xc1],
      [0x0f, 0x6c, 0xc1],
      [0x0f, 0x13, 0xc1],
      [0x66, 0x0f, 0x50, 0x07],
      [0x0f, 0x71, 0xc1, 1],
      [0x0f, 0x71, 0x17, 1],
      [0xf3, 0x0f, 0x54, 0xc1],
      [0x66, 0x0f, 0x16, 0xc1],
    ];
    for (const code of undefinedCodes) expect([code, bench.decode(code)]).toEqual([code, undefined]);
  });
});

describe('SIMD floating-point exceptions', () => {
  const minusOne = (): Uint8Array => {
    const xmm = new Uint8Array(128);
    new DataView(xmm.buffer).setFloat32(16, -1, true);
    return xmm;
  };
  test('an unmasked one is #XM with the flag set and the destination as it was', () => {
    const { trap, state } = bench.run(SQRTSS, { ...blankState(), xmm: minusOne(), mxcsr: 0x1f00 });
    expect([trap, state.mxcsr]).toEqual([VECTOR.simd, 0x1f01]);
    expect(state.xmm).toEqual(minusOne());
  });
  test('and #UD when the system has not announced that it handles #XM', () => {
    const { trap, state } = bench.run(SQRTSS, { ...blankState(), xmm: minusOne(), mxcsr: 0x1f00, cr4: OSFXSR });
    expect([trap, state.mxcsr]).toEqual([VECTOR.invalidOpcode, 0x1f01]);
  });
  test('a flag that is set already raises nothing', () => {
    const { trap } = bench.run(SQRTSS, { ...blankState(), mxcsr: 0x1f00 | 0x01 });
    expect(trap).toBe(0);
  });
  test('reserved bits of MXCSR are refused', () => {
    const memory = new Uint8Array(64);
    memory[2] = 1;
    const { trap, state } = bench.run(LDMXCSR, { ...blankState(), memory });
    expect([trap, state.mxcsr]).toEqual([VECTOR.generalProtection, 0x1f80]);
  });
});

describe('memory', () => {
  const filled = (): SimdState => {
    const state = blankState();
    state.xmm = Uint8Array.from({ length: 128 }, (_, i) => i + 1);
    state.mm = state.mm.map((_, i) => BigInt(i + 1));
    return state;
  };
  const LAST = GUEST_PAGE + 0x1000;

  test('only the bytes of the operand are accessed', () => {
    // The operand ends with the page; the next page does not exist.
    const fits: [number[], number][] = [
      [[0x0f, 0x10, 0x07], 16],
      [[0xf3, 0x0f, 0x10, 0x07], 4],
      [[0xf2, 0x0f, 0x58, 0x07], 8],
      [[0xf3, 0x0f, 0x58, 0x07], 4],
      [[0x0f, 0x60, 0x07], 4],
      [[0x0f, 0x68, 0x07], 8],
      [[0xf3, 0x0f, 0x7e, 0x07], 8],
      [[0x66, 0x0f, 0xc4, 0x07, 0], 2],
      [[0x0f, 0x5a, 0x07], 8],
      [[0x0f, 0x2f, 0x07], 4],
      [[0x0f, 0x17, 0x07], 8],
      [[0xf3, 0x0f, 0x11, 0x07], 4],
    ];
    for (const [code, bytes] of fits) {
      expect([code, bench.run(code, { ...filled(), edi: LAST - bytes }).trap]).toEqual([code, 0]);
      expect([code, bench.run(code, { ...filled(), edi: LAST - bytes + 1 }).trap]).toEqual([code, VECTOR.pageFault]);
    }
  });

  test('a fault changes nothing', () => {
    const before = { ...filled(), edi: LAST, top: 3 };
    const codes = [
      [0x0f, 0xfc, 0x07],
      [0x66, 0x0f, 0xfc, 0x07],
      [0x0f, 0x7f, 0x07],
      [0x0f, 0xe7, 0x07],
      [0xf2, 0x0f, 0x51, 0x07],
      [0x0f, 0x2c, 0x07],
    ];
    for (const code of codes) {
      const { trap, state } = bench.run(code, before);
      expect([code, trap]).toEqual([code, VECTOR.pageFault]);
      expect(state).toEqual(before);
    }
  });

  test('16 bytes must be aligned, except for the unaligned moves', () => {
    const edi = GUEST_PAGE + 8;
    const aligned = [
      [0x0f, 0x28, 0x07],
      [0x0f, 0x29, 0x07],
      [0x66, 0x0f, 0x6f, 0x07],
      [0x66, 0x0f, 0xfc, 0x07],
      [0x0f, 0x2b, 0x07],
    ];
    for (const code of aligned) expect([code, outcome(code, { edi })]).toEqual([code, VECTOR.generalProtection]);
    const unaligned = [
      [0x0f, 0x10, 0x07],
      [0x66, 0x0f, 0x11, 0x07],
      [0xf3, 0x0f, 0x6f, 0x07],
      [0xf3, 0x0f, 0x7f, 0x07],
      [0x0f, 0xfc, 0x07],
    ];
    for (const code of unaligned) expect([code, outcome(code, { edi })]).toEqual([code, 0]);
  });

  test('MASKMOVDQU touches the pages of the bytes it writes only, and writes all of them or none', () => {
    const code = [0x66, 0x0f, 0xf7, 0xc1];
    const mask = (selected: number[]): SimdState => {
      const state = filled();
      state.edi = LAST - 8;
      state.memory = new Uint8Array(0x1000);
      state.xmm.fill(0, 16, 32);
      for (const i of selected) state.xmm[16 + i] = 0x80;
      return state;
    };
    const inside = bench.run(code, mask([0, 7]));
    expect(inside.trap).toBe(0);
    expect([...inside.state.memory.subarray(0xff8)]).toEqual([1, 0, 0, 0, 0, 0, 0, 8]);
    const across = bench.run(code, mask([0, 8]));
    expect(across.trap).toBe(VECTOR.pageFault);
    expect(across.state.memory.some((byte) => byte !== 0)).toBe(false);
    expect(bench.run(code, { ...mask([]), edi: LAST + 8 }).trap).toBe(0);
  });
});

describe('reciprocals', () => {
  const RCPSS = [0xf3, 0x0f, 0x53, 0xc1];
  const RSQRTSS = [0xf3, 0x0f, 0x52, 0xc1];
  const apply = (code: number[], bits: number): number => {
    const state = { ...blankState(), mxcsr: 0 };
    new DataView(state.xmm.buffer).setUint32(16, bits, true);
    const result = bench.run(code, state);
    expect([result.trap, result.state.mxcsr]).toEqual([0, 0]);
    return new DataView(result.state.xmm.buffer).getUint32(0, true);
  };
  const asFloat = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0] as number;

  test('special operands', () => {
    // Signalling NaN, negative quiet NaN, zeros, denormals, infinities; the largest number's reciprocal is flushed.
    const reciprocal = [0x7f800001, 0xffc12345, 0, 0x80000000, 1, 0x807fffff, 0x7f800000, 0xff800000, 0x7f7fffff, 0xff7fffff];
    expect(reciprocal.map((bits) => apply(RCPSS, bits))).toEqual([
      0x7fc00001, 0xffc12345, 0x7f800000, 0xff800000, 0x7f800000, 0xff800000, 0, 0x80000000, 0, 0x80000000,
    ]);
    const root = [0x7f800001, 0xffc12345, 0, 0x80000000, 1, 0x807fffff, 0x7f800000, 0xff800000, 0xbf800000];
    expect(root.map((bits) => apply(RSQRTSS, bits))).toEqual([
      0x7fc00001, 0xffc12345, 0x7f800000, 0xff800000, 0x7f800000, 0xff800000, 0, 0xffc00000, 0xffc00000,
    ]);
  });

  test('powers of two are exact, everything is within 2^-13', () => {
    expect([apply(RCPSS, 0x40000000), apply(RSQRTSS, 0x40800000)]).toEqual([0x3f000000, 0x3f000000]);
    // The ends of the normal range are where exponents could go wrong.
    for (const exponent of [1, 2, 100, 126, 127, 128, 200, 252]) {
      for (let fraction = 0; fraction < 0x800000; fraction += 0x7a123) {
        const bits = (exponent << 23) | fraction;
        const x = asFloat(bits);
        expect(Math.abs(asFloat(apply(RCPSS, bits)) * x - 1)).toBeLessThanOrEqual(2 ** -13);
        expect(Math.abs(asFloat(apply(RSQRTSS, bits)) * Math.sqrt(x) - 1)).toBeLessThanOrEqual(2 ** -13);
      }
    }
  });
});

test('EMMS empties the registers, every other MMX instruction makes them valid', () => {
  const start = { ...blankState(), top: 5, tags: 0x0f };
  expect(bench.run(EMMS, start).state).toMatchObject({ top: 0, tags: 0 });
  expect(bench.run([0x0f, 0x7e, 0xc1], start).state).toMatchObject({ top: 0, tags: 0xff, exponent: start.exponent });
  const written = bench.run(PADDB_MMX, start).state;
  expect(written).toMatchObject({ top: 0, tags: 0xff });
  expect(written.exponent).toEqual([0xffff, ...start.exponent.slice(1)]);
});
