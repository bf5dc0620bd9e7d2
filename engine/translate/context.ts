/**
 * What an instruction's semantics is written against: operands, memory, stack, flags, control. The semantics runs
 * once when code is generated; what it calls here emits code. Where operands come from (a decoded record at run time,
 * or constants of a translator) and how control leaves is the business of the subclass.
 *
 * Rules for semantics:
 * - An instruction that faults must not have changed anything: read and write memory before registers and flags.
 *   `modify` checks that it may write before it computes.
 * - A `Value` is an expression that is evaluated wherever it is used: what is used twice, or reads state that the
 *   semantics changes in between, goes through `let`.
 * - 8- and 16-bit values are zero-extended when read; upper bits are ignored when written.
 */
import * as layout from '../cpu/layout.js';
import { MODE_STACK_32 } from '../cpu/mode.js';
import type { FloatLibrary } from '../float/library.js';
import type { Form, Operand, OperandSize } from '../isa/definition.js';
import { operandBits } from '../isa/definition.js';
import { ADDRESSING } from '../isa/record.js';
import { emitWritten } from '../mmu/written-lines.js';
import type { Code } from '../wasm/bytes.js';
import type { FunctionBuilder, FunctionReference, Local } from '../wasm/function-builder.js';
import { load8U, load16U, load32, load64, load128, loadF64, store8, store16, store32, store64, store128 } from '../wasm/memory-access.js';
import { type F64, I32, I64, select, TYPE_I32, TYPE_I64, TYPE_V128, type V128 } from '../wasm/values.js';
import { Flags } from './flags.js';
import { type Int, signExtended, toI32, toI64 } from './int.js';
import type { Runtime } from './runtime.js';

/** Bits a memory access may have. 80-bit values are accessed as 64 + 16. */
export type AccessBits = 8 | 16 | 32 | 64 | 128;

/** Where a memory operand lives: `host` is its address in WebAssembly memory, or 0 when the slow path must be taken. */
interface ProbedWrite {
  readonly linear: I32;
  readonly host: I32;
}

export abstract class Context {
  readonly flags: Flags;
  readonly size: OperandSize;
  private linearOperand: I32 | undefined;

  constructor(
    readonly f: FunctionBuilder,
    readonly form: Form,
    protected readonly runtime: Runtime,
  ) {
    this.flags = new Flags(f);
    this.size = form.operandSize;
  }

  /** Exact floating-point arithmetic: functions to call. */
  get float(): FloatLibrary {
    return this.runtime.float;
  }

  // --- what a specialisation provides -------------------------------------------------------------------------

  /** Offset of the register of operand `field` from REGISTERS (general), or its number (others). */
  abstract registerField(field: 'reg' | 'rm'): I32;
  /** First immediate, 32 bits. */
  abstract get immediate(): I32;
  /** 64-bit immediate of MOV r64, imm64. */
  abstract get immediate64(): I64;
  /** Displacement field: the second immediate of instructions without a memory operand. */
  abstract get immediate2(): I32;
  /** Effective address of the memory operand before segmentation and before it is narrowed; 64 bits in 64-bit code. */
  abstract effectiveAddress(): Int;
  /** Of ADDRESSING. Outside 64-bit code nonzero when the memory operand needs segment checks, a base or narrowing. */
  abstract addressingFlags(): I32;
  /** Offset in CS of this instruction and of the next one. */
  abstract eip(): I32;
  abstract nextEip(): I32;
  /** Of the next instruction, as CALL pushes it. */
  abstract nextOffset(): Int;
  /** The record or an equivalent token that slow paths get to know where they are. */
  abstract token(): I32;
  /** Leaves with an exception: FAULT_VECTOR and FAULT_ERROR_CODE are set. Ends the code path. */
  abstract leaveFault(): void;
  /** Ends the block: goes on at an offset in CS (already masked to the operand size). Ends the code path. */
  abstract jump(target: Int): void;
  /**
   * Like `jump`, for a target that is a constant distance away and may be linked. #GP(0) when it lies beyond the code segment:
   * then `undo` what the instruction has done.
   */
  abstract jumpRelative(undo?: () => void): void;
  /** Ends the block and gives the machine a chance to look at interrupts and devices, then goes on at `target`. */
  abstract leave(target: I32): void;
  /** Leaves the instruction to its host semantics; nothing may have changed. Ends the code path. */
  abstract host(): void;
  /** Ticks from this instruction, itself included, to the end of the block: they are counted already. */
  abstract remainingTicks(): I32;
  /** The instruction is complete: goes on with the next one. Ends the code path; falling off the end means the same. */
  abstract done(): void;

