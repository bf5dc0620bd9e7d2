/**
 * Shifts and rotates (Intel SDM volume 2, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD").
 * Policy where the manual leaves flags open: AF = 0 after shifts; OF follows the one-bit formula for every count.
 */
import type { Context } from '../translate/context.js';
import { type Int, signExtended, toI32, toI64, widen, zeroExtended } from '../translate/int.js';
import { I32, I64 } from '../wasm/values.js';
import { type Definition, row, type Semantics } from './definition.js';

type Shift = (c: Context, value: Int, count: Int) => Int;

/** The count, masked to 5 bits (6 for 64-bit operands), in the type of the operand. */
function maskedCount(c: Context): Int {
  return c.let(widen(toI32(c.read(1)).and(c.size === 64 ? 63 : 31), c.size));
}

/** A count of zero changes neither operand nor flags. */
const shifting =
  (operation: Shift): Semantics =>
  (c) => {
    const count = maskedCount(c);
    c.modify(0, (old) => {
      const result = c.f.local(old.type);
      c.f.set(result as never, old as never);
      c.f.if(count.ne(0), () => c.f.set(result as never, operation(c, old, count) as never));
      return result.get() as unknown as Int;
    });
  };

const bit = (value: Int, position: Int | number): I32 => toI32(value.shrU(position)).and(1);
const topBit = (c: Context, value: Int): I32 => bit(value, c.size - 1);

const shiftLeft: Shift = (c, value, count) => {
  const result = c.let(value.shl(count));
  // For 8 and 16 bits the carry is the bit above the operand; for full width it is shifted out.
  const carry = c.let(c.size < 32 ? bit(result, c.size) : bit(value, c.const(c.size).sub(count)));
  c.flags.explicit(result, c.size, carry, carry.xor(topBit(c, result)));
  return result;
};
const shiftRight: Shift = (c, value, count) => {
  const result = c.let(value.shrU(count));
  const carry = bit(value, count.sub(1));
  c.flags.explicit(result, c.size, carry, topBit(c, result.xor(result.shl(1))));
  return result;
};
const shiftRightArithmetic: Shift = (c, value, count) => {
  const extended = c.let(signExtended(value, c.size));
  const result = c.let(extended.shrS(count));
  c.flags.explicit(result, c.size, toI32(extended.shrS(count.sub(1))).and(1), I32.of(0));
  return result;
};

const rotateLeft: Shift = (c, value, count) => {
  let result: Int;
  if (c.size >= 32) result = c.let(value.rotl(count));
  else {
    const n = c.let(count.and(c.size - 1));
    result = c.let(zeroExtended(value.shl(n).or(value.shrU(c.const(c.size).sub(n))), c.size));
  }
  const carry = c.let(toI32(result).and(1));
  c.flags.setCarryAndOverflow(carry, carry.xor(topBit(c, result)));
  return result;
};
const rotateRight: Shift = (c, value, count) => {
  let result: Int;
  if (c.size >= 32) result = c.let(value.rotr(count));
  else {
    const n = c.let(count.and(c.size - 1));
    result = c.let(zeroExtended(value.shrU(n).or(value.shl(c.const(c.size).sub(n))), c.size));
  }
  c.flags.setCarryAndOverflow(topBit(c, result), topBit(c, result.xor(result.shl(1))));
  return result;
};

/** Rotates through carry turn a value of size + 1 bits; 64-bit operands go bit by bit. */
const rotateThroughCarry =
  (left: boolean): Shift =>
  (c, value, count) => {
    if (c.size === 64) return rotateThroughCarry64(c, toI64(value), toI64(count), left);
    const width = c.size + 1;
    const n = c.let((c.size === 32 ? toI32(count) : toI32(count).remU(width)).toI64U());
    const turned = c.let(c.flags.cf().toI64U().shl(c.size).or(toI32(value).toI64U()));
    const rest = I64.of(width).sub(n);
    const result = c.let(
      (left ? turned.shl(n).or(turned.shrU(rest)) : turned.shrU(n).or(turned.shl(rest))).and((1n << BigInt(width)) - 1n),
    );
    const carry = c.let(result.shrU(c.size).wrap().and(1));
    const low = c.let(result.wrap());
    const overflow = left ? carry.xor(topBit(c, low)) : topBit(c, low.xor(low.shl(1)));
    c.flags.setCarryAndOverflow(carry, overflow);
    return low;
  };

