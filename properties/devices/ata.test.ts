/**
 * A disk and a disc against plain arrays of bytes: whatever way data go (PIO, multiple, DMA; by LBA of 28 or 48 bits or CHS), what
 * was written is what is read, from the sectors that were meant, with an interrupt for each block. The channel is replaced by a
 * restored copy of itself in the middle of transfers.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AtaBench, imageOf, patternBytes } from '../../engine/devices/ata/test-ata-bench.js';
import type { DeviceState } from '../../engine/devices/device.js';
import { assertProperty } from '../testing/property-seed.js';

const SECTOR = 512;
/** Three cylinders of 16 x 63 and a little more, the last sector only half in the image. */
const SECTORS = 3 * 16 * 63 + 5;
const IMAGE = patternBytes(SECTORS * SECTOR - 200, 3);
const untouched = IMAGE.slice();
const BLOCK = 2048;
const BLOCKS = 60;
const DISC = patternBytes(BLOCKS * BLOCK, 4);
/** With something in every byte of the register that a table in so little memory can have. */
const TABLE = 0x1234;
/** What commands take, and what sectors take, of a drive's time. */
const COMMAND_NS = 20_000;
const SECTOR_NS = 15_000;
const RESET_NS = 100_000;

const build = (): AtaBench =>
  new AtaBench({ master: { kind: 'disk', image: imageOf(IMAGE) } }, { master: { kind: 'cdrom', image: imageOf(DISC) } });

function transplant(host: AtaBench): AtaBench {
  const copy = build();
  copy.continueFrom(host);
  copy.memory.bytes.set(host.memory.bytes);
  copy.command = host.command;
  copy.control = host.control;
  copy.busMaster = host.busMaster;
  copy.ide.restore(host.ide.save());
  copy.channels.forEach((channel, index) => channel.restore(host.channels[index]?.save() as DeviceState));
  return copy;
}

interface Transfer {
  readonly write: boolean;
  readonly way: 'pio' | 'multiple' | 'dma';
  readonly address: 'lba28' | 'lba48' | 'chs';
  readonly sector: number;
  readonly count: number;
  /** Sectors a block in multiple mode, a power of two. */
  readonly multiple: number;
  /** Where memory is cut in pieces for DMA. */
  readonly cuts: readonly number[];
  readonly seed: number;
  /** After how many words the channel is replaced. */
  readonly savedAt: number;
}

const COMMANDS = {
  pio: { lba28: [0x20, 0x30], lba48: [0x24, 0x34] },
  multiple: { lba28: [0xc4, 0xc5], lba48: [0x29, 0x39] },
  dma: { lba28: [0xc8, 0xca], lba48: [0x25, 0x35] },
} as const;

const transfer: fc.Arbitrary<Transfer> = fc.record({
  write: fc.boolean(),
  way: fc.constantFrom('pio' as const, 'multiple' as const, 'dma' as const),
  address: fc.constantFrom('lba28' as const, 'lba48' as const, 'chs' as const),
  // Few sectors, so that writes are read again; and the end of the disk.
  sector: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 60, max: 90 }) },
    { weight: 1, arbitrary: fc.integer({ min: SECTORS - 12, max: SECTORS - 1 }) },
  ),
  count: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 20 }) }, { weight: 1, arbitrary: fc.constant(256) }),
  multiple: fc.constantFrom(2, 4, 8, 16),
  cuts: fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 3 }),
  seed: fc.integer({ min: 0, max: 1000 }),
  savedAt: fc.integer({ min: 0, max: 6000 }),
});

