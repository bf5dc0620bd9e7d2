/**
 * FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ (Intel SDM volume 2): the constants, rounded by the rounding control
 * from more bits than a register holds. No exception is signalled.
 */
import { type Real, realOfInteger } from './real.js';

/** The first 96 bits; none of them ends in zeros for long, so that what follows does not matter. */
const constant = (significand: bigint, integerBits: number): Real => ({
  kind: 'finite',
  negative: false,
  significand,
  exponent: integerBits - 96,
  denormal: false,
});

export const CONSTANTS: readonly { readonly encoding: string; readonly mnemonic: string; readonly value: Real }[] = [
  { encoding: 'D9 E8', mnemonic: 'FLD1', value: realOfInteger(1n) },
  { encoding: 'D9 E9', mnemonic: 'FLDL2T', value: constant(0xd49a_784b_cd1b_8afe_492b_f6ffn, 2) },
  { encoding: 'D9 EA', mnemonic: 'FLDL2E', value: constant(0xb8aa_3b29_5c17_f0bb_be87_fed0n, 1) },
  { encoding: 'D9 EB', mnemonic: 'FLDPI', value: constant(0xc90f_daa2_2168_c234_c4c6_628bn, 2) },
  { encoding: 'D9 EC', mnemonic: 'FLDLG2', value: constant(0x9a20_9a84_fbcf_f798_8f89_59acn, -1) },
  { encoding: 'D9 ED', mnemonic: 'FLDLN2', value: constant(0xb172_17f7_d1cf_79ab_c9e3_b398n, 0) },
  { encoding: 'D9 EE', mnemonic: 'FLDZ', value: realOfInteger(0n) },
];
