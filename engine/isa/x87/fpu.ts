/**
 * What x87 instructions in generated code are made of: the register stack, exceptions and their unmasked response, the
 * pointers to the last instruction (Intel SDM volume 1, sections 8.1 and 8.4 to 8.7).
 *
 * Policy: the last opcode (FOP) is recorded when an exception is unmasked, as the Pentium 4 does. With CR0.NE clear an
 * unmasked exception leaves generated code, so that the machine sees FERR#, and a waiting instruction is tried again, tick
 * by tick, until the exception is gone (error-line.ts).
 */
import { VECTOR } from '../../cpu/exceptions.js';
import * as layout from '../../cpu/layout.js';
import { CR0 } from '../../cpu/state.js';
import { INDEFINITE_SIGN_EXPONENT, INDEFINITE_SIGNIFICAND } from '../../float/context.js';
import type { Context } from '../../translate/context.js';
import type { FunctionReference, Local } from '../../wasm/function-builder.js';
import { load16U, load64, store16, store64 } from '../../wasm/memory-access.js';
import { I32, I64, select, type TYPE_I32, type TYPE_I64, type Value } from '../../wasm/values.js';
import { ERROR_PENDING, STATUS } from './status.js';

/** An 80-bit value; both parts may be evaluated any number of times. */
export interface Extended {
  readonly significand: I64;
  readonly signExponent: I32;
}

export const INDEFINITE: Extended = {
  significand: I64.of(INDEFINITE_SIGNIFICAND),
  signExponent: I32.of(INDEFINITE_SIGN_EXPONENT),
};

/** Exceptions that abandon the operation when they are unmasked: IE, DE, ZE. */
export const BEFORE_THE_OPERATION = 0x07;
/** OE and UE, which keep a result out of memory when they are unmasked. */
export const OUT_OF_RANGE = 0x18;
const RESULT_FLAGS = STATUS.exceptions | STATUS.c1;

export class Fpu {
  /** Unmasked exceptions of the operation that was committed last. */
  private readonly unmasked: Local<typeof TYPE_I32>;

  constructor(readonly c: Context) {
    this.unmasked = c.newLocal();
  }

  get control(): I32 {
    return this.c.cell32(layout.X87_CONTROL);
  }
  get status(): I32 {
    return this.c.cell32(layout.X87_STATUS);
  }
  setStatus(value: I32): void {
    this.c.setCell32(layout.X87_STATUS, value);
  }

  // --- before the operation -------------------------------------------------------------------------------------

  /** #NM unless the FPU is there for this task. All that a non-waiting control instruction needs. */
  requireAvailable(): void {
    const { c } = this;
    c.f.if(emulatedOrSwitched(c), () => c.raise(VECTOR.deviceNotAvailable));
  }

  /** #NM, and what a pending unmasked exception does to a waiting instruction. */
  begin(unavailable: (c: Context) => I32 = emulatedOrSwitched): void {
    const { c } = this;
    const missing = c.let(unavailable(c));
    c.f.if(missing.or(this.status.and(STATUS.errorSummary)), () => {
      c.f.if(missing, () => c.raise(VECTOR.deviceNotAvailable));
      c.f.if(c.cell32(layout.CR0).and(CR0.ne), () => c.raise(VECTOR.x87));
      c.f.if(this.status.and(STATUS.ignoreError).eqz(), () => c.leave(c.eip()));
    });
  }

  /** Records where the instruction and its memory operand are; after the operand was read, since that may fault. */
  note(): void {
    const { c } = this;
    const selector = (segment: I32 | number): I32 =>
      typeof segment === 'number' ? c.cell32(layout.segmentAddress(segment) + layout.SEGMENT.selector) : loadSelector(segment);
    if (c.form.long) c.setWide(layout.X87_INSTRUCTION_OFFSET, c.eip().toI64U());
    else c.setCell32(layout.X87_INSTRUCTION_OFFSET, c.eip());
    c.setCell32(layout.X87_INSTRUCTION_SELECTOR, selector(layout.CS));
    if (!c.form.memory) return;
    c.setWide(layout.X87_OPERAND_OFFSET, c.narrowed(c.effectiveAddress()));
    // The addressing flags do not name a flat segment; the record does, above ModRM.
    c.setCell32(layout.X87_OPERAND_SELECTOR, selector(c.immediate.shrU(8).and(7)));
  }

  // --- registers ------------------------------------------------------------------------------------------------

  /** Physical number of ST(index), evaluated now. */
  private physical(index: I32 | number): I32 {
    const top = this.c.cell32(layout.X87_TOP);
    return this.c.let(index === 0 ? top : top.add(index).and(7));
  }
  private address(index: I32 | number): I32 {
    return this.c.let(this.physical(index).shl(4));
  }

  /** ST(index) whatever its tag, evaluated now. */
  get(index: I32 | number): Extended {
    const { c } = this;
    const address = this.address(index);
    return {
      significand: c.let(load64(address, layout.X87_REGISTERS)),
      signExponent: c.let(load16U(address, layout.X87_REGISTERS + 8)),
    };
  }

