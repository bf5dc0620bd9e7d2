/**
 * Where in its record the first instruction of a case writes its destination operand: a register or bytes of a window.
 */
import { type IcedInstruction, iced } from '../assembler/iced.js';
import type { CaseBatch } from '../oracles/oracle.js';
import { CPU_STATE, CPU_STATE_BYTES, type CpuState, CS, REGISTER_NAMES } from '../state/cpu-state.js';
import { stateOfRecord } from './fields.js';

export interface Destination {
  readonly bytes: number;
  /** Where in the record a byte of it lies, or one beside it; undefined outside the windows. */
  readonly placeOf: (byte: number) => number | undefined;
  /** Linear, of its first byte; undefined for a register. */
  readonly address: number | undefined;
}

const inRegister = (offset: number, bytes: number): Destination => ({
  bytes,
  placeOf: (byte) => offset + byte,
  address: undefined,
});

const INSTRUCTION_BYTES = 15;
const SEGMENT_REGISTERS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const VECTOR_BYTES = 16;
const GENERAL_BYTES = 8;

/** The bytes of the code that a case begins with, up to the longest instruction. */
export function codeAt(batch: CaseBatch, record: Uint8Array): Uint8Array {
  const state = stateOfRecord(record);
  const address = Number(BigInt.asUintN(32, state.segmentBase(CS) + state.rip));
  const at = recordOffset(batch, address);
  return at === undefined ? new Uint8Array(0) : record.subarray(at, Math.min(at + INSTRUCTION_BYTES, record.length));
}

/** Where a linear address lies in a record; undefined outside the windows. */
function recordOffset({ windows }: CaseBatch, address: number): number | undefined {
  let offset = CPU_STATE_BYTES;
  for (const window of windows) {
    if (address >= window.address && address < window.address + window.bytes) return offset + address - window.address;
    offset += window.bytes;
  }
  return undefined;
}

/** undefined where there is no such operand. */
export function destinationOf(batch: CaseBatch, record: Uint8Array): Destination | undefined {
  const { Decoder, DecoderOptions, Instruction, MemorySizeExt, OpKind, Register, RegisterExt } = iced();
  const state = stateOfRecord(record);
  const decoder = new Decoder(batch.bits, codeAt(batch, record), DecoderOptions.None);
  const instruction = new Instruction();
  try {
    decoder.ip = state.rip;
    decoder.decodeOut(instruction);
    if (instruction.isInvalid || instruction.opCount === 0) return undefined;
    const kind = instruction.op0Kind;
    if (kind === OpKind.Register) {
      const register = instruction.op0Register;
      const name = Register[RegisterExt.fullRegister(register)] as string;
      const general = REGISTER_NAMES.indexOf(name.toLowerCase() as (typeof REGISTER_NAMES)[number]);
      if (general >= 0) return inRegister(CPU_STATE.registers + general * GENERAL_BYTES, GENERAL_BYTES);
      return vectorRegister(state, name);
    }
    if (kind !== OpKind.Memory) return undefined;
    const address = effectiveAddress(state, instruction);
    const bytes = Math.max(1, MemorySizeExt.size(instruction.memorySize));
    return { bytes, placeOf: (byte) => recordOffset(batch, address + byte), address };
  } finally {
    instruction.free();
    decoder.free();
  }
}

/** XMM7 as iced says it in full: ZMM7. */
function vectorRegister(state: CpuState, name: string): Destination | undefined {
  const [, letters, digits] = /^([XYZ]?MM|ST)(\d+)$/.exec(name) ?? [];
  if (letters === undefined) return undefined;
  const number = Number(digits);
  if (letters === 'MM') return inRegister(CPU_STATE.x87Registers + number * VECTOR_BYTES, VECTOR_BYTES);
  if (letters === 'ST') {
    const top = (state.u16(CPU_STATE.x87Status) >> 11) & 7;
    return inRegister(CPU_STATE.x87Registers + ((top + number) & 7) * VECTOR_BYTES, VECTOR_BYTES);
  }
  return inRegister(CPU_STATE.xmm + number * VECTOR_BYTES, VECTOR_BYTES);
}

/** Linear, of the memory operand. */
function effectiveAddress(state: CpuState, instruction: IcedInstruction): number {
  const { Register } = iced();
  const { memoryBase, memoryIndex, memoryIndexScale, memoryDisplacement, memoryDisplSize, memorySegment } = instruction;
  // iced gives the target of an address relative to RIP as its displacement.
  const relative = memoryBase === Register.RIP || memoryBase === Register.EIP;
  const base = memoryBase === Register.None || relative ? 0n : general(state, memoryBase);
  const index = memoryIndex === Register.None ? 0n : general(state, memoryIndex) * BigInt(memoryIndexScale);
  const offset = BigInt.asUintN(
    addressBits(relative ? Register.RIP : memoryBase || memoryIndex, memoryDisplSize),
    base + index + memoryDisplacement,
  );
  const segment = SEGMENT_REGISTERS.indexOf(Register[memorySegment] as string);
  return Number(BigInt.asUintN(32, state.segmentBase(segment) + offset));
}

function general(state: CpuState, register: number): bigint {
  const { Register, RegisterExt } = iced();
  const name = (Register[RegisterExt.fullRegister(register)] as string).toLowerCase();
  const value = state.registers[REGISTER_NAMES.indexOf(name as (typeof REGISTER_NAMES)[number])] as bigint;
  return BigInt.asUintN(RegisterExt.size(register) * 8, value);
}

function addressBits(register: number, displacementBytes: number): number {
  const { Register, RegisterExt } = iced();
  return (register === Register.None ? displacementBytes : RegisterExt.size(register)) * 8;
}
