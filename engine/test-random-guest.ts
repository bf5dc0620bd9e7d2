/**
 * Random guests for tests: a complete memory image (tables, fault and interrupt handlers, a program of random valid
 * instructions) made from a seed. A fault sends the program on to another of its instructions, the timer interrupts it
 * every few instructions, stores hit code, page tables and stacks.
 *
 * Memory map (1 MiB): 0 real-mode vectors · 1000 GDT · 2000 IDT · 3000 TSS · 4000-7fff page tables · 8000 stubs of the
 * handlers · 9000 handlers and what they need · a000 prologue · 10000-13fff program · 20000-23fff data · 30000 stacks.
 * With paging also: 50000 the program again · 60000 the data again · from 4 MiB on (2 MiB with PAE) everything again.
 */
import { type Definition, parseOperands } from './isa/definition.js';
import { INSTRUCTIONS } from './isa/table.js';

export const GUEST_BYTES = 1 << 20;
export const GUEST_PROLOGUE = 0xa000;
const PROGRAM = 0x10000;
const DATA = 0x20000;

export const GUEST_KINDS = ['flat', 'paging', 'pae', 'user', 'real', 'segments', 'code16'] as const;
export type GuestKind = (typeof GUEST_KINDS)[number];

/** xorshift32: enough for tests, the same everywhere. */
export class TestRandom {
  private state: number;
  constructor(seed: number) {
    this.state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) | 1;
    for (let i = 0; i < 4; i++) this.next();
  }
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** One instruction (or a few that belong together). A branch names the piece it goes to. */
export interface Piece {
  readonly bytes: readonly number[];
  /** Relative branch: bytes of the distance at the end of the piece, and the index of the target piece. */
  readonly branch?: { readonly bytes: 1 | 2 | 4; readonly target: number };
}

export interface RandomGuest {
  readonly seed: number;
  readonly kind: GuestKind;
  readonly pieces: readonly Piece[];
  /** Linear address of the first piece. */
  readonly start: number;
  readonly bits: 16 | 32;
  /** Memory contents with the given pieces (the guest's own, or what shrinking left of them). */
  image(pieces?: readonly Piece[]): Uint8Array;
}

const le16 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const le32 = (value: number): number[] => [...le16(value), ...le16(value >>> 16)];

// --- instructions ------------------------------------------------------------------------------------------------------

interface Encodable {
  readonly prefix: number | undefined;
  readonly opcode: readonly number[];
  readonly plusRegister: boolean;
  readonly modRm: 'none' | 'any' | number;
  readonly exactModRm: number;
  readonly definition: Definition;
  readonly operands: ReturnType<typeof parseOperands>;
}

function encodable(definition: Definition): Encodable {
  const words = definition.encoding.split(' ');
  let prefix: number | undefined;
  if (words[0] === 'NP') words.shift();
  else if (words.length > 1 && /^(66|F2|F3)$/.test(words[0] as string)) prefix = Number.parseInt(words.shift() as string, 16);
  const opcode: number[] = [];
  let plusRegister = false;
  let modRm: Encodable['modRm'] = 'none';
  let exactModRm = -1;
  for (const word of words) {
    if (/^[0-9A-F]{2}$/.test(word)) opcode.push(Number.parseInt(word, 16));
    else if (/^[0-9A-F]{2}\+r$/.test(word)) {
      opcode.push(Number.parseInt(word, 16));
      plusRegister = true;
    } else if (word === '/r') modRm = 'any';
    else if (/^\/[0-7]$/.test(word)) modRm = Number(word.slice(1));
    else if (word.startsWith('=')) exactModRm = Number.parseInt(word.slice(1), 16);
    else throw new Error(`encoding ${definition.encoding}`);
  }
  return { prefix, opcode, plusRegister, modRm, exactModRm, definition, operands: parseOperands(definition.operands) };
}

