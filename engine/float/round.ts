/**
 * Rounding and packing: a normalised significand with sticky bits becomes an operand of a format, with overflow,
 * underflow and precision exceptions and their masked and unmasked responses (Intel SDM vol. 1, sections 4.8.4, 4.9.1,
 * 8.5.4-8.5.6). Tininess is detected after rounding to the precision as if the exponent had no bound.
 *
 * An unmasked overflow or underflow gives, for toF80, the result with its exponent wrapped; for toF32 and toF64, whose
 * caller must not store then, nothing of use.
 */
import type { FunctionBuilder, Local } from '../wasm/function-builder.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, I64, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import {
  bit,
  EXPONENT_WRAP,
  F80,
  F80_EXPONENT_MAX,
  FLUSH_TO_ZERO,
  OVERFLOW,
  PRECISION,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUNDED_UP,
  ROUNDING_SHIFT,
  type RoundingFunctions,
  raise,
  setLocal,
  TOP_BIT,
  UNDERFLOW,
} from './context.js';
import { FORMAT_F32, FORMAT_F64, type Format } from './formats.js';
import { shiftRightSticky } from './wide.js';

/** Whether a magnitude is rounded up; `fraction` holds what is below one unit, its top bit the half. */
export function roundsUp(f: FunctionBuilder, rounding: I32, negative: I32, fraction: I64, odd: I32): I32 {
  const nearest = fraction.ltS(0).and(fraction.shl(1).ne(0).or(odd));
  const away = rounding.eq(select(negative, I32.of(ROUND_DOWN), I32.of(ROUND_UP))).and(fraction.ne(0));
  return f.let(select(rounding.eq(ROUND_NEAREST), nearest, away));
}

export const roundingOf = (control: I32): I32 => control.shrU(ROUNDING_SHIFT).and(3);

interface Rounded {
  readonly significand: Local<typeof TYPE_I64>;
  readonly up: I32;
  readonly inexact: I32;
}

/** Rounds high.low at bit `dropped` of high; the significand becomes 0 when the carry leaves it. */
function roundAt(f: FunctionBuilder, high: I64, low: I64, dropped: I64, rounding: I32, negative: I32): Rounded {
  const fraction = f.let(select(dropped.eqz(), low, high.shl(I64.of(64).sub(dropped)).or(bit(low.ne(0)))));
  const kept = f.let(high.shrU(dropped));
  const up = roundsUp(f, rounding, negative, fraction, kept.wrap().and(1));
  return { significand: setLocal(f, TYPE_I64, kept.add(bit(up)).shl(dropped)), up, inexact: f.let(fraction.ne(0)) };
}

function defineToF80(module: ModuleBuilder, flagsAddress: number) {
  return module.function({ parameters: [TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I64, TYPE_I32], results: F80 }, (f) => {
    const [signLocal, exponent, high, low, controlLocal] = f.parameters as [
      Local<typeof TYPE_I32>,
      Local<typeof TYPE_I32>,
      Local<typeof TYPE_I64>,
      Local<typeof TYPE_I64>,
      Local<typeof TYPE_I32>,
    ];
    const sign = signLocal.get();
    const control = controlLocal.get();

    // Extended precision, to nearest, neither tiny nor close to overflow.
    f.if(
      exponent
        .get()
        .sub(1)
        .ltU(F80_EXPONENT_MAX - 2)
        .and(control.and(0xf00).eq(0x300)),
      () => {
        f.if(low.get().eqz(), () => f.return(high.get(), sign.or(exponent.get())));
        const up = f.let(
          low
            .get()
            .ltS(0)
            .and(low.get().shl(1).or(high.get().and(1)).ne(0)),
        );
        raise(f, flagsAddress, select(up, I32.of(PRECISION | ROUNDED_UP), I32.of(PRECISION)));
        f.set(high, high.get().add(bit(up)));
        f.if(high.get().eqz(), () => {
          f.set(high, I64.of(TOP_BIT));
          f.set(exponent, exponent.get().add(1));
        });
        f.return(high.get(), sign.or(exponent.get()));
      },
    );

    const rounding = f.let(roundingOf(control));
    const precision = f.let(control.and(0x300));
    const dropped = f.let(select(precision.eq(0x200), I64.of(11), select(precision.eqz(), I64.of(40), I64.of(0))));
    const denormalised = setLocal(f, TYPE_I32, I32.of(0));
    f.if(exponent.get().leS(0), () => {
      const unbounded = roundAt(f, high.get(), low.get(), dropped, rounding, sign);
      f.if(exponent.get().ltS(0).or(unbounded.significand.get().ne(0)), () => {
        f.if(
          control.and(UNDERFLOW),
          () => {
            shiftRightSticky(f, high, low, f.let(I32.of(1).sub(exponent.get())));
            f.set(exponent, I32.of(0));
            f.set(denormalised, I32.of(1));
          },
          () => {
            raise(f, flagsAddress, UNDERFLOW);
            f.set(exponent, exponent.get().add(EXPONENT_WRAP));
            f.if(exponent.get().leS(0), () => {
              raise(f, flagsAddress, PRECISION);
              f.return(I64.of(0), sign);
            });
          },
        );
      });
    });

    const { significand, up, inexact } = roundAt(f, high.get(), low.get(), dropped, rounding, sign);
    const flags = setLocal(f, TYPE_I32, select(inexact, select(up, I32.of(PRECISION | ROUNDED_UP), I32.of(PRECISION)), I32.of(0)));
    f.if(denormalised.get(), () => {
      raise(f, flagsAddress, flags.get().or(select(inexact, I32.of(UNDERFLOW), I32.of(0))));
      f.return(significand.get(), sign.or(significand.get().shrU(63).wrap()));
    });
    f.if(significand.get().eqz(), () => {
      f.set(significand, I64.of(TOP_BIT));
      f.set(exponent, exponent.get().add(1));
    });
    f.if(exponent.get().geS(F80_EXPONENT_MAX), () => {
      f.if(
        control.and(OVERFLOW),
        () => {
          const toInfinity = f.let(rounding.eq(ROUND_NEAREST).or(rounding.eq(select(sign, I32.of(ROUND_DOWN), I32.of(ROUND_UP)))));
          raise(f, flagsAddress, select(toInfinity, I32.of(OVERFLOW | PRECISION | ROUNDED_UP), I32.of(OVERFLOW | PRECISION)));
          f.if(toInfinity, () => f.return(I64.of(TOP_BIT), sign.or(F80_EXPONENT_MAX)));
          f.return(I64.of(-1).shl(dropped), sign.or(F80_EXPONENT_MAX - 1));
        },
        () => {
          f.set(flags, flags.get().or(OVERFLOW));
          f.set(exponent, exponent.get().sub(EXPONENT_WRAP));
          f.if(exponent.get().geS(F80_EXPONENT_MAX), () => {
            raise(f, flagsAddress, OVERFLOW | PRECISION | ROUNDED_UP);
            f.return(I64.of(TOP_BIT), sign.or(F80_EXPONENT_MAX));
          });
        },
      );
    });
    raise(f, flagsAddress, flags.get());
    f.return(significand.get(), sign.or(exponent.get()));
  });
}

