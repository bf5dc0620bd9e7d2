/** FADD, FSUB, FMUL, FDIV in all their forms, FSQRT, FRNDINT, FSCALE, FPREM, FABS, FCHS (Intel SDM volume 2). */
import * as layout from '../../cpu/layout.js';
import { DENORMAL, DIVIDE_BY_ZERO, INVALID } from '../../float/context.js';
import { NO_QUOTIENT } from '../../float/x87-scaling.js';
import type { Context } from '../../translate/context.js';
import type { FunctionReference } from '../../wasm/function-builder.js';
import { I32, select } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { BEFORE_THE_OPERATION, type Extended, Fpu, INDEFINITE } from './fpu.js';
import { type MemoryFormat, readSource, type Source } from './operands.js';
import { CONDITION_CODES, STATUS } from './status.js';

/** The digits of the four operations and of their reversed forms; 2 and 3 are comparisons. */
type Operation = 'add' | 'mul' | 'sub' | 'div';
const OPERATIONS: readonly { digit: number; mnemonic: string; operation: Operation; reversed: boolean }[] = [
  { digit: 0, mnemonic: 'add', operation: 'add', reversed: false },
  { digit: 1, mnemonic: 'mul', operation: 'mul', reversed: false },
  { digit: 4, mnemonic: 'sub', operation: 'sub', reversed: false },
  { digit: 5, mnemonic: 'subr', operation: 'sub', reversed: true },
  { digit: 6, mnemonic: 'div', operation: 'div', reversed: false },
  { digit: 7, mnemonic: 'divr', operation: 'div', reversed: true },
];

const isNan = ({ significand, signExponent }: Extended): I32 => signExponent.and(0x7fff).eq(0x7fff).and(significand.shl(1).ne(0));

/**
 * A memory operand that was denormal counts as one although it has been widened: DE, unless an invalid operation, a
 * division by zero or a NaN comes first.
 */
export function raiseWidenedDenormal(fpu: Fpu, other: Extended, source: Source): void {
  const { c } = fpu;
  if (source.denormal === undefined) return;
  const cell = c.cell32(layout.FLOAT_FLAGS);
  c.f.if(source.denormal.and(cell.and(INVALID | DIVIDE_BY_ZERO).eqz()).and(isNan(other).eqz()), () =>
    c.setCell32(layout.FLOAT_FLAGS, cell.or(DENORMAL)),
  );
}

function operate(fpu: Fpu, target: FunctionReference, reversed: boolean, a: Extended, b: Extended): Extended {
  const [x, y] = reversed ? [b, a] : [a, b];
  return fpu.compute(target, x.significand, x.signExponent, y.significand, y.signExponent, fpu.control);
}

/** ST(0) and ST(i); the result goes to either, and ST(0) may be popped. */
const withRegister =
  (operation: Operation, reversed: boolean, destination: 'top' | 'other', pops: 0 | 1): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const other = c.let(c.registerField('rm'));
    fpu.note();
    const place = destination === 'top' ? 0 : other;
    const store = (value: Extended): void => {
      fpu.set(place, value);
      fpu.pop(pops);
    };
    fpu.stackFault(fpu.isEmpty(0).or(fpu.isEmpty(other)), 'underflow', () => store(INDEFINITE));
    const result = operate(fpu, c.float.f80[operation], reversed, fpu.get(0), fpu.get(other));
    fpu.conclude(() => store(result));
  };

const withMemory =
  (operation: Operation, reversed: boolean, format: MemoryFormat): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const source = readSource(fpu, format);
    fpu.note();
    fpu.stackFault(fpu.isEmpty(0), 'underflow', () => fpu.set(0, INDEFINITE));
    const top = fpu.get(0);
    const result = operate(fpu, c.float.f80[operation], reversed, top, source.value);
    raiseWidenedDenormal(fpu, top, source);
    fpu.conclude(() => fpu.set(0, result));
  };

/** ST(0) <- function of ST(0), and of ST(1) for FSCALE, under the control word. */
const onTop =
  (target: (c: Context) => FunctionReference, operands: 1 | 2): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    fpu.note();
    const empty = operands === 1 ? fpu.isEmpty(0) : fpu.isEmpty(0).or(fpu.isEmpty(1));
    fpu.stackFault(empty, 'underflow', () => fpu.set(0, INDEFINITE));
    const values = operands === 1 ? [fpu.get(0)] : [fpu.get(0), fpu.get(1)];
    const args = values.flatMap(({ significand, signExponent }) => [significand, signExponent]);
    const result = fpu.compute(target(c), ...args, fpu.control);
    fpu.conclude(() => fpu.set(0, result));
  };