const ALL = INSTRUCTIONS.map(encodable);
/** They end most programs too soon. */
const TOO_FINAL = new Set([
  'hlt',
  'rsm',
  'lidt',
  'lgdt',
  'lldt',
  'ltr',
  'lmsw',
  'sysexit',
  'sysenter',
  'wrmsr',
  'call far',
  'jmp far',
  'retf',
  'iret',
  'cli',
]);
const isMove = ({ definition }: Encodable, letter: string): boolean =>
  definition.mnemonic === 'mov' && definition.operands.includes(letter);
const FINAL = ALL.filter((e) => TOO_FINAL.has(e.definition.mnemonic) || isMove(e, 'C') || isMove(e, 'D') || isMove(e, 'S'));
const ORDINARY = ALL.filter((e) => !FINAL.includes(e));
const HOT = ORDINARY.filter((e) => e.definition.options.hot === true);
const HOST = ORDINARY.filter((e) => typeof e.definition.semantics === 'string');

/** Addresses worth touching: data, page ends, code, stacks, tables, far away. */
function address(random: TestRandom, real: boolean): number {
  const roll = random.below(100);
  // Offsets into the data segment, in real mode: the program lies 64 KiB below.
  if (real) return roll < 80 ? random.below(0x4000) : roll < 90 ? 0xfff8 + random.below(8) : random.below(0x10000);
  if (roll < 50) return DATA + random.below(0x4000);
  if (roll < 65) return DATA + 0x1000 * (1 + random.below(3)) - random.below(16);
  if (roll < 80) return PROGRAM + 0xe00 + random.below(0x600);
  if (roll < 84) return 0x50000 + 0xe00 + random.below(0x600);
  if (roll < 88) return 0x60000 + random.below(0x4000);
  if (roll < 92) return 0x37f00 + random.below(0x100);
  if (roll < 94) return 0x400000 + DATA + random.below(0x4000);
  if (roll < 96) return 0x400000 + PROGRAM + 0xe00 + random.below(0x600);
  if (roll < 99) return 0x5000 + 4 * (0x10 + random.below(0x58)) + random.below(2);
  return random.next();
}

function memoryOperand(random: TestRandom, reg: number, wide: boolean, real: boolean): number[] {
  const field = reg << 3;
  if (!wide) {
    const roll = random.below(10);
    if (roll < 5) return [field | 6, ...le16(address(random, real))];
    if (roll < 8) return [0x40 | field | random.below(8), random.below(256)];
    return [0x80 | field | random.below(8), ...le16(address(random, real))];
  }
  const roll = random.below(10);
  if (roll < 5) return [field | 5, ...le32(address(random, real))];
  const base = random.pick([0, 1, 2, 3, 5, 6, 7]);
  if (roll < 8) return [0x40 | field | base, random.below(256)];
  if (roll < 9) return [0x80 | field | base, ...le32(random.below(0x200) - 0x100)];
  return [0x44 | field, random.below(256), random.below(256)];
}

