/**
 * Instructions as bytes: prefixes in any order, ModRM and SIB in every form, immediates (SDM volume 2, chapter 2). What
 * comes out also says where the memory operand lies, so that a state can be made in which that is an interesting place.
 */
import type { CodeBits } from '../oracles/oracle.js';
import { CS, DS, ES, FS, GS, SS } from '../state/cpu-state.js';
import type { InstructionEncoding } from './encodings.js';
import type { Random } from './random.js';
import { interestingBytes } from './values.js';

/** Base or index of an address; general registers are numbered as they are encoded. */
export const NO_REGISTER = -1;
export const INSTRUCTION_POINTER = 16;

export interface MemoryOperand {
  readonly segment: number;
  readonly addressBits: 16 | 32 | 64;
  readonly base: number;
  readonly index: number;
  /** Shift of the index. */
  readonly scale: number;
  /** Signed. */
  readonly displacement: number;
  readonly bytes: number;
}

export interface BuiltInstruction {
  readonly encoding: InstructionEncoding;
  readonly bytes: Uint8Array;
  readonly memory: MemoryOperand | undefined;
  /** Size of addresses, also of implicit operands and counters. */
  readonly addressBits: 16 | 32 | 64;
  /** Of sources that a prefix can redirect. */
  readonly segment: number;
  readonly repeated: boolean;
}

export interface BuildOptions {
  readonly bits: CodeBits;
  /** Where the instruction will lie: an offset in its segment, for addresses relative to it. */
  readonly at: number;
  /** Offsets that an address without registers may name; by default anything. */
  readonly dataOffset?: (random: Random, bytes: number) => number;
  /**
   * For sequences: nothing that is meant to fault, and addresses mostly without registers, because instructions before this one
   * have changed them.
   */
  readonly calm?: boolean;
  /** Selectors for far pointers. */
  readonly selectors?: readonly number[];
}

const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const REGISTER_SP = 4;
const REGISTER_BP = 5;
/** Base, index: the eight forms of 16-bit addresses. */
const ADDRESS_16 = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, NO_REGISTER],
  [7, NO_REGISTER],
  [5, NO_REGISTER],
  [3, NO_REGISTER],
] as const;
const COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 18, 31, 32, 33, 63, 64, 65, 127, 128, 255];

export class InstructionBuilder {
  private readonly out = new Uint8Array(64);
  private length = 0;

  constructor(private readonly random: Random) {}

  build(encoding: InstructionEncoding, options: BuildOptions): BuiltInstruction {
    const { random } = this;
    const { bits, calm = false } = options;
    const addressBits = this.chooseAddressBits(encoding, bits, calm);
    const hasMemory = encoding.modRm !== 'none' || encoding.implicit.length > 0 || encoding.trailing[0] === 0;
    const wantedOverride = random.chance(hasMemory && !calm ? 15 : 2) ? random.below(6) : -1;
    const repeated = encoding.repeat && random.chance(60);
    const rexAllowed = bits === 64;
    const wide = encoding.operandSize === 64 && !encoding.default64;
    const rex = rexAllowed && (wide || random.chance(55)) ? 0x40 | (wide ? 8 : 0) | random.below(8) : 0;

    this.length = 0;
    const override = this.writePrefixes(encoding, bits, addressBits, wantedOverride, repeated, calm);
    if (rex !== 0) {
      // A redundant W where no general register's size hangs on it.
      const redundantWide =
        encoding.operandSize === 0 && !/rm?32/.test(encoding.code) && encoding.regKind === 'vector' && random.chance(5) ? 8 : 0;
      this.byte(encoding.default64 && random.chance(10) ? rex | 8 : rex | redundantWide);
      // Behind another prefix a REX prefix means nothing.
      if (!calm && random.chance(1)) this.byte(SEGMENT_PREFIX[random.below(4)] as number);
    }
    const { opcode, registerInOpcode } = encoding;
    for (let i = 0; i < opcode.length; i++) {
      const last = registerInOpcode && i === opcode.length - 1;
      this.byte((opcode[i] as number) + (last ? random.below(8) : 0));
    }
    const ripAt = this.length;
    const memory = encoding.modRm === 'none' ? undefined : this.writeModRm(encoding, options, addressBits, rex, override);
    const displacementEnd = this.length;
    const absolute = this.writeTrailing(encoding, options, addressBits);
    if (memory?.base === INSTRUCTION_POINTER) this.aimAtData(memory, options, ripAt, displacementEnd);
    const bytes = this.out.slice(0, this.length);
    const segment = override === -1 ? DS : override;
    return {
      encoding,
      bytes,
      memory:
        absolute === undefined
          ? memory
          : { segment, addressBits, base: NO_REGISTER, index: NO_REGISTER, scale: 0, displacement: absolute, bytes: encoding.memoryBytes },
      addressBits,
      segment,
      repeated,
    };
  }