/** FPREM and FPREM1; C0, C3, C1 the low bits of the quotient, C2 "not yet complete". Without a quotient C0 and C3 stay. */
const partialRemainder =
  (name: 'remainder' | 'remainderNearest'): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    fpu.note();
    fpu.stackFault(fpu.isEmpty(0).or(fpu.isEmpty(1)), 'underflow', () => fpu.set(0, INDEFINITE), 0, STATUS.c2);
    const [a, b] = [fpu.get(0), fpu.get(1)];
    fpu.clearFlags();
    const [significand, signExponent, codes] = c.f.callMany(
      c.float.f80[name],
      a.significand,
      a.signExponent,
      b.significand,
      b.signExponent,
      fpu.control,
    );
    const flags = fpu.flags();
    const abandoned = c.let(fpu.unmaskedOf(flags).and(BEFORE_THE_OPERATION));
    const quotient = codes!.get() as I32;
    const kept = fpu.status.and(STATUS.c0 | STATUS.c3);
    fpu.commit(flags, c.let(select(abandoned.or(quotient.eq(NO_QUOTIENT)), kept, quotient)), CONDITION_CODES);
    c.f.if(abandoned.eqz(), () => fpu.set(0, { significand: significand!.get(), signExponent: signExponent!.get() } as Extended));
    fpu.finish();
  };

/** FXTRACT: the exponent takes the place of ST(0), the significand is pushed. */
const extract: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  fpu.note();
  const both = (exponent: Extended, significand: Extended): void => {
    fpu.set(0, exponent);
    fpu.push(significand);
  };
  fpu.stackFault(fpu.isEmpty(0), 'underflow', () => both(INDEFINITE, INDEFINITE));
  fpu.stackFault(fpu.isEmpty(7).eqz(), 'overflow', () => both(INDEFINITE, INDEFINITE));
  const { significand, signExponent } = fpu.get(0);
  fpu.clearFlags();
  const results = c.f.callMany(c.float.f80.extract, significand, signExponent, fpu.control);
  const extended = (at: number): Extended => ({ significand: results[at]!.get(), signExponent: results[at + 1]!.get() }) as Extended;
  fpu.conclude(() => both(extended(0), extended(2)));
};

/** FABS and FCHS change the sign bit of whatever is there. */
const changeSign =
  (change: (signExponent: I32) => I32): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    fpu.note();
    fpu.stackFault(fpu.isEmpty(0), 'underflow', () => fpu.set(0, INDEFINITE));
    const { significand, signExponent } = fpu.get(0);
    fpu.commit(I32.of(0));
    fpu.set(0, { significand, signExponent: change(signExponent) });
  };

export const X87_ARITHMETIC: readonly Definition[] = [
  ...OPERATIONS.flatMap(({ digit, mnemonic, operation, reversed }) => [
    row(`D8 /${digit}`, `f${mnemonic}`, 'Md', withMemory(operation, reversed, 'f32')),
    row(`D8 /${digit}`, `f${mnemonic}`, 'R', withRegister(operation, reversed, 'top', 0)),
    row(`DC /${digit}`, `f${mnemonic}`, 'Mq', withMemory(operation, reversed, 'f64')),
    // With ST(i) as the destination, the names of the reversed forms are exchanged, not what they compute.
    row(`DC /${digit}`, otherName(mnemonic), 'R', withRegister(operation, reversed, 'other', 0)),
    row(`DE /${digit}`, `fi${mnemonic}`, 'Mw', withMemory(operation, reversed, 'i16')),
    row(`DE /${digit}`, `${otherName(mnemonic)}p`, 'R', withRegister(operation, reversed, 'other', 1)),
    row(`DA /${digit}`, `fi${mnemonic}`, 'Md', withMemory(operation, reversed, 'i32')),
  ]),
  row(
    'D9 =E0',
    'fchs',
    '',
    changeSign((signExponent) => signExponent.xor(0x8000)),
  ),
  row(
    'D9 =E1',
    'fabs',
    '',
    changeSign((signExponent) => signExponent.and(0x7fff)),
  ),
  row('D9 =F4', 'fxtract', '', extract),
  row('D9 =F5', 'fprem1', '', partialRemainder('remainderNearest')),
  row('D9 =F8', 'fprem', '', partialRemainder('remainder')),
  row(
    'D9 =FA',
    'fsqrt',
    '',
    onTop((c) => c.float.f80.sqrt, 1),
  ),
  row(
    'D9 =FC',
    'frndint',
    '',
    onTop((c) => c.float.f80.roundToInteger, 1),
  ),
  row(
    'D9 =FD',
    'fscale',
    '',
    onTop((c) => c.float.f80.scale, 2),
  ),
];

function otherName(mnemonic: string): string {
  const isReversible = mnemonic.startsWith('sub') || mnemonic.startsWith('div');
  if (!isReversible) return `f${mnemonic}`;
  return mnemonic.endsWith('r') ? `f${mnemonic.slice(0, -1)}` : `f${mnemonic}r`;
}
