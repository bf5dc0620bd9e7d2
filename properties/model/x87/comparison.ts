/** FCOM, FICOM, FUCOM, FTST, FCOMI, FUCOMI and FXAM (Intel SDM volume 2). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { denormalFlag } from './nan.js';
import { type MemoryFormat, readOperand } from './operands.js';
import { isNan, type Real, realOfExtended, realOfInteger, SIGN } from './real.js';
import { computing, type Unit } from './unit.js';
import { C0, C1, C2, C3, INVALID, PRE_COMPUTATION } from './words.js';

type Relation = 'greater' | 'less' | 'equal' | 'unordered';

/** Of a to b. `quiet`: a quiet NaN is no invalid operand. */
function compare(a: Real, b: Real, quiet: boolean): { relation: Relation; exceptions: number } {
  if (a.kind === 'unsupported' || b.kind === 'unsupported') return { relation: 'unordered', exceptions: INVALID };
  if (isNan(a) || isNan(b)) {
    const signals = !quiet || a.kind === 'signalling' || b.kind === 'signalling';
    return { relation: 'unordered', exceptions: signals ? INVALID : 0 };
  }
  return { relation: order(a, b), exceptions: denormalFlag(a, b) };
}

function order(a: Real, b: Real): Relation {
  if (a.kind === 'zero' && b.kind === 'zero') return 'equal';
  const [signA, signB] = [signum(a), signum(b)];
  if (signA !== signB) return signA > signB ? 'greater' : 'less';
  const magnitudes = orderOfMagnitudes(a, b);
  if (magnitudes === 'equal') return 'equal';
  return (magnitudes === 'greater') === !a.negative ? 'greater' : 'less';
}
const signum = ({ kind, negative }: Real): number => (kind === 'zero' ? 0 : negative ? -1 : 1);

/** Of nonzero numbers. */
function orderOfMagnitudes(a: Real, b: Real): Relation {
  if (a.kind === 'infinity' || b.kind === 'infinity') return a.kind === b.kind ? 'equal' : a.kind === 'infinity' ? 'greater' : 'less';
  const difference = a.exponent - b.exponent;
  if (Math.abs(difference) > 128) return difference > 0 ? 'greater' : 'less';
  const left = difference > 0 ? a.significand << BigInt(difference) : a.significand;
  const right = difference < 0 ? b.significand << BigInt(-difference) : b.significand;
  return left === right ? 'equal' : left > right ? 'greater' : 'less';
}

/** Table 8-6 of volume 1. */
const CODES: Readonly<Record<Relation, number>> = { greater: 0, less: C0, equal: C3, unordered: C3 | C2 | C0 };
const setCodes = (unit: Unit, relation: Relation): void => unit.setCodes(C3 | C2 | C0, CODES[relation]);
/** The same in EFLAGS. */
function setFlags(cpu: Cpu, relation: Relation): void {
  const codes = CODES[relation];
  cpu.setFlag('zf', (codes & C3) !== 0);
  cpu.setFlag('pf', (codes & C2) !== 0);
  cpu.setFlag('cf', (codes & C0) !== 0);
  for (const flag of ['of', 'sf', 'af'] as const) cpu.setFlag(flag, false);
}

interface Form {
  readonly quiet: boolean;
  readonly pops: 0 | 1 | 2;
  readonly set: (unit: Unit, relation: Relation) => void;
  /** Policy row for a result in spite of an unmasked exception. */
  readonly unmasked: string;
}

/** A result is given even when an exception is unmasked; only the stack stays as it was. */
function conclude(unit: Unit, { quiet, pops, set, unmasked }: Form, a: Real, b: Real): void {
  const { relation, exceptions } = compare(a, b, quiet);
  set(unit, relation);
  if ((unit.signal(exceptions) & PRE_COMPUTATION) === 0) unit.pop(pops);
  else unit.cpu.undefine(unmasked);
}

function emptyOperand(unit: Unit, { pops, set, unmasked }: Form): void {
  set(unit, 'unordered');
  if (unit.stackFault('underflow')) unit.pop(pops);
  else unit.cpu.undefine(unmasked);
}

