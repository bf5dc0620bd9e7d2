/** Builds one WebAssembly function: locals, statements, structured control (core specification, section 5.4.1). */
import { type Bytes, type Code, unsignedLeb } from './bytes.js';
import { I32, TYPE_I32, type Value, type ValueOf, type ValueType, valueOf } from './values.js';

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function that can be called by index: imported, built here, or declared first and built later. */
export interface FunctionReference {
  readonly index: number;
  readonly type: FunctionType;
}

/** A branch target. */
export interface Label {
  readonly depth: number;
}

export class Local<T extends ValueType = ValueType> {
  private readonly value: ValueOf[T];
  constructor(
    readonly type: T,
    readonly index: number,
  ) {
    this.value = valueOf(type, [0x20, ...unsignedLeb(index)]);
  }
  get(): ValueOf[T] {
    return this.value;
  }
  /** Sets the local and leaves the value on the stack. */
  tee(value: ValueOf[T]): ValueOf[T] {
    return valueOf(this.type, [(value as Value).code, 0x22, ...unsignedLeb(this.index)]);
  }
}

const BLOCK_EMPTY = 0x40;

export class FunctionBuilder {
  private readonly code: Bytes = [];
  private readonly localTypes: ValueType[] = [];
  private readonly free = new Map<ValueType, Local[]>();
  private scopeLocals: Local[] | undefined;
  private depth = 0;
  readonly parameters: Local[];

  constructor(readonly type: FunctionType) {
    this.parameters = type.parameters.map((parameter, index) => new Local(parameter, index));
  }

  parameter<T extends ValueType>(index: number, type: T): ValueOf[T] {
    const parameter = this.parameters[index];
    if (parameter?.type !== type) throw new Error(`parameter ${index} has another type`);
    return (parameter as Local<T>).get();
  }

  /** A new local; inside `scope` it is reused once the scope ends. It holds rubbish until it is set. */
  local<T extends ValueType>(type: T): Local<T> {
    const reused = this.free.get(type)?.pop() as Local<T> | undefined;
    const local = reused ?? new Local(type, this.parameters.length + this.localTypes.length);
    if (reused === undefined) this.localTypes.push(type);
    this.scopeLocals?.push(local);
    return local;
  }

  /** Locals made inside may be reused after it. */
  scope(body: () => void): void {
    const outer = this.scopeLocals;
    this.scopeLocals = [];
    body();
    for (const local of this.scopeLocals) {
      const list = this.free.get(local.type);
      if (list === undefined) this.free.set(local.type, [local]);
      else list.push(local);
    }
    this.scopeLocals = outer;
  }

  emit(code: Code): void {
    for (const part of code) {
      if (typeof part === 'number') this.code.push(part);
      else this.emit(part);
    }
  }

  set<T extends ValueType>(local: Local<T>, value: ValueOf[T]): void {
    this.emit((value as Value).code);
    this.emit([0x21, ...unsignedLeb(local.index)]);
  }

  /** Evaluates now, once; the result can be used any number of times. */
  let<V extends Value>(value: V): V {
    const local = this.local(value.type);
    this.set(local, value as never);
    return local.get() as Value as V;
  }

  drop(value: Value): void {
    this.emit(value.code);
    this.emit([0x1a]);
  }

  private nest(opcode: Code, body: (label: Label) => void): void {
    this.emit(opcode);
    this.depth += 1;
    body({ depth: this.depth });
    this.depth -= 1;
    this.emit([0x0b]);
  }

  /** `br` to the label leaves the block. */
  block(body: (label: Label) => void): void {
    this.nest([0x02, BLOCK_EMPTY], body);
  }

  /** `br` to the label starts over. */
  loop(body: (label: Label) => void): void {
    this.nest([0x03, BLOCK_EMPTY], body);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.emit(condition.code);
    this.nest([0x04, BLOCK_EMPTY], () => {
      then();
      if (otherwise !== undefined) {
        this.emit([0x05]);
        otherwise();
      }
    });
  }

