import { describe, expect, it } from 'vitest';
import { BootError } from './boot-state.js';
import { loadLinux } from './linux.js';
import { buildBzImage, buildElf, pattern, type TestBzImage, TestMemory } from './test-images.js';

const MIB = 0x10_0000;
const FLAT_DATA = { selector: 0x18, base: 0, limit: 0xffff_ffff, attributes: 0xc093 };
const BOOT_PARAMS = 0x1_0000;

function load(kernel: Uint8Array, memoryBytes: number, commandLine = 'console=ttyS0', initrd?: Uint8Array) {
  const memory = new TestMemory(memoryBytes);
  const state = loadLinux({ kind: 'linux', kernel, commandLine, ...(initrd === undefined ? {} : { initrd }) }, memory, []);
  return { memory, state };
}

/** Offset and value of every byte of boot_params that is not zero. */
function nonzero(memory: TestMemory): [number, number][] {
  return memory
    .read(BOOT_PARAMS, 0x1000)
    .map((byte, offset): [number, number | undefined] => [offset, byte])
    .filter((pair): pair is [number, number] => pair[1] !== 0);
}

const SCREEN: [number, number][] = [
  [0x06, 3],
  [0x07, 80],
  [0x0e, 25],
  [0x0f, 1],
  [0x10, 16],
];

/** E820 of a machine with 16 MiB: 0-9FBFFh, 9FC00h-9FFFFh reserved, E0000h-FFFFFh reserved, from 1 MiB. */
const E820_16_MIB: [number, number][] = [
  [0x2d0 + 9, 0xfc],
  [0x2d0 + 10, 0x09],
  [0x2d0 + 16, 1],
  [0x2e4 + 1, 0xfc],
  [0x2e4 + 2, 0x09],
  [0x2e4 + 9, 0x04],
  [0x2e4 + 16, 2],
  [0x2f8 + 2, 0x0e],
  [0x2f8 + 10, 0x02],
  [0x2f8 + 16, 2],
  [0x30c + 2, 0x10],
  [0x30c + 10, 0xf0],
  [0x30c + 16, 1],
];

