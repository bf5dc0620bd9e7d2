/**
 * The fixed hardware of ACPI 1.0b (4.7.3 and 4.7.4) as the PIIX4 has it (Intel 82371AB data sheet, 7.2): a timer of 24 bits at
 * 3.579545 MHz that tells of each change of its highest bit, status and enables, SCI_EN, soft off. F1h and F0h at port B2h
 * switch SCI_EN.
 */
import { DeviceModel, periodsAt, periodsNs, type Size } from './device-model.js';

const TIMER_HZ = 3_579_545;
const HALF = 2 ** 23;
const STATUS_BITS = 0x8531;
const ENABLE_BITS = 0x0521;
const CONTROL_BITS = 0x1c03;
const SLEEP = 0x2000;
/** Registers of the chip that are only remembered: enables of general events, processor, global and device control, outputs. */
const REMEMBERED = [0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x34, 0x35, 0x36, 0x37];

export const PM_BASE = 0xb000;

export class AcpiModel extends DeviceModel {
  private status = 0;
  private enable = 0;
  private control = 0;
  private halves = 0;
  private readonly remembered = new Map<number, number>();
  private readonly apm = [0, 0];

  protected override nextNs(): number {
    return periodsNs((this.halves + 1) * HALF, TIMER_HZ);
  }

  protected override happens(): void {
    this.halves++;
    this.status |= 1;
    this.interrupt();
  }

  pressPowerButton(): void {
    this.status |= 0x100;
    this.interrupt();
  }

  private interrupt(): void {
    this.drive('sci', (this.control & 1) !== 0 && (this.status & this.enable) !== 0);
  }

  private byteAt(offset: number): number {
    const timer = periodsAt(this.nowNs, TIMER_HZ) % (2 * HALF);
    const registers = new Map([
      [0, this.status],
      [2, this.enable],
      [4, this.control],
      [8, timer % 65_536],
      [10, timer >> 16],
    ]);
    const word = registers.get(offset - (offset % 2));
    if (word === undefined) return this.remembered.get(offset) ?? 0;
    return offset % 2 === 0 ? word & 0xff : word >> 8;
  }

  override read(port: number, size: Size): number {
    if (port === 0xb2 || port === 0xb3) return this.apm[port - 0xb2] as number;
    let value = 0;
    for (let i = 0; i < size; i++) value += this.byteAt(port - PM_BASE + i) * 256 ** i;
    return value;
  }

  override write(port: number, value: number, size: Size): void {
    if (port === 0xb2 || port === 0xb3) {
      this.apm[port - 0xb2] = value;
      if (port === 0xb2 && value === 0xf1) this.control |= 1;
      if (port === 0xb2 && value === 0xf0) this.control &= ~1;
    } else for (let i = 0; i < size; i++) this.writeByte(port - PM_BASE + i, Math.floor(value / 256 ** i) % 256);
    this.interrupt();
  }

  private writeByte(offset: number, value: number): void {
    const shift = offset % 2 === 0 ? 0 : 8;
    const merged = (word: number, existing: number): number => ((word & ~(0xff << shift)) | (value << shift)) & existing;
    switch (offset - (offset % 2)) {
      case 0:
        this.status &= ~((value << shift) & STATUS_BITS);
        break;
      case 2:
        this.enable = merged(this.enable, ENABLE_BITS);
        break;
      case 4:
        this.control = merged(this.control, CONTROL_BITS);
        // Of the sleep types only 0 exists.
        if (((value << shift) & SLEEP) !== 0 && (this.control & 0x1c00) === 0) this.emit('off', true);
        break;
      default:
        if (REMEMBERED.includes(offset)) this.remembered.set(offset, value);
    }
  }
}
