/**
 * Typed WebAssembly expressions. A value is the code that leaves it on the operand stack: using a value twice
 * evaluates it twice, so anything costly, or that reads state which may change, goes through `FunctionBuilder.let`.
 *
 * Opcodes: WebAssembly core specification 2.0, section 5.4 (numeric 5.4.7, vector 5.4.8).
 */
import { type Code, signedLeb32, signedLeb64, unsignedLeb } from './bytes.js';

export const TYPE_I32 = 0x7f;
export const TYPE_I64 = 0x7e;
export const TYPE_F32 = 0x7d;
export const TYPE_F64 = 0x7c;
export const TYPE_V128 = 0x7b;
export type ValueType = typeof TYPE_I32 | typeof TYPE_I64 | typeof TYPE_F32 | typeof TYPE_F64 | typeof TYPE_V128;

export abstract class Value {
  abstract readonly type: ValueType;
  // Assigned, not defined as a field: V8 makes that much faster, and there are a million of these.
  declare readonly code: Code;
  constructor(code: Code) {
    this.code = code;
  }
}

/** The operands' code, then the instruction. */
function join(opcode: number, first: Value, second?: Value): Code {
  return second === undefined ? [first.code, opcode] : [first.code, second.code, opcode];
}

export class I32 extends Value {
  get type(): typeof TYPE_I32 {
    return TYPE_I32;
  }
  static of(value: I32 | number): I32 {
    return typeof value === 'number' ? new I32([0x41, ...signedLeb32(value)]) : value;
  }
  private two(opcode: number, other: I32 | number): I32 {
    return new I32(join(opcode, this, I32.of(other)));
  }
  eqz(): I32 {
    return new I32(join(0x45, this));
  }
  eq(other: I32 | number): I32 {
    return this.two(0x46, other);
  }
  ne(other: I32 | number): I32 {
    return this.two(0x47, other);
  }
  ltS(other: I32 | number): I32 {
    return this.two(0x48, other);
  }
  ltU(other: I32 | number): I32 {
    return this.two(0x49, other);
  }
  gtS(other: I32 | number): I32 {
    return this.two(0x4a, other);
  }
  gtU(other: I32 | number): I32 {
    return this.two(0x4b, other);
  }
  leS(other: I32 | number): I32 {
    return this.two(0x4c, other);
  }
  leU(other: I32 | number): I32 {
    return this.two(0x4d, other);
  }
  geS(other: I32 | number): I32 {
    return this.two(0x4e, other);
  }
  geU(other: I32 | number): I32 {
    return this.two(0x4f, other);
  }
  clz(): I32 {
    return new I32(join(0x67, this));
  }
  ctz(): I32 {
    return new I32(join(0x68, this));
  }
  popcnt(): I32 {
    return new I32(join(0x69, this));
  }
  add(other: I32 | number): I32 {
    return other === 0 ? this : this.two(0x6a, other);
  }
  sub(other: I32 | number): I32 {
    return other === 0 ? this : this.two(0x6b, other);
  }
  mul(other: I32 | number): I32 {
    return this.two(0x6c, other);
  }
  divS(other: I32 | number): I32 {
    return this.two(0x6d, other);
  }
  divU(other: I32 | number): I32 {
    return this.two(0x6e, other);
  }
  remS(other: I32 | number): I32 {
    return this.two(0x6f, other);
  }
  remU(other: I32 | number): I32 {
    return this.two(0x70, other);
  }
  and(other: I32 | number): I32 {
    return this.two(0x71, other);
  }
  or(other: I32 | number): I32 {
    return this.two(0x72, other);
  }
  xor(other: I32 | number): I32 {
    return this.two(0x73, other);
  }
  shl(other: I32 | number): I32 {
    return other === 0 ? this : this.two(0x74, other);
  }
  shrS(other: I32 | number): I32 {
    return other === 0 ? this : this.two(0x75, other);
  }
  shrU(other: I32 | number): I32 {
    return other === 0 ? this : this.two(0x76, other);
  }
  rotl(other: I32 | number): I32 {
    return this.two(0x77, other);
  }
  rotr(other: I32 | number): I32 {
    return this.two(0x78, other);
  }
  not(): I32 {
    return this.xor(-1);
  }
  neg(): I32 {
    return I32.of(0).two(0x6b, this);
  }
  extend8S(): I32 {
    return new I32(join(0xc0, this));
  }
  extend16S(): I32 {
    return new I32(join(0xc1, this));
  }
  toI64S(): I64 {
    return new I64(join(0xac, this));
  }
  toI64U(): I64 {
    return new I64(join(0xad, this));
  }
  toF32S(): F32 {
    return new F32(join(0xb2, this));
  }
  toF64S(): F64 {
    return new F64(join(0xb7, this));
  }
  toF64U(): F64 {
    return new F64(join(0xb8, this));
  }
  asF32(): F32 {
    return new F32(join(0xbe, this));
  }
}

