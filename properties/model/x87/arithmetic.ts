/**
 * FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR in all forms, FSQRT, FRNDINT, FSCALE, FXTRACT, FPREM, FPREM1, FABS, FCHS (Intel SDM
 * volume 2).
 */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { add, type BinaryOperation, divide, multiply, squareRoot, subtract } from './basic-operations.js';
import { type MemoryFormat, readOperand } from './operands.js';
import { EXPONENT, INDEFINITE, type Real, realOfExtended, SIGN } from './real.js';
import type { Outcome } from './rounding.js';
import { extract, remainder, roundToInteger, scale } from './scaling-operations.js';
import { computing, type Unit } from './unit.js';
import { C0, C1, C2, C3, isReservedPrecision, PRE_COMPUTATION } from './words.js';

/** Signals; stores the result in ST(index) and pops unless an exception found before the operation is unmasked. */
function conclude(unit: Unit, { value, exceptions, roundedUp }: Outcome, index: number, pops = 0): void {
  if ((unit.signal(exceptions, roundedUp) & PRE_COMPUTATION) !== 0) return;
  unit.setSt(index, value);
  unit.pop(pops);
}

function controlFor(unit: Unit): number {
  const { control } = unit;
  if (isReservedPrecision(control)) unit.cpu.undefine('x87.precision.reserved');
  return control;
}

const reversed =
  (operation: BinaryOperation): BinaryOperation =>
  (a, b, control) =>
    operation(b, a, control);

/** Operations take ST(0) first. */
const withMemory = (operation: BinaryOperation, format: MemoryFormat): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const source = readOperand(unit.cpu, format);
    if (unit.isEmpty(0)) unit.underflowInto(0);
    else conclude(unit, operation(realOfExtended(unit.st(0)), source, controlFor(unit)), 0);
  });

const withRegister = (operation: BinaryOperation, destination: 'st(0)' | 'st(i)', pops = 0): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const other = unit.cpu.registerNumber(0);
    const target = destination === 'st(0)' ? 0 : other;
    if (unit.isEmpty(0) || unit.isEmpty(other)) unit.underflowInto(target, pops);
    else conclude(unit, operation(realOfExtended(unit.st(0)), realOfExtended(unit.st(other)), controlFor(unit)), target, pops);
  });

/** ST(0) becomes a function of itself. */
const onTop = (operation: (a: Real, control: number) => Outcome): ((cpu: Cpu) => void) =>
  computing((unit) => {
    if (unit.isEmpty(0)) unit.underflowInto(0);
    else conclude(unit, operation(realOfExtended(unit.st(0)), controlFor(unit)), 0);
  });

const scaleTop = computing((unit) => {
  if (unit.isEmpty(0) || unit.isEmpty(1)) unit.underflowInto(0);
  else conclude(unit, scale(realOfExtended(unit.st(0)), realOfExtended(unit.st(1)), unit.control), 0);
});

/** Whatever the register holds, its sign bit changes. */
const changeSign = (change: (signExponent: number) => number): ((cpu: Cpu) => void) =>
  computing((unit) => {
    if (unit.isEmpty(0)) {
      unit.underflowInto(0);
      return;
    }
    const { significand, signExponent } = unit.st(0);
    unit.signal(0);
    unit.setSt(0, { significand, signExponent: change(signExponent) });
  });

const extractTop = computing((unit) => {
  const isOverflow = !unit.isEmpty(0);
  if (!isOverflow || !unit.isEmpty(7)) {
    if (!unit.stackFault(isOverflow ? 'overflow' : 'underflow')) return;
    unit.setSt(0, INDEFINITE);
    unit.push(INDEFINITE);
    return;
  }
  const { exponent, significand, exceptions } = extract(realOfExtended(unit.st(0)));
  if ((unit.signal(exceptions) & PRE_COMPUTATION) !== 0) return;
  unit.setSt(0, exponent);
  unit.push(significand);
});

/** Without a quotient C0 and C3 stay, C1 and C2 are cleared. */
const partialRemainder = (nearest: boolean): ((cpu: Cpu) => void) =>
  computing((unit) => {
    if (unit.isEmpty(0) || unit.isEmpty(1)) {
      unit.cpu.undefine('x87.fprem.codes');
      unit.setCodes(C2, 0);
      unit.underflowInto(0);
      return;
    }
    const { value, exceptions, codes } = remainder(realOfExtended(unit.st(0)), realOfExtended(unit.st(1)), nearest, unit.control);
    const isAbandoned = (unit.signal(exceptions) & PRE_COMPUTATION) !== 0;
    if (codes === undefined || isAbandoned) {
      unit.cpu.undefine('x87.fprem.codes');
      unit.setCodes(C2, 0);
    } else {
      if (codes === C2) unit.cpu.undefine('x87.fprem.partial');
      unit.setCodes(C3 | C2 | C1 | C0, codes);
    }
    if (!isAbandoned) unit.setSt(0, value);
  });

interface Family {
  readonly digit: number;
  /** The register of the forms with a destination ST(i): the names of the reversed forms change places there. */
  readonly toRegister: string;
  readonly name: string;
  readonly operation: BinaryOperation;
}
const FAMILIES: readonly Family[] = [
  { digit: 0, name: 'ADD', toRegister: 'ADD', operation: add },
  { digit: 1, name: 'MUL', toRegister: 'MUL', operation: multiply },
  { digit: 4, name: 'SUB', toRegister: 'SUBR', operation: subtract },
  { digit: 5, name: 'SUBR', toRegister: 'SUB', operation: reversed(subtract) },
  { digit: 6, name: 'DIV', toRegister: 'DIVR', operation: divide },
  { digit: 7, name: 'DIVR', toRegister: 'DIV', operation: reversed(divide) },
];

function familyRows({ digit, name, toRegister, operation }: Family): Opcode[] {
  const base = (0xc0 + digit * 8).toString(16).toUpperCase();
  return [
    opcode(`D8 /${digit}`, `F${name}`, 'm32', withMemory(operation, 'm32fp')),
    opcode(`DC /${digit}`, `F${name}`, 'm64', withMemory(operation, 'm64fp')),
    opcode(`DE /${digit}`, `FI${name}`, 'm16', withMemory(operation, 'm16int')),
    opcode(`DA /${digit}`, `FI${name}`, 'm32', withMemory(operation, 'm32int')),
    opcode(`D8 ${base}+i`, `F${name}`, 'st(i)', withRegister(operation, 'st(0)')),
    opcode(`DC ${base}+i`, `F${toRegister}`, 'st(i)', withRegister(operation, 'st(i)')),
    opcode(`DE ${base}+i`, `F${toRegister}P`, 'st(i)', withRegister(operation, 'st(i)', 1)),
  ];
}

export const ARITHMETIC: readonly Opcode[] = [
  ...FAMILIES.flatMap(familyRows),
  opcode(
    'D9 E0',
    'FCHS',
    '',
    changeSign((signExponent) => signExponent ^ SIGN),
  ),
  opcode(
    'D9 E1',
    'FABS',
    '',
    changeSign((signExponent) => signExponent & EXPONENT),
  ),
  opcode('D9 F4', 'FXTRACT', '', extractTop),
  opcode('D9 F5', 'FPREM1', '', partialRemainder(true)),
  opcode('D9 F8', 'FPREM', '', partialRemainder(false)),
  opcode('D9 FA', 'FSQRT', '', onTop(squareRoot)),
  opcode('D9 FC', 'FRNDINT', '', onTop(roundToInteger)),
  opcode('D9 FD', 'FSCALE', '', scaleTop),
];
