/**
 * The host processor as the judge: every MMX and SSE instruction on random registers and memory, through the host
 * (host-judge.c, built here with gcc) and through the semantics.
 */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { HostJudge } from '../../../properties/testing/host-judge.js';
import { OperandSource } from '../../float/test-float-bench.js';
import { type Definition, parseOperands } from '../definition.js';
import { SIMD } from './simd.js';
import { blankState, createSimdBench, type SimdState } from './test-simd-bench.js';

const CASES = Number(process.env.SIMD_CASES ?? 24);
const IN_BYTES = 296;
const OUT_BYTES = 312;
/** The host's digits of RCPPS and kin differ from one processor model to the next. */
const UNSPECIFIED = new Set(['rcpps', 'rcpss', 'rsqrtps', 'rsqrtss']);

const bench = createSimdBench();

const host = new HostJudge(new URL('host-judge.c', import.meta.url));
afterAll(() => host.close());

interface Case {
  readonly code: number[];
  readonly state: SimdState;
}

/** The instruction with random registers, a memory operand at EDI plus a displacement, a random immediate. */
function encode(definition: Definition, source: OperandSource, memory: boolean): number[] {
  const words = definition.encoding.split(' ');
  const code: number[] = [];
  if (words[0] === 'NP') words.shift();
  let digit = -1;
  let modRm = false;
  for (const word of words) {
    if (word.startsWith('/')) {
      modRm = true;
      if (word !== '/r') digit = Number(word.slice(1));
    } else code.push(Number.parseInt(word, 16));
  }
  if (!modRm) return code;
  const operands = parseOperands(definition.operands);
  const number = (kinds: string): number => {
    const operand = operands.find(({ kind }) => kinds.includes(kind));
    return operand !== undefined && 'EGR'.includes(operand.kind) ? source.below(4) : source.below(8);
  };
  const reg = digit >= 0 ? digit : number('GPV');
  if (memory) code.push(0x47 | (reg << 3), source.below(8) === 0 ? source.below(48) : 16 * source.below(3));
  else code.push(0xc0 | (reg << 3) | number('ERNQUW'));
  if (operands.some(({ kind }) => kind === 'I')) code.push(source.below(4) === 0 ? source.below(256) : source.below(20));
  return code;
}

function ordinary(source: OperandSource): number {
  const sign = source.below(2) === 0 ? 1 : -1;
  switch (source.below(4)) {
    case 0:
      return sign * source.below(3);
    case 1:
      return sign * (source.u32() / 3) * 2 ** (source.below(60) - 40);
    default:
      return (sign * source.below(1000)) / (1 + source.below(16));
  }
}

/** Sixteen bytes of any kind of element. */
function vector(source: OperandSource): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  switch (source.below(8)) {
    case 0:
    case 1:
      for (let i = 0; i < 4; i++) view.setUint32(4 * i, source.f32(), true);
      break;
    case 2:
    case 3:
      for (let i = 0; i < 2; i++) view.setBigUint64(8 * i, source.f64(), true);
      break;
    // What programs compute with: ordinary numbers and zeros.
    case 4:
    case 5:
      for (let i = 0; i < 4; i++) view.setFloat32(4 * i, ordinary(source), true);
      break;
    case 6:
      for (let i = 0; i < 2; i++) view.setFloat64(8 * i, ordinary(source), true);
      break;
    default:
      for (let i = 0; i < 2; i++) view.setBigUint64(8 * i, source.pattern(), true);
  }
  // A shift count worth having is a small number.
  if (source.below(8) === 0) view.setBigUint64(0, BigInt(source.below(70)), true);
  return bytes;
}

function randomState(source: OperandSource): SimdState {
  const masks = source.below(2) === 0 ? 0x1f80 : source.below(64) << 7;
  const modes = source.below(2) === 0 ? 0 : source.u32() & 0xe040;
  const state = blankState();
  state.gpr = state.gpr.map(() => (source.below(2) === 0 ? source.u32() : source.below(300) - 150) >>> 0);
  state.mxcsr = masks | modes | (source.below(2) === 0 ? 0 : source.below(64));
  state.top = source.below(8);
  state.mm = state.mm.map(() => new DataView(vector(source).buffer).getBigUint64(0, true));
  for (let i = 0; i < 8; i++) state.xmm.set(vector(source), 16 * i);
  for (let i = 0; i < 4; i++) state.memory.set(vector(source), 16 * i);
  return state;
}

interface Outcome {
  readonly trap: number;
  readonly state: SimdState;
}

