/**
 * States of the user arena: CPL 3, paging on, registers weighted to the interesting, and set so that the memory operand
 * of the instruction at hand lies somewhere interesting: across a page, at the end of the last page, in a read-only one.
 *
 * States are stirred from a pool of finished ones: a case copies one, then draws anew what its instruction looks at.
 */
import type { CodeBits } from '../oracles/oracle.js';
import { USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, DS, ES, FS, GS, LDTR, SS, TR } from '../state/cpu-state.js';
import type { InstructionEncoding } from './encodings.js';
import { type BuiltInstruction, INSTRUCTION_POINTER, NO_REGISTER } from './instruction.js';
import { copyFromPool, type PoolKind } from './pools.js';
import type { Random } from './random.js';
import { interesting32, interesting64Into } from './values.js';

/** `native`: only what a user process of a 64-bit host can set up. */
export type Surroundings = 'any' | 'native';

const RECORD_WORDS = USER_RECORD_BYTES / 4;
const STATE_WORDS = CPU_STATE_BYTES / 4;
const POOL_STATES = 256;

const RSP = 4;
const RCX = 1;
const RBX = 3;
const RSI = 6;
const RDI = 7;

const [CODE, DATA, EDGE, READ_ONLY] = USER_WINDOWS as unknown as readonly [Place, Place, Place, Place];
interface Place {
  readonly address: number;
  readonly bytes: number;
}
const DATA_MIDDLE = DATA.address + DATA.bytes / 2;
const EDGE_END = EDGE.address + EDGE.bytes;
const ABSENT = 0x30000;

const CR0_USER = 0x8000_0033; // PG, NE, ET, MP, PE
const CR0_TS = 8;
const CR0_EM = 4;
const CR0_AM = 1 << 18;
const CR0_WP = 1 << 16;
const CR4_SSE = 0x600; // OSFXSR, OSXMMEXCPT
const CR4_TSD = 4;
const EFER_LONG = 0x500; // LME, LMA
const FLAG = {
  fixed: 2,
  tf: 0x100,
  if: 0x200,
  df: 0x400,
  nt: 0x4000,
  rf: 0x1_0000,
  ac: 0x4_0000,
  id: 0x20_0000,
  arithmetic: 0x8d5,
} as const;

/** Access bytes of the segments (SDM volume 3, 3.4.5): present, DPL 3, accessed. */
const DATA_WRITABLE = 0xf3;
const DATA_READ_ONLY = 0xf1;
const DATA_EXPAND_DOWN = 0xf7;
const CODE_READABLE = 0xfb;
const CODE_EXECUTE_ONLY = 0xf9;
const CODE_CONFORMING = 0xff;
const BIG = 0x4000;
const LONG = 0x2000;
const GRANULAR = 0x8000;
const FLAT_DATA = DATA_WRITABLE | BIG | GRANULAR;
const TSS_BUSY_32 = 0x8b;
const FLAT_LIMIT = 0xffff_ffff;

/** Bases of 16-bit segments: offsets up to 64 KiB reach the windows. */
const CODE_BASE_16 = 0x1_0000;
export const DATA_BASE_16 = 0x2_0000;

/**
 * Selectors are those of 64-bit Linux for flat segments, and entries of a local table for the others, each register its own:
 * a table of descriptors can be made for any state.
 */
const FLAT_SELECTOR = 0x2b;
export const CODE_SELECTOR = { 16: 0x0f, 32: 0x23, 64: 0x33 } as const;
type Segment = typeof ES | typeof CS | typeof SS | typeof DS | typeof FS | typeof GS;
const localSelector = (index: Segment): number => index * 8 + 7;

/** What the vector registers and the data of a case should hold. */
export function poolKindFor({ family, mnemonic }: InstructionEncoding): PoolKind {
  if (family === 'x87') return 'extendeds';
  if (family === 'sse' && !/^(p|mov|mask)/.test(mnemonic)) return /(ps|ss|pi)$|^cvt.*2?ps/.test(mnemonic) ? 'singles' : 'doubles';
  return 'integers';
}

