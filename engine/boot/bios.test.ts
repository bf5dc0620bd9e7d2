import { describe, expect, it } from 'vitest';
import { loadBios } from './bios.js';
import { BootError } from './boot-state.js';
import { pattern } from './test-images.js';

const KIB = 1024;

describe('loadBios', () => {
  it.each([
    [4, 0xffff_f000, 0xf_f000, 4],
    [64, 0xffff_0000, 0xf_0000, 64],
    [128, 0xfffe_0000, 0xe_0000, 128],
    [256, 0xfffc_0000, 0xe_0000, 128],
    [16 * 1024, 0xff00_0000, 0xe_0000, 128],
  ])('maps %i KiB', (sizeKib, address, aliasAddress, aliasKib) => {
    const bytes = new Uint8Array(sizeKib * KIB);
    const { bytes: mapped, ...placement } = loadBios(bytes).rom ?? {};
    expect(mapped === bytes).toBe(true);
    expect(placement).toEqual({ address, aliasAddress, aliasBytes: aliasKib * KIB });
  });

  it('starts at the reset vector, and leaves the devices to the BIOS', () => {
    const { cpu, firmwareDefaults } = loadBios(pattern(0x1_0000, 1));
    const data = { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 };
    expect(firmwareDefaults).toBe(false);
    expect(cpu).toEqual({
      ...{ eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: 0, edi: 0, eip: 0xfff0, eflags: 2, cr0: 0x6000_0010 },
      ...{ es: data, ss: data, ds: data, fs: data, gs: data },
      cs: { selector: 0xf000, base: 0xffff_0000, limit: 0xffff, attributes: 0x9b },
      gdt: { base: 0, limit: 0xffff },
      idt: { base: 0, limit: 0xffff },
    });
  });

  it.each([
    [0, 'bios: the file is empty'],
    [1, 'bios: 1 bytes is not a multiple of 4096: the file is cut short or not a BIOS image'],
    [0x1_0001, 'bios: 65537 bytes is not a multiple of 4096: the file is cut short or not a BIOS image'],
    [0x100_1000, 'bios: 16781312 bytes, at most 16 MiB can be mapped: is this a BIOS image?'],
  ])('refuses %i bytes', (sizeBytes, message) => {
    expect(() => loadBios(new Uint8Array(sizeBytes))).toThrow(new BootError(message));
  });
});