function instruction(random: TestRandom, chosen: Encodable, bits: 16 | 32, pieces: number, real: boolean): Piece {
  const { definition, operands } = chosen;
  const bytes: number[] = [];
  let operand32 = bits === 32;
  let address32 = bits === 32;
  if (random.chance(8)) bytes.push(random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
  if (chosen.prefix === undefined && random.chance(15)) {
    bytes.push(0x66);
    operand32 = !operand32;
  }
  if (random.chance(5)) {
    bytes.push(0x67);
    address32 = !address32;
  }
  if (definition.options.repeat !== undefined && random.chance(60)) bytes.push(random.pick([0xf2, 0xf3]));
  if (definition.options.lock === true && random.chance(10)) bytes.push(0xf0);
  if (chosen.prefix !== undefined) bytes.push(chosen.prefix);
  bytes.push(...chosen.opcode);
  if (chosen.plusRegister) bytes.push((bytes.pop() as number) | random.below(8));
  if (chosen.exactModRm >= 0) bytes.push(chosen.exactModRm);
  else if (chosen.modRm !== 'none') {
    const reg = chosen.modRm === 'any' ? random.below(8) : chosen.modRm;
    // A write to ESP soon ends a program.
    const onlyMemory = operands.some((operand) => operand.kind === 'M');
    const rm = random.chance(70) ? random.pick([0, 1, 2, 3, 5, 6, 7]) : random.below(8);
    if (!onlyMemory && random.chance(45)) bytes.push(0xc0 | (reg << 3) | rm);
    else bytes.push(...memoryOperand(random, reg, address32, real));
  }
  let branch: Piece['branch'];
  for (const { kind, size } of operands) {
    if (kind === 'J') {
      const width = size === 'b' ? 1 : operand32 ? 4 : 2;
      bytes.push(...new Array<number>(width).fill(0));
      branch = { bytes: width, target: random.below(pieces) };
    } else if (kind === 'I') {
      const value = random.chance(50) ? random.below(64) : random.next();
      if (size === 'b' || size === 's') bytes.push(value & 0xff);
      else if (size === 'w' || !operand32) bytes.push(...le16(value));
      else bytes.push(...le32(value));
    } else if (kind === 'O') bytes.push(...(address32 ? le32 : le16)(address(random, real)));
    else if (kind === 'A') bytes.push(...(operand32 ? le32 : le16)(PROGRAM), ...le16(random.pick(SELECTORS)));
  }
  return branch === undefined ? { bytes } : { bytes, branch };
}

const FLAT_CODE = 0x10;
const FLAT_DATA = 0x18;
const USER_CODE = 0x23;
const USER_DATA = 0x2b;
const TSS_SELECTOR = 0x30;
const SHORT_CODE = 0x38;
const SHORT_DATA = 0x40;
const DOWN_DATA = 0x48;
const CODE_16 = 0x50;
const SELECTORS = [
  FLAT_CODE,
  FLAT_DATA,
  USER_CODE,
  USER_DATA,
  TSS_SELECTOR,
  SHORT_CODE,
  SHORT_DATA,
  DOWN_DATA,
  CODE_16,
  0x5b,
  0x60,
  0x68,
  0,
];
const DATA_SELECTORS = [FLAT_DATA, FLAT_DATA, FLAT_DATA, USER_DATA, SHORT_DATA, DOWN_DATA, 0x5b, 0x60];

/** What random instructions hardly ever do by themselves. */
function special(random: TestRandom, bits: 16 | 32, pieces: number, real: boolean): Piece {
  const wide = bits === 32;
  const load = (register: number, value: number): number[] => [0xb8 | register, ...(wide ? le32(value) : le16(value))];
  const target = random.below(pieces);
  switch (random.below(17)) {
    case 0: // a counted loop
      return { bytes: [0x49, 0x75, 0], branch: { bytes: 1, target } };
    case 1:
      return { bytes: load(1, random.below(40)) };
    case 2: // REP MOVS, STOS, CMPS, SCAS, LODS
    case 3:
      return {
        bytes: [
          ...load(1, random.below(random.chance(20) ? 3000 : 60)),
          ...load(6, address(random, real)),
          ...load(7, address(random, real)),
          random.chance(15) ? 0xfd : 0xfc,
          random.pick([0xf2, 0xf3]),
          random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xae, 0xaf, 0xac]),
        ],
      };
    case 4: // stores into the program
      return {
        bytes: [
          ...(real ? [0x2e] : []),
          0xc6,
          ...(wide ? [5, ...le32(PROGRAM + 0xe00 + random.below(0x600))] : [6, ...le16(0xe00 + random.below(0x600))]),
          random.pick([0x90, 0x40, 0xf8, 0xf9, 0xcc, random.below(256)]),
        ],
      };
    case 5:
      return { bytes: [0xfb] };
    case 6:
      return { bytes: [0xfa] };
    case 7:
      return { bytes: random.chance(30) ? [0xfb, 0xf4] : [0xfb, 0x90] };
    case 8: // POPF with a chosen image
      return {
        bytes: [
          ...(wide
            ? [0x68, ...le32(random.pick([0x202, 0x302, 0x2, 0x602, 0x40202, 0x10202]))]
            : [0x68, ...le16(random.pick([0x202, 0x302, 2, 0x602]))]),
          0x9d,
        ],
      };
    case 9: // time as the guest sees it
      return {
        bytes: random.pick([
          [0x0f, 0x31],
          [0xb0, 0, 0xe6, 0x43, 0xe4, 0x40, 0xe4, 0x40],
        ]),
      };
    case 10: // the timer again, or the other counters
      return {
        bytes: [
          0xb0,
          random.pick([0x34, 0x36, 0x30, 0x32, 0x38, 0x74, 0xb6]),
          0xe6,
          0x43,
          0xb0,
          1 + random.below(60),
          0xe6,
          0x40,
          0xb0,
          0,
          0xe6,
          0x40,
        ],
      };
    case 11: // pages come and go
      if (real) return { bytes: [0x90] };
      return {
        bytes: [
          0x80,
          0x35,
          ...le32(0x5000 + 4 * random.pick([0x10, 0x11, 0x12, 0x20, 0x21, 0x22, 0x23, 0x30, 0x37, 0x50, 0x51, 0x60])),
          random.pick([1, 2, 4, 0x20, 0x40, 0x60]),
        ],
      };
    case 12:
      if (real) return { bytes: [0x0f, 0x20, 0xc0] };
      return {
        bytes: random.pick([
          [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
          [0x0f, 0x01, 0x3d, ...le32(address(random, real))],
          [0x0f, 0x20, 0xc0, 0x35, 0, 0, 1, 0, 0x0f, 0x22, 0xc0],
        ]),
      };
    case 13: {
      const selector = real ? random.pick([0x2000, 0x2001, 0x1000, 0x3000, 0x2100]) : random.pick(DATA_SELECTORS);
      return { bytes: [0x66, 0xb8, ...le16(selector), 0x8e, 0xc0 | (random.pick([0, 3, 4, 5]) << 3)].slice(wide ? 0 : 1) };
    }
    case 14: // a breakpoint or watchpoint
      return random.chance(20)
        ? { bytes: [...load(0, PROGRAM + 0xf00 + random.below(0x200)), 0x0f, 0x23, 0xc0, ...load(0, 0x401), 0x0f, 0x23, 0xf8] }
        : { bytes: [0xd9, 0xc9] };
    case 15: // MOV SS, POP SS with a shadow
      return {
        bytes: random.pick([
          [0x16, 0x17],
          [0x8c, 0xd0, 0x8e, 0xd0],
        ]),
      };
    default:
      return { bytes: [0xcd, random.pick([0x21, 0x30, 0x80, 3])] };
  }
}

