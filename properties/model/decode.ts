/**
 * Instruction decoding (SDM volume 2, chapter 2): legacy prefixes, REX, opcode, ModRM, SIB, displacement, immediates, in
 * 16-, 32- and 64-bit code. The bytes come one at a time from a source that raises what fetching them raises.
 */
import { CS, DS, ES, FS, GS, SS } from '../state/cpu-state.js';
import { ModelException, VECTOR, type Width } from './cpu.js';
import { opcode as definition, type Opcode } from './opcode.js';
import { chooseRow, type OpcodeTable } from './opcode-table.js';
import { KIND, type OperandForm, type Size, SOURCE } from './operand-form.js';

export type CodeBits = 16 | 32 | 64;

/** An operand of a decoded instruction. */
export interface Operand {
  /** KIND.* */
  readonly kind: number;
  /** In bits; 0: it has none (LEA, FXSAVE). */
  readonly width: Width | 0;
  /** Of a register. */
  readonly number: number;
  /** Of an immediate or constant, unsigned. */
  readonly value: bigint;
  /** Of memory. */
  readonly segment: number;
  /** General register, -1: none, RIP_BASE: the offset behind the instruction. */
  readonly base: number;
  readonly index: number;
  readonly scale: 1 | 2 | 4 | 8;
  /** Signed. */
  readonly displacement: bigint;
}
export const RIP_BASE = 16;
const NONE = -1;

export interface DecodedInstruction {
  readonly opcode: Opcode;
  readonly length: number;
  readonly codeBits: CodeBits;
  readonly operandSize: CodeBits;
  readonly addressSize: CodeBits;
  readonly operands: readonly Operand[];
  /** The last of F2 and F3 unless it belongs to the opcode; 0: neither. */
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly lock: boolean;
  /** Segment register by prefix, as far as prefixes count. */
  readonly segmentOverride: number | undefined;
  readonly rexW: boolean;
  /** Last byte of the opcode, and ModRM (-1: none): FOP of the x87. */
  readonly opcodeByte: number;
  readonly modRm: number;
}

/** Gives the bytes of an instruction in order, or raises. */
export interface ByteSource {
  nextByte(): number;
  /** What is decoded relies on a row of the policy table. */
  undefine(policyId: string): void;
}

const LENGTH_LIMIT_BYTES = 15;
const UD0 = 0xff;

const SEGMENT_PREFIX = new Map([
  [0x26, ES],
  [0x2e, CS],
  [0x36, SS],
  [0x3e, DS],
  [0x64, FS],
  [0x65, GS],
]);

/** What bytes that are no instruction do when they are executed. */
const UNDEFINED = definition('', '(undefined)', '', () => {
  throw new ModelException(VECTOR.ud, undefined);
});

/** The same, of bytes that are prefixes of VEX, EVEX and XOP instructions on other processors. */
const UNDEFINED_PREFIX = definition('', '(undefined)', '', (cpu) => {
  cpu.undefine('vex.prefix');
  throw new ModelException(VECTOR.ud, undefined);
});
const VEX_PREFIXES: readonly number[] = [0x62, 0x8f, 0xc4, 0xc5];

/** Base and index of 16-bit addressing by ModRM.rm (SDM volume 2, table 2-1). */
const BASE_16 = [3, 3, 5, 5, 6, 7, 5, 3] as const;
const INDEX_16 = [6, 7, 6, 7, NONE, NONE, NONE, NONE] as const;

const STACK_REGISTER = { sp: 4, bp: 5 } as const;

export class Decoder {
  readonly #table: OpcodeTable;
  #source!: ByteSource;
  #count = 0;

  constructor(table: OpcodeTable) {
    this.#table = table;
  }