/** An address in the arena for an operand of so many bytes. */
function interestingAddress(random: Random, bytes: number): number {
  const kind = random.below(100);
  const alignment = bytes >= 512 ? 256 : bytes > 8 ? 16 : bytes > 4 ? 8 : bytes > 2 ? 4 : bytes > 1 ? 2 : 1;
  const size = Math.max(1, Math.min(bytes, DATA.bytes));
  let address: number;
  if (kind < 68) address = DATA.address + random.below(DATA.bytes - size + 1);
  else if (kind < 80) address = DATA_MIDDLE - random.below(size + 1);
  else if (kind < 87) return EDGE_END - random.below(Math.min(EDGE.bytes, size + 8));
  else if (kind < 93) return READ_ONLY.address + random.below(32) - (kind < 88 ? random.below(size + 1) : 0);
  else if (kind < 97) return CODE.address + random.below(CODE.bytes);
  else if (kind < 98) return ABSENT + random.below(0x2000);
  else return interesting32(random);
  return random.chance(75) ? address - (address % alignment) : address;
}

/** Offset within the data segment as it mostly is, for addresses without registers. */
export function dataOffsetFor(bits: CodeBits): (random: Random, bytes: number) => number {
  return (random, bytes) => interestingAddress(random, bytes) - (bits === 16 ? DATA_BASE_16 : 0);
}

/** The same without what would fault. */
export function calmDataOffset(random: Random, bits: CodeBits, bytes: number): number {
  const size = Math.min(Math.max(1, bytes), DATA.bytes);
  const offset = random.below(DATA.bytes - size + 1);
  return DATA.address - (bits === 16 ? DATA_BASE_16 : 0) + (bytes === 16 ? offset - (offset % 16) : offset);
}

/** Where the instruction begins in a case, as an offset in the code window: before and across the page as well. */
export function interestingCodeOffset(random: Random, bytes: number): number {
  const middle = CODE.bytes / 2;
  const kind = random.below(100);
  if (kind < 60) return 0x40;
  if (kind < 80) return middle - random.below(bytes + 1);
  return random.below(CODE.bytes - bytes);
}

export const codeBase = (bits: CodeBits): number => (bits === 16 ? CODE_BASE_16 : 0);

/** Makes one record after another. */
export class UserStates {
  private readonly pool = new Uint32Array(POOL_STATES * STATE_WORDS);
  private readonly scratch = new CpuState();

  constructor(
    private readonly bits: CodeBits,
    private readonly surroundings: Surroundings,
    private readonly random: Random,
  ) {}

  /** Draws the states of the pool anew: to be called before the first case, and after some thousands. */
  renewPool(): void {
    for (let slot = 0; slot < POOL_STATES; slot++) this.renew(slot);
  }

  /** The state and all windows but that of the code. @param words the record @param codeOffset of the first instruction, in the window */
  fill(words: Uint32Array, shape: BuiltInstruction, kind: PoolKind, codeOffset: number): void {
    const { random, bits } = this;
    const from = random.below(POOL_STATES) * STATE_WORDS;
    words.set(this.pool.subarray(from, from + STATE_WORDS), 0);
    this.generalRegisters(words);
    const { family } = shape.encoding;
    if (family === 'sse' || family === 'mmx') {
      copyFromPool(random, kind, words, CPU_STATE.xmm / 4, bits === 64 ? 64 : 32);
      if (family === 'mmx' || kind === 'integers') this.mmxRegisters(words, kind);
    } else if (family === 'x87') {
      if (random.chance(97)) copyFromPool(random, 'extendeds', words, CPU_STATE.x87Registers / 4, 32);
      else this.mmxRegisters(words, 'integers');
    }
    words[CPU_STATE.rip / 4] = CODE.address - codeBase(bits) + codeOffset;
    copyFromPool(
      random,
      this.memoryKind(shape.encoding, kind),
      words,
      STATE_WORDS + CODE.bytes / 4,
      RECORD_WORDS - STATE_WORDS - CODE.bytes / 4,
    );
    if (shape.memory !== undefined) this.aim(words, shape);
    else if (shape.encoding.implicit.length > 0) this.aimImplicit(words, shape);
    if (shape.repeated) this.counter(words, shape.addressBits);
  }

  private memoryKind({ memoryBytes }: InstructionEncoding, kind: PoolKind): PoolKind {
    if (kind === 'extendeds' && memoryBytes < 10) return memoryBytes === 4 ? 'singles' : memoryBytes === 8 ? 'doubles' : 'integers';
    return kind;
  }

