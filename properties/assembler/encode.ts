/**
 * Operands to bytes: whether an operand fits an encoding's form, and the encoding itself through iced's Encoder.
 */

import type { Encoding, OperandForm } from './encodings.js';
import { AssemblyError } from './errors.js';
import { type Bits, type IcedEncoder, type IcedInstruction, iced } from './iced.js';
import { Expression, FarPointer, Memory, type Operand, Register } from './operands.js';

export interface Prefixes {
  readonly lock?: boolean;
  readonly rep?: 'repe' | 'repne';
  /** Segment override of a string instruction. */
  readonly segment?: Register;
  /** Address size of a string instruction where it is not the mode's own. */
  readonly addressBits?: Bits;
}

/** An instruction with its encoding chosen: all that is left open is the value of labels. */
export interface Choice {
  readonly bits: Bits;
  readonly encoding: Encoding;
  readonly operands: readonly Operand[];
  readonly prefixes: Prefixes;
}

export type Fit = 'fits' | 'range' | 'no';

function signed(value: bigint, bits: number): bigint {
  return BigInt.asIntN(bits, value);
}

function immediateFits(value: number | bigint | Expression, form: NonNullable<OperandForm['immediate']>): Fit {
  if (value instanceof Expression) return form.bits >= 16 ? 'fits' : 'no';
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return 'no';
  const exact = BigInt(value);
  if (form.only !== undefined) return exact === BigInt(form.only) ? 'fits' : 'no';
  const extended = form.extendedBits ?? form.bits;
  if (exact < -(1n << BigInt(extended - 1)) || exact >= 1n << BigInt(extended)) return 'range';
  const low = signed(exact, extended);
  return form.extendedBits === undefined || signed(low, form.bits) === low ? 'fits' : 'range';
}

function memoryFits(memory: Memory, encoding: Encoding): boolean {
  return memory.sizeBytes === 0 || encoding.memoryBytes === 0 || memory.sizeBytes === encoding.memoryBytes;
}

/** mem_offs has no base or index; iced tells it from `mem` by its name only. */
function isOffsetForm(encoding: Encoding): boolean {
  return encoding.name.includes('moffs');
}

export function operandFits(operand: Operand, form: OperandForm, encoding: Encoding, bits: Bits): Fit {
  if (operand instanceof Register) {
    if (form.fixed !== undefined) return operand.name === form.fixed ? 'fits' : 'no';
    return form.register === operand.registerClass ? 'fits' : 'no';
  }
  if (operand instanceof Memory) {
    if (form.memory !== true || !memoryFits(operand, encoding)) return 'no';
    if (!isOffsetForm(encoding)) return 'fits';
    const absolute = operand.base === undefined && operand.index === undefined;
    return absolute && !(bits === 64 && operand.displacement instanceof Expression) ? 'fits' : 'no';
  }
  if (operand instanceof FarPointer) {
    return form.far !== undefined && form.far === (operand.offsetBits ?? bits) ? 'fits' : 'no';
  }
  const value = typeof operand === 'string' ? new Expression(operand) : operand;
  if (form.branch !== undefined) return form.branch.bits === bits && typeof value !== 'bigint' ? 'fits' : 'no';
  return form.immediate === undefined ? 'no' : immediateFits(value, form.immediate);
}

/** How the operands as written line up with the encoding's forms, or undefined when their number differs. */
export function explicitForms(encoding: Encoding, count: number): readonly OperandForm[] | undefined {
  const forms = encoding.operands;
  if (count === forms.length) return forms.some((form) => form.implicit !== undefined) && count > 0 ? undefined : forms;
  const written = forms.filter((form) => form.implicit === undefined);
  if (written.length === forms.length) return undefined;
  if (written.length === count) return written;
  return count === 0 && written.every((form) => form.fixed !== undefined) ? [] : undefined;
}

export type Resolve = (expression: Expression) => number;

/** For finding out the length of an instruction: labels stand at 0, and a branch goes to address 0 too. */
export const lengthOnly: Resolve = () => 0;

const addressBitsOfClass: Partial<Record<Register['registerClass'], Bits>> = { r16: 16, r32: 32, r64: 64 };

function registerNumber(register: Register): number {
  return (iced().Register as unknown as Record<string, number>)[register.name] as number;
}

