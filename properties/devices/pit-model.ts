/**
 * The 8254 pulse by pulse (Intel 82C54 data sheet, order 231244, "Mode Definitions"), with port 61h around counter 2.
 * Power-on leaves everything undefined; here it is mode 0, waiting for a count.
 */
import { DeviceModel } from './device-model.js';

const FREQUENCY_HZ = 1_193_182;

class Counter {
  control = 0;
  out = false;
  gate: boolean;
  private countRegister = 0;
  private countingElement = 0;
  private nullCount = true;
  /** A count was written since the control word, and one has reached the counting element. */
  private written = false;
  private counting = false;
  private loads = false;
  /** OUT has still to react to the end of this count. */
  private waitsForZero = false;
  private odd = false;
  private firstByte: number | undefined;
  private secondRead = false;
  private latchedCount: number | undefined;
  private latchedStatus: number | undefined;

  constructor(gate: boolean) {
    this.gate = gate;
  }

  private get mode(): number {
    const mode = (this.control >> 1) & 7;
    return mode >= 6 ? mode & 3 : mode;
  }
  private get bcd(): boolean {
    return (this.control & 1) === 1;
  }
  private get modulus(): number {
    return this.bcd ? 10_000 : 65_536;
  }

  /** A control word sets OUT to its first level and stops everything. */
  program(control: number): void {
    this.control = control;
    this.out = this.mode !== 0;
    this.nullCount = true;
    this.written = this.counting = this.loads = this.waitsForZero = false;
    this.firstByte = undefined;
    this.secondRead = false;
    this.latchedCount = this.latchedStatus = undefined;
  }

  writeByte(value: number): void {
    const access = (this.control >> 4) & 3;
    if (access === 1) this.writeCount(value);
    else if (access === 2) this.writeCount(value * 256);
    else if (this.firstByte === undefined) {
      this.firstByte = value;
      if (this.mode === 0) this.out = false;
    } else {
      const count = value * 256 + this.firstByte;
      this.firstByte = undefined;
      this.writeCount(count);
    }
  }

  private writeCount(count: number): void {
    this.countRegister = count;
    this.nullCount = true;
    this.written = true;
    if (this.mode === 0) this.out = false;
    const loadsAtOnce = this.mode === 0 || this.mode === 4;
    const loadsFirst = (this.mode === 2 || this.mode === 3) && !this.counting;
    if (loadsAtOnce || loadsFirst) this.loads = true;
  }

  setGate(level: boolean): void {
    const rises = level && !this.gate;
    this.gate = level;
    // A rising gate triggers modes 1, 2, 3 and 5; a low one ends the low half of modes 2 and 3.
    if (rises && this.written && [1, 2, 3, 5].includes(this.mode)) this.loads = true;
    if (!level && (this.mode === 2 || this.mode === 3)) this.out = true;
  }

  private load(): void {
    const digits = (this.countRegister >> 12) * 1000 + ((this.countRegister >> 8) & 15) * 100;
    const decimal = (digits + ((this.countRegister >> 4) & 15) * 10 + (this.countRegister & 15)) % 10_000;
    const count = this.bcd ? decimal : this.countRegister;
    this.countingElement = count === 0 ? this.modulus : count;
    this.odd = this.countingElement % 2 === 1;
    if (this.mode === 3 && this.odd) this.countingElement--;
    this.nullCount = false;
  }

  pulse(): void {
    const { mode } = this;
    const strobeEnds = (mode === 4 || mode === 5) && !this.out;
    if (strobeEnds) this.out = true;
    if (this.loads) {
      this.loads = false;
      this.load();
      this.counting = true;
      this.waitsForZero = true;
      if (mode === 1) this.out = false;
      if (mode === 2 || mode === 3) this.out = true;
      return;
    }
    if (!this.counting) return;
    const gated = mode === 1 || mode === 5 ? false : !this.gate;
    if (gated || (mode === 0 && this.firstByte !== undefined)) return;
    if (mode === 2) this.pulseOfRateGenerator();
    else if (mode === 3) this.pulseOfSquareWave();
    else {
      this.countingElement = this.countingElement === 0 ? this.modulus - 1 : this.countingElement - 1;
      if (this.countingElement === 0 && this.waitsForZero) {
        this.waitsForZero = false;
        this.out = mode === 0 || mode === 1;
      }
    }
  }