  private generalRegisters(words: Uint32Array): void {
    const { random, bits } = this;
    if (bits === 64) {
      for (let i = 0; i < 16; i++) interesting64Into(random, words, i * 2);
    } else for (let i = 0; i < 8; i++) words[i * 2] = interesting32(random);
    const choice = random.u32();
    // Equal operands, and counts near the widths.
    if ((choice & 7) === 0) {
      const [to, of] = [(choice >>> 4) & 7, (choice >>> 8) & 7];
      words[to * 2] = words[of * 2] as number;
      words[to * 2 + 1] = words[of * 2 + 1] as number;
    }
    if ((choice & 0x18) === 0) words[RCX * 2] = (((words[RCX * 2] as number) & ~0xff) | ((choice >>> 12) & 0x47)) >>> 0;
    words[CPU_STATE.flags / 4] = ((words[CPU_STATE.flags / 4] as number) & ~FLAG.arithmetic) | (random.u32() & FLAG.arithmetic);
    this.setRegister(words, RSP, this.stackPointer() - this.segmentBase(words, SS));
  }

  private stackPointer(): number {
    const { random } = this;
    const kind = random.below(100);
    const odd = random.chance(25) ? random.below(16) : 0;
    if (kind < 70) return DATA_MIDDLE + 16 * (random.below(20) - 10) + odd;
    if (kind < 80) return DATA_MIDDLE + random.below(17) - 8;
    if (kind < 88) return EDGE_END - random.below(20);
    if (kind < 93) return EDGE_END + random.below(12);
    if (kind < 96) return 0x2_0000 + random.below(20);
    return interestingAddress(random, 8);
  }

  private segmentBase(words: Uint32Array, index: number): number {
    return words[(CPU_STATE.segments + index * 24) / 4] as number;
  }

  /** In two words; in 16- and 32-bit code the low one. @param value a safe integer */
  private setRegister(words: Uint32Array, register: number, value: number): void {
    words[register * 2] = value;
    words[register * 2 + 1] = this.bits === 64 ? Math.floor(value / 0x1_0000_0000) : 0;
  }

  /** Sets the part of a register that takes part in addresses; above it lies what was there, half of the time. */
  private setAddressRegister(words: Uint32Array, register: number, value: number, addressBits: number): void {
    const low = words[register * 2] as number;
    const high = words[register * 2 + 1] as number;
    this.setRegister(words, register, value);
    if (addressBits === 16) {
      words[register * 2] = ((value & 0xffff) | (this.random.chance(50) ? low & 0xffff_0000 : 0)) >>> 0;
      words[register * 2 + 1] = high;
    } else if (addressBits === 32) words[register * 2 + 1] = this.random.chance(50) ? high : 0;
  }

  /** Sets the registers of the memory operand so that it lies in an interesting place. */
  private aim(words: Uint32Array, { memory, encoding }: BuiltInstruction): void {
    if (memory === undefined || memory.base === INSTRUCTION_POINTER) return;
    const { random } = this;
    const { base, index, scale, displacement, addressBits, segment } = memory;
    if (base === NO_REGISTER && index === NO_REGISTER) return;
    if (random.chance(3)) return;
    const fromRegister = /^bt[crs]?$/.test(encoding.mnemonic) && encoding.trailing.length === 0;
    const offset = interestingAddress(random, memory.bytes) - this.segmentBase(words, segment) - displacement;
    if (base === NO_REGISTER) {
      // Only what the scale can reach.
      this.setAddressRegister(words, index, Math.floor(offset / (1 << scale)), addressBits);
    } else if (index === NO_REGISTER) this.setAddressRegister(words, base, offset, addressBits);
    else if (index === base) this.setAddressRegister(words, base, Math.floor(offset / (1 + (1 << scale))), addressBits);
    else {
      const step = index === RSP ? 0 : random.chance(60) ? random.below(64) - 32 : interesting32(random) | 0;
      this.setAddressRegister(words, index, step, addressBits);
      this.setAddressRegister(words, base, offset - step * (1 << scale), addressBits);
    }
    // Bit strings reach far from their address: mostly not out of the arena.
    if (fromRegister && random.chance(80)) this.smallBitOffsets(words, base, index);
  }

  private smallBitOffsets(words: Uint32Array, base: number, index: number): void {
    const { random } = this;
    for (let register = 0; register < (this.bits === 64 ? 16 : 8); register++) {
      if (register !== base && register !== index && register !== RSP) this.setRegister(words, register, random.below(2048) - 1024);
    }
  }

