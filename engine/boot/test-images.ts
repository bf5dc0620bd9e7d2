/** Small images and a memory for the loaders' tests. */
import type { BootMemory } from './boot-state.js';

/** Remembers what was written; refuses what the contract of `BootMemory` forbids, and any byte written twice. */
export class TestMemory implements BootMemory {
  readonly writes: { address: number; bytes: Uint8Array }[] = [];
  constructor(readonly sizeBytes: number) {}

  write(address: number, bytes: Uint8Array): void {
    if (!Number.isInteger(address) || address < 0 || address + bytes.length > this.sizeBytes) {
      throw new RangeError(`write of ${bytes.length} bytes at ${address} is outside of memory`);
    }
    this.writes.push({ address, bytes });
  }

  /** Memory that was never written is `undefined`. */
  read(address: number, sizeBytes: number): (number | undefined)[] {
    return Array.from({ length: sizeBytes }, (_, index) => {
      const hit = this.writes.find((write) => write.address <= address + index && address + index < write.address + write.bytes.length);
      return hit?.bytes[address + index - hit.address];
    });
  }

  read32(address: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.read(address, 4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  /** Up to the terminating zero. */
  readText(address: number): string {
    let text = '';
    for (let at = address; ; at++) {
      const [byte] = this.read(at, 1);
      if (byte === undefined) throw new RangeError(`the text at ${address} has no end`);
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
  }

  /** The first two writes that touch the same byte. */
  overlap(): string | undefined {
    const sorted = this.writes.filter(({ bytes }) => bytes.length > 0).sort((a, b) => a.address - b.address);
    const index = sorted.findIndex(({ address, bytes }, position) => address + bytes.length > (sorted[position + 1]?.address ?? Infinity));
    return index < 0 ? undefined : `${sorted[index]?.address} and ${sorted[index + 1]?.address}`;
  }
}

/** Distinct bytes, so that a misplaced copy shows. */
export function pattern(sizeBytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 7 + (index >> 8) + seed) & 0xff);
}

export interface TestSegment {
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly content: Uint8Array;
  readonly memoryBytes?: number;
}

/** An executable with one PT_LOAD a segment; contents follow the headers, on multiples of 16 bytes. */
export function buildElf(bits: 32 | 64, entry: number, segments: readonly TestSegment[], machine = bits === 32 ? 3 : 62): Uint8Array {
  const [headerBytes, entryBytes] = bits === 32 ? [52, 32] : [64, 56];
  const contentStart = (headerBytes + segments.length * entryBytes + 15) & ~15;
  const total = segments.reduce((sum, { content }) => sum + ((content.length + 15) & ~15), contentStart);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void => {
    if (bits === 32) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  word(24, entry);
  word(bits === 32 ? 28 : 32, headerBytes);
  view.setUint16(bits === 32 ? 40 : 52, headerBytes, true);
  view.setUint16(bits === 32 ? 42 : 54, entryBytes, true);
  view.setUint16(bits === 32 ? 44 : 56, segments.length, true);
  let fileOffset = contentStart;
  segments.forEach(({ virtualAddress, physicalAddress, content, memoryBytes }, index) => {
    const at = headerBytes + index * entryBytes;
    const fields = bits === 32 ? [4, 8, 12, 16, 20] : [8, 16, 24, 32, 40];
    const values = [fileOffset, virtualAddress, physicalAddress, content.length, memoryBytes ?? content.length];
    view.setUint32(at, 1, true);
    fields.forEach((field, position) => {
      word(at + field, values[position] ?? 0);
    });
    bytes.set(content, fileOffset);
    fileOffset += (content.length + 15) & ~15;
  });
  return bytes;
}

export interface TestBzImage {
  readonly version?: number;
  readonly codeBytes?: number;
  readonly preferredAddress?: number;
  readonly initBytes?: number;
  readonly initrdLastAddress?: number;
  readonly commandLineBytesMax?: number;
  readonly extendedLoadFlags?: number;
  readonly loadFlags?: number;
}

/** A bzImage with two setup sectors. */
export function buildBzImage(options: TestBzImage = {}): Uint8Array {
  const codeBytes = options.codeBytes ?? 0x2000;
  const bytes = new Uint8Array(3 * 512 + codeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(pattern(codeBytes, 3), 3 * 512);
  view.setUint8(0x1f1, 2);
  view.setUint32(0x1f4, codeBytes / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  bytes.set([0xeb, 0x6a], 0x200);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, options.version ?? 0x020f, true);
  view.setUint8(0x211, options.loadFlags ?? 0x01);
  view.setUint32(0x214, 0x10_0000, true);
  view.setUint32(0x22c, options.initrdLastAddress ?? 0x7fff_ffff, true);
  view.setUint32(0x230, 0x20_0000, true);
  view.setUint8(0x234, 1);
  view.setUint16(0x236, options.extendedLoadFlags ?? 0, true);
  view.setUint32(0x238, options.commandLineBytesMax ?? 2047, true);
  view.setUint32(0x258, options.preferredAddress ?? 0x20_0000, true);
  view.setUint32(0x260, options.initBytes ?? 0x8_0000, true);
  return bytes;
}

/** A multiboot header; five addresses set flag 16 (header, load, load end, bss end, entry). */
export function multibootHeader(flags: number, addresses: readonly number[] = [], video: readonly number[] = []): Uint8Array {
  const words = [
    0x1bad_b002,
    flags,
    -(0x1bad_b002 + flags) >>> 0,
    ...(addresses.length > 0 || video.length > 0 ? [...addresses, 0, 0, 0, 0, 0].slice(0, 5) : []),
    ...video,
  ];
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => {
    view.setUint32(index * 4, word, true);
  });
  return bytes;
}
