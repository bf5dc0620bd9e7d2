/**
 * Operands that decide a result by what they are (Intel SDM volume 1, sections 4.8.3.5, 8.2.2 and 8.5.1, table 4-7): first
 * unsupported encodings, then NaNs.
 */
import { EXPONENT, type Extended, INDEFINITE, isNan, QUIET_BIT, type Real, signBit } from './real.js';
import { exactly, type Outcome } from './rounding.js';
import { DENORMAL, INVALID } from './words.js';

export const invalidOperation: Outcome = exactly(INDEFINITE, INVALID);

const quietened = ({ negative, significand }: Real): Extended => ({
  significand: significand | QUIET_BIT,
  signExponent: signBit(negative) | EXPONENT,
});

/** Of two NaNs: the quiet one, else the one with the larger significand, else the positive one. */
function chosen(a: Real, b: Real): Real {
  if (a.kind !== b.kind) return a.kind === 'quiet' ? a : b;
  if (a.significand !== b.significand) return a.significand > b.significand ? a : b;
  return a.negative ? b : a;
}

/** The outcome if an operand is unsupported or a NaN. */
export function specialOutcome(a: Real, b: Real = a): Outcome | undefined {
  if (a.kind === 'unsupported' || b.kind === 'unsupported') return invalidOperation;
  if (!isNan(a) && !isNan(b)) return undefined;
  const nan = !isNan(a) ? b : !isNan(b) ? a : chosen(a, b);
  const signals = a.kind === 'signalling' || b.kind === 'signalling';
  return exactly(quietened(nan), signals ? INVALID : 0);
}

export const denormalFlag = (...operands: readonly Real[]): number => (operands.some(({ denormal }) => denormal) ? DENORMAL : 0);
export const withExceptions = (outcome: Outcome, exceptions: number): Outcome =>
  exceptions === 0 ? outcome : { ...outcome, exceptions: outcome.exceptions | exceptions };
