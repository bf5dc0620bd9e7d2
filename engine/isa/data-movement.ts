/** Moves, exchanges, address computation and the stack (Intel SDM volume 2). */
import * as layout from '../cpu/layout.js';
import type { Context } from '../translate/context.js';
import { toI32, toI64, zeroExtended } from '../translate/int.js';
import type { Code } from '../wasm/bytes.js';
import { store8 } from '../wasm/memory-access.js';
import { I32, select } from '../wasm/values.js';
import { type Definition, row, type Semantics } from './definition.js';

const EAX = 0;
const ESP = 4;
const EBP = 5;

const move: Semantics = (c) => c.write(0, c.read(1));

const moveZeroExtended: Semantics = (c) => {
  const value = c.read(1);
  c.write(0, c.size === 64 ? toI32(value).toI64U() : value);
};
const moveSignExtended: Semantics = (c) => c.write(0, c.readSigned(1));

const loadEffectiveAddress: Semantics = (c) => {
  c.write(0, c.narrowed(c.effectiveAddress()));
};

/** XCHG with memory is always locked; the memory side goes first because it may fault. */
const exchange: Semantics = (c) => {
  if (c.isMemory(0)) {
    const register = c.let(c.read(1));
    c.write(
      1,
      c.modify(0, () => register),
    );
    return;
  }
  const a = c.read(0);
  const b = c.let(c.read(1));
  c.write(0, b);
  c.write(1, a);
};

/** XADD: the destination's old value goes into the source register; same register for both: the sum stays. */
const exchangeAndAdd: Semantics = (c) => {
  const source = c.let(c.read(1));
  if (c.isMemory(0)) {
    const before = c.modify(0, (old) => {
      const result = c.let(old.add(source));
      c.flags.add(old, source, result, c.size);
      return result;
    });
    c.write(1, before);
    return;
  }
  const old = c.read(0);
  const result = c.let(old.add(source));
  c.flags.add(old, source, result, c.size);
  c.write(1, old);
  c.write(0, result);
};

/** CMPXCHG writes memory in any case (with its old value when they differ), a register only when they are equal. */
const compareAndExchange: Semantics = (c) => {
  const source = c.let(c.read(1));
  const accumulator = c.let(zeroExtended(c.register(EAX, c.size), c.size));
  if (!c.isMemory(0)) {
    const old = c.let(c.read(0));
    c.flags.sub(accumulator, old, c.let(accumulator.sub(old)), c.size);
    c.f.if(
      old.eq(accumulator),
      () => c.write(0, source),
      () => c.setRegister(EAX, c.size, old),
    );
    return;
  }
  c.modify(0, (old) => {
    const difference = c.let(accumulator.sub(old));
    c.flags.sub(accumulator, old, difference, c.size);
    const equal = c.let(old.eq(accumulator));
    c.f.if(equal.eqz(), () => c.setRegister(EAX, c.size, old));
    return c.size === 64 ? select(equal, toI64(source), toI64(old)) : select(equal, toI32(source), toI32(old));
  });
};

const swapBytes: Semantics = (c) => {
  const value = c.read(0);
  if (c.size === 64) {
    const v = toI64(value);
    const mask8 = 0x00ff_00ff_00ff_00ffn;
    const mask16 = 0x0000_ffff_0000_ffffn;
    const bytes = c.let(v.and(mask8).shl(8).or(v.shrU(8).and(mask8)));
    const words = c.let(bytes.and(mask16).shl(16).or(bytes.shrU(16).and(mask16)));
    c.write(0, words.rotl(32));
    return;
  }
  // BSWAP of a 16-bit register is undefined; it gives zero, as Intel and AMD processors do.
  if (c.size === 16) c.write(0, I32.of(0));
  else
    c.write(
      0,
      toI32(value)
        .rotl(8)
        .and(0x00ff00ff)
        .or(
          toI32(value)
            .rotr(8)
            .and(0xff00ff00 | 0),
        ),
    );
};

/** XLAT: AL = [segment:(E)BX + AL]; the decoder gives neither base nor index, so the address is made here. */
const translate: Semantics = (c) => {
  const al = toI32(c.register(EAX, 8));
  const offset = c.let(c.wide(layout.EBX).add(c.form.long ? al.toI64U() : al));
  const linear = c.linearImplicit(offset, 1, false);
  c.setRegister(EAX, 8, c.load(linear, 8));
};

// --- stack ----------------------------------------------------------------------------------------------------------

const pushBits = (c: Context): 16 | 32 | 64 => (c.size === 8 ? 32 : c.size);

const push: Semantics = (c) => c.push(c.read(0), pushBits(c));
const pushSigned: Semantics = (c) => c.push(c.readSigned(0), pushBits(c));
const pop: Semantics = (c) => {
  c.write(0, c.pop(pushBits(c)));
};
/** POP to memory: an address that uses ESP uses its value after the pop; a fault puts ESP back. */
const popMemory: Semantics = (c) => {
  const before = c.let(c.wide(layout.ESP));
  const value = c.pop(pushBits(c));
  const after = c.let(c.wide(layout.ESP));
  const linear = c.linearRestoring(0, () => c.setWide(layout.ESP, before));
  c.setWide(layout.ESP, before);
  c.store(linear, pushBits(c), value);
  c.setWide(layout.ESP, after);
};

