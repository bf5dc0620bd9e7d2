/** Moves between MMX, XMM and general registers and memory (Intel SDM volume 2: MOVD, MOVQ, MOVAPS, MOVSS, MOVLPS...). */

import * as layout from '../../cpu/layout.js';
import type { Context } from '../../translate/context.js';
import { toI32 } from '../../translate/int.js';
import { load8U, load32, load64, store64 } from '../../wasm/memory-access.js';
import { type I32, I64, TYPE_I32 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { ADDRESSING } from '../record.js';
import {
  enterMmx,
  memoryAddress,
  type RegisterFile,
  readLow32,
  readLow64,
  readPacked,
  registerAddress,
  requireFile,
  requireSse,
  requireSseAndMmx,
  writeLow,
  writePacked,
  ZERO,
} from './operands.js';
import { I8 } from './vector-opcodes.js';

/** MOVD, MOVQ to a register: zeros above the 32 or 64 bits. */
const loadDoubleword =
  (file: RegisterFile): Semantics =>
  (c) => {
    requireFile(c, file);
    const value = c.read(1);
    writePacked(c, 0, file, value instanceof I64 ? ZERO.withLaneI64(0, value) : ZERO.withLaneI32(0, toI32(value)));
  };
const storeDoubleword =
  (file: RegisterFile): Semantics =>
  (c) => {
    requireFile(c, file);
    const address = registerAddress(c, 1, file);
    c.write(0, c.size === 64 ? load64(address) : load32(address));
    if (file === 'mmx') enterMmx(c);
  };

/** The whole register, or 64 bits with zeros above them. */
const load =
  (file: RegisterFile, aligned = true): Semantics =>
  (c) => {
    requireFile(c, file);
    const value = readPacked(c, 1, file, aligned);
    const short = file === 'xmm' && c.bits(1) === 64;
    writePacked(c, 0, file, short ? ZERO.withLaneI64(0, value.laneI64(0)) : value);
  };
const store =
  (file: RegisterFile, aligned = true): Semantics =>
  (c) => {
    requireFile(c, file);
    const value = readPacked(c, 1, file);
    const short = c.bits(0) === 64;
    if (!c.isMemory(0)) {
      writePacked(c, 0, file, short ? ZERO.withLaneI64(0, value.laneI64(0)) : value);
      return;
    }
    const linear = memoryAddress(c, 0, true, aligned);
    if (short) c.store(linear, 64, value.laneI64(0));
    else c.store128(linear, value);
    if (file === 'mmx') enterMmx(c);
  };

/** MOVSS, MOVSD: from memory zeros go above the value, between registers the rest stays. */
const loadScalar =
  (bits: 32 | 64): Semantics =>
  (c) => {
    requireSse(c);
    if (c.isMemory(1)) writePacked(c, 0, 'xmm', readPacked(c, 1, 'xmm'));
    else writeLow(c, 0, bits === 32 ? readLow32(c, 1) : readLow64(c, 1));
  };
const storeScalar =
  (bits: 32 | 64): Semantics =>
  (c) => {
    requireSse(c);
    const value = bits === 32 ? readLow32(c, 1) : readLow64(c, 1);
    if (c.isMemory(0)) c.store(c.linear(0, true), bits, value);
    else writeLow(c, 0, value);
  };

/** Half registers, by their byte offset: MOVLPS, MOVHPS to and from memory, MOVHLPS, MOVLHPS between registers. */
const loadHalf =
  (to: 0 | 8, from: 0 | 8 = 0): Semantics =>
  (c) => {
    requireSse(c);
    const value = c.isMemory(1) ? readLow64(c, 1) : load64(registerAddress(c, 1, 'xmm'), from);
    c.f.emit(store64(registerAddress(c, 0, 'xmm'), c.let(value), to));
  };
const storeHalf =
  (from: 0 | 8): Semantics =>
  (c) => {
    requireSse(c);
    c.store(c.linear(0, true), 64, load64(registerAddress(c, 1, 'xmm'), from));
  };

const mmxToXmm: Semantics = (c) => {
  requireSseAndMmx(c);
  writePacked(c, 0, 'xmm', readPacked(c, 1, 'mmx'));
  enterMmx(c);
};
const xmmToMmx: Semantics = (c) => {
  requireSseAndMmx(c);
  writePacked(c, 0, 'mmx', readPacked(c, 1, 'xmm'));
};

/**
 * MASKMOVQ, MASKMOVDQU: the bytes whose mask has its top bit set go to DS:(E)DI. The segment is checked for the whole
 * operand; pages that get no byte are not touched (SDM leaves both open).
 */
const storeMasked =
  (file: RegisterFile): Semantics =>
  (c) => {
    requireFile(c, file);
    const bytes = file === 'mmx' ? 8 : 16;
    const base = c.let(c.wide(layout.EDI));
    // In 64-bit code every byte has an address of its own; the whole must be canonical.
    if (c.form.long) c.requireCanonical(c.narrowed(base), bytes);
    const whole = c.form.long ? undefined : c.let(c.linearImplicit(base, bytes, true));
    const at = (i: I32): I32 =>
      whole?.add(i) ?? c.let(c.linearWith(c.narrowed(base).add(i.toI64U()), c.addressingFlags().and(~ADDRESSING.narrow), 1, true));
    const mask = c.let(readPacked(c, 1, file).test(I8.bitmask));
    const data = registerAddress(c, 0, file);
    // Every byte is known to be writable before the first is written.
    forEachSetBit(c, mask, (i) => c.requireWritable(at(i), 1));
    forEachSetBit(c, mask, (i) => c.store(at(i), 8, load8U(data.add(i))));
    if (file === 'mmx') enterMmx(c);
  };

function forEachSetBit(c: Context, mask: I32, body: (index: I32) => void): void {
  const rest = c.f.local(TYPE_I32);
  c.f.set(rest, mask);
  c.f.block((done) => {
    c.f.loop((again) => {
      c.f.brIf(rest.get().eqz(), done);
      body(c.let(rest.get().ctz()));
      c.f.set(rest, rest.get().and(rest.get().sub(1)));
      c.f.br(again);
    });
  });
}

const storeInteger: Semantics = (c) => c.write(0, c.read(1));

export const SIMD_MOVES: readonly Definition[] = [
  row('NP 0F 6E /r', 'movd', 'Pq,Ey', loadDoubleword('mmx')),
  row('66 0F 6E /r', 'movd', 'Vx,Ey', loadDoubleword('xmm')),
  row('NP 0F 7E /r', 'movd', 'Ey,Pq', storeDoubleword('mmx')),
  row('66 0F 7E /r', 'movd', 'Ey,Vx', storeDoubleword('xmm')),
  row('F3 0F 7E /r', 'movq', 'Vx,Wq', load('xmm')),
  row('66 0F D6 /r', 'movq', 'Wq,Vx', store('xmm')),
  row('NP 0F 6F /r', 'movq', 'Pq,Qq', load('mmx')),
  row('66 0F 6F /r', 'movdqa', 'Vx,Wx', load('xmm')),
  row('F3 0F 6F /r', 'movdqu', 'Vx,Wx', load('xmm', false)),
  row('NP 0F 7F /r', 'movq', 'Qq,Pq', store('mmx')),
  row('66 0F 7F /r', 'movdqa', 'Wx,Vx', store('xmm')),
  row('F3 0F 7F /r', 'movdqu', 'Wx,Vx', store('xmm', false)),
  row('F3 0F D6 /r', 'movq2dq', 'Vx,Nq', mmxToXmm),
  row('F2 0F D6 /r', 'movdq2q', 'Pq,Ux', xmmToMmx),
  row('NP 0F 10 /r', 'movups', 'Vx,Wx', load('xmm', false)),
  row('66 0F 10 /r', 'movupd', 'Vx,Wx', load('xmm', false)),
  row('F3 0F 10 /r', 'movss', 'Vx,Wd', loadScalar(32)),
  row('F2 0F 10 /r', 'movsd', 'Vx,Wq', loadScalar(64)),
  row('NP 0F 11 /r', 'movups', 'Wx,Vx', store('xmm', false)),
  row('66 0F 11 /r', 'movupd', 'Wx,Vx', store('xmm', false)),
  row('F3 0F 11 /r', 'movss', 'Wd,Vx', storeScalar(32)),
  row('F2 0F 11 /r', 'movsd', 'Wq,Vx', storeScalar(64)),
  row('NP 0F 12 /r', 'movlps', 'Vx,Mq', loadHalf(0)),
  row('NP 0F 12 /r', 'movhlps', 'Vx,Ux', loadHalf(0, 8)),
  row('66 0F 12 /r', 'movlpd', 'Vx,Mq', loadHalf(0)),
  row('NP 0F 13 /r', 'movlps', 'Mq,Vx', storeHalf(0)),
  row('66 0F 13 /r', 'movlpd', 'Mq,Vx', storeHalf(0)),
  row('NP 0F 16 /r', 'movhps', 'Vx,Mq', loadHalf(8)),
  row('NP 0F 16 /r', 'movlhps', 'Vx,Ux', loadHalf(8)),
  row('66 0F 16 /r', 'movhpd', 'Vx,Mq', loadHalf(8)),
  row('NP 0F 17 /r', 'movhps', 'Mq,Vx', storeHalf(8)),
  row('66 0F 17 /r', 'movhpd', 'Mq,Vx', storeHalf(8)),
  row('NP 0F 28 /r', 'movaps', 'Vx,Wx', load('xmm')),
  row('66 0F 28 /r', 'movapd', 'Vx,Wx', load('xmm')),
  row('NP 0F 29 /r', 'movaps', 'Wx,Vx', store('xmm')),
  row('66 0F 29 /r', 'movapd', 'Wx,Vx', store('xmm')),
  // Non-temporal hints mean nothing without a cache.
  row('NP 0F 2B /r', 'movntps', 'Mx,Vx', store('xmm')),
  row('66 0F 2B /r', 'movntpd', 'Mx,Vx', store('xmm')),
  row('66 0F E7 /r', 'movntdq', 'Mx,Vx', store('xmm')),
  row('NP 0F E7 /r', 'movntq', 'Mq,Pq', store('mmx')),
  row('NP 0F C3 /r', 'movnti', 'My,Gy', storeInteger),
  row('NP 0F F7 /r', 'maskmovq', 'Pq,Nq', storeMasked('mmx')),
  row('66 0F F7 /r', 'maskmovdqu', 'Vx,Ux', storeMasked('xmm')),
];
