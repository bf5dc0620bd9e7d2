import { describe, expect, it } from 'vitest';
import { CPU_STATE, CpuState } from '../state/cpu-state.js';
import { PhysicalMemory } from './memory.js';
import { ACCESS, Paging } from './paging.js';

const PAGING_ON = 0x8000_0001;
const WRITE_PROTECT = 0x0001_0000;
const PSE = 0x10;
const PAE = 0x20;
const NXE = 0x800n;

/** Directory at 0x1000, tables from 0x2000. */
function world(cr0: number, cr4: number, efer = 0n): { paging: Paging; memory: PhysicalMemory; state: CpuState } {
  const state = new CpuState();
  state.setU32(CPU_STATE.cr0, cr0);
  state.setU32(CPU_STATE.cr3, 0x1000);
  state.setU32(CPU_STATE.cr4, cr4);
  state.setU64(CPU_STATE.efer, efer);
  const memory = new PhysicalMemory(new Uint8Array(0x10000), []);
  return { paging: new Paging(state, memory), memory, state };
}

const { read, write, user, fetch } = ACCESS;

describe('32-bit paging (SDM volume 3, 4.3)', () => {
  const entries = (pde: number, pte: number, cr0 = PAGING_ON) => {
    const made = world(cr0, 0);
    made.memory.writeWord(0x1000 + 4 * 1, pde);
    made.memory.writeWord(0x2000 + 4 * 3, pte);
    return made;
  };
  const LINEAR = 0x0040_3123;

  it('finds the page by bits 31:22 and 21:12', () => {
    expect(entries(0x2007, 0x5007).paging.translate(LINEAR, read)).toBe(0x5123);
  });

  it('is the identity while CR0.PG is clear', () => {
    expect(entries(0, 0, 1).paging.translate(LINEAR, write | user)).toBe(LINEAR);
  });

  it('sets accessed and dirty flags of what it used, dirty for writes and in the last entry only', () => {
    const { paging, memory } = entries(0x2007, 0x5007);
    paging.translate(LINEAR, read);
    expect([memory.readWord(0x1004), memory.readWord(0x200c)]).toEqual([0x2027, 0x5027]);
    paging.translate(LINEAR, write);
    expect([memory.readWord(0x1004), memory.readWord(0x200c)]).toEqual([0x2027, 0x5067]);
  });

  /** Error codes by 4.7: P, W/R, U/S; undefined: no fault. Rights by 4.6.1. */
  it.each<[string, number, number, number, number, number | undefined]>([
    ['absent directory entry, read', 0x2006, 0x5007, 1, read, 0],
    ['absent page, user write', 0x2007, 0x5006, 1, write | user, 6],
    ['supervisor page, user read', 0x2007, 0x5003, 1, read | user, 5],
    ['supervisor directory entry, user read', 0x2003, 0x5007, 1, read | user, 5],
    ['read-only page, user write', 0x2007, 0x5005, 1, write | user, 7],
    ['read-only directory entry, user write', 0x2005, 0x5007, 1, write | user, 7],
    ['read-only page, user read', 0x2007, 0x5005, 1, read | user, undefined],
    ['read-only page, supervisor write, WP clear', 0x2007, 0x5005, 1, write, undefined],
    ['read-only page, supervisor write, WP set', 0x2007, 0x5005, WRITE_PROTECT | 1, write, 3],
    ['supervisor page, supervisor write', 0x2003, 0x5003, WRITE_PROTECT | 1, write, undefined],
    ['absent page, user fetch without execute-disable', 0x2007, 0x5006, 1, fetch | user, 4],
  ])('%s', (_name, pde, pte, cr0, access, code) => {
    const { paging, memory, state } = entries(pde, pte, (0x8000_0000 | cr0) >>> 0);
    if (code === undefined) expect(paging.translate(LINEAR, access)).toBe(0x5123);
    else {
      expect(() => paging.translate(LINEAR, access)).toThrow(expect.objectContaining({ vector: 14, errorCode: code }));
      expect(state.u64(CPU_STATE.cr2)).toBe(BigInt(LINEAR));
      expect([memory.readWord(0x1004), memory.readWord(0x200c)]).toEqual([pde, pte]);
    }
  });

  it('has pages of 4 MiB with CR4.PSE, whose bits 13-16 are address bits 32-35 and bits 17-21 reserved', () => {
    const { paging, memory, state } = world(PAGING_ON, PSE);
    memory.writeWord(0x1004, 0x0080_0087 | (3 << 13));
    expect(paging.translate(0x0050_1234, write)).toBe(3 * 2 ** 32 + 0x0090_1234);
    expect(memory.readWord(0x1004)).toBe((0x0080_00e7 | (3 << 13)) >>> 0);
    memory.writeWord(0x1004, 0x0080_0087 | (1 << 21));
    expect(() => paging.translate(0x0050_1234, read)).toThrow(expect.objectContaining({ errorCode: 9 }));
    state.setU32(CPU_STATE.cr4, 0);
    memory.writeWord(0x1004, 0x2087);
    memory.writeWord(0x2000 + 4 * 0x101, 0x6007);
    expect(paging.translate(0x0050_1234, read)).toBe(0x6234);
  });
});

