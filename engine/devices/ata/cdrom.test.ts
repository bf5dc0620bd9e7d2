/**
 * The CD-ROM drive as a host sees it: the PACKET protocol, sense data, and the commands (ATA/ATAPI-6, MMC-3).
 */
import { describe, expect, it } from 'vitest';
import { rawSector } from './cd-sector.js';
import { AtaBench, imageOf, patternBytes } from './test-ata-bench.js';

const BLOCKS = 300;
const IMAGE = patternBytes(BLOCKS * 2048, 2);
const blocks = (first: number, count: number): Uint8Array => IMAGE.subarray(first * 2048, (first + count) * 2048);

/** On the secondary channel, the unit attention of power-on already told. */
function bench(): AtaBench {
  const host = new AtaBench({}, { master: { kind: 'cdrom', image: imageOf(IMAGE) } });
  host.useSecondary();
  host.packet([0x00]);
  expect(host.in(0x171)).toBe(0x60);
  return host;
}
/** [key, code, qualifier] after a failed packet. */
function sense(host: AtaBench): number[] {
  const bytes = host.packet([0x03, 0, 0, 0, 18]);
  return [bytes[2] as number, bytes[12] as number, bytes[13] as number];
}
const status = (host: AtaBench): number[] => [host.in(0x177), host.in(0x171), host.in(0x172)];
const long = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
const read10 = (lba: number, count: number): number[] => [0x28, 0, ...long(lba), 0, count >>> 8, count & 0xff];