/** Writes the registers and the command; CHS as long as the disk has cylinders for it. */
function begin(host: AtaBench, { write, way, address, sector, count }: Transfer): void {
  const commands = COMMANDS[way][address === 'lba48' ? 'lba48' : 'lba28'];
  const byte = (value: number, index: number): number => Math.floor(value / 256 ** index) % 256;
  if (address === 'lba48') {
    host.registers(0, byte(count, 1), byte(sector, 3), 0, 0);
    host.registers(0, byte(count, 0), byte(sector, 0), byte(sector, 1), byte(sector, 2), 0x40);
  } else if (address === 'chs' && sector < 3 * 16 * 63) {
    const cylinder = Math.floor(sector / (16 * 63));
    host.registers(0, byte(count, 0), (sector % 63) + 1, byte(cylinder, 0), byte(cylinder, 1), 0xa0 + (Math.floor(sector / 63) % 16));
  } else host.registers(0, byte(count, 0), byte(sector, 0), byte(sector, 1), byte(sector, 2), 0xe0);
  host.out(host.command + 7, commands[write ? 1 : 0]);
}

/** Descriptors for so many bytes from 8000h on, with gaps between the pieces. */
function regionsFor(bytes: number, cuts: readonly number[]): [number, number][] {
  const regions: [number, number][] = [];
  let address = 0x8000;
  let left = bytes;
  for (const cut of [...cuts, 0xfffe, 0xfffe, 0xfffe]) {
    if (left === 0) break;
    const length = Math.min(left, cut * 2, 0xfffe);
    regions.push([address, length]);
    address += length + 0x400;
    left -= length;
  }
  return regions;
}

/** The drive works for exactly so long, and then has something to tell, with an interrupt or without. */
function expectBusyFor(host: AtaBench, ns: number, interrupt: boolean): void {
  host.advance(ns - 1);
  expect([host.in(host.control), host.irqs[0].level]).toEqual([0x80, false]);
  host.advance(1);
  expect([host.in(host.control) & 0x80, host.irqs[0].level]).toEqual([0, interrupt]);
}

class DiskTest {
  host = build();
  readonly disk = new Uint8Array(SECTORS * SECTOR);

  constructor() {
    this.disk.set(IMAGE);
  }

  run(step: Transfer): void {
    const { sector, write, way, address, count } = step;
    if (way === 'multiple') {
      this.host.registers(0, step.multiple);
      this.host.issue(0xc6);
      this.host.in(0x1f7);
    }
    const possible = Math.min(count, SECTORS - sector);
    const expected = this.disk.subarray(sector * SECTOR, (sector + possible) * SECTOR);
    if (write) expected.set(patternBytes(expected.length, step.seed));
    if (way === 'dma') this.byDma(step, expected, possible);
    else if (write) this.writeByPio(step, expected, possible);
    else this.readByPio(step, expected, possible);
    const { host } = this;
    const fits = possible === count;
    expect([host.in(0x3f6), host.in(0x1f1), host.in(0x1f2)]).toEqual([fits ? 0x50 : 0x51, fits ? 0 : 0x10, (count - possible) % 256]);
    if (address !== 'chs') expect(host.in(0x1f3)).toBe((fits ? sector + count - 1 : SECTORS) % 256);
    host.in(0x1f7);
    expect(host.irqs[0].level).toBe(false);
  }

  /** The sectors of each block. */
  private blocks({ way, multiple }: Transfer, sectors: number): number[] {
    const size = way === 'multiple' ? multiple : 1;
    const blocks: number[] = [];
    for (let left = sectors; left > 0; left -= size) blocks.push(Math.min(size, left));
    return blocks;
  }

  private readByPio(step: Transfer, expected: Uint8Array, possible: number): void {
    const seen = new Uint8Array(expected.length);
    let at = 0;
    begin(this.host, step);
    let delayNs = COMMAND_NS;
    for (const sectors of this.blocks(step, possible)) {
      expectBusyFor(this.host, delayNs + sectors * SECTOR_NS, true);
      // Reading the status takes the interrupt back.
      expect([this.host.in(0x1f7), this.host.irqs[0].level]).toEqual([0x58, false]);
      for (const end = at + sectors * SECTOR; at < end; at += 2) {
        if (at === step.savedAt * 2) this.host = transplant(this.host);
        const word = this.host.in(0x1f0, 2);
        seen[at] = word % 256;
        seen[at + 1] = word >> 8;
      }
      delayNs = 0;
    }
    expect(Buffer.compare(seen, expected)).toBe(0);
    if (possible < step.count) expectBusyFor(this.host, COMMAND_NS, true);
  }

