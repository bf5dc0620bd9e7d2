/** The descriptors of system cases, by slot of the GDT and LDT, before a case breaks some of them (SDM volume 3, 3.4.5 and 3.5). */
import { SYSTEM_AREA, SYSTEM_HANDLERS } from '../state/system-arena.js';
import type { Random } from './random.js';

/** Base of the segments that 16-bit code, data and stacks use. */
const BASE_16 = 0x8000;

export interface SegmentShape {
  readonly base: number;
  readonly limit: number;
  /** Bits 40-47: P, DPL, S, type. */
  readonly access: number;
  /** G and D/B in bits 3 and 2, as in bits 52-55. */
  readonly flags: number;
}

const PRESENT = 0x80;
const ACCESS = { code: 0x9b, data: 0x93, readOnly: 0x91, expandDown: 0x97, executeOnly: 0x99, conforming: 0x9f } as const;
const FLAT = { base: 0, limit: 0xfffff, flags: 0xc };
const SMALL = { base: BASE_16, limit: 0xffff, flags: 0 };

const withDpl = (access: number, dpl: number): number => access | (dpl << 5);
const flat = (access: number, dpl: number): SegmentShape => ({ ...FLAT, access: withDpl(access, dpl) });
const small = (access: number, dpl: number): SegmentShape => ({ ...SMALL, access: withDpl(access, dpl) });
const system = (area: keyof typeof SYSTEM_AREA, type: number, dpl: number): SegmentShape => {
  const { address, bytes } = SYSTEM_AREA[area];
  return { base: address, limit: bytes - 1, access: PRESENT | (dpl << 5) | type, flags: 0 };
};

/** Slots of the GDT that hold segments. */
export const SLOT = { ldt: 19, task32: 20, otherTask32: 21, task16: 22, otherTask16: 23, firstGate: 24, end: 48 } as const;

export const SEGMENTS: readonly (SegmentShape | undefined)[] = [
  undefined,
  ...[0, 1, 2, 3].flatMap((dpl) => [flat(ACCESS.code, dpl), flat(ACCESS.data, dpl)]),
  small(ACCESS.code, 0),
  small(ACCESS.data, 0),
  small(ACCESS.code, 3),
  small(ACCESS.data, 3),
  flat(ACCESS.conforming, 0),
  small(ACCESS.conforming, 3),
  flat(ACCESS.executeOnly, 3),
  flat(ACCESS.readOnly, 3),
  { base: 0, limit: 7, access: withDpl(ACCESS.expandDown, 0), flags: 0xc },
  { base: BASE_16, limit: 0x6f, access: withDpl(ACCESS.expandDown, 3), flags: 0 },
  system('ldt', 2, 0),
  system('task', 0xb, 0),
  system('task32', 0x9, 3),
  system('task16', 0x3, 0),
  system('otherTask16', 0x1, 3),
];

/** Code and data slots that a case may begin in, by privilege and width. */
export const CODE_SLOTS: Readonly<Record<16 | 32, readonly (readonly number[])[]>> = {
  32: [
    [1, 1, 13],
    [3, 13],
    [5, 13],
    [7, 7, 15, 13],
  ],
  16: [[9], [], [], [11, 11, 14]],
};
export const STACK_SLOTS: readonly (readonly number[])[] = [[2, 2, 10, 17], [4], [6], [8, 8, 12, 18]];

export function segmentDescriptor({ base, limit, access, flags }: SegmentShape): bigint {
  const low = (BigInt(base & 0xffff) << 16n) | BigInt(limit & 0xffff);
  const high = (BigInt(base >>> 24) << 24n) | BigInt((flags << 20) | (limit & 0xf0000) | (access << 8)) | BigInt((base >>> 16) & 0xff);
  return (high << 32n) | low;
}

const gate = (selector: number, offset: number, type: number, dpl: number, parameters: number): bigint =>
  (BigInt(offset >>> 16) << 48n) |
  (BigInt(PRESENT | (dpl << 5) | type) << 40n) |
  (BigInt(parameters) << 32n) |
  (BigInt(selector) << 16n) |
  BigInt(offset & 0xffff);

/** Handlers and gates go to code of any ring, mostly 0. */
const GATE_TARGETS = [1, 1, 1, 1, 9, 9, 13, 3, 5, 7, 11, 14, 2, 0, 19, 47];
const TASKS = [SLOT.otherTask32, SLOT.otherTask32, SLOT.otherTask16, SLOT.otherTask16, SLOT.task32, SLOT.task16, 8, 0];

const offsetFor = (random: Random, slot: number): number => {
  const is16 = slot === 9 || slot === 11 || slot === 14;
  if (random.chance(3)) return random.u32();
  return SYSTEM_HANDLERS - (is16 || random.chance(5) ? BASE_16 : 0) + random.below(0x40);
};

export function drawCallGate(random: Random): bigint {
  if (random.chance(20)) return gate(random.pick(TASKS) * 8, 0, 5, random.chance(80) ? 3 : random.below(4), 0);
  const slot = random.pick(GATE_TARGETS);
  const dpl = random.chance(75) ? 3 : random.below(4);
  return gate(
    slot * 8 + (random.chance(80) ? 0 : random.below(8)),
    offsetFor(random, slot),
    random.pick([4, 12, 12]),
    dpl,
    random.pick([0, 0, 1, 2, 4, 31]),
  );
}

export function drawInterruptGate(random: Random): bigint {
  if (random.chance(6)) return gate(random.pick(TASKS) * 8, 0, 5, random.chance(80) ? 3 : random.below(4), 0);
  const slot = random.chance(75) ? random.pick([1, 1, 1, 9]) : random.pick(GATE_TARGETS);
  const dpl = random.chance(60) ? 3 : random.below(4);
  const type = random.chance(3) ? random.below(16) : random.pick([14, 14, 15, 15, 6, 7]);
  const drawn = gate(slot * 8 + (random.chance(95) ? 0 : random.below(8)), offsetFor(random, slot), type, dpl, 0);
  return random.chance(3) ? drawn ^ (1n << 47n) : drawn;
}

const ANY_SLOT = [
  ...Array.from({ length: SLOT.end }, (_, slot) => slot),
  ...[1, 2, 7, 8, 9, 10, 11, 12, 13, 14, 24, 25, 26, 27, 28, 29, 21, 23],
];

/** Any selector: mostly of a descriptor that is there, RPL as it comes, some null or far out. */
export function drawSelector(random: Random): number {
  const kind = random.below(100);
  if (kind < 5) return random.below(4);
  if (kind < 8) return random.below(0x10000);
  const slot = random.pick(ANY_SLOT);
  const rpl = random.chance(50) ? shapeDpl(slot) : random.below(4);
  const local = random.chance(10) ? 4 : 0;
  return (local ? slot % 16 : slot) * 8 + local + rpl;
}

const shapeDpl = (slot: number): number => ((SEGMENTS[slot]?.access ?? 0) >> 5) & 3;