  private pulseOfRateGenerator(): void {
    if (this.countingElement === 1) this.load();
    else this.countingElement--;
    this.out = this.countingElement !== 1;
  }

  /** Even counts are N/2 high and N/2 low; odd ones are loaded less one, and are high for one pulse more. */
  private pulseOfSquareWave(): void {
    const last = this.odd && this.out ? 0 : 2;
    if (this.countingElement !== last) {
      this.countingElement -= 2;
      return;
    }
    this.out = !this.out;
    this.load();
  }

  private get value(): number {
    const value = this.countingElement % this.modulus;
    return this.bcd ? Number.parseInt(String(value), 16) : value;
  }

  latchCount(): void {
    this.latchedCount ??= this.value;
  }

  latchStatus(): void {
    this.latchedStatus ??= (this.out ? 0x80 : 0) + (this.nullCount ? 0x40 : 0) + this.control;
  }

  readByte(): number {
    if (this.latchedStatus !== undefined) {
      const status = this.latchedStatus;
      this.latchedStatus = undefined;
      return status;
    }
    const value = this.latchedCount ?? this.value;
    const access = (this.control >> 4) & 3;
    const high = access === 2 || (access !== 1 && this.secondRead);
    if (access !== 1 && access !== 2) this.secondRead = !this.secondRead;
    if (high || access === 1) this.latchedCount = undefined;
    return high ? value >> 8 : value & 0xff;
  }
}

export class PitModel extends DeviceModel {
  private readonly counters = [new Counter(true), new Counter(true), new Counter(false)] as const;
  private pulses = 0;
  /** The exact moment of the next pulse: whole nanoseconds and what is over, in parts of FREQUENCY_HZ. */
  private wholeNs = 0;
  private parts = 0;
  private portB = 0;

  constructor() {
    super();
    this.onePulseOn();
  }

  private onePulseOn(): void {
    this.wholeNs += Math.floor(1_000_000_000 / FREQUENCY_HZ);
    this.parts += 1_000_000_000 % FREQUENCY_HZ;
    if (this.parts < FREQUENCY_HZ) return;
    this.parts -= FREQUENCY_HZ;
    this.wholeNs++;
  }

  protected override nextNs(): number {
    return this.parts === 0 ? this.wholeNs : this.wholeNs + 1;
  }

  protected override happens(): void {
    this.pulses++;
    this.onePulseOn();
    for (const counter of this.counters) counter.pulse();
    this.drive('irq0', this.counters[0].out);
  }

  override read(port: number): number {
    if (port === 0x61) {
      const refresh = Math.floor(this.pulses / 18) % 2 === 1 ? 0x10 : 0;
      return this.portB + refresh + (this.counters[2].out ? 0x20 : 0);
    }
    return this.counters[port - 0x40]?.readByte() ?? 0xff;
  }

  override write(port: number, value: number): void {
    if (port === 0x61) {
      this.portB = value & 15;
      this.counters[2].setGate(value % 2 === 1);
    } else if (port === 0x43) this.writeControl(value);
    else this.counters[port - 0x40]?.writeByte(value);
    this.drive('irq0', this.counters[0].out);
  }

  private writeControl(value: number): void {
    const selected = value >> 6;
    if (selected < 3) {
      const counter = this.counters[selected] as Counter;
      if ((value & 0x30) === 0) counter.latchCount();
      else counter.program(value & 0x3f);
      return;
    }
    this.counters.forEach((counter, index) => {
      if (((value >> (index + 1)) & 1) === 0) return;
      if ((value & 0x20) === 0) counter.latchCount();
      if ((value & 0x10) === 0) counter.latchStatus();
    });
  }
}
