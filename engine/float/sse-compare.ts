/** CMPSS, COMISS, UCOMISS, MINSS, MAXSS and their double forms (Intel SDM vol. 2). */
import type { FunctionReference } from '../wasm/function-builder.js';
import { I32, select, TYPE_I32 } from '../wasm/values.js';
import { DENORMAL, EQUAL, type FloatContext, GREATER, INVALID, LESS, raise, UNORDERED } from './context.js';
import type { Format } from './formats.js';
import {
  asResult,
  bitsParameter,
  controlOf,
  effectiveBits,
  isDenormalOperand,
  isSignalling,
  raiseSseDenormal,
  sseOperand,
  typeOf,
} from './sse-operands.js';

export interface SseCompare {
  /** (a, b, mxcsr) -> LESS, EQUAL, GREATER or UNORDERED, in the places of CF, PF and ZF. Any NaN raises IE (COMISS). */
  readonly compare: FunctionReference;
  /** The same, where only a signalling NaN raises IE (UCOMISS). */
  readonly compareQuiet: FunctionReference;
  /** (a, b, mxcsr, predicate 0-7) -> 1 or 0 (CMPSS) */
  readonly predicate: FunctionReference;
  /** (a, b, mxcsr) -> bits; b is the second source, which is the result for a NaN or two zeros. */
  readonly min: FunctionReference;
  readonly max: FunctionReference;
}

/** Bit p set: predicate p (LT, LE, NLT, NLE) raises IE for a quiet NaN too. */
const SIGNALLING_PREDICATES = 0x66;

export function defineSseCompare(context: FloatContext, format: Format): SseCompare {
  const { module, flagsAddress } = context;
  const type = typeOf(format);

  const compareWith = module.function({ parameters: [type, type, TYPE_I32, TYPE_I32], results: [TYPE_I32] }, (f) => {
    const mxcsr = f.parameter(2, TYPE_I32);
    const signalling = f.parameter(3, TYPE_I32);
    const a = sseOperand(f, format, bitsParameter(f, format, 0), mxcsr);
    const b = sseOperand(f, format, bitsParameter(f, format, 1), mxcsr);
    f.if(a.isNan.or(b.isNan), () => {
      f.if(signalling.or(isSignalling(format, a)).or(isSignalling(format, b)), () => raise(f, flagsAddress, INVALID));
      f.return(I32.of(UNORDERED));
    });
    f.if(isDenormalOperand(format, a).or(isDenormalOperand(format, b)), () => raise(f, flagsAddress, DENORMAL));
    f.if(a.magnitude.or(b.magnitude).eqz(), () => f.return(I32.of(EQUAL)));
    f.if(a.negative.ne(b.negative), () => f.return(select(a.negative, I32.of(LESS), I32.of(GREATER))));
    f.if(a.magnitude.eq(b.magnitude), () => f.return(I32.of(EQUAL)));
    f.return(select(a.magnitude.ltU(b.magnitude).ne(a.negative), I32.of(LESS), I32.of(GREATER)));
  });

  const compare = (signalling: number): FunctionReference =>
    module.function({ parameters: [type, type, TYPE_I32], results: [TYPE_I32] }, (f) => {
      f.returnCall(compareWith, f.parameter(0, type), f.parameter(1, type), f.parameter(2, TYPE_I32), signalling);
    });

  const predicate = module.function({ parameters: [type, type, TYPE_I32, TYPE_I32], results: [TYPE_I32] }, (f) => {
    const which = f.parameter(3, TYPE_I32);
    const signalling = I32.of(SIGNALLING_PREDICATES).shrU(which).and(1);
    const code = f.let(
      f.callValue(compareWith, TYPE_I32, f.parameter(0, type), f.parameter(1, type), f.parameter(2, TYPE_I32), signalling),
    );
    const less = code.eq(LESS);
    const equal = code.eq(EQUAL);
    const base = f.let(which.and(3));
    const holds = select(base.geU(2), select(base.eq(2), less.or(equal), code.eq(UNORDERED)), select(base.eqz(), equal, less));
    f.return(holds.xor(which.shrU(2)));
  });

  const extreme = (wanted: number): FunctionReference =>
    module.function({ parameters: [type, type, TYPE_I32], results: [type] }, (f) => {
      const mxcsr = f.parameter(2, TYPE_I32);
      const control = controlOf(f, mxcsr);
      const a = sseOperand(f, format, bitsParameter(f, format, 0), mxcsr);
      const b = sseOperand(f, format, bitsParameter(f, format, 1), mxcsr);
      f.if(a.isNan.or(b.isNan), () => {
        raise(f, flagsAddress, INVALID);
        f.return(asResult(format, effectiveBits(format, b)));
      });
      const denormal = isDenormalOperand(format, a).or(isDenormalOperand(format, b));
      raiseSseDenormal(f, flagsAddress, denormal, control, f.parameter(1, type));
      const code = f.callValue(compareWith, TYPE_I32, f.parameter(0, type), f.parameter(1, type), mxcsr, 0);
      f.return(asResult(format, select(code.eq(wanted), effectiveBits(format, a), effectiveBits(format, b))));
    });

  return { compare: compare(1), compareQuiet: compare(0), predicate, min: extreme(LESS), max: extreme(GREATER) };
}