  private byte(value: number): void {
    this.out[this.length++] = value;
  }

  private little(value: bigint, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.byte(Number((value >> BigInt(8 * i)) & 0xffn));
  }

  private chooseAddressBits(encoding: InstructionEncoding, bits: CodeBits, calm: boolean): 16 | 32 | 64 {
    if (encoding.addressSize !== 0) return encoding.addressSize;
    const other = bits === 32 ? 16 : 32;
    return this.random.chance(calm ? 4 : 15) ? other : bits;
  }

  /** Returns the segment that is left in force, or -1. */
  private writePrefixes(
    encoding: InstructionEncoding,
    bits: CodeBits,
    addressBits: number,
    override: number,
    repeated: boolean,
    calm: boolean,
  ): number {
    const { random } = this;
    const { operandSize, mandatoryPrefix, exactPrefix, lock } = encoding;
    const start = this.length;
    const operandPrefix =
      operandSize === 16 ? bits !== 16 : operandSize === 32 ? bits === 16 : operandSize === 0 && !exactPrefix && random.chance(4);
    // With REX.W the prefix 66h does nothing.
    if (operandPrefix || (operandSize === 64 && !exactPrefix && !calm && random.chance(5))) this.byte(0x66);
    if (addressBits !== bits) this.byte(0x67);
    if (mandatoryPrefix !== 0) this.byte(mandatoryPrefix);
    if (override !== -1) this.byte(SEGMENT_PREFIX[override] as number);
    if (repeated) this.byte(random.chance(encoding.opcode[0] === 0xa6 || encoding.opcode[0] === 0xae ? 50 : 85) ? 0xf3 : 0xf2);
    if (!calm) {
      if (random.chance(lock ? 15 : 2)) this.byte(0xf0);
      if (!exactPrefix && !encoding.repeat && random.chance(3)) this.byte(random.chance(50) ? 0xf3 : 0xf2);
      if (exactPrefix && random.chance(1)) this.byte(random.pick([0x66, 0xf2, 0xf3]));
      // The same prefix again, and segments of which the last counts.
      if (this.length > start && random.chance(4)) this.byte(this.out[start + random.below(this.length - start)] as number);
      if (bits === 64 && random.chance(4)) this.byte(SEGMENT_PREFIX[random.below(4)] as number);
      // Fifteen bytes and more.
      if (random.chance(1)) for (let i = random.below(14); i > 0; i--) this.byte(0x3e);
    }
    for (let i = this.length - 1; i > start; i--) {
      const j = start + random.below(i - start + 1);
      const swapped = this.out[i] as number;
      this.out[i] = this.out[j] as number;
      this.out[j] = swapped;
    }
    // The last one counts; in 64-bit mode only FS and GS do.
    for (let i = this.length - 1; i >= start; i--) {
      const segment = SEGMENT_PREFIX.indexOf(this.out[i] as (typeof SEGMENT_PREFIX)[number]);
      if (segment >= (bits === 64 ? FS : ES)) return segment;
    }
    return -1;
  }