  // --- ports ------------------------------------------------------------------------------------------------------

  /** Reads a port that may be accessed; evaluated now. EIP is exact for devices that call out. */
  readPort(port: I32, bytes: number): I32 {
    this.setCell32(layout.EIP, this.nextEip());
    return this.let(this.f.callValue(this.runtime.readPort, TYPE_I32, port, bytes, this.token()));
  }

  writePort(port: I32, bytes: number, value: I32): void {
    this.setCell32(layout.EIP, this.nextEip());
    this.f.call(this.runtime.writePort, port, bytes, value, this.token());
  }

  // --- values ---------------------------------------------------------------------------------------------------

  let<V extends { readonly code: Code }>(value: V): V {
    return this.f.let(value as never) as V;
  }

  const(value: number): Int {
    return this.size === 64 ? I64.of(value) : I32.of(value);
  }

  // --- operands -------------------------------------------------------------------------------------------------

  private operand(index: number): Operand {
    const operand = this.form.operands[index];
    if (operand === undefined) throw new Error(`${this.form.definition.mnemonic} has no operand ${index}`);
    return operand;
  }

  bits(index: number): number {
    return operandBits(this.operand(index), this.size);
  }

  isMemory(index: number): boolean {
    const kind = this.operand(index).kind;
    return kind === 'M' || kind === 'O' || (this.form.memory && (kind === 'E' || kind === 'Q' || kind === 'W'));
  }

  /** Reads an integer operand; evaluated now. 8- and 16-bit values are zero-extended to 32 bits. */
  read(index: number): Int {
    const operand = this.operand(index);
    const bits = this.bits(index);
    if (this.isMemory(index)) return this.load(this.linear(index, false), bits as AccessBits);
    switch (operand.kind) {
      case 'I':
        return this.immediateAt(operand, bits);
      case 'E':
      case 'R':
        return this.let(this.registerLoad(this.registerField('rm'), bits));
      case 'G':
      case 'Z':
        return this.let(this.registerLoad(this.registerField('reg'), bits));
      case 'fixed':
        if (operand.size === '1') return this.const(1);
        return this.let(this.registerLoad(I32.of(FIXED_OFFSET[operand.size] as number), bits));
      default:
        throw new Error(`${this.form.definition.mnemonic}: operand ${index} is not an integer`);
    }
  }

  private immediateAt(operand: Operand, bits: number): Int {
    if (bits === 64) return operand.size === 'v' ? this.immediate64 : this.immediate.toI64S();
    if (operand.size === 'z' && this.size === 64) return this.immediate.toI64S();
    return bits === 8 ? this.immediate.and(0xff) : bits === 16 ? this.immediate.and(0xffff) : this.immediate;
  }

  /** Writes an integer operand. In 64-bit code a 32-bit register write clears the upper half. */
  write(index: number, value: Int): void {
    const operand = this.operand(index);
    const bits = this.bits(index);
    if (this.isMemory(index)) {
      this.store(this.linear(index, true), bits as AccessBits, value);
      return;
    }
    switch (operand.kind) {
      case 'E':
      case 'R':
        this.registerStore(this.registerField('rm'), bits, value);
        return;
      case 'G':
      case 'Z':
        this.registerStore(this.registerField('reg'), bits, value);
        return;
      case 'fixed':
        this.registerStore(I32.of(FIXED_OFFSET[operand.size] as number), bits, value);
        return;
      default:
        throw new Error(`${this.form.definition.mnemonic}: operand ${index} cannot be written`);
    }
  }

