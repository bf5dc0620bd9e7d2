/**
 * The host processor as the judge: the same operands, control words and masks through its x87 and SSE units (host-judge.c,
 * built here with gcc) and through the library. FLOAT_CASES sets the number of cases an operation gets.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { HostJudge } from '../../properties/testing/host-judge.js';
import type { FloatResult } from './float80.js';
import { type Bits80, createFloatBench, OperandSource } from './test-float-bench.js';
import { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } from './transcendental.js';

const CASES = Number(process.env.FLOAT_CASES ?? 1500);
const IN_BYTES = 40;
const OUT_BYTES = 40;
const IE_DE_ZE = 0x07;
const ALL_EXCEPTIONS = 0x3f;
const C1 = 0x200;
const TRUNCATE = 0x6000;

const bench = createFloatBench();
const host = new HostJudge(new URL('host-judge.c', import.meta.url));
afterAll(() => host.close());

interface Case {
  readonly control: number;
  readonly a0: bigint;
  readonly a1: bigint;
  readonly b0: bigint;
  readonly b1: bigint;
}
interface Verdict {
  readonly r: readonly [bigint, bigint];
  readonly s: readonly [bigint, bigint];
  readonly status: number;
}

function ask(op: number, cases: readonly Case[]): Verdict[] {
  const input = Buffer.alloc(cases.length * IN_BYTES);
  cases.forEach((each, i) => {
    const at = i * IN_BYTES;
    input.writeUInt32LE(op, at);
    input.writeUInt32LE(each.control, at + 4);
    input.writeBigUInt64LE(each.a0, at + 8);
    input.writeBigUInt64LE(each.a1, at + 16);
    input.writeBigUInt64LE(each.b0, at + 24);
    input.writeBigUInt64LE(each.b1, at + 32);
  });
  const answers = host.ask(input);
  return cases.map((_, i) => {
    const at = i * OUT_BYTES;
    return {
      r: [answers.readBigUInt64LE(at), answers.readBigUInt64LE(at + 8)],
      s: [answers.readBigUInt64LE(at + 16), answers.readBigUInt64LE(at + 24)],
      status: answers.readUInt32LE(at + 32),
    };
  });
}

const hex = (value: bigint | number): string => value.toString(16);
const describeCase = (each: Case): string =>
  `control ${hex(each.control)} a ${hex(each.a1)}:${hex(each.a0)} b ${hex(each.b1)}:${hex(each.b0)}`;

/** The condition codes of a comparison result in their places in the status word. */
const conditionCodes = (code: number): number => code << 8;

interface X87Row {
  readonly op: number;
  readonly name: string;
  /** What the library says: the value in ST(0) (or memory), that in ST(1), condition codes. */
  run(a: Bits80, b: Bits80, control: number): { r?: unknown[]; s?: unknown[]; codes?: number };
  /** Status word bits that must agree beyond the exceptions. */
  readonly statusMask: number;
  /** The destination is memory: nothing is stored for an unmasked OE or UE. */
  readonly toMemory?: number;
  readonly operand?: (source: OperandSource) => Bits80;
}

