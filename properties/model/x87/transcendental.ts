/** F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS (Intel SDM volume 2, the tables of results). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import {
  type Angle,
  angleOf,
  atTheEnds,
  exactZero,
  powerOfTwoLessOne,
  quartersOfPi,
  reduceAngle,
  sineOf,
  tangentOf,
  timesLogarithm,
} from './elementary.js';
import { denormalFlag, invalidOperation, specialOutcome, withExceptions } from './nan.js';
import { type Extended, INDEFINITE, infinity, magnitudeExponent, powerOfTwo, type Real, realOfExtended, zero } from './real.js';
import { exactly, type Outcome } from './rounding.js';
import { computing, type Unit } from './unit.js';
import { C2, PRE_COMPUTATION, PRECISION, ZERO_DIVIDE } from './words.js';

// --- functions of operands ------------------------------------------------------------------------------------------

function f2xm1(x: Real, control: number, unit: Unit): Outcome {
  const special = specialOutcome(x);
  if (special !== undefined) return special;
  if (x.kind === 'zero') return exactly(zero(x.negative));
  if (x.kind === 'infinity') return exactly(x.negative ? powerOfTwo(0, true) : infinity(false));
  if (magnitudeExponent(x) < 0) return powerOfTwoLessOne(x, control);
  const isOne = x.significand === 1n << BigInt(-x.exponent);
  if (isOne) return atTheEnds(x.negative);
  unit.cpu.undefine('x87.f2xm1.range');
  return exactly(unit.st(0), PRECISION);
}

/** The value of an operand as a fraction. */
const fractionOf = ({ significand, exponent }: Real): [bigint, bigint] =>
  exponent >= 0 ? [significand << BigInt(exponent), 1n] : [significand, 1n << BigInt(-exponent)];

/** y x log2(p / q) for positive p / q; a logarithm of zero has the sign `negativeZero`. */
function product(y: Real, p: bigint, q: bigint, negativeZero: boolean, control: number, denormal: number): Outcome {
  const isOne = p === q;
  const negative = y.negative !== (isOne ? negativeZero : p < q);
  if (y.kind === 'infinity') return isOne ? invalidOperation : exactly(infinity(negative), denormal);
  if (y.kind === 'zero' || isOne) return exactly(zero(negative), denormal);
  return withExceptions(timesLogarithm(y, p, q, control), denormal);
}

/** ST(1) x log2 ST(0) */
function fyl2x(x: Real, y: Real, control: number): Outcome {
  const special = specialOutcome(x, y);
  if (special !== undefined) return special;
  if (x.negative && x.kind !== 'zero') return invalidOperation;
  if (x.kind === 'zero') {
    if (y.kind === 'zero') return invalidOperation;
    return exactly(infinity(!y.negative), y.kind === 'infinity' ? 0 : ZERO_DIVIDE);
  }
  if (x.kind === 'infinity') return y.kind === 'zero' ? invalidOperation : exactly(infinity(y.negative), denormalFlag(y));
  const [p, q] = fractionOf(x);
  return product(y, p, q, false, control, denormalFlag(x, y));
}

/** ST(1) x log2 (ST(0) + 1) */
function fyl2xp1(x: Real, y: Real, control: number, unit: Unit): Outcome {
  const special = specialOutcome(x, y);
  if (special !== undefined) return special;
  if (x.kind === 'infinity') {
    unit.cpu.undefine('x87.fyl2xp1.range');
    return x.negative || y.kind === 'zero' ? invalidOperation : exactly(infinity(y.negative), denormalFlag(y));
  }
  // Defined between -(1 - sqrt(2)/2) and sqrt(2) - 1; a quarter is surely inside.
  if (x.kind === 'finite' && magnitudeExponent(x) >= -2) unit.cpu.undefine('x87.fyl2xp1.range');
  if (x.kind === 'finite' && x.negative && magnitudeExponent(x) >= 0) return invalidOperation;
  const [p, q] = fractionOf(x);
  return product(y, x.negative ? q - p : q + p, q, x.negative, control, denormalFlag(x, y));
}

/** The angle of the point with abscissa ST(0) and ordinate ST(1). */
function fpatan(x: Real, y: Real, control: number): Outcome {
  const special = specialOutcome(x, y);
  if (special !== undefined) return special;
  const { negative } = y;
  const multiple = (quarters: bigint): Outcome => withExceptions(quartersOfPi(negative, quarters, control), denormalFlag(x, y));
  if (y.kind === 'infinity') return multiple(x.kind !== 'infinity' ? 2n : x.negative ? 3n : 1n);
  if (y.kind === 'zero' || x.kind === 'infinity') return x.negative ? multiple(4n) : exactZero(negative, x, y);
  if (x.kind === 'zero') return multiple(2n);
  return withExceptions(angleOf(y, x, control), denormalFlag(x, y));
}

// --- instructions -----------------------------------------------------------------------------------------------------