describe('the packet protocol', () => {
  it('asks for the packet without an interrupt, then for each piece and the end with one', () => {
    const host = bench();
    host.in(0x177);
    host.take();
    host.registers(0, 0, 0, 0x00, 0x08, 0xa0);
    expect(host.issue(0xa0)).toBe(0x58);
    expect(host.in(0x172)).toBe(0x01);
    expect(host.irqs[1].level).toBe(false);
    for (let at = 0; at < 6; at++) host.out(0x170, [0x28, 0, 0x0500, 0, 0x0002, 0].at(at) as number, 2);
    const seen: number[] = [];
    for (;;) {
      const alternate = host.waitWhileBusy();
      expect(host.irqs[1].level).toBe(true);
      seen.push(host.in(0x172));
      host.in(0x177);
      if ((alternate & 0x08) === 0) break;
      expect(host.in(0x174) | (host.in(0x175) << 8)).toBe(2048);
      for (let at = 0; at < 1024; at++) host.in(0x170, 2);
    }
    expect(seen).toEqual([0x02, 0x02, 0x03]);
    expect(host.in(0x376)).toBe(0x50);
  });

  it('keeps to the byte count limit, odd ones rounded down', () => {
    const host = bench();
    for (const limit of [2048, 100, 101, 0xfffe, 0xffff, 0]) {
      host.registers(0, 0, 0, limit & 0xff, limit >>> 8, 0xa0);
      host.issue(0xa0);
      host.writePio(Uint8Array.from([...read10(7, 3), 0, 0, 0]).subarray(0, 12));
      const bytes: number[] = [];
      const even = limit === 0 || limit === 0xffff ? 0xfffe : limit & ~1;
      while ((host.waitWhileBusy() & 0x08) !== 0) {
        const length = host.in(0x174) | (host.in(0x175) << 8);
        expect(length).toBe(Math.min(even, 3 * 2048 - bytes.length));
        for (let at = 0; at < length; at += 2) {
          const word = host.in(0x170, 2);
          bytes.push(word & 0xff, word >>> 8);
        }
      }
      expect(Uint8Array.from(bytes)).toEqual(blocks(7, 3));
    }
  });

  it('hands over an odd number of bytes', () => {
    const host = bench();
    expect(host.packet([0x43, 0, 0, 0, 0, 0, 0, 0, 5])).toEqual(Uint8Array.of(0, 18, 1, 1, 0));
  });

  it('moves an answer by DMA', () => {
    const host = bench();
    host.putTable(0x1000, [
      [0x2000, 2048],
      [0x5000, 20 * 2048 - 2048],
    ]);
    host.startBusMaster(0x1000, true);
    host.packet(read10(100, 20), 0, true);
    host.advance(10_000_000);
    expect(host.memory.bytes.subarray(0x2000, 0x2800)).toEqual(blocks(100, 1));
    expect(host.memory.bytes.subarray(0x5000, 0x5000 + 19 * 2048)).toEqual(blocks(101, 19));
    expect(host.stopBusMaster()).toBe(0x04);
    expect(status(host)).toEqual([0x50, 0, 3]);
  });

  it('shows the packet signature after a reset and when asked for what only disks have', () => {
    const host = bench();
    const signature = (): number[] => [2, 3, 4, 5].map((register) => host.in(0x170 + register));
    for (const command of [0xec, 0x20]) {
      host.registers(0, 0, 0, 0, 0, 0xa0);
      expect(host.issue(command)).toBe(0x51);
      expect(host.in(0x171)).toBe(0x04);
      expect(signature()).toEqual([1, 1, 0x14, 0xeb]);
    }
    host.in(0x177);
    expect(host.issue(0x08)).toBe(0x00);
    expect(host.irqs[1].level).toBe(false);
    expect(signature()).toEqual([1, 1, 0x14, 0xeb]);
    host.out(0x376, 4);
    host.out(0x376, 0);
    expect(host.waitWhileBusy()).toBe(0x00);
    expect(host.issue(0xa1)).toBe(0x58);
    const identity = host.readPio();
    expect([identity[0], identity[1]]).toEqual([0xc0, 0x85]);
    expect(identity.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
  });

  it('stops in the middle of an answer for DEVICE RESET', () => {
    const host = bench();
    host.registers(0, 0, 0, 0, 0x08, 0xa0);
    host.issue(0xa0);
    host.writePio(Uint8Array.from([...read10(0, 4), 0, 0, 0]).subarray(0, 12));
    host.in(0x170, 2);
    expect(host.issue(0x08)).toBe(0x00);
    host.packet([0x00]);
    expect(sense(host)).toEqual([6, 0x29, 0]);
    expect(host.packet(read10(1, 1))).toEqual(blocks(1, 1));
  });
});

describe('sense', () => {
  it('reports the unit attention of a reset once, but not to INQUIRY', () => {
    const host = new AtaBench({}, { master: { kind: 'cdrom', image: imageOf(IMAGE) } });
    host.useSecondary();
    expect(host.packet([0x12, 0, 0, 0, 36]).length).toBe(36);
    expect(status(host)).toEqual([0x50, 0, 3]);
    host.packet(read10(0, 1));
    expect(status(host)).toEqual([0x51, 0x60, 3]);
    expect(sense(host)).toEqual([6, 0x29, 0]);
    host.packet([0x00]);
    expect(status(host)).toEqual([0x50, 0, 3]);
    expect(sense(host)).toEqual([0, 0, 0]);
  });

  it('gives a pending unit attention to REQUEST SENSE', () => {
    const host = new AtaBench({}, { master: { kind: 'cdrom', image: imageOf(IMAGE) } });
    host.useSecondary();
    expect(sense(host)).toEqual([6, 0x29, 0]);
    host.packet([0x00]);
    expect(status(host)[0]).toBe(0x50);
  });

  it.each<[string, number[], number[]]>([
    ['unknown command', [0xc0], [5, 0x20, 0]],
    ['read beyond the end', read10(BLOCKS - 1, 2), [5, 0x21, 0]],
    ['seek beyond the end', [0x2b, 0, ...long(BLOCKS)], [5, 0x21, 0]],
    ['vital product data', [0x12, 1, 0x80, 0, 36], [5, 0x24, 0]],
    ['unknown mode page', [0x5a, 0, 0x05, 0, 0, 0, 0, 0, 64], [5, 0x24, 0]],
    ['saved mode pages', [0x5a, 0, 0xea, 0, 0, 0, 0, 0, 64], [5, 0x39, 0]],
    ['READ TOC format 4', [0x43, 0, 4, 0, 0, 0, 0, 0, 64], [5, 0x24, 0]],
    ['track 2', [0x43, 0, 0, 0, 0, 0, 2, 0, 64], [5, 0x24, 0]],
    ['audio sectors', [0xbe, 0x04, 0, 0, 0, 0, 0, 0, 1, 0x10], [5, 0x64, 0]],
    ['subchannel data', [0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 1], [5, 0x24, 0]],
  ])('refuses %s', (_, packet, expected) => {
    const host = bench();
    expect(host.packet(packet).length).toBe(0);
    expect(status(host)).toEqual([0x51, 0x54, 3]);
    expect(sense(host)).toEqual(expected);
    expect(sense(host)).toEqual([0, 0, 0]);
  });

  it('knows an open tray, and a disc that came back', () => {
    const host = bench();
    const eject = [0x1b, 0, 0, 0, 2];
    host.packet([0x1e, 0, 0, 0, 1]);
    host.packet(eject);
    expect(sense(host)).toEqual([5, 0x53, 2]);
    host.packet([0x1e, 0, 0, 0, 0]);
    host.packet(eject);
    host.packet(read10(0, 1));
    expect(sense(host)).toEqual([2, 0x3a, 2]);
    expect(host.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])).toEqual(Uint8Array.of(0, 6, 4, 0x10, 0, 1, 0, 0));
    host.packet([0x1b, 0, 0, 0, 3]);
    host.packet([0x00]);
    expect(sense(host)).toEqual([6, 0x28, 0]);
    expect(host.packet(read10(2, 1))).toEqual(blocks(2, 1));
  });
});

