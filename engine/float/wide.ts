/**
 * 128-bit integer steps on significands: a number is `high.low`, high with bit 63 set once it is normalised, low with
 * its bit 0 sticky ("some lower bit was lost"). Division is Knuth's algorithm D with two 32-bit digits.
 */
import type { FunctionBuilder, Local } from '../wasm/function-builder.js';
import { F64, type I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { bit, setLocal } from './context.js';

/** exponent and high.low, in locals. */
export interface Wide {
  readonly exponent: Local<typeof TYPE_I32>;
  readonly high: Local<typeof TYPE_I64>;
  readonly low: Local<typeof TYPE_I64>;
}

/** A normalised operand; both parts may be evaluated any number of times. */
interface Finite {
  readonly exponent: I32;
  readonly significand: I64;
}

const LOW_HALF = 0xffffffffn;

function multiplyFull(f: FunctionBuilder, a: I64, b: I64): { high: I64; low: I64 } {
  const a0 = f.let(a.and(LOW_HALF));
  const a1 = f.let(a.shrU(32));
  const b0 = f.let(b.and(LOW_HALF));
  const b1 = f.let(b.shrU(32));
  const t0 = f.let(a0.mul(b0));
  const t1 = f.let(a1.mul(b0).add(t0.shrU(32)));
  const t2 = f.let(a0.mul(b1).add(t1.and(LOW_HALF)));
  return {
    high: f.let(a1.mul(b1).add(t1.shrU(32)).add(t2.shrU(32))),
    low: f.let(t2.shl(32).or(t0.and(LOW_HALF))),
  };
}

/** `high.low / divisor` for a divisor with bit 63 set and high below it. */
export function divideFull(f: FunctionBuilder, high: I64, low: I64, divisor: I64): { quotient: I64; remainder: I64 } {
  const d1 = f.let(divisor.shrU(32));
  const d0 = f.let(divisor.and(LOW_HALF));
  const digit = (upper: I64, next: I64): { q: I64; rest: I64 } => {
    const q = setLocal(f, TYPE_I64, upper.divU(d1));
    const r = setLocal(f, TYPE_I64, upper.sub(q.get().mul(d1)));
    f.block((done) => {
      f.loop((again) => {
        const tooBig = q
          .get()
          .shrU(32)
          .ne(0)
          .or(q.get().mul(d0).gtU(r.get().shl(32).or(next)));
        f.brIf(tooBig.eqz(), done);
        f.set(q, q.get().sub(1));
        f.set(r, r.get().add(d1));
        f.brIf(r.get().shrU(32).eqz(), again);
      });
    });
    return { q: q.get(), rest: f.let(upper.shl(32).or(next).sub(q.get().mul(divisor))) };
  };
  const first = digit(high, f.let(low.shrU(32)));
  const second = digit(first.rest, f.let(low.and(LOW_HALF)));
  return { quotient: f.let(first.q.shl(32).or(second.q)), remainder: second.rest };
}

/** Shifts right by 1 or more places; what falls off stays as the sticky bit 0. */
export function shiftRightSticky(f: FunctionBuilder, high: Local<typeof TYPE_I64>, low: Local<typeof TYPE_I64>, count: I32): void {
  const places = f.let(count.toI64U());
  const back = f.let(I64.of(0).sub(places));
  f.if(
    count.ltU(64),
    () => {
      f.set(
        low,
        low
          .get()
          .shrU(places)
          .or(high.get().shl(back))
          .or(bit(low.get().shl(back).ne(0))),
      );
      f.set(high, high.get().shrU(places));
    },
    () => {
      f.if(
        count.ltU(128),
        () => {
          const lost = select(count.eq(64), I64.of(0), high.get().shl(back)).or(low.get());
          f.set(
            low,
            high
              .get()
              .shrU(places)
              .or(bit(lost.ne(0))),
          );
        },
        () => f.set(low, bit(high.get().or(low.get()).ne(0))),
      );
      f.set(high, I64.of(0));
    },
  );
}

/** Shifts left until bit 63 of high is set; high.low is not zero. */
function normaliseWide(f: FunctionBuilder, wide: Wide): void {
  f.if(wide.high.get().eqz(), () => {
    f.set(wide.high, wide.low.get());
    f.set(wide.low, I64.of(0));
    f.set(wide.exponent, wide.exponent.get().sub(64));
  });
  f.if(wide.high.get().ltS(0).eqz(), () => {
    const places = f.let(wide.high.get().clz());
    f.set(
      wide.high,
      wide.high
        .get()
        .shl(places)
        .or(wide.low.get().shrU(I64.of(64).sub(places))),
    );
    f.set(wide.low, wide.low.get().shl(places));
    f.set(wide.exponent, wide.exponent.get().sub(places.wrap()));
  });
}

/** Puts the operand with the larger magnitude first; tells whether that was b. */
function order(f: FunctionBuilder, a: Finite, b: Finite): { large: Finite; small: Finite; swapped: I32 } {
  const swapped = f.let(a.exponent.ltS(b.exponent).or(a.exponent.eq(b.exponent).and(a.significand.ltU(b.significand))));
  const pick = (condition: I32, x: Finite, y: Finite): Finite => ({
    exponent: f.let(select(condition, x.exponent, y.exponent)),
    significand: f.let(select(condition, x.significand, y.significand)),
  });
  return { large: pick(swapped, b, a), small: pick(swapped, a, b), swapped };
}

function aligned(f: FunctionBuilder, large: Finite, small: Finite): Pick<Wide, 'high' | 'low'> {
  const high = setLocal(f, TYPE_I64, small.significand);
  const low = setLocal(f, TYPE_I64, I64.of(0));
  const distance = f.let(large.exponent.sub(small.exponent));
  f.if(distance, () => shiftRightSticky(f, high, low, distance));
  return { high, low };
}

export function addMagnitudes(f: FunctionBuilder, a: Finite, b: Finite): Wide {
  const { large, small } = order(f, a, b);
  const { high, low } = aligned(f, large, small);
  const exponent = setLocal(f, TYPE_I32, large.exponent);
  f.set(high, high.get().add(large.significand));
  f.if(high.get().ltU(large.significand), () => {
    f.set(low, low.get().shrU(1).or(low.get().and(1)).or(high.get().shl(63)));
    f.set(
      high,
      high
        .get()
        .shrU(1)
        .or(1n << 63n),
    );
    f.set(exponent, exponent.get().add(1));
  });
  return { exponent, high, low };
}

/** |a| - |b|, normalised unless it is zero; `swapped` when |b| is larger. */
export function subtractMagnitudes(f: FunctionBuilder, a: Finite, b: Finite): Wide & { swapped: I32 } {
  const { large, small, swapped } = order(f, a, b);
  const { high, low } = aligned(f, large, small);
  const wide = { exponent: setLocal(f, TYPE_I32, large.exponent), high, low };
  f.set(high, large.significand.sub(high.get()).sub(bit(low.get().ne(0))));
  f.set(low, low.get().neg());
  f.if(high.get().or(low.get()).ne(0), () => normaliseWide(f, wide));
  return { ...wide, swapped };
}

/** The product of two significands; `exponent` is the sum of the unbiased exponents (plus the bias of the result). */
export function multiplyMagnitudes(f: FunctionBuilder, exponentSum: I32, a: I64, b: I64): Wide {
  const product = multiplyFull(f, a, b);
  const wide = {
    exponent: setLocal(f, TYPE_I32, exponentSum.add(1)),
    high: setLocal(f, TYPE_I64, product.high),
    low: setLocal(f, TYPE_I64, product.low),
  };
  f.if(wide.high.get().ltS(0).eqz(), () => {
    f.set(wide.high, wide.high.get().shl(1).or(wide.low.get().shrU(63)));
    f.set(wide.low, wide.low.get().shl(1));
    f.set(wide.exponent, wide.exponent.get().sub(1));
  });
  return wide;
}

/** Where a remainder lies below one unit of the quotient: exactly at 0 or 1/2, or somewhere in between. */
function remainderAsLow(f: FunctionBuilder, remainder: I64, divisor: I64): I64 {
  const rest = f.let(divisor.sub(remainder));
  return select(
    remainder.eqz(),
    I64.of(0),
    select(remainder.eq(rest), I64.of(1n << 63n), select(remainder.gtU(rest), I64.of(3n << 62n), I64.of(1n << 62n))),
  );
}

export function divideMagnitudes(f: FunctionBuilder, exponentDifference: I32, a: I64, b: I64): Wide {
  const atLeastOne = f.let(a.geU(b));
  const high = f.let(select(atLeastOne, a.shrU(1), a));
  const low = f.let(select(atLeastOne, a.shl(63), I64.of(0)));
  const { quotient, remainder } = divideFull(f, high, low, b);
  return {
    exponent: setLocal(f, TYPE_I32, exponentDifference.sub(atLeastOne.eqz())),
    high: setLocal(f, TYPE_I64, quotient),
    low: setLocal(f, TYPE_I64, remainderAsLow(f, remainder, b)),
  };
}

/**
 * The root of a significand with its unbiased exponent. The native square root gives 53 bits (it is correctly rounded,
 * so it is the same everywhere), one Newton step in doubles the rest but for one unit, the exact remainder decides.
 */
export function squareRootMagnitude(f: FunctionBuilder, exponent: I32, significand: I64): Wide {
  const odd = f.let(exponent.and(1));
  const high = f.let(select(odd, significand, significand.shrU(1)));
  const low = f.let(select(odd, I64.of(0), significand.shl(63)));
  const root = setLocal(f, TYPE_I64, high.toF64U().sqrt().mul(F64_TWO_32).truncSatI64U());
  const restHigh = f.local(TYPE_I64);
  const restLow = f.local(TYPE_I64);
  const rest = (): void => {
    const square = multiplyFull(f, root.get(), root.get());
    f.set(restLow, low.sub(square.low));
    f.set(restHigh, high.sub(square.high).sub(bit(low.ltU(square.low))));
  };
  rest();
  // The remainder is below 2^78 in magnitude here: as a double it needs no more than its upper 64 bits below bit 78.
  const scaled = f.let(restHigh.get().shl(48).or(restLow.get().shrU(16)));
  const correction = scaled.toF64S().mul(F64_TWO_15).div(root.get().toF64U());
  f.set(root, root.get().add(correction.truncSatI64S()));
  rest();
  f.block((done) => {
    f.loop((again) => {
      f.brIf(restHigh.get().geS(0), done);
      f.set(root, root.get().sub(1));
      const twice = f.let(root.get().shl(1).or(1));
      const sum = f.let(restLow.get().add(twice));
      f.set(
        restHigh,
        restHigh
          .get()
          .add(root.get().shrU(63))
          .add(bit(sum.ltU(twice))),
      );
      f.set(restLow, sum);
      f.br(again);
    });
  });
  f.block((done) => {
    f.loop((again) => {
      // rest > 2 root: the next integer is still a lower bound of the root.
      const above = restHigh
        .get()
        .gtU(root.get().shrU(63))
        .or(
          restHigh
            .get()
            .eq(root.get().shrU(63))
            .and(restLow.get().gtU(root.get().shl(1))),
        );
      f.brIf(above.eqz(), done);
      const twice = f.let(root.get().shl(1).or(1));
      f.set(
        restHigh,
        restHigh
          .get()
          .sub(root.get().shrU(63))
          .sub(bit(restLow.get().ltU(twice))),
      );
      f.set(restLow, restLow.get().sub(twice));
      f.set(root, root.get().add(1));
      f.br(again);
    });
  });
  const exact = restHigh.get().or(restLow.get()).eqz();
  const aboveHalf = restHigh.get().ne(0).or(restLow.get().gtU(root.get()));
  return {
    exponent: setLocal(f, TYPE_I32, exponent.shrS(1)),
    high: root,
    low: setLocal(f, TYPE_I64, select(exact, I64.of(0), select(aboveHalf, I64.of(3n << 62n), I64.of(1n << 62n)))),
  };
}

const F64_TWO_32 = F64.of(2 ** 32);
const F64_TWO_15 = F64.of(2 ** 15);
