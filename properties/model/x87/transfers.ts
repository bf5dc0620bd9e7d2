/** FLD, FILD, FBLD, FST, FIST, FBSTP, constants, FXCH, FCMOVcc (Intel SDM volume 2). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { CONSTANTS } from './constants.js';
import {
  DECIMAL_INDEFINITE,
  extendedBits,
  extendedOfBits,
  fromDecimal,
  indefiniteOf,
  toDecimal,
  toExtended,
  toInteger,
  toInterchange,
} from './conversions.js';
import { checkDestination, inParts, type MemoryFormat, readOperand } from './operands.js';
import { DOUBLE, type Extended, INDEFINITE, type Real, realOfExtended, SINGLE } from './real.js';
import { roundFully, type StoredOutcome } from './rounding.js';
import { computing, type Unit } from './unit.js';
import { INVALID, OVERFLOW, PRE_COMPUTATION, STACK_FAULT, UNDERFLOW } from './words.js';

/** Pushes a value unless the stack is full. A denormal is loaded even when its exception is unmasked. */
function pushChecked(unit: Unit, value: Extended, exceptions = 0): void {
  if (!unit.isEmpty(7)) {
    if (unit.stackFault('overflow')) unit.push(INDEFINITE);
    return;
  }
  if ((unit.signal(exceptions) & INVALID) === 0) unit.push(value);
}

const loadMemory = (format: MemoryFormat): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const { value, exceptions } = toExtended(readOperand(unit.cpu, format));
    pushChecked(unit, value, exceptions);
  });
const loadExtended = computing((unit) => pushChecked(unit, extendedOfBits(inParts(unit.cpu, () => unit.cpu.read(0)))));
const loadDecimal = computing((unit) => {
  const { value, hasExcessDigits } = fromDecimal(inParts(unit.cpu, () => unit.cpu.read(0)));
  if (hasExcessDigits) unit.cpu.undefine('x87.fbld.digits');
  pushChecked(unit, value);
});
const loadConstant = (value: Real): ((cpu: Cpu) => void) => computing((unit) => pushChecked(unit, roundFully(value, unit.control).value));

const loadRegister = computing((unit) => {
  const source = unit.cpu.registerNumber(0);
  if (!unit.isEmpty(source)) pushChecked(unit, unit.st(source));
  else if (unit.stackFault('underflow')) unit.push(INDEFINITE);
});

type Conversion = (value: Real, control: number) => StoredOutcome;

/** Stores ST(0) and pops, unless an exception other than PE is unmasked; a fault of the access comes before both. */
function storeMemory(conversion: Conversion, indefinite: bigint, pops: 0 | 1): (cpu: Cpu) => void {
  const preventing = PRE_COMPUTATION | OVERFLOW | UNDERFLOW;
  return computing((unit) => {
    checkDestination(unit.cpu);
    const isEmpty = unit.isEmpty(0);
    const { bits, exceptions, roundedUp } = isEmpty
      ? { bits: indefinite, exceptions: INVALID, roundedUp: false }
      : conversion(realOfExtended(unit.st(0)), unit.control);
    if ((unit.signal(exceptions, roundedUp) & preventing) === 0) {
      unit.cpu.write(0, bits);
      unit.pop(pops);
    }
    if (isEmpty) unit.setCodes(0, STACK_FAULT);
  });
}

/** FSTP m80fp copies whatever is there. */
const storeExtended = computing((unit) => {
  checkDestination(unit.cpu);
  const isEmpty = unit.isEmpty(0);
  if (isEmpty && !unit.stackFault('underflow')) return;
  if (!isEmpty) unit.signal(0);
  unit.cpu.write(0, extendedBits(isEmpty ? INDEFINITE : unit.st(0)));
  unit.pop();
});

const storeReal = (format: typeof SINGLE, pops: 0 | 1): ((cpu: Cpu) => void) =>
  storeMemory((value, control) => toInterchange(value, format, control), indefiniteOf(format), pops);
const storeInteger = (bits: number, pops: 0 | 1): ((cpu: Cpu) => void) =>
  storeMemory((value, control) => toInteger(value, bits, control), 1n << BigInt(bits - 1), pops);

const storeRegister = (pops: 0 | 1): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const destination = unit.cpu.registerNumber(0);
    if (unit.isEmpty(0)) {
      unit.underflowInto(destination, pops);
      return;
    }
    unit.signal(0);
    unit.setSt(destination, unit.st(0));
    unit.pop(pops);
  });

/** D9 D8+i knows no stack fault: an empty ST(0) is popped and nothing stored. */
const storeRegisterUnchecked = computing((unit) => {
  unit.cpu.undefine('x87.undocumented');
  unit.signal(0);
  if (!unit.isEmpty(0)) unit.setSt(unit.cpu.registerNumber(0), unit.st(0));
  unit.pop();
});

