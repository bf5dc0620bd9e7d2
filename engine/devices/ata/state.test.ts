/**
 * State of the ATA channels: restore(save()) is the identity at any moment of any sequence of accesses, and the
 * overlay of written blocks is part of it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessSize, DeviceState } from '../device.js';
import { CowImage } from './cow-image.js';
import { AtaBench, imageOf, patternBytes } from './test-ata-bench.js';

const DISK = patternBytes(300 * 512, 11);
const DISC = patternBytes(40 * 2048 + 100, 12);

type Operation =
  | { readonly kind: 'out'; readonly port: number; readonly value: number; readonly size: AccessSize }
  | { readonly kind: 'in'; readonly port: number; readonly size: AccessSize; readonly times: number }
  | { readonly kind: 'wait'; readonly ns: number };

const out = (port: number, value: number, size: AccessSize = 1): Operation => ({ kind: 'out', port, value, size });
const wait: Operation = { kind: 'wait', ns: 200_000 };

/** A command with its registers, sometimes with too little time to get anywhere. */
const DISK_COMMANDS = [
  0x20, 0x24, 0x30, 0x34, 0xc4, 0xc5, 0xc8, 0xca, 0x25, 0x35, 0x40, 0x91, 0xc6, 0xec, 0xef, 0xe4, 0xe8, 0xe5, 0xe6, 0x90, 0x70, 0x00, 0xf8,
];
const PACKETS = [0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xbd, 0xbe, 0xff];
const small = fc.integer({ min: 0, max: 20 });
const pause = fc.integer({ min: 0, max: 150_000 }).map((ns): Operation => ({ kind: 'wait', ns }));

const diskCommand = fc
  .tuple(
    fc.constantFrom(...DISK_COMMANDS),
    small,
    fc.constantFrom(0, 5, 200, 255),
    fc.constantFrom(0, 1),
    fc.constantFrom(0xe0, 0xa0, 0x40, 0xb0),
    pause,
  )
  .map(([command, count, low, mid, device, after]) => [
    ...[count % 3, count, low, mid, 0, device].map((value, index) => out(0x1f1 + index, value)),
    out(0x1f7, command),
    after,
  ]);
const packetCommand = fc
  .tuple(fc.constantFrom(...PACKETS), small, small, fc.constantFrom(0, 1), fc.constantFrom(0, 100, 2048), pause)
  .map(([packet, lba, count, dma, limit, after]) => [
    ...[dma, 0, 0, limit & 0xff, limit >>> 8, 0xa0].map((value, index) => out(0x171 + index, value)),
    out(0x177, 0xa0),
    wait,
    ...[packet, 0, lba << 8, count << 8, count, 0x10 << 8].map((word) => out(0x170, word, 2)),
    after,
  ]);
const dataMoves = fc
  .tuple(fc.constantFrom(0x1f0, 0x170), fc.boolean(), fc.constantFrom(1, 100, 256, 1024), fc.constantFrom<AccessSize>(2, 4))
  .map(([port, read, times, size]): Operation[] =>
    read
      ? [{ kind: 'in', port, size, times }]
      : Array.from({ length: times }, (_, index) => out(port, (index * 0x12345 + times) % 0x10000, size)),
  );
const busMaster = fc
  .tuple(fc.constantFrom(0xc000, 0xc008), fc.constantFrom(0, 1, 8, 9), pause)
  .map(([port, command, after]) => [out(port + 5, 0x10), out(port + 2, 0x06), out(port, command & 8), out(port, command), after]);
const control = fc.tuple(fc.constantFrom(0x3f6, 0x376), fc.constantFrom(0, 0, 2, 4, 0x80)).map(([port, value]) => [out(port, value)]);
const reads = fc
  .tuple(fc.constantFrom(0x1f0, 0x170), fc.integer({ min: 1, max: 7 }))
  .map(([base, register]): Operation[] => [{ kind: 'in', port: base + register, size: 1, times: 1 }]);
const sequences = fc.array(fc.oneof(diskCommand, packetCommand, dataMoves, busMaster, control, reads, fc.constant([wait])), {
  minLength: 10,
  maxLength: 40,
  size: 'max',
});

function build(): AtaBench {
  const host = new AtaBench({ master: { kind: 'disk', image: imageOf(DISK) } }, { master: { kind: 'cdrom', image: imageOf(DISC) } });
  host.putTable(0x1000, [
    [0x2000, 1000],
    [0x8000, 3096],
  ]);
  return host;
}
const saveAll = (host: AtaBench): DeviceState[] => [...host.channels.map((channel) => channel.save()), host.ide.save()];

/** What comes back from every access, and every interrupt with its time. */
function perform(host: AtaBench, operation: Operation): unknown[] {
  const seen: unknown[] = [];
  if (operation.kind === 'out') host.out(operation.port, operation.value, operation.size);
  else if (operation.kind === 'wait') host.advance(operation.ns);
  else for (let index = 0; index < operation.times; index++) seen.push(host.in(operation.port, operation.size));
  return [...seen, ...host.take()];
}

function transplant(host: AtaBench): AtaBench {
  const copy = build();
  copy.tick = host.tick;
  copy.memory.bytes.set(host.memory.bytes);
  const states = saveAll(host);
  copy.ide.restore(states[2] as DeviceState);
  copy.channels.forEach((channel, index) => channel.restore(states[index] as DeviceState));
  expect(saveAll(copy)).toEqual(states);
  copy.take();
  return copy;
}

