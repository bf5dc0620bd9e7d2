/**
 * The disk as a host sees it: data by PIO and DMA, addresses, errors, settings, resets (ATA/ATAPI-6).
 */
import { describe, expect, it } from 'vitest';
import { AtaBench, imageOf, patternBytes } from './test-ata-bench.js';

const SECTORS = 3 * 16 * 63 + 5;
const IMAGE = patternBytes(SECTORS * 512, 1);
const untouched = IMAGE.slice();

const bench = (): AtaBench => new AtaBench({ master: { kind: 'disk', image: imageOf(IMAGE) } });
const sectors = (first: number, count: number): Uint8Array => IMAGE.subarray(first * 512, (first + count) * 512);
const word = (bytes: Uint8Array, index: number): number => (bytes[index * 2] as number) | ((bytes[index * 2 + 1] as number) << 8);

describe('reading', () => {
  it('delivers sectors by PIO with one interrupt a sector, none of them inside the OUT', () => {
    const host = bench();
    host.lba28(0x20, 7, 3);
    expect(host.readPio()).toEqual(sectors(7, 3));
    expect(host.irqs[0].level).toBe(true);
    expect(host.in(0x1f7)).toBe(0x50);
    expect(host.irqs[0].level).toBe(false);
    expect(host.in(0x1f2)).toBe(0);
    expect([host.in(0x1f3), host.in(0x1f4), host.in(0x1f5), host.in(0x1f6)]).toEqual([9, 0, 0, 0xe0]);
  });

  it('raises the interrupt only after the fixed time, BSY until then', () => {
    const host = bench();
    host.registers(0, 1, 0, 0, 0, 0xe0);
    const start = host.clock.nowNs;
    host.out(0x1f7, 0x20);
    expect(host.in(0x3f6)).toBe(0x80);
    host.advance(1_000_000);
    expect(host.take()).toEqual([{ ns: start + 20_000 + 15_000, what: 'irq14', value: true }]);
    expect(host.in(0x3f6)).toBe(0x58);
    expect(host.irqs[0].level).toBe(true);
    expect(host.in(0x1f7)).toBe(0x58);
    expect(host.irqs[0].level).toBe(false);
  });

  it('counts 0 as 256 sectors, 48-bit as 65536', () => {
    const host = bench();
    host.lba28(0x20, 0, 0);
    expect(host.readPio()).toEqual(sectors(0, 256));
    host.lba48(0x24, SECTORS - 2, 0);
    expect(host.readPio()).toEqual(sectors(SECTORS - 2, 2));
    expect(host.in(0x1f7)).toBe(0x51);
    expect(host.in(0x1f1)).toBe(0x10);
  });

  it('reads by CHS, in the translation the host chose', () => {
    const host = bench();
    host.registers(0, 1, 5, 1, 0, 0xa2);
    host.issue(0x20);
    expect(host.readPio()).toEqual(sectors((1 * 16 + 2) * 63 + 4, 1));
    host.registers(0, 17, undefined, undefined, undefined, 0xa3);
    expect(host.issue(0x91)).toBe(0x50);
    host.registers(0, 2, 17, 2, 0, 0xa3);
    host.issue(0x20);
    const first = (2 * 4 + 3) * 17 + 16;
    expect(host.readPio()).toEqual(sectors(first, 2));
    // The last sector done is the first of the next track.
    expect([host.in(0x1f3), host.in(0x1f4), host.in(0x1f6)]).toEqual([1, 3, 0xa0]);
  });

  it.each([
    ['sector 0', [0, 1, 0, 0, 0, 0xa0]],
    ['sector 64', [0, 1, 64, 0, 0, 0xa0]],
    ['cylinder 3', [0, 1, 1, 3, 0, 0xa0]],
  ])('finds no CHS %s', (_, registers) => {
    const host = bench();
    host.registers(...registers);
    expect(host.issue(0x20)).toBe(0x51);
    expect(host.in(0x1f1)).toBe(0x10);
  });

  it('delivers blocks in multiple mode, and refuses it before SET MULTIPLE', () => {
    const host = bench();
    host.lba28(0xc4, 0, 1);
    expect(host.in(0x1f1)).toBe(0x04);
    host.registers(0, 8);
    expect(host.issue(0xc6)).toBe(0x50);
    host.in(0x1f7);
    host.take();
    host.registers(0, 20, 3, 0, 0, 0xe0);
    host.issue(0xc4);
    const lengths: number[] = [];
    let length = 0;
    const bytes: number[] = [];
    for (;;) {
      if ((host.in(0x3f6) & 0x08) === 0) {
        if (length > 0) lengths.push(length);
        length = 0;
        if ((host.waitWhileBusy() & 0x08) === 0) break;
      }
      const data = host.in(0x1f0, 4);
      bytes.push(data & 0xff, (data >>> 8) & 0xff, (data >>> 16) & 0xff, data >>> 24);
      length += 4;
    }
    expect(lengths).toEqual([4096, 4096, 2048]);
    expect(Uint8Array.from(bytes)).toEqual(sectors(3, 20));
    host.registers(0, 3);
    host.issue(0xc6);
    expect(host.in(0x1f1)).toBe(0x04);
  });

  it('reports IDNF at the first sector beyond the end, after delivering those before it', () => {
    const host = bench();
    host.lba28(0x20, SECTORS - 1, 4);
    expect(host.readPio()).toEqual(sectors(SECTORS - 1, 1));
    expect(host.in(0x1f7)).toBe(0x51);
    expect(host.in(0x1f1)).toBe(0x10);
    expect(host.in(0x1f2)).toBe(3);
    expect(host.in(0x1f3) | (host.in(0x1f4) << 8)).toBe(SECTORS);
    host.lba28(0x40, SECTORS - 1, 2);
    expect(host.in(0x1f1)).toBe(0x10);
    expect(host.lba28(0x40, SECTORS - 2, 2)).toBe(0x50);
    expect(host.lba28(0x70, SECTORS, 0)).toBe(0x51);
  });
});

