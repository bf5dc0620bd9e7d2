/** Integer arithmetic and logic (Intel SDM volume 2): ADD to CMP, INC, DEC, NEG, NOT, TEST, MUL, DIV, sign extension. */

import { VECTOR } from '../cpu/exceptions.js';
import type { Context } from '../translate/context.js';
import { type Int, signExtended, toI32, toI64, widen, zeroExtended } from '../translate/int.js';
import { I32, type I64 } from '../wasm/values.js';
import { type Definition, row, type Semantics } from './definition.js';

const EAX = 0;
const EDX = 2;

type Operation = (c: Context, a: Int, b: Int) => Int;

const addition: Operation = (c, a, b) => {
  const result = c.let(a.add(b));
  c.flags.add(a, b, result, c.size);
  return result;
};
const additionWithCarry: Operation = (c, a, b) => {
  const result = c.let(a.add(b).add(widen(c.flags.cf(), c.size)));
  c.flags.add(a, b, result, c.size);
  return result;
};
const subtraction: Operation = (c, a, b) => {
  const result = c.let(a.sub(b));
  c.flags.sub(a, b, result, c.size);
  return result;
};
const subtractionWithBorrow: Operation = (c, a, b) => {
  const result = c.let(a.sub(b).sub(widen(c.flags.cf(), c.size)));
  c.flags.sub(a, b, result, c.size);
  return result;
};
const logic =
  (combine: (a: Int, b: Int) => Int): Operation =>
  (c, a, b) => {
    const result = c.let(combine(a, b));
    c.flags.logic(result, c.size);
    return result;
  };
const and = logic((a, b) => a.and(b));
const or = logic((a, b) => a.or(b));
const xor = logic((a, b) => a.xor(b));

const writing =
  (operation: Operation): Semantics =>
  (c) =>
    c.modify(0, (old) => operation(c, old, c.let(c.read(1))));
const comparing =
  (operation: Operation): Semantics =>
  (c) => {
    const a = c.read(0);
    operation(c, a, c.let(c.read(1)));
  };

/** The eight operations share one encoding scheme: opcode 8n + form, or group 1 (80-83) with ModRM.reg = n. */
const GROUP_1: readonly (readonly [string, Semantics, boolean])[] = [
  ['add', writing(addition), true],
  ['or', writing(or), true],
  ['adc', writing(additionWithCarry), true],
  ['sbb', writing(subtractionWithBorrow), true],
  ['and', writing(and), true],
  ['sub', writing(subtraction), true],
  ['xor', writing(xor), true],
  ['cmp', comparing(subtraction), false],
];

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}

function groupOne(): Definition[] {
  return GROUP_1.flatMap(([mnemonic, semantics, writes], n) => {
    const memory = writes ? ({ lock: true, hot: true } as const) : ({ hot: true } as const);
    const hot = { hot: true } as const;
    return [
      row(`${hex(n * 8)} /r`, mnemonic, 'Eb,Gb', semantics, memory),
      row(`${hex(n * 8 + 1)} /r`, mnemonic, 'Ev,Gv', semantics, memory),
      row(`${hex(n * 8 + 2)} /r`, mnemonic, 'Gb,Eb', semantics, hot),
      row(`${hex(n * 8 + 3)} /r`, mnemonic, 'Gv,Ev', semantics, hot),
      row(hex(n * 8 + 4), mnemonic, 'AL,Ib', semantics, hot),
      row(hex(n * 8 + 5), mnemonic, 'eAX,Iz', semantics, hot),
      row(`80 /${n}`, mnemonic, 'Eb,Ib', semantics, memory),
      row(`81 /${n}`, mnemonic, 'Ev,Iz', semantics, memory),
      row(`82 /${n}`, mnemonic, 'Eb,Ib', semantics, writes ? { lock: true, not64: true } : { not64: true }),
      row(`83 /${n}`, mnemonic, 'Ev,Is', semantics, memory),
    ];
  });
}

