/**
 * Two ATA channels on a workbench, with memory for the bus master and a host that drives them as a BIOS or a kernel
 * would: for tests.
 */
import type { BlockImage, BusMemory } from '../device.js';
import { IdeFunction } from '../pci/ide-function.js';
import { PortWindows } from '../pci/port-windows.js';
import { TestBench } from '../test-bench.js';
import { AtaChannel, type DriveConfig } from './channel.js';

export class TestMemory implements BusMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }
  read8(address: number): number {
    return this.bytes[address] ?? 0xff;
  }
  read16(address: number): number {
    return this.read8(address) | (this.read8(address + 1) << 8);
  }
  read32(address: number): number {
    return (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
  }
  write8(address: number, value: number): void {
    if (address < this.bytes.length) this.bytes[address] = value;
  }
  write16(address: number, value: number): void {
    this.write8(address, value & 0xff);
    this.write8(address + 1, value >>> 8);
  }
  write32(address: number, value: number): void {
    this.write16(address, value & 0xffff);
    this.write16(address + 2, value >>> 16);
  }
  readBytes(address: number, into: Uint8Array): void {
    for (let index = 0; index < into.length; index++) into[index] = this.read8(address + index);
  }
  writeBytes(address: number, bytes: Uint8Array): void {
    bytes.forEach((byte, index) => this.write8(address + index, byte));
  }
}

/** Reproducible bytes: a linear congruential generator, high bits. */
export function patternBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

export function imageOf(bytes: Uint8Array): BlockImage {
  return { sizeBytes: bytes.length, read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)) };
}

const BUS_MASTER = 0xc000;
const BSY = 0x80;
const DRQ = 0x08;

export class AtaBench extends TestBench {
  readonly memory = new TestMemory(0x100000);
  readonly irqs = [this.line('irq14'), this.line('irq15')] as const;
  readonly channels: readonly [AtaChannel, AtaChannel];
  readonly ide: IdeFunction;
  command = 0x1f0;
  control = 0x3f6;
  busMaster = BUS_MASTER;

  constructor(primary: { master?: DriveConfig; slave?: DriveConfig }, secondary: { master?: DriveConfig; slave?: DriveConfig } = {}) {
    super();
    const channel = (index: 0 | 1, drives: { master?: DriveConfig; slave?: DriveConfig }): AtaChannel =>
      new AtaChannel({ name: `ata${index}`, clock: this.clock, memory: this.memory, irq: this.irqs[index], ...drives });
    this.channels = [channel(0, primary), channel(1, secondary)];
    this.ide = new IdeFunction({ windows: new PortWindows(this), channels: this.channels });
    for (const device of [...this.channels, this.ide]) device.reset();
    this.ide.applyFirmwareDefaults();
    this.advance(1_000_000);
    this.take();
  }

  useSecondary(): void {
    this.command = 0x170;
    this.control = 0x376;
    this.busMaster = BUS_MASTER + 8;
  }

  /** Alternate status once BSY is gone. */
  waitWhileBusy(): number {
    for (let tries = 0; tries < 1000; tries++) {
      const status = this.in(this.control);
      if ((status & BSY) === 0) return status;
      if (this.clock.nextDueNs === Number.POSITIVE_INFINITY) break;
      this.advanceTo(this.clock.nextDueNs);
    }
    throw new Error('the drive stays busy');
  }

  /** Registers 1 to 6 in order, as far as given. */
  registers(...values: (number | undefined)[]): void {
    values.forEach((value, index) => {
      if (value !== undefined) this.out(this.command + 1 + index, value);
    });
  }

  issue(command: number): number {
    this.out(this.command + 7, command);
    return this.waitWhileBusy();
  }

  /** 28-bit LBA command. */
  lba28(command: number, lba: number, count: number): number {
    this.registers(0, count & 0xff, lba & 0xff, (lba >>> 8) & 0xff, (lba >>> 16) & 0xff, 0xe0 | (lba >>> 24));
    return this.issue(command);
  }

  lba48(command: number, lba: number, count: number): number {
    const byte = (value: number, index: number): number => Math.floor(value / 256 ** index) & 0xff;
    this.registers(0, byte(count, 1), byte(lba, 3), byte(lba, 4), byte(lba, 5));
    this.registers(0, byte(count, 0), byte(lba, 0), byte(lba, 1), byte(lba, 2), 0x40);
    return this.issue(command);
  }

  readPio(): Uint8Array {
    const bytes: number[] = [];
    while ((this.waitWhileBusy() & DRQ) !== 0) {
      const word = this.in(this.command, 2);
      bytes.push(word & 0xff, word >>> 8);
    }
    return Uint8Array.from(bytes);
  }

  writePio(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; at += 2) {
      if ((this.waitWhileBusy() & DRQ) === 0) throw new Error('the drive wants no data');
      this.out(this.command, (bytes[at] as number) | ((bytes[at + 1] ?? 0) << 8), 2);
    }
    return this.waitWhileBusy();
  }

  /** Writes a descriptor table at `table`. */
  putTable(table: number, regions: readonly (readonly [address: number, length: number])[]): void {
    regions.forEach(([address, length], index) => {
      this.memory.write32(table + index * 8, address);
      this.memory.write32(table + index * 8 + 4, (length & 0xffff) + (index === regions.length - 1 ? 0x80000000 : 0));
    });
  }

  startBusMaster(table: number, toMemory: boolean): void {
    for (let byte = 0; byte < 4; byte++) this.out(this.busMaster + 4 + byte, (table >>> (8 * byte)) & 0xff);
    this.out(this.busMaster + 2, 0x06);
    this.out(this.busMaster, toMemory ? 0x08 : 0x00);
    this.out(this.busMaster, toMemory ? 0x09 : 0x01);
  }

  stopBusMaster(): number {
    const status = this.in(this.busMaster + 2);
    this.out(this.busMaster, 0);
    this.out(this.busMaster + 2, 0x06);
    return status;
  }

  /** Sends a packet and reads its answer by PIO; the final status is in the registers. */
  packet(bytes: readonly number[], limitBytes = 0xfffe, dma = false): Uint8Array {
    this.registers(dma ? 1 : 0, 0, 0, limitBytes & 0xff, limitBytes >>> 8, 0xa0);
    this.issue(0xa0);
    this.writePio(Uint8Array.from({ length: 12 }, (_, index) => bytes[index] ?? 0));
    if (dma) return new Uint8Array(0);
    const answer: number[] = [];
    while ((this.waitWhileBusy() & DRQ) !== 0) {
      const length = this.in(this.command + 4) | (this.in(this.command + 5) << 8);
      for (let at = 0; at < length; at += 2) {
        const word = this.in(this.command, 2);
        answer.push(word & 0xff);
        if (at + 1 < length) answer.push(word >>> 8);
      }
    }
    return Uint8Array.from(answer);
  }
}
