/**
 * FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ (Intel SDM vol. 2, "FLD1/FLDL2T/..."; vol. 1, section 8.3.8): the
 * constants are kept to more bits than a register has and rounded by the rounding control. No exception is raised.
 */
import { ROUND_NEAREST, ROUND_UP, ROUNDING_SHIFT } from './context.js';
import type { Float80 } from './float80.js';

interface Constant extends Float80 {
  /** What follows the 64 bits of the significand: nothing, or less or more than half. */
  readonly rest: 'none' | 'belowHalf' | 'aboveHalf';
}

/** In the order of the opcodes D9 E8 to D9 EE. */
const CONSTANTS: readonly Constant[] = [
  { significand: 0x8000000000000000n, signExponent: 0x3fff, rest: 'none' }, // 1
  { significand: 0xd49a784bcd1b8afen, signExponent: 0x4000, rest: 'belowHalf' }, // log2(10)
  { significand: 0xb8aa3b295c17f0bbn, signExponent: 0x3fff, rest: 'aboveHalf' }, // log2(e)
  { significand: 0xc90fdaa22168c234n, signExponent: 0x4000, rest: 'aboveHalf' }, // pi
  { significand: 0x9a209a84fbcff798n, signExponent: 0x3ffd, rest: 'aboveHalf' }, // log10(2)
  { significand: 0xb17217f7d1cf79abn, signExponent: 0x3ffe, rest: 'aboveHalf' }, // ln(2)
  { significand: 0n, signExponent: 0, rest: 'none' }, // 0
];

/** The constant of D9 E8+index under a control word. */
export function constant80(index: number, control: number): Float80 {
  const { significand, signExponent, rest } = CONSTANTS[index]!;
  const rounding = (control >> ROUNDING_SHIFT) & 3;
  const up = rounding === ROUND_NEAREST ? rest === 'aboveHalf' : rounding === ROUND_UP && rest !== 'none';
  return { significand: significand + (up ? 1n : 0n), signExponent };
}