function program(random: TestRandom, kind: GuestKind, count: number): Piece[] {
  const real = kind === 'real';
  const bits = real || kind === 'code16' ? 16 : 32;
  const pieces: Piece[] = [];
  for (let i = 0; i < count; i++) {
    const roll = random.below(100);
    if (roll < 25) pieces.push(special(random, bits, count, real));
    else if (roll < 27) pieces.push(instruction(random, random.pick(FINAL), bits, count, real));
    else if (roll < 60) pieces.push(instruction(random, random.pick(HOT), bits, count, real));
    else if (roll < 68) pieces.push(instruction(random, random.pick(HOST), bits, count, real));
    else pieces.push(instruction(random, random.pick(ORDINARY), bits, count, real));
  }
  return pieces;
}

/** Lays the pieces out; a branch that does not reach goes to itself. @returns bytes and where each piece begins */
function layOut(pieces: readonly Piece[]): { bytes: number[]; offsets: number[] } {
  const offsets: number[] = [];
  let at = 0;
  for (const { bytes } of pieces) {
    offsets.push(at);
    at += bytes.length;
  }
  const out: number[] = [];
  for (const { bytes, branch } of pieces) {
    const end = out.length + bytes.length;
    if (branch === undefined) out.push(...bytes);
    else {
      const distance = (offsets[branch.target % pieces.length] as number) - end;
      const reach = branch.bytes === 1 && (distance < -128 || distance > 127) ? distance % 100 : distance;
      out.push(...bytes.slice(0, -branch.bytes), ...le32(reach).slice(0, branch.bytes));
    }
  }
  return { bytes: out, offsets };
}

// --- the rest of the image -----------------------------------------------------------------------------------------------