  private writeByPio(step: Transfer, data: Uint8Array, possible: number): void {
    begin(this.host, step);
    // Nobody interrupts for the first block.
    expectBusyFor(this.host, COMMAND_NS, false);
    let at = 0;
    for (const sectors of this.blocks(step, possible)) {
      expect(this.host.in(0x1f7)).toBe(0x58);
      for (const end = at + sectors * SECTOR; at < end; at += 2) {
        if (at === step.savedAt * 2) this.host = transplant(this.host);
        this.host.out(0x1f0, (data[at] as number) + (data[at + 1] as number) * 256, 2);
      }
      expectBusyFor(this.host, sectors * SECTOR_NS, true);
    }
  }

  private byDma(step: Transfer, expected: Uint8Array, possible: number): void {
    const regions = regionsFor(step.count * SECTOR, step.cuts);
    const memory = new Uint8Array(this.host.memory.bytes.length).fill(step.seed);
    this.host.memory.bytes.set(memory);
    this.host.putTable(TABLE, regions);
    memory.set(this.host.memory.bytes.subarray(TABLE, TABLE + 8 * regions.length), TABLE);
    let at = 0;
    for (const [address, length] of regions) {
      const piece = expected.subarray(at, at + length);
      (step.write ? this.host.memory.bytes : memory).set(piece, address);
      if (step.write) memory.set(piece, address);
      at += length;
    }
    this.host.startBusMaster(TABLE, !step.write);
    begin(this.host, step);
    this.host.advance(step.savedAt * 20);
    this.host = transplant(this.host);
    this.host.advance(10_000_000);
    expect(this.host.irqs[0].level).toBe(true);
    // The table is used up, or the engine still waits for more.
    expect(this.host.stopBusMaster()).toBe(possible === step.count ? 0x04 : 0x05);
    expect(Buffer.compare(this.host.memory.bytes, memory)).toBe(0);
  }
}

it('a disk is an array of sectors, whatever way they go', () => {
  assertProperty(
    fc.property(fc.array(transfer, { minLength: 1, maxLength: 12, size: 'max' }), (transfers) => {
      const test = new DiskTest();
      for (const one of transfers) test.run(one);
      expect(Buffer.compare(IMAGE, untouched)).toBe(0);
    }),
    { numRuns: 40 },
  );
});

/** While the bus master starts, while the drive makes up its mind, or wherever the transfer has got to. */
const moment = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: COMMAND_NS }), fc.integer({ min: 0, max: 500_000 }));

/** Starts a transfer that is not going to be finished. */
function beginAny(host: AtaBench, step: Transfer): void {
  if (step.way === 'multiple') {
    host.registers(0, step.multiple);
    host.issue(0xc6);
    host.in(0x1f7);
  }
  if (step.way === 'dma') {
    host.putTable(TABLE, regionsFor(step.count * SECTOR, step.cuts));
    host.startBusMaster(TABLE, !step.write);
  }
  begin(host, step);
}

it('a soft reset ends whatever goes on, and nothing of it comes back', () => {
  assertProperty(
    fc.property(transfer, moment, moment, (step, beforeNs, heldNs) => {
      const host = build();
      beginAny(host, step);
      host.advance(beforeNs);
      host.out(0x3f6, 4);
      const { bytes } = host.memory;
      const before = bytes.slice();
      host.take();
      host.advance(heldNs);
      expect([host.in(0x3f6), host.irqs[0].level]).toEqual([0x80, false]);
      host.out(0x3f6, 0);
      expectBusyFor(host, RESET_NS, false);
      host.advance(10_000_000);
      expect([1, 2, 3, 4, 5, 6, 7].map((register) => host.in(0x1f0 + register))).toEqual([1, 1, 1, 0, 0, 0xa0, 0x50]);
      expect(host.take()).toEqual([]);
      expect(Buffer.compare(bytes, before)).toBe(0);
    }),
    { numRuns: 100 },
  );
});