function rotateThroughCarry64(c: Context, value: I64, count: I64, left: boolean): I64 {
  const f = c.f;
  const current = f.local(value.type);
  const left64 = f.local(value.type);
  const carry = f.local(value.type);
  f.set(current, value);
  f.set(left64, count);
  f.set(carry, c.flags.cf().toI64U());
  f.loop((again) => {
    const out = c.let(left ? current.get().shrU(63) : current.get().and(1));
    f.set(current, left ? current.get().shl(1).or(carry.get()) : current.get().shrU(1).or(carry.get().shl(63)));
    f.set(carry, out);
    f.brIf(left64.tee(left64.get().sub(1)).ne(0), again);
  });
  const result = current.get();
  const overflow = left ? carry.get().wrap().xor(topBit(c, result)) : topBit(c, result.xor(result.shl(1)));
  c.flags.setCarryAndOverflow(carry.get().wrap(), overflow);
  return result;
}

/**
 * SHLD and SHRD. A 16-bit operand with a count above 16 is undefined: the source is shifted in again after itself, as
 * AMD and newer Intel processors do.
 */
const doubleShift =
  (left: boolean): Semantics =>
  (c) => {
    const source = c.let(c.read(1));
    const count = c.let(toI32(c.read(2)).and(c.size === 64 ? 63 : 31));
    c.modify(0, (old) => {
      const result = c.f.local(old.type);
      c.f.set(result as never, old as never);
      c.f.if(count, () => c.f.set(result as never, doubleShifted(c, old, source, count, left) as never));
      return result.get() as unknown as Int;
    });
  };

function doubleShifted(c: Context, old: Int, source: Int, count: I32, left: boolean): Int {
  let result: Int;
  let carry: I32;
  if (c.size === 64) {
    const n = c.let(count.toI64U());
    const rest = I64.of(64).sub(n);
    result = c.let(left ? toI64(old).shl(n).or(toI64(source).shrU(rest)) : toI64(old).shrU(n).or(toI64(source).shl(rest)));
    carry = left ? bit(old, rest) : bit(old, n.sub(1));
  } else if (c.size === 32) {
    const pair = left ? toI32(old).toI64U().shl(32).or(toI32(source).toI64U()) : toI32(source).toI64U().shl(32).or(toI32(old).toI64U());
    const n = count.toI64U();
    result = c.let(left ? pair.shl(n).shrU(32).wrap() : pair.shrU(n).wrap());
    carry = left ? bit(old, I32.of(32).sub(count)) : bit(old, count.sub(1));
  } else {
    const wide = (high: Int, middle: Int, low: Int): I64 =>
      toI32(high).toI64U().shl(32).or(toI32(middle).toI64U().shl(16)).or(toI32(low).toI64U());
    const n = count.toI64U();
    const triple = c.let(left ? wide(old, source, source) : wide(source, source, old));
    result = c.let((left ? triple.shl(n).shrU(32) : triple.shrU(n)).wrap().and(0xffff));
    carry = left ? triple.shrU(I64.of(48).sub(n)).wrap().and(1) : triple.shrU(n.sub(1)).wrap().and(1);
  }
  c.flags.explicit(result, c.size, carry, topBit(c, result.xor(old)));
  return result;
}

const GROUP_2: readonly (readonly [string, Semantics, boolean])[] = [
  ['rol', shifting(rotateLeft), true],
  ['ror', shifting(rotateRight), true],
  ['rcl', shifting(rotateThroughCarry(true)), false],
  ['rcr', shifting(rotateThroughCarry(false)), false],
  ['shl', shifting(shiftLeft), true],
  ['shr', shifting(shiftRight), true],
  ['sal', shifting(shiftLeft), false],
  ['sar', shifting(shiftRightArithmetic), true],
];

export const SHIFTS: readonly Definition[] = [
  ...GROUP_2.flatMap(([mnemonic, semantics, frequent], n) => {
    const hot = frequent ? ({ hot: true } as const) : {};
    return [
      row(`C0 /${n}`, mnemonic, 'Eb,Ib', semantics),
      row(`C1 /${n}`, mnemonic, 'Ev,Ib', semantics, hot),
      row(`D0 /${n}`, mnemonic, 'Eb,1', semantics),
      row(`D1 /${n}`, mnemonic, 'Ev,1', semantics, hot),
      row(`D2 /${n}`, mnemonic, 'Eb,CL', semantics),
      row(`D3 /${n}`, mnemonic, 'Ev,CL', semantics, hot),
    ];
  }),
  row('0F A4 /r', 'shld', 'Ev,Gv,Ib', doubleShift(true), { hot: true }),
  row('0F A5 /r', 'shld', 'Ev,Gv,CL', doubleShift(true)),
  row('0F AC /r', 'shrd', 'Ev,Gv,Ib', doubleShift(false), { hot: true }),
  row('0F AD /r', 'shrd', 'Ev,Gv,CL', doubleShift(false)),
];