function putMemory(instruction: IcedInstruction, index: number, memory: Memory, choice: Choice, resolve: Resolve): void {
  const { OpKind, Register: IcedRegister } = iced();
  const { base, index: indexRegister, displacement } = memory;
  instruction.setOpKind(index, OpKind.Memory);
  const symbolic = displacement instanceof Expression;
  const value = BigInt(symbolic ? resolve(displacement) : displacement);
  const widthRegister = base ?? indexRegister;
  let addressBits: Bits = choice.bits;
  if (widthRegister !== undefined) {
    const width = addressBitsOfClass[widthRegister.registerClass];
    if (width === undefined) throw new AssemblyError(`${widthRegister} cannot address memory`);
    addressBits = width;
  } else if (choice.bits === 16 && !symbolic && value > 0xffffn) addressBits = 32;
  instruction.memoryBase = base === undefined ? IcedRegister.None : registerNumber(base);
  instruction.memoryIndex = indexRegister === undefined ? IcedRegister.None : registerNumber(indexRegister);
  instruction.memoryIndexScale = memory.scale;
  if (addressBits !== 64 && (value < -(1n << BigInt(addressBits - 1)) || value >= 1n << BigInt(addressBits)))
    throw new AssemblyError(`displacement ${displacement} does not fit in ${addressBits} bits`);
  instruction.memoryDisplacement = BigInt.asUintN(addressBits, value);
  if (widthRegister === undefined && symbolic && addressBits === 64) {
    instruction.memoryBase = IcedRegister.RIP;
    instruction.memoryDisplSize = 8;
  } else if (widthRegister === undefined || symbolic) instruction.memoryDisplSize = addressBits / 8;
  else instruction.memoryDisplSize = value === 0n ? 0 : 1;
  if (memory.segment !== undefined) instruction.segmentPrefix = registerNumber(memory.segment);
}

function putImmediate(
  instruction: IcedInstruction,
  index: number,
  value: bigint,
  form: NonNullable<OperandForm['immediate']>,
  second: boolean,
): void {
  const { OpKind } = iced();
  const kinds: Record<string, number> = {
    '8': second ? OpKind.Immediate8_2nd : OpKind.Immediate8,
    '16': OpKind.Immediate16,
    '32': OpKind.Immediate32,
    '64': OpKind.Immediate64,
    '8to16': OpKind.Immediate8to16,
    '8to32': OpKind.Immediate8to32,
    '8to64': OpKind.Immediate8to64,
    '32to64': OpKind.Immediate32to64,
  };
  const key = form.extendedBits === undefined ? `${form.bits}` : `${form.bits}to${form.extendedBits}`;
  instruction.setOpKind(index, kinds[key] as number);
  if (form.extendedBits !== undefined) instruction.setImmediateI64(index, signed(value, form.extendedBits));
  else instruction.setImmediateU64(index, BigInt.asUintN(form.bits, value));
}

/** OpKind of an operand that is not written down, by the address size in force. */
function implicitKind(form: OperandForm, addressBits: Bits): number {
  const { OpKind } = iced();
  const column = addressBits === 16 ? 0 : addressBits === 32 ? 1 : 2;
  if (form.implicit === 'sourceIndex') return [OpKind.MemorySegSI, OpKind.MemorySegESI, OpKind.MemorySegRSI][column] as number;
  if (form.implicit === 'destinationIndex') return [OpKind.MemoryESDI, OpKind.MemoryESEDI, OpKind.MemoryESRDI][column] as number;
  return [OpKind.MemorySegDI, OpKind.MemorySegEDI, OpKind.MemorySegRDI][column] as number;
}

function putTranslate(instruction: IcedInstruction, index: number, addressBits: Bits): void {
  const { OpKind, Register: IcedRegister } = iced();
  instruction.setOpKind(index, OpKind.Memory);
  instruction.memoryBase = addressBits === 16 ? IcedRegister.BX : addressBits === 32 ? IcedRegister.EBX : IcedRegister.RBX;
  instruction.memoryIndex = IcedRegister.AL;
}

function putBranch(instruction: IcedInstruction, index: number, target: number, bits: Bits): void {
  const { OpKind } = iced();
  const kinds = { 16: OpKind.NearBranch16, 32: OpKind.NearBranch32, 64: OpKind.NearBranch64 };
  instruction.setOpKind(index, kinds[bits]);
  if (bits === 16) instruction.nearBranch16 = target & 0xffff;
  else if (bits === 32) instruction.nearBranch32 = target >>> 0;
  else instruction.nearBranch64 = BigInt(target);
}