describe('PAE paging (SDM volume 3, 4.4)', () => {
  const LINEAR = 0x4060_3123;
  const entries = (pdpte: bigint, pde: bigint, pte: bigint, efer = 0n) => {
    const made = world(PAGING_ON, PAE, efer);
    made.state.setU64(CPU_STATE.pageDirectoryPointers + 8, pdpte);
    made.memory.write(0x2000 + 8 * 3, 8, pde);
    made.memory.write(0x3000 + 8 * 3, 8, pte);
    return made;
  };

  it('finds the page by bits 31:30, 29:21 and 20:12, with 36 address bits', () => {
    expect(entries(0x2001n, 0x3007n, 0xf_0000_5007n).paging.translate(LINEAR, read)).toBe(0xf_0000_5123);
  });

  it('has pages of 2 MiB', () => {
    const { paging, memory } = entries(0x2001n, 0x1_0040_0087n, 0n);
    expect(paging.translate(LINEAR, write)).toBe(0x1_0040_3123);
    expect(memory.read(0x2018, 8)).toBe(0x1_0040_00e7n);
  });

  const NX = 1n << 63n;
  it.each<[string, bigint, bigint, bigint, bigint, number, number | undefined]>([
    ['absent pointer', 0x2000n, 0x3007n, 0x5007n, 0n, read, 0],
    ['bit 36 of a directory entry', 0x2001n, 0x10_0000_3007n, 0x5007n, 0n, read | user, 13],
    ['bit 62 of a page table entry', 0x2001n, 0x3007n, (1n << 62n) | 0x5007n, 0n, write, 11],
    ['bit 13 of a large page', 0x2001n, 0x40_2087n, 0n, 0n, read, 9],
    ['bit 63 without EFER.NXE', 0x2001n, 0x3007n, NX | 0x5007n, 0n, read, 9],
    ['read of a page that is not executable', 0x2001n, 0x3007n, NX | 0x5007n, NXE, read | user, undefined],
    ['fetch from it', 0x2001n, 0x3007n, NX | 0x5007n, NXE, fetch | user, 0x15],
    ['fetch below such a directory entry', 0x2001n, NX | 0x3007n, 0x5007n, NXE, fetch, 0x11],
    ['fetch from an absent page with EFER.NXE', 0x2001n, 0x3007n, 0x5006n, NXE, fetch | user, 0x14],
  ])('%s', (_name, pdpte, pde, pte, efer, access, code) => {
    const { paging } = entries(pdpte, pde, pte, efer);
    if (code === undefined) expect(paging.translate(LINEAR, access)).toBe(0x5123);
    else expect(() => paging.translate(LINEAR, access)).toThrow(expect.objectContaining({ vector: 14, errorCode: code }));
  });
});