const test = comparing(and);

const increment: Semantics = (c) =>
  c.modify(0, (old) => {
    const result = c.let(old.add(c.const(1)));
    c.flags.incrementOrDecrement(old, result, c.size, 1);
    return result;
  });
const decrement: Semantics = (c) =>
  c.modify(0, (old) => {
    const result = c.let(old.sub(c.const(1)));
    c.flags.incrementOrDecrement(old, result, c.size, -1);
    return result;
  });
const negate: Semantics = (c) =>
  c.modify(0, (old) => {
    const zero = c.const(0);
    const result = c.let(zero.sub(old));
    c.flags.sub(zero, old, result, c.size);
    return result;
  });
const complement: Semantics = (c) => c.modify(0, (old) => old.not());

// --- multiplication ---------------------------------------------------------------------------------------------

/** High half of the 128-bit product of two 64-bit values, from 32-bit halves. */
function multiplyHigh(c: Context, a: I64, b: I64, signed: boolean): I64 {
  const low32 = 0xffff_ffffn;
  const [a0, a1] = [c.let(a.and(low32)), c.let(signed ? a.shrS(32) : a.shrU(32))];
  const [b0, b1] = [c.let(b.and(low32)), c.let(signed ? b.shrS(32) : b.shrU(32))];
  const cross = c.let(a1.mul(b0).add(a0.mul(b0).shrU(32)));
  const middle = c.let(a0.mul(b1).add(cross.and(low32)));
  const shift = (value: I64): I64 => (signed ? value.shrS(32) : value.shrU(32));
  return a1.mul(b1).add(shift(cross)).add(shift(middle));
}

/** One-operand MUL and IMUL. SF, ZF, AF, PF are left as they are (policy); CF = OF = the high half matters. */
const multiply =
  (signed: boolean): Semantics =>
  (c) => {
    const source = c.let(c.read(0));
    if (c.size === 64) {
      const a = c.let(toI64(c.register(EAX, 64)));
      const b = toI64(source);
      const low = c.let(a.mul(b));
      const high = c.let(multiplyHigh(c, a, b, signed));
      c.setRegister(EAX, 64, low);
      c.setRegister(EDX, 64, high);
      const matters = signed ? high.ne(low.shrS(63)) : high.ne(0);
      c.flags.setCarryAndOverflow(matters, matters);
      return;
    }
    const extend = (value: Int): I64 => {
      const v = toI32(signed ? signExtended(value, c.size) : zeroExtended(value, c.size));
      return signed ? v.toI64S() : v.toI64U();
    };
    const product = c.let(extend(c.register(EAX, c.size)).mul(extend(source)));
    if (c.size === 8) c.setRegister(EAX, 16, product.wrap());
    else {
      c.setRegister(EAX, c.size, product.wrap());
      c.setRegister(EDX, c.size, product.shrU(c.size).wrap());
    }
    const low = toI32(signed ? signExtended(product.wrap(), c.size) : zeroExtended(product.wrap(), c.size));
    const matters = c.let(product.ne(signed ? low.toI64S() : low.toI64U()));
    c.flags.setCarryAndOverflow(matters, matters);
  };

/** IMUL with two or three operands: truncated product, CF = OF = it did not fit. */
const multiplySigned =
  (first: number, second: number): Semantics =>
  (c) => {
    const a = c.let(c.readSigned(first));
    const b = c.let(c.readSigned(second));
    if (c.size === 64) {
      const low = c.let(toI64(a).mul(toI64(b)));
      const high = c.let(multiplyHigh(c, toI64(a), toI64(b), true));
      c.write(0, low);
      const lost = high.ne(low.shrS(63));
      c.flags.setCarryAndOverflow(lost, lost);
      return;
    }
    const product = c.let(toI32(a).toI64S().mul(toI32(b).toI64S()));
    c.write(0, product.wrap());
    const lost = c.let(product.ne(toI32(signExtended(product.wrap(), c.size)).toI64S()));
    c.flags.setCarryAndOverflow(lost, lost);
  };