describe('bus master', () => {
  it('scatters to memory along the table, then interrupts', () => {
    const host = bench();
    host.putTable(0x1000, [
      [0x2000, 512 + 2],
      [0x9000, 1022],
    ]);
    host.startBusMaster(0x1000, true);
    host.lba28(0xc8, 11, 3);
    host.advance(1_000_000);
    expect(host.memory.bytes.subarray(0x2000, 0x2000 + 514)).toEqual(sectors(11, 3).subarray(0, 514));
    expect(host.memory.bytes.subarray(0x9000, 0x9000 + 1022)).toEqual(sectors(11, 3).subarray(514));
    expect(host.irqs[0].level).toBe(true);
    expect(host.stopBusMaster()).toBe(0x04);
    expect(host.in(0x1f7)).toBe(0x50);
    expect(host.in(BM_STATUS)).toBe(0);
  });

  it('starts whenever the host does, before the command or long after it', () => {
    const host = bench();
    host.registers(0, 1, 5, 0, 0, 0xe0);
    host.out(0x1f7, 0xc8);
    host.advance(500_000);
    expect(host.in(0x3f6) & 0x88).toBe(0x08);
    expect(host.irqs[0].level).toBe(false);
    host.putTable(0x1000, [[0x2000, 512]]);
    host.startBusMaster(0x1000, true);
    expect(host.in(BM_STATUS)).toBe(0x01);
    expect(host.memory.read32(0x2000)).toBe(0);
    host.advance(500_000);
    expect(host.memory.bytes.subarray(0x2000, 0x2200)).toEqual(sectors(5, 1));
    expect(host.stopBusMaster()).toBe(0x04);
  });

  it('tells a table that is too long from one that is too short', () => {
    const host = bench();
    host.putTable(0x1000, [[0x2000, 1024]]);
    host.startBusMaster(0x1000, true);
    host.lba28(0xc8, 0, 1);
    host.advance(1_000_000);
    expect(host.stopBusMaster()).toBe(0x05);
    host.in(0x1f7);
    host.putTable(0x1000, [[0x2000, 512]]);
    host.startBusMaster(0x1000, true);
    host.lba28(0xc8, 0, 2);
    host.advance(1_000_000);
    expect(host.in(BM_STATUS)).toBe(0x00);
    expect(host.in(0x3f6) & 0x08).toBe(0x08);
    expect(host.irqs[0].level).toBe(false);
  });

  it('takes a count of zero as 64 KiB, over several offers of the drive', () => {
    const host = bench();
    host.putTable(0x1000, [
      [0x10000, 0],
      [0x40000, 0x8000],
    ]);
    host.startBusMaster(0x1000, true);
    host.lba48(0x25, 100, 192);
    host.advance(20_000_000);
    expect(host.memory.bytes.subarray(0x10000, 0x20000)).toEqual(sectors(100, 128));
    expect(host.memory.bytes.subarray(0x40000, 0x48000)).toEqual(sectors(228, 64));
    expect(host.stopBusMaster()).toBe(0x04);
  });

  it('writes from memory and moves nothing with the direction wrong or the bus master disabled', () => {
    const host = bench();
    const data = patternBytes(1024, 5);
    host.memory.bytes.set(data, 0x3000);
    host.putTable(0x1000, [[0x3000, 1024]]);
    host.startBusMaster(0x1000, true);
    host.lba28(0xca, 40, 2);
    host.advance(1_000_000);
    expect(host.irqs[0].level).toBe(false);
    expect(host.stopBusMaster()).toBe(0x01);
    host.ide.configWrite(4, 2, 0x0001);
    host.startBusMaster(0x1000, false);
    host.advance(1_000_000);
    expect(host.in(BM_STATUS)).toBe(0x01);
    host.ide.configWrite(4, 2, 0x0005);
    host.advance(1_000_000);
    expect(host.stopBusMaster()).toBe(0x04);
    host.in(0x1f7);
    host.lba28(0x20, 40, 2);
    expect(host.readPio()).toEqual(data);
  });
});
const BM_STATUS = 0xc002;

