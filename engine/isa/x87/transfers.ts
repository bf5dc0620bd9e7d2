/** FLD, FILD, FBLD, FST, FIST, FBSTP, constants, FXCH, FCMOVcc (Intel SDM volume 2). */
import { constant80 } from '../../float/constants.js';
import { ROUNDING_SHIFT } from '../../float/context.js';
import { toI32, toI64 } from '../../translate/int.js';
import { I32, I64, TYPE_I32, TYPE_I64 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { BEFORE_THE_OPERATION, type Extended, Fpu, INDEFINITE, OUT_OF_RANGE } from './fpu.js';
import { type MemoryFormat, readForLoad, STORED_INDEFINITE, write80 } from './operands.js';
import { STATUS } from './status.js';

type Format = MemoryFormat | 'i64' | 'f80' | 'bcd';

/** Pushes a value, unless the stack is full. */
function pushChecked(fpu: Fpu, value: () => Extended): void {
  const { c } = fpu;
  fpu.stackFault(fpu.isEmpty(7).eqz(), 'overflow', () => fpu.push(INDEFINITE));
  const pushed = value();
  const kept = { significand: c.let(pushed.significand), signExponent: c.let(pushed.signExponent) };
  // A denormal operand is loaded even when DE is unmasked.
  fpu.conclude(() => fpu.push(kept), STATUS.invalid);
}

const loadMemory =
  (format: Format): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    // The operand is read, and may fault, before the stack is looked at.
    const value = readForLoad(fpu, format);
    fpu.note();
    pushChecked(fpu, () => value);
  };

const loadRegister: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  const source = c.let(c.registerField('rm'));
  fpu.note();
  fpu.clearFlags();
  fpu.stackFault(fpu.isEmpty(source), 'underflow', () => fpu.push(INDEFINITE));
  pushChecked(fpu, () => fpu.get(source));
};

const loadConstant =
  (index: number): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    fpu.note();
    fpu.clearFlags();
    const truncated = constant80(index, 3 << ROUNDING_SHIFT);
    // Bit r set: rounded up under rounding control r.
    const roundedUp = [0, 1, 2, 3].reduce(
      (mask, rounding) => mask | (constant80(index, rounding << ROUNDING_SHIFT).significand > truncated.significand ? 1 << rounding : 0),
      0,
    );
    const rounding = fpu.control.shrU(ROUNDING_SHIFT).and(3);
    pushChecked(fpu, () => ({
      significand: I64.of(truncated.significand).add(I32.of(roundedUp).shrU(rounding).and(1).toI64U()),
      signExponent: I32.of(truncated.signExponent),
    }));
  };

/** Stores ST(0) in a format of up to 64 bits, rounded; pops. Nothing is stored when IE, DE, OE or UE is unmasked. */
const storeConverted =
  (format: 'i16' | 'i32' | 'i64' | 'f32' | 'f64', pops: 0 | 1): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const wide = format === 'i64' || format === 'f64';
    const bits = format === 'i16' ? 16 : wide ? 64 : 32;
    const linear = c.linear(0, true);
    const name = ({ i16: 'toI16', i32: 'toI32', i64: 'toI64', f32: 'toF32', f64: 'toF64' } as const)[format];
    const target = c.float.f80[name];
    const stored = c.f.local(wide ? TYPE_I64 : TYPE_I32);
    const flags = c.newLocal();
    const empty = fpu.isEmpty(0);
    c.f.if(
      empty,
      () => {
        c.f.set(stored, STORED_INDEFINITE[format] as never);
        c.f.set(flags, I32.of(STATUS.invalid));
      },
      () => {
        const { significand, signExponent } = fpu.get(0);
        fpu.clearFlags();
        c.f.set(stored, c.f.callValue(target, wide ? TYPE_I64 : TYPE_I32, significand, signExponent, fpu.control) as never);
        c.f.set(flags, fpu.flags());
      },
    );
    const value = stored.get();
    finishStore(fpu, flags.get(), empty, pops, linear, bits / 8, () =>
      c.store(linear, bits, wide ? toI64(value as I64) : toI32(value as I32)),
    );
  };

/** Stores first, since that may fault (also where an unmasked exception keeps the result back), then lets the exceptions be seen. */
function finishStore(fpu: Fpu, flags: I32, empty: I32, pops: 0 | 1, linear: I32, bytes: number, store: () => void): void {
  const { c } = fpu;
  const allowed = c.let(
    fpu
      .unmaskedOf(flags)
      .and(BEFORE_THE_OPERATION | OUT_OF_RANGE)
      .eqz(),
  );
  c.f.if(allowed, store, () => c.requireWritable(linear, bytes));
  fpu.note();
  fpu.commit(flags, empty.mul(STATUS.stackFault));
  if (pops === 1) c.f.if(allowed, () => fpu.pop());
  fpu.finish();
}

/** FSTP m80 and FBSTP. */
const storeTenBytes =
  (format: 'f80' | 'bcd'): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const linear = c.linear(0, true);
    const significand = c.f.local(TYPE_I64);
    const signExponent = c.newLocal();
    const flags = c.newLocal();
    const keep = (value: Extended, exceptions: I32): void => {
      c.f.set(significand, value.significand);
      c.f.set(signExponent, value.signExponent);
      c.f.set(flags, exceptions);
    };
    const empty = fpu.isEmpty(0);
    c.f.if(
      empty,
      () => keep(STORED_INDEFINITE[format], I32.of(STATUS.invalid)),
      () => {
        const top = fpu.get(0);
        if (format === 'f80') {
          keep(top, I32.of(0));
          return;
        }
        const packed = fpu.compute(c.float.f80.toBcd, top.significand, top.signExponent, fpu.control);
        keep(packed, fpu.flags());
      },
    );
    const value = { significand: significand.get(), signExponent: signExponent.get() };
    finishStore(fpu, flags.get(), empty, 1, linear, 10, () => write80(c, linear, value));
  };

