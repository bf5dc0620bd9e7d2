/**
 * The real-time clock with its battery-backed memory: Motorola MC146818A (data sheet ADI-856R2) at ports 70h and 71h,
 * with 128 bytes as in the PIIX3, interrupt line 8. Bit 7 of port 70h masks NMI; the port reads as last written.
 *
 * The 32768 Hz divider chain runs from `originNs`: the periodic taps fall at multiples of their period, updates end
 * half a second after the origin and every second from there (data sheet, "Divider Control" and "Update Cycle").
 * Between accesses nothing is counted: the registers are brought up to date when somebody looks or an interrupt is due.
 *
 * Only divider setting 010 keeps time (the crystal of the AT is 32768 Hz); the others hold the chain in reset. The
 * daylight saving bit is memory without effect, as in chip sets since its dates became law no longer. The registers
 * change at the end of an update cycle; UIP covers the 244 us before it and its 1984 us.
 */
import type { Alarm, Clock } from '../clock/clock.js';
import type { AccessSize, Device, DeviceState, IrqLine, PortRegistrar } from './device.js';
import { cyclesAt, nsOfCycle } from './frequency.js';
import { RtcCalendar, type TimeFormat } from './rtc-calendar.js';
import { StateReader, savedDueNs } from './state-reader.js';

export interface RtcConfig {
  readonly ports: PortRegistrar;
  readonly clock: Clock;
  readonly irq8: IrqLine;
  /** Time of day at virtual time zero, seconds since 1970 UTC. */
  readonly epochSeconds: number;
  /** The 128 bytes of the chip; what the clock itself needs (0-9 without alarms, A-D, century) is filled in. */
  readonly cmos: Uint8Array;
}

const CMOS_SIZE_BYTES = 128;

const CRYSTAL_HZ = 32_768;
const CYCLES_PER_HALF_SECOND = CRYSTAL_HZ / 2;
const HALF_SECOND_NS = 500_000_000;
const NS_PER_SECOND = 1_000_000_000;
const UPDATE_IN_PROGRESS_NS = (244 + 1984) * 1000;

const INDEX_PORT = 0x70;
const NMI_MASK = 0x80;
const INDEX_MASK = 0x7f;

const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;

const A_UIP = 0x80;
const A_DIVIDER = 0x70;
const A_DIVIDER_RUNS = 0x20;
const A_RATE = 0x0f;
/** 32768 Hz crystal, periodic rate 1024 Hz: what firmware sets. */
const A_AT_POWER_ON = 0x26;

const B_SET = 0x80;
const B_PERIODIC = 0x40;
const B_ALARM = 0x20;
const B_UPDATE = 0x10;
const B_SQUARE_WAVE = 0x08;
const B_BINARY = 0x04;
const B_24_HOURS = 0x02;

const C_IRQF = 0x80;
/** PF, AF and UF of register C stand at the bits of their enables in register B. */
const INTERRUPTS = B_PERIODIC | B_ALARM | B_UPDATE;

const D_VALID_RAM_AND_TIME = 0x80;

export class Rtc implements Device {
  readonly name = 'rtc';
  private readonly memory = new Uint8Array(CMOS_SIZE_BYTES);
  private readonly calendar = new RtcCalendar(this.memory);
  private readonly alarm: Alarm;
  private indexPort = 0;
  /** When the divider chain started from zero. */
  private originNs: number;
  /** Cycles of the divider chain that are accounted for. */
  private cycle: number;

  constructor(private readonly config: RtcConfig) {
    if (config.cmos.length !== CMOS_SIZE_BYTES) throw new RangeError(`rtc: cmos must have ${CMOS_SIZE_BYTES} bytes`);
    this.memory.set(config.cmos);
    this.memory[REGISTER_A] = A_AT_POWER_ON;
    this.memory[REGISTER_B] = B_24_HOURS;
    this.memory[REGISTER_C] = 0;
    this.memory[REGISTER_D] = D_VALID_RAM_AND_TIME;
    // So that updates end at whole seconds of virtual time.
    this.originNs = -HALF_SECOND_NS;
    this.cycle = this.cycleNow();
    this.calendar.setTo(config.epochSeconds + Math.floor(config.clock.nowNs / NS_PER_SECOND), this.format);
    this.alarm = config.clock.createAlarm('rtc', () => this.update());
    config.ports.claim(INDEX_PORT, 2, {
      byteWide: true,
      read: (port) => (port === INDEX_PORT ? this.indexPort : this.readRegister(this.indexPort & INDEX_MASK)),
      write: (port: number, _size: AccessSize, value: number) => {
        if (port === INDEX_PORT) this.indexPort = value;
        else this.writeRegister(this.indexPort & INDEX_MASK, value);
      },
    });
  }

  /** The guest has switched NMI off (bit 7 of port 70h). */
  get nmiMasked(): boolean {
    return (this.indexPort & NMI_MASK) !== 0;
  }

  /** The RESET pin: interrupts off, flags gone. Time, memory and the other modes have a battery. */
  reset(): void {
    this.catchUp();
    this.indexPort = 0;
    this.memory[REGISTER_B]! &= ~(INTERRUPTS | B_SQUARE_WAVE);
    this.memory[REGISTER_C] = 0;
    this.driveInterrupt();
  }

  private get format(): TimeFormat {
    const modes = this.memory[REGISTER_B]!;
    return { binary: (modes & B_BINARY) !== 0, hours24: (modes & B_24_HOURS) !== 0 };
  }

