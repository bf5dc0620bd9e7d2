/**
 * Where the host's floating-point instructions may stand in for the exact library: only where their result and the
 * exceptions are known to be the same. Rounding is to nearest and PE is masked and already set, so that raising it again
 * changes nothing; operands are normal or zero; results are well inside the normal range (no over- or underflow), or zero
 * for an exact reason. Then MXCSR does not change, FZ and DAZ have no effect, and no NaN comes out.
 */
import * as layout from '../../cpu/layout.js';
import type { Context } from '../../translate/context.js';
import { F64, I32, type I64, TYPE_I32, TYPE_I64, TYPE_V128, V128 } from '../../wasm/values.js';
import { type Bits, type Lanes, SINGLE } from './float-lanes.js';
import { AND, OR } from './vector-opcodes.js';

const ROUNDING = 0x6000;
const PRECISION_MASK = 0x1000;
const PRECISION = 0x20;

/** Inexact results need nothing to be done: PE is masked and set. */
const inexactIsSettled = (mxcsr: I32): I32 => mxcsr.and(PRECISION_MASK | PRECISION).eq(PRECISION_MASK | PRECISION);
const nearestAndSettled = (mxcsr: I32): I32 => mxcsr.and(ROUNDING | PRECISION_MASK | PRECISION).eq(PRECISION_MASK | PRECISION);

/** Vector instructions of an element format. */
interface VectorFormat {
  readonly operations: Readonly<Record<NativeOperation, number>>;
  readonly equal: number;
  readonly atLeast: number;
  readonly atMost: number;
  readonly allTrue: number;
  readonly zero: V128;
  readonly magnitude: V128;
  readonly smallestNormal: V128;
  /** The range of results that leaves no doubt. */
  readonly smallest: V128;
  readonly largest: V128;
  readonly infinity: V128;
}

export type NativeOperation = 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'min' | 'max';

function constants(
  bytes: 4 | 8,
  exponentShift: number,
): Pick<VectorFormat, 'zero' | 'magnitude' | 'smallestNormal' | 'smallest' | 'largest' | 'infinity'> {
  const all = (value: bigint): V128 => V128.of(Array.from({ length: 16 }, (_, i) => Number((value >> BigInt(8 * (i % bytes))) & 0xffn)));
  const exponentMax = (1n << BigInt(8 * bytes - 1 - exponentShift)) - 1n;
  const exponent = (value: bigint): bigint => value << BigInt(exponentShift);
  return {
    zero: all(0n),
    magnitude: all((1n << BigInt(8 * bytes - 1)) - 1n),
    smallestNormal: all(exponent(1n)),
    smallest: all(exponent(2n)),
    largest: all(exponent(exponentMax - 1n) - 1n),
    infinity: all(exponent(exponentMax)),
  };
}

const SINGLES: VectorFormat = {
  operations: { add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, sqrt: 0xe3, min: 0xea, max: 0xeb },
  equal: 0x37,
  atLeast: 0x3f,
  atMost: 0x3d,
  allTrue: 0xa3,
  ...constants(4, 23),
};
const DOUBLES: VectorFormat = {
  operations: { add: 0xf0, sub: 0xf1, mul: 0xf2, div: 0xf3, sqrt: 0xef, min: 0xf6, max: 0xf7 },
  equal: 0xd6,
  atLeast: 0xdb,
  atMost: 0xda,
  allTrue: 0xc3,
  ...constants(8, 52),
};

/**
 * The packed operation by the host where that is right in every element, else by `exact`; evaluated now. Magnitudes are
 * compared as signed integers. Operands are locals.
 */
