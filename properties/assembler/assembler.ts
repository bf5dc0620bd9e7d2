/**
 * The guest assembler: a program is a TypeScript function that calls one method per instruction.
 *
 *   const { bytes, labels } = assemble({ bits: 32, origin: 0x100000 }, (a) => {
 *     a.mov(ecx, 10);
 *     a.label('loop');
 *     a.add(dword(ebx, esi, 4, 8), ecx);
 *     a.loop('loop');
 *   });
 *
 * Branches start out short and grow until all of them reach; everything else has its length from the beginning.
 */
import { type Chosen, choose, instructionText } from './choose.js';
import { disassembleInto, type ListingLine } from './disassemble.js';
import { type Choice, encodeInstruction, explicitForms, lengthOnly, operandFits, type Prefixes, type Resolve } from './encode.js';
import { encodingNamed } from './encodings.js';
import { AssemblyError } from './errors.js';
import type { Bits } from './iced.js';
import { type Mnemonic, mnemonics } from './mnemonics.js';
import { type Displacement, Expression, Memory, type Operand, type Register } from './operands.js';

export interface AssembleOptions {
  /** Mode of the first instruction; `bits()` changes it. Default 32. */
  readonly bits?: Bits;
  /** Address of the first byte. Default 0. */
  readonly origin?: number;
}

export interface Assembled {
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
  /** The program disassembled, with addresses, bytes and labels. */
  listing(): string;
}

type Datum = number | bigint | Displacement;

interface CodeItem {
  readonly kind: 'code';
  readonly text: string;
  choice: Choice;
  near: Choice | undefined;
  length: number;
  /** Present where nothing depends on labels or on the address. */
  readonly fixedBytes: Uint8Array | undefined;
}
interface DataItem {
  readonly kind: 'data';
  readonly unitBytes: number;
  readonly data: readonly Datum[] | Uint8Array;
  readonly length: number;
}
interface LabelItem {
  readonly kind: 'label';
  readonly name: string;
}
interface PadItem {
  readonly kind: 'pad';
  readonly fill: number;
  readonly lengthAt: (address: number) => number;
}
type Item = CodeItem | DataItem | LabelItem | PadItem;

function dependsOnAddress(operand: Operand): boolean {
  if (operand instanceof Expression || typeof operand === 'string') return true;
  if (operand instanceof Memory) return operand.displacement instanceof Expression;
  return typeof operand === 'object' && 'target' in operand && operand.target instanceof Expression;
}

class ProgramBuilder {
  readonly items: Item[] = [];
  private readonly names = new Set<string>();
  private mode: Bits;
  private pending: { -readonly [Key in keyof Prefixes]: Prefixes[Key] } = {};
  private freshLabels = 0;

  constructor(bits: Bits) {
    this.mode = bits;
  }

  /** Code from here on is for this mode. */
  bits(bits: Bits): void {
    this.mode = bits;
  }

  label(name: string): void {
    if (this.names.has(name)) throw new AssemblyError(`label "${name}" is defined twice`);
    this.names.add(name);
    this.items.push({ kind: 'label', name });
  }

  /** A label name that nothing else has: for pieces of code that are put in more than once. */
  fresh(stem = 'local'): string {
    this.freshLabels++;
    return `${stem}.${this.freshLabels}`;
  }

  /** One instruction by mnemonic: what the methods `mov`, `add` and so on call. */
  ins(mnemonic: string, ...operands: Operand[]): void {
    const chosen = choose(mnemonic, operands, this.mode, this.takePrefixes());
    this.put(instructionText(mnemonic, operands), chosen);
  }

  /** One instruction in a certain encoding, by iced's name for it: `encoded('Add_r32_rm32', eax, ebx)`. */
  encoded(name: string, ...operands: Operand[]): void {
    const text = instructionText(name, operands);
    const encoding = encodingNamed(name);
    if (encoding === undefined) throw new AssemblyError(`unknown encoding: ${text}`);
    const forms = explicitForms(encoding, operands.length);
    const ownBits = encoding.operands[0]?.branch?.bits ?? this.mode;
    const fits = forms?.every((form, i) => operandFits(operands[i] as Operand, form, encoding, ownBits) === 'fits');
    if (fits !== true || !encoding.modes[this.mode])
      throw new AssemblyError(`the encoding does not take these operands in ${this.mode}-bit code: ${text} (${encoding.syntax})`);
    const choice = { bits: this.mode, encoding, operands, prefixes: this.takePrefixes() };
    this.put(text, { choice, near: undefined, bytes: encodeInstruction(choice, 0, lengthOnly) });
  }

