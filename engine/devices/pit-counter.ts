/**
 * One counter of the 8254 (Intel 82C54 data sheet, order 231244, "Operational Description" and "Mode Definitions").
 *
 * The counter knows how far its input clock had come when it was last looked at, and goes from there to any later
 * pulse by arithmetic: nothing is ever ticked. What a write or a gate edge starts takes effect at the next pulse.
 *
 * Where the data sheet leaves room: a count of 1 in modes 2 and 3 (which it forbids) keeps OUT high; a trigger before
 * the first count is ignored; BCD digits above 9 count with the value they have.
 */
import { type DeviceState, StateError } from './device.js';
import type { StateReader } from './state-reader.js';

/** Control word (data sheet, figure 7): bits 5-4 how counts are transferred, 3-1 mode, 0 BCD. */
const CONTROL_MASK = 0x3f;
const ACCESS_LOW = 1;
const ACCESS_HIGH = 2;
const STATUS_OUT = 0x80;
const STATUS_NULL_COUNT = 0x40;

export class PitCounter {
  private control = 0;
  /** CR: the count as written. */
  private reload = 0;
  /** A count has been written completely since the control word. */
  private hasReload = false;
  /** Two-byte counts: the low byte, waiting for the high one. */
  private lowByte: number | null = null;
  private readsHighByte = false;
  private latchedCount: number | null = null;
  private latchedStatus: number | null = null;
  private nullCount = false;

  /** CE: the value of the counting element, in the counter's own modulus. */
  private count = 0;
  /** CE holds a count that came from CR (and in modes 1 and 5 was triggered). */
  private loaded = false;
  /** CR goes to CE at the next pulse. */
  private loadsNext = false;
  /** OUT still has to change when CE reaches zero (modes 0, 1, 4, 5). */
  private armed = false;
  /** Mode 3: the count of this half cycle is odd. */
  private odd = false;
  private outputLevel = false;
  private gateLevel: boolean;
  /** Pulses of the input clock that are accounted for. */
  private pulse = 0;

  constructor(private readonly gateAtReset: boolean) {
    this.gateLevel = gateAtReset;
  }

  /** Power-on: the data sheet leaves everything undefined; this is mode 0 without a count. */
  reset(pulse: number): void {
    this.pulse = pulse;
    this.gateLevel = this.gateAtReset;
    this.writeControl(0);
    this.reload = 0;
    this.count = 0;
  }

  get output(): boolean {
    return this.outputLevel;
  }

  private get mode(): number {
    const bits = (this.control >> 1) & 7;
    return bits > 5 ? bits - 4 : bits;
  }

  private get access(): number {
    return (this.control >> 4) & 3;
  }

  private get modulus(): number {
    return (this.control & 1) !== 0 ? 10_000 : 0x10000;
  }

  /** The number of pulses that CR stands for: 1 to the modulus. */
  private get period(): number {
    const bcd = (this.control & 1) !== 0;
    const value = bcd ? fromBcd(this.reload) % 10_000 : this.reload;
    return value === 0 ? this.modulus : value;
  }

  // --- programming -------------------------------------------------------------------------------------------------

  writeControl(value: number): void {
    this.control = value & CONTROL_MASK;
    this.lowByte = null;
    this.readsHighByte = false;
    this.latchedCount = null;
    this.latchedStatus = null;
    this.nullCount = true;
    this.hasReload = false;
    this.loaded = false;
    this.loadsNext = false;
    this.armed = false;
    this.outputLevel = this.mode !== 0;
  }

  writeData(value: number): void {
    switch (this.access) {
      case ACCESS_LOW:
        this.writeCount(value);
        break;
      case ACCESS_HIGH:
        this.writeCount(value << 8);
        break;
      default:
        if (this.lowByte === null) {
          this.lowByte = value;
          // "Writing the first byte disables counting. OUT is set low immediately" (mode 0).
          if (this.mode === 0) this.outputLevel = false;
        } else {
          const low = this.lowByte;
          this.lowByte = null;
          this.writeCount(low | (value << 8));
        }
    }
  }

  private writeCount(value: number): void {
    this.reload = value;
    this.hasReload = true;
    this.nullCount = true;
    switch (this.mode) {
      case 0:
        this.outputLevel = false;
        this.loadsNext = true;
        break;
      case 4:
        this.loadsNext = true;
        break;
      case 2:
      case 3:
        if (!this.loaded) this.loadsNext = true;
        break;
      default: // Modes 1 and 5 wait for a trigger.
        break;
    }
  }

