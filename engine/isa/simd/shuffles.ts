/** Packing, unpacking and shuffling of packed values (Intel SDM volume 2: PACKSSWB, PUNPCKLBW, PSHUFD, SHUFPS...). */
import type { Context } from '../../translate/context.js';
import { toI32 } from '../../translate/int.js';
import { load16U, store16 } from '../../wasm/memory-access.js';
import { I32, select, V128 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import {
  enterMmx,
  MMX_SIGN_EXPONENT,
  type RegisterFile,
  readPacked,
  registerAddress,
  requireFile,
  requireSse,
  splat16,
  splat32,
  writePacked,
} from './operands.js';
import { inBothFiles, type PackedOperation, packed } from './packed-integer.js';
import { AND, BIT_SELECT, I8, I16, I32X4, I64X2, SWIZZLE } from './vector-opcodes.js';

/** Both operands narrowed, the first one's elements first. */
const pack =
  (narrow: number): PackedOperation =>
  (c, a, b, file) => {
    if (file === 'xmm') return a.op(narrow, b);
    const both = c.let(a.withLaneI64(1, b.laneI64(0)));
    return both.op(narrow, both);
  };

/** Alternating elements of the low or high halves of both operands, the first one's first. */
const unpack =
  (elementBytes: number, half: 'low' | 'high'): PackedOperation =>
  (_c, a, b, file) => {
    const bytes = file === 'mmx' ? 8 : 16;
    const start = half === 'low' ? 0 : bytes / 2;
    const lanes: number[] = [];
    for (let at = start; at < start + bytes / 2; at += elementBytes) {
      for (const operand of [0, 16]) for (let i = 0; i < elementBytes; i++) lanes.push(operand + at + i);
    }
    while (lanes.length < 16) lanes.push(0);
    return a.shuffle(b, lanes);
  };

const words = (values: readonly number[]): V128 => V128.of(values.flatMap((value) => [value & 0xff, value >> 8]));
const doublewords = (values: readonly number[]): V128 => words(values.flatMap((value) => [value & 0xffff, value >>> 16]));
const repeated = (value: number, count: number): number[] => Array.from({ length: count }, () => value);

// Field i (two bits) of the immediate selects the element that goes to place i. A multiplication by these brings field i
// of lane i to bits 6 and 7; from there on it is turned into the byte numbers of the element.
const FIELD_FACTORS = [64, 16, 4, 1];
const doublewordNumbers = (immediate: I32): V128 =>
  splat32(immediate)
    .op(I32X4.mul, doublewords(FIELD_FACTORS))
    .op(I32X4.shrU, I32.of(6))
    .op(AND, doublewords(repeated(3, 4)))
    .op(I32X4.mul, doublewords(repeated(0x04040404, 4)))
    .op(I32X4.add, doublewords(repeated(0x03020100, 4)));
/** The same for words of the low half, and of the high half counted from its beginning. */
const wordNumbers = (immediate: I32): V128 =>
  splat16(immediate)
    .op(I16.mul, words([...FIELD_FACTORS, ...FIELD_FACTORS]))
    .op(I16.shrU, I32.of(6))
    .op(AND, words(repeated(3, 8)))
    .op(I16.mul, words(repeated(0x0202, 8)))
    .op(I16.add, words(repeated(0x0100, 8)));

const LOW_HALF = V128.of([...repeated(0xff, 8), ...repeated(0, 8)]);
const IDENTITY = V128.of(Array.from({ length: 16 }, (_, i) => i));
const HIGH_HALF_START = V128.of(repeated(8, 16));

const shuffleDoublewords: PackedOperation = (c, _a, b) => b.op(SWIZZLE, doublewordNumbers(c.immediate));
const shuffleLowWords: PackedOperation = (c, _a, b) => b.op(SWIZZLE, wordNumbers(c.immediate).op(BIT_SELECT, IDENTITY, LOW_HALF));
const shuffleHighWords: PackedOperation = (c, _a, b) =>
  b.op(SWIZZLE, IDENTITY.op(BIT_SELECT, wordNumbers(c.immediate).op(I8.add, HIGH_HALF_START), LOW_HALF));

/** SHUFPS: the two low elements come from the destination, the two high ones from the source. */
const shuffleSingles: PackedOperation = (c, a, b) => {
  const numbers = c.let(doublewordNumbers(c.immediate));
  return a.op(SWIZZLE, numbers).op(BIT_SELECT, b.op(SWIZZLE, numbers), LOW_HALF);
};
const shuffleDoubles: PackedOperation = (c, a, b) => {
  const low = select(c.immediate.and(1), a.laneI64(1), a.laneI64(0));
  const high = select(c.immediate.and(2), b.laneI64(1), b.laneI64(0));
  return a.withLaneI64(0, low).withLaneI64(1, high);
};

/** Address of the word of a register that the immediate names. */
function wordAddress(c: Context, register: I32, file: RegisterFile): I32 {
  return register.add(c.immediate.and(file === 'mmx' ? 3 : 7).shl(1));
}

/** The word is the low one of a general register, or two bytes of memory. */
const insertWord =
  (file: RegisterFile): Semantics =>
  (c) => {
    requireFile(c, file);
    const value = c.isMemory(1) ? toI32(c.load(c.linear(1, false, 2), 16)) : c.let(toI32(c.read(1)));
    const register = registerAddress(c, 0, file);
    c.f.emit(store16(wordAddress(c, register, file), value));
    if (file === 'mmx') {
      c.f.emit(store16(register, MMX_SIGN_EXPONENT, 8));
      enterMmx(c);
    }
  };

const extractWord =
  (file: RegisterFile): Semantics =>
  (c) => {
    requireFile(c, file);
    c.write(0, load16U(wordAddress(c, registerAddress(c, 1, file), file)));
    if (file === 'mmx') enterMmx(c);
  };

/** The sign bits of the elements in a general register. */
const signBits =
  (file: RegisterFile, bitmask: number): Semantics =>
  (c) => {
    requireFile(c, file);
    c.write(0, readPacked(c, 1, file).test(bitmask));
    if (file === 'mmx') enterMmx(c);
  };

/** PSLLDQ, PSRLDQ: byte i of the result is byte i - n (i + n); numbers beyond the register give zero. */
const shiftBytes =
  (direction: 'left' | 'right'): Semantics =>
  (c) => {
    requireSse(c);
    const value = readPacked(c, 0, 'xmm');
    const immediate = c.immediate;
    const bytes = splat16(select(immediate.gtU(15), I32.of(16), immediate).mul(0x0101));
    writePacked(c, 0, 'xmm', value.op(SWIZZLE, IDENTITY.op(direction === 'left' ? I8.sub : I8.add, bytes)));
  };

export const SHUFFLES: readonly Definition[] = [
  ...inBothFiles('60', 'punpcklbw', unpack(1, 'low'), 'Qd'),
  ...inBothFiles('61', 'punpcklwd', unpack(2, 'low'), 'Qd'),
  ...inBothFiles('62', 'punpckldq', unpack(4, 'low'), 'Qd'),
  ...inBothFiles('63', 'packsswb', pack(I8.narrowS)),
  ...inBothFiles('67', 'packuswb', pack(I8.narrowU)),
  ...inBothFiles('68', 'punpckhbw', unpack(1, 'high')),
  ...inBothFiles('69', 'punpckhwd', unpack(2, 'high')),
  ...inBothFiles('6A', 'punpckhdq', unpack(4, 'high')),
  ...inBothFiles('6B', 'packssdw', pack(I16.narrowS)),
  row('66 0F 6C /r', 'punpcklqdq', 'Vx,Wx', packed('xmm', unpack(8, 'low'))),
  row('66 0F 6D /r', 'punpckhqdq', 'Vx,Wx', packed('xmm', unpack(8, 'high'))),
  row('NP 0F 14 /r', 'unpcklps', 'Vx,Wx', packed('xmm', unpack(4, 'low'))),
  row('66 0F 14 /r', 'unpcklpd', 'Vx,Wx', packed('xmm', unpack(8, 'low'))),
  row('NP 0F 15 /r', 'unpckhps', 'Vx,Wx', packed('xmm', unpack(4, 'high'))),
  row('66 0F 15 /r', 'unpckhpd', 'Vx,Wx', packed('xmm', unpack(8, 'high'))),
  row('NP 0F 70 /r', 'pshufw', 'Pq,Qq,Ib', packed('mmx', shuffleLowWords)),
  row('66 0F 70 /r', 'pshufd', 'Vx,Wx,Ib', packed('xmm', shuffleDoublewords)),
  row('F3 0F 70 /r', 'pshufhw', 'Vx,Wx,Ib', packed('xmm', shuffleHighWords)),
  row('F2 0F 70 /r', 'pshuflw', 'Vx,Wx,Ib', packed('xmm', shuffleLowWords)),
  row('NP 0F C6 /r', 'shufps', 'Vx,Wx,Ib', packed('xmm', shuffleSingles)),
  row('66 0F C6 /r', 'shufpd', 'Vx,Wx,Ib', packed('xmm', shuffleDoubles)),
  row('66 0F 73 /3', 'psrldq', 'Ux,Ib', shiftBytes('right')),
  row('66 0F 73 /7', 'pslldq', 'Ux,Ib', shiftBytes('left')),
  row('NP 0F C4 /r', 'pinsrw', 'Pq,Ed,Ib', insertWord('mmx')),
  row('66 0F C4 /r', 'pinsrw', 'Vx,Ed,Ib', insertWord('xmm')),
  row('NP 0F C5 /r', 'pextrw', 'Gd,Nq,Ib', extractWord('mmx')),
  row('66 0F C5 /r', 'pextrw', 'Gd,Ux,Ib', extractWord('xmm')),
  row('NP 0F D7 /r', 'pmovmskb', 'Gd,Nq', signBits('mmx', I8.bitmask)),
  row('66 0F D7 /r', 'pmovmskb', 'Gd,Ux', signBits('xmm', I8.bitmask)),
  row('NP 0F 50 /r', 'movmskps', 'Gd,Ux', signBits('xmm', I32X4.bitmask)),
  row('66 0F 50 /r', 'movmskpd', 'Gd,Ux', signBits('xmm', I64X2.bitmask)),
];
