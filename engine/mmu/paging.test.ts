/**
 * Page walks against a reference that is written from the tables of the manual (Intel SDM volume 3, sections 4.3, 4.4,
 * 4.6 and 4.7): levels as data, entries as one 64-bit number.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuestException } from '../cpu/exceptions.js';
import * as layout from '../cpu/layout.js';
import { CpuState, CR0, CR4 } from '../cpu/state.js';
import { type Access, Paging } from './paging.js';
import { PhysicalMemory } from './physical-memory.js';

const RAM_BYTES = 0x40000;
const CR3 = 0x1000;
const EFER_NXE = 0x800;

const P = 1n;
const RW = 2n;
const US = 4n;
const A = 32n;
const D = 64n;
const PS = 128n;
const G = 256n;
const NX = 1n << 63n;

interface Mode {
  readonly pae: boolean;
  readonly pse: boolean;
  readonly pge: boolean;
  readonly nxe: boolean;
  readonly wp: boolean;
}

interface Result {
  /** Of the page fault. */
  readonly code?: number;
  readonly page?: number;
  readonly writable?: boolean;
  readonly global?: boolean;
}

const memory = new WebAssembly.Memory({ initial: layout.memoryPages(RAM_BYTES) });
const state = new CpuState(memory);
const physical = new PhysicalMemory(memory, RAM_BYTES, 0);
const paging = new Paging(state, physical);
const ram = new Uint8Array(memory.buffer, layout.FRAMES, RAM_BYTES);
const view = new DataView(memory.buffer, layout.FRAMES, RAM_BYTES);

function setMode({ pae, pse, pge, nxe, wp }: Mode): void {
  state.set32(layout.CR0, CR0.pe | CR0.pg | (wp ? CR0.wp : 0));
  state.set32(layout.CR3, CR3);
  state.set32(layout.CR4, (pae ? CR4.pae : 0) | (pse ? CR4.pse : 0) | (pge ? CR4.pge : 0));
  state.set32(layout.EFER, nxe ? EFER_NXE : 0);
}

function walk(linear: number, access: Access): Result {
  try {
    const { page, writable, global } = paging.walk(linear, access);
    return { page, writable, global };
  } catch (thrown) {
    if (!(thrown instanceof GuestException)) throw thrown;
    expect([thrown.vector, state.cr2]).toEqual([14, linear]);
    return { code: thrown.errorCode };
  }
}

interface Level {
  readonly shift: number;
  /** Bits of the index. */
  readonly bits: number;
  /** May map a page itself, of 2^shift bytes; its reserved bits. */
  readonly large: boolean;
  readonly largeReserved: bigint;
}

const LEVELS_32 = (pse: boolean): Level[] => [
  { shift: 22, bits: 10, large: pse, largeReserved: 0x3e_0000n },
  { shift: 12, bits: 10, large: false, largeReserved: 0n },
];
const LEVELS_PAE: readonly Level[] = [
  { shift: 21, bits: 9, large: true, largeReserved: 0x1f_e000n },
  { shift: 12, bits: 9, large: false, largeReserved: 0n },
];

