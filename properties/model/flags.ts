/** EFLAGS by name (SDM volume 1, 3.4.3), and the flags that results share. */
import type { FlagName } from './cpu.js';

export const FLAG_BIT: Readonly<Record<FlagName, number>> = {
  cf: 1 << 0,
  pf: 1 << 2,
  af: 1 << 4,
  zf: 1 << 6,
  sf: 1 << 7,
  tf: 1 << 8,
  if: 1 << 9,
  df: 1 << 10,
  of: 1 << 11,
  nt: 1 << 14,
  rf: 1 << 16,
  vm: 1 << 17,
  ac: 1 << 18,
  vif: 1 << 19,
  vip: 1 << 20,
  id: 1 << 21,
};
export const IOPL_SHIFT = 12;

/** PF is set when the low byte has an even number of ones. */
const EVEN_PARITY = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) ones++;
  return ones % 2 === 0 ? 1 : 0;
});
export const hasEvenParity = (byte: number): boolean => EVEN_PARITY[byte & 0xff] === 1;