describe('bzImage', () => {
  it('gives the kernel exactly this boot_params', () => {
    const { memory } = load(buildBzImage(), 16 * MIB, 'console=ttyS0', pattern(0x1801, 9));
    expect(nonzero(memory)).toEqual([
      ...SCREEN,
      [0x1e8, 4],
      [0x1f1, 2],
      [0x1f5, 0x02],
      [0x1fe, 0x55],
      [0x1ff, 0xaa],
      [0x200, 0xeb],
      [0x201, 0x6a],
      [0x202, 0x48],
      [0x203, 0x64],
      [0x204, 0x72],
      [0x205, 0x53],
      [0x206, 0x0f],
      [0x207, 0x02],
      [0x210, 0xff],
      [0x211, 0x01],
      [0x216, 0x20],
      [0x219, 0xe0],
      [0x21a, 0xff],
      [0x21c, 0x01],
      [0x21d, 0x18],
      [0x229, 0x10],
      [0x22a, 0x01],
      [0x22c, 0xff],
      [0x22d, 0xff],
      [0x22e, 0xff],
      [0x22f, 0x7f],
      [0x232, 0x20],
      [0x234, 1],
      [0x238, 0xff],
      [0x239, 0x07],
      [0x25a, 0x20],
      [0x262, 0x08],
      ...E820_16_MIB,
    ]);
  });

  it('places kernel, initrd, command line and GDT, and nothing twice', () => {
    const initrd = pattern(0x1801, 9);
    const { memory } = load(buildBzImage(), 16 * MIB, 'a=Grüße', initrd);
    expect(memory.read(2 * MIB, 0x2000)).toEqual([...pattern(0x2000, 3)]);
    expect(memory.read(16 * MIB - 0x2000, 0x1801)).toEqual([...initrd]);
    expect(memory.read(0x1_1000, 10)).toEqual([0x61, 0x3d, 0x47, 0x72, 0xc3, 0xbc, 0xc3, 0x9f, 0x65, 0]);
    expect(memory.read(0x1000, 32)).toEqual([
      ...new Array<number>(16).fill(0),
      0xff,
      0xff,
      0,
      0,
      0,
      0x9b,
      0xcf,
      0,
      0xff,
      0xff,
      0,
      0,
      0,
      0x93,
      0xcf,
      0,
    ]);
    expect(memory.overlap()).toBeUndefined();
  });

  it('enters in flat protected mode with ESI at boot_params', () => {
    expect(load(buildBzImage(), 16 * MIB).state).toEqual({
      cpu: {
        ...{ eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: BOOT_PARAMS, edi: 0, eip: 2 * MIB, eflags: 2, cr0: 0x11 },
        ...{ es: FLAT_DATA, ss: FLAT_DATA, ds: FLAT_DATA, fs: FLAT_DATA, gs: FLAT_DATA },
        cs: { selector: 0x10, base: 0, limit: 0xffff_ffff, attributes: 0xc09b },
        gdt: { base: 0x1000, limit: 31 },
        idt: { base: 0, limit: 0 },
      },
      firmwareDefaults: true,
    });
  });

  it('without an initrd leaves its fields zero', () => {
    const { memory } = load(buildBzImage(), 16 * MIB);
    expect(memory.read(BOOT_PARAMS + 0x218, 8)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('loads protocol 2.04 at 1 MiB, whatever lies in fields it does not have', () => {
    const { memory, state } = load(buildBzImage({ version: 0x0204 }), 16 * MIB, 'x'.repeat(255));
    expect(state.cpu.eip).toBe(MIB);
    expect(memory.read(MIB, 2)).toEqual([...pattern(2, 3)]);
    expect(() => load(buildBzImage({ version: 0x0204 }), 16 * MIB, 'x'.repeat(256))).toThrow(
      new BootError('command line: 256 bytes, this kernel takes at most 255: shorten it'),
    );
  });

  it('puts the initrd at the very edge: below initrd_addr_max, above init_size', () => {
    const place = (initrdBytes: number, memoryBytes: number, options: TestBzImage): number =>
      load(buildBzImage(options), memoryBytes, '', pattern(initrdBytes, 9)).memory.read32(BOOT_PARAMS + 0x218);
    expect(place(0x1000, 16 * MIB, { initrdLastAddress: 0x7f_ffff })).toBe(0x7f_f000);
    expect(place(0x1000, 16 * MIB, { initrdLastAddress: 0x7f_fffe })).toBe(0x7f_e000);
    expect(place(0x1000, 16 * MIB, { initrdLastAddress: 0xffff_ffff })).toBe(0xff_f000);
    expect(place(MIB, 4 * MIB, { initBytes: MIB })).toBe(3 * MIB);
    expect(() => place(MIB, 4 * MIB, { initBytes: MIB + 1 })).toThrow(
      new BootError('initrd: 1048576 bytes do not fit above the kernel, which ends at 0x300001: it takes at least 5 MiB of memory'),
    );
    expect(() => place(MIB, 16 * MIB, { initBytes: MIB, initrdLastAddress: 0x3f_fffe })).toThrow(
      new BootError(
        "initrd: 1048576 bytes do not fit between the kernel's end at 0x300000 and 0x3fffff, the last place this kernel takes one: make it smaller",
      ),
    );
  });

  it('refuses the file cut at any byte', () => {
    const image = buildBzImage({ codeBytes: 16 });
    expect(() => load(image, 16 * MIB)).not.toThrow();
    for (let length = 0; length < image.length; length++)
      expect(() => load(image.subarray(0, length), 16 * MIB), `${length} bytes`).toThrow(BootError);
  });

  const cases: [string, () => unknown, string][] = [
    [
      'another file',
      () => load(pattern(5000, 0), 16 * MIB),
      'kernel: neither a bzImage ("HdrS" at 0x202) nor an ELF file: give a Linux kernel for i386',
    ],
    [
      'cut short',
      () => load(buildBzImage().subarray(0, 9000), 16 * MIB),
      'kernel: the setup header announces 9728 bytes, the file has 9000: it is cut short',
    ],
    [
      'no code',
      () => load(buildBzImage({ codeBytes: 0 }), 16 * MIB),
      'kernel: the size of its protected-mode part at 0x1f4 is 0: the file is damaged',
    ],
    [
      'too old',
      () => load(buildBzImage({ version: 0x0203 }), 16 * MIB),
      'kernel: boot protocol 2.03 at 0x206, at least 2.04 is needed: take Linux 2.6.14 or newer',
    ],
    ['zImage', () => load(buildBzImage({ loadFlags: 0 }), 16 * MIB), 'kernel: a zImage, which loads below 1 MiB: build a bzImage'],
    [
      '64-bit',
      () => load(buildBzImage({ extendedLoadFlags: 1 }), 16 * MIB),
      'kernel: built for x86-64, the machine is a 32-bit one: take an i386 kernel',
    ],
    [
      'low',
      () => load(buildBzImage({ preferredAddress: 0xf_ffff }), 16 * MIB),
      'kernel: its preferred address 0xfffff at 0x258 lies below 1 MiB: the file is damaged',
    ],
    [
      'too big',
      () => load(buildBzImage({ initBytes: 15 * MIB }), 16 * MIB),
      'kernel: what it needs to unpack itself reaches up to 0x10fffff, but memory ends at 0x1000000: it takes at least 17 MiB of memory',
    ],
    [
      'sizes that overflow',
      () => load(buildBzImage({ preferredAddress: 0xffff_ffff, initBytes: 0xffff_ffff }), 16 * MIB),
      'kernel: what it needs to unpack itself reaches up to 0x1fffffffd, but memory ends at 0x1000000: it takes at least 8192 MiB of memory',
    ],
    [
      'long command line',
      () => load(buildBzImage(), 16 * MIB, 'x'.repeat(2048)),
      'command line: 2048 bytes, this kernel takes at most 2047: shorten it',
    ],
    [
      'command line over low memory',
      () => load(buildBzImage({ commandLineBytesMax: 0xffff_ffff }), 16 * MIB, 'x'.repeat(0x9_0000)),
      'command line: 589824 bytes, this kernel takes at most 584703: shorten it',
    ],
    [
      'zero in the command line',
      () => load(buildBzImage(), 16 * MIB, 'a\0b'),
      'command line: character 2 is a zero, where the guest would end the text: leave it out',
    ],
    ['empty initrd', () => load(buildBzImage(), 16 * MIB, '', new Uint8Array(0)), 'initrd: the file is empty'],
  ];
  it.each(cases)('%s', (_name, attempt, message) => {
    expect(attempt).toThrow(new BootError(message));
  });

  it('takes a signature behind the announced size for what it is', () => {
    const signed = new Uint8Array([...buildBzImage({ codeBytes: 16 }), 1, 2, 3]);
    expect(load(signed, 16 * MIB).memory.read(2 * MIB, 17)).toEqual([...pattern(16, 3), undefined]);
  });
});

describe('vmlinux', () => {
  const kernel = buildElf(32, MIB, [{ virtualAddress: 0xc010_0000, physicalAddress: MIB, content: pattern(64, 1), memoryBytes: 0x2_0000 }]);

  it('is entered at its physical entry with a setup header of the newest protocol', () => {
    const { memory, state } = load(kernel, 16 * MIB, 'quiet', pattern(16, 2));
    expect(state.cpu).toMatchObject({ eip: MIB, esi: BOOT_PARAMS, ebx: 0, ebp: 0, edi: 0 });
    expect(memory.read(MIB, 65)).toEqual([...pattern(64, 1), 0]);
    expect(memory.readText(0x1_1000)).toBe('quiet');
    expect(memory.overlap()).toBeUndefined();
    expect(nonzero(memory)).toEqual([
      ...SCREEN,
      [0x1e8, 4],
      [0x1fe, 0x55],
      [0x1ff, 0xaa],
      [0x202, 0x48],
      [0x203, 0x64],
      [0x204, 0x72],
      [0x205, 0x53],
      [0x206, 0x0f],
      [0x207, 0x02],
      [0x210, 0xff],
      [0x211, 0x01],
      [0x219, 0xf0],
      [0x21a, 0xff],
      [0x21c, 16],
      [0x229, 0x10],
      [0x22a, 0x01],
      ...E820_16_MIB,
    ]);
  });

  it('must be an i386 kernel above 1 MiB', () => {
    const at = (physicalAddress: number) => [{ virtualAddress: physicalAddress, physicalAddress, content: pattern(64, 1) }];
    expect(() => load(buildElf(64, MIB, at(MIB)), 16 * MIB)).toThrow(
      new BootError('kernel: an ELF64 file for machine 62, the machine is a 32-bit i386 (ELF32, machine 3): take an i386 kernel'),
    );
    expect(() => load(buildElf(32, 0x8000, at(0x8000)), 16 * MIB)).toThrow(
      new BootError('kernel: program header 0 loads at 0x8000, below 1 MiB: not a Linux kernel'),
    );
  });
});

describe('firmware tables', () => {
  const table = { address: 0xf_0000, bytes: pattern(100, 5) };

  it('are written where the memory map says reserved', () => {
    const memory = new TestMemory(16 * MIB);
    loadLinux({ kind: 'linux', kernel: buildBzImage(), commandLine: '' }, memory, [table]);
    expect(memory.read(0xf_0000, 100)).toEqual([...table.bytes]);
  });

  it('may lie nowhere else', () => {
    const attempt = (address: number) => () =>
      loadLinux({ kind: 'linux', kernel: buildBzImage(), commandLine: '' }, new TestMemory(16 * MIB), [{ ...table, address }]);
    expect(attempt(0xd_ffff)).toThrow('outside of the reserved range');
    expect(attempt(0x10_0000 - 99)).toThrow('outside of the reserved range');
    expect(attempt(0x10_0000 - 100)).not.toThrow();
  });
});