const storeRegister =
  (pops: 0 | 1): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const destination = c.let(c.registerField('rm'));
    fpu.note();
    const store = (value: Extended): void => {
      fpu.set(destination, value);
      fpu.pop(pops);
    };
    fpu.stackFault(fpu.isEmpty(0), 'underflow', () => store(INDEFINITE));
    fpu.commit(I32.of(0));
    store(fpu.get(0));
  };

/** The alias D9 /3 of FSTP knows no stack fault: an empty ST(0) is popped, and nothing stored. */
const storeRegisterUnchecked: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  const destination = c.let(c.registerField('rm'));
  fpu.note();
  fpu.commit(I32.of(0));
  c.f.if(fpu.isEmpty(0).eqz(), () => fpu.set(destination, fpu.get(0)));
  fpu.pop();
};

/** FXCH: an empty register counts as the indefinite when the stack fault is masked. */
const exchange: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  const other = c.let(c.registerField('rm'));
  fpu.note();
  const [topEmpty, otherEmpty] = [fpu.isEmpty(0), fpu.isEmpty(other)];
  const swap = (): void => {
    const [a, b] = [fpu.get(0), fpu.get(other)];
    fpu.set(0, b);
    fpu.set(other, a);
  };
  fpu.stackFault(topEmpty.or(otherEmpty), 'underflow', () => {
    c.f.if(topEmpty, () => fpu.set(0, INDEFINITE));
    c.f.if(otherEmpty, () => fpu.set(other, INDEFINITE));
    swap();
  });
  fpu.commit(I32.of(0));
  swap();
};

/** FCMOVcc: an empty register is a stack fault whether the condition holds or not. C1 changes only then. */
const conditionalMove =
  (code: number): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const source = c.let(c.registerField('rm'));
    fpu.note();
    fpu.stackFault(fpu.isEmpty(0).or(fpu.isEmpty(source)), 'underflow', () => fpu.set(0, INDEFINITE));
    c.f.if(c.flags.condition(code), () => fpu.set(0, fpu.get(source)));
  };

/** B, E, BE, U by condition code; the negated ones are in DB. */
const CONDITIONS: readonly (readonly [suffix: string, code: number])[] = [
  ['b', 2],
  ['e', 4],
  ['be', 6],
  ['u', 10],
];
const CONSTANT_NAMES = ['1', 'l2t', 'l2e', 'pi', 'lg2', 'ln2', 'z'];

export const X87_TRANSFERS: readonly Definition[] = [
  row('D9 /0', 'fld', 'Md', loadMemory('f32')),
  row('DD /0', 'fld', 'Mq', loadMemory('f64')),
  row('DB /5', 'fld', 'Mt', loadMemory('f80')),
  row('DF /0', 'fild', 'Mw', loadMemory('i16')),
  row('DB /0', 'fild', 'Md', loadMemory('i32')),
  row('DF /5', 'fild', 'Mq', loadMemory('i64')),
  row('DF /4', 'fbld', 'Mt', loadMemory('bcd')),
  row('D9 /0', 'fld', 'R', loadRegister),
  ...CONSTANT_NAMES.map((name, index) => row(`D9 =${(0xe8 + index).toString(16).toUpperCase()}`, `fld${name}`, '', loadConstant(index))),

  row('D9 /2', 'fst', 'Md', storeConverted('f32', 0)),
  row('D9 /3', 'fstp', 'Md', storeConverted('f32', 1)),
  row('DD /2', 'fst', 'Mq', storeConverted('f64', 0)),
  row('DD /3', 'fstp', 'Mq', storeConverted('f64', 1)),
  row('DF /2', 'fist', 'Mw', storeConverted('i16', 0)),
  row('DF /3', 'fistp', 'Mw', storeConverted('i16', 1)),
  row('DB /2', 'fist', 'Md', storeConverted('i32', 0)),
  row('DB /3', 'fistp', 'Md', storeConverted('i32', 1)),
  row('DF /7', 'fistp', 'Mq', storeConverted('i64', 1)),
  row('DB /7', 'fstp', 'Mt', storeTenBytes('f80')),
  row('DF /6', 'fbstp', 'Mt', storeTenBytes('bcd')),
  row('DD /2', 'fst', 'R', storeRegister(0)),
  row('DD /3', 'fstp', 'R', storeRegister(1)),
  // Undocumented aliases.
  row('D9 /3', 'fstpnce', 'R', storeRegisterUnchecked),
  row('DF /2', 'fstp', 'R', storeRegister(1)),
  row('DF /3', 'fstp', 'R', storeRegister(1)),

  row('D9 /1', 'fxch', 'R', exchange),
  row('DD /1', 'fxch', 'R', exchange),
  row('DF /1', 'fxch', 'R', exchange),

  ...CONDITIONS.flatMap(([suffix, code], digit) => [
    row(`DA /${digit}`, `fcmov${suffix}`, 'R', conditionalMove(code)),
    row(`DB /${digit}`, `fcmovn${suffix}`, 'R', conditionalMove(code + 1)),
  ]),
];
