/**
 * The decoder: bytes to one decoded instruction (Intel SDM volume 2, chapter 2). It knows nothing of pages: the caller
 * gives it the bytes it may read, and is told when they are not enough.
 */
import { CODE_PAGE_OFFSET, CS, DS, ES, FS, GS, REGISTERS, registerOffset, SS, ZERO_OFFSET } from '../cpu/layout.js';
import { MODE_CODE_32, MODE_CODE_64, MODE_DATA_FLAT } from '../cpu/mode.js';
import { type Form, type Operand, type OperandSize, operandBits, type RepeatKind } from './definition.js';
import { type Entry, formIndex, type MandatoryPrefix, type OpcodeMap } from './opcode-map.js';
import { ADDRESSING, HANDLER } from './record.js';

/** SDM volume 3, section 6.15, #GP: the longest legal instruction. */
export const INSTRUCTION_LIMIT_BYTES = 15;

export type DecodeResult = 'ok' | 'needMoreBytes' | 'undefined' | 'tooLong';

class NeedMoreBytes {}
class TooLong {}
const NEED_MORE = new NeedMoreBytes();
const TOO_LONG = new TooLong();

/** 16-bit addressing forms (SDM volume 2, table 2-1): base, index by register number, -1 for none. */
const ADDRESS_16: readonly (readonly [number, number])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, -1],
  [7, -1],
  [5, -1],
  [3, -1],
];

export class Decoder {
  // The decoded instruction: valid after decode() gave 'ok'.
  form!: Form;
  length = 0;
  reg = 0;
  rm = 0;
  /** Register numbers as encoded, for host instructions. */
  regNumber = 0;
  rmNumber = 0;
  base = ZERO_OFFSET;
  index = ZERO_OFFSET;
  scale = 0;
  addressing = 0;
  displacement = 0;
  immediate = 0;
  addressSize: 16 | 32 | 64 = 32;
  /** The effective segment of the memory operand. */
  segment = DS;

  /** The displacement counts from the next instruction; `base` is the page that the instruction is in. */
  ripRelative = false;

  /** Last opcode byte. */
  opcode = 0;
  private bytes!: Uint8Array;
  private at = 0;
  private end = 0;
  private start = 0;

  /** @param longMap for 64-bit code */
  constructor(
    private readonly map: OpcodeMap,
    private readonly longMap?: OpcodeMap,
  ) {
    if (CODE_PAGE_OFFSET > 255 || ZERO_OFFSET > 255 || REGISTERS === 0) throw new Error('the register file does not fit the record fields');
  }

  /** Decodes at bytes[start]; bytes from `end` on may not be read. */
  decode(bytes: Uint8Array, start: number, end: number, mode: number): DecodeResult {
    this.bytes = bytes;
    this.at = start;
    this.start = start;
    this.end = end;
    try {
      return this.decodeInstruction(mode);
    } catch (error) {
      if (error === NEED_MORE) return 'needMoreBytes';
      if (error === TOO_LONG) return 'tooLong';
      throw error;
    }
  }

  private next8(): number {
    if (this.at - this.start >= INSTRUCTION_LIMIT_BYTES) throw TOO_LONG;
    if (this.at >= this.end) throw NEED_MORE;
    return this.bytes[this.at++] as number;
  }
  private next16(): number {
    return this.next8() | (this.next8() << 8);
  }
  private next32(): number {
    return this.next16() | (this.next16() << 16);
  }

