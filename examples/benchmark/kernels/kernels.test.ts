import { describe, expect, it } from 'vitest';
import { measureV86 } from '../runners/v86.js';
import { buildImage, kernelNamed, kernels } from './index.js';

const multiboot = { magic: 0x1badb002, flags: 0x10000, load: 0x100000 };

describe('every kernel', () => {
  it.each(kernels.map((kernel) => [kernel.name, kernel] as const))('%s is a multiboot image', (_name, kernel) => {
    const { bytes, labels } = buildImage(kernel, kernel.iterations);
    const words = new Uint32Array(bytes.slice(0, 32).buffer);
    const [magic, flags, checksum, header, load, loadEnd, bssEnd, entry] = [...words];
    expect({ magic, flags, header, load }).toEqual({
      magic: multiboot.magic,
      flags: multiboot.flags,
      header: multiboot.load,
      load: multiboot.load,
    });
    expect((multiboot.magic + multiboot.flags + (checksum as number)) % 2 ** 32).toBe(0);
    expect([loadEnd, bssEnd]).toEqual([multiboot.load + bytes.length, multiboot.load + bytes.length]);
    expect(entry).toBe(labels.get('entry'));
    expect(bytes.length % 4).toBe(0);
  });
});

/** What a kernel computes, said again in TypeScript. */
const models: Record<string, (iterations: number) => number> = {
  crc32(iterations) {
    let state = 1;
    const words = Uint32Array.from({ length: 0x4000 }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0));
    let crc = 0xffffffff;
    for (let pass = 0; pass < iterations; pass++)
      for (const byte of new Uint8Array(words.buffer)) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
      }
    return ~crc;
  },
  calls(iterations) {
    let sum = 0;
    for (let i = 0; i < iterations; i++) sum = (((sum << 3) | (sum >>> 29)) + 121393) | 0;
    return sum;
  },
  interrupts(iterations) {
    let state = 1;
    let sum = 0;
    for (let count = iterations; count > 0; count--) {
      state = ((state << 1) | (state >>> 31)) ^ count;
      sum = (sum + state) | 0;
    }
    return sum;
  },
};

describe('a kernel in v86', () => {
  it.each(Object.entries(models))('%s computes what it should', async (name, model) => {
    const iterations = 2;
    const { checksum } = await measureV86({ kernel: kernelNamed(name).name, iterations }, false);
    expect(checksum).toBe((model(iterations) >>> 0).toString(16).padStart(8, '0'));
  });
});