const COUNTER = 0x9800;
const RESUME_TABLE = 0x9880;
const HAS_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const END_OF_INTERRUPT = [0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf];

/** Sends what faulted on to the next entry of the table, an offset in its own CS. */
const HANDLER_32 = [
  ...[0x50, 0x36, 0xa1, ...le32(COUNTER), 0x40, 0x83, 0xe0, 0x0f, 0x36, 0xa3, ...le32(COUNTER)],
  ...[0x36, 0x8b, 0x04, 0x85, ...le32(RESUME_TABLE), 0x89, 0x44, 0x24, 0x04, 0x58, 0xcf],
];
const HANDLER_16 = [
  ...[0x53, 0x55, 0x89, 0xe5, 0x2e, 0x8b, 0x1e, ...le16(COUNTER), 0x43, 0x83, 0xe3, 0x0f, 0x2e, 0x89, 0x1e, ...le16(COUNTER)],
  ...[0xd1, 0xe3, 0x2e, 0x8b, 0x9f, ...le16(RESUME_TABLE), 0x89, 0x5e, 0x04, 0x5d, 0x5b, 0xcf],
];

function descriptor(base: number, limit: number, access: number, flags: number): number[] {
  return [...le16(limit), ...le16(base), (base >>> 16) & 0xff, access, ((limit >>> 16) & 15) | (flags << 4), base >>> 24];
}

class Image {
  readonly bytes = new Uint8Array(GUEST_BYTES);
  put(at: number, bytes: readonly number[]): void {
    this.bytes.set(bytes, at);
  }
}

const out = (port: number, ...values: number[]): number[] => values.flatMap((value) => [0xb0, value, 0xe6, port]);

/** Interrupts from vector 20h on, all unmasked; the timer fires every `count` x 838 ns. */
function devices(random: TestRandom): number[] {
  const count = random.pick([1, 2, 5, 13, 40, 200]);
  return [
    ...out(0x20, 0x11),
    ...out(0x21, 0x20, 4, 1, 0),
    ...out(0xa0, 0x11),
    ...out(0xa1, 0x28, 2, 1, 0),
    ...out(0x43, 0x34),
    ...out(0x40, count, 0),
    ...(random.chance(30) ? [...out(0x70, 0x0a), ...out(0x71, 0x23), ...out(0x70, 0x0b), ...out(0x71, 0x42)] : []),
  ];
}

function segments(image: Image, shortBase: number, shortLimit: number): void {
  const table = [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
    descriptor(0, 0xfffff, 0x9b, 0xc),
    descriptor(0, 0xfffff, 0x93, 0xc),
    descriptor(0, 0xfffff, 0xfa, 0xc),
    descriptor(0, 0xfffff, 0xf2, 0xc),
    descriptor(0x3000, 0xfff, 0x89, 0),
    descriptor(shortBase, shortLimit, 0x9a, 4),
    descriptor(DATA - 0x10, 0x3fff, 0x92, 4),
    descriptor(0, 0x1ffff, 0x96, 4),
    descriptor(PROGRAM, 0xffff, 0x9a, 0),
    descriptor(DATA, 0x8fff, 0xf2, 0),
    descriptor(0, 0xfffff, 0x90, 0xc),
    descriptor(0, 0xfffff, 0x12, 0xc),
  ];
  table.forEach((entry, i) => {
    image.put(0x1000 + i * 8, entry);
  });
}

function handlers(image: Image, random: TestRandom, real: boolean): void {
  for (let vector = 0; vector < 256; vector++) {
    const stub = 0x8000 + vector * 16;
    const interrupt = vector >= 0x20 && vector < 0x30;
    const discard = HAS_ERROR_CODE.has(vector) && !real ? [0x83, 0xc4, 0x04] : [];
    const jump = stub + discard.length;
    if (interrupt)
      image.put(stub, vector === 0x28 ? [0x50, 0xb0, 0x0c, 0xe6, 0x70, 0xe4, 0x71, ...END_OF_INTERRUPT.slice(1)] : END_OF_INTERRUPT);
    else image.put(stub, [...discard, 0xe9, ...(real ? le16(0x9000 - jump - 3) : le32(0x9000 - jump - 5))]);
    image.put(vector * 4, [...le16(stub), 0, 0]);
    const trap = !interrupt && random.chance(30) ? 1 : 0;
    const privilege = vector === 0x21 || vector === 3 || vector === 0x80 ? 0x60 : 0;
    image.put(0x2000 + vector * 8, [...le16(stub), ...le16(FLAT_CODE), 0, 0x8e | trap | privilege, 0, 0]);
  }
  image.put(0x9000, real ? HANDLER_16 : HANDLER_32);
}

