/** FCOM, FUCOM, FICOM, FTST, FCOMI, FXAM (Intel SDM volume 2). */
import * as layout from '../../cpu/layout.js';
import { UNORDERED } from '../../float/context.js';
import { I32, I64, TYPE_I32 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { raiseWidenedDenormal } from './arithmetic.js';
import { BEFORE_THE_OPERATION, type Extended, Fpu } from './fpu.js';
import { type MemoryFormat, readSource } from './operands.js';
import { CONDITION_CODES, STATUS } from './status.js';

type Kind = 'compare' | 'compareQuiet';
const RESULT_CODES = STATUS.c0 | STATUS.c2 | STATUS.c3;
/** A comparison result has its bits where EFLAGS has CF, PF and ZF; C0, C2 and C3 are eight places further up. */
const CODE_SHIFT = 8;

function compare(fpu: Fpu, kind: Kind, a: Extended, b: Extended): I32 {
  const { c } = fpu;
  fpu.clearFlags();
  const target = c.float.f80[kind];
  return c.let(c.f.callValue(target, TYPE_I32, a.significand, a.signExponent, b.significand, b.signExponent));
}

/** The condition codes are written even when an exception is unmasked; only the pops do not happen then. */
function conclude(fpu: Fpu, code: I32, pops: number): void {
  const { c } = fpu;
  const flags = fpu.flags();
  fpu.commit(flags, code.shl(CODE_SHIFT), RESULT_CODES);
  if (pops > 0) c.f.if(fpu.unmaskedOf(flags).and(BEFORE_THE_OPERATION).eqz(), () => fpu.pop(pops));
  fpu.finish();
}

function emptyOperand(fpu: Fpu, empty: I32, pops: number): void {
  fpu.stackFault(empty, 'underflow', () => fpu.pop(pops), UNORDERED << CODE_SHIFT, RESULT_CODES);
}

/** With ST(i), or ST(1) for the forms that have no operand. */
const withRegister =
  (kind: Kind, pops: 0 | 1 | 2): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const other = pops === 2 ? I32.of(1) : c.let(c.registerField('rm'));
    fpu.note();
    emptyOperand(fpu, fpu.isEmpty(0).or(fpu.isEmpty(other)), pops);
    conclude(fpu, compare(fpu, kind, fpu.get(0), fpu.get(other)), pops);
  };

const withMemory =
  (format: MemoryFormat, pops: 0 | 1): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const source = readSource(fpu, format);
    fpu.note();
    emptyOperand(fpu, fpu.isEmpty(0), pops);
    const top = fpu.get(0);
    const code = compare(fpu, 'compare', top, source.value);
    raiseWidenedDenormal(fpu, top, source);
    conclude(fpu, code, pops);
  };

const withZero: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  fpu.note();
  emptyOperand(fpu, fpu.isEmpty(0), 0);
  conclude(fpu, compare(fpu, 'compare', fpu.get(0), { significand: I64.of(0), signExponent: I32.of(0) }), 0);
};

/** FCOMI, FUCOMI: ZF, PF and CF by the result, OF, SF and AF zero; also when the exception is unmasked. */
const intoFlags =
  (kind: Kind, pops: 0 | 1): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    const other = c.let(c.registerField('rm'));
    fpu.note();
    const empty = c.let(fpu.isEmpty(0).or(fpu.isEmpty(other)));
    const setFlags = (code: I32): void => {
      const zero = I32.of(0);
      c.flags.setLow(code.and(1), code.shrU(2).and(1), zero, code.shrU(6).and(1), zero, zero);
    };
    c.f.if(empty, () => setFlags(I32.of(UNORDERED)));
    fpu.stackFault(empty, 'underflow', () => fpu.pop(pops));
    setFlags(compare(fpu, kind, fpu.get(0), fpu.get(other)));
    fpu.conclude(() => fpu.pop(pops));
  };

/** FXAM never faults; C1 is the sign, of an empty register too. */
const examine: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  fpu.note();
  const { significand, signExponent } = fpu.get(0);
  const sign = signExponent.shrU(15).mul(STATUS.c1);
  const codes = c.f.choose(
    fpu.isEmpty(0),
    () => sign.or(STATUS.c3 | STATUS.c0),
    () => c.f.callValue(c.float.f80.classify, TYPE_I32, significand, signExponent),
    TYPE_I32,
  );
  c.setCell32(layout.X87_STATUS, fpu.status.and(~CONDITION_CODES).or(codes));
};

export const X87_COMPARISONS: readonly Definition[] = [
  ...(
    [
      ['fcom', 2, 0],
      ['fcomp', 3, 1],
    ] as const
  ).flatMap(([mnemonic, digit, pops]) => [
    row(`D8 /${digit}`, mnemonic, 'Md', withMemory('f32', pops)),
    row(`DC /${digit}`, mnemonic, 'Mq', withMemory('f64', pops)),
    row(`DE /${digit}`, mnemonic.replace('f', 'fi'), 'Mw', withMemory('i16', pops)),
    row(`DA /${digit}`, mnemonic.replace('f', 'fi'), 'Md', withMemory('i32', pops)),
    row(`D8 /${digit}`, mnemonic, 'R', withRegister('compare', pops)),
    // Undocumented aliases.
    row(`DC /${digit}`, mnemonic, 'R', withRegister('compare', pops)),
  ]),
  row('DE /2', 'fcomp', 'R', withRegister('compare', 1)),
  row('DE =D9', 'fcompp', '', withRegister('compare', 2)),
  row('DD /4', 'fucom', 'R', withRegister('compareQuiet', 0)),
  row('DD /5', 'fucomp', 'R', withRegister('compareQuiet', 1)),
  row('DA =E9', 'fucompp', '', withRegister('compareQuiet', 2)),
  row('DB /6', 'fcomi', 'R', intoFlags('compare', 0)),
  row('DF /6', 'fcomip', 'R', intoFlags('compare', 1)),
  row('DB /5', 'fucomi', 'R', intoFlags('compareQuiet', 0)),
  row('DF /5', 'fucomip', 'R', intoFlags('compareQuiet', 1)),
  row('D9 =E4', 'ftst', '', withZero),
  row('D9 =E5', 'fxam', '', examine),
];