it('a reset leaves the channel as it was at power-on', () => {
  assertProperty(
    fc.property(transfer, moment, (step, beforeNs) => {
      const host = build();
      // What is written stays on the disk.
      beginAny(host, { ...step, write: false });
      host.advance(beforeNs);
      const fresh = build();
      fresh.advanceTo(host.clock.nowNs);
      for (const bench of [host, fresh]) bench.channels[0].reset();
      expect([host.channels[0].save(), host.levels]).toEqual([fresh.channels[0].save(), fresh.levels]);
    }),
    { numRuns: 100 },
  );
});

it('keeps the address of the table, byte by byte, and of the other registers what can be written', () => {
  const write = fc.tuple(fc.constantFrom(1, 3, 4, 5, 6, 7), fc.integer({ min: 0, max: 255 }));
  assertProperty(
    fc.property(fc.array(write), fc.constantFrom(0, 0x20, 0x40, 0x60), (writes, capable) => {
      const host = build();
      const registers = [0, 0, capable, 0, 0, 0, 0, 0];
      host.out(host.busMaster + 2, capable);
      for (const [register, value] of writes) {
        host.out(host.busMaster + register, value);
        if (register >= 4) registers[register] = register === 4 ? value & 0xfc : value;
      }
      expect(registers.map((_, register) => host.in(host.busMaster + register))).toEqual(registers);
    }),
    { numRuns: 100 },
  );
});

const reading = fc.record({
  block: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: BLOCKS - 1 }) },
    { weight: 1, arbitrary: fc.integer({ min: BLOCKS - 2, max: BLOCKS + 2 }) },
  ),
  count: fc.integer({ min: 0, max: 9 }),
  long: fc.boolean(),
  dma: fc.boolean(),
  limitBytes: fc.constantFrom(512, 2048, 2046, 10_000, 0xfffe),
  cuts: fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 3 }),
  saves: fc.boolean(),
});

it('a disc is an array of blocks, whatever way they go', () => {
  assertProperty(
    fc.property(fc.array(reading, { minLength: 1, maxLength: 12, size: 'max' }), (readings) => {
      let host = build();
      host.useSecondary();
      // A disc that was put in is told of once.
      host.packet([0x03, 0, 0, 0, 18]);
      for (const { block, count, long, dma, limitBytes, cuts, saves } of readings) {
        if (saves) host = transplant(host);
        const address = [0, 0, block >> 8, block % 256];
        const packet = long ? [0xa8, 0, ...address, 0, 0, 0, count] : [0x28, 0, ...address, 0, 0, count];
        const fits = block + count <= BLOCKS;
        const expected = DISC.subarray(block * BLOCK, (block + count) * BLOCK);
        const regions = regionsFor(count * BLOCK, cuts);
        if (dma && fits && count > 0) {
          host.memory.bytes.fill(0);
          host.putTable(TABLE, regions);
          host.startBusMaster(TABLE, true);
          host.packet(packet, 0, true);
          host.advance(5000);
          if (saves) host = transplant(host);
          host.advance(10_000_000);
          expect(host.stopBusMaster()).toBe(0x04);
          const seen = regions.flatMap(([at, length]) => [...host.memory.bytes.subarray(at, at + length)]);
          expect(Buffer.compare(Uint8Array.from(seen), expected)).toBe(0);
        } else {
          const seen = host.packet(packet, limitBytes);
          expect(Buffer.compare(seen, fits ? expected : new Uint8Array(0))).toBe(0);
        }
        expect([host.in(0x177), host.in(0x172) & 3]).toEqual([fits ? 0x50 : 0x51, 3]);
        if (fits) continue;
        // Illegal request: logical block address out of range.
        const sense = host.packet([0x03, 0, 0, 0, 18]);
        expect([(sense[2] as number) & 15, sense[12], sense[13]]).toEqual([5, 0x21, 0]);
      }
      expect([...host.packet([0x25])]).toEqual([0, 0, 0, BLOCKS - 1, 0, 0, 8, 0]);
    }),
    { numRuns: 60 },
  );
});