  /**
   * Read, compute, write; a memory operand is checked for writing first, so that `compute` may change flags.
   * @returns the old value
   */
  modify(index: number, compute: (old: Int) => Int): Int {
    if (!this.isMemory(index)) {
      const before = this.read(index);
      this.write(index, compute(before));
      return before;
    }
    return this.modifyAt(this.linear(index, true), this.bits(index) as 8 | 16 | 32 | 64, compute);
  }

  /** `modify` at a linear address. */
  modifyAt(linear: I32, bits: 8 | 16 | 32 | 64, compute: (old: Int) => Int): Int {
    const target = this.probeWrite(linear, bits);
    const old = this.f.local(bits === 64 ? TYPE_I64 : TYPE_I32);
    this.f.if(
      target.host,
      () => this.f.set(old as never, hostLoad(target.host, bits) as never),
      () => this.f.set(old as never, this.slowLoad(target.linear, bits) as never),
    );
    const before = old.get() as unknown as Int;
    this.storeProbed(target, bits, compute(before));
    return before;
  }

  // --- general registers by number --------------------------------------------------------------------------------

  private registerLoad(offset: I32, bits: number): Int {
    return hostLoad(offset, bits as AccessBits, layout.REGISTERS) as Int;
  }
  private registerStore(offset: I32, bits: number, value: Int): void {
    switch (bits) {
      case 8:
        this.f.emit(store8(offset, toI32(value), layout.REGISTERS));
        return;
      case 16:
        this.f.emit(store16(offset, toI32(value), layout.REGISTERS));
        return;
      case 32:
        if (this.form.long) this.f.emit(store64(offset, toI32(value).toI64U(), layout.REGISTERS));
        else this.f.emit(store32(offset, toI32(value), layout.REGISTERS));
        return;
      default:
        this.f.emit(store64(offset, toI64(value), layout.REGISTERS));
    }
  }
  /** Register by encoding number (byte registers: 0-3 only, the low byte). Not evaluated yet. */
  register(number: number, bits: number): Int {
    return this.registerLoad(I32.of(layout.registerOffset(number)), bits);
  }
  setRegister(number: number, bits: number, value: Int): void {
    this.registerStore(I32.of(layout.registerOffset(number)), bits, value);
  }
  /** A general register (by its cell) as wide as addresses are: 64 bits in 64-bit code, else 32. Not evaluated yet. */
  wide(cell: number): Int {
    return this.form.long ? load64(I32.of(0), cell) : this.cell32(cell);
  }
  setWide(cell: number, value: Int): void {
    this.f.emit(this.form.long ? store64(I32.of(0), toI64(value), cell) : store32(I32.of(0), toI32(value), cell));
  }

  // --- cells of the CPU state --------------------------------------------------------------------------------------

  cell32(address: number): I32 {
    return load32(I32.of(0), address);
  }
  setCell32(address: number, value: I32 | number): void {
    this.f.emit(store32(I32.of(0), value, address));
  }

  // --- memory ---------------------------------------------------------------------------------------------------

  /**
   * Linear address of the memory operand, checked against its segment; evaluated once. An instruction that reads and
   * writes its operand must ask for writing first.
   */
  linear(index: number, write: boolean, bytes = Math.max(1, this.bits(index) / 8), alignment = 1): I32 {
    if (!this.isMemory(index)) throw new Error(`${this.form.definition.mnemonic}: operand ${index} is not in memory`);
    if (this.linearOperand === undefined) {
      this.linearOperand = this.segmented(this.effectiveAddress(), this.addressingFlags(), bytes, write, undefined, alignment);
      if (alignment > 1) this.requireAligned(this.linearOperand, alignment);
    }
    return this.linearOperand;
  }

  /** An address that the instruction may make narrower: to 16 bits, in 64-bit code to 32. */
  narrowed(address: Int): Int {
    const value = this.let(address);
    const narrow = this.addressingFlags().and(ADDRESSING.narrow);
    if (value instanceof I64) return select(narrow, value.and(0xffff_ffffn), value);
    return select(narrow, toI32(value).and(0xffff), toI32(value));
  }