  private put(text: string, { choice, near, bytes }: Chosen): void {
    const branch = choice.encoding.operands[0]?.branch !== undefined;
    const open = branch || choice.operands.some(dependsOnAddress);
    this.items.push({ kind: 'code', text, choice, near, length: bytes.length, fixedBytes: open ? undefined : bytes });
  }

  private takePrefixes(): Prefixes {
    const prefixes = this.pending;
    this.pending = {};
    return prefixes;
  }

  lock(): this {
    this.pending.lock = true;
    return this;
  }
  rep(): this {
    this.pending.rep = 'repe';
    return this;
  }
  repe(): this {
    return this.rep();
  }
  repne(): this {
    this.pending.rep = 'repne';
    return this;
  }
  segment(register: Register): this {
    this.pending.segment = register;
    return this;
  }
  addressBits(bits: Bits): this {
    this.pending.addressBits = bits;
    return this;
  }

  db(...data: (number | Expression)[]): void {
    this.data(1, data);
  }
  dw(...data: Datum[]): void {
    this.data(2, data);
  }
  dd(...data: Datum[]): void {
    this.data(4, data);
  }
  dq(...data: Datum[]): void {
    this.data(8, data);
  }
  private data(unitBytes: number, data: readonly Datum[]): void {
    this.items.push({ kind: 'data', unitBytes, data, length: unitBytes * data.length });
  }

  /** Bytes as they are: data, or instructions that no assembler would write. */
  raw(bytes: Uint8Array | readonly number[]): void {
    const copy = Uint8Array.from(bytes);
    this.items.push({ kind: 'data', unitBytes: 1, data: copy, length: copy.length });
  }
  /** Text in Latin-1, without a terminator. */
  ascii(text: string): void {
    this.raw(Array.from(text, (character) => character.charCodeAt(0)));
  }
  /** Text with a zero behind it. */
  asciz(text: string): void {
    this.ascii(`${text}\0`);
  }
  reserve(count: number, fill = 0): void {
    this.items.push({ kind: 'pad', fill, lengthAt: () => count });
  }
  /** Fills up to a multiple of `alignment`; the default fill is NOP. */
  align(alignment: number, fill = 0x90): void {
    this.items.push({ kind: 'pad', fill, lengthAt: (address) => (alignment - (address % alignment)) % alignment });
  }
  /** Fills up to an address, for example that of a boot sector's signature. */
  padTo(target: number, fill = 0): void {
    this.items.push({
      kind: 'pad',
      fill,
      lengthAt: (address) => {
        if (address > target) throw new AssemblyError(`cannot fill up to 0x${target.toString(16)}: already at 0x${address.toString(16)}`);
        return target - address;
      },
    });
  }
}

type MnemonicMethods = Readonly<Record<Mnemonic, (...operands: Operand[]) => void>>;

type PrefixMethods = 'lock' | 'rep' | 'repe' | 'repne' | 'segment' | 'addressBits';

/** What a program is written with: the directives above and a method for each mnemonic. */
export interface Assembler extends Omit<ProgramBuilder, 'items' | PrefixMethods>, MnemonicMethods {
  /** LOCK before the next instruction. */
  lock(): Assembler;
  /** REP or REPE (F3) before the next string instruction. */
  rep(): Assembler;
  repe(): Assembler;
  /** REPNE (F2) before the next string instruction. */
  repne(): Assembler;
  /** Segment override for the source of the next string instruction. */
  segment(register: Register): Assembler;
  /** Address size of the next string instruction. */
  addressBits(bits: Bits): Assembler;
}

for (const mnemonic of mnemonics) {
  if (mnemonic in ProgramBuilder.prototype) throw new Error(`assembler: the mnemonic ${mnemonic} hides a directive`);
  Object.defineProperty(ProgramBuilder.prototype, mnemonic, {
    value(this: ProgramBuilder, ...operands: Operand[]) {
      this.ins(mnemonic, ...operands);
    },
  });
}

/** Addresses of all items and labels for the lengths at hand. */
function layOut(items: readonly Item[], origin: number): { addresses: number[]; labels: Map<string, number>; end: number } {
  const addresses: number[] = [];
  const labels = new Map<string, number>();
  let address = origin;
  for (const item of items) {
    addresses.push(address);
    if (item.kind === 'label') labels.set(item.name, address);
    else address += item.kind === 'pad' ? item.lengthAt(address) : item.length;
  }
  return { addresses, labels, end: address };
}

function resolver(labels: ReadonlyMap<string, number>): Resolve {
  const addressOf = (name: string): number => {
    const address = labels.get(name);
    if (address === undefined) throw new AssemblyError(`unknown label "${name}"`);
    return address;
  };
  return (expression) => {
    const whole = addressOf(expression.label) - (expression.minus === undefined ? 0 : addressOf(expression.minus)) + expression.addend;
    if (expression.part === 'low16') return whole & 0xffff;
    return expression.part === 'high16' ? (whole >>> 16) & 0xffff : whole;
  };
}

