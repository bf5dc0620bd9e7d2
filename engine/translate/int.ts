/** Integers of the operand size: i32 for 8, 16 and 32 bits, i64 for 64. Upper bits are unspecified unless said. */
import type { OperandSize } from '../isa/definition.js';
import type { Code } from '../wasm/bytes.js';
import { type I32, I64 } from '../wasm/values.js';

/** What i32 and i64 have in common, so that one semantics serves all operand sizes. Both operands have one type. */
export interface Int {
  readonly type: I32['type'] | I64['type'];
  readonly code: Code;
  eqz(): I32;
  eq(other: Int | bigint | number): I32;
  ne(other: Int | bigint | number): I32;
  ltS(other: Int | bigint | number): I32;
  ltU(other: Int | bigint | number): I32;
  gtU(other: Int | bigint | number): I32;
  leU(other: Int | bigint | number): I32;
  geU(other: Int | bigint | number): I32;
  add(other: Int | bigint | number): Int;
  sub(other: Int | bigint | number): Int;
  mul(other: Int | bigint | number): Int;
  and(other: Int | bigint | number): Int;
  or(other: Int | bigint | number): Int;
  xor(other: Int | bigint | number): Int;
  shl(other: Int | bigint | number): Int;
  shrS(other: Int | bigint | number): Int;
  shrU(other: Int | bigint | number): Int;
  rotl(other: Int | bigint | number): Int;
  rotr(other: Int | bigint | number): Int;
  not(): Int;
  neg(): Int;
  clz(): Int;
  ctz(): Int;
}

export function toI32(value: Int): I32 {
  return value instanceof I64 ? value.wrap() : (value as unknown as I32);
}

export function toI64(value: Int): I64 {
  return value instanceof I64 ? value : (value as unknown as I32).toI64U();
}

/** An i32 amount or flag in the type of the operand size. */
export function widen(value: I32, size: OperandSize): Int {
  return size === 64 ? value.toI64U() : value;
}

/** From the low `size` bits of the value. */
export function signExtended(value: Int, size: number): Int {
  if (value instanceof I64)
    return size === 8 ? value.extend8S() : size === 16 ? value.extend16S() : size === 32 ? value.extend32S() : value;
  const narrow = value as unknown as I32;
  return size === 8 ? narrow.extend8S() : size === 16 ? narrow.extend16S() : narrow;
}

export function zeroExtended(value: Int, size: number): Int {
  if (size === 8) return value.and(0xff);
  if (size === 16) return value.and(0xffff);
  if (size === 32 && value instanceof I64) return value.and(I64.of(0xffff_ffff));
  return value;
}
