import { describe, expect, it } from 'vitest';
import { BootError } from './boot-state.js';
import { findMultibootHeader, loadMultiboot } from './multiboot.js';
import { buildElf, multibootHeader, pattern, TestMemory } from './test-images.js';

const MIB = 0x10_0000;
const ADDRESSES = 0x1_0000;

function load(kernel: Uint8Array, commandLine = '', modules: { image: Uint8Array; commandLine: string }[] = [], memoryBytes = 16 * MIB) {
  const memory = new TestMemory(memoryBytes);
  const state = loadMultiboot({ kind: 'multiboot', kernel, commandLine, modules }, memory, []);
  return { memory, state, info: state.cpu.ebx };
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** An ELF kernel of 64 bytes at `address` that begins with its header. */
function elfKernel(address = MIB, flags = 3, bits: 32 | 64 = 32): Uint8Array {
  const content = concat(multibootHeader(flags), pattern(52, 1));
  return buildElf(bits, address + 16, [{ virtualAddress: address, physicalAddress: address, content, memoryBytes: 0x3001 }]);
}

/** A flat kernel of 100 bytes with its header at byte 8. */
function flatKernel(headerAddress: number, loadAddress: number, loadEnd: number, bssEnd: number, entry: number): Uint8Array {
  return concat(pattern(8, 1), multibootHeader(ADDRESSES, [headerAddress, loadAddress, loadEnd, bssEnd, entry]), pattern(60, 2));
}

describe('the header', () => {
  it('is found on a multiple of four, whole within 8 KiB, with a right checksum', () => {
    const at = (offset: number, header = multibootHeader(3)) =>
      findMultibootHeader(concat(new Uint8Array(offset), header, new Uint8Array(100)));
    expect(at(0)).toEqual({ offset: 0, flags: 3 });
    expect(at(8180)).toEqual({ offset: 8180, flags: 3 });
    expect(at(8184)).toBeUndefined();
    expect(at(2)).toBeUndefined();
    expect(at(4, multibootHeader(3).fill(1, 8, 9))).toBeUndefined();
    expect(findMultibootHeader(multibootHeader(3).subarray(0, 11))).toBeUndefined();
  });

  const cases: [string, () => unknown, string][] = [
    [
      'missing',
      () => load(buildElf(32, MIB, [{ virtualAddress: MIB, physicalAddress: MIB, content: pattern(16, 1) }])),
      'kernel: no multiboot header in its first 8 KiB: link the header section first',
    ],
    [
      'unknown requirement',
      () => load(elfKernel(MIB, 0x8)),
      'kernel: the multiboot header at 0x60 requires 0x8, which multiboot 1 does not define: clear these flags',
    ],
    [
      'graphics',
      () => load(concat(multibootHeader(4, [], [0, 640, 480, 32]))),
      'kernel: its multiboot header asks for a graphics mode, the machine has text mode only: clear flag 2',
    ],
    [
      'video fields cut',
      () => load(multibootHeader(4)),
      'kernel: the file ends at byte 12, inside the multiboot header at 0x0: it is cut short',
    ],
    [
      'address fields cut',
      () => load(multibootHeader(ADDRESSES)),
      'kernel: the file ends at byte 12, inside the multiboot header at 0x0: it is cut short',
    ],
    [
      'no addresses and no ELF',
      () => load(concat(multibootHeader(0), pattern(100, 1))),
      'kernel: its multiboot header gives no addresses (flag 16) and the file is not ELF: link it as an ELF executable',
    ],
  ];
  it.each(cases)('%s', (_name, attempt, message) => {
    expect(attempt).toThrow(new BootError(message));
  });
});

describe('an ELF kernel', () => {
  it.each([32, 64] as const)('of %i bits is entered with EAX the magic and EBX the information', (bits) => {
    const { state, memory } = load(elfKernel(MIB, 3, bits));
    expect(state.cpu).toMatchObject({ eax: 0x2bad_b002, eip: MIB + 16, eflags: 2, cr0: 0x11, gdt: { base: 0x1000, limit: 31 } });
    expect(state.cpu.cs).toEqual({ selector: 0x10, base: 0, limit: 0xffff_ffff, attributes: 0xc09b });
    expect(state.firmwareDefaults).toBe(true);
    expect(memory.read(MIB, 12)).toEqual([...multibootHeader(3)]);
  });

  it('is told exactly this', () => {
    const { memory, info } = load(elfKernel(), 'root=1', [
      { image: pattern(5, 1), commandLine: 'first a b' },
      { image: pattern(0x1000, 2), commandLine: '' },
    ]);
    // GDT, information, two modules, four ranges, then the texts: name, command line, those of the modules.
    const modules = 0x1000 + 32 + 120;
    const map = modules + 2 * 16;
    const texts = map + 4 * 24;
    const words = Array.from({ length: 29 }, (_, index) => memory.read32(info + index * 4));
    expect(info).toBe(0x1020);
    expect(words).toEqual([
      0x124d,
      639,
      15 * 1024,
      0,
      texts + 9,
      2,
      modules,
      ...[0, 0, 0, 0],
      4 * 24,
      map,
      ...[0, 0, 0],
      texts,
      ...[0, 0, 0, 0, 0],
      0xb_8000,
      0,
      160,
      80,
      25,
      0x0210,
      0,
    ]);
    expect([memory.readText(texts), memory.readText(texts + 9), memory.readText(texts + 16), memory.readText(texts + 26)]).toEqual([
      'replay86',
      'root=1',
      'first a b',
      '',
    ]);
    expect(Array.from({ length: 8 }, (_, index) => memory.read32(modules + index * 4))).toEqual([
      MIB + 0x4000,
      MIB + 0x4005,
      texts + 16,
      0,
      MIB + 0x5000,
      MIB + 0x6000,
      texts + 26,
      0,
    ]);
    expect(Array.from({ length: 24 }, (_, index) => memory.read32(map + index * 4))).toEqual([
      20,
      0,
      0,
      0x9_fc00,
      0,
      1,
      20,
      0x9_fc00,
      0,
      0x400,
      0,
      2,
      20,
      0xe_0000,
      0,
      0x2_0000,
      0,
      2,
      20,
      0x10_0000,
      0,
      15 * MIB,
      0,
      1,
    ]);
    expect(memory.read(MIB + 0x4000, 6)).toEqual([...pattern(5, 1), undefined]);
    expect(memory.read(MIB + 0x5000, 0x1000)).toEqual([...pattern(0x1000, 2)]);
    expect(memory.overlap()).toBeUndefined();
  });

  it('may lie low: the information moves behind it', () => {
    const { info, memory, state } = load(elfKernel(0x800));
    expect(state.cpu.gdt.base).toBe(0x4000);
    expect(info).toBe(0x4020);
    expect(memory.overlap()).toBeUndefined();
  });

  it('may ask for text mode', () => {
    const kernel = concat(multibootHeader(ADDRESSES | 4, [MIB, MIB, 0, 0, MIB], [1, 80, 25, 0]));
    expect(load(kernel).state.cpu.eip).toBe(MIB);
  });

  it('with a module or texts that do not fit', () => {
    expect(() =>
      load(
        elfKernel(),
        '',
        [
          { image: pattern(5, 1), commandLine: '' },
          { image: new Uint8Array(MIB), commandLine: '' },
        ],
        2 * MIB,
      ),
    ).toThrow(new BootError('module 2: 1048576 bytes at 0x105000 do not fit, memory ends at 0x200000: it takes at least 3 MiB of memory'));
    expect(load(elfKernel(), '', [{ image: new Uint8Array(MIB - 0x4000), commandLine: '' }], 2 * MIB).info).toBe(0x1020);
    expect(() => load(elfKernel(), 'x'.repeat(0xa_0000))).toThrow(
      /^kernel: no \d+ bytes are free below 640 KiB for the multiboot information/,
    );
    expect(() => load(elfKernel(), '', [{ image: pattern(5, 1), commandLine: '\0' }])).toThrow(
      new BootError('command line of module 1: character 1 is a zero, where the guest would end the text: leave it out'),
    );
  });
});

describe('a kernel with address fields', () => {
  it('is loaded from where the header says, and its bss cleared', () => {
    const kernel = flatKernel(2 * MIB + 4, 2 * MIB, 2 * MIB + 50, 2 * MIB + 70, 2 * MIB + 40);
    const { memory, state } = load(kernel);
    expect(state.cpu.eip).toBe(2 * MIB + 40);
    expect(memory.read(2 * MIB, 71)).toEqual([...kernel.subarray(4, 54), ...new Array<number>(20).fill(0), undefined]);
  });

  it('takes 0 as load end for the whole file and as bss end for no bss', () => {
    const kernel = flatKernel(MIB + 8, MIB, 0, 0, MIB);
    expect(load(kernel).memory.read(MIB, 101)).toEqual([...kernel, undefined]);
  });

  it('is preferred to the ELF headers of the same file', () => {
    const content = multibootHeader(ADDRESSES, [3 * MIB, 3 * MIB, 0, 0, 3 * MIB]);
    const kernel = buildElf(32, MIB, [{ virtualAddress: MIB, physicalAddress: MIB, content }]);
    expect(load(kernel).state.cpu.eip).toBe(3 * MIB);
  });

  const cases: [string, [number, number, number, number, number], string][] = [
    [
      'load address over its own',
      [MIB, MIB + 4, 0, 0, MIB + 4],
      'kernel: the multiboot header at 0x8 gives its own address as 0x100000 and the load address as 0x100004, which do not fit: correct them',
    ],
    [
      'begins before the file',
      [MIB + 9, MIB, 0, 0, MIB],
      'kernel: the multiboot header at 0x8 gives its own address as 0x100009 and the load address as 0x100000, which do not fit: correct them',
    ],
    [
      'load end before load',
      [MIB, MIB, MIB - 1, 0, MIB],
      "kernel: the multiboot header's addresses run backwards (load 0x100000, load end 0xfffff, bss end 0xfffff): correct them",
    ],
    [
      'bss end before load end',
      [MIB, MIB, MIB + 50, MIB + 49, MIB],
      "kernel: the multiboot header's addresses run backwards (load 0x100000, load end 0x100032, bss end 0x100031): correct them",
    ],
    [
      'load end over the file',
      [MIB + 8, MIB, MIB + 101, 0, MIB],
      'kernel: its multiboot header loads up to byte 101, the file ends at 100: it is cut short',
    ],
    [
      'entry outside',
      [MIB, MIB, 0, 0, MIB + 92],
      'kernel: the entry point 0x10005c lies outside of 0x100000-0x10005b: correct the multiboot header',
    ],
    [
      'bss over memory',
      [MIB, MIB, 0, 0xffff_ffff, MIB],
      'kernel: its image reaches up to 0xfffffffe, but memory ends at 0x1000000: it takes at least 4096 MiB of memory',
    ],
  ];
  it.each(cases)('%s', (_name, addresses, message) => {
    expect(() => load(flatKernel(...addresses))).toThrow(new BootError(message));
  });
});