// --- division ---------------------------------------------------------------------------------------------------

/** DIV and IDIV: #DE on a zero divisor or a quotient that does not fit. All flags are left as they are (policy). */
const divide =
  (signed: boolean): Semantics =>
  (c) => {
    const source = c.let(c.read(0));
    c.f.if(source.eqz(), () => c.raise(VECTOR.divideError));
    if (c.size === 64) {
      divide128(c, toI64(source), signed);
      return;
    }
    const bits = c.size;
    const divisor = c.let(signed ? toI32(signExtended(source, bits)).toI64S() : toI32(source).toI64U());
    let dividend: I64;
    if (bits === 8) {
      const ax = toI32(c.register(EAX, 16));
      dividend = signed ? ax.extend16S().toI64S() : ax.toI64U();
    } else if (bits === 16) {
      const pair = toI32(c.register(EDX, 16))
        .shl(16)
        .or(toI32(c.register(EAX, 16)));
      dividend = signed ? pair.toI64S() : pair.toI64U();
    } else {
      dividend = toI32(c.register(EDX, 32))
        .toI64U()
        .shl(32)
        .or(toI32(c.register(EAX, 32)).toI64U());
    }
    const n = c.let(dividend);
    // WebAssembly traps on the one quotient that does not fit 64 bits; it does not fit the operand either.
    if (signed && bits === 32) c.f.if(n.eq(-0x8000_0000_0000_0000n).and(divisor.eq(-1)), () => c.raise(VECTOR.divideError));
    const quotient = c.let(signed ? n.divS(divisor) : n.divU(divisor));
    const remainder = c.let(signed ? n.remS(divisor) : n.remU(divisor));
    const fits = signed ? quotient.eq(toI64OfSigned(quotient, bits)) : quotient.shrU(bits).eqz();
    c.f.if(fits.eqz(), () => c.raise(VECTOR.divideError));
    if (bits === 8) c.setRegister(EAX, 16, quotient.wrap().and(0xff).or(remainder.wrap().shl(8)));
    else {
      c.setRegister(EAX, bits, quotient.wrap());
      c.setRegister(EDX, bits, remainder.wrap());
    }
  };

function toI64OfSigned(value: I64, bits: number): I64 {
  return signExtended(value, bits) as I64;
}

/** 128 by 64 bits by shift and subtract, on magnitudes. */
function divide128(c: Context, source: I64, signed: boolean): void {
  const f = c.f;
  const high = f.local(source.type);
  const low = f.local(source.type);
  const divisor = f.local(source.type);
  f.set(high, toI64(c.register(EDX, 64)));
  f.set(low, toI64(c.register(EAX, 64)));
  f.set(divisor, source);
  const negativeDividend = c.let(signed ? high.get().ltS(0) : I32.of(0));
  const negativeQuotient = c.let(signed ? negativeDividend.xor(source.ltS(0)) : I32.of(0));
  if (signed) {
    f.if(negativeDividend, () => {
      f.set(low, low.get().neg());
      f.set(high, high.get().not().add(low.get().eqz().toI64U()));
    });
    f.if(source.ltS(0), () => f.set(divisor, source.neg()));
  }
  f.if(high.get().geU(divisor.get()), () => c.raise(VECTOR.divideError));
  const count = c.newLocal();
  f.set(count, I32.of(64));
  f.loop((again) => {
    const carry = c.let(high.get().ltS(0));
    f.set(high, high.get().shl(1).or(low.get().shrU(63)));
    f.set(low, low.get().shl(1));
    f.if(carry.or(high.get().geU(divisor.get())), () => {
      f.set(high, high.get().sub(divisor.get()));
      f.set(low, low.get().or(1));
    });
    f.brIf(count.tee(count.get().sub(1)), again);
  });
  if (signed) {
    f.if(low.get().ltS(0).and(low.get().ne(-0x8000_0000_0000_0000n).or(negativeQuotient.eqz())), () => c.raise(VECTOR.divideError));
    f.if(negativeQuotient, () => f.set(low, low.get().neg()));
    f.if(negativeDividend, () => f.set(high, high.get().neg()));
  }
  c.setRegister(EAX, 64, low.get());
  c.setRegister(EDX, 64, high.get());
}

