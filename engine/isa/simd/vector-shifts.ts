/**
 * Packed shifts by a count in a register, in memory or in the instruction (Intel SDM volume 2, PSLLW and so on). The count
 * is a 64-bit number; one beyond the element gives zeros, or copies of the sign.
 */

import type { Context } from '../../translate/context.js';
import { I32, type I64, select, type V128 } from '../../wasm/values.js';
import { type Definition, row } from '../definition.js';
import { type RegisterFile, readPacked, requireFile, writePacked, ZERO } from './operands.js';
import { inBothFiles, type PackedOperation } from './packed-integer.js';
import { I16, I32X4, I64X2 } from './vector-opcodes.js';

interface Shift {
  readonly opcode: number;
  readonly bits: number;
  readonly arithmetic: boolean;
}

function shifted(c: Context, shift: Shift, value: V128, count: I64): V128 {
  const last = shift.bits - 1;
  const places = c.let(count);
  const small = places.leU(last);
  if (shift.arithmetic) return value.op(shift.opcode, select(small, places.wrap(), I32.of(last)));
  return select(small, value.op(shift.opcode, places.wrap()), ZERO);
}

const byRegister =
  (shift: Shift): PackedOperation =>
  (c, a, b) =>
    shifted(c, shift, a, b.laneI64(0));

const rowsByImmediate = (opcode: string, digit: number, mnemonic: string, shift: Shift): Definition[] => {
  const semantics = (file: RegisterFile) => (c: Context) => {
    requireFile(c, file);
    writePacked(c, 0, file, shifted(c, shift, readPacked(c, 0, file), c.immediate.toI64U()));
  };
  return [
    row(`NP 0F ${opcode} /${digit}`, mnemonic, 'Nq,Ib', semantics('mmx')),
    row(`66 0F ${opcode} /${digit}`, mnemonic, 'Ux,Ib', semantics('xmm')),
  ];
};

/** Mnemonic, opcode of the form by register, opcode and digit of the form by immediate. */
const SHIFTS: readonly (readonly [string, string, string, number, Shift])[] = [
  ['psrlw', 'D1', '71', 2, { opcode: I16.shrU, bits: 16, arithmetic: false }],
  ['psrld', 'D2', '72', 2, { opcode: I32X4.shrU, bits: 32, arithmetic: false }],
  ['psrlq', 'D3', '73', 2, { opcode: I64X2.shrU, bits: 64, arithmetic: false }],
  ['psraw', 'E1', '71', 4, { opcode: I16.shrS, bits: 16, arithmetic: true }],
  ['psrad', 'E2', '72', 4, { opcode: I32X4.shrS, bits: 32, arithmetic: true }],
  ['psllw', 'F1', '71', 6, { opcode: I16.shl, bits: 16, arithmetic: false }],
  ['pslld', 'F2', '72', 6, { opcode: I32X4.shl, bits: 32, arithmetic: false }],
  ['psllq', 'F3', '73', 6, { opcode: I64X2.shl, bits: 64, arithmetic: false }],
];

export const VECTOR_SHIFTS: readonly Definition[] = SHIFTS.flatMap(([mnemonic, byCount, byImmediate, digit, shift]) => [
  ...inBothFiles(byCount, mnemonic, byRegister(shift)),
  ...rowsByImmediate(byImmediate, digit, mnemonic, shift),
]);