  setGate(level: boolean): void {
    if (level === this.gateLevel) return;
    this.gateLevel = level;
    const mode = this.mode;
    if (level) {
      if (this.hasReload && mode !== 0 && mode !== 4) this.loadsNext = true;
    } else if (mode === 2 || mode === 3) {
      this.outputLevel = true;
    }
  }

  // --- reading -----------------------------------------------------------------------------------------------------

  latchCount(): void {
    if (this.latchedCount === null) this.latchedCount = this.visibleCount();
  }

  latchStatus(): void {
    if (this.latchedStatus !== null) return;
    this.latchedStatus = (this.outputLevel ? STATUS_OUT : 0) | (this.nullCount ? STATUS_NULL_COUNT : 0) | this.control;
  }

  readData(): number {
    if (this.latchedStatus !== null) {
      const status = this.latchedStatus;
      this.latchedStatus = null;
      return status;
    }
    const count = this.latchedCount ?? this.visibleCount();
    switch (this.access) {
      case ACCESS_LOW:
        this.latchedCount = null;
        return count & 0xff;
      case ACCESS_HIGH:
        this.latchedCount = null;
        return count >> 8;
      default:
        this.readsHighByte = !this.readsHighByte;
        if (this.readsHighByte) return count & 0xff;
        this.latchedCount = null;
        return count >> 8;
    }
  }

  private visibleCount(): number {
    const value = this.count % this.modulus;
    return (this.control & 1) !== 0 ? toBcd(value) : value;
  }

  // --- the passing of time -----------------------------------------------------------------------------------------

  /** Accounts for all pulses up to number `pulse`. */
  advanceTo(pulse: number): void {
    let pulses = pulse - this.pulse;
    if (pulses <= 0) return;
    this.pulse = pulse;
    // A strobe lasts one pulse, whatever the gate does.
    if ((this.mode === 4 || this.mode === 5) && !this.outputLevel) this.outputLevel = true;
    if (this.loadsNext) {
      this.load();
      pulses--;
    }
    if (pulses > 0 && this.counts()) this.countDown(pulses);
  }

  /** Number of the pulse at which OUT may change next, Infinity when only the CPU or the gate can change it. */
  get nextChangePulse(): number {
    return this.pulse + Math.max(1, this.pulsesToChange());
  }

  private counts(): boolean {
    if (!this.loaded) return false;
    switch (this.mode) {
      case 0:
        return this.gateLevel && this.lowByte === null;
      case 1:
      case 5:
        return true;
      default:
        return this.gateLevel;
    }
  }

  private load(): void {
    this.loadsNext = false;
    this.nullCount = false;
    this.loaded = true;
    this.count = this.period;
    switch (this.mode) {
      case 1:
        this.outputLevel = false;
        break;
      case 2:
        this.outputLevel = true;
        break;
      case 3:
        this.outputLevel = true;
        this.startHalfCycle();
        break;
      default:
        break;
    }
    this.armed = this.mode !== 2 && this.mode !== 3;
  }

  private startHalfCycle(): void {
    const period = this.period;
    this.nullCount = false;
    this.odd = (period & 1) !== 0;
    this.count = period - (this.odd ? 1 : 0);
  }

  private countDown(pulses: number): void {
    if (this.mode === 2) this.countRate(pulses);
    else if (this.mode === 3) this.countSquare(pulses);
    else this.countOnce(pulses);
  }

  /** Modes 0, 1, 4 and 5: down to zero once, then on around the modulus without effect. */
  private countOnce(pulses: number): void {
    const modulus = this.modulus;
    const toZero = this.count === 0 ? modulus : this.count;
    if (this.armed && pulses >= toZero) {
      this.armed = false;
      if (this.mode <= 1) this.outputLevel = true;
      else this.outputLevel = pulses > toZero;
    }
    this.count = (((this.count - pulses) % modulus) + modulus) % modulus;
  }

  /** Mode 2: N down to 1, OUT low while CE is 1. */
  private countRate(pulses: number): void {
    if (pulses < this.count) {
      this.count -= pulses;
    } else {
      const period = this.period;
      this.nullCount = false;
      this.count = period - ((pulses - this.count) % period);
    }
    this.outputLevel = this.count !== 1 || this.period === 1;
  }

