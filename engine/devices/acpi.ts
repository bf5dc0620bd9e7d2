/**
 * ACPI fixed hardware of the PIIX4: PM1a event and control registers, power management timer, the system control
 * interrupt, sleep states, and the SMI command port (ACPI 1.0b, 4.7; 82371AB data sheet, 7.2 and 7.3).
 *
 * The processor has no system management mode; what its handler would do about ACPI is done here: the commands of the
 * FADT switch SCI_EN.
 */
import type { Alarm, Clock } from '../clock/clock.js';
import type { AccessSize, Device, DeviceState, IrqLine, PortHandler, PortRegistrar } from './device.js';
import { cyclesAt, nsOfCycle } from './frequency.js';
import { alarmFromState, alarmToState, copyOf, NOT_ARMED, stateLike } from './plain-state.js';

const PM_TIMER_HZ = 3_579_545;
/** The timer has 24 bits; its status bit is set each time the highest one changes (ACPI 1.0b, 4.7.2.1). */
const TIMER_MASK = 0xffffff;
const TIMER_HALF = 0x800000;

/** Offsets in the 64 ports at the power management base. */
export const PM_REGISTER = { pm1Status: 0x00, pm1Enable: 0x02, pm1Control: 0x04, timer: 0x08 } as const;

/** PM1 status and enable bits (tables 4-7 and 4-8). */
const PM1 = { timer: 0x0001, busMaster: 0x0010, global: 0x0020, powerButton: 0x0100, rtc: 0x0400, wake: 0x8000 } as const;
const PM1_STATUS_MASK = PM1.timer | PM1.busMaster | PM1.global | PM1.powerButton | PM1.rtc | PM1.wake;
const PM1_ENABLE_MASK = PM1.timer | PM1.global | PM1.powerButton | PM1.rtc;
/** PM1 control (table 4-9). SLP_EN is not stored: it acts. */
const CONTROL = { sciEnable: 0x0001, busMasterReload: 0x0002, sleepType: 0x1c00, sleepEnable: 0x2000 } as const;
const CONTROL_MASK = CONTROL.sciEnable | CONTROL.busMasterReload | CONTROL.sleepType;
/** SUS_TYP 0 of the PIIX4 is soft off (82371AB, 7.2.3). */
const SLEEP_TYPE_OFF = 0;

export const SMI_COMMAND_PORT = 0xb2;
/** What the FADT of this machine, and that of every BIOS for this chipset, names for it. */
export const ACPI_ENABLE_COMMAND = 0xf1;
export const ACPI_DISABLE_COMMAND = 0xf0;

/**
 * General purpose events, two bytes of status and two of enables, where the tables that SeaBIOS builds for this
 * chipset have them. There is no source of such events; without the ports all of them would seem to be pending.
 */
const GENERAL_EVENT_PORT = 0xafe0;

const STORAGE_BYTES = 64;
/** Offsets of the stored registers that hold enables and control bits; status registers read zero. */
const STORED: readonly (readonly [first: number, last: number])[] = [
  [0x0e, 0x0f],
  [0x10, 0x13],
  [0x20, 0x21],
  [0x28, 0x2b],
  [0x2c, 0x2f],
  [0x34, 0x37],
];

export interface AcpiConfig {
  readonly clock: Clock;
  readonly ports: PortRegistrar;
  /** The system control interrupt, wired to input 9. */
  readonly sci: IrqLine;
  /** The guest asked for the soft-off state. */
  readonly onPowerOff: () => void;
}

const freshState = () => ({
  pm1Status: 0,
  pm1Enable: 0,
  pm1Control: 0,
  /** How many changes of the timer's highest bit the status bit accounts for. */
  timerHalvesSeen: 0,
  storage: new Uint8Array(STORAGE_BYTES),
  generalEnable: new Uint8Array(2),
  apmCommand: 0,
  apmStatus: 0,
  alarmDueNs: NOT_ARMED,
});

export class AcpiPowerManagement implements Device {
  readonly name = 'acpi';
  private state = freshState();
  private readonly alarm: Alarm;

  constructor(private readonly config: AcpiConfig) {
    this.alarm = config.clock.createAlarm('acpi.timer', () => this.update());
    // APM control and status ports (82371AB, 5.4): the command is also the one that the FADT names.
    config.ports.claim(SMI_COMMAND_PORT, 2, {
      byteWide: true,
      read: (port) => (port === SMI_COMMAND_PORT ? this.state.apmCommand : this.state.apmStatus),
      write: (port, _size, value) => this.writeApm(port, value & 0xff),
    });
    config.ports.claim(GENERAL_EVENT_PORT, 4, {
      byteWide: true,
      read: (port) => this.state.generalEnable[port - GENERAL_EVENT_PORT - 2] ?? 0,
      write: (port, _size, value) => {
        if (port >= GENERAL_EVENT_PORT + 2) this.state.generalEnable[port - GENERAL_EVENT_PORT - 2] = value;
      },
    });
  }

  reset(): void {
    this.state = freshState();
    this.state.timerHalvesSeen = this.timerHalves();
    this.update();
  }