function putOperand(
  instruction: IcedInstruction,
  index: number,
  operand: Operand,
  form: OperandForm,
  choice: Choice,
  resolve: Resolve,
): void {
  const { OpKind } = iced();
  if (operand instanceof Register) {
    instruction.setOpKind(index, OpKind.Register);
    instruction.setOpRegister(index, registerNumber(operand));
  } else if (operand instanceof Memory) putMemory(instruction, index, operand, choice, resolve);
  else if (operand instanceof FarPointer) {
    const target = operand.target instanceof Expression ? resolve(operand.target) : operand.target;
    if (form.far === 16 && target > 0xffff) throw new AssemblyError(`far target ${operand} does not fit in 16 bits`);
    instruction.setOpKind(index, form.far === 16 ? OpKind.FarBranch16 : OpKind.FarBranch32);
    if (form.far === 16) instruction.farBranch16 = target;
    else instruction.farBranch32 = target;
    instruction.farBranchSelector = operand.selector;
  } else {
    const expression = typeof operand === 'string' ? new Expression(operand) : operand;
    const value = expression instanceof Expression ? resolve(expression) : expression;
    if (form.branch !== undefined) putBranch(instruction, index, resolve === lengthOnly ? 0 : Number(value), form.branch.bits);
    else if (form.immediate !== undefined) {
      if (immediateFits(value, form.immediate) !== 'fits')
        throw new AssemblyError(`${expression} = ${value} does not fit in ${form.immediate.bits} bits`);
      const earlier = choice.encoding.operands.slice(0, index).some((other) => other.immediate !== undefined);
      putImmediate(instruction, index, BigInt(value), form.immediate, earlier);
    } else throw new Error('assembler: an operand without a form was chosen');
  }
}

const encoders = new Map<Bits, IcedEncoder>();

/** One encoder for each mode, kept for good: making one costs more than encoding an instruction. */
function encoderFor(bits: Bits): IcedEncoder {
  let encoder = encoders.get(bits);
  if (encoder === undefined) {
    encoder = new (iced().Encoder)(bits);
    encoders.set(bits, encoder);
  }
  return encoder;
}

/**
 * The bytes of one instruction at `address`.
 * @throws AssemblyError when a value does not fit, or when the CPU has no such combination of operands.
 */
export function encodeInstruction(choice: Choice, address: number, resolve: Resolve): Uint8Array {
  const { Instruction, Register: IcedRegister, OpKind } = iced();
  const { encoding, prefixes, bits } = choice;
  const addressBits = prefixes.addressBits ?? bits;
  let bytes: Uint8Array;
  const written = explicitForms(encoding, choice.operands.length);
  if (written === undefined) throw new Error(`assembler: ${encoding.name} was chosen for the wrong number of operands`);
  const instruction = new Instruction();
  const encoder = encoderFor(bits);
  try {
    instruction.code = encoding.code;
    let next = 0;
    encoding.operands.forEach((form, index) => {
      if (form.implicit === 'translate') putTranslate(instruction, index, addressBits);
      else if (form.implicit !== undefined) instruction.setOpKind(index, implicitKind(form, addressBits));
      else if (next < choice.operands.length) {
        putOperand(instruction, index, choice.operands[next] as Operand, form, choice, resolve);
        next++;
      } else {
        instruction.setOpKind(index, OpKind.Register);
        instruction.setOpRegister(index, (IcedRegister as unknown as Record<string, number>)[form.fixed as string] as number);
      }
    });
    if (prefixes.lock === true) instruction.hasLockPrefix = true;
    if (prefixes.rep === 'repe') instruction.hasRepePrefix = true;
    if (prefixes.rep === 'repne') instruction.hasRepnePrefix = true;
    if (prefixes.segment !== undefined) instruction.segmentPrefix = registerNumber(prefixes.segment);
    encoder.encode(instruction, BigInt(address));
  } catch (error) {
    if (error instanceof AssemblyError) throw error;
    const [message = ''] = String(error instanceof Error ? error.message : error).split('\n');
    throw new AssemblyError(message.startsWith('Branch distance') ? 'the target is out of reach of the branch' : message);
  } finally {
    instruction.free();
    // Taken in any case: after a refusal the buffer may hold half an instruction.
    bytes = encoder.takeBuffer();
  }
  return bytes;
}