describe('writing', () => {
  it('keeps what is written in the overlay and leaves the image alone', () => {
    const host = bench();
    const data = patternBytes(3 * 512, 9);
    host.lba28(0x30, 6, 3);
    expect(host.irqs[0].level).toBe(false);
    expect(host.writePio(data)).toBe(0x50);
    expect(host.irqs[0].level).toBe(true);
    host.lba48(0x24, 5, 5);
    expect(host.readPio()).toEqual(Uint8Array.from([...sectors(5, 1), ...data, ...sectors(9, 1)]));
    expect(IMAGE.every((byte, index) => byte === untouched[index])).toBe(true);
  });

  it('writes multiple blocks with an interrupt after each', () => {
    const host = bench();
    const data = patternBytes(5 * 512, 3);
    host.registers(0, 2);
    host.issue(0xc6);
    host.in(0x1f7);
    host.take();
    host.lba48(0x39, 9, 5);
    let at = 0;
    for (const block of [1024, 1024, 512]) {
      host.writePio(data.subarray(at, at + block));
      expect(host.irqs[0].level).toBe(true);
      host.in(0x1f7);
      at += block;
    }
    host.lba28(0x20, 9, 5);
    expect(host.readPio()).toEqual(data);
  });

  it('keeps the sectors before the end when a write runs over it', () => {
    const host = bench();
    const data = patternBytes(512, 4);
    host.lba28(0x30, SECTORS - 1, 2);
    host.writePio(data);
    expect(host.in(0x1f7)).toBe(0x51);
    expect(host.in(0x1f1)).toBe(0x10);
    host.lba28(0x20, SECTORS - 1, 1);
    expect(host.readPio()).toEqual(data);
  });

  it('has a sector buffer', () => {
    const host = bench();
    const data = patternBytes(512, 8);
    host.issue(0xe8);
    expect(host.writePio(data)).toBe(0x50);
    host.issue(0xe4);
    expect(host.readPio()).toEqual(data);
  });
});