export class I64 extends Value {
  get type(): typeof TYPE_I64 {
    return TYPE_I64;
  }
  static of(value: I64 | bigint | number): I64 {
    return value instanceof I64 ? value : new I64([0x42, ...signedLeb64(BigInt(value))]);
  }
  private two(opcode: number, other: I64 | bigint | number): I64 {
    return new I64(join(opcode, this, I64.of(other)));
  }
  private test(opcode: number, other: I64 | bigint | number): I32 {
    return new I32(join(opcode, this, I64.of(other)));
  }
  eqz(): I32 {
    return new I32(join(0x50, this));
  }
  eq(other: I64 | bigint | number): I32 {
    return this.test(0x51, other);
  }
  ne(other: I64 | bigint | number): I32 {
    return this.test(0x52, other);
  }
  ltS(other: I64 | bigint | number): I32 {
    return this.test(0x53, other);
  }
  ltU(other: I64 | bigint | number): I32 {
    return this.test(0x54, other);
  }
  gtS(other: I64 | bigint | number): I32 {
    return this.test(0x55, other);
  }
  gtU(other: I64 | bigint | number): I32 {
    return this.test(0x56, other);
  }
  leS(other: I64 | bigint | number): I32 {
    return this.test(0x57, other);
  }
  leU(other: I64 | bigint | number): I32 {
    return this.test(0x58, other);
  }
  geS(other: I64 | bigint | number): I32 {
    return this.test(0x59, other);
  }
  geU(other: I64 | bigint | number): I32 {
    return this.test(0x5a, other);
  }
  clz(): I64 {
    return new I64(join(0x79, this));
  }
  ctz(): I64 {
    return new I64(join(0x7a, this));
  }
  popcnt(): I64 {
    return new I64(join(0x7b, this));
  }
  add(other: I64 | bigint | number): I64 {
    return this.two(0x7c, other);
  }
  sub(other: I64 | bigint | number): I64 {
    return this.two(0x7d, other);
  }
  mul(other: I64 | bigint | number): I64 {
    return this.two(0x7e, other);
  }
  divS(other: I64 | bigint | number): I64 {
    return this.two(0x7f, other);
  }
  divU(other: I64 | bigint | number): I64 {
    return this.two(0x80, other);
  }
  remS(other: I64 | bigint | number): I64 {
    return this.two(0x81, other);
  }
  remU(other: I64 | bigint | number): I64 {
    return this.two(0x82, other);
  }
  and(other: I64 | bigint | number): I64 {
    return this.two(0x83, other);
  }
  or(other: I64 | bigint | number): I64 {
    return this.two(0x84, other);
  }
  xor(other: I64 | bigint | number): I64 {
    return this.two(0x85, other);
  }
  shl(other: I64 | bigint | number): I64 {
    return this.two(0x86, other);
  }
  shrS(other: I64 | bigint | number): I64 {
    return this.two(0x87, other);
  }
  shrU(other: I64 | bigint | number): I64 {
    return this.two(0x88, other);
  }
  rotl(other: I64 | bigint | number): I64 {
    return this.two(0x89, other);
  }
  rotr(other: I64 | bigint | number): I64 {
    return this.two(0x8a, other);
  }
  not(): I64 {
    return this.xor(-1n);
  }
  neg(): I64 {
    return I64.of(0).two(0x7d, this);
  }
  extend8S(): I64 {
    return new I64(join(0xc2, this));
  }
  extend16S(): I64 {
    return new I64(join(0xc3, this));
  }
  extend32S(): I64 {
    return new I64(join(0xc4, this));
  }
  wrap(): I32 {
    return new I32(join(0xa7, this));
  }
  toF32S(): F32 {
    return new F32(join(0xb4, this));
  }
  toF64S(): F64 {
    return new F64(join(0xb9, this));
  }
  toF64U(): F64 {
    return new F64(join(0xba, this));
  }
  asF64(): F64 {
    return new F64(join(0xbf, this));
  }
}

export class F32 extends Value {
  get type(): typeof TYPE_F32 {
    return TYPE_F32;
  }
  private two(opcode: number, other: F32): F32 {
    return new F32(join(opcode, this, other));
  }
  private test(opcode: number, other: F32): I32 {
    return new I32(join(opcode, this, other));
  }
  eq(other: F32): I32 {
    return this.test(0x5b, other);
  }
  ne(other: F32): I32 {
    return this.test(0x5c, other);
  }
  lt(other: F32): I32 {
    return this.test(0x5d, other);
  }
  gt(other: F32): I32 {
    return this.test(0x5e, other);
  }
  le(other: F32): I32 {
    return this.test(0x5f, other);
  }
  ge(other: F32): I32 {
    return this.test(0x60, other);
  }
  abs(): F32 {
    return new F32(join(0x8b, this));
  }
  neg(): F32 {
    return new F32(join(0x8c, this));
  }
  nearest(): F32 {
    return new F32(join(0x90, this));
  }
  sqrt(): F32 {
    return new F32(join(0x91, this));
  }
  add(other: F32): F32 {
    return this.two(0x92, other);
  }
  sub(other: F32): F32 {
    return this.two(0x93, other);
  }
  mul(other: F32): F32 {
    return this.two(0x94, other);
  }
  div(other: F32): F32 {
    return this.two(0x95, other);
  }
  promote(): F64 {
    return new F64(join(0xbb, this));
  }
  asI32(): I32 {
    return new I32(join(0xbc, this));
  }
}