  /** Linear address at `offset` with addressing flags made by the semantics (0: flat). */
  linearWith(offset: Int, flags: I32, bytes: number, write: boolean): I32 {
    return this.segmented(offset, this.let(flags), bytes, write);
  }

  /** Linear address of the memory operand plus a displacement (bit instructions). */
  linearDisplaced(index: number, displacement: Int, bytes: number, write: boolean): I32 {
    if (!this.isMemory(index)) throw new Error(`${this.form.definition.mnemonic}: operand ${index} is not in memory`);
    return this.segmented(this.effectiveAddress().add(displacement), this.addressingFlags(), bytes, write);
  }

  private segmented(offset: Int, flags: I32, bytes: number, write: boolean, undo?: () => void, alignment = 1): I32 {
    if (this.form.long) return this.segmentedLong(toI64(offset), flags, bytes, write, undo, alignment);
    const linear = this.f.local(TYPE_I32);
    this.f.set(linear, toI32(offset));
    this.f.if(flags, () => {
      this.f.set(
        linear,
        this.runtimeCall(this.runtime.segmentedLinear, linear.get(), flags, I32.of(bytes), I32.of(write ? 1 : 0), this.token()),
      );
      this.checkFault(undo);
    });
    return linear.get();
  }

  /** In 64-bit code: all that generated code accesses lies below 4 GiB, every other address faults. */
  private segmentedLong(offset: I64, flags: I32, bytes: number, write: boolean, undo: (() => void) | undefined, alignment: number): I32 {
    const linear = this.f.local(TYPE_I32);
    const at = this.let(offset);
    const beyond = at
      .or(at.add(bytes - 1))
      .shrU(32)
      .ne(0);
    this.f.if(
      flags.and(ADDRESSING.checked | ADDRESSING.narrow).or(beyond),
      () => {
        const access = (write ? 1 : 0) | (alignment << 1);
        const target = this.runtime.longLinear as FunctionReference;
        this.f.set(linear, this.f.callValue(target, TYPE_I32, at, flags, bytes, access, this.token()));
        this.checkFault(undo);
      },
      () => this.f.set(linear, at.wrap()),
    );
    return linear.get();
  }

  private runtimeCall(target: FunctionReference, ...args: I32[]): I32 {
    return this.f.callValue(target, TYPE_I32, ...args);
  }

  /** Leaves when a slow path has found a fault, once what the instruction did so far is undone. */
  private checkFault(undo?: () => void): void {
    this.f.if(this.cell32(layout.FAULT_VECTOR).ne(layout.NO_FAULT), () => {
      undo?.();
      this.leaveFault();
    });
  }

  /** Linear address of the memory operand for writing, for an instruction that has something to undo on a fault. */
  linearRestoring(index: number, undo: () => void): I32 {
    this.linearOperand = this.segmented(this.effectiveAddress(), this.addressingFlags(), this.bits(index) / 8, true, undo);
    return this.linearOperand;
  }

  /** 64-bit code: faults unless all of an implicit operand is canonical; it need not be there. */
  requireCanonical(offset: Int, bytes: number): void {
    const target = this.runtime.longLinear as FunctionReference;
    this.f.call(target, toI64(offset), this.addressingFlags(), bytes, 0, this.token());
    this.checkFault();
  }

  /** Linear address of an implicit operand at `offset` in the segment and with the address size the decoder chose. */
  linearImplicit(offset: Int, bytes: number, write: boolean): I32 {
    return this.segmented(offset, this.addressingFlags(), bytes, write);
  }

  /** Loads at a linear address that is cheap to evaluate repeatedly; evaluated now. Faults leave. */
  load(linear: I32, bits: AccessBits, undo?: () => void): Int {
    if (bits === 128) throw new Error('use load128');
    const at = this.let(linear);
    const result = this.f.local(bits === 64 ? TYPE_I64 : TYPE_I32);
    const entry = this.tlbEntry(at);
    this.f.if(
      this.lastPage(at, bits / 8).eq(load32(entry)),
      () => this.f.set(result as never, hostLoad(at.add(load32(entry, 8)), bits) as never),
      () => this.f.set(result as never, this.slowLoad(at, bits, undo) as never),
    );
    return result.get() as unknown as Int;
  }

