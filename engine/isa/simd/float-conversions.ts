/**
 * Conversions between integers, binary32 and binary64 (Intel SDM volume 2, CVTDQ2PD to CVTTSS2SI). The forms differ in how
 * many elements they convert, where these come from and what becomes of the rest of the destination.
 */

import type { Context } from '../../translate/context.js';
import { type I32, I64, type V128 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { type Bits, call, DOUBLE, type Lanes, SINGLE, withExceptions, withLanes } from './float-lanes.js';
import * as native from './native-float.js';
import { enterMmx, type RegisterFile, readPacked, requireSse, requireSseAndMmx, writeLow, writePacked, ZERO } from './operands.js';

/** Rounding control of MXCSR: towards zero. */
const TRUNCATE = 0x6000;

type Convert = (c: Context, value: Bits, mxcsr: I32) => Bits;

const fromInteger =
  (to: Lanes): Convert =>
  (c, value, mxcsr) =>
    value instanceof I64
      ? call(c, to.functions(c).fromI64, value, mxcsr)
      : native.fromInteger(c, to, value, () => call(c, to.functions(c).fromI64, value.toI64S(), mxcsr));
const toInteger =
  (from: Lanes, truncate: boolean): Convert =>
  (c, value, mxcsr) => {
    const exact = (): I32 => call(c, from.functions(c).toI32, value, truncate ? mxcsr.or(TRUNCATE) : mxcsr) as I32;
    return native.toInteger(c, from, value, mxcsr, truncate, exact);
  };
const toDouble: Convert = (c, value, mxcsr) =>
  native.toDouble(c, value as I32, () => call(c, c.float.formats.f32ToF64, value, mxcsr) as I64);
const toSingle: Convert = (c, value, mxcsr) =>
  native.toSingle(c, value as I64, mxcsr, () => call(c, c.float.formats.f64ToF32, value, mxcsr) as I32);

/** Lanes of 32 bits hold integers as well as binary32. */
const DOUBLEWORDS = SINGLE;

interface PackedForm {
  readonly from: Lanes;
  readonly to: Lanes;
  /** Elements converted, from the lowest on. */
  readonly count: number;
  readonly convert: Convert;
  readonly source: RegisterFile;
  readonly destination: RegisterFile;
  /** The rest of the destination stays (else it is cleared). */
  readonly merge?: true;
}

const packed =
  (form: PackedForm): Semantics =>
  (c) => {
    const usesMmx = form.source === 'mmx' || form.destination === 'mmx';
    // CVTPI2PD from memory has nothing to do with MMX registers and leaves the x87 state alone.
    const isPlainLoad = form.source === 'mmx' && form.to === DOUBLE && c.isMemory(1);
    if (usesMmx && !isPlainLoad) requireSseAndMmx(c);
    else requireSse(c);
    const source = readPacked(c, 1, form.source);
    const results = withExceptions(c, (mxcsr) =>
      Array.from({ length: form.count }, (_, lane) => form.convert(c, c.let(form.from.get(source, lane)), mxcsr)),
    );
    const base: V128 = form.merge === true ? readPacked(c, 0, form.destination) : ZERO;
    writePacked(c, 0, form.destination, withLanes(form.to, base, results));
    if (form.source === 'mmx' && !isPlainLoad) enterMmx(c);
  };

/** To an integer of 64 bits. */
const toLongInteger =
  (from: Lanes, truncate: boolean): Convert =>
  (c, value, mxcsr) =>
    call(c, from.functions(c).toI64, value, truncate ? mxcsr.or(TRUNCATE) : mxcsr);

/** CVTSI2SS, CVTSI2SD: the rest of the destination stays. */
const integerToScalar =
  (to: Lanes): Semantics =>
  (c) => {
    requireSse(c);
    const value = c.let(c.read(1)) as Bits;
    writeLow(
      c,
      0,
      withExceptions(c, (mxcsr) => fromInteger(to)(c, value, mxcsr)),
    );
  };
const scalarToInteger =
  (from: Lanes, truncate: boolean): Semantics =>
  (c) => {
    requireSse(c);
    const value = from.readLow(c, 1);
    const convert = (c.size === 64 ? toLongInteger : toInteger)(from, truncate);
    c.write(
      0,
      withExceptions(c, (mxcsr) => convert(c, value, mxcsr)),
    );
  };
const scalarToScalar =
  (from: Lanes, convert: Convert): Semantics =>
  (c) => {
    requireSse(c);
    const value = from.readLow(c, 1);
    writeLow(c, 0, withExceptions(c, (mxcsr) => convert(c, value, mxcsr)) as I32 | I64);
  };

const xmm = { source: 'xmm', destination: 'xmm' } as const;
const fromMmx = { source: 'mmx', destination: 'xmm' } as const;
const toMmx = { source: 'xmm', destination: 'mmx' } as const;
const singlesToIntegers = (truncate: boolean) => ({ from: SINGLE, to: DOUBLEWORDS, convert: toInteger(SINGLE, truncate) });
const doublesToIntegers = (truncate: boolean) => ({ from: DOUBLE, to: DOUBLEWORDS, count: 2, convert: toInteger(DOUBLE, truncate) });
const integersToSingles = { from: DOUBLEWORDS, to: SINGLE, convert: fromInteger(SINGLE) };
const integersToDoubles = { from: DOUBLEWORDS, to: DOUBLE, count: 2, convert: fromInteger(DOUBLE) };

export const FLOAT_CONVERSIONS: readonly Definition[] = [
  row('NP 0F 2A /r', 'cvtpi2ps', 'Vx,Qq', packed({ ...fromMmx, ...integersToSingles, count: 2, merge: true })),
  row('66 0F 2A /r', 'cvtpi2pd', 'Vx,Qq', packed({ ...fromMmx, ...integersToDoubles })),
  row('F3 0F 2A /r', 'cvtsi2ss', 'Vx,Ey', integerToScalar(SINGLE)),
  row('F2 0F 2A /r', 'cvtsi2sd', 'Vx,Ey', integerToScalar(DOUBLE)),
  row('NP 0F 2C /r', 'cvttps2pi', 'Pq,Wq', packed({ ...toMmx, ...singlesToIntegers(true), count: 2 })),
  row('66 0F 2C /r', 'cvttpd2pi', 'Pq,Wx', packed({ ...toMmx, ...doublesToIntegers(true) })),
  row('F3 0F 2C /r', 'cvttss2si', 'Gy,Wd', scalarToInteger(SINGLE, true)),
  row('F2 0F 2C /r', 'cvttsd2si', 'Gy,Wq', scalarToInteger(DOUBLE, true)),
  row('NP 0F 2D /r', 'cvtps2pi', 'Pq,Wq', packed({ ...toMmx, ...singlesToIntegers(false), count: 2 })),
  row('66 0F 2D /r', 'cvtpd2pi', 'Pq,Wx', packed({ ...toMmx, ...doublesToIntegers(false) })),
  row('F3 0F 2D /r', 'cvtss2si', 'Gy,Wd', scalarToInteger(SINGLE, false)),
  row('F2 0F 2D /r', 'cvtsd2si', 'Gy,Wq', scalarToInteger(DOUBLE, false)),
  row('NP 0F 5A /r', 'cvtps2pd', 'Vx,Wq', packed({ ...xmm, from: SINGLE, to: DOUBLE, count: 2, convert: toDouble })),
  row('66 0F 5A /r', 'cvtpd2ps', 'Vx,Wx', packed({ ...xmm, from: DOUBLE, to: SINGLE, count: 2, convert: toSingle })),
  row('F3 0F 5A /r', 'cvtss2sd', 'Vx,Wd', scalarToScalar(SINGLE, toDouble)),
  row('F2 0F 5A /r', 'cvtsd2ss', 'Vx,Wq', scalarToScalar(DOUBLE, toSingle)),
  row('NP 0F 5B /r', 'cvtdq2ps', 'Vx,Wx', packed({ ...xmm, ...integersToSingles, count: 4 })),
  row('66 0F 5B /r', 'cvtps2dq', 'Vx,Wx', packed({ ...xmm, ...singlesToIntegers(false), count: 4 })),
  row('F3 0F 5B /r', 'cvttps2dq', 'Vx,Wx', packed({ ...xmm, ...singlesToIntegers(true), count: 4 })),
  row('66 0F E6 /r', 'cvttpd2dq', 'Vx,Wx', packed({ ...xmm, ...doublesToIntegers(true) })),
  row('F3 0F E6 /r', 'cvtdq2pd', 'Vx,Wq', packed({ ...xmm, ...integersToDoubles })),
  row('F2 0F E6 /r', 'cvtpd2dq', 'Vx,Wx', packed({ ...xmm, ...doublesToIntegers(false) })),
];