  private decodeInstruction(mode: number): DecodeResult {
    const long = (mode & MODE_CODE_64) !== 0;
    const default32 = long || (mode & MODE_CODE_32) !== 0;
    let segmentOverride = -1;
    let operandPrefix = false;
    let addressPrefix = false;
    let lock = false;
    let repeat: RepeatKind = 0;
    let rex = 0;
    let opcode: number;
    prefixes: for (;;) {
      opcode = this.next8();
      switch (opcode) {
        // 64-bit mode ignores the four of them (SDM volume 2, 2.1.1).
        case 0x26:
          if (!long) segmentOverride = ES;
          break;
        case 0x2e:
          if (!long) segmentOverride = CS;
          break;
        case 0x36:
          if (!long) segmentOverride = SS;
          break;
        case 0x3e:
          if (!long) segmentOverride = DS;
          break;
        case 0x64:
          segmentOverride = FS;
          break;
        case 0x65:
          segmentOverride = GS;
          break;
        case 0x66:
          operandPrefix = true;
          break;
        case 0x67:
          addressPrefix = true;
          break;
        case 0xf0:
          lock = true;
          break;
        case 0xf2:
          repeat = 2;
          break;
        case 0xf3:
          repeat = 1;
          break;
        default:
          if (long && (opcode & 0xf0) === 0x40) {
            rex = opcode;
            continue;
          }
          break prefixes;
      }
      rex = 0;
    }
    let index = opcode;
    this.opcode = opcode;
    if (opcode === 0x0f) {
      this.opcode = this.next8();
      index = 256 + this.opcode;
    }
    const map = long ? this.longMap : this.map;
    if (map === undefined) return 'undefined';
    let candidates = map.entries[index] as readonly Entry[];
    // 90 is no exchange of EAX with itself, which would clear the upper half of RAX.
    if (long && index === 0x90 && !(rex & 1)) candidates = candidates.slice(-1);
    const first = candidates[0];
    if (first === undefined) return 'undefined';
    let modRm = -1;
    if (first.hasModRm) modRm = this.next8();
    // MOV to and from control and debug registers ignore ModRM.mod (SDM volume 2, "MOV - Move to/from Control Registers").
    if (index >= 256 + 0x20 && index <= 256 + 0x23) modRm |= 0xc0;
    const mandatory: MandatoryPrefix = repeat === 1 ? 'F3' : repeat === 2 ? 'F2' : operandPrefix ? '66' : 'NP';
    const entry = this.match(candidates, modRm, mandatory);
    if (entry === undefined) return 'undefined';
    const { definition } = entry;

    const wide = (rex & 8) !== 0;
    const prefixIsOpcode = entry.prefix === '66';
    let size: OperandSize = default32 !== (operandPrefix && !prefixIsOpcode) ? 32 : 16;
    if (long) {
      size = wide ? 64 : operandPrefix && !prefixIsOpcode ? 16 : 32;
      if (definition.options.default64 === true && size === 32) size = 64;
      if (definition.options.atMost32 === true && size === 64) size = 32;
    }
    if (prefixIsOpcode && size === 16) size = 32;
    if (entry.wideOrNot) size = wide ? 64 : 32;
    else if (!entry.sized) size = entry.fixedSize;
    this.addressSize = long ? (addressPrefix ? 32 : 64) : default32 !== addressPrefix ? 32 : 16;

    const memory = modRm >= 0 ? modRm < 0xc0 && entry.allowsMemory : entry.allowsMemory;
    const kind: RepeatKind = definition.options.repeat === undefined ? 0 : definition.options.repeat === 'rep' && repeat === 2 ? 1 : repeat;
    const form = entry.forms[formIndex(size, memory, kind)];
    if (form === undefined) return 'undefined';
    this.form = form;

    this.base = ZERO_OFFSET;
    this.index = ZERO_OFFSET;
    this.scale = 0;
    this.displacement = 0;
    // Without an immediate: ModRM, and above it the segment of the operand, which x87 instructions report in FOP and FDS.
    this.immediate = Math.max(modRm, 0);
    this.segment = DS;
    this.ripRelative = false;
    this.regNumber = modRm >= 0 ? ((modRm >> 3) & 7) | ((rex & 4) << 1) : (opcode & 7) | ((rex & 1) << 3);
    if (index >= 256 && modRm < 0) this.regNumber = (index & 7) | ((rex & 1) << 3);
    this.rmNumber = modRm >= 0 ? (modRm & 7) | ((rex & 1) << 3) : 0;
    if (memory && modRm >= 0) this.decodeAddress(modRm, rex, long);
    else if (memory) {
      this.displacement = this.addressSize === 16 ? this.next16() : this.next32();
      // The upper half of an address in the instruction, which has no immediate then.
      if (this.addressSize === 64) this.immediate = this.next32();
    }
    if (segmentOverride >= 0) this.segment = segmentOverride;
    if (memory && modRm >= 0) this.immediate |= this.segment << 8;
    this.addressing = long ? this.longAddressing() : this.addressingOf(mode);

    this.reg = this.regNumber;
    this.rm = this.rmNumber;
    let immediates = 0;
    for (const operand of entry.operands) {
      if (operand.kind !== 'I') this.decodeOperand(operand, size, rex);
      else if (immediates++ === 0) this.immediate = this.decodeImmediate(operand, size);
      else this.displacement = this.decodeImmediate(operand, size);
    }
    if (form.handler === HANDLER.host) {
      // Host instructions get register numbers as encoded.
      this.rm = this.rmNumber;
      if (!form.operands.some(({ kind }) => kind === 'S')) this.reg = this.regNumber;
    }
    this.length = this.at - this.start;
    if (lock && !(definition.options.lock === true && memory)) return 'undefined';
    return 'ok';
  }