  private aimImplicit(words: Uint32Array, { encoding, addressBits, segment }: BuiltInstruction): void {
    const { random } = this;
    if (random.chance(3)) return;
    for (const implicit of encoding.implicit) {
      const address = interestingAddress(random, encoding.memoryBytes);
      if (implicit === 'destinationIndex') this.setAddressRegister(words, RDI, address - this.segmentBase(words, ES), addressBits);
      else if (implicit === 'sourceIndex') this.setAddressRegister(words, RSI, address - this.segmentBase(words, segment), addressBits);
      else if (implicit === 'maskStore') this.setAddressRegister(words, RDI, address - this.segmentBase(words, segment), addressBits);
      else this.setAddressRegister(words, RBX, address - this.segmentBase(words, segment) - random.below(256), addressBits);
    }
    if (random.chance(40)) words[CPU_STATE.flags / 4] = (words[CPU_STATE.flags / 4] as number) | FLAG.df;
    // Source and destination that overlap.
    if (encoding.implicit.length === 2 && random.chance(25)) {
      const near = (words[RSI * 2] as number) + random.below(33) - 16;
      this.setAddressRegister(words, RDI, near + this.segmentBase(words, segment) - this.segmentBase(words, ES), addressBits);
    }
  }

  private counter(words: Uint32Array, addressBits: number): void {
    const { random } = this;
    if (random.chance(96)) this.setAddressRegister(words, RCX, random.below(random.chance(80) ? 9 : 48), addressBits);
  }

  private mmxRegisters(words: Uint32Array, kind: PoolKind): void {
    const at = CPU_STATE.x87Registers / 4;
    copyFromPool(this.random, kind, words, at, 32);
    // What an MMX instruction leaves: exponent and sign all ones.
    for (let i = 0; i < 8; i++) {
      words[at + i * 4 + 2] = this.random.chance(70) ? 0xffff : (words[at + i * 4 + 2] as number) & 0xffff;
      words[at + i * 4 + 3] = 0;
    }
  }

  private renew(slot: number): void {
    const { scratch: state } = this;
    state.words.fill(0);
    this.control(state);
    this.segments(state);
    this.floatingPoint(state);
    this.vectors(state);
    this.pool.set(state.words, slot * STATE_WORDS);
  }

  private control(state: CpuState): void {
    const { random, surroundings, bits } = this;
    const free = surroundings === 'any';
    let cr0 = CR0_USER;
    if (random.chance(8)) cr0 |= CR0_AM;
    // Of no consequence to user code, and the engine drops its translations whenever it changes.
    if (random.chance(free ? 4 : 0)) cr0 |= CR0_WP;
    if (random.chance(free ? 2 : 0)) cr0 |= random.pick([CR0_TS, CR0_EM, CR0_TS | CR0_EM]);
    state.setU64(CPU_STATE.cr0, BigInt(cr0 >>> 0));
    state.setU64(CPU_STATE.cr3, BigInt(USER_CR3));
    let cr4 = CR4_SSE;
    if (random.chance(free ? 2 : 0)) cr4 ^= random.pick([0x200, 0x400, CR4_TSD]);
    state.setU64(CPU_STATE.cr4, BigInt(cr4));
    state.setU64(CPU_STATE.efer, bits === 64 ? BigInt(EFER_LONG) : 0n);
    state.setU64(CPU_STATE.debug + 6 * 8, 0xffff_0ff0n);
    state.setU64(CPU_STATE.debug + 7 * 8, 0x400n);
    state.setU32(CPU_STATE.cpl, 3);
    let flags = FLAG.fixed | FLAG.if;
    if (random.chance(2)) flags |= FLAG.tf;
    if (random.chance(15)) flags |= FLAG.df;
    if (cr0 & CR0_AM ? random.chance(60) : free && random.chance(5)) flags |= FLAG.ac;
    if (random.chance(10)) flags |= FLAG.id;
    if (free && random.chance(5)) flags |= FLAG.nt;
    if (free && random.chance(3)) flags |= 0x3000;
    if (free && random.chance(3)) flags |= FLAG.rf;
    state.flags = flags;
  }

  private segments(state: CpuState): void {
    const { bits } = this;
    state.setSegment(LDTR, 0, 0n, 0, 0);
    // No room for an I/O permission map: ports are refused without a look at memory.
    state.setSegment(TR, 0x60, 0x9_0000n, 0, TSS_BUSY_32);
    for (const index of [ES, CS, SS, DS, FS, GS] as const) {
      if (bits === 64) this.longSegment(state, index);
      else if (index === CS) this.codeSegment(state);
      else this.dataSegment(state, index);
    }
  }

  private longSegment(state: CpuState, index: Segment): void {
    const { random } = this;
    if (index === CS) state.setSegment(CS, CODE_SELECTOR[64], 0n, FLAT_LIMIT, CODE_READABLE | LONG | GRANULAR);
    else {
      const based = (index === FS || index === GS) && random.chance(50);
      const base = based ? BigInt(random.pick([DATA.address, 0x1000, DATA_MIDDLE - 1, 0x2_0000])) : 0n;
      state.setSegment(index, FLAT_SELECTOR, base, FLAT_LIMIT, DATA_WRITABLE | BIG | GRANULAR);
    }
  }

