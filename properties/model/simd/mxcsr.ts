/** MXCSR and what floating-point exceptions do (Intel SDM volume 1, sections 10.2.3 and 11.5). */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';

export const MXCSR = {
  invalid: 1 << 0,
  denormal: 1 << 1,
  divideByZero: 1 << 2,
  overflow: 1 << 3,
  underflow: 1 << 4,
  precision: 1 << 5,
  denormalsAreZeros: 1 << 6,
  /** The mask of an exception is its flag this many bits to the left. */
  masksAt: 7,
  roundingAt: 13,
  flushToZero: 1 << 15,
} as const;
/** MXCSR_MASK of FXSAVE: the bits that may be set. */
export const MXCSR_MASK = 0xffff;

/** Found before anything is computed: an unmasked one among them hides the others. */
const BEFORE_COMPUTING = MXCSR.invalid | MXCSR.denormal | MXCSR.divideByZero;

const CR4_OSXMMEXCPT = 1 << 10;

export const unmasked = (mxcsr: number, exceptions: number): boolean => (exceptions & ~(mxcsr >> MXCSR.masksAt)) !== 0;

/**
 * Sets the flags of what the elements of an operation have raised; faults if one of them is unmasked. Flags are set even
 * then: the one change that a faulting instruction leaves behind.
 */
export function deliverExceptions(cpu: Cpu, exceptions: number): void {
  if (exceptions === 0) return;
  const { state } = cpu;
  const mxcsr = state.u32(CPU_STATE.mxcsr);
  const early = exceptions & BEFORE_COMPUTING;
  const reported = unmasked(mxcsr, early) ? early : exceptions;
  state.setU32(CPU_STATE.mxcsr, mxcsr | reported);
  if (!unmasked(mxcsr, reported)) return;
  if ((state.u32(CPU_STATE.cr4) & CR4_OSXMMEXCPT) === 0) cpu.raise(VECTOR.ud);
  throw new ModelException(VECTOR.xm, undefined, BigInt(mxcsr | reported));
}