  private match(candidates: readonly Entry[], modRm: number, mandatory: MandatoryPrefix): Entry | undefined {
    const digit = (modRm >> 3) & 7;
    const isMemory = modRm >= 0 && modRm < 0xc0;
    for (const entry of candidates) {
      if (entry.prefix !== undefined && entry.prefix !== mandatory) continue;
      if (modRm >= 0) {
        if (entry.digit >= 0 && entry.digit !== digit) continue;
        if (entry.exactModRm >= 0 && entry.exactModRm !== modRm) continue;
        if (isMemory ? !entry.allowsMemory : !entry.allowsRegister) continue;
      }
      return entry;
    }
    return undefined;
  }

  private decodeAddress(modRm: number, rex: number, long: boolean): void {
    const mod = modRm >> 6;
    const low = modRm & 7;
    if (this.addressSize === 16) {
      const [base, index] = ADDRESS_16[low] as readonly [number, number];
      if (mod === 0 && low === 6) {
        this.displacement = this.next16();
        return;
      }
      this.base = registerOffset(base);
      if (index >= 0) this.index = registerOffset(index);
      if (base === 5) this.segment = SS;
      if (mod === 1) this.displacement = (this.next8() << 24) >> 24;
      else if (mod === 2) this.displacement = (this.next16() << 16) >> 16;
      return;
    }
    let base = low;
    if (low === 4) {
      const sib = this.next8();
      base = sib & 7;
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index !== 4) {
        this.index = registerOffset(index);
        this.scale = sib >> 6;
      }
    }
    if (base === 5 && mod === 0) {
      this.displacement = this.next32();
      // Without a SIB byte.
      if (long && low === 5) {
        this.base = CODE_PAGE_OFFSET;
        this.ripRelative = true;
      }
      return;
    }
    base |= (rex & 1) << 3;
    this.base = registerOffset(base);
    if (base === 4 || base === 5) this.segment = SS;
    if (mod === 1) this.displacement = (this.next8() << 24) >> 24;
    else if (mod === 2) this.displacement = this.next32();
  }

  /** The `addressing` byte; also for instructions whose memory operands are implicit. */
  private addressingOf(mode: number): number {
    const wraps = this.addressSize === 16;
    const flat = (mode & MODE_DATA_FLAT) !== 0 && (this.segment === DS || this.segment === ES || this.segment === SS);
    if (flat && !wraps) return 0;
    return ADDRESSING.checked | (wraps ? ADDRESSING.narrow : 0) | this.segment;
  }

  /** Only FS and GS have a base; the others are named for the fault of an address that is not canonical. */
  private longAddressing(): number {
    const based = this.segment === FS || this.segment === GS;
    return (based ? ADDRESSING.checked : 0) | (this.addressSize === 32 ? ADDRESSING.narrow : 0) | this.segment;
  }

  /** The first immediate goes into its own field, a second one (ENTER) into the displacement, as does the upper half of 64 bits. */
  private decodeImmediate(operand: Operand, size: OperandSize): number {
    if (operand.size === 'b') return this.next8();
    if (operand.size === 's') return (this.next8() << 24) >> 24;
    const bits = operandBits(operand, size);
    if (bits === 16) return this.next16();
    const value = this.next32();
    if (operand.size === 'v' && bits === 64) this.displacement = this.next32();
    return value;
  }

  private decodeOperand(operand: Operand, size: OperandSize, rex: number): void {
    const bits = operandBits(operand, size);
    switch (operand.kind) {
      case 'J':
        this.immediate = operand.size === 'b' ? (this.next8() << 24) >> 24 : size === 16 ? (this.next16() << 16) >> 16 : this.next32();
        // By itself, because a record's immediate counts from the page.
        this.displacement = this.immediate;
        return;
      case 'A':
        this.immediate = size === 16 ? this.next16() : this.next32();
        this.displacement = this.next16();
        return;
      case 'E':
      case 'R':
        this.rm = registerField(this.rmNumber, bits, rex);
        return;
      case 'G':
      case 'Z':
        this.reg = registerField(this.regNumber, bits, rex);
        return;
      case 'S':
        // REX.R means nothing to a segment register.
        this.reg = operand.size === 'o' ? (this.opcode >> 3) & 7 : this.regNumber & 7;
        return;
      default:
        return;
    }
  }
}

/** Offset of a general register from REGISTERS; without REX, byte registers 4-7 are AH CH DH BH. */
function registerField(number: number, bits: number, rex: number): number {
  if (bits === 0) return number;
  if (bits === 8 && rex === 0 && number >= 4) return registerOffset(number - 4) + 1;
  return registerOffset(number);
}
