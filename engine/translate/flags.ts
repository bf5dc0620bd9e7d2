/**
 * Lazy flags. FLAG_RESULT holds the last result, sign-extended to 32 bits; FLAG_CARRIES holds
 *   bit 31  CF (carry out)            bit 30  carry into the sign bit: OF = bit 31 xor bit 30
 *   bit 3   AF                        bits 8-15  xor'ed into the low byte of the result for PF
 *   bit 0   xor'ed into the sign of the result for SF
 * ZF = result is 0. Every operation leaves this form, so a reader never asks what the operation was; the two
 * correction fields make every value of EFLAGS representable. (Intel SDM volume 1, section 3.4.3.1.)
 */
import { FLAG_CARRIES, FLAG_RESULT } from '../cpu/layout.js';
import type { OperandSize } from '../isa/definition.js';
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { load32, store32 } from '../wasm/memory-access.js';
import { I32, I64 } from '../wasm/values.js';
import { type Int, signExtended, toI32 } from './int.js';

const CARRY_BITS = 0xc000_0000 | 0;

export class Flags {
  constructor(private readonly f: FunctionBuilder) {}

  private result(): I32 {
    return load32(I32.of(0), FLAG_RESULT);
  }
  private carries(): I32 {
    return load32(I32.of(0), FLAG_CARRIES);
  }
  private setResult(result: Int, size: OperandSize): void {
    // 64 bits fold into 32 so that zero and sign survive; parity is corrected through the low byte of the carries.
    const folded = result instanceof I64 ? result.shrU(32).wrap().or(result.wrap().ne(0)) : signExtended(result, size);
    this.f.emit(store32(I32.of(0), toI32(folded), FLAG_RESULT));
  }
  private setCarries(carries: I32): void {
    this.f.emit(store32(I32.of(0), carries, FLAG_CARRIES));
  }
  /** The parity correction that a folded 64-bit result needs. */
  private parityFix(result: Int): I32 | undefined {
    if (!(result instanceof I64)) return undefined;
    const folded = result.shrU(32).wrap().or(result.wrap().ne(0));
    return folded.xor(result.wrap()).and(0xff).shl(8);
  }
  /** Moves a carry vector of `size` bits into place. */
  private aligned(vector: Int, size: OperandSize): I32 {
    if (vector instanceof I64) return vector.shrU(32).wrap().and(CARRY_BITS).or(vector.wrap().and(8));
    const v = toI32(vector);
    if (size === 32) return v.and(CARRY_BITS | 8);
    return v
      .shl(32 - size)
      .and(CARRY_BITS)
      .or(v.and(8));
  }
  private store(result: Int, carries: I32, size: OperandSize): void {
    const fix = this.parityFix(result);
    this.setCarries(fix === undefined ? carries : carries.or(fix));
    this.setResult(result, size);
  }