function pageTables(image: Image, random: TestRandom, pae: boolean): void {
  const attributes = (page: number): number => {
    if (page < 0x10) return 0x63;
    const present = random.chance(96) ? 1 : 0;
    return (
      present |
      (random.chance(92) ? 2 : 0) |
      (random.chance(95) ? 4 : 0) |
      (random.chance(50) ? 0x20 : 0) |
      (random.chance(50) ? 0x40 : 0) |
      (random.chance(20) ? 0x100 : 0)
    );
  };
  const frameOf = (page: number): number => (page >= 0x50 && page < 0x54 ? page - 0x40 : page >= 0x60 && page < 0x64 ? page - 0x40 : page);
  if (!pae) {
    image.put(0x4000, le32(0x5067));
    image.put(0x4004, le32(0x00e7));
    for (let page = 0; page < 0x100; page++) image.put(0x5000 + page * 4, le32(frameOf(page) * 4096 + attributes(page)));
    return;
  }
  image.put(0x4000, [...le32(0x6001), ...le32(0)]);
  image.put(0x6000, [...le32(0x5067), ...le32(0), ...le32(0x00e7), ...le32(0), ...le32(0x00e7), ...le32(0)]);
  for (let page = 0; page < 0x100; page++) {
    const noExecute = page >= 0x20 && random.chance(10) ? 0x8000_0000 : 0;
    image.put(0x5000 + page * 8, [...le32(frameOf(page) * 4096 + attributes(page)), ...le32(noExecute)]);
  }
}

function prologue(random: TestRandom, kind: GuestKind, entry: number, shortBase: number): number[] {
  const protectedStart = [
    0x0f,
    0x01,
    0x15,
    ...le32(0x9900),
    0x0f,
    0x01,
    0x1d,
    ...le32(0x9908),
    0x66,
    0xb8,
    ...le16(TSS_SELECTOR),
    0x0f,
    0x00,
    0xd8,
    0xbc,
    ...le32(0x37ff0),
  ];
  const registers = (): number[] => {
    const wide = kind !== 'real';
    return [0, 1, 2, 3, 5, 6, 7].flatMap((register) => {
      const value = random.chance(80) ? address(random, !wide) : random.next();
      return [0xb8 | register, ...(wide ? le32(value) : le16(value))];
    });
  };
  const flags =
    0x2 |
    (random.chance(80) ? 0x200 : 0) |
    (random.chance(20) ? 0x3000 : 0) |
    (random.chance(4) ? 0x100 : 0) |
    (random.chance(5) ? 0x40000 : 0);
  const cr0 = 0x32 | (random.chance(50) ? 0x10000 : 0) | (random.chance(20) ? 0x40000 : 0);
  if (kind === 'real') {
    return [
      ...[0x66, 0xb8, ...le32(0x600), 0x0f, 0x22, 0xe0, 0x66, 0xb8, ...le32(cr0 & 0xffff), 0x0f, 0x22, 0xc0],
      ...[0xb8, ...le16(0x3000), 0x8e, 0xd0, 0xbc, ...le16(0x7ff0)],
      ...devices(random),
      ...[0xb8, ...le16(random.pick([0x2000, 0x2001])), 0x8e, 0xd8, 0x8e, 0xc0],
      ...[0x68, ...le16(flags & 0xffff), 0x68, ...le16(PROGRAM >>> 4), 0x68, ...le16(entry - PROGRAM)],
      ...registers(),
      0xcf,
    ];
  }
  const user = kind === 'user';
  const paging = kind === 'paging' || kind === 'pae' || user;
  const cr4 = 0x600 | (paging ? 0x10 : 0) | (kind === 'pae' ? 0x20 : 0) | (random.chance(30) ? 0x80 : 0) | (random.chance(20) ? 8 : 0);
  const setControl = (register: number, value: number): number[] => [0xb8, ...le32(value), 0x0f, 0x22, 0xc0 | (register << 3)];
  const code = user ? USER_CODE : kind === 'segments' ? SHORT_CODE : kind === 'code16' ? CODE_16 : FLAT_CODE;
  const base = kind === 'segments' ? shortBase : kind === 'code16' ? PROGRAM : 0;
  const data = user ? USER_DATA : kind === 'segments' ? random.pick(DATA_SELECTORS) : FLAT_DATA;
  const loadData = [
    0x66,
    0xb8,
    ...le16(data),
    0x8e,
    0xd8,
    0x66,
    0xb8,
    ...le16(kind === 'segments' ? random.pick(DATA_SELECTORS) : data),
    0x8e,
    0xc0,
  ];
  return [
    ...protectedStart,
    ...devices(random),
    ...(kind === 'pae' && random.chance(70) ? [0xb9, ...le32(0xc000_0080), 0xb8, ...le32(0x800), 0x31, 0xd2, 0x0f, 0x30] : []),
    ...setControl(4, cr4),
    ...(paging ? setControl(3, 0x4000) : []),
    ...setControl(0, (cr0 | 1 | (paging ? 0x8000_0000 : 0)) >>> 0),
    ...(user ? [0x68, ...le32(USER_DATA), 0x68, ...le32(0x33ff0)] : []),
    ...[0x68, ...le32(flags), 0x68, ...le32(code), 0x68, ...le32(entry - base)],
    ...loadData,
    ...registers(),
    0xcf,
  ];
}