  /** `if` as an expression, evaluated now, only the side that is chosen. */
  choose<V extends Value>(condition: I32, whenTrue: () => V, whenFalse: () => V, type: V['type']): V {
    const local = this.local(type);
    this.if(
      condition,
      () => this.set(local, whenTrue() as never),
      () => this.set(local, whenFalse() as never),
    );
    return local.get() as Value as V;
  }

  br(label: Label): void {
    this.emit([0x0c, ...unsignedLeb(this.depth - label.depth)]);
  }

  brIf(condition: I32, label: Label): void {
    this.emit(condition.code);
    this.emit([0x0d, ...unsignedLeb(this.depth - label.depth)]);
  }

  brTable(index: I32, labels: readonly Label[], otherwise: Label): void {
    this.emit(index.code);
    this.emit([0x0e, ...unsignedLeb(labels.length)]);
    for (const label of labels) this.emit(unsignedLeb(this.depth - label.depth));
    this.emit(unsignedLeb(this.depth - otherwise.depth));
  }

  return(...values: Value[]): void {
    for (const value of values) this.emit(value.code);
    this.emit([0x0f]);
  }

  unreachable(): void {
    this.emit([0x00]);
  }

  /** A call as an expression of one result; evaluated where it is used. */
  callValue<T extends ValueType>(target: FunctionReference, type: T, ...args: (Value | number)[]): ValueOf[T] {
    if (target.type.results.length !== 1 || target.type.results[0] !== type) throw new Error('call: the result has another type');
    return valueOf(type, this.callCode(target, args));
  }

  /** A call as a statement; a result is dropped. */
  call(target: FunctionReference, ...args: (Value | number)[]): void {
    this.emit(this.callCode(target, args));
    for (let i = 0; i < target.type.results.length; i++) this.emit([0x1a]);
  }

  /** Calls and returns what the call gives. */
  returnCall(target: FunctionReference, ...args: (Value | number)[]): void {
    this.emit(this.callCode(target, args));
    this.emit([0x0f]);
  }

  /** A call with several results, which go into new locals. */
  callMany(target: FunctionReference, ...args: (Value | number)[]): Local[] {
    this.emit(this.callCode(target, args));
    const locals = target.type.results.map((type) => this.local(type));
    for (const local of [...locals].reverse()) this.emit([0x21, ...unsignedLeb(local.index)]);
    return locals;
  }

  private callCode(target: FunctionReference, args: readonly (Value | number)[]): Code {
    if (args.length !== target.type.parameters.length) throw new Error('call: wrong number of arguments');
    const operands = args.map((arg, i) => {
      const value = typeof arg === 'number' ? I32.of(arg) : arg;
      if (value.type !== target.type.parameters[i]) throw new Error(`call: argument ${i} has another type`);
      return value.code;
    });
    return [...operands, 0x10, ...unsignedLeb(target.index)];
  }

  /** `call_indirect` through table 0 for a function type that gives one i32. */
  callIndirectI32(typeIndex: number, tableIndex: I32, ...args: Value[]): I32 {
    return valueOf(TYPE_I32, [...args.map((arg) => arg.code), tableIndex.code, 0x11, ...unsignedLeb(typeIndex), 0]);
  }

  copyMemory(to: I32, from: I32, length: I32): void {
    this.emit([to.code, from.code, length.code, 0xfc, 10, 0, 0]);
  }

  fillMemory(to: I32, byte: I32, length: I32): void {
    this.emit([to.code, byte.code, length.code, 0xfc, 11, 0]);
  }

  /** The function body as the code section wants it, size included. */
  finish(): Uint8Array {
    if (this.depth !== 0) throw new Error('a block is still open');
    const groups: [number, ValueType][] = [];
    for (const type of this.localTypes) {
      const last = groups.at(-1);
      if (last !== undefined && last[1] === type) last[0] += 1;
      else groups.push([1, type]);
    }
    const locals = [...unsignedLeb(groups.length), ...groups.flatMap(([count, type]) => [...unsignedLeb(count), type])];
    const head = [...unsignedLeb(locals.length + this.code.length + 1), ...locals];
    const body = new Uint8Array(head.length + this.code.length + 1);
    body.set(head);
    body.set(this.code, head.length);
    body[body.length - 1] = 0x0b;
    return body;
  }
}