const x = ({ significand, signExponent }: Bits80): [bigint, number] => [significand, signExponent];
const memoryOperand = (source: OperandSource): Bits80 => ({ significand: source.pattern(), signExponent: source.u32() & 0xffff });
const asF32 = (source: OperandSource): Bits80 => ({ significand: BigInt(source.f32()), signExponent: 0 });
const asF64 = (source: OperandSource): Bits80 => ({ significand: source.f64(), signExponent: 0 });
const bcdOperand = (source: OperandSource): Bits80 => {
  const digits = (count: number): string => Array.from({ length: count }, () => source.below(10)).join('');
  return { significand: BigInt(`0x${digits(16)}`), signExponent: Number(`0x${digits(2)}`) | (source.u32() & 0x8000) };
};
const CODES = 0x4700;
const f80 = bench.f80;
const X87: readonly X87Row[] = [
  { op: 0, name: 'fadd', run: (a, b, c) => ({ r: f80.add(...x(a), ...x(b), c) }), statusMask: C1 },
  { op: 1, name: 'fsub', run: (a, b, c) => ({ r: f80.sub(...x(a), ...x(b), c) }), statusMask: C1 },
  { op: 2, name: 'fmul', run: (a, b, c) => ({ r: f80.mul(...x(a), ...x(b), c) }), statusMask: C1 },
  { op: 3, name: 'fdiv', run: (a, b, c) => ({ r: f80.div(...x(a), ...x(b), c) }), statusMask: C1 },
  { op: 4, name: 'fsqrt', run: (a, _b, c) => ({ r: f80.sqrt(...x(a), c) }), statusMask: C1 },
  { op: 5, name: 'fscale', run: (a, b, c) => ({ r: f80.scale(...x(a), ...x(b), c) }), statusMask: C1 },
  {
    op: 6,
    name: 'fxtract',
    run: (a, _b, c) => {
      const [e0, e1, s0, s1] = f80.extract(...x(a), c);
      return { r: [s0, s1], s: [e0, e1] };
    },
    statusMask: C1,
  },
  { op: 7, name: 'frndint', run: (a, _b, c) => ({ r: f80.roundToInteger(...x(a), c) }), statusMask: C1 },
  {
    op: 8,
    name: 'fprem',
    run: (a, b, c) => {
      const [significand, signExponent, codes] = f80.remainder(...x(a), ...x(b), c);
      return { r: [significand, signExponent], codes: codes as number };
    },
    statusMask: CODES,
  },
  {
    op: 9,
    name: 'fprem1',
    run: (a, b, c) => {
      const [significand, signExponent, codes] = f80.remainderNearest(...x(a), ...x(b), c);
      return { r: [significand, signExponent], codes: codes as number };
    },
    statusMask: CODES,
  },
  { op: 10, name: 'fcom', run: (a, b) => ({ codes: conditionCodes(f80.compare(...x(a), ...x(b))[0] as number) }), statusMask: CODES },
  { op: 11, name: 'fucom', run: (a, b) => ({ codes: conditionCodes(f80.compareQuiet(...x(a), ...x(b))[0] as number) }), statusMask: CODES },
  { op: 12, name: 'fxam', run: (a) => ({ codes: f80.classify(...x(a))[0] as number }), statusMask: CODES },
  { op: 13, name: 'fistp m16', run: (a, _b, c) => ({ r: [BigInt(f80.toI16(...x(a), c)[0]!) & 0xffffn] }), statusMask: C1, toMemory: 2 },
  { op: 14, name: 'fistp m32', run: (a, _b, c) => ({ r: [BigInt(f80.toI32(...x(a), c)[0]!)] }), statusMask: C1, toMemory: 4 },
  { op: 15, name: 'fistp m64', run: (a, _b, c) => ({ r: f80.toI64(...x(a), c) }), statusMask: C1, toMemory: 8 },
  { op: 16, name: 'fbstp', run: (a, _b, c) => ({ r: f80.toBcd(...x(a), c) }), statusMask: C1, toMemory: 10 },
  { op: 17, name: 'fst m32', run: (a, _b, c) => ({ r: [BigInt(f80.toF32(...x(a), c)[0]!)] }), statusMask: C1, toMemory: 4 },
  { op: 18, name: 'fst m64', run: (a, _b, c) => ({ r: f80.toF64(...x(a), c) }), statusMask: C1, toMemory: 8 },
  { op: 19, name: 'fld m32', run: (a) => ({ r: f80.fromF32(Number(a.significand)) }), statusMask: C1, operand: asF32 },
  { op: 20, name: 'fld m64', run: (a) => ({ r: f80.fromF64(a.significand) }), statusMask: C1, operand: asF64 },
  { op: 21, name: 'fild m64', run: (a) => ({ r: f80.fromI64(a.significand) }), statusMask: C1, operand: memoryOperand },
  { op: 22, name: 'fbld', run: (a) => ({ r: f80.fromBcd(a.significand, a.signExponent) }), statusMask: C1, operand: bcdOperand },
];

/** All masked half of the time; any rounding and precision. */
const controlWord = (source: OperandSource): number => {
  const masks = source.below(2) === 0 ? 0x3f : source.u32() & 0x3f;
  const modes = source.below(2) === 0 ? 0x300 : source.u32() & 0xf00;
  return masks | 0x40 | modes;
};