export function packedNative(c: Context, lanes: Lanes, name: NativeOperation, a: V128, b: V128, exact: () => V128): V128 {
  const format = lanes === SINGLE ? SINGLES : DOUBLES;
  const { f } = c;
  const result = f.local(TYPE_V128);
  const magnitude = (value: V128): V128 => c.let(value.op(AND, format.magnitude));
  const both = (x: V128, y: V128): V128 => x.op(AND, y);
  const either = (x: V128, y: V128): V128 => x.op(OR, y);
  const isZero = (x: V128): V128 => x.op(format.equal, format.zero);
  const isNoDenormal = (x: V128): V128 => either(x.op(format.atLeast, format.smallestNormal), isZero(x));
  const opcode = format.operations[name];

  f.block((decided) => {
    const takeIf = (right: V128, value: V128): void =>
      f.if(right.test(format.allTrue), () => {
        f.set(result, value);
        f.br(decided);
      });
    if (name === 'min' || name === 'max') {
      const [x, y] = [magnitude(a), magnitude(b)];
      const isNumber = both(x.op(format.atMost, format.infinity), y.op(format.atMost, format.infinity));
      // The second operand is the result when neither is smaller (greater), as the host's pseudo-minimum has the first.
      takeIf(both(isNumber, both(isNoDenormal(x), isNoDenormal(y))), b.op(opcode, a));
    } else {
      f.if(nearestAndSettled(c.let(c.cell32(layout.MXCSR))), () => {
        const value = c.let(name === 'sqrt' ? b.op(opcode) : a.op(opcode, b));
        const [x, y, z] = [name === 'sqrt' ? undefined : magnitude(a), magnitude(b), magnitude(value)];
        const inRange = both(z.op(format.atLeast, format.smallest), z.op(format.atMost, format.largest));
        const operands = x === undefined ? isNoDenormal(y) : both(isNoDenormal(x), isNoDenormal(y));
        // A product or quotient that is zero for another reason has underflowed.
        const zeroIsExact = name === 'mul' ? either(isZero(x as V128), isZero(y)) : name === 'div' ? isZero(x as V128) : undefined;
        const exactZero = zeroIsExact === undefined ? isZero(z) : both(isZero(z), zeroIsExact);
        takeIf(both(operands, either(inRange, exactZero)), value);
      });
    }
    f.set(result, exact());
  });
  return result.get();
}

/** The number of a 32-bit integer in a format; binary64 has them all, binary32 those of up to 24 bits. */
export function fromInteger(c: Context, lanes: Lanes, value: I32, exact: () => Bits): Bits {
  if (lanes !== SINGLE) return c.let(value.toF64S().asI64());
  return c.f.choose(value.add(1 << 24).leU(1 << 25), () => value.toF32S().asI32(), exact as () => I32, TYPE_I32);
}

/** The 32-bit integer next to a number, where it exists and its inexactness does not matter. */
export function toInteger(c: Context, lanes: Lanes, bits: Bits, mxcsr: I32, truncate: boolean, exact: () => I32): I32 {
  const given = lanes === SINGLE ? (bits as I32).asF32().promote() : (bits as I64).asF64();
  const number = c.let(given);
  const whole = c.let((truncate ? number : number.nearest()).truncSatI32S());
  const fits = number.abs().lt(F64.of(2 ** 31 - 1));
  const roundsSo = truncate ? I32.of(1) : mxcsr.and(ROUNDING).eqz();
  const right = fits.and(roundsSo).and(inexactIsSettled(mxcsr).or(whole.toF64S().eq(number)));
  return c.f.choose(right, () => whole, exact, TYPE_I32);
}

/** binary32 to binary64 loses nothing; denormals and NaNs have exceptions to raise. */
export function toDouble(c: Context, bits: I32, exact: () => I64): I64 {
  const magnitude = c.let(bits.and(0x7fff_ffff));
  const isNormal = magnitude.sub(0x0080_0000).ltU(0x7f00_0000);
  return c.f.choose(isNormal.or(magnitude.eqz()), () => bits.asF32().promote().asI64(), exact, TYPE_I64);
}

export function toSingle(c: Context, bits: I64, mxcsr: I32, exact: () => I32): I32 {
  const result = c.let(bits.asF64().demote().asI32());
  const inRange = result.and(0x7fff_ffff).sub(0x0100_0000).ltU(0x7e00_0000);
  return c.f.choose(inRange.and(nearestAndSettled(mxcsr)), () => result, exact, TYPE_I32);
}