/** What section 4 of the manual says of one access, on a memory of its own. */
function reference(bytes: DataView, mode: Mode, linear: number, { write, user, fetch }: Access): Result {
  const { pae, nxe } = mode;
  const attributes = (write ? 2 : 0) | (user ? 4 : 0) | (fetch && pae && nxe ? 16 : 0);
  const entryBytes = pae ? 8 : 4;
  const read = (at: number): bigint => {
    if (at >= RAM_BYTES) return pae ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
    return pae ? bytes.getBigUint64(at, true) : BigInt(bytes.getUint32(at, true));
  };
  const addressMask = pae ? 0xf_ffff_f000n : 0xffff_f000n;
  const reserved = pae ? (nxe ? 0x7fff_fff0_0000_0000n : 0xffff_fff0_0000_0000n) : 0n;
  let table = CR3;
  if (pae) {
    const pointer = bytes.getBigUint64(CR3 + (linear >>> 30) * 8, true);
    if (!(pointer & P)) return { code: attributes };
    table = Number(pointer & addressMask);
  }
  const used: { at: number; entry: bigint; leaf: boolean }[] = [];
  let rights = RW | US;
  let noExecute = false;
  for (const level of pae ? LEVELS_PAE : LEVELS_32(mode.pse)) {
    const at = table + ((linear >>> level.shift) & ((1 << level.bits) - 1)) * entryBytes;
    const entry = read(at);
    if (!(entry & P)) return { code: attributes };
    const leaf = level.shift === 12 || (level.large && (entry & PS) !== 0n);
    if (entry & (reserved | (leaf && level.shift > 12 ? level.largeReserved : 0n))) return { code: attributes | 9 };
    rights &= entry;
    noExecute ||= pae && (entry & NX) !== 0n;
    used.push({ at, entry, leaf });
    if (leaf) break;
    table = Number(entry & addressMask);
  }
  const mayWrite = (rights & RW) !== 0n || (!user && !mode.wp);
  if ((user && !(rights & US)) || (write && !mayWrite) || (fetch && noExecute)) return { code: attributes | 1 };
  let last = 0n;
  for (const { at, entry, leaf } of used) {
    last = entry | A | (leaf && write ? D : 0n);
    if (at < RAM_BYTES) bytes.setUint32(at, Number(last & 0xffff_ffffn), true);
  }
  const large = used.length === 1;
  const shift = large ? (pae ? 21 : 22) : 12;
  let address = last & addressMask & ~((1n << BigInt(shift)) - 1n);
  if (large && !pae) address |= ((last >> 13n) & 15n) << 32n;
  return {
    page: Number(address) + (linear & ((1 << shift) - 1) & ~0xfff),
    writable: mayWrite && (last & D) !== 0n,
    global: mode.pge && (last & G) !== 0n,
  };
}

const often = fc.integer({ min: 0, max: 9 }).map((n) => n > 0);
const seldom = fc.integer({ min: 0, max: 19 }).map((n) => n === 0);
const flagged = (bit: bigint, chance: fc.Arbitrary<boolean>): fc.Arbitrary<bigint> => chance.map((set) => (set ? bit : 0n));
const FLAGS = fc
  .tuple(
    flagged(P, often),
    flagged(RW, fc.boolean()),
    flagged(US, fc.boolean()),
    flagged(A, fc.boolean()),
    flagged(D, fc.boolean()),
    flagged(G, fc.boolean()),
    flagged(NX, fc.boolean()),
  )
  .map((flags) => flags.reduce((all, flag) => all | flag, 0n));
/** A bit somewhere that is reserved in some of the formats. */
const STRAY = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0n) },
  { weight: 1, arbitrary: fc.integer({ min: 13, max: 62 }).map((bit) => 1n << BigInt(bit)) },
);
const TABLE = fc.integer({ min: 3, max: RAM_BYTES / 4096 - 1 }).map((page) => BigInt(page * 4096));
const entryOf = (address: fc.Arbitrary<bigint>): fc.Arbitrary<bigint> =>
  fc.tuple(FLAGS, address, STRAY).map(([flags, base, stray]) => flags | base | stray);
const SCENE = fc.record({
  mode: fc.record({ pae: fc.boolean(), pse: fc.boolean(), pge: fc.boolean(), nxe: fc.boolean(), wp: fc.boolean() }),
  linear: fc.integer({ min: 0, max: 0xffff_ffff }),
  access: fc
    .record({ write: fc.boolean(), user: fc.boolean(), fetch: fc.boolean() })
    .map((access) => ({ ...access, fetch: access.fetch && !access.write })),
  large: fc.oneof(fc.boolean(), seldom),
  directory: entryOf(TABLE),
  table: entryOf(fc.integer({ min: 0, max: 0xf_ffff }).map((page) => BigInt(page) << 12n)),
});