describe('x87 as the host has it', () => {
  test.each(X87)('$name', (row) => {
    const source = new OperandSource(row.op + 1);
    const cases = Array.from({ length: CASES }, (): Case => {
      const a = (row.operand ?? ((each) => each.f80()))(source);
      const b = source.below(2) === 0 ? source.f80() : source.f80Near(a);
      return { control: controlWord(source), a0: a.significand, a1: BigInt(a.signExponent), b0: b.significand, b1: BigInt(b.signExponent) };
    });
    const verdicts = ask(row.op, cases);
    cases.forEach((each, i) => {
      const verdict = verdicts[i]!;
      const a = { significand: each.a0, signExponent: Number(each.a1) };
      const b = { significand: each.b0, signExponent: Number(each.b1) };
      const { r, s, codes = 0 } = row.run(a, b, each.control);
      let flags = bench.flags();
      const unmasked = flags & ~each.control & ALL_EXCEPTIONS;
      const preempted = (unmasked & IE_DE_ZE) !== 0;
      if (preempted) flags &= IE_DE_ZE;
      const status = (flags | (preempted ? 0 : codes & CODES)) & (ALL_EXCEPTIONS | row.statusMask);
      const hostMask = ALL_EXCEPTIONS | (preempted && row.statusMask === CODES ? 0 : row.statusMask);
      const stored = !preempted && (row.toMemory === undefined || (unmasked & 0x18) === 0);
      const show = (values: readonly unknown[]): string => values.map((value) => hex(BigInt(value as bigint))).join(' ');
      const bytes = row.toMemory ?? 16;
      const host = (values: readonly [bigint, bigint]): bigint[] =>
        bytes > 8 ? [values[0], values[1] & 0xffffn] : [values[0] & ((1n << BigInt(8 * bytes)) - 1n)];
      const mine = [hex(status), stored && r !== undefined ? show(r) : '', stored && s !== undefined ? show(s) : ''].join(' / ');
      const theirs = [
        hex(verdict.status & hostMask),
        stored && r !== undefined ? show(host(verdict.r)) : '',
        stored && s !== undefined ? show(host(verdict.s)) : '',
      ].join(' / ');
      if (mine !== theirs) expect.fail(`case ${i}: ${describeCase(each)}: library ${mine}, host ${theirs}`);
    });
  });
});

interface SseRow {
  readonly op: number;
  readonly name: string;
  run(a: bigint, b: bigint, mxcsr: number): (bigint | number)[];
  readonly bits: 32 | 64 | 8;
  readonly operand: 'f32' | 'f64' | 'integer';
}

const sseRows = (base: number, width: 32 | 64): SseRow[] => {
  const group = width === 32 ? bench.f32 : bench.f64;
  const operand = width === 32 ? 'f32' : 'f64';
  const v = (bits: bigint): bigint | number => (width === 32 ? Number(bits) : bits);
  const suffix = width === 32 ? 'ss' : 'sd';
  const two = (op: number, name: 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max'): SseRow => ({
    op: base + op,
    name: `${name}${suffix}`,
    run: (a, b, m) => group[name](v(a), v(b), m),
    bits: width,
    operand,
  });
  const integer = (op: number, name: 'toI32' | 'toI64', extra: number): SseRow => ({
    op: base + op,
    name: `${name} ${extra} ${suffix}`,
    run: (a, _b, m) => group[name](v(a), m | extra),
    bits: name === 'toI32' ? 32 : 64,
    operand,
  });
  return [
    two(0, 'add'),
    two(1, 'sub'),
    two(2, 'mul'),
    two(3, 'div'),
    { op: base + 4, name: `sqrt${suffix}`, run: (a, _b, m) => group.sqrt(v(a), m), bits: width, operand },
    two(5, 'min'),
    two(6, 'max'),
    { op: base + 7, name: `comi${suffix}`, run: (a, b, m) => group.compare(v(a), v(b), m), bits: 8, operand },
    { op: base + 8, name: `ucomi${suffix}`, run: (a, b, m) => group.compareQuiet(v(a), v(b), m), bits: 8, operand },
    integer(9, 'toI32', 0),
    integer(10, 'toI64', 0),
    integer(11, 'toI32', TRUNCATE),
    integer(12, 'toI64', TRUNCATE),
    { op: base + 13, name: `cvtsi2${suffix}`, run: (a, _b, m) => group.fromI64(a, m), bits: width, operand: 'integer' },
    width === 32
      ? { op: base + 14, name: 'cvtss2sd', run: (a, _b, m) => bench.formats.f32ToF64(Number(a), m), bits: 64, operand }
      : { op: base + 14, name: 'cvtsd2ss', run: (a, _b, m) => bench.formats.f64ToF32(a, m), bits: 32, operand },
    ...[0, 1, 2, 3, 4, 5, 6, 7].map(
      (predicate): SseRow => ({
        op: base + 20 + predicate,
        name: `cmp${suffix} ${predicate}`,
        run: (a, b, m) => group.predicate(v(a), v(b), m, predicate).map((holds) => (holds === 1 ? (1n << BigInt(width)) - 1n : 0n)),
        bits: width,
        operand,
      }),
    ),
  ];
};

