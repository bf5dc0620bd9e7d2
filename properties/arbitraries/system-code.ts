/** Instructions of system cases: one or a few, of the kinds that the user arena cannot show, with operands in the system arena. */
import { SYSTEM_AREA, SYSTEM_HANDLERS } from '../state/system-arena.js';
import type { Random } from './random.js';
import { drawSelector } from './system-selectors.js';

const OPERAND_SIZE = 0x66;
const ADDRESS_SIZE = 0x67;

/** Ports, and whatever fits into a byte. */
const VECTORS = [0, 1, 3, 4, 6, 8, 10, 13, 14, 0x20, 0x21, 0x2f, 0x30, 0x3f, 0x40, 0x80, 0xff];

class Code {
  readonly bytes: number[] = [];
  operand32: boolean;
  address32: boolean;

  constructor(
    private readonly random: Random,
    bits: 16 | 32,
  ) {
    this.operand32 = bits === 32;
    this.address32 = bits === 32;
    if (random.chance(25)) {
      this.operand32 = !this.operand32;
      this.bytes.push(OPERAND_SIZE);
    }
    if (random.chance(10)) {
      this.address32 = !this.address32;
      this.bytes.push(ADDRESS_SIZE);
    }
    if (random.chance(5)) this.bytes.push(random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
  }

  emit(...bytes: readonly number[]): void {
    this.bytes.push(...bytes);
  }
  word(value: number): void {
    this.emit(value & 0xff, (value >> 8) & 0xff);
  }
  wide(value: number): void {
    this.word(value & 0xffff);
    if (this.operand32) this.word(value >>> 16);
  }

  /** ModRM with a register, or with memory in the data window by displacement. */
  operand(reg: number, memory: boolean): void {
    if (!memory) {
      this.emit(0xc0 | (reg << 3) | this.random.below(8));
      return;
    }
    const { address, bytes } = SYSTEM_AREA.data;
    // Offsets of segments with a base of 0 have to fit into 16 bits there.
    const offset = address - (this.address32 ? 0 : DATA_BASE) + this.random.below(bytes - 8);
    if (this.address32) {
      this.emit(0x05 | (reg << 3));
      this.word(offset & 0xffff);
      this.word(offset >>> 16);
    } else {
      this.emit(0x06 | (reg << 3));
      this.word(offset);
    }
  }
  either(reg: number): void {
    this.operand(reg, this.random.chance(60));
  }
}

/** Base of 16-bit segments: the data, code and stack windows are within 64 KiB of it. */
const DATA_BASE = 0x8000;

type Draw = (code: Code, random: Random) => void;

const fixed =
  (...bytes: readonly number[]): Draw =>
  (code) =>
    code.emit(...bytes);
const group =
  (bytes: readonly number[], reg: number, memory?: boolean): Draw =>
  (code) => {
    code.emit(...bytes);
    if (memory === undefined) code.either(reg);
    else code.operand(reg, memory);
  };
const anyReg =
  (...bytes: readonly number[]): Draw =>
  (code, random) => {
    code.emit(...bytes);
    code.either(random.below(8));
  };

const target = (random: Random): number =>
  random.chance(85) ? SYSTEM_HANDLERS + random.below(64) - (random.chance(50) ? DATA_BASE : 0) : random.u32();

const farDirect =
  (opcode: number): Draw =>
  (code, random) => {
    code.emit(opcode);
    code.wide(target(random));
    code.word(drawSelector(random));
  };

const repeatable =
  (opcode: number): Draw =>
  (code, random) => {
    if (random.chance(40)) code.emit(random.pick([0xf2, 0xf3]));
    code.emit(opcode + random.below(2));
  };

/** By how often; all of them together are drawn from a list with repetitions. */
const KINDS: readonly (readonly [number, Draw])[] = [
  [
    6,
    (code, random) => {
      code.emit(0x8e);
      code.either(random.chance(95) ? random.pick([0, 2, 2, 3, 4, 5]) : random.below(8));
    },
  ],
  [1, anyReg(0x8c)],
  [3, (code, random) => code.emit(random.pick([0x07, 0x17, 0x1f]))],
  [2, (code, random) => code.emit(0x0f, random.pick([0xa1, 0xa9]))],
  [1, (code, random) => code.emit(random.pick([0x06, 0x0e, 0x16, 0x1e]))],
  [
    4,
    (code, random) => {
      code.emit(...random.pick([[0xc5], [0xc4], [0x0f, 0xb2], [0x0f, 0xb4], [0x0f, 0xb5]]));
      code.operand(random.below(8), random.chance(97));
    },
  ],
  [6, farDirect(0x9a)],
  [6, farDirect(0xea)],
  [3, group([0xff], 3, true)],
  [3, group([0xff], 5, true)],
  [5, fixed(0xcb)],
  [
    3,
    (code, random) => {
      code.emit(0xca);
      code.word(random.pick([0, 2, 4, 8, 0x10, 0x7f, 0xfff0]));
    },
  ],
  [8, fixed(0xcf)],
  [6, (code, random) => code.emit(0xcd, random.pick(VECTORS))],
  [2, fixed(0xcc)],
  [2, fixed(0xce)],
  [1, fixed(0xf1)],
  [1, fixed(0x0f, 0x0b)],
  [
    2,
    (code, random) => {
      code.emit(0x0f, 0x01);
      code.operand(random.pick([0, 1, 2, 3]), random.chance(95));
    },
  ],
  [2, group([0x0f, 0x01], 6)],
  [1, group([0x0f, 0x01], 4)],
  [2, group([0x0f, 0x01], 7)],
  [
    4,
    (code, random) => {
      code.emit(0x0f, 0x00);
      code.either(random.below(6));
    },
  ],
  [3, anyReg(0x0f, 0x02)],
  [3, anyReg(0x0f, 0x03)],
  [3, anyReg(0x63)],
  [3, (code, random) => code.emit(0x0f, 0x20, 0xc0 | (random.pick([0, 2, 3, 4, 0, 2, 3, 4, 1, 5]) << 3) | random.below(8))],
  [5, (code, random) => code.emit(0x0f, 0x22, 0xc0 | (random.pick([0, 0, 0, 2, 3, 4, 4, 7]) << 3) | random.below(8))],
  [2, (code, random) => code.emit(0x0f, 0x21, 0xc0 | random.below(64))],
  [3, (code, random) => code.emit(0x0f, 0x23, 0xc0 | random.below(64))],
  [4, (code, random) => code.emit(0x0f, random.pick([0x30, 0x32, 0x31, 0x33]))],
  [1, fixed(0x0f, 0xa2)],
  [2, (code, random) => code.emit(0x0f, random.pick([0x06, 0x08, 0x09]))],
  [2, (code, random) => code.emit(0x0f, random.pick([0x34, 0x35]))],
  [1, fixed(0xf4)],
  [3, (code, random) => code.emit(random.pick([0xfa, 0xfb]))],
  [3, (code, random) => code.emit(random.pick([0x9c, 0x9d]))],
  [2, (code, random) => code.emit(random.pick([0xe4, 0xe5, 0xe6, 0xe7]), random.pick([0x10, 0x20, 0x21, 0xff]))],
  [2, (code, random) => code.emit(random.pick([0xec, 0xed, 0xee, 0xef]))],
  [2, repeatable(0x6c)],
  [2, repeatable(0x6e)],
  // Something to trap behind: NOP, INC, a load, a store, a push.
  [2, (code, random) => code.emit(random.pick([0x90, 0x40, 0x50, 0x58]))],
  [
    2,
    (code, random) => {
      code.emit(random.pick([0x8b, 0x89, 0x8a, 0x88]));
      code.operand(random.below(8), true);
    },
  ],
  [
    1,
    (code, random) => {
      code.emit(random.pick([0x00, 0xf7, 0x62, 0xc8]));
      code.operand(6, true);
    },
  ],
];
const DRAWS = KINDS.flatMap(([times, draw]) => Array.from({ length: times }, () => draw));

/** Mostly a single instruction. */
export function drawSystemCode(random: Random, bits: 16 | 32): Uint8Array {
  const bytes: number[] = [];
  const count = random.pick([1, 1, 1, 2, 3]);
  for (let i = 0; i < count; i++) {
    const code = new Code(random, bits);
    random.pick(DRAWS)(code, random);
    bytes.push(...code.bytes);
  }
  return Uint8Array.from(bytes.slice(0, CODE_ROOM));
}
const CODE_ROOM = 64;