  /** 16 bytes; no alignment check (see `requireAligned`). */
  load128(linear: I32): V128 {
    const at = this.let(linear);
    const result = this.f.local(TYPE_V128);
    const entry = this.tlbEntry(at);
    this.f.if(
      this.lastPage(at, 16).eq(load32(entry)),
      () => this.f.set(result, load128(at.add(load32(entry, 8)))),
      () => {
        this.f.call(this.runtime.slowLoad, at, 16, this.token());
        this.checkFault();
        this.f.set(result, load128(I32.of(0), layout.SCRATCH));
      },
    );
    return result.get();
  }

  store(linear: I32, bits: AccessBits, value: Int): void {
    const at = this.let(linear);
    const kept = this.let(value);
    const entry = this.tlbEntry(at);
    this.f.if(
      this.lastPage(at, bits / 8).eq(load32(entry, 4)),
      () => this.storeDirectly(this.let(at.add(load32(entry, 8))), bits, kept),
      () => {
        this.hostStore(I32.of(layout.SCRATCH), bits, kept);
        this.f.call(this.runtime.slowStore, at, bits / 8, this.token());
        this.checkFault();
      },
    );
  }

  store128(linear: I32, value: V128): void {
    const at = this.let(linear);
    const kept = this.let(value);
    const entry = this.tlbEntry(at);
    this.f.if(
      this.lastPage(at, 16).eq(load32(entry, 4)),
      () => {
        const host = this.let(at.add(load32(entry, 8)));
        this.f.emit(store128(host, kept));
        emitWritten(this.f, host, 16);
      },
      () => {
        this.f.emit(store128(I32.of(0), kept, layout.SCRATCH));
        this.f.call(this.runtime.slowStore, at, 16, this.token());
        this.checkFault();
      },
    );
  }

  /** Faults now if a write of `bytes` bytes would fault; nothing is written. */
  requireWritable(linear: I32, bytes: number): void {
    const at = this.let(linear);
    this.f.if(this.lastPage(at, bytes).ne(load32(this.tlbEntry(at), 4)), () => {
      this.f.call(this.runtime.slowProbeWrite, at, bytes, this.token());
      this.checkFault();
    });
  }

  /** #GP(0) unless the address is a multiple of `bytes` (SSE operands; SDM volume 1, section 4.1.1). */
  requireAligned(linear: I32, bytes: number): void {
    this.f.if(linear.and(bytes - 1), () => this.raise(13, 0));
  }

  private probeWrite(linear: I32, bits: number): ProbedWrite {
    const at = this.let(linear);
    const host = this.f.local(TYPE_I32);
    const entry = this.tlbEntry(at);
    this.f.if(
      this.lastPage(at, bits / 8).eq(load32(entry, 4)),
      () => this.f.set(host, at.add(load32(entry, 8))),
      () => {
        this.f.call(this.runtime.slowProbeWrite, at, bits / 8, this.token());
        this.checkFault();
        this.f.set(host, I32.of(0));
      },
    );
    return { linear: at, host: host.get() };
  }

  /** `hostPage` of an implicit supervisor read (descriptor tables). Not to be used while every access is looked at. */
  supervisorPage(linear: I32): I32 {
    const entry = this.tlbEntry(linear, I32.of(layout.TLB_SUPERVISOR));
    return this.let(select(linear.and(~0xfff).eq(load32(entry)), linear.add(load32(entry, 8)), I32.of(0)));
  }

  /** Host address of a linear address whose page may be read (written) directly now, else 0; evaluated now. */
  hostPage(linear: I32, write: boolean): I32 {
    const entry = this.tlbEntry(linear);
    return this.let(select(linear.and(~0xfff).eq(load32(entry, write ? 4 : 0)), linear.add(load32(entry, 8)), I32.of(0)));
  }