  private writeModRm(
    encoding: InstructionEncoding,
    { bits, calm = false, dataOffset }: BuildOptions,
    addressBits: 16 | 32 | 64,
    rex: number,
    override: number,
  ): MemoryOperand | undefined {
    const { random } = this;
    const reg = encoding.digit >= 0 ? encoding.digit : this.regField(encoding.regKind, calm);
    const register = encoding.modRm === 'register' || (encoding.modRm === 'either' && random.chance(calm ? 60 : 40));
    if (register) {
      this.byte(0xc0 | (reg << 3) | random.below(8));
      return undefined;
    }
    const bytes = encoding.memoryBytes;
    const make = (base: number, index: number, scale: number, displacement: number): MemoryOperand => {
      const stack = base === REGISTER_SP || base === REGISTER_BP;
      return { segment: override !== -1 ? override : stack ? SS : DS, addressBits, base, index, scale, displacement, bytes };
    };
    const absolute = (): number => (calm || random.chance(70) ? (dataOffset?.(random, bytes) ?? random.u32()) : random.u32());
    const mod = random.below(3);
    if (addressBits === 16) {
      const rm = calm && random.chance(70) ? 6 : random.below(8);
      const form = calm && rm === 6 ? 0 : mod;
      this.byte((form << 6) | (reg << 3) | rm);
      if (form === 0 && rm === 6) {
        const offset = absolute() & 0xffff;
        this.little(BigInt(offset), 2);
        return make(NO_REGISTER, NO_REGISTER, 0, offset);
      }
      const [base, index] = ADDRESS_16[rm] as readonly [number, number];
      return make(base, index, 0, this.displacement(form === 0 ? 0 : form === 1 ? 1 : 2));
    }
    const extendBase = (rex & 1) << 3;
    const extendIndex = (rex & 2) << 2;
    const rm = calm && random.chance(70) ? 5 : random.below(8);
    const form = calm && rm === 5 ? 0 : mod;
    this.byte((form << 6) | (reg << 3) | rm);
    if (rm === 4) {
      const scale = random.below(4);
      const index = random.below(8) | extendIndex;
      const base = random.below(8);
      this.byte((scale << 6) | ((index & 7) << 3) | base);
      const noBase = base === 5 && form === 0;
      const none = index === REGISTER_SP;
      if (noBase) {
        const offset = absolute() | 0;
        this.little(BigInt(offset), 4);
        return make(NO_REGISTER, none ? NO_REGISTER : index, scale, offset);
      }
      return make(base | extendBase, none ? NO_REGISTER : index, scale, this.displacement([0, 1, 4][form] as number));
    }
    if (rm === 5 && form === 0) {
      const offset = absolute() | 0;
      this.little(BigInt(offset), 4);
      return make(bits === 64 ? INSTRUCTION_POINTER : NO_REGISTER, NO_REGISTER, 0, offset);
    }
    return make(rm | extendBase, NO_REGISTER, 0, this.displacement([0, 1, 4][form] as number));
  }

  private regField(kind: InstructionEncoding['regKind'], calm: boolean): number {
    const { random } = this;
    if (kind === 'segment') return !calm && random.chance(5) ? random.below(8) : random.pick([ES, CS, SS, DS, FS, GS]);
    return random.below(8);
  }

  /** Writes one, mostly small, in any number of bytes. */
  private displacement(bytes: number): number {
    if (bytes === 0) return 0;
    const { random } = this;
    const small = random.below(256) - 128;
    const value = bytes === 1 || random.chance(60) ? small : bytes === 2 ? (random.u32() << 16) >> 16 : random.u32() | 0;
    this.little(BigInt(value), bytes);
    return value;
  }

  /** A displacement from RIP that leads to the data: written once the length of the instruction is known. */
  private aimAtData(memory: MemoryOperand, { at }: BuildOptions, from: number, displacementEnd: number): void {
    const relative = (memory.displacement - (at + this.length)) | 0;
    if (displacementEnd - from < 5) throw new Error('no displacement to aim');
    new DataView(this.out.buffer).setInt32(displacementEnd - 4, relative, true);
    (memory as { displacement: number }).displacement = relative;
  }

  private writeTrailing(encoding: InstructionEncoding, options: BuildOptions, addressBits: 16 | 32 | 64): number | undefined {
    const { random } = this;
    let absolute: number | undefined;
    encoding.trailing.forEach((bytes, i) => {
      if (bytes === 0) {
        const offset = options.dataOffset?.(random, encoding.memoryBytes) ?? random.u32();
        const far = options.calm !== true && random.chance(10);
        absolute = addressBits === 16 ? (far ? random.u32() : offset) & 0xffff : far ? random.u32() : offset;
        this.little(BigInt(absolute), addressBits / 8);
      } else if (i === 0 && encoding.branch) this.little(this.branchDisplacement(bytes, options.calm === true), bytes);
      else if (encoding.mnemonic === 'enter')
        this.little(BigInt(i === 0 ? random.below(64) : random.below(random.chance(70) ? 4 : 256)), bytes);
      else if (bytes === 6 || (bytes === 4 && encoding.code.includes('ptr'))) {
        this.little(interestingBytes(random, bytes - 2), bytes - 2);
        this.little(BigInt(options.selectors === undefined ? random.u32() & 0xffff : random.pick(options.selectors)), 2);
      } else if (bytes === 1 && random.chance(40)) this.byte(random.pick(COUNTS));
      else this.little(interestingBytes(random, bytes), bytes);
    });
    return absolute;
  }

  private branchDisplacement(bytes: number, calm: boolean): bigint {
    const { random } = this;
    if (calm) return BigInt(random.below(24));
    if (bytes === 1 || random.chance(70)) return BigInt(random.below(256) - 128);
    return BigInt.asIntN(bytes * 8, interestingBytes(random, bytes));
  }
}