describe('what the drive says of itself', () => {
  it('identifies itself', () => {
    const host = bench();
    host.registers(undefined, undefined, undefined, undefined, undefined, 0xa0);
    host.issue(0xec);
    const identity = host.readPio();
    expect(identity.length).toBe(512);
    expect([word(identity, 0), word(identity, 1), word(identity, 3), word(identity, 6)]).toEqual([0x40, 3, 16, 63]);
    expect(word(identity, 60) + word(identity, 61) * 65536).toBe(SECTORS);
    expect(word(identity, 100) + word(identity, 101) * 65536).toBe(SECTORS);
    expect(word(identity, 57) + word(identity, 58) * 65536).toBe(3 * 16 * 63);
    expect(identity.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    const model = Array.from({ length: 20 }, (_, index) =>
      String.fromCharCode(word(identity, 27 + index) >>> 8, word(identity, 27 + index) & 0xff),
    );
    expect(model.join('').trim()).toBe('REPLAY86 HARDDISK');
    expect(word(identity, 63)).toBe(0x0407);
  });

  it('reports the settings that were made', () => {
    const host = bench();
    const identity = (): Uint8Array => {
      host.issue(0xec);
      return host.readPio();
    };
    const feature = (code: number, count = 0): number => {
      host.registers(code, count);
      return host.issue(0xef);
    };
    expect(feature(0x03, 0x45)).toBe(0x50);
    expect(word(identity(), 88)).toBe(0x203f);
    expect(word(identity(), 63)).toBe(0x0007);
    expect(feature(0x03, 0x46)).toBe(0x51);
    expect(feature(0x03, 0x0c)).toBe(0x50);
    expect(feature(0x03, 0x0d)).toBe(0x51);
    expect(feature(0x82)).toBe(0x50);
    expect(word(identity(), 85) & 0x60).toBe(0x40);
    expect(feature(0x55)).toBe(0x50);
    expect(word(identity(), 85) & 0x60).toBe(0x00);
    expect(feature(0x77)).toBe(0x51);
    expect(host.in(0x1f1)).toBe(0x04);
  });

  it.each([0x00, 0xb0, 0xf5, 0xa1, 0xa0, 0x08, 0xfe])('aborts command %i', (command) => {
    const host = bench();
    expect(host.lba28(command, 0, 1)).toBe(0x51);
    expect(host.in(0x1f1)).toBe(0x04);
    expect(host.irqs[0].level).toBe(true);
  });

  it('knows its last address and its power mode', () => {
    const host = bench();
    expect(host.lba28(0xf8, 0, 0)).toBe(0x50);
    expect(host.in(0x1f3) | (host.in(0x1f4) << 8) | (host.in(0x1f5) << 16)).toBe(SECTORS - 1);
    expect(host.lba48(0x27, 0, 0)).toBe(0x50);
    expect(host.in(0x1f3) | (host.in(0x1f4) << 8) | (host.in(0x1f5) << 16)).toBe(SECTORS - 1);
    host.issue(0xe5);
    expect(host.in(0x1f2)).toBe(0xff);
    expect(host.issue(0xe0)).toBe(0x50);
    host.issue(0xe5);
    expect(host.in(0x1f2)).toBe(0x00);
    for (const command of [0xe7, 0xea, 0xe1, 0xe2, 0xe3, 0x10]) expect(host.issue(command)).toBe(0x50);
  });

  it('sleeps until it is reset', () => {
    const host = bench();
    expect(host.issue(0xe6)).toBe(0x50);
    host.in(0x1f7);
    expect(host.issue(0xec)).toBe(0x50);
    host.out(0x3f6, 0x04);
    host.out(0x3f6, 0x00);
    host.waitWhileBusy();
    expect(host.issue(0xec)).toBe(0x58);
  });
});

describe('the channel', () => {
  it('resets by SRST: busy while it lasts, then the signature, no interrupt', () => {
    const host = bench();
    host.lba28(0x20, 0, 4);
    host.out(0x3f6, 0x04);
    expect(host.in(0x3f6)).toBe(0x80);
    host.advance(1_000_000);
    expect(host.in(0x3f6)).toBe(0x80);
    host.take();
    host.out(0x3f6, 0x00);
    expect(host.in(0x3f6)).toBe(0x80);
    expect(host.waitWhileBusy()).toBe(0x50);
    expect([1, 2, 3, 4, 5, 6].map((register) => host.in(0x1f0 + register))).toEqual([1, 1, 1, 0, 0, 0xa0]);
    expect(host.take('irq14')).toEqual([]);
  });

  it('loses its settings in a soft reset unless told to keep them', () => {
    const host = bench();
    const multipleAfterReset = (): number => {
      host.registers(0, 4);
      host.issue(0xc6);
      host.out(0x3f6, 0x04);
      host.out(0x3f6, 0x00);
      host.waitWhileBusy();
      host.issue(0xec);
      return word(host.readPio(), 59);
    };
    expect(multipleAfterReset()).toBe(0);
    host.registers(0x66);
    host.issue(0xef);
    expect(multipleAfterReset()).toBe(0x0104);
  });

  it('runs the diagnostic on both drives and interrupts for the first', () => {
    const host = new AtaBench({ master: { kind: 'disk', image: imageOf(IMAGE) }, slave: { kind: 'cdrom', image: imageOf(IMAGE) } });
    host.out(0x1f6, 0xb0);
    host.out(0x1f7, 0x90);
    expect(host.waitWhileBusy()).toBe(0x50);
    expect(host.irqs[0].level).toBe(true);
    expect(host.in(0x1f1)).toBe(0x01);
    host.out(0x1f6, 0xb0);
    expect(host.irqs[0].level).toBe(false);
    expect([host.in(0x1f7), host.in(0x1f1), host.in(0x1f4), host.in(0x1f5)]).toEqual([0x00, 0x01, 0x14, 0xeb]);
  });

  it('keeps INTRQ off the bus with nIEN set, without losing it', () => {
    const host = bench();
    host.out(0x3f6, 0x02);
    host.issue(0xe7);
    expect(host.irqs[0].level).toBe(false);
    host.out(0x3f6, 0x00);
    expect(host.irqs[0].level).toBe(true);
    host.in(0x3f6);
    expect(host.irqs[0].level).toBe(true);
    host.in(0x1f7);
    expect(host.irqs[0].level).toBe(false);
  });

  it('looks like a master alone where there is no slave', () => {
    const host = bench();
    host.out(0x1f6, 0xb0);
    host.out(0x1f2, 0x55);
    host.out(0x1f3, 0xaa);
    expect([host.in(0x1f2), host.in(0x1f3), host.in(0x1f7), host.in(0x3f6)]).toEqual([0, 0, 0, 0]);
    host.out(0x1f7, 0xec);
    host.advance(1_000_000);
    expect(host.in(0x1f7)).toBe(0);
    expect(host.take('irq14')).toEqual([]);
    host.out(0x1f6, 0xa0);
    expect(host.in(0x1f7)).toBe(0x50);
  });

  it('floats where there is no drive at all, also when the image is empty', () => {
    const host = new AtaBench({}, { master: { kind: 'cdrom', image: imageOf(new Uint8Array(0)) } });
    for (const base of [0x1f0, 0x170]) {
      for (let register = 1; register < 8; register++) expect(host.in(base + register)).toBe(0xff);
      expect(host.in(base, 2)).toBe(0xffff);
    }
    host.out(0x1f7, 0xec);
    expect(host.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
  });

  it('shows the previous contents of the registers under HOB until the next write', () => {
    const host = bench();
    host.registers(0, 0x12);
    host.registers(0, 0x34);
    expect(host.in(0x1f2)).toBe(0x34);
    host.out(0x3f6, 0x80);
    expect(host.in(0x1f2)).toBe(0x12);
    host.out(0x1f3, 0);
    expect(host.in(0x1f2)).toBe(0x34);
  });
});
