/** The interpreter's specialisation of the semantics: operands come from the decoded record at run time. */
import * as layout from '../cpu/layout.js';
import type { Form } from '../isa/definition.js';
import { RECORD } from '../isa/record.js';
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { load8U, load16U, load32, load64, store64 } from '../wasm/memory-access.js';
import { I32, I64 } from '../wasm/values.js';
import { Context } from './context.js';
import { type Int, toI32 } from './int.js';
import type { Runtime } from './runtime.js';

/** How generated code hands control on: differs between the dispatch function and outlined functions. */
export interface Exits {
  fault(): void;
  jump(target: I32): void;
  /** `check` the target unless it was checked when the branch was linked. */
  jumpRelative(target: I32, check: (target: I32) => void): void;
  leave(target: I32): void;
  /** Leaves with EIP as it is in its cell. */
  outside(): void;
  host(): void;
  done(): void;
}

export class RecordContext extends Context {
  constructor(
    f: FunctionBuilder,
    form: Form,
    runtime: Runtime,
    private readonly record: I32,
    private readonly exits: Exits,
  ) {
    super(f, form, runtime);
  }

  registerField(field: 'reg' | 'rm'): I32 {
    return load8U(this.record, RECORD[field]);
  }
  get immediate(): I32 {
    return load32(this.record, RECORD.immediate);
  }
  get immediate64(): I64 {
    return load32(this.record, RECORD.immediate).toI64U().or(load32(this.record, RECORD.displacement).toI64U().shl(32));
  }
  get immediate2(): I32 {
    return load32(this.record, RECORD.displacement);
  }
  effectiveAddress(): Int {
    if (this.form.long) return this.longAddress();
    const base = load32(load8U(this.record, RECORD.base), layout.REGISTERS);
    const index = load32(load8U(this.record, RECORD.index), layout.REGISTERS).shl(load8U(this.record, RECORD.scale));
    return base.add(index).add(load32(this.record, RECORD.displacement));
  }
  private longAddress(): I64 {
    const displacement = load32(this.record, RECORD.displacement);
    if (this.form.operands.some(({ kind }) => kind === 'O')) return displacement.toI64U().or(this.immediate.toI64U().shl(32));
    const base = load64(load8U(this.record, RECORD.base), layout.REGISTERS);
    const index = load64(load8U(this.record, RECORD.index), layout.REGISTERS).shl(load8U(this.record, RECORD.scale).toI64U());
    return base.add(index).add(displacement.toI64S());
  }
  addressingFlags(): I32 {
    return load8U(this.record, RECORD.addressing);
  }
  eip(): I32 {
    return eipOf(this.record);
  }
  nextEip(): I32 {
    return this.eip().add(load8U(this.record, RECORD.length));
  }
  nextOffset(): Int {
    return this.form.long ? this.eip().toI64U().add(load8U(this.record, RECORD.length).toI64U()) : this.nextEip();
  }
  token(): I32 {
    return this.record;
  }
  leaveFault(): void {
    this.exits.fault();
  }
  jump(target: Int): void {
    this.exits.jump(this.below4GiB(target));
  }
  /** Code only runs there. Of any other target the fetch faults, when it is looked at. */
  private below4GiB(target: Int): I32 {
    if (!(target instanceof I64)) return toI32(target);
    const offset = this.let(target);
    this.f.if(offset.shrU(32).ne(0), () => {
      this.f.emit(store64(load0(), offset, layout.EIP));
      this.exits.outside();
    });
    return offset.wrap();
  }
  relativeTarget(): Int {
    if (!this.form.long) return this.maskedTarget(load32(load0(), layout.CODE_PAGE_EIP).add(this.immediate));
    return this.maskedTarget((this.nextOffset() as I64).add(load32(this.record, RECORD.displacement).toI64S()));
  }
  jumpRelative(undo?: () => void): void {
    this.exits.jumpRelative(this.below4GiB(this.relativeTarget()), (target) => {
      if (!this.form.long) this.requireTarget(target, undo);
    });
  }
  leave(target: I32): void {
    this.exits.leave(target);
  }
  host(): void {
    this.exits.host();
  }
  remainingTicks(): I32 {
    return load8U(this.record, RECORD.remaining);
  }
  done(): void {
    this.exits.done();
  }
}

function load0(): I32 {
  return I32.of(0);
}

/** Offset in CS of a record's instruction. */
export function eipOf(record: I32): I32 {
  return load32(load0(), layout.CODE_PAGE_EIP).add(load16U(record, RECORD.offset));
}