  /** ADD, ADC: all arguments are cheap to evaluate repeatedly (locals). */
  add(a: Int, b: Int, result: Int, size: OperandSize): void {
    this.store(result, this.aligned(this.f.let((a.and(b) as I32).or((a.or(b) as I32).and(result.not() as I32))), size), size);
  }
  /** SUB, SBB, CMP, NEG: result = a - b (- borrow). */
  sub(a: Int, b: Int, result: Int, size: OperandSize): void {
    const notA = a.not() as I32;
    this.store(result, this.aligned(this.f.let((notA.and(b as I32) as I32).or(notA.or(b as I32).and(result as I32))), size), size);
  }
  /** AND, OR, XOR, TEST: CF = OF = 0; AF = 0 by policy. */
  logic(result: Int, size: OperandSize): void {
    this.store(result, I32.of(0), size);
  }
  /** INC (direction 1) and DEC (direction -1): CF stays. */
  incrementOrDecrement(a: Int, result: Int, size: OperandSize, direction: 1 | -1): void {
    const vector = direction === 1 ? (a.and(result.not() as I32) as I32) : (a.not().and(result as I32) as I32);
    const aligned = this.f.let(this.aligned(vector as Int, size));
    // With b = 1 the carries beyond bit 0 are a & ~r (r & ~a); bit 0 itself does not matter for any flag at size >= 8.
    const carry = this.f.let(this.carries().and(0x8000_0000 | 0));
    const overflow = aligned.xor(aligned.shl(1)).and(0x8000_0000 | 0);
    this.store(result, carry.or(overflow.xor(carry).shrU(1)).or(aligned.and(8)), size);
  }
  /** A result with carry and overflow given as 0 or 1; AF as 0 or 1 (0 by policy where it is undefined). */
  explicit(result: Int, size: OperandSize, carry: I32, overflow: I32, auxiliary: I32 | number = 0): void {
    const cf = this.f.let(carry);
    const bits = cf.shl(31).or(cf.xor(overflow).shl(30));
    this.store(result, auxiliary === 0 ? bits : bits.or(I32.of(auxiliary).shl(3)), size);
  }
  /** CF and OF given as 0 or 1, the others stay (rotates, multiplication by policy). */
  setCarryAndOverflow(carry: I32, overflow: I32): void {
    const cf = this.f.let(carry);
    this.setCarries(this.carries().and(~CARRY_BITS).or(cf.shl(31)).or(cf.xor(overflow).shl(30)));
  }
  /** CF given as 0 or 1, all others stay. */
  setCarry(carry: I32): void {
    const old = this.f.let(this.carries());
    this.setCarries(old.xor(old.shrU(31).xor(carry).neg().and(CARRY_BITS)));
  }
  /** ZF given as 0 or 1, all others stay. */
  setZero(zero: I32): void {
    const z = this.f.let(zero);
    this.setLow(this.f.let(this.cf()), this.f.let(this.pf()), this.f.let(this.af()), z, this.f.let(this.sf()), this.f.let(this.of()));
  }
  /** All six flags, each 0 or 1 and cheap to evaluate repeatedly. */
  setLow(cf: I32, pf: I32, af: I32, zf: I32, sf: I32, of: I32): void {
    this.setCarries(cf.shl(31).or(cf.xor(of).shl(30)).or(af.shl(3)).or(pf.xor(zf).shl(8)).or(sf));
    this.f.emit(store32(I32.of(0), zf.xor(1), FLAG_RESULT));
  }

  /** Each reader gives 0 or 1. */
  cf(): I32 {
    return this.carries().shrU(31);
  }
  of(): I32 {
    return this.carries().xor(this.carries().shl(1)).shrU(31);
  }
  af(): I32 {
    return this.carries().shrU(3).and(1);
  }
  zf(): I32 {
    return this.result().eqz();
  }
  sf(): I32 {
    return this.result().xor(this.carries().shl(31)).shrU(31);
  }
  pf(): I32 {
    return this.result().xor(this.carries().shrU(8)).and(0xff).popcnt().and(1).xor(1);
  }

  /** Condition code 0-15 (SDM volume 2, appendix B.1, "tttn"): 0 or 1. */
  condition(code: number): I32 {
    const test = this.positiveCondition(code >> 1);
    return (code & 1) === 0 ? test : test.eqz();
  }
  private positiveCondition(pair: number): I32 {
    switch (pair) {
      case 0:
        return this.of();
      case 1:
        return this.cf();
      case 2:
        return this.zf();
      case 3:
        return this.cf().or(this.zf());
      case 4:
        return this.sf();
      case 5:
        return this.pf();
      case 6:
        return this.less();
      default:
        return this.less().or(this.zf());
    }
  }
  /** SF != OF. */
  private less(): I32 {
    const carries = this.f.let(this.carries());
    return this.result().xor(carries.shl(31)).xor(carries).xor(carries.shl(1)).shrU(31);
  }

  /** Low byte of EFLAGS: SF ZF 0 AF 0 PF 1 CF. */
  lowByte(): I32 {
    return this.cf().or(2).or(this.pf().shl(2)).or(this.af().shl(4)).or(this.zf().shl(6)).or(this.sf().shl(7));
  }
}