  private storeProbed(target: ProbedWrite, bits: 8 | 16 | 32 | 64, value: Int): void {
    const kept = this.let(value);
    this.f.if(
      target.host,
      () => this.storeDirectly(target.host, bits, kept),
      () => {
        this.hostStore(I32.of(layout.SCRATCH), bits, kept);
        this.f.call(this.runtime.slowStore, target.linear, bits / 8, this.token());
        this.checkFault();
      },
    );
  }

  /** Into a frame. */
  private storeDirectly(host: I32, bits: AccessBits, value: Int): void {
    this.hostStore(host, bits, value);
    emitWritten(this.f, host, bits / 8);
  }

  private hostStore(address: I32, bits: AccessBits, value: Int): void {
    switch (bits) {
      case 8:
        this.f.emit(store8(address, toI32(value)));
        return;
      case 16:
        this.f.emit(store16(address, toI32(value)));
        return;
      case 32:
        this.f.emit(store32(address, toI32(value)));
        return;
      default:
        this.f.emit(store64(address, toI64(value)));
    }
  }

  private slowLoad(linear: I32, bits: 8 | 16 | 32 | 64, undo?: () => void): Int {
    this.f.call(this.runtime.slowLoad, linear, bits / 8, this.token());
    this.checkFault(undo);
    return hostLoad(I32.of(0), bits, layout.SCRATCH) as Int;
  }

  /** TLB entry of a linear address, evaluated now. */
  private tlbEntry(linear: I32, table = this.cell32(layout.TLB_BASE)): I32 {
    const shift = 12 - layout.TLB_ENTRY_SHIFT;
    return this.let(
      linear
        .shrU(shift)
        .and((layout.TLB_ENTRIES - 1) * layout.TLB_ENTRY_BYTES)
        .add(table),
    );
  }

  /** Page of the last byte: it differs from the tag both on a miss and when the access leaves the page. */
  private lastPage(linear: I32, bytes: number): I32 {
    return linear.add(bytes - 1).and(~0xfff);
  }

  // --- stack ----------------------------------------------------------------------------------------------------

  /** Linear address of the stack in 64-bit code. */
  private longStack(pointer: I64, bits: 16 | 32 | 64, write: boolean, undo?: () => void): I32 {
    return this.segmentedLong(pointer, I32.of(layout.SS), bits / 8, write, undo, 1);
  }

  /** Pushes a value of `bits` bits; ESP changes only when nothing faulted. */
  push(value: Int, bits: 16 | 32 | 64): void {
    if (this.form.long) {
      const whole = this.let(value);
      const pointer = this.let(toI64(this.wide(layout.ESP)).sub(bits / 8));
      this.store(this.longStack(pointer, bits, true), bits, whole);
      this.setWide(layout.ESP, pointer);
      return;
    }
    const kept = this.let(toI32(value));
    this.f.if(
      this.cell32(layout.STACK_FLAT),
      () => {
        const pointer = this.let(this.cell32(layout.ESP).sub(bits / 8));
        this.store(pointer, bits, kept);
        this.setCell32(layout.ESP, pointer);
      },
      () => {
        this.f.call(this.runtime.slowPush, kept, bits / 8, this.token());
        this.checkFault();
      },
    );
  }

  /** Pops a value of `bits` bits; evaluated now. */
  pop(bits: 16 | 32 | 64): Int {
    return this.popRestoring(bits, undefined);
  }

  /** `pop` for an instruction that has changed something already. */
  popRestoring(bits: 16 | 32 | 64, undo: (() => void) | undefined): Int {
    if (this.form.long) {
      const pointer = this.let(toI64(this.wide(layout.ESP)));
      const value = this.load(this.longStack(pointer, bits, false, undo), bits, undo);
      this.setWide(layout.ESP, pointer.add(bits / 8));
      return value;
    }
    const result = this.f.local(TYPE_I32);
    this.f.if(
      this.cell32(layout.STACK_FLAT),
      () => {
        this.f.set(result, toI32(this.load(this.cell32(layout.ESP), bits, undo)));
        this.setCell32(layout.ESP, this.cell32(layout.ESP).add(bits / 8));
      },
      () => {
        this.f.call(this.runtime.slowPop, bits / 8, this.token());
        this.checkFault(undo);
        this.f.set(result, hostLoad(I32.of(0), bits, layout.SCRATCH) as I32);
      },
    );
    return result.get();
  }