  private get running(): boolean {
    return (this.memory[REGISTER_A]! & A_DIVIDER) === A_DIVIDER_RUNS;
  }

  private get updating(): boolean {
    return this.running && (this.memory[REGISTER_B]! & B_SET) === 0;
  }

  /** Cycles between two periodic interrupts (data sheet, table 5), 0 for none. */
  private get periodCycles(): number {
    const rate = this.memory[REGISTER_A]! & A_RATE;
    if (rate === 0) return 0;
    // The first two settings repeat 256 Hz and 128 Hz of settings 8 and 9.
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  private cycleNow(): number {
    return cyclesAt(this.config.clock.nowNs - this.originNs, CRYSTAL_HZ);
  }

  private nsOf(cycle: number): number {
    return this.originNs + nsOfCycle(cycle, CRYSTAL_HZ);
  }

  private catchUp(): void {
    if (!this.running) return;
    const cycle = this.cycleNow();
    const period = this.periodCycles;
    let flags = 0;
    if (period > 0 && Math.floor(cycle / period) > Math.floor(this.cycle / period)) flags |= B_PERIODIC;
    const updates = updatesUntil(cycle) - updatesUntil(this.cycle);
    if (updates > 0 && this.updating) {
      flags |= B_UPDATE;
      if (this.calendar.updatesToAlarm(this.format) <= updates) flags |= B_ALARM;
      this.calendar.advance(updates, this.format);
    }
    this.memory[REGISTER_C]! |= flags;
    this.cycle = cycle;
  }

  private get interruptRequested(): boolean {
    return (this.memory[REGISTER_B]! & this.memory[REGISTER_C]! & INTERRUPTS) !== 0;
  }

  private update(): void {
    this.catchUp();
    this.driveInterrupt();
  }

  /** Shows IRQF on the line and sets the alarm for the moment it can next rise. Needs to be caught up. */
  private driveInterrupt(): void {
    this.config.irq8.set(this.interruptRequested);
    const dueNs = this.interruptRequested ? Number.POSITIVE_INFINITY : this.nextInterruptNs();
    if (dueNs !== this.alarm.dueNs) this.alarm.armAt(dueNs);
  }

  private nextInterruptNs(): number {
    const enabled = this.memory[REGISTER_B]!;
    let cycle = Number.POSITIVE_INFINITY;
    if (this.running && (enabled & B_PERIODIC) !== 0 && this.periodCycles > 0) {
      cycle = (Math.floor(this.cycle / this.periodCycles) + 1) * this.periodCycles;
    }
    if (this.updating) {
      if ((enabled & B_UPDATE) !== 0) cycle = Math.min(cycle, this.cycleOfUpdate(1));
      else if ((enabled & B_ALARM) !== 0) cycle = Math.min(cycle, this.cycleOfUpdate(this.calendar.updatesToAlarm(this.format)));
    }
    return cycle === Number.POSITIVE_INFINITY ? cycle : this.nsOf(cycle);
  }

  private cycleOfUpdate(updatesFromNow: number): number {
    return (updatesUntil(this.cycle) + updatesFromNow) * CRYSTAL_HZ - CYCLES_PER_HALF_SECOND;
  }

  private readRegister(index: number): number {
    this.update();
    const value = this.memory[index]!;
    if (index === REGISTER_A) {
      const inProgress = this.updating && this.nsOf(this.cycleOfUpdate(1)) - this.config.clock.nowNs <= UPDATE_IN_PROGRESS_NS;
      return inProgress ? value | A_UIP : value;
    }
    if (index === REGISTER_C) {
      const flags = this.interruptRequested ? value | C_IRQF : value;
      this.memory[REGISTER_C] = 0;
      this.driveInterrupt();
      return flags;
    }
    return value;
  }

  private writeRegister(index: number, value: number): void {
    this.catchUp();
    switch (index) {
      case REGISTER_A: {
        const ran = this.running;
        this.memory[REGISTER_A] = value & ~A_UIP;
        if (this.running && !ran) {
          this.originNs = this.config.clock.nowNs;
          this.cycle = 0;
        }
        break;
      }
      case REGISTER_B:
        // "The SET bit going high clears the UIE bit."
        this.memory[REGISTER_B] = (value & B_SET) !== 0 ? value & ~B_UPDATE : value;
        break;
      case REGISTER_C:
      case REGISTER_D:
        break; // Read only.
      default:
        this.memory[index] = value;
    }
    this.driveInterrupt();
  }

  save(): DeviceState {
    return {
      memory: this.memory.slice(),
      indexPort: this.indexPort,
      originNs: this.originNs,
      cycle: this.cycle,
      alarmDueNs: savedDueNs(this.alarm.dueNs),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    const memory = reader.bytes('memory', CMOS_SIZE_BYTES);
    const indexPort = reader.byte('indexPort');
    const originNs = reader.integer('originNs', -HALF_SECOND_NS, Number.MAX_SAFE_INTEGER);
    const cycle = reader.integer('cycle', 0, Number.MAX_SAFE_INTEGER);
    const alarmDueNs = reader.dueNs('alarmDueNs');
    reader.end();
    this.memory.set(memory);
    this.indexPort = indexPort;
    this.originNs = originNs;
    this.cycle = cycle;
    this.alarm.armAt(alarmDueNs);
  }
}

/** How many update cycles have ended when the divider chain has come to `cycle`. */
function updatesUntil(cycle: number): number {
  return Math.floor((cycle + CYCLES_PER_HALF_SECOND) / CRYSTAL_HZ);
}