describe('SSE as the host has it', () => {
  test.each([...sseRows(100, 32), ...sseRows(200, 64)])('$name', (row) => {
    const source = new OperandSource(row.op);
    const draw = (): bigint => (row.operand === 'integer' ? source.pattern() : BigInt(source[row.operand]()));
    const cases = Array.from({ length: CASES }, (): Case => {
      const masks = source.below(2) === 0 ? 0x1f80 : source.u32() & 0x1f80;
      const sticky = source.below(2) === 0 ? 0x20 : source.u32() & 0x3f;
      const modes = source.below(2) === 0 ? 0 : source.u32() & 0xe040;
      const a = draw();
      const b = source.below(4) === 0 ? BigInt.asUintN(row.operand === 'f32' ? 32 : 64, a + BigInt(source.below(5) - 2)) : draw();
      return { control: masks | sticky | modes, a0: a, a1: 0n, b0: b, b1: 0n };
    });
    const verdicts = ask(row.op, cases);
    cases.forEach((each, i) => {
      const [result] = row.run(each.a0, each.b0, each.control);
      let flags = bench.flags() & ALL_EXCEPTIONS;
      const unmasked = flags & ~(each.control >> 7);
      if ((unmasked & IE_DE_ZE) !== 0) flags &= IE_DE_ZE;
      const verdict = verdicts[i]!;
      // LAHF leaves the flags in AH.
      const hostResult = row.bits === 8 ? (verdict.r[0] >> 8n) & 0x45n : verdict.r[0] & ((1n << BigInt(row.bits)) - 1n);
      const stored = unmasked === 0;
      const mine = `${hex(flags | (each.control & ALL_EXCEPTIONS))} ${stored ? hex(BigInt(result!)) : ''}`;
      const theirs = `${hex(verdict.status & ALL_EXCEPTIONS)} ${stored ? hex(hostResult) : ''}`;
      if (mine !== theirs) expect.fail(`case ${i}: ${describeCase(each)}: library ${mine}, host ${theirs}`);
    });
  });
});

interface TranscendentalRow {
  readonly op: number;
  readonly name: string;
  run(a: Bits80, b: Bits80, control: number): FloatResult;
  /** Where the manual defines the result. */
  defined?(a: Bits80): boolean;
}
const exponentOf = (a: Bits80): number => (a.signExponent & 0x7fff) - 0x3fff;
const TRANSCENDENTAL: readonly TranscendentalRow[] = [
  { op: 30, name: 'f2xm1', run: (a, _b, c) => f2xm1(a, c) },
  { op: 31, name: 'fyl2x', run: fyl2x },
  { op: 32, name: 'fyl2xp1', run: fyl2xp1, defined: (a) => a.signExponent < 0x8000 || exponentOf(a) < -2 || exponentOf(a) === 0x4000 },
  { op: 33, name: 'fptan', run: (a, _b, c) => fptan(a, c) },
  { op: 34, name: 'fpatan', run: fpatan },
  { op: 35, name: 'fsin', run: (a, _b, c) => fsin(a, c) },
  { op: 36, name: 'fcos', run: (a, _b, c) => fcos(a, c) },
  { op: 37, name: 'fsincos', run: (a, _b, c) => fsincos(a, c) },
];

/** Neighbouring numbers of a sign are neighbouring integers. */
const ordinal = (significand: bigint, signExponent: number): bigint => (BigInt(signExponent) << 63n) + (significand & ((1n << 63n) - 1n));

describe('transcendental instructions within one unit in the last place of the host', () => {
  test.each(TRANSCENDENTAL)('$name', (row) => {
    const source = new OperandSource(row.op);
    const cases: Case[] = [];
    while (cases.length < CASES) {
      const a = source.f80();
      const b = source.below(2) === 0 ? source.f80() : source.f80Near(a);
      const control = 0x37f | (source.u32() & 0xc00);
      if (row.defined?.(a) === false) continue;
      cases.push({ control, a0: a.significand, a1: BigInt(a.signExponent), b0: b.significand, b1: BigInt(b.signExponent) });
    }
    const verdicts = ask(row.op, cases);
    cases.forEach((each, i) => {
      const a = { significand: each.a0, signExponent: Number(each.a1) };
      const b = { significand: each.b0, signExponent: Number(each.b1) };
      const { values, flags } = row.run(a, b, each.control);
      const verdict = verdicts[i]!;
      const host = [verdict.r, verdict.s];
      const C2 = 0x400;
      expect(flags & (ALL_EXCEPTIONS | C2), describeCase(each)).toBe(verdict.status & (ALL_EXCEPTIONS | C2));
      [...values].reverse().forEach((value, place) => {
        const distance = ordinal(value.significand, value.signExponent) - ordinal(host[place]![0], Number(host[place]![1]));
        expect(distance >= -1n && distance <= 1n, `${describeCase(each)}: ${distance} units from the host`).toBe(true);
      });
    });
  });
});