describe('state', () => {
  it('continues from a restored state as if nothing had happened, wherever it was saved', () => {
    let interrupts = 0;
    fc.assert(
      fc.property(sequences, fc.integer({ min: 0, max: 1000 }), (parts, seed) => {
        const operations = parts.flat();
        const one = build();
        let other = build();
        const cut = operations.length === 0 ? 0 : seed % operations.length;
        operations.forEach((operation, index) => {
          if (index === cut) other = transplant(other);
          const seen = perform(one, operation);
          interrupts += seen.filter((entry) => typeof entry === 'object').length;
          expect(perform(other, operation)).toEqual(seen);
        });
        expect(saveAll(other)).toEqual(saveAll(one));
        expect(other.memory.bytes.every((byte, index) => byte === one.memory.bytes[index])).toBe(true);
      }),
      { seed: 86, numRuns: 40 },
    );
    // The sequences do get drives to work.
    expect(interrupts).toBeGreaterThan(100);
  });

  it('refuses states of other machines', () => {
    const host = build();
    const state = host.channels[0].save();
    expect(() => host.channels[1].restore(state)).toThrow();
    expect(() => host.channels[0].restore({ ...state, selected: 2 })).toThrow('ata0');
    expect(() => host.channels[0].restore({ ...state, drives: [null, null] })).toThrow('other drives');
    expect(() => host.channels[0].restore({})).toThrow('ata0');
  });
});

describe('copy on write', () => {
  it('behaves as a plain array of bytes, whose image never changes', () => {
    const image = patternBytes(100 * 512 - 200, 7);
    const before = image.slice();
    const action = fc.tuple(
      fc.integer({ min: 0, max: 99 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 1e6 }),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
        const model = new Uint8Array(100 * 512);
        model.set(image);
        let disk = new CowImage(imageOf(image));
        expect(disk.sectorCount).toBe(100);
        for (const [sector, wanted, seed, write] of actions) {
          const count = Math.min(wanted, 100 - sector);
          const bytes = patternBytes(count * 512, seed);
          if (write) {
            disk.write(sector, bytes);
            model.set(bytes, sector * 512);
          } else {
            disk.read(sector, bytes);
            expect(bytes).toEqual(model.slice(sector * 512, (sector + count) * 512));
          }
          const copy = new CowImage(imageOf(image));
          copy.restore(disk.save());
          disk = copy;
        }
        const all = new Uint8Array(100 * 512);
        disk.read(0, all);
        expect(all.every((byte, index) => byte === model[index])).toBe(true);
        expect(image.every((byte, index) => byte === before[index])).toBe(true);
      }),
      { seed: 3, numRuns: 30 },
    );
  });

  it('saves the same state for the same writes in another order', () => {
    const image = imageOf(new Uint8Array(64 * 512));
    const one = new CowImage(image);
    const other = new CowImage(image);
    const places = [40, 3, 17];
    for (const sector of places) one.write(sector, patternBytes(512, sector));
    for (const sector of [...places].reverse()) other.write(sector, patternBytes(512, sector));
    expect(other.save()).toEqual(one.save());
    expect(one.save().blocks).toEqual([0, 2, 5]);
  });

  it('shares blocks between states, which what is written later does not change', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(63), fc.nat(1e6), fc.nat(5)), { maxLength: 30 }), (actions) => {
        const image = imageOf(new Uint8Array(64 * 512));
        const disk = new CowImage(image);
        const kept: { shared: DeviceState; copied: DeviceState }[] = [];
        for (const [sector, seed, roll] of actions) {
          if (roll > 1) disk.write(sector, patternBytes(512, seed));
          else if (roll === 1 || kept.length === 0) kept.push({ shared: disk.saveShared(), copied: disk.save() });
          else disk.restore((kept[seed % kept.length] as { shared: DeviceState }).shared);
        }
        for (const { shared, copied } of kept) {
          const other = new CowImage(image);
          other.restore(shared);
          expect(other.save()).toEqual(copied);
        }
      }),
      { seed: 4, numRuns: 100 },
    );
    const disk = new CowImage(imageOf(new Uint8Array(64 * 512)));
    disk.write(0, patternBytes(512, 1));
    disk.write(8, patternBytes(512, 1));
    const [before, again] = [disk.saveShared(), disk.saveShared()];
    expect(again.bytes).toBe(before.bytes);
    disk.write(8, patternBytes(512, 2));
    const after = disk.saveShared();
    expect((after.bytes as Uint8Array[])[0]).toBe((before.bytes as Uint8Array[])[0]);
    expect((after.bytes as Uint8Array[])[1]).not.toBe((before.bytes as Uint8Array[])[1]);
  });

  it('refuses overlays that are out of order or beyond the disk', () => {
    const disk = new CowImage(imageOf(new Uint8Array(16 * 512)));
    const bytes = new Uint8Array(2 * 4096);
    for (const blocks of [[1, 0], [0, 0], [0, 2], [0], [0, 0.5]]) expect(() => disk.restore({ blocks, bytes })).toThrow('overlay');
  });
});