export class F64 extends Value {
  get type(): typeof TYPE_F64 {
    return TYPE_F64;
  }
  static of(value: number): F64 {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return new F64([0x44, ...bytes]);
  }
  private two(opcode: number, other: F64): F64 {
    return new F64(join(opcode, this, other));
  }
  private test(opcode: number, other: F64): I32 {
    return new I32(join(opcode, this, other));
  }
  eq(other: F64): I32 {
    return this.test(0x61, other);
  }
  ne(other: F64): I32 {
    return this.test(0x62, other);
  }
  lt(other: F64): I32 {
    return this.test(0x63, other);
  }
  gt(other: F64): I32 {
    return this.test(0x64, other);
  }
  le(other: F64): I32 {
    return this.test(0x65, other);
  }
  ge(other: F64): I32 {
    return this.test(0x66, other);
  }
  abs(): F64 {
    return new F64(join(0x99, this));
  }
  neg(): F64 {
    return new F64(join(0x9a, this));
  }
  nearest(): F64 {
    return new F64(join(0x9e, this));
  }
  sqrt(): F64 {
    return new F64(join(0x9f, this));
  }
  add(other: F64): F64 {
    return this.two(0xa0, other);
  }
  sub(other: F64): F64 {
    return this.two(0xa1, other);
  }
  mul(other: F64): F64 {
    return this.two(0xa2, other);
  }
  div(other: F64): F64 {
    return this.two(0xa3, other);
  }
  demote(): F32 {
    return new F32(join(0xb6, this));
  }
  asI64(): I64 {
    return new I64(join(0xbd, this));
  }
  /** Truncation that saturates instead of trapping. */
  truncSatI32S(): I32 {
    return new I32([this.code, 0xfc, 0x02]);
  }
  truncSatI64S(): I64 {
    return new I64([this.code, 0xfc, 0x06]);
  }
  truncSatI64U(): I64 {
    return new I64([this.code, 0xfc, 0x07]);
  }
}

export class V128 extends Value {
  get type(): typeof TYPE_V128 {
    return TYPE_V128;
  }
  /** A constant from sixteen byte values. */
  static of(bytes: ArrayLike<number>): V128 {
    if (bytes.length !== 16) throw new Error('a v128 constant has 16 bytes');
    return new V128([0xfd, 0x0c, ...Array.from(bytes)]);
  }
  /** Four times the same 32 bits. */
  static splat32(value: I32): V128 {
    return new V128([value.code, 0xfd, 0x11]);
  }
  /** A SIMD instruction (opcode of section 5.4.8) over this and the other operands that gives a vector. */
  op(opcode: number, ...others: Value[]): V128 {
    return new V128([this.code, ...others.map((other) => other.code), 0xfd, ...unsignedLeb(opcode)]);
  }
  /** A SIMD instruction that gives an i32 (bitmask, all_true, any_true). */
  test(opcode: number): I32 {
    return new I32([this.code, 0xfd, ...unsignedLeb(opcode)]);
  }
  shuffle(other: V128, lanes: readonly number[]): V128 {
    return new V128([this.code, other.code, 0xfd, 0x0d, ...lanes]);
  }
  laneI32(lane: 0 | 1 | 2 | 3): I32 {
    return new I32([this.code, 0xfd, 0x1b, lane]);
  }
  laneI64(lane: 0 | 1): I64 {
    return new I64([this.code, 0xfd, 0x1d, lane]);
  }
  withLaneI32(lane: number, value: I32): V128 {
    return new V128([this.code, value.code, 0xfd, 0x1c, lane]);
  }
  withLaneI64(lane: number, value: I64): V128 {
    return new V128([this.code, value.code, 0xfd, 0x1e, lane]);
  }
}

export interface ValueOf {
  [TYPE_I32]: I32;
  [TYPE_I64]: I64;
  [TYPE_F32]: F32;
  [TYPE_F64]: F64;
  [TYPE_V128]: V128;
}

export function valueOf<T extends ValueType>(type: T, code: Code): ValueOf[T] {
  switch (type) {
    case TYPE_I32:
      return new I32(code) as ValueOf[T];
    case TYPE_I64:
      return new I64(code) as ValueOf[T];
    case TYPE_F32:
      return new F32(code) as ValueOf[T];
    case TYPE_F64:
      return new F64(code) as ValueOf[T];
    default:
      return new V128(code) as ValueOf[T];
  }
}

/** `condition ? whenTrue : whenFalse` without a branch: both sides are evaluated. */
export function select<V extends Value>(condition: I32, whenTrue: V, whenFalse: V): V {
  return valueOf(whenTrue.type, [whenTrue.code, whenFalse.code, condition.code, 0x1b]) as Value as V;
}