/** LEAVE: the stack address size decides which part of EBP goes to ESP; a fault leaves ESP alone. */
const leave: Semantics = (c) => {
  const before = c.let(c.wide(layout.ESP));
  const frame = c.let(c.wide(layout.EBP));
  if (c.form.long) c.setWide(layout.ESP, frame);
  else {
    c.f.if(
      c.stackIs32(),
      () => c.setWide(layout.ESP, frame),
      () => c.setRegister(ESP, 16, frame),
    );
  }
  const value = c.popRestoring(pushBits(c), () => c.setWide(layout.ESP, before));
  c.setRegister(EBP, c.size, value);
};

const conditionalMove =
  (code: number): Semantics =>
  (c) => {
    // The source is read (and may fault) whatever the condition; a 32-bit destination is written in any case.
    const value = c.let(c.read(1));
    const old = c.read(0);
    const holds = c.flags.condition(code);
    c.write(0, c.size === 64 ? select(holds, toI64(value), toI64(old)) : select(holds, toI32(value), toI32(old)));
  };

const setByte =
  (code: number): Semantics =>
  (c) =>
    c.write(0, c.flags.condition(code));

const loadFlagsIntoAh: Semantics = (c) => {
  c.f.emit(storeAh(c.flags.lowByte()));
};
const storeAhIntoFlags: Semantics = (c) => {
  const ah = c.let(toI32(c.register(EAX, 16)).shrU(8));
  const bit = (n: number): I32 => ah.shrU(n).and(1);
  const overflow = c.let(c.flags.of());
  c.flags.setLow(bit(0), bit(2), bit(4), bit(6), bit(7), overflow);
};

const storeAh = (value: I32): Code => store8(I32.of(0), value, layout.EAX + 1);

/** Suffixes of condition codes 0-15. */
export const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const hex = (byte: number): string => byte.toString(16).toUpperCase();

export const DATA_MOVEMENT: readonly Definition[] = [
  row('88 /r', 'mov', 'Eb,Gb', move, { hot: true }),
  row('89 /r', 'mov', 'Ev,Gv', move, { hot: true }),
  row('8A /r', 'mov', 'Gb,Eb', move, { hot: true }),
  row('8B /r', 'mov', 'Gv,Ev', move, { hot: true }),
  row('A0', 'mov', 'AL,Ob', move, { hot: true }),
  row('A1', 'mov', 'eAX,Ov', move, { hot: true }),
  row('A2', 'mov', 'Ob,AL', move, { hot: true }),
  row('A3', 'mov', 'Ov,eAX', move, { hot: true }),
  row('B0+r', 'mov', 'Zb,Ib', move, { hot: true }),
  row('B8+r', 'mov', 'Zv,Iv', move, { hot: true }),
  row('C6 /0', 'mov', 'Eb,Ib', move, { hot: true }),
  row('C7 /0', 'mov', 'Ev,Iz', move, { hot: true }),
  row('0F B6 /r', 'movzx', 'Gv,Eb', moveZeroExtended, { hot: true }),
  row('0F B7 /r', 'movzx', 'Gv,Ew', moveZeroExtended, { hot: true }),
  row('0F BE /r', 'movsx', 'Gv,Eb', moveSignExtended, { hot: true }),
  row('0F BF /r', 'movsx', 'Gv,Ew', moveSignExtended, { hot: true }),
  row('63 /r', 'movsxd', 'Gv,Ez', moveSignExtended, { only64: true }),
  row('8D /r', 'lea', 'Gv,M', loadEffectiveAddress, { hot: true }),
  row('86 /r', 'xchg', 'Eb,Gb', exchange, { lock: true }),
  row('87 /r', 'xchg', 'Ev,Gv', exchange, { lock: true, hot: true }),
  row('90+r', 'xchg', 'Zv,eAX', exchange, { hot: true }),
  row('0F C0 /r', 'xadd', 'Eb,Gb', exchangeAndAdd, { lock: true }),
  row('0F C1 /r', 'xadd', 'Ev,Gv', exchangeAndAdd, { lock: true }),
  row('0F B0 /r', 'cmpxchg', 'Eb,Gb', compareAndExchange, { lock: true }),
  row('0F B1 /r', 'cmpxchg', 'Ev,Gv', compareAndExchange, { lock: true }),
  row('0F C8+r', 'bswap', 'Zv', swapBytes, { hot: true }),
  row('D7', 'xlat', '', translate),
  row('50+r', 'push', 'Zv', push, { hot: true, default64: true }),
  row('58+r', 'pop', 'Zv', pop, { hot: true, default64: true }),
  row('68', 'push', 'Iz', push, { hot: true, default64: true }),
  row('6A', 'push', 'Is', pushSigned, { hot: true, default64: true }),
  row('FF /6', 'push', 'Ev', push, { hot: true, default64: true }),
  row('8F /0', 'pop', 'Mv', popMemory, { default64: true }),
  row('8F /0', 'pop', 'Rv', pop, { default64: true }),
  row('C9', 'leave', '', leave, { sized: true, hot: true, default64: true }),
  row('9F', 'lahf', '', loadFlagsIntoAh),
  row('9E', 'sahf', '', storeAhIntoFlags),
  ...CONDITIONS.flatMap((suffix, code) => [
    row(`0F ${hex(0x40 + code)} /r`, `cmov${suffix}`, 'Gv,Ev', conditionalMove(code), { hot: true }),
    row(`0F ${hex(0x90 + code)} /r`, `set${suffix}`, 'Eb', setByte(code)),
  ]),
];