/** The guest of a seed. */
export function randomGuest(seed: number, kind: GuestKind, count = 120): RandomGuest {
  const pieces = program(new TestRandom(seed), kind, count);
  const layoutRandom = new TestRandom(seed ^ 0x5a5a5a5a);
  // Close to the end of a page, so that the program crosses it.
  const start = PROGRAM + 0x1000 - layoutRandom.below(0x180);
  const shortBase = PROGRAM + layoutRandom.pick([0, 0x10, 0x800, 0xff0]);
  const shortLimit = layoutRandom.chance(50) ? 0x3fff : start - shortBase + 40 + layoutRandom.below(0x200);
  const bits = kind === 'real' || kind === 'code16' ? 16 : 32;
  return {
    seed,
    kind,
    pieces,
    start,
    bits,
    image(kept = pieces) {
      const random = new TestRandom(seed ^ 0x3c3c3c3c);
      const image = new Image();
      segments(image, shortBase, shortLimit);
      image.put(0x3004, [...le32(0x3fff0), ...le32(FLAT_DATA)]);
      image.put(0x3066, le16(0x68));
      handlers(image, random, kind === 'real');
      if (kind === 'paging' || kind === 'user' || kind === 'pae') pageTables(image, random, kind === 'pae');
      image.put(0x9900, [...le16(0x6f), ...le32(0x1000)]);
      image.put(0x9908, [...le16(0x7ff), ...le32(0x2000)]);
      const { bytes, offsets } = layOut(kept);
      image.put(start, bytes);
      const base = kind === 'segments' ? shortBase : bits === 16 ? PROGRAM : 0;
      for (let i = 0; i < 16; i++) {
        const resume = start - base + (offsets[random.below(offsets.length)] ?? 0);
        image.put(RESUME_TABLE + i * (kind === 'real' ? 2 : 4), kind === 'real' ? le16(resume) : le32(resume));
      }
      for (let at = DATA; at < DATA + 0x4000; at += 4)
        image.put(at, le32(random.chance(30) ? random.next() : address(random, kind === 'real')));
      image.put(GUEST_PROLOGUE, prologue(random, kind, start, shortBase));
      return image.bytes;
    },
  };
}
