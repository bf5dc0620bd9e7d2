import { describe, expect, it } from 'vitest';
import { BootError } from './boot-state.js';
import { loadElfSegments, physicalEntry, readElf } from './elf.js';
import { buildElf, pattern, TestMemory } from './test-images.js';

const MIB = 0x10_0000;

function segment(physicalAddress: number, sizeBytes: number, memoryBytes = sizeBytes, virtualAddress = physicalAddress) {
  return { virtualAddress, physicalAddress, content: pattern(sizeBytes, 1), memoryBytes };
}

/** Changes a 32-bit field of a copy. */
function patched(bytes: Uint8Array, ...changes: [number, number][]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, value] of changes) new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

describe.each([32, 64] as const)('ELF%i', (bits) => {
  it('loads every segment, in any order, and clears what is not in the file', () => {
    const image = buildElf(bits, 2 * MIB + 4, [segment(2 * MIB, 100, 0x1_2345), segment(MIB, 17)]);
    const memory = new TestMemory(4 * MIB);
    const elf = readElf(image, 'kernel');
    expect(elf.bits).toBe(bits);
    expect(elf.segments.map(({ index, physicalAddress }) => [index, physicalAddress])).toEqual([
      [1, MIB],
      [0, 2 * MIB],
    ]);
    expect(loadElfSegments(elf, image, memory, 'kernel')).toBe(2 * MIB + 0x1_2345);
    expect(memory.read(MIB, 18)).toEqual([...pattern(17, 1), undefined]);
    expect(memory.read(2 * MIB, 102)).toEqual([...pattern(100, 1), 0, 0]);
    expect(memory.read(2 * MIB + 0x1_2344, 2)).toEqual([0, undefined]);
  });

  it('takes the entry as virtual address first, then as physical', () => {
    const entryOf = (entry: number): number =>
      physicalEntry(readElf(buildElf(bits, entry, [segment(MIB, 64, 64, 0xc010_0000)]), 'kernel'), 'kernel');
    expect(entryOf(0xc010_0020)).toBe(MIB + 0x20);
    expect(entryOf(MIB + 0x3f)).toBe(MIB + 0x3f);
    expect(() => entryOf(MIB + 0x40)).toThrow(
      new BootError('kernel: the entry point 0x100040 lies in no program header: the file is damaged or not a kernel'),
    );
  });

  it('refuses the file cut at any byte', () => {
    const image = buildElf(bits, MIB, [segment(MIB, 48), segment(2 * MIB, 16)]);
    expect(() => readElf(image, 'kernel')).not.toThrow();
    for (let length = 0; length < image.length; length++)
      expect(() => readElf(image.subarray(0, length), 'kernel'), `${length} bytes`).toThrow(BootError);
  });
});

describe('a bad ELF file is named', () => {
  const image = buildElf(32, MIB, [segment(MIB, 48), segment(2 * MIB, 16)]);
  const first = 52;
  const second = 84;
  const cases: [string, Uint8Array, string][] = [
    ['no magic', patched(image, [0, 0]), 'kernel: not an ELF file'],
    ['class', patched(image, [4, 0x010103]), 'kernel: ELF class 3 at byte 4 is neither 32-bit (1) nor 64-bit (2): the file is damaged'],
    ['big-endian', patched(image, [4, 0x010201]), 'kernel: an ELF file for a big-endian machine: build it for i386'],
    ['no program headers', patched(image, [44, 0]), 'kernel: the ELF file has no program headers: link it as an executable'],
    ['small program headers', patched(image, [40, 0x001f_0034]), 'kernel: program headers of 31 bytes, ELF32 has 32: the file is damaged'],
    [
      'far program headers',
      patched(image, [28, 0xffff_fff0]),
      'kernel: the program headers end at byte 4294967344, the file at 192: it is cut short',
    ],
    [
      'offset wraps',
      patched(image, [first + 4, 0xffff_fff0]),
      'kernel: program header 0 ends at byte 4294967328, the file at 192: it is cut short',
    ],
    [
      'file size over memory size',
      patched(image, [second + 20, 15]),
      'kernel: program header 1 has 16 bytes in the file and only 15 in memory: the file is damaged',
    ],
    ['overlap', patched(image, [second + 12, MIB + 47]), 'kernel: program headers 0 and 1 overlap at 0x10002f: the file is damaged'],
    ['nothing to load', patched(image, [first, 4], [second, 4]), 'kernel: the ELF file has nothing to load: link it as an executable'],
  ];
  it.each(cases)('%s', (_name, bytes, message) => {
    expect(() => readElf(bytes, 'kernel')).toThrow(new BootError(message));
  });

  it('64-bit sizes beyond a PC', () => {
    const wide = buildElf(64, MIB, [segment(MIB, 48)]);
    expect(() => readElf(patched(wide, [64 + 40 + 4, 0x8000_0000]), 'kernel')).toThrow(
      new BootError(
        'kernel: the memory size of program header 0 at byte 104 is 0x8000000000000030, beyond anything a PC has: the file is damaged',
      ),
    );
  });

  it('a segment outside of memory', () => {
    const load = (physicalAddress: number, memoryBytes: number): void => {
      const bytes = buildElf(32, physicalAddress, [segment(physicalAddress, 16, memoryBytes)]);
      const memory = new TestMemory(4 * MIB);
      try {
        loadElfSegments(readElf(bytes, 'kernel'), bytes, memory, 'kernel');
      } finally {
        if (physicalAddress !== MIB) expect(memory.writes).toEqual([]);
      }
    };
    expect(() => load(MIB, 3 * MIB)).not.toThrow();
    expect(() => load(MIB + 1, 3 * MIB)).toThrow(
      new BootError('kernel: program header 0 reaches up to 0x400000, but memory ends at 0x400000: it takes at least 5 MiB of memory'),
    );
    expect(() => load(0xffff_fff0, 0xffff_ffff)).toThrow(BootError);
    expect(() => load(0x9_fbf0, 17)).toThrow(
      new BootError('kernel: program header 0 goes to 0x9fbf0-0x9fc00, which a PC uses for video and firmware: link it at 1 MiB or above'),
    );
  });
});