  /** The instruction at the source; undefined ones are decoded as one that raises #UD. Raises #GP(0) behind 15 bytes. */
  decode(source: ByteSource, codeBits: CodeBits): DecodedInstruction {
    this.#source = source;
    this.#count = 0;
    const long = codeBits === 64;

    let byte: number;
    let operandPrefix = false;
    let addressPrefix = false;
    let lock = false;
    let repeat: 0 | 0xf2 | 0xf3 = 0;
    let segmentOverride: number | undefined;
    let rex = 0;
    for (;;) {
      byte = this.#byte();
      if (long && (byte & 0xf0) === 0x40) {
        rex = byte;
        continue;
      }
      const segment = SEGMENT_PREFIX.get(byte);
      if (segment !== undefined) {
        // In 64-bit mode only FS and GS overrides exist (SDM volume 1, 3.3.7.1).
        if (!long || segment >= FS) segmentOverride = segment;
      } else if (byte === 0x66) operandPrefix = true;
      else if (byte === 0x67) addressPrefix = true;
      else if (byte === 0xf0) lock = true;
      else if (byte === 0xf2 || byte === 0xf3) repeat = byte;
      else break;
      // A REX prefix that is not immediately before the opcode is ignored (SDM volume 2, 2.2.1).
      rex = 0;
    }

    let map = 0;
    if (byte === 0x0f) {
      map = 1;
      byte = this.#byte();
      if (byte === 0x38 || byte === 0x3a) {
        map = byte === 0x38 ? 2 : 3;
        byte = this.#byte();
      }
    }
    const undefinedInstruction = (modRm: number): DecodedInstruction => ({
      opcode: map === 0 && VEX_PREFIXES.includes(byte) ? UNDEFINED_PREFIX : UNDEFINED,
      length: this.#count,
      codeBits,
      operandSize: codeBits,
      addressSize: codeBits,
      operands: [],
      repeat,
      lock,
      segmentOverride,
      rexW: false,
      opcodeByte: byte,
      modRm,
    });

    if (map === 1 && byte === UD0) source.undefine('ud0.modrm');
    const candidates = this.#table.candidates(long, map, byte);
    if (candidates.length === 0) return undefinedInstruction(-1);
    let modRm = candidates[0]!.hasModRm ? this.#byte() : -1;
    if (modRm >= 0 && candidates[0]!.ignoresMod) modRm |= 0xc0;
    // 90 with REX.B is XCHG with R8, whatever stands before it.
    const isExchange = map === 0 && byte === 0x90 && (rex & 1) !== 0;
    const row = chooseRow(candidates, operandPrefix, isExchange ? 0 : repeat, modRm);
    if (row === undefined) return undefinedInstruction(modRm);

    const { options } = row.opcode;
    const rexW = (rex & 8) !== 0;
    const operandOverride = operandPrefix && row.prefix !== '66';
    let operandSize: CodeBits;
    if (!long) operandSize = (codeBits === 32) !== operandOverride ? 32 : 16;
    else if (rexW) operandSize = 64;
    else if (operandOverride) operandSize = 16;
    else operandSize = options.default64 ? 64 : 32;
    let addressSize: CodeBits;
    if (long) addressSize = addressPrefix ? 32 : 64;
    else addressSize = (codeBits === 32) !== addressPrefix ? 32 : 16;

    const memory = modRm >= 0 && modRm < 0xc0 ? this.#memoryOperand(modRm, rex, addressSize, segmentOverride, long) : undefined;
    const operands: Operand[] = [];
    let valid = true;
    for (const form of row.operands) {
      let operand: Operand;
      switch (form.source) {
        case SOURCE.either:
        case SOURCE.memory:
          operand =
            memory === undefined
              ? register(form, (modRm & 7) | ((rex & 1) << 3), rex, operandSize)
              : { ...memory, width: bits(form.memorySize, operandSize) };
          break;
        case SOURCE.reg:
          operand = register(form, ((modRm >> 3) & 7) | ((rex & 4) << 1), rex, operandSize);
          break;
        case SOURCE.rm:
          operand = register(form, (modRm & 7) | ((rex & 1) << 3), rex, operandSize);
          break;
        case SOURCE.opcode:
          operand = register(form, (byte & 7) | ((rex & 1) << 3), rex, operandSize);
          break;
        case SOURCE.fixed:
          operand = register(form, form.number, rex, operandSize);
          break;
        case SOURCE.constant:
          operand = immediate(8, BigInt(form.number));
          break;
        case SOURCE.memoryOffset:
          operand = {
            ...immediate(bits(form.size, operandSize), 0n),
            kind: KIND.memory,
            segment: segmentOverride ?? DS,
            displacement: this.#unsigned(addressSize),
          };
          break;
        case SOURCE.farPointer:
          operand = immediate(bits(form.size, operandSize), this.#unsigned(operandSize) | (this.#unsigned(16) << BigInt(operandSize)));
          break;
        default:
          operand = this.#immediateOperand(form, operandSize);
      }
      if (!exists(operand)) valid = false;
      operands.push(operand);
    }
    if (lock && !(options.lock && operands[0]?.kind === KIND.memory)) valid = false;
    if (!valid) return undefinedInstruction(modRm);
    return {
      opcode: row.opcode,
      length: this.#count,
      codeBits,
      operandSize,
      addressSize,
      operands,
      repeat: row.prefix === 'F2' || row.prefix === 'F3' ? 0 : repeat,
      lock,
      segmentOverride,
      rexW,
      opcodeByte: byte,
      modRm,
    };
  }

  #byte(): number {
    if (this.#count === LENGTH_LIMIT_BYTES) throw new ModelException(VECTOR.gp, 0);
    this.#count++;
    return this.#source.nextByte();
  }

  #unsigned(width: number): bigint {
    let value = 0n;
    for (let at = 0; at < width; at += 8) value |= BigInt(this.#byte()) << BigInt(at);
    return value;
  }

  #signed(width: number): bigint {
    return BigInt.asIntN(width, this.#unsigned(width));
  }

  /** Immediates and branch displacements have at most 32 bits but for MOV (`immv`), and are extended to the operand size. */
  #immediateOperand(form: OperandForm, operandSize: CodeBits): Operand {
    if (form.source === SOURCE.relative) {
      const encoded = form.size === 8 ? 8 : Math.min(operandSize, 32);
      return immediate(operandSize, BigInt.asUintN(operandSize, this.#signed(encoded)));
    }
    if (form.size === 'z') return immediate(operandSize, BigInt.asUintN(operandSize, this.#signed(Math.min(operandSize, 32))));
    if (form.signExtended) return immediate(operandSize, BigInt.asUintN(operandSize, this.#signed(8)));
    const width = bits(form.size, operandSize) as Width;
    return immediate(width, this.#unsigned(width));
  }

  #memoryOperand(modRm: number, rex: number, addressSize: CodeBits, segmentOverride: number | undefined, long: boolean): Operand {
    const mod = modRm >> 6;
    const rm = modRm & 7;
    let base: number = NONE;
    let index: number = NONE;
    let scale: 1 | 2 | 4 | 8 = 1;
    let displacementBits: number = mod === 1 ? 8 : 0;
    if (addressSize === 16) {
      if (mod === 2) displacementBits = 16;
      if (mod === 0 && rm === 6) displacementBits = 16;
      else {
        base = BASE_16[rm]!;
        index = INDEX_16[rm]!;
      }
    } else {
      if (mod === 2) displacementBits = 32;
      if (rm === 4) {
        const sib = this.#byte();
        scale = (1 << (sib >> 6)) as 1 | 2 | 4 | 8;
        const indexNumber = ((sib >> 3) & 7) | ((rex & 2) << 2);
        if (indexNumber !== 4) index = indexNumber;
        if ((sib & 7) === 5 && mod === 0) displacementBits = 32;
        else base = (sib & 7) | ((rex & 1) << 3);
      } else if (rm === 5 && mod === 0) {
        displacementBits = 32;
        if (long) base = RIP_BASE;
      } else base = rm | ((rex & 1) << 3);
    }
    const displacement = displacementBits === 0 ? 0n : this.#signed(displacementBits);
    const usesStack = base === STACK_REGISTER.sp || base === STACK_REGISTER.bp;
    const segment = segmentOverride ?? (usesStack ? SS : DS);
    return { kind: KIND.memory, width: 0, number: 0, value: 0n, segment, base, index, scale, displacement };
  }
}

function bits(size: Size, operandSize: CodeBits): Width | 0 {
  switch (size) {
    case 'v':
      return operandSize;
    case 'z':
      return operandSize === 16 ? 16 : 32;
    case 'y':
      return operandSize === 64 ? 64 : 32;
    default:
      return size as Width | 0;
  }
}

function register(form: OperandForm, number: number, rex: number, operandSize: CodeBits): Operand {
  const width = bits(form.size, operandSize);
  let { kind } = form;
  if (kind === KIND.general && width === 8 && rex === 0 && number >= 4 && number < 8) {
    kind = KIND.highByte;
    number &= 3;
  }
  // REX bits say nothing about MMX, x87 and segment registers.
  if (kind === KIND.mmx || kind === KIND.x87 || kind === KIND.segment) number &= 7;
  return { kind, width, number, value: 0n, segment: 0, base: NONE, index: NONE, scale: 1, displacement: 0n };
}

const immediate = (width: Width | 0, value: bigint): Operand => ({
  kind: KIND.immediate,
  width,
  number: 0,
  value,
  segment: 0,
  base: NONE,
  index: NONE,
  scale: 1,
  displacement: 0n,
});

/** Control registers are 0, 2, 3, 4 and in 64-bit mode 8, debug registers 0-7, segment registers ES-GS. */
function exists({ kind, number }: Operand): boolean {
  if (kind === KIND.segment) return number <= GS;
  if (kind === KIND.control) return number === 0 || number === 2 || number === 3 || number === 4 || number === 8;
  if (kind === KIND.debug) return number <= 7;
  return true;
}