describe('a page walk', () => {
  it('does what the manual says', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(SCENE, ({ mode, linear, access, large, directory, table }) => {
        ram.fill(0);
        const { pae } = mode;
        const bytes = pae ? 8 : 4;
        const put = (at: number, entry: bigint): void => {
          if (pae) view.setBigUint64(at, entry, true);
          else view.setUint32(at, Number(entry & 0xffff_ffffn), true);
        };
        let at = CR3;
        if (pae) {
          view.setBigUint64(CR3 + (linear >>> 30) * 8, 0x2001n, true);
          at = 0x2000;
        }
        put(at + (pae ? (linear >>> 21) & 511 : linear >>> 22) * bytes, directory | (large ? PS : 0n));
        const tableAt = Number(directory & 0x3_f000n);
        const pteAt = tableAt + ((linear >>> 12) & (pae ? 511 : 1023)) * bytes;
        // The entries must not lie upon each other.
        fc.pre(tableAt >= 0x3000 && pteAt + 8 <= RAM_BYTES);
        put(pteAt, table);
        setMode(mode);
        if (pae) paging.loadPageDirectoryPointers(CR3);
        const copy = new DataView(ram.slice().buffer);
        const expected = reference(copy, mode, linear, access);
        expect(walk(linear, access)).toEqual(expected);
        expect(Buffer.compare(ram, new Uint8Array(copy.buffer))).toBe(0);
        const kind = expected.code === undefined ? 'translated' : `code ${expected.code & 9}`;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }),
      { seed: 20261122, numRuns: 1000 },
    );
    // The property says something only if each outcome is met often.
    for (const kind of ['translated', 'code 0', 'code 1', 'code 9'])
      expect([kind, seen.get(kind) ?? 0]).toEqual([kind, expect.toSatisfy((n) => n > 40)]);
  });

  it('leaves accessed and dirty bits alone when it fails', () => {
    ram.fill(0);
    setMode({ pae: false, pse: false, pge: false, nxe: false, wp: true });
    view.setUint32(CR3, 0x2003, true);
    view.setUint32(0x2000, 0x5001, true);
    expect(walk(0x123, { write: true, user: false, fetch: false })).toEqual({ code: 3 });
    expect([view.getUint32(CR3, true), view.getUint32(0x2000, true)]).toEqual([0x2003, 0x5001]);
    expect(walk(0x123, { write: false, user: false, fetch: false })).toEqual({ page: 0x5000, writable: false, global: false });
    expect([view.getUint32(CR3, true), view.getUint32(0x2000, true)]).toEqual([0x2023, 0x5021]);
  });

  it('is no walk while paging is off, and A20 counts', () => {
    state.set32(layout.CR0, CR0.pe);
    physical.setA20(false);
    expect(walk(0xffff_f123, { write: true, user: true, fetch: false })).toEqual({ page: 0xffef_f000, writable: true, global: false });
    physical.setA20(true);
    expect(walk(0xffff_f123, { write: true, user: true, fetch: false }).page).toBe(0xffff_f000);
  });
});

describe('directory pointers', () => {
  // Reserved are bits 1, 2, 5 to 8 and all from 36 on.
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 35, 36, 52, 63])('bit %i', (bit) => {
    ram.fill(0);
    const faults = [1, 2, 5, 6, 7, 8].includes(bit) || bit >= 36;
    view.setBigUint64(CR3 + 24, 0x2001n | (1n << BigInt(bit)), true);
    const load = (): void => paging.loadPageDirectoryPointers(CR3 | 0x18);
    if (faults) expect(load).toThrow(GuestException);
    else expect(load).not.toThrow();
    // A pointer that is not present may hold anything.
    view.setBigUint64(CR3 + 24, 0x2000n | (bit === 0 ? 0n : 1n << BigInt(bit)), true);
    expect(load).not.toThrow();
  });
});