// --- sign extension of the accumulator -----------------------------------------------------------------------------

/** CBW, CWDE, CDQE */
const extendAccumulator: Semantics = (c) => {
  const half = c.size / 2;
  const value = c.register(EAX, half);
  if (c.size === 64) c.setRegister(EAX, 64, toI32(value).toI64S());
  else c.setRegister(EAX, c.size, signExtended(value, half));
};
/** CWD, CDQ, CQO */
const extendIntoData: Semantics = (c) => {
  if (c.size === 64) c.setRegister(EDX, 64, toI64(c.register(EAX, 64)).shrS(63));
  else c.setRegister(EDX, c.size, toI32(signExtended(c.register(EAX, c.size), c.size)).shrS(31));
};

export const ARITHMETIC: readonly Definition[] = [
  ...groupOne(),
  row('84 /r', 'test', 'Eb,Gb', test, { hot: true }),
  row('85 /r', 'test', 'Ev,Gv', test, { hot: true }),
  row('A8', 'test', 'AL,Ib', test, { hot: true }),
  row('A9', 'test', 'eAX,Iz', test, { hot: true }),
  row('F6 /0', 'test', 'Eb,Ib', test, { hot: true }),
  row('F6 /1', 'test', 'Eb,Ib', test),
  row('F7 /0', 'test', 'Ev,Iz', test, { hot: true }),
  row('F7 /1', 'test', 'Ev,Iz', test),
  row('40+r', 'inc', 'Zv', increment, { hot: true, not64: true }),
  row('48+r', 'dec', 'Zv', decrement, { hot: true, not64: true }),
  row('FE /0', 'inc', 'Eb', increment, { lock: true, hot: true }),
  row('FE /1', 'dec', 'Eb', decrement, { lock: true, hot: true }),
  row('FF /0', 'inc', 'Ev', increment, { lock: true, hot: true }),
  row('FF /1', 'dec', 'Ev', decrement, { lock: true, hot: true }),
  row('F6 /2', 'not', 'Eb', complement, { lock: true }),
  row('F7 /2', 'not', 'Ev', complement, { lock: true, hot: true }),
  row('F6 /3', 'neg', 'Eb', negate, { lock: true }),
  row('F7 /3', 'neg', 'Ev', negate, { lock: true, hot: true }),
  row('F6 /4', 'mul', 'Eb', multiply(false)),
  row('F7 /4', 'mul', 'Ev', multiply(false), { hot: true }),
  row('F6 /5', 'imul', 'Eb', multiply(true)),
  row('F7 /5', 'imul', 'Ev', multiply(true)),
  row('0F AF /r', 'imul', 'Gv,Ev', multiplySigned(0, 1), { hot: true }),
  row('69 /r', 'imul', 'Gv,Ev,Iz', multiplySigned(1, 2), { hot: true }),
  row('6B /r', 'imul', 'Gv,Ev,Is', multiplySigned(1, 2), { hot: true }),
  row('F6 /6', 'div', 'Eb', divide(false)),
  row('F7 /6', 'div', 'Ev', divide(false), { hot: true }),
  row('F6 /7', 'idiv', 'Eb', divide(true)),
  row('F7 /7', 'idiv', 'Ev', divide(true)),
  row('98', 'cwde', '', extendAccumulator, { sized: true }),
  row('99', 'cdq', '', extendIntoData, { sized: true, hot: true }),
];