const onTop = (operation: (x: Real, control: number, unit: Unit) => Outcome): ((cpu: Cpu) => void) =>
  computing((unit) => {
    if (unit.isEmpty(0)) {
      unit.underflowInto(0);
      return;
    }
    unit.cpu.undefine('x87.transcendental');
    const { value, exceptions, roundedUp } = operation(realOfExtended(unit.st(0)), unit.control, unit);
    if ((unit.signal(exceptions, roundedUp) & PRE_COMPUTATION) === 0) unit.setSt(0, value);
  });

/** The result replaces ST(1), ST(0) is popped. */
const intoNext = (operation: (x: Real, y: Real, control: number, unit: Unit) => Outcome): ((cpu: Cpu) => void) =>
  computing((unit) => {
    if (unit.isEmpty(0) || unit.isEmpty(1)) {
      unit.underflowInto(1, 1);
      return;
    }
    unit.cpu.undefine('x87.transcendental');
    const outcome = operation(realOfExtended(unit.st(0)), realOfExtended(unit.st(1)), unit.control, unit);
    if ((unit.signal(outcome.exceptions, outcome.roundedUp) & PRE_COMPUTATION) !== 0) return;
    unit.setSt(1, outcome.value);
    unit.pop();
  });

/** Results of a trigonometric instruction; a second one is pushed. C1 is that of the last that was rounded. */
interface Results {
  readonly values: readonly Extended[];
  readonly exceptions: number;
  readonly roundedUp: boolean;
}

/**
 * C2 says that the operand is out of range and was left alone, with no exception.
 * @param ofZero the results for a zero of that sign
 */
const trigonometric = (
  count: 1 | 2,
  ofZero: (negative: boolean) => Extended[],
  compute: (angle: Angle, control: number) => Results,
): ((cpu: Cpu) => void) =>
  computing((unit) => {
    unit.setCodes(C2, 0);
    const isUnderflow = unit.isEmpty(0);
    if (isUnderflow || (count === 2 && !unit.isEmpty(7))) {
      if (unit.stackFault(isUnderflow ? 'underflow' : 'overflow')) store(unit, [INDEFINITE, INDEFINITE].slice(0, count));
      return;
    }
    unit.cpu.undefine('x87.transcendental');
    const x = realOfExtended(unit.st(0));
    if (x.kind === 'finite' && magnitudeExponent(x) >= 63) {
      unit.signal(0);
      unit.setCodes(C2, C2);
      return;
    }
    const { values, exceptions, roundedUp } = results(x, count, ofZero, (angle) => compute(angle, unit.control));
    if ((unit.signal(exceptions, roundedUp) & PRE_COMPUTATION) === 0) store(unit, values);
  });

function store(unit: Unit, [first, second]: readonly Extended[]): void {
  unit.setSt(0, first!);
  if (second !== undefined) unit.push(second);
}

function results(x: Real, count: number, ofZero: (negative: boolean) => Extended[], compute: (angle: Angle) => Results): Results {
  const special = specialOutcome(x) ?? (x.kind === 'infinity' ? invalidOperation : undefined);
  if (special !== undefined) return { ...special, values: Array<Extended>(count).fill(special.value) };
  if (x.kind === 'zero') return { values: ofZero(x.negative), exceptions: 0, roundedUp: false };
  const computed = compute(reduceAngle(x));
  return { ...computed, exceptions: computed.exceptions | denormalFlag(x) };
}

const ONE = powerOfTwo(0);
const resultsOf = ({ value, exceptions, roundedUp }: Outcome, ...pushed: readonly Extended[]): Results => ({
  values: [value, ...pushed],
  exceptions,
  roundedUp,
});

const fsin = trigonometric(
  1,
  (negative) => [zero(negative)],
  (angle, control) => resultsOf(sineOf(angle, 0, control)),
);
const fcos = trigonometric(
  1,
  () => [ONE],
  (angle, control) => resultsOf(sineOf(angle, 1, control)),
);
const fsincos = trigonometric(
  2,
  (negative) => [zero(negative), ONE],
  (angle, control) => {
    const [sine, cosine] = [sineOf(angle, 0, control), sineOf(angle, 1, control)];
    return { values: [sine.value, cosine.value], exceptions: sine.exceptions | cosine.exceptions, roundedUp: cosine.roundedUp };
  },
);
const fptan = trigonometric(
  2,
  (negative) => [zero(negative), ONE],
  (angle, control) => resultsOf(tangentOf(angle, control), ONE),
);

export const TRANSCENDENTALS: readonly Opcode[] = [
  opcode('D9 F0', 'F2XM1', '', onTop(f2xm1)),
  opcode('D9 F1', 'FYL2X', '', intoNext(fyl2x)),
  opcode('D9 F2', 'FPTAN', '', fptan),
  opcode('D9 F3', 'FPATAN', '', intoNext(fpatan)),
  opcode('D9 F9', 'FYL2XP1', '', intoNext(fyl2xp1)),
  opcode('D9 FB', 'FSINCOS', '', fsincos),
  opcode('D9 FE', 'FSIN', '', fsin),
  opcode('D9 FF', 'FCOS', '', fcos),
];