function targetOf(item: CodeItem, resolve: Resolve): number {
  const operand = item.choice.operands[0];
  if (typeof operand === 'string') return resolve(new Expression(operand));
  return operand instanceof Expression ? resolve(operand) : Number(operand);
}

/** Turns short branches that do not reach into near ones; true when there were any. */
function growBranches(items: readonly Item[], addresses: readonly number[], resolve: Resolve): boolean {
  let grown = false;
  items.forEach((item, i) => {
    if (item.kind !== 'code' || item.near === undefined) return;
    const distance = within(item.text, () => targetOf(item, resolve)) - ((addresses[i] as number) + item.length);
    if (distance >= -128 && distance <= 127) return;
    item.choice = item.near;
    item.near = undefined;
    item.length = encodeInstruction(item.choice, 0, lengthOnly).length;
    grown = true;
  });
  return grown;
}

/** Names the instruction in an error that came from deep inside. */
function within<Result>(text: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (error instanceof AssemblyError) throw new AssemblyError(`${error.message} in: ${text}`);
    throw error;
  }
}

function dataBytes(item: DataItem, resolve: Resolve): Uint8Array {
  if (item.data instanceof Uint8Array) return item.data;
  const bytes = new Uint8Array(item.length);
  const bits = BigInt(item.unitBytes * 8);
  item.data.forEach((datum, i) => {
    const symbol = typeof datum === 'string' ? new Expression(datum) : datum;
    const value = BigInt(symbol instanceof Expression ? resolve(symbol) : symbol);
    if (value < -(1n << (bits - 1n)) || value >= 1n << bits)
      throw new AssemblyError(`${datum} = ${value} does not fit in ${bits} bits of data`);
    for (let k = 0; k < item.unitBytes; k++) bytes[i * item.unitBytes + k] = Number((value >> BigInt(8 * k)) & 0xffn);
  });
  return bytes;
}

function itemBytes(item: Item, address: number, resolve: Resolve): Uint8Array {
  if (item.kind === 'label') return new Uint8Array(0);
  if (item.kind === 'pad') return new Uint8Array(item.lengthAt(address)).fill(item.fill);
  if (item.kind === 'data') return dataBytes(item, resolve);
  const bytes = item.fixedBytes ?? within(item.text, () => encodeInstruction(item.choice, address, resolve));
  if (bytes.length !== item.length) throw new Error(`assembler: ${item.text} changed its length`);
  return bytes;
}

function listing(items: readonly Item[], addresses: readonly number[], bytes: Uint8Array, origin: number): string {
  const lines: ListingLine[] = [];
  items.forEach((item, i) => {
    const address = addresses[i] as number;
    const end = addresses[i + 1] ?? origin + bytes.length;
    const own = bytes.subarray(address - origin, end - origin);
    if (item.kind === 'label') lines.push({ address, bytes: own, text: `${item.name}:` });
    else if (item.kind === 'code') disassembleInto(lines, own, item.choice.bits, address);
    else if (item.kind === 'pad') lines.push({ address, bytes: own.subarray(0, 0), text: `times ${own.length} db 0x${hex(item.fill, 2)}` });
    else for (let k = 0; k < own.length; k += 8) lines.push(dataLine(address + k, own.subarray(k, k + 8)));
  });
  return lines.map(({ address, bytes: own, text }) => `${hex(address, 8)}  ${hexBytes(own).padEnd(24)}${text}`.trimEnd()).join('\n');
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const hexBytes = (bytes: Uint8Array): string => Array.from(bytes, (value) => hex(value, 2)).join('');
const dataLine = (address: number, bytes: Uint8Array): ListingLine => ({
  address,
  bytes,
  text: `db ${Array.from(bytes, (value) => `0x${hex(value, 2)}`).join(', ')}`,
});

/**
 * Assembles the program that `write` describes.
 * @throws AssemblyError with one line that says what is wrong and where.
 */
export function assemble(options: AssembleOptions, write: (a: Assembler) => void): Assembled {
  const origin = options.origin ?? 0;
  const builder = new ProgramBuilder(options.bits ?? 32);
  write(builder as unknown as Assembler);
  const { items } = builder;
  let layout = layOut(items, origin);
  while (growBranches(items, layout.addresses, resolver(layout.labels))) layout = layOut(items, origin);
  const resolve = resolver(layout.labels);
  const bytes = new Uint8Array(layout.end - origin);
  items.forEach((item, i) => {
    const address = layout.addresses[i] as number;
    bytes.set(itemBytes(item, address, resolve), address - origin);
  });
  return { bytes, labels: layout.labels, listing: () => listing(items, layout.addresses, bytes, origin) };
}