  /** Writes ST(index) and marks it as not empty. */
  set(index: I32 | number, value: Extended): void {
    const { c } = this;
    const physical = this.physical(index);
    const address = c.let(physical.shl(4));
    c.f.emit(store64(address, value.significand, layout.X87_REGISTERS));
    c.f.emit(store16(address, value.signExponent, layout.X87_REGISTERS + 8));
    this.setEmptyMask(this.emptyMask.and(I32.of(1).shl(physical).not()));
  }

  private get emptyMask(): I32 {
    return this.c.cell32(layout.X87_EMPTY);
  }
  private setEmptyMask(mask: I32): void {
    this.c.setCell32(layout.X87_EMPTY, mask);
  }

  /** 1 when ST(index) is empty, evaluated now. */
  isEmpty(index: I32 | number): I32 {
    return this.c.let(this.emptyMask.shrU(this.physical(index)).and(1));
  }
  free(index: I32 | number): void {
    this.setEmptyMask(this.emptyMask.or(I32.of(1).shl(this.physical(index))));
  }
  moveTop(by: 1 | -1): void {
    this.c.setCell32(layout.X87_TOP, this.c.cell32(layout.X87_TOP).add(by).and(7));
  }
  pop(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.free(0);
      this.moveTop(1);
    }
  }
  push(value: Extended): void {
    this.moveTop(-1);
    this.set(0, value);
  }

  // --- the operation --------------------------------------------------------------------------------------------

  /** Calls a function of the float library that gives an f80, with no exceptions in its cell before. */
  compute(target: FunctionReference, ...args: (Value | number)[]): Extended {
    this.clearFlags();
    return this.callExtended(target, ...args);
  }
  callExtended(target: FunctionReference, ...args: (Value | number)[]): Extended {
    const [significand, signExponent] = this.c.f.callMany(target, ...args) as [Local<typeof TYPE_I64>, Local<typeof TYPE_I32>];
    return { significand: significand.get(), signExponent: signExponent.get() };
  }
  clearFlags(): void {
    this.c.setCell32(layout.FLOAT_FLAGS, 0);
  }

  /** Exceptions (and C1) of the calls since `clearFlags`, evaluated now. */
  flags(): I32 {
    const flags = this.c.let(this.c.cell32(layout.FLOAT_FLAGS));
    const early = flags.and(this.control.not()).and(BEFORE_THE_OPERATION);
    return this.c.let(select(early, flags.and(BEFORE_THE_OPERATION), flags));
  }

  /** Exceptions in `flags` that are unmasked, evaluated now. */
  unmaskedOf(flags: I32): I32 {
    return this.c.let(flags.and(this.control.not()).and(STATUS.exceptions));
  }

  /** Takes exceptions and C1 into the status word; `codes` replaces the condition codes in `codeMask` too. */
  commit(flags: I32, codes: I32 | number = 0, codeMask = 0): void {
    const { c } = this;
    c.f.set(this.unmasked, this.unmaskedOf(flags));
    const kept = this.status.and(~(STATUS.c1 | codeMask));
    this.setStatus(kept.or(flags.and(RESULT_FLAGS)).or(codes));
    c.f.if(this.unmasked.get(), () => {
      this.setStatus(this.status.or(ERROR_PENDING));
      const opcode = (Number.parseInt(c.form.definition.encoding.slice(0, 2), 16) & 7) << 8;
      // The record keeps ModRM where instructions with immediates have theirs.
      c.setCell32(layout.X87_OPCODE, c.immediate.and(0xff).or(opcode));
    });
  }

  /** Ends an instruction that has committed exceptions. */
  finish(): void {
    const { c } = this;
    c.f.if(this.unmasked.get(), () => {
      c.f.if(c.cell32(layout.CR0).and(CR0.ne).eqz(), () => c.leave(c.nextEip()));
    });
  }

  /** Commits the exceptions of the operation; `store` happens unless one in `preventing` is unmasked. Ends the instruction. */
  conclude(store: () => void, preventing = BEFORE_THE_OPERATION): void {
    this.commit(this.flags());
    this.c.f.if(this.unmasked.get().and(preventing).eqz(), store);
    this.finish();
  }

  /** When `condition` holds, a stack fault takes the place of the operation; `masked` is its masked response. */
  stackFault(condition: I32, kind: 'underflow' | 'overflow', masked: () => void, codes = 0, codeMask = 0): void {
    const { c } = this;
    c.f.if(condition, () => {
      const flags = STATUS.invalid | (kind === 'overflow' ? STATUS.c1 : 0);
      this.commit(I32.of(flags), codes | STATUS.stackFault, codeMask);
      c.f.if(this.unmasked.get().eqz(), masked);
      this.finish();
      c.done();
    });
  }
}

const emulatedOrSwitched = (c: Context): I32 => c.cell32(layout.CR0).and(CR0.em | CR0.ts);

function loadSelector(segment: I32): I32 {
  return load16U(segment.mul(layout.SEGMENT_BYTES), layout.SEGMENTS + layout.SEGMENT.selector);
}