function defineToFormat(module: ModuleBuilder, flagsAddress: number, format: Format) {
  const { exponentMax, fractionBits, infinity } = format;
  const dropped = 63 - fractionBits;
  return module.function({ parameters: [TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I32], results: [TYPE_I64] }, (f) => {
    const [signLocal, exponent, significand, controlLocal] = f.parameters as [
      Local<typeof TYPE_I32>,
      Local<typeof TYPE_I32>,
      Local<typeof TYPE_I64>,
      Local<typeof TYPE_I32>,
    ];
    const negative = signLocal.get();
    const control = controlLocal.get();
    const signBit = f.let(negative.toI64U().shl(format.signShift));
    const rounding = f.let(roundingOf(control));
    const round = (): { kept: I64; up: I32; inexact: I32 } => {
      const kept = f.let(significand.get().shrU(dropped));
      const fraction = f.let(significand.get().shl(64 - dropped));
      const up = roundsUp(f, rounding, negative, fraction, kept.wrap().and(1));
      return { kept: f.let(kept.add(bit(up))), up, inexact: f.let(fraction.ne(0)) };
    };
    const denormalised = setLocal(f, TYPE_I32, I32.of(0));
    f.if(exponent.get().leS(0), () => {
      const unbounded = round();
      f.if(
        exponent
          .get()
          .ltS(0)
          .or(unbounded.kept.shrU(fractionBits + 1).eqz()),
        () => {
          f.if(
            control.and(UNDERFLOW),
            () => {
              f.if(control.and(FLUSH_TO_ZERO), () => {
                raise(f, flagsAddress, UNDERFLOW | PRECISION);
                f.return(signBit);
              });
              const scratch = setLocal(f, TYPE_I64, I64.of(0));
              shiftRightSticky(f, significand, scratch, f.let(I32.of(1).sub(exponent.get())));
              f.set(significand, significand.get().or(bit(scratch.get().ne(0))));
              f.set(exponent, I32.of(1));
              f.set(denormalised, I32.of(1));
            },
            () => {
              raise(
                f,
                flagsAddress,
                select(
                  unbounded.inexact,
                  select(unbounded.up, I32.of(UNDERFLOW | PRECISION | ROUNDED_UP), I32.of(UNDERFLOW | PRECISION)),
                  I32.of(UNDERFLOW),
                ),
              );
              f.return(signBit);
            },
          );
        },
      );
    });

    const { kept, up, inexact } = round();
    const flags = setLocal(f, TYPE_I32, select(inexact, select(up, I32.of(PRECISION | ROUNDED_UP), I32.of(PRECISION)), I32.of(0)));
    f.if(denormalised.get().and(inexact), () => f.set(flags, flags.get().or(UNDERFLOW)));
    // The integer bit of `kept` adds one to the exponent field; a denormal has none, so it starts from field 0 too.
    const bits = f.let(exponent.get().sub(1).toI64S().shl(fractionBits).add(kept));
    f.if(exponent.get().geS(exponentMax).or(bits.geU(infinity)), () => {
      f.if(
        control.and(OVERFLOW),
        () => {
          const toInfinity = f.let(rounding.eq(ROUND_NEAREST).or(rounding.eq(select(negative, I32.of(ROUND_DOWN), I32.of(ROUND_UP)))));
          raise(f, flagsAddress, select(toInfinity, I32.of(OVERFLOW | PRECISION | ROUNDED_UP), I32.of(OVERFLOW | PRECISION)));
          f.return(signBit.or(I64.of(infinity).sub(bit(toInfinity.eqz()))));
        },
        () => {
          raise(f, flagsAddress, flags.get().or(OVERFLOW));
          f.return(signBit);
        },
      );
    });
    f.if(flags.get(), () => raise(f, flagsAddress, flags.get()));
    f.return(signBit.or(bits));
  });
}

export function defineRounding(module: ModuleBuilder, flagsAddress: number): RoundingFunctions {
  return {
    toF80: defineToF80(module, flagsAddress),
    toF32: defineToFormat(module, flagsAddress, FORMAT_F32),
    toF64: defineToFormat(module, flagsAddress, FORMAT_F64),
  };
}
