/** FCOM, FUCOM and FXAM (Intel SDM vol. 2). */
import type { FunctionReference } from '../wasm/function-builder.js';
import { I32, select, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { DENORMAL, EQUAL, F80, F80_EXPONENT_MAX, type FloatContext, GREATER, INVALID, LESS, raise, SIGN_80, UNORDERED } from './context.js';
import { exponentField, isDenormal, isNan, isQuiet, isUnsupported } from './x87-operands.js';

export interface X87Compare {
  /** (a, b) -> LESS, EQUAL, GREATER or UNORDERED, in the places of CF, PF and ZF. A quiet NaN raises IE. */
  readonly compare: FunctionReference;
  /** The same, where only a signalling NaN or an unsupported operand raises IE. */
  readonly compareQuiet: FunctionReference;
  /** (a) -> C3, C2, C1 and C0 of the status word for an operand that is not empty. */
  readonly classify: FunctionReference;
}

const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;

export function defineX87Compare(context: FloatContext): X87Compare {
  const { module, flagsAddress } = context;

  const compare = (quiet: boolean): FunctionReference =>
    module.function({ parameters: [...F80, ...F80], results: [TYPE_I32] }, (f) => {
      const a = f.parameter(0, TYPE_I64);
      const aSignExponent = f.parameter(1, TYPE_I32);
      const b = f.parameter(2, TYPE_I64);
      const bSignExponent = f.parameter(3, TYPE_I32);
      const unsupported = f.let(isUnsupported(a, aSignExponent).or(isUnsupported(b, bSignExponent)));
      const aNan = f.let(isNan(a, aSignExponent));
      const bNan = f.let(isNan(b, bSignExponent));
      f.if(unsupported.or(aNan).or(bNan), () => {
        if (quiet) {
          const signals = aNan.and(isQuiet(a).eqz()).or(bNan.and(isQuiet(b).eqz()));
          f.if(unsupported.or(signals), () => raise(f, flagsAddress, INVALID));
        } else {
          raise(f, flagsAddress, INVALID);
        }
        f.return(I32.of(UNORDERED));
      });
      f.if(isDenormal(a, aSignExponent).or(isDenormal(b, bSignExponent)), () => raise(f, flagsAddress, DENORMAL));
      f.if(a.or(b).eqz(), () => f.return(I32.of(EQUAL)));
      const aNegative = f.let(aSignExponent.and(SIGN_80));
      f.if(aNegative.ne(bSignExponent.and(SIGN_80)), () => f.return(select(aNegative, I32.of(LESS), I32.of(GREATER))));
      // A denormal has the exponent of the smallest normal number; zero compares right either way.
      const aField = f.let(exponentField(aSignExponent));
      const bField = f.let(exponentField(bSignExponent));
      const aExponent = f.let(aField.add(aField.eqz()));
      const bExponent = f.let(bField.add(bField.eqz()));
      f.if(aExponent.eq(bExponent).and(a.eq(b)), () => f.return(I32.of(EQUAL)));
      const smaller = aExponent.ltU(bExponent).or(aExponent.eq(bExponent).and(a.ltU(b)));
      f.return(select(smaller.eq(aNegative.eqz()), I32.of(LESS), I32.of(GREATER)));
    });

  const classify = module.function({ parameters: F80, results: [TYPE_I32] }, (f) => {
    const a = f.parameter(0, TYPE_I64);
    const signExponent = f.parameter(1, TYPE_I32);
    const sign = f.let(select(signExponent.and(SIGN_80), I32.of(C1), I32.of(0)));
    const exponent = f.let(exponentField(signExponent));
    f.if(exponent.eqz(), () => f.return(sign.or(select(a.eqz(), I32.of(C3), I32.of(C3 | C2)))));
    f.if(a.geS(0), () => f.return(sign));
    f.if(exponent.ne(F80_EXPONENT_MAX), () => f.return(sign.or(C2)));
    f.return(sign.or(select(a.shl(1).eqz(), I32.of(C2 | C0), I32.of(C0))));
  });

  return { compare: compare(false), compareQuiet: compare(true), classify };
}
