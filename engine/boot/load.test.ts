/** Which loader a file gets, and what no file may do to any of them. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BootSource } from '../config.js';
import { BootError } from './boot-state.js';
import { memoryMap } from './e820.js';
import { detectKernel, loadBoot } from './load.js';
import { buildBzImage, buildElf, multibootHeader, pattern, TestMemory } from './test-images.js';

const MIB = 0x10_0000;
const at = (physicalAddress: number, content: Uint8Array, memoryBytes = content.length) => ({
  virtualAddress: physicalAddress,
  physicalAddress,
  content,
  memoryBytes,
});

const BZIMAGE = buildBzImage({ codeBytes: 64 });
const VMLINUX = buildElf(32, MIB, [at(MIB, pattern(64, 1), 0x2000), at(2 * MIB, pattern(32, 2))]);
const MULTIBOOT_ELF = buildElf(32, MIB, [at(MIB, multibootHeader(3), 0x2000), at(0x7000, pattern(32, 2))]);
const MULTIBOOT_ELF64 = buildElf(64, MIB, [at(MIB, multibootHeader(3), 0x2000)]);
const MULTIBOOT_FLAT = Uint8Array.from([
  ...multibootHeader(0x1_0004, [MIB, MIB, MIB + 60, MIB + 0x1000, MIB], [1, 80, 25, 0]),
  ...pattern(40, 1),
]);

describe('detectKernel', () => {
  it.each([
    ['bzimage', BZIMAGE],
    ['elf', VMLINUX],
    ['multiboot', MULTIBOOT_ELF],
    ['multiboot', MULTIBOOT_ELF64],
    ['multiboot', MULTIBOOT_FLAT],
    [undefined, new Uint8Array(0)],
    [undefined, pattern(9000, 1)],
  ])('%s', (kind, bytes) => {
    expect(detectKernel(bytes)).toBe(kind);
  });
});

describe('loadBoot', () => {
  it('gives each source its loader', () => {
    const enter = (source: BootSource) => loadBoot(source, new TestMemory(16 * MIB), []).cpu;
    expect(enter({ kind: 'linux', kernel: BZIMAGE, commandLine: '' }).esi).toBe(0x1_0000);
    expect(enter({ kind: 'multiboot', kernel: MULTIBOOT_FLAT, modules: [], commandLine: '' }).eax).toBe(0x2bad_b002);
    expect(enter({ kind: 'bios', rom: new Uint8Array(0x1000) }).eip).toBe(0xfff0);
    expect(enter({ kind: 'raw', image: pattern(4, 1), address: 0, entry: 3, mode: 'real' }).eip).toBe(3);
  });

  it('needs no more than 1 MiB for a kernel that lies below', () => {
    const kernel = buildElf(32, 0x8000, [at(0x8000, multibootHeader(3))]);
    const memory = new TestMemory(MIB);
    const { cpu } = loadBoot({ kind: 'multiboot', kernel, modules: [], commandLine: '' }, memory, []);
    expect(memory.read32(cpu.ebx + 8)).toBe(0);
    expect(memoryMap(MIB)).toHaveLength(3);
  });
});

/** Values at which checks go wrong by one, wrap or turn negative. */
const hostileWord = fc.oneof(
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fff0, 0x9_fc00, 0xa_0000, MIB - 1, MIB, 16 * MIB - 1, 16 * MIB),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.integer({ min: 0, max: 300 }),
);
/** Headers lie in the first 164 bytes of ELF and multiboot files and at 1F1h-26Ch of a bzImage. */
const place = fc.oneof(
  fc.integer({ min: 0, max: 41 }).map((word) => word * 4),
  fc.integer({ min: 0x1f1, max: 0x26b }),
  fc.integer({ min: 0, max: 0x290 }),
);
const change = fc.record({ place, sizeBytes: fc.constantFrom(1, 2, 4), value: hostileWord });

function damaged(image: Uint8Array, changes: readonly { place: number; sizeBytes: number; value: number }[], length: number): Uint8Array {
  const bytes = image.slice();
  for (const { place: start, sizeBytes, value } of changes) {
    for (let index = 0; index < sizeBytes; index++) if (start + index < bytes.length) bytes[start + index] = (value >>> (index * 8)) & 0xff;
  }
  return bytes.subarray(0, length);
}

describe('a hostile image', () => {
  const image = fc.constantFrom(BZIMAGE, VMLINUX, MULTIBOOT_ELF, MULTIBOOT_ELF64, MULTIBOOT_FLAT);
  const memoryBytes = fc.constantFrom(MIB, 2 * MIB, 4 * MIB, 16 * MIB, 3072 * MIB);

  it('loads consistently or is refused by one line', () => {
    let loaded = 0;
    let refused = 0;
    fc.assert(
      fc.property(
        image,
        fc.array(change, { maxLength: 3 }),
        fc.option(fc.nat(2000), { freq: 8 }),
        memoryBytes,
        fc.nat(5000),
        (original, changes, cut, sizeBytes, extraBytes) => {
          const kernel = damaged(original, changes, cut ?? original.length);
          const extra = pattern(extraBytes, 1);
          const sources: BootSource[] = [
            { kind: 'linux', kernel, initrd: extra, commandLine: 'a b' },
            { kind: 'multiboot', kernel, modules: [{ image: extra, commandLine: 'c' }], commandLine: 'a b' },
          ];
          for (const source of sources) {
            // A segment of 3 GiB is a legal wish, and thousands of writes: bounded by the machine's memory.
            const memory = new TestMemory(sizeBytes);
            try {
              const { cpu } = loadBoot(source, memory, [{ address: 0xe_0000, bytes: pattern(16, 1) }]);
              loaded++;
              expect(memory.overlap()).toBeUndefined();
              expect(cpu.eip).toBeLessThan(sizeBytes);
              expect(memory.writes.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(sizeBytes);
            } catch (error) {
              if (!(error instanceof BootError)) throw error;
              refused++;
              expect(error.message).toMatch(/^(kernel|initrd|module 1|command line): [^\n]{10,200}$/);
              expect(error.message).not.toMatch(/NaN|undefined|0x-/);
            }
          }
        },
      ),
      { seed: 86, numRuns: 3000 },
    );
    expect(loaded).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(500);
  });

  it('of random bytes is nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (kernel) => {
        expect(detectKernel(kernel)).toBeUndefined();
        expect(() => loadBoot({ kind: 'linux', kernel, commandLine: '' }, new TestMemory(16 * MIB), [])).toThrow(BootError);
        expect(() => loadBoot({ kind: 'multiboot', kernel, modules: [], commandLine: '' }, new TestMemory(16 * MIB), [])).toThrow(
          BootError,
        );
      }),
      { seed: 86, numRuns: 500 },
    );
  });
});