const codesForm = (quiet: boolean, pops: 0 | 1 | 2): Form => ({ quiet, pops, set: setCodes, unmasked: 'x87.compare.unmasked' });
const flagsForm = (quiet: boolean, pops: 0 | 1): Form => ({
  quiet,
  pops,
  set: (unit, relation) => {
    unit.cpu.undefine('x87.fcomi.c1');
    setFlags(unit.cpu, relation);
  },
  unmasked: 'x87.fcomi.unmasked',
});

const withRegister = (form: Form, index?: number): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const other = index ?? unit.cpu.registerNumber(0);
    if (unit.isEmpty(0) || unit.isEmpty(other)) emptyOperand(unit, form);
    else conclude(unit, form, realOfExtended(unit.st(0)), realOfExtended(unit.st(other)));
  });

const withMemory = (form: Form, format: MemoryFormat): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const source = readOperand(unit.cpu, format);
    if (unit.isEmpty(0)) emptyOperand(unit, form);
    else conclude(unit, form, realOfExtended(unit.st(0)), source);
  });

const test = computing((unit) => {
  const form = codesForm(false, 0);
  if (unit.isEmpty(0)) emptyOperand(unit, form);
  else conclude(unit, form, realOfExtended(unit.st(0)), realOfInteger(0n));
});

/** FXAM knows no exception; C1 is the sign bit, of an empty register too. */
const examine = computing((unit) => {
  const value = unit.st(0);
  const codes = unit.isEmpty(0) ? C3 | C0 : classCodes(realOfExtended(value));
  unit.setCodes(C3 | C2 | C1 | C0, codes | ((value.signExponent & SIGN) !== 0 ? C1 : 0));
});
function classCodes({ kind, denormal }: Real): number {
  if (denormal) return C3 | C2;
  return { unsupported: 0, quiet: C0, signalling: C0, finite: C2, infinity: C2 | C0, zero: C3 }[kind];
}

const COM = codesForm(false, 0);
const COMP = codesForm(false, 1);

export const COMPARISONS: readonly Opcode[] = [
  opcode('D8 /2', 'FCOM', 'm32', withMemory(COM, 'm32fp')),
  opcode('DC /2', 'FCOM', 'm64', withMemory(COM, 'm64fp')),
  opcode('D8 D0+i', 'FCOM', 'st(i)', withRegister(COM)),
  opcode('D8 /3', 'FCOMP', 'm32', withMemory(COMP, 'm32fp')),
  opcode('DC /3', 'FCOMP', 'm64', withMemory(COMP, 'm64fp')),
  opcode('D8 D8+i', 'FCOMP', 'st(i)', withRegister(COMP)),
  opcode('DE D9', 'FCOMPP', '', withRegister(codesForm(false, 2), 1)),
  opcode('DE /2', 'FICOM', 'm16', withMemory(COM, 'm16int')),
  opcode('DA /2', 'FICOM', 'm32', withMemory(COM, 'm32int')),
  opcode('DE /3', 'FICOMP', 'm16', withMemory(COMP, 'm16int')),
  opcode('DA /3', 'FICOMP', 'm32', withMemory(COMP, 'm32int')),
  opcode('DD E0+i', 'FUCOM', 'st(i)', withRegister(codesForm(true, 0))),
  opcode('DD E8+i', 'FUCOMP', 'st(i)', withRegister(codesForm(true, 1))),
  opcode('DA E9', 'FUCOMPP', '', withRegister(codesForm(true, 2), 1)),
  opcode('DB F0+i', 'FCOMI', 'st(i)', withRegister(flagsForm(false, 0))),
  opcode('DF F0+i', 'FCOMIP', 'st(i)', withRegister(flagsForm(false, 1))),
  opcode('DB E8+i', 'FUCOMI', 'st(i)', withRegister(flagsForm(true, 0))),
  opcode('DF E8+i', 'FUCOMIP', 'st(i)', withRegister(flagsForm(true, 1))),
  opcode('D9 E4', 'FTST', '', test),
  opcode('D9 E5', 'FXAM', '', examine),
  // Undocumented encodings of the same.
  opcode('DC D0+i', 'FCOM', 'st(i)', withRegister(COM)),
  opcode('DC D8+i', 'FCOMP', 'st(i)', withRegister(COMP)),
  opcode('DE D0+i', 'FCOMP', 'st(i)', withRegister(COMP)),
];