  /** Adds to the stack pointer at the stack's address size. */
  releaseStack(bytes: I32): void {
    if (this.form.long) {
      this.setWide(layout.ESP, toI64(this.wide(layout.ESP)).add(bytes.toI64U()));
      return;
    }
    const sum = this.let(this.cell32(layout.ESP).add(bytes));
    this.f.if(
      this.stackIs32(),
      () => this.setCell32(layout.ESP, sum),
      () => this.f.emit(store16(I32.of(0), sum, layout.ESP)),
    );
  }

  stackIs32(): I32 {
    return this.cell32(layout.MODE).and(MODE_STACK_32);
  }

  // --- control --------------------------------------------------------------------------------------------------

  /** Ticks completed before this instruction. */
  tick(): F64 {
    const entered = loadF64(I32.of(0), layout.TICK_DEADLINE).sub(this.cell32(layout.TICKS_LEFT).toF64S());
    return entered.sub(this.remainingTicks().toF64S());
  }

  /** Raises an exception; the instruction has no effect. Ends the code path. */
  raise(vector: number, errorCode = 0): void {
    this.setCell32(layout.FAULT_VECTOR, vector);
    this.setCell32(layout.FAULT_ERROR_CODE, errorCode);
    this.leaveFault();
  }

  /** #GP(0) when a branch target lies beyond the code segment, or is not canonical (SDM volume 2, JMP). */
  requireTarget(target: Int, undo?: () => void): void {
    const outside =
      target instanceof I64
        ? target.shl(NOT_ADDRESS_BITS).shrS(NOT_ADDRESS_BITS).ne(target)
        : toI32(target).gtU(this.cell32(layout.segmentAddress(layout.CS) + layout.SEGMENT.limit));
    this.f.if(outside, () => {
      undo?.();
      this.raise(13, 0);
    });
  }

  /** Target of a relative branch. */
  abstract relativeTarget(): Int;

  /** A target in CS, wrapped to 16 bits for a 16-bit operand size. */
  maskedTarget(target: Int): Int {
    return this.size === 16 ? target.and(0xffff) : target;
  }

  /** A value sign-extended from the operand's width to the operand size. */
  readSigned(index: number): Int {
    const bits = this.bits(index);
    const value = signExtended(this.read(index), bits);
    return this.size === 64 && !(value instanceof I64) ? toI32(value).toI64S() : value;
  }

  /** Address of XMM register `field` in CPU state, evaluated now. */
  xmmAddress(field: 'reg' | 'rm'): I32 {
    return this.let(this.registerField(field).shl(4).add(layout.XMM_REGISTERS));
  }

  /** Address of the x87 register under MMX register `field`, evaluated now. */
  mmxAddress(field: 'reg' | 'rm'): I32 {
    return this.let(this.registerField(field).and(7).shl(4).add(layout.X87_REGISTERS));
  }

  newLocal(): Local<typeof TYPE_I32> {
    return this.f.local(TYPE_I32);
  }
}

/** Linear addresses of 64-bit mode have 48 bits, sign-extended. */
const NOT_ADDRESS_BITS = 64 - 48;

const FIXED_OFFSET: Readonly<Record<string, number>> = { AL: 0, AX: 0, eAX: 0, CL: 8, DX: 16 };

function hostLoad(address: I32, bits: AccessBits, offset = 0): Int {
  switch (bits) {
    case 8:
      return load8U(address, offset);
    case 16:
      return load16U(address, offset);
    case 32:
      return load32(address, offset);
    default:
      return load64(address, offset);
  }
}
