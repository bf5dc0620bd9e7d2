/**
 * Bus master IDE: one channel's engine that moves data between a drive and memory along a table of physical region
 * descriptors (82371SB data sheet, 2.8 and 3.4; Programming Interface for Bus Master IDE Controller, rev. 1.0).
 */
import type { Alarm, Clock } from '../../clock/clock.js';
import type { BusMemory, DeviceState } from '../device.js';
import { alarmFromState, alarmToState, copyOf, NOT_ARMED, stateLike } from '../plain-state.js';
import { type AtaDevice, PHASE } from './ata-device.js';
import { TIME } from './registers.js';

const COMMAND_START = 0x01;
const COMMAND_TO_MEMORY = 0x08;
const STATUS_ACTIVE = 0x01;
const STATUS_ERROR = 0x02;
const STATUS_INTERRUPT = 0x04;
/** Set by software to tell that the drives can do DMA. */
const STATUS_DRIVE_CAPABLE = 0x60;
const END_OF_TABLE = 0x80000000;

const freshState = () => ({
  command: 0,
  status: 0,
  table: 0,
  /** Where the next descriptor is, and what is left of the present region. */
  next: 0,
  address: 0,
  bytesLeft: 0,
  last: false,
  alarmDueNs: NOT_ARMED,
});

export interface BusMasterConfig {
  readonly name: string;
  readonly clock: Clock;
  readonly memory: BusMemory;
  /** The drive that requests DMA now, if any. */
  readonly requester: () => AtaDevice | undefined;
  /** Bit 2 of the PCI command register: without it no bus cycle happens. */
  readonly enabled: () => boolean;
}

export class BusMaster {
  private state = freshState();
  private readonly alarm: Alarm;

  constructor(private readonly config: BusMasterConfig) {
    this.alarm = config.clock.createAlarm(config.name, () => this.pump());
  }

  reset(): void {
    this.state = freshState();
    this.alarm.disarm();
  }

  /** Registers 0-7 of the channel, a byte each; 1 and 3 are reserved. */
  read(register: number): number {
    const { state } = this;
    if (register === 0) return state.command;
    if (register === 2) return state.status;
    return register >= 4 ? (state.table >>> (8 * (register - 4))) & 0xff : 0;
  }

  write(register: number, value: number): void {
    const { state } = this;
    if (register === 0) {
      this.writeCommand(value & (COMMAND_START | COMMAND_TO_MEMORY));
    } else if (register === 2) {
      // Error and interrupt are cleared by writing ones, "active" is read only.
      const cleared = value & (STATUS_ERROR | STATUS_INTERRUPT);
      state.status = (state.status & ~STATUS_DRIVE_CAPABLE & ~cleared) | (value & STATUS_DRIVE_CAPABLE);
    } else if (register >= 4) {
      const shift = 8 * (register - 4);
      state.table = ((state.table & ~(0xff << shift)) | (value << shift)) >>> 0;
      // The table is aligned to four bytes: bits 1 and 0 are hardwired.
      state.table = (state.table & ~3) >>> 0;
    }
  }

  private writeCommand(value: number): void {
    const { state } = this;
    const wasStarted = (state.command & COMMAND_START) !== 0;
    state.command = value;
    if ((value & COMMAND_START) === 0) {
      state.status &= ~STATUS_ACTIVE;
      this.alarm.disarm();
    } else if (!wasStarted) {
      state.status |= STATUS_ACTIVE;
      state.next = state.table;
      state.bytesLeft = 0;
      state.last = false;
      this.alarm.armAt(this.config.clock.nowNs + TIME.busMasterStartNs);
    }
  }

  /** The rising edge of the channel's interrupt line. All data are in memory by then. */
  interruptRaised(): void {
    this.state.status |= STATUS_INTERRUPT;
  }

  /** Moves data while a drive requests it and the table has room. Called by the drive's alarms and by its own. */
  pump(): void {
    const { state, config } = this;
    if (this.alarm.dueNs !== Number.POSITIVE_INFINITY || !config.enabled()) return;
    const toMemory = (state.command & COMMAND_TO_MEMORY) !== 0;
    while ((state.status & STATUS_ACTIVE) !== 0) {
      const drive = config.requester();
      // A drive that moves the other way never answers the engine's strobes: nothing happens until the host gives up.
      if (drive === undefined || (drive.phase === PHASE.dmaIn) !== toMemory) return;
      if (state.bytesLeft === 0) this.loadDescriptor();
      const bytes = drive.dmaBytes;
      const length = Math.min(bytes.length, state.bytesLeft);
      const piece = bytes.subarray(0, length);
      if (toMemory) config.memory.writeBytes(state.address, piece);
      else config.memory.readBytes(state.address, piece);
      state.address = (state.address + length) % 0x100000000;
      state.bytesLeft -= length;
      // An odd answer of a packet device occupies a whole word.
      if (length === bytes.length && length % 2 === 1) {
        state.address = (state.address + 1) % 0x100000000;
        state.bytesLeft -= 1;
      }
      drive.dmaMoved(length);
      if (state.bytesLeft === 0 && state.last) state.status &= ~STATUS_ACTIVE;
    }
  }

  /** Eight bytes: address and, in bits 15-1, the byte count, where 0 stands for 64 KiB (1.2 of the interface). */
  private loadDescriptor(): void {
    const { state, config } = this;
    state.address = (config.memory.read32(state.next) & ~1) >>> 0;
    const control = config.memory.read32(state.next + 4);
    state.bytesLeft = control & 0xfffe || 0x10000;
    state.last = (control & END_OF_TABLE) !== 0;
    state.next = (state.next + 8) % 0x100000000;
  }

  save(): DeviceState {
    this.state.alarmDueNs = alarmToState(this.alarm);
    return copyOf(this.state);
  }

  restore(state: DeviceState): void {
    this.state = stateLike(freshState(), state, this.config.name);
    alarmFromState(this.alarm, this.state.alarmDueNs);
  }
}