const exchange = computing((unit) => {
  const other = unit.cpu.registerNumber(0);
  const contents = (index: number): Extended => (unit.isEmpty(index) ? INDEFINITE : unit.st(index));
  const [first, second] = [contents(0), contents(other)];
  if (!unit.isEmpty(0) && !unit.isEmpty(other)) unit.signal(0);
  else if (!unit.stackFault('underflow')) return;
  unit.setSt(0, second);
  unit.setSt(other, first);
});

/** An empty register is a stack fault whether the condition holds or not; C1 changes only then. */
const conditionalMove = (condition: (cpu: Cpu) => boolean): ((cpu: Cpu) => void) =>
  computing((unit) => {
    const source = unit.cpu.registerNumber(0);
    if (unit.isEmpty(0) || unit.isEmpty(source)) {
      unit.underflowInto(0);
    } else if (condition(unit.cpu)) unit.setSt(0, unit.st(source));
  });

const CONDITIONS: readonly { readonly suffix: string; readonly base: number; readonly holds: (cpu: Cpu) => boolean }[] = [
  { suffix: 'B', base: 0xc0, holds: (cpu) => cpu.flag('cf') },
  { suffix: 'E', base: 0xc8, holds: (cpu) => cpu.flag('zf') },
  { suffix: 'BE', base: 0xd0, holds: (cpu) => cpu.flag('cf') || cpu.flag('zf') },
  { suffix: 'U', base: 0xd8, holds: (cpu) => cpu.flag('pf') },
];

export const TRANSFERS: readonly Opcode[] = [
  opcode('D9 /0', 'FLD', 'm32', loadMemory('m32fp')),
  opcode('DD /0', 'FLD', 'm64', loadMemory('m64fp')),
  opcode('DB /5', 'FLD', 'm80', loadExtended),
  opcode('D9 C0+i', 'FLD', 'st(i)', loadRegister),
  opcode('DF /0', 'FILD', 'm16', loadMemory('m16int')),
  opcode('DB /0', 'FILD', 'm32', loadMemory('m32int')),
  opcode('DF /5', 'FILD', 'm64', loadMemory('m64int')),
  opcode('DF /4', 'FBLD', 'm80', loadDecimal),
  ...CONSTANTS.map(({ encoding, mnemonic, value }) => opcode(encoding, mnemonic, '', loadConstant(value))),

  opcode('D9 /2', 'FST', 'm32', storeReal(SINGLE, 0)),
  opcode('DD /2', 'FST', 'm64', storeReal(DOUBLE, 0)),
  opcode('D9 /3', 'FSTP', 'm32', storeReal(SINGLE, 1)),
  opcode('DD /3', 'FSTP', 'm64', storeReal(DOUBLE, 1)),
  opcode('DB /7', 'FSTP', 'm80', storeExtended),
  opcode('DF /2', 'FIST', 'm16', storeInteger(16, 0)),
  opcode('DB /2', 'FIST', 'm32', storeInteger(32, 0)),
  opcode('DF /3', 'FISTP', 'm16', storeInteger(16, 1)),
  opcode('DB /3', 'FISTP', 'm32', storeInteger(32, 1)),
  opcode('DF /7', 'FISTP', 'm64', storeInteger(64, 1)),
  opcode('DF /6', 'FBSTP', 'm80', storeMemory(toDecimal, DECIMAL_INDEFINITE, 1)),
  opcode('DD D0+i', 'FST', 'st(i)', storeRegister(0)),
  opcode('DD D8+i', 'FSTP', 'st(i)', storeRegister(1)),

  opcode('D9 C8+i', 'FXCH', 'st(i)', exchange),
  ...CONDITIONS.flatMap(({ suffix, base, holds }) => [
    opcode(`DA ${base.toString(16).toUpperCase()}+i`, `FCMOV${suffix}`, 'st(i)', conditionalMove(holds)),
    opcode(
      `DB ${base.toString(16).toUpperCase()}+i`,
      `FCMOVN${suffix}`,
      'st(i)',
      conditionalMove((cpu) => !holds(cpu)),
    ),
  ]),

  // Undocumented.
  opcode('D9 D8+i', 'FSTPNCE', 'st(i)', storeRegisterUnchecked),
  opcode('DF D0+i', 'FSTP', 'st(i)', storeRegister(1)),
  opcode('DF D8+i', 'FSTP', 'st(i)', storeRegister(1)),
  opcode('DD C8+i', 'FXCH', 'st(i)', exchange),
  opcode('DF C8+i', 'FXCH', 'st(i)', exchange),
];
