import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { BlockImage, MachineConfig } from '../engine/index.js';
import type { EmbeddedImage } from '../traces/index.js';
import { loadImageFile, TraceImages } from './images.js';
import { configOfTrace, traceHeader } from './machine-setup.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-setup-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const block = (content: Uint8Array): BlockImage => ({
  sizeBytes: content.length,
  read: (offset, into) => into.set(content.subarray(offset, offset + into.length)),
});
const contentOf = (image: BlockImage): Uint8Array => {
  const content = new Uint8Array(image.sizeBytes);
  image.read(0, content);
  return content;
};

/** The images of a configuration, inside its trace. */
function embedded(images: readonly Uint8Array[], config: MachineConfig): TraceImages {
  const header = traceHeader(config);
  const inside = header.images.map(({ sha256 }, index): [string, EmbeddedImage] => [
    sha256,
    { sha256, verify() {}, ...block(images[index]) },
  ]);
  return new TraceImages({ header, images: new Map(inside) });
}

const [a, b, c, d] = [bytes(1, 2, 3), bytes(4), bytes(5, 6), bytes(7, 8, 9, 10)];
it.each<[string, MachineConfig, Uint8Array[]]>([
  ['linux', { boot: { kind: 'linux', kernel: a, commandLine: 'quiet' }, tier: 'auto' }, [a]],
  ['linux with an initrd', { boot: { kind: 'linux', kernel: a, initrd: b, commandLine: '' }, memoryBytes: 1 << 25, tier: 'auto' }, [a, b]],
  [
    'multiboot with modules',
    {
      boot: {
        kind: 'multiboot',
        kernel: a,
        modules: [
          { image: b, commandLine: 'one' },
          { image: c, commandLine: '' },
        ],
        commandLine: 'x',
      },
      seed: 7,
      tier: 'auto',
    },
    [a, b, c],
  ],
  ['a BIOS', { boot: { kind: 'bios', rom: a }, nsPerTick: 5, epochSeconds: 12, tier: 'auto' }, [a]],
  ['raw bytes', { boot: { kind: 'raw', image: a, address: 0x7c00, entry: 0x7c01, mode: 'real' }, tier: 'auto' }, [a]],
])('finds the machine of a trace again: %s', (_name, config, images) => {
  const header = traceHeader(config);
  const found = configOfTrace(header, embedded(images, config), 'auto');
  expect(found).toMatchObject(config);
  expect(traceHeader(found)).toEqual(header);
});

it('finds its disks again', () => {
  const config: MachineConfig = { boot: { kind: 'bios', rom: a }, disk: block(c), cdrom: block(d), tier: 'step' };
  const found = configOfTrace(traceHeader(config), embedded([a, c, d], config), 'step');
  expect([contentOf(found.disk!), contentOf(found.cdrom!), found.tier]).toEqual([c, d, 'step']);
});

it('names what an engine would take by itself, so that a later default changes nothing', () => {
  const { nsPerTick, seed, machine } = traceHeader({ boot: { kind: 'bios', rom: a } });
  expect({ nsPerTick, seed, machine }).toEqual({
    nsPerTick: 2,
    seed: 0,
    machine: { boot: { kind: 'bios' }, memoryBytes: 64 << 20, epochSeconds: Date.UTC(2024, 0, 1) / 1000 },
  });
});

it('knows images by their sha256, and where they were', () => {
  const [image] = traceHeader({ boot: { kind: 'bios', rom: new TextEncoder().encode('abc') } }, { bios: '/x/rom' }).images;
  expect(image).toEqual({
    role: 'bios',
    path: '/x/rom',
    sizeBytes: 3,
    // FIPS 180-2, appendix B.1
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  });
});

it('does not read what is too large to be an image', () => {
  const path = join(folder, 'huge.bin');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 32);
  expect(() => loadImageFile(path, 'bios')).toThrow(/huge\.bin: 4294967296 bytes are too many for bios \(at most 16 MiB\)/);
});
