/**
 * The MC146818A second by second (data sheet ADI-856R2): a divider chain of 32768 Hz, whose taps are the periodic interrupt,
 * and a calendar that counts fields. The first update ends half a second after the chain starts. Times that a guest sets are
 * valid ones.
 */
import { DeviceModel, periodsAt, periodsNs, toBcd } from './device-model.js';

const CRYSTAL_HZ = 32_768;
const HALF_SECOND_NS = 500_000_000;
const REGISTERS = { seconds: 0, minutes: 2, hours: 4, weekday: 6, date: 7, month: 8, year: 9, century: 0x32 } as const;
const ALARMS = { seconds: 1, minutes: 3, hours: 5 } as const;
const MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export class RtcModel extends DeviceModel {
  private readonly bytes: number[];
  private index = 0;
  private originNs = -HALF_SECOND_NS;
  /** Taps of the periodic interrupt and updates that are over. */
  private cycles = CRYSTAL_HZ / 2;
  private updates = 0;

  constructor(cmos: Uint8Array, epochSeconds: number) {
    super();
    this.bytes = [...cmos];
    this.bytes[0x0a] = 0x26;
    this.bytes[0x0b] = 0x02;
    this.bytes[0x0c] = 0;
    this.bytes[0x0d] = 0x80;
    const now = new Date(epochSeconds * 1000);
    this.put('seconds', now.getUTCSeconds());
    this.put('minutes', now.getUTCMinutes());
    this.putHour(now.getUTCHours());
    this.put('weekday', now.getUTCDay() + 1);
    this.put('date', now.getUTCDate());
    this.put('month', now.getUTCMonth() + 1);
    this.put('year', now.getUTCFullYear() % 100);
    this.put('century', Math.floor(now.getUTCFullYear() / 100));
    this.updates = this.updatesDoneAt(0);
  }

  // --- fields --------------------------------------------------------------------------------------------------------

  private get modes(): number {
    return this.bytes[0x0b] as number;
  }

  private encode(value: number): number {
    return (this.modes & 4) !== 0 ? value : toBcd(value);
  }

  private get(name: keyof typeof REGISTERS): number {
    const byte = this.bytes[REGISTERS[name]] as number;
    return (this.modes & 4) !== 0 ? byte : Number(byte.toString(16));
  }

  private put(name: keyof typeof REGISTERS, value: number): void {
    this.bytes[REGISTERS[name]] = this.encode(value);
  }

  private hourByte(hour: number): number {
    if ((this.modes & 2) !== 0) return this.encode(hour);
    return this.encode(hour % 12 === 0 ? 12 : hour % 12) + (hour >= 12 ? 0x80 : 0);
  }

  private putHour(hour: number): void {
    this.bytes[REGISTERS.hours] = this.hourByte(hour);
  }

  private getHour(): number {
    for (let hour = 0; hour < 24; hour++) if (this.hourByte(hour) === this.bytes[REGISTERS.hours]) return hour;
    throw new Error('the hour is not valid');
  }

  /** One second later. */
  private count(): void {
    this.put('seconds', (this.get('seconds') + 1) % 60);
    if (this.get('seconds') !== 0) return;
    this.put('minutes', (this.get('minutes') + 1) % 60);
    if (this.get('minutes') !== 0) return;
    this.putHour((this.getHour() + 1) % 24);
    if (this.getHour() !== 0) return;
    this.put('weekday', (this.get('weekday') % 7) + 1);
    const days = this.get('month') === 2 && this.get('year') % 4 === 0 ? 29 : (MONTHS[this.get('month') - 1] as number);
    this.put('date', (this.get('date') % days) + 1);
    if (this.get('date') !== 1) return;
    this.put('month', (this.get('month') % 12) + 1);
    if (this.get('month') !== 1) return;
    this.put('year', (this.get('year') + 1) % 100);
    if (this.get('year') === 0) this.put('century', (this.get('century') + 1) % 100);
  }

  private get alarmMatches(): boolean {
    return (['seconds', 'minutes', 'hours'] as const).every((name) => {
      const wanted = this.bytes[ALARMS[name]] as number;
      return wanted >= 0xc0 || wanted === this.bytes[REGISTERS[name]];
    });
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  private get runs(): boolean {
    return ((this.bytes[0x0a] as number) & 0x70) === 0x20;
  }

  private get tapCycles(): number {
    const rate = (this.bytes[0x0a] as number) & 15;
    if (rate === 0) return Number.POSITIVE_INFINITY;
    return [0, 128, 256, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384][rate] as number;
  }

  private updatesDoneAt(ns: number): number {
    return Math.floor((ns - this.originNs + HALF_SECOND_NS) / (2 * HALF_SECOND_NS));
  }

  private nextUpdateNs(): number {
    return this.originNs + (this.updates + 1) * 2 * HALF_SECOND_NS - HALF_SECOND_NS;
  }

  private nextTapNs(): number {
    const { tapCycles } = this;
    if (tapCycles === Number.POSITIVE_INFINITY) return tapCycles;
    return this.originNs + periodsNs((Math.floor(this.cycles / tapCycles) + 1) * tapCycles, CRYSTAL_HZ);
  }

  protected override nextNs(): number {
    return this.runs ? Math.min(this.nextTapNs(), this.nextUpdateNs()) : Number.POSITIVE_INFINITY;
  }

  protected override happens(): void {
    const taps = this.nextTapNs() === this.nowNs;
    const updates = this.nextUpdateNs() === this.nowNs;
    if (taps) this.flag(0x40);
    this.cycles = periodsAt(this.nowNs - this.originNs, CRYSTAL_HZ);
    if (updates) {
      this.updates++;
      // With SET the chain goes on, the registers do not.
      if ((this.modes & 0x80) === 0) {
        this.count();
        this.flag(0x10);
        if (this.alarmMatches) this.flag(0x20);
      }
    }
    this.driveLine();
  }

  private flag(bit: number): void {
    this.bytes[0x0c] = (this.bytes[0x0c] as number) | bit;
  }

  private get requested(): boolean {
    return (this.modes & (this.bytes[0x0c] as number) & 0x70) !== 0;
  }

  private driveLine(): void {
    this.drive('irq8', this.requested);
  }

  // --- registers -----------------------------------------------------------------------------------------------------

  override read(port: number): number {
    if (port === 0x70) return this.index;
    const register = this.index & 0x7f;
    const value = this.bytes[register] as number;
    if (register === 0x0a) {
      // 244 us before the update cycle and 1984 us of it.
      const updating = this.runs && (this.modes & 0x80) === 0 && this.nextUpdateNs() - this.nowNs <= 2_228_000;
      return value + (updating ? 0x80 : 0);
    }
    if (register === 0x0c) {
      const flags = value + (this.requested ? 0x80 : 0);
      this.bytes[0x0c] = 0;
      this.driveLine();
      return flags;
    }
    return value;
  }

  override write(port: number, value: number): void {
    if (port === 0x70) {
      this.index = value;
      return;
    }
    const register = this.index & 0x7f;
    if (register === 0x0c || register === 0x0d) return;
    const ran = this.runs;
    if (register === 0x0a) this.bytes[register] = value & 0x7f;
    else if (register === 0x0b) this.bytes[register] = (value & 0x80) !== 0 ? value & ~0x10 : value;
    else this.bytes[register] = value;
    // Taps count from here on, whatever the rate was.
    if (ran) this.cycles = periodsAt(this.nowNs - this.originNs, CRYSTAL_HZ);
    if (this.runs && !ran) {
      this.originNs = this.nowNs;
      this.cycles = this.updates = 0;
    }
    this.driveLine();
  }
}