  /** Mode 3: down by two, N/2 pulses high and N/2 low; odd counts are high for one pulse more. */
  private countSquare(pulses: number): void {
    let left = pulses;
    const toEnd = this.halfCycleLeft();
    if (left < toEnd) {
      this.count -= 2 * left;
      return;
    }
    left -= toEnd;
    this.toggle();
    left %= this.period;
    const half = this.halfCycleLeft();
    if (left >= half) {
      left -= half;
      this.toggle();
    }
    this.count -= 2 * left;
  }

  private toggle(): void {
    this.outputLevel = this.period === 1 || !this.outputLevel;
    this.startHalfCycle();
  }

  private halfCycleLeft(): number {
    return this.count / 2 + (this.odd && this.outputLevel ? 1 : 0);
  }

  private pulsesToChange(): number {
    const mode = this.mode;
    const period = this.period;
    const never = Number.POSITIVE_INFINITY;
    if ((mode === 4 || mode === 5) && !this.outputLevel) return 1;
    if (this.loadsNext) {
      if (mode === 1 && this.outputLevel) return 1;
      if ((mode === 2 || mode === 3) && (period === 1 || !this.gateLevel)) return this.outputLevel ? never : 1;
      if (!this.countsOnceLoaded()) return never;
      if (mode === 2) return period;
      return 1 + (mode === 3 ? Math.ceil(period / 2) : period);
    }
    if (!this.counts()) return never;
    if (mode === 2) {
      if (this.outputLevel && period === 1) return never;
      return this.outputLevel ? Math.max(1, this.count - 1) : this.count;
    }
    if (mode === 3) return period === 1 && this.count === 0 ? never : this.halfCycleLeft();
    if (!this.armed) return never;
    return this.count === 0 ? this.modulus : this.count;
  }

  private countsOnceLoaded(): boolean {
    return this.mode === 1 || this.mode === 5 || (this.gateLevel && (this.mode !== 0 || this.lowByte === null));
  }

  // --- state -------------------------------------------------------------------------------------------------------

  save(): DeviceState {
    return {
      control: this.control,
      reload: this.reload,
      hasReload: this.hasReload,
      lowByte: this.lowByte,
      readsHighByte: this.readsHighByte,
      latchedCount: this.latchedCount,
      latchedStatus: this.latchedStatus,
      nullCount: this.nullCount,
      count: this.count,
      loaded: this.loaded,
      loadsNext: this.loadsNext,
      armed: this.armed,
      odd: this.odd,
      output: this.outputLevel,
      gate: this.gateLevel,
      pulse: this.pulse,
    };
  }

  restore(reader: StateReader): void {
    this.control = reader.integer('control', 0, CONTROL_MASK);
    this.reload = reader.integer('reload', 0, 0xffff);
    this.hasReload = reader.boolean('hasReload');
    this.lowByte = reader.optionalInteger('lowByte', 0, 0xff);
    this.readsHighByte = reader.boolean('readsHighByte');
    this.latchedCount = reader.optionalInteger('latchedCount', 0, 0xffff);
    this.latchedStatus = reader.optionalInteger('latchedStatus', 0, 0xff);
    this.nullCount = reader.boolean('nullCount');
    this.count = reader.integer('count', 0, 0x10000);
    this.loaded = reader.boolean('loaded');
    this.loadsNext = reader.boolean('loadsNext');
    this.armed = reader.boolean('armed');
    this.odd = reader.boolean('odd');
    this.outputLevel = reader.boolean('output');
    this.gateLevel = reader.boolean('gate');
    this.pulse = reader.integer('pulse', 0, Number.MAX_SAFE_INTEGER);
    reader.end();
    const possible = this.mode === 2 ? this.count > 0 : this.mode === 3 ? this.count % 2 === 0 : true;
    if (this.loaded && !possible) throw new StateError(`pit: no count of ${this.count} in mode ${this.mode}`);
  }
}

function fromBcd(value: number): number {
  return ((value >> 12) & 0xf) * 1000 + ((value >> 8) & 0xf) * 100 + ((value >> 4) & 0xf) * 10 + (value & 0xf);
}

function toBcd(value: number): number {
  const digit = (weight: number): number => Math.floor(value / weight) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
