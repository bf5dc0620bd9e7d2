/**
 * The 8254 timer of the AT (Intel 82C54 data sheet, order 231244) at ports 40h-43h, and port 61h around it (Intel
 * 82371SB data sheet, section 2.5.5.1 "NMISC"): gate and output of counter 2, which drives the speaker, and the bit
 * that toggles with each memory refresh, every 18 input clocks (15.085 us).
 *
 * The input clock is 1193182 Hz, counted from the start of virtual time; a pulse is complete at the first nanosecond
 * not before its exact moment, so periods never drift. Output 0 is interrupt line 0; an alarm stands at its next change.
 */
import type { Alarm, Clock } from '../clock/clock.js';
import type { AccessSize, Device, DeviceState, IrqLine, PortRegistrar } from './device.js';
import { cyclesAt, nsOfCycle } from './frequency.js';
import { PitCounter } from './pit-counter.js';
import { StateReader, savedDueNs } from './state-reader.js';

export interface PitConfig {
  readonly ports: PortRegistrar;
  readonly clock: Clock;
  readonly irq0: IrqLine;
}

export const PIT_FREQUENCY_HZ = 1_193_182;

const CONTROL_PORT = 3;
const SYSTEM_PORT_B = 0x61;
const PULSES_PER_REFRESH = 18;

const GATE_2 = 0x01;
/** Gate of counter 2, speaker data, and the two NMI disables (no source of either is present). */
const SYSTEM_PORT_B_WRITABLE = 0x0f;
const REFRESH_TOGGLE = 0x10;
const OUTPUT_2 = 0x20;

export class Pit implements Device {
  readonly name = 'pit';
  private readonly counters: readonly [PitCounter, PitCounter, PitCounter];
  private readonly alarm: Alarm;
  private systemPortB = 0;

  constructor(private readonly config: PitConfig) {
    this.counters = [new PitCounter(true), new PitCounter(true), new PitCounter(false)];
    this.alarm = config.clock.createAlarm('pit', (dueNs) => {
      this.advance(cyclesAt(dueNs, PIT_FREQUENCY_HZ));
      this.arm();
    });
    config.ports.claim(0x40, 4, {
      byteWide: true,
      read: (port) => this.readCounterPort(port & 3),
      write: (port: number, _size: AccessSize, value: number) => this.writeCounterPort(port & 3, value),
    });
    config.ports.claim(SYSTEM_PORT_B, 1, {
      byteWide: true,
      read: () => this.readSystemPortB(),
      write: (_port, _size, value) => this.writeSystemPortB(value),
    });
  }

  reset(): void {
    const pulse = this.pulseNow();
    for (const counter of this.counters) counter.reset(pulse);
    this.systemPortB = 0;
    this.config.irq0.set(this.counters[0].output);
    this.arm();
  }

  private pulseNow(): number {
    return cyclesAt(this.config.clock.nowNs, PIT_FREQUENCY_HZ);
  }

  /** Brings all counters to `pulse`, showing every change of output 0 on the way to the interrupt controller. */
  private advance(pulse: number): void {
    const [timer, refresh, speaker] = this.counters;
    while (timer.nextChangePulse <= pulse) {
      timer.advanceTo(timer.nextChangePulse);
      this.config.irq0.set(timer.output);
    }
    timer.advanceTo(pulse);
    refresh.advanceTo(pulse);
    speaker.advanceTo(pulse);
  }

  private arm(): void {
    const pulse = this.counters[0].nextChangePulse;
    const dueNs = pulse === Number.POSITIVE_INFINITY ? pulse : nsOfCycle(pulse, PIT_FREQUENCY_HZ);
    if (dueNs !== this.alarm.dueNs) this.alarm.armAt(dueNs);
  }

  private readCounterPort(index: number): number {
    // "No operation": nobody drives the bus when the control word is read.
    if (index === CONTROL_PORT) return 0xff;
    this.advance(this.pulseNow());
    return this.counters[index]!.readData();
  }

  private writeCounterPort(index: number, value: number): void {
    this.advance(this.pulseNow());
    if (index === CONTROL_PORT) this.writeControlPort(value);
    else this.counters[index]!.writeData(value);
    this.config.irq0.set(this.counters[0].output);
    this.arm();
  }

  /** Control word, counter latch command or read-back command (data sheet, figures 7, 9 and 11). */
  private writeControlPort(value: number): void {
    const select = value >> 6;
    if (select === 3) {
      for (const [index, counter] of this.counters.entries()) {
        if ((value & (2 << index)) === 0) continue;
        if ((value & 0x20) === 0) counter.latchCount();
        if ((value & 0x10) === 0) counter.latchStatus();
      }
    } else if ((value & 0x30) === 0) {
      this.counters[select]!.latchCount();
    } else {
      this.counters[select]!.writeControl(value);
    }
  }

  private readSystemPortB(): number {
    const pulse = this.pulseNow();
    this.advance(pulse);
    const refresh = Math.floor(pulse / PULSES_PER_REFRESH) % 2 === 1 ? REFRESH_TOGGLE : 0;
    return this.systemPortB | refresh | (this.counters[2].output ? OUTPUT_2 : 0);
  }

  private writeSystemPortB(value: number): void {
    this.advance(this.pulseNow());
    this.systemPortB = value & SYSTEM_PORT_B_WRITABLE;
    this.counters[2].setGate((value & GATE_2) !== 0);
  }

  save(): DeviceState {
    return {
      counters: this.counters.map((counter) => counter.save()),
      systemPortB: this.systemPortB,
      alarmDueNs: savedDueNs(this.alarm.dueNs),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    const counters = reader.objects('counters', this.counters.length);
    const systemPortB = reader.integer('systemPortB', 0, SYSTEM_PORT_B_WRITABLE);
    const alarmDueNs = reader.dueNs('alarmDueNs');
    reader.end();
    for (const [index, counter] of this.counters.entries()) counter.restore(counters[index]!);
    this.systemPortB = systemPortB;
    this.alarm.armAt(alarmDueNs);
  }
}
