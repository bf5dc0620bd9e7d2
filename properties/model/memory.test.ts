import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from './memory.js';

const background = Uint8Array.from({ length: 64 }, (_, i) => i);
const windows = [{ name: 'window', address: 8, bytes: 8 }];

describe('PhysicalMemory', () => {
  it.each([1, 2, 4, 8, 10, 16])('reads what was written, %i bytes of it', (bytes) => {
    const memory = new PhysicalMemory(background, windows);
    const value = BigInt.asUintN(8 * bytes, 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10n);
    memory.write(21, bytes, value);
    expect(memory.read(21, bytes)).toBe(value);
    expect(memory.readByte(20)).toBe(20);
    expect(memory.readByte(21 + bytes)).toBe(21 + bytes);
  });

  it('ends: behind it ones are read and writes lost', () => {
    const memory = new PhysicalMemory(background, windows);
    memory.write(62, 4, 0x4433_2211n);
    expect(memory.read(62, 4)).toBe(0xffff_2211n);
    expect(memory.read(2 ** 35, 2)).toBe(0xffffn);
    expect(memory.readWord(2 ** 33)).toBe(0xffff_ffff);
    memory.write(2 ** 33, 8, 0n);
    expect(memory.strayAddresses()).toEqual([62, 63]);
  });

  it('knows which bytes outside the windows have changed, and puts them back', () => {
    const memory = new PhysicalMemory(background, windows);
    memory.write(14, 4, 0xeedd_ccbbn);
    memory.write(32, 2, 0x2120n);
    expect(memory.strayAddresses()).toEqual([16, 17]);
    expect(memory.hasWrittenOutside).toBe(true);
    memory.restore();
    expect(memory.hasWrittenOutside).toBe(false);
    expect([...memory.bytes.subarray(14, 18)]).toEqual([0xbb, 0xcc, 16, 17]);
    memory.write(16, 1, 1n);
    expect(memory.strayAddresses()).toEqual([16]);
  });
});