  /** Host side: the button was pressed (and released again, so that its four-second override never acts). */
  pressPowerButton(): void {
    this.state.pm1Status |= PM1.powerButton;
    this.update();
  }

  /** The 64 ports that the PCI function places; wider accesses are put together from bytes, the timer at one moment. */
  readonly registers: PortHandler = {
    read: (port, size) => {
      if ((port & 0x3f) === PM_REGISTER.timer && size === 4) return this.timer();
      let value = 0;
      for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + this.readByte((port + byte) & 0x3f);
      return value;
    },
    write: (port, size, value) => this.writeBytes(port & 0x3f, size, value),
  };

  private timerCycles(): number {
    return cyclesAt(this.config.clock.nowNs, PM_TIMER_HZ);
  }

  private timer(): number {
    return this.timerCycles() % (TIMER_MASK + 1);
  }

  private timerHalves(): number {
    return Math.floor(this.timerCycles() / TIMER_HALF);
  }

  /** Status with the timer's bit as of now. */
  private pm1Status(): number {
    const { state } = this;
    const halves = this.timerHalves();
    if (halves > state.timerHalvesSeen) {
      state.timerHalvesSeen = halves;
      state.pm1Status |= PM1.timer;
    }
    return state.pm1Status;
  }

  private readByte(offset: number): number {
    const { state } = this;
    const of = (value: number, first: number): number => (value >>> (8 * (offset - first))) & 0xff;
    switch (offset & ~1) {
      case PM_REGISTER.pm1Status:
        return of(this.pm1Status(), PM_REGISTER.pm1Status);
      case PM_REGISTER.pm1Enable:
        return of(state.pm1Enable, PM_REGISTER.pm1Enable);
      case PM_REGISTER.pm1Control:
        return of(state.pm1Control, PM_REGISTER.pm1Control);
      case PM_REGISTER.timer:
      case PM_REGISTER.timer + 2:
        return of(this.timer(), PM_REGISTER.timer);
      default:
        return state.storage[offset] as number;
    }
  }

  private writeBytes(offset: number, size: AccessSize, value: number): void {
    const { state } = this;
    for (let byte = 0; byte < size; byte++) {
      const at = offset + byte;
      const shift = 8 * (at & 1);
      const mask = 0xff << shift;
      const bits = ((value >>> (8 * byte)) & 0xff) << shift;
      switch (at & ~1) {
        case PM_REGISTER.pm1Status:
          state.pm1Status = this.pm1Status() & ~(bits & PM1_STATUS_MASK);
          break;
        case PM_REGISTER.pm1Enable:
          state.pm1Enable = ((state.pm1Enable & ~mask) | bits) & PM1_ENABLE_MASK;
          break;
        case PM_REGISTER.pm1Control:
          state.pm1Control = ((state.pm1Control & ~mask) | bits) & CONTROL_MASK;
          if ((bits & CONTROL.sleepEnable) !== 0) this.sleep();
          break;
        default:
          if (STORED.some(([first, last]) => at >= first && at <= last)) state.storage[at] = bits >>> shift;
      }
    }
    this.update();
  }

  /** Only soft off exists; the tables offer no other state, and asking for one does nothing. */
  private sleep(): void {
    if ((this.state.pm1Control & CONTROL.sleepType) >>> 10 === SLEEP_TYPE_OFF) this.config.onPowerOff();
  }

  private writeApm(port: number, value: number): void {
    const { state } = this;
    if (port !== SMI_COMMAND_PORT) {
      state.apmStatus = value;
      return;
    }
    state.apmCommand = value;
    if (value === ACPI_ENABLE_COMMAND) state.pm1Control |= CONTROL.sciEnable;
    else if (value === ACPI_DISABLE_COMMAND) state.pm1Control &= ~CONTROL.sciEnable;
    this.update();
  }

  /** The interrupt line, and the alarm for the next change of the timer's highest bit where that matters. */
  private update(): void {
    const { state, config } = this;
    const sciEnabled = (state.pm1Control & CONTROL.sciEnable) !== 0;
    config.sci.set(sciEnabled && (this.pm1Status() & state.pm1Enable) !== 0);
    const timerMatters = sciEnabled && (state.pm1Enable & PM1.timer) !== 0 && (state.pm1Status & PM1.timer) === 0;
    if (timerMatters) this.alarm.armAt(nsOfCycle((state.timerHalvesSeen + 1) * TIMER_HALF, PM_TIMER_HZ));
    else this.alarm.disarm();
  }

  save(): DeviceState {
    this.state.alarmDueNs = alarmToState(this.alarm);
    return copyOf(this.state);
  }

  restore(state: DeviceState): void {
    this.state = stateLike(freshState(), state, this.name);
    alarmFromState(this.alarm, this.state.alarmDueNs);
    const { pm1Control, pm1Status, pm1Enable } = this.state;
    this.config.sci.set((pm1Control & CONTROL.sciEnable) !== 0 && (pm1Status & pm1Enable) !== 0);
  }
}