function ask(cases: readonly Case[]): Outcome[] {
  const input = Buffer.alloc(cases.length * IN_BYTES);
  cases.forEach(({ code, state }, i) => {
    const at = i * IN_BYTES;
    input.set([...code, 0xc3], at);
    state.gpr.forEach((value, n) => input.writeUInt32LE(value, at + 16 + 4 * n));
    input.writeUInt32LE(state.mxcsr, at + 32);
    input.writeUInt32LE(state.top, at + 36);
    state.mm.forEach((value, n) => input.writeBigUInt64LE(value, at + 40 + 8 * n));
    input.set(state.xmm, at + 104);
    input.set(state.memory, at + 232);
  });
  const answers = host.ask(input);
  return cases.map(({ state }, i) => {
    const at = i * OUT_BYTES;
    const word = (n: number): number => answers.readUInt32LE(at + 4 * n);
    return {
      trap: word(0),
      state: {
        ...state,
        gpr: [1, 2, 3, 4].map(word),
        flags: word(5),
        mxcsr: word(6),
        top: word(7),
        tags: word(8),
        mm: state.mm.map((_, n) => answers.readBigUInt64LE(at + 40 + 8 * n)),
        exponent: state.exponent.map((_, n) => answers.readUInt16LE(at + 104 + 2 * n)),
        xmm: new Uint8Array(answers.subarray(at + 120, at + 248)),
        memory: new Uint8Array(answers.subarray(at + 248, at + 312)),
      },
    };
  });
}

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/(.{32})/g, '$1 ');
const readable = ({ trap, state }: Outcome) => ({
  trap,
  gpr: state.gpr.map((value) => value.toString(16)).join(' '),
  flags: state.flags.toString(16),
  mxcsr: state.mxcsr.toString(16),
  x87: `top ${state.top} tags ${state.tags.toString(16)} ${state.exponent.map((value) => value.toString(16)).join(' ')}`,
  mm: state.mm.map((value) => value.toString(16)).join(' '),
  xmm: hex(state.xmm),
  memory: hex(state.memory),
});

/**
 * Processors differ in whether a conversion with MMX registers that ends in an exception has already made the x87 registers
 * valid, and whether CVTPI2PS from memory does so (SDM: yes).
 */
const leavesX87Open = (definition: Definition, code: readonly number[], trap: number): boolean =>
  trap !== 0 ? /^cvt.*pi/.test(definition.mnemonic) : definition.mnemonic === 'cvtpi2ps' && (code.at(-2) ?? 0) < 0xc0;

const rows = SIMD.filter(({ mnemonic }) => !UNSPECIFIED.has(mnemonic));
const title = ({ mnemonic, encoding, operands }: Definition): string => `${mnemonic} ${operands} (${encoding})`;

function casesOf(definition: Definition, seed: number): Case[] {
  const source = new OperandSource(seed);
  const kinds = parseOperands(definition.operands).map(({ kind }) => kind);
  const memoryOnly = kinds.includes('M');
  const either = kinds.some((kind) => 'EQW'.includes(kind));
  return Array.from({ length: CASES }, (): Case => {
    const code = encode(definition, source, memoryOnly || (either && source.below(2) === 0));
    const state = randomState(source);
    if (definition.mnemonic === 'ldmxcsr') {
      const value = source.below(0x10000) | (source.below(4) === 0 ? 0x10000 << (source.below(2) * 15) : 0);
      const view = new DataView(state.memory.buffer);
      for (let at = 0; at <= 60; at++) view.setUint32(at & ~3, value, true);
    }
    return { code, state };
  });
}

describe('as the host has it', () => {
  const cases = rows.flatMap((definition, index) => casesOf(definition, index + 1));
  let verdicts: Outcome[] | undefined;

  test.each(rows.map((definition, index) => [title(definition), definition, index] as const))('%s', (_title, definition, index) => {
    // One process for all: starting one costs more than what it computes.
    verdicts ??= ask(cases);
    for (let i = index * CASES; i < (index + 1) * CASES; i++) {
      const { code, state } = cases[i] as Case;
      const verdict = verdicts[i] as Outcome;
      expect(bench.decode(code)).toBe(definition);
      const { left, ...outcome } = bench.run(code, state);
      expect(left).toBe(false);
      if (leavesX87Open(definition, code, verdict.trap)) {
        outcome.state.top = verdict.state.top;
        outcome.state.tags = verdict.state.tags;
      }
      if (isDeepStrictEqual(outcome, verdict)) continue;
      const what = `${hex(Uint8Array.from(code))} from ${JSON.stringify(readable({ trap: 0, state }), null, 1)}`;
      expect({ what, ...readable(outcome) }).toEqual({ what, ...readable(verdict) });
      expect.unreachable(`${what}: a difference that the readable form does not show`);
    }
  });
});
