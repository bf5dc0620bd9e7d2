import { describe, expect, it } from 'vitest';
import { BootError } from './boot-state.js';
import { loadRaw } from './raw.js';
import { pattern, TestMemory } from './test-images.js';

const MIB = 0x10_0000;

function load(address: number, entry: number, mode: 'real' | 'protected', sizeBytes = 16) {
  const memory = new TestMemory(2 * MIB);
  return { memory, state: loadRaw({ kind: 'raw', image: pattern(sizeBytes, 1), address, entry, mode }, memory) };
}

describe('loadRaw', () => {
  it('writes the image and nothing else', () => {
    expect(load(0x7c00, 0x7c00, 'real').memory.writes).toEqual([{ address: 0x7c00, bytes: pattern(16, 1) }]);
    expect(load(2 * MIB - 16, MIB, 'protected').memory.writes).toEqual([{ address: 2 * MIB - 16, bytes: pattern(16, 1) }]);
  });

  it.each([
    [0x7c00, 0, 0x7c00],
    [0xffff, 0, 0xffff],
    [0x1_0000, 0x1000, 0],
    [0xf_fff0, 0xf000, 0xfff0],
  ])('enters real mode at %i as %i:%i', (entry, selector, eip) => {
    const { cpu, firmwareDefaults } = load(0, entry, 'real').state;
    expect(cpu.cs).toEqual({ selector, base: selector * 16, limit: 0xffff, attributes: 0x9b });
    expect(cpu).toMatchObject({ eip, eflags: 2, cr0: 0x6000_0010 });
    expect(firmwareDefaults).toBe(true);
  });

  it('enters protected mode anywhere in memory', () => {
    expect(load(0, 2 * MIB - 1, 'protected').state.cpu).toMatchObject({
      eip: 2 * MIB - 1,
      cr0: 0x11,
      gdt: { base: 0, limit: 0 },
      cs: { attributes: 0xc09b },
    });
  });

  it.each([
    [2 * MIB - 15, 0, 'real', 'raw image: 16 bytes at 0x1ffff1 do not fit into memory, which ends at 0x200000'],
    [-1, 0, 'real', 'raw image: 16 bytes at 0x-1 do not fit into memory, which ends at 0x200000'],
    [0, MIB, 'real', 'raw image: the entry 0x100000 must be below 0x100000 in real mode'],
    [0, 2 * MIB, 'protected', 'raw image: the entry 0x200000 must be below 0x200000 in protected mode'],
    [0, Number.NaN, 'protected', 'raw image: the entry 0xNaN must be below 0x200000 in protected mode'],
  ] as const)('refuses address %f, entry %f, %s mode', (address, entry, mode, message) => {
    expect(() => load(address, entry, mode)).toThrow(new BootError(message));
  });
});