  private codeSegment(state: CpuState): void {
    const { random, bits } = this;
    const type = random.chance(4) ? CODE_EXECUTE_ONLY : random.chance(4) ? CODE_CONFORMING : CODE_READABLE;
    if (bits === 16) {
      const limit = random.chance(10) ? 0x0fff + random.below(0x100) : 0xffff;
      state.setSegment(CS, CODE_SELECTOR[16], BigInt(CODE_BASE_16), limit, type);
    } else if (random.chance(5)) state.setSegment(CS, localSelector(CS), 0n, CODE.address + CODE.bytes / 2 + random.below(64), type | BIG);
    else state.setSegment(CS, type === CODE_READABLE ? CODE_SELECTOR[32] : localSelector(CS), 0n, FLAT_LIMIT, type | BIG | GRANULAR);
  }

  private dataSegment(state: CpuState, index: Exclude<Segment, typeof CS>): void {
    const { random, bits } = this;
    const base = bits === 16 ? DATA_BASE_16 : 0;
    const stackBig = bits === 16 ? (random.chance(15) ? BIG : 0) : index === SS && random.chance(5) ? 0 : BIG;
    const middle = DATA_MIDDLE - base;
    const kind = random.below(100);
    const set = (at: number, limit: number, attributes: number): void =>
      state.setSegment(index, attributes === FLAT_DATA ? FLAT_SELECTOR : localSelector(index), BigInt(at), limit, attributes);
    if (kind < 80) {
      if (bits === 16) set(base, 0xffff, DATA_WRITABLE | stackBig);
      else set(0, FLAT_LIMIT, DATA_WRITABLE | stackBig | GRANULAR);
    } else if (kind < 87) set(base, middle - 1 + random.below(8), DATA_WRITABLE | stackBig);
    else if (kind < 92) set(base, middle - 1 - random.below(8), DATA_EXPAND_DOWN | stackBig);
    else if (kind < 95) set(DATA.address - (DATA.address % 16) + random.below(16), 0x1ff, DATA_WRITABLE | stackBig);
    else if (index === SS) set(base, 0xffff_f, DATA_WRITABLE | stackBig);
    else if (kind < 97) set(base, 0xf_ffff, DATA_READ_ONLY | stackBig);
    else if (kind < 98) set(base, 0xf_ffff, CODE_EXECUTE_ONLY | BIG);
    else if (kind < 99) set(base, 0xf_ffff, CODE_READABLE | BIG);
    else state.setSegment(index, 0, 0n, 0, 0);
  }

  /** Control and status words, tags, and the numbers themselves (SDM volume 1, chapter 8). */
  private floatingPoint(state: CpuState): void {
    const { random } = this;
    const masks = random.chance(55) ? 0x3f : random.u32() & 0x3f;
    const precision = random.pick([0, 2, 3, 3, 3, 1]) << 8;
    const rounding = random.chance(40) ? 0 : random.below(4) << 10;
    state.setU16(CPU_STATE.x87Control, 0x40 | masks | precision | rounding);
    const pending = random.chance(3);
    const exceptions = random.u32() & 0x3f & (pending ? 0x3f : masks) & (random.chance(50) ? 0 : 0x3f);
    const stackFault = exceptions & 1 ? random.below(2) << 6 : 0;
    const summary = (exceptions & ~masks & 0x3f) !== 0 ? 0x8080 : 0;
    state.setU16(CPU_STATE.x87Status, exceptions | stackFault | summary | (random.below(8) << 11) | (random.u32() & 0x4700));
    const empty = random.chance(45) ? 0 : random.chance(20) ? 0xff : random.u32() & 0xff;
    state.setU16(CPU_STATE.x87Empty, empty);
    copyFromPool(random, 'extendeds', state.words, CPU_STATE.x87Registers / 4, 32);
  }

  private vectors(state: CpuState): void {
    const { random, bits } = this;
    copyFromPool(random, random.pick(['integers', 'singles', 'doubles']), state.words, CPU_STATE.xmm / 4, bits === 64 ? 64 : 32);
    const masks = random.chance(55) ? 0x1f80 : (random.u32() & 0x3f) << 7;
    const modes = random.chance(50) ? 0 : random.u32() & 0xe040;
    const sticky = random.chance(50) ? 0 : random.u32() & 0x3f;
    state.setU32(CPU_STATE.mxcsr, masks | modes | sticky);
  }
}