describe('commands', () => {
  it('reads blocks by READ(10), READ(12) and READ CD', () => {
    const host = bench();
    expect(host.packet(read10(20, 40))).toEqual(blocks(20, 40));
    expect(host.packet([0xa8, 0, ...long(299), ...long(1)])).toEqual(blocks(299, 1));
    expect(host.packet([0xbe, 0, ...long(5), 0, 0, 2, 0x10])).toEqual(blocks(5, 2));
    const raw = Uint8Array.from([...rawSector(5, blocks(5, 1)), ...rawSector(6, blocks(6, 1))]);
    expect(host.packet([0xbe, 0x08, ...long(5), 0, 0, 2, 0xf8])).toEqual(raw);
    expect(host.packet([0xb9, 0, 0, 0, 2, 5, 0, 2, 7, 0xf8])).toEqual(raw);
    expect(host.packet([0xbe, 0, ...long(5), 0, 0, 1, 0x30])).toEqual(raw.subarray(12, 16 + 2048));
    expect(host.packet(read10(0, 0)).length).toBe(0);
    expect(host.packet([0xbe, 0, ...long(5), 0, 0, 2, 0x00]).length).toBe(0);
    expect(status(host)).toEqual([0x50, 0, 3]);
  });

  it('has sectors with the header, the checksum and the parity of a real disc', () => {
    const raw = rawSector(0, new Uint8Array(2048));
    expect([...raw.subarray(0, 16)]).toEqual([0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 2, 0, 1]);
    const full = rawSector(4500 + 74, patternBytes(2048, 3));
    expect([...full.subarray(12, 16)]).toEqual([0x01, 0x02, 0x74, 1]);
    // Every P codeword is orthogonal to (1, 1, ..., 1) and to the powers of alpha (ECMA-130, annex A).
    const times = (value: number): number => ((value << 1) ^ (value & 0x80 ? 0x11d : 0)) & 0xff;
    for (let column = 0; column < 86; column++) {
      let sum = 0;
      let weighted = 0;
      for (let row = 0; row < 26; row++) {
        const byte = full[12 + row * 86 + column] as number;
        sum ^= byte;
        weighted = times(weighted) ^ byte;
      }
      expect([sum, weighted]).toEqual([0, 0]);
    }
    for (let diagonal = 0; diagonal < 26; diagonal++) {
      for (let side = 0; side < 2; side++) {
        let sum = 0;
        let weighted = 0;
        for (let position = 0; position < 45; position++) {
          const at =
            position < 43 ? 2 * ((44 * position + 43 * diagonal) % 1118) + side : 2236 + (position - 43) * 52 + diagonal * 2 + side;
          const byte = full[12 + at] as number;
          sum ^= byte;
          weighted = times(weighted) ^ byte;
        }
        expect([sum, weighted]).toEqual([0, 0]);
      }
    }
  });

  it('describes the disc', () => {
    const host = bench();
    expect(host.packet([0x25])).toEqual(Uint8Array.from([...long(BLOCKS - 1), ...long(2048)]));
    expect(host.packet([0x43, 0, 0, 0, 0, 0, 0, 0, 64])).toEqual(
      Uint8Array.from([0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, ...long(BLOCKS)]),
    );
    expect(host.packet([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64])).toEqual(Uint8Array.from([0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 6, 0]));
    expect(host.packet([0x43, 2, 1, 0, 0, 0, 0, 0, 64])).toEqual(Uint8Array.from([0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0]));
    // The format in the place where SFF-8020i has it.
    expect(host.packet([0x43, 0, 0, 0, 0, 0, 0, 0, 64, 0x40])).toEqual(Uint8Array.from([0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]));
    const full = host.packet([0x43, 2, 2, 0, 0, 0, 1, 0, 100]);
    expect(full.length).toBe(48);
    expect([...full.subarray(26, 37)]).toEqual([1, 0x14, 0, 0xa2, 0, 0, 0, 0, 0, 6, 0]);
    expect(host.packet([0x51, 0, 0, 0, 0, 0, 0, 0, 34]).subarray(0, 7)).toEqual(Uint8Array.of(0, 32, 0x0e, 1, 1, 1, 1));
    expect(host.packet([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8])).toEqual(new Uint8Array(8));
  });

  it('describes the drive', () => {
    const host = bench();
    const inquiry = host.packet([0x12, 0, 0, 0, 255]);
    expect([...inquiry.subarray(0, 5)]).toEqual([5, 0x80, 0, 0x21, 31]);
    expect(String.fromCharCode(...inquiry.subarray(8, 32)).trim()).toBe('REPLAY86CD-ROM');
    const capabilities = host.packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128]);
    expect(capabilities.length).toBe(28);
    expect([...capabilities.subarray(0, 10)]).toEqual([0, 26, 1, 0, 0, 0, 0, 0, 0x2a, 18]);
    const all = host.packet([0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0]);
    expect(all.length).toBe(8 + 8 + 8 + 16 + 20);
    const configuration = host.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 255]);
    expect([...configuration.subarray(0, 12)]).toEqual([0, 0, 0, configuration.length - 4, 0, 0, 0, 8, 0, 0, 3, 4]);
    expect(host.packet([0x46, 2, 0, 0x10, 0, 0, 0, 0, 255]).length).toBe(8 + 12);
    expect(host.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])).toEqual(Uint8Array.of(0, 6, 4, 0x10, 0, 2, 0, 0));
    expect(host.packet([0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8])).toEqual(Uint8Array.of(0, 2, 0x80, 0x10));
  });
});
