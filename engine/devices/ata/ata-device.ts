/**
 * What disks and packet devices have in common: the task file, the status, the interrupt request, one data buffer
 * that either the data port (PIO) or the bus master (DMA) empties or fills, and one alarm for everything that takes
 * time (ATA/ATAPI-6, chapter 7 for the registers, 9.1-9.8 for the protocols).
 */
import type { Alarm, Clock } from '../../clock/clock.js';
import { type DeviceState, StateError } from '../device.js';
import { alarmFromState, alarmToState, copyOf, NOT_ARMED, stateLike } from '../plain-state.js';
import { COMMAND, DEVICE, ERROR, REGISTER, STATUS, TIME } from './registers.js';

/** Bytes in a buffer of the engine's own. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What a drive tells its channel. */
export interface DriveHost {
  interruptChanged(): void;
  /** The drive has data for the bus master, or room for some. */
  dmaRequested(): void;
}

/** Who moves the data of the present phase, and which way. */
export const PHASE = { none: 0, pioIn: 1, pioOut: 2, dmaIn: 3, dmaOut: 4 } as const;

/** What the alarm brings; a drive adds its own from `firstOfDrive` on. */
export const STEP = { none: 0, reset: 1, diagnostic: 2, command: 3, firstOfDrive: 4 } as const;

/** Registers that hold two bytes, the older one for 48-bit commands (6.20). */
const freshTaskFile = () => ({
  status: 0,
  error: 0,
  features: 0,
  featuresPrevious: 0,
  sectorCount: 0,
  sectorCountPrevious: 0,
  lbaLow: 0,
  lbaLowPrevious: 0,
  lbaMid: 0,
  lbaMidPrevious: 0,
  lbaHigh: 0,
  lbaHighPrevious: 0,
  device: 0,
  command: 0,
  interrupt: false,
  sleeping: false,
  phase: PHASE.none as number,
  step: STEP.none as number,
  buffer: new Uint8Array(0),
  bufferAt: 0,
  alarmDueNs: NOT_ARMED,
});
export type TaskFile = ReturnType<typeof freshTaskFile>;

export abstract class AtaDevice {
  protected task: TaskFile = freshTaskFile();
  private readonly alarm: Alarm;

  /** @param index 0 for the master, 1 for the slave. */
  constructor(
    readonly name: string,
    readonly index: 0 | 1,
    private readonly clock: Clock,
    private readonly host: DriveHost,
  ) {
    this.alarm = clock.createAlarm(name, () => this.alarmFired());
  }

  /** LBA mid and LBA high of the signature (9.12). */
  protected abstract readonly signature: readonly [mid: number, high: number];
  /** Status once a reset or a diagnostic is over (9.12: packet devices leave DRDY clear). */
  protected abstract readonly statusAfterReset: number;
  protected abstract hardReset(): void;
  protected abstract softReset(): void;
  protected abstract execute(command: number): void;
  protected abstract driveStep(step: number): void;
  /** The buffer of a pioIn or dmaIn phase is empty, or that of a pioOut or dmaOut phase is full. */
  protected abstract bufferDone(phase: number): void;
  /** @param shared see `Device.saveShared` */
  protected abstract saveDrive(shared: boolean): DeviceState;
  protected abstract restoreDrive(state: DeviceState): void;

  get interruptPending(): boolean {
    return this.task.interrupt;
  }
  get phase(): number {
    return this.task.phase;
  }
  get busy(): boolean {
    return (this.task.status & STATUS.busy) !== 0;
  }

  /** Power-on or the RESET- line. */
  reset(): void {
    this.task = freshTaskFile();
    this.hardReset();
    this.later(STEP.reset, TIME.resetNs);
  }

  /** SRST goes up: everything stops until it comes down again. */
  beginSoftReset(): void {
    this.alarm.disarm();
    this.endPhase();
    this.task.status = STATUS.busy;
    this.setInterrupt(false);
  }

  endSoftReset(): void {
    this.task.sleeping = false;
    this.softReset();
    this.later(STEP.reset, TIME.resetNs);
  }

  /** EXECUTE DEVICE DIAGNOSTIC, which both drives carry out whichever is selected (8.9). */
  beginDiagnostic(): void {
    if (this.task.sleeping) return;
    this.setInterrupt(false);
    this.endPhase();
    this.later(STEP.diagnostic, TIME.resetNs);
  }

  readStatus(): number {
    this.setInterrupt(false);
    return this.task.status;
  }

  get alternateStatus(): number {
    return this.task.status;
  }

  /** Registers 1 to 6; `previous` is the HOB bit. */
  readRegister(register: number, previous: boolean): number {
    const task = this.task;
    switch (register) {
      case REGISTER.errorOrFeatures:
        return task.error;
      case REGISTER.sectorCount:
        return previous ? task.sectorCountPrevious : task.sectorCount;
      case REGISTER.lbaLow:
        return previous ? task.lbaLowPrevious : task.lbaLow;
      case REGISTER.lbaMid:
        return previous ? task.lbaMidPrevious : task.lbaMid;
      case REGISTER.lbaHigh:
        return previous ? task.lbaHighPrevious : task.lbaHigh;
      case REGISTER.device:
        return task.device | DEVICE.obsoleteOnes;
      default:
        throw new Error(`ata: no register ${register}`);
    }
  }

  /** Registers 1 to 6. A busy drive does not see them (7.1: the result is indeterminate). */
  writeRegister(register: number, value: number): void {
    const task = this.task;
    if (this.busy) return;
    switch (register) {
      case REGISTER.errorOrFeatures:
        task.featuresPrevious = task.features;
        task.features = value;
        break;
      case REGISTER.sectorCount:
        task.sectorCountPrevious = task.sectorCount;
        task.sectorCount = value;
        break;
      case REGISTER.lbaLow:
        task.lbaLowPrevious = task.lbaLow;
        task.lbaLow = value;
        break;
      case REGISTER.lbaMid:
        task.lbaMidPrevious = task.lbaMid;
        task.lbaMid = value;
        break;
      case REGISTER.lbaHigh:
        task.lbaHighPrevious = task.lbaHigh;
        task.lbaHigh = value;
        break;
      case REGISTER.device:
        task.device = value;
        break;
      default:
        throw new Error(`ata: no register ${register}`);
    }
  }

  /** A command to this drive. A busy or sleeping one takes only DEVICE RESET, and only a packet device has that. */
  writeCommand(command: number): void {
    if ((this.busy || this.task.sleeping) && !(command === COMMAND.deviceReset && this.takesDeviceReset)) return;
    this.setInterrupt(false);
    this.endPhase();
    this.task.command = command;
    this.task.sleeping = false;
    this.later(STEP.command, TIME.commandNs);
  }

  protected get takesDeviceReset(): boolean {
    return false;
  }

  /** One cycle of the data port: 16 bits. Outside a PIO phase nothing drives the bus and nothing listens. */
  readData(): number {
    const task = this.task;
    if (task.phase !== PHASE.pioIn) return 0xffff;
    const at = task.bufferAt;
    const word = (task.buffer[at] as number) | ((task.buffer[at + 1] ?? 0) << 8);
    this.advance(2);
    return word;
  }

  writeData(word: number): void {
    const task = this.task;
    if (task.phase !== PHASE.pioOut) return;
    task.buffer[task.bufferAt] = word & 0xff;
    if (task.bufferAt + 1 < task.buffer.length) task.buffer[task.bufferAt + 1] = word >>> 8;
    this.advance(2);
  }

  /** The part of the buffer that the bus master has yet to take or to fill. */
  get dmaBytes(): Uint8Array {
    return this.task.buffer.subarray(this.task.bufferAt);
  }

  dmaMoved(lengthBytes: number): void {
    this.advance(lengthBytes);
  }

  save(): DeviceState {
    return this.stateWith(this.saveDrive(false));
  }

  saveShared(): DeviceState {
    return this.stateWith(this.saveDrive(true));
  }

  private stateWith(drive: DeviceState): DeviceState {
    this.task.alarmDueNs = alarmToState(this.alarm);
    return { task: copyOf(this.task), drive };
  }

  restore(state: DeviceState): void {
    const task = stateLike(freshTaskFile(), (state.task ?? {}) as DeviceState, `${this.name}.task`);
    if (task.phase > PHASE.dmaOut || (task.phase !== PHASE.none && task.bufferAt >= task.buffer.length)) {
      throw new StateError(`${this.name}: the buffer does not fit the phase`);
    }
    this.restoreDrive((state.drive ?? {}) as DeviceState);
    this.task = task;
    alarmFromState(this.alarm, task.alarmDueNs);
  }

  // What drives are built from.

  /** Busy for `delayNs`, then `step`. */
  protected later(step: number, delayNs: number): void {
    this.task.status = STATUS.busy;
    this.task.step = step;
    this.alarm.armAt(this.clock.nowNs + delayNs);
  }

  /** Hands the buffer over to whoever moves the data. */
  protected beginPhase(phase: number, buffer: Bytes, interrupt: boolean): void {
    if (buffer.length === 0) throw new Error('ata: a data phase without data');
    this.task.phase = phase;
    this.task.buffer = buffer;
    this.task.bufferAt = 0;
    this.task.status = STATUS.ready | STATUS.seekComplete | STATUS.dataRequest;
    if (interrupt) this.setInterrupt(true);
    if (phase === PHASE.dmaIn || phase === PHASE.dmaOut) this.host.dmaRequested();
  }

  /** What the host has written, once the buffer is full. */
  protected takeBuffer(): Bytes {
    const buffer = this.task.buffer;
    this.endPhase();
    return buffer;
  }

  /** The command is over: status, error and an interrupt. */
  protected finish(status: number, error: number): void {
    this.task.status = status;
    this.task.error = error;
    this.setInterrupt(true);
  }

  protected succeed(): void {
    this.finish(STATUS.ready | STATUS.seekComplete, 0);
  }

  protected fail(error: number): void {
    this.finish(STATUS.ready | STATUS.seekComplete | STATUS.error, error);
  }

  protected setSignature(): void {
    const task = this.task;
    task.sectorCount = 1;
    task.lbaLow = 1;
    [task.lbaMid, task.lbaHigh] = this.signature;
    task.sectorCountPrevious = task.lbaLowPrevious = task.lbaMidPrevious = task.lbaHighPrevious = 0;
    task.device = 0;
  }

  protected setInterrupt(pending: boolean): void {
    if (this.task.interrupt === pending) return;
    this.task.interrupt = pending;
    this.host.interruptChanged();
  }

  private endPhase(): void {
    this.task.phase = PHASE.none;
    this.task.buffer = new Uint8Array(0);
    this.task.bufferAt = 0;
  }

  private advance(lengthBytes: number): void {
    const task = this.task;
    task.bufferAt += lengthBytes;
    if (task.bufferAt < task.buffer.length) return;
    const phase = task.phase;
    task.phase = PHASE.none;
    if (phase === PHASE.pioIn || phase === PHASE.dmaIn) this.endPhase();
    this.bufferDone(phase);
  }

  private alarmFired(): void {
    const step = this.task.step;
    this.task.step = STEP.none;
    switch (step) {
      case STEP.reset:
      case STEP.diagnostic:
        this.setSignature();
        this.task.error = ERROR.diagnosticPassed;
        this.task.status = this.statusAfterReset;
        if (step === STEP.diagnostic && this.index === 0) this.setInterrupt(true);
        break;
      case STEP.command:
        this.task.error = 0;
        this.execute(this.task.command);
        break;
      default:
        this.driveStep(step);
    }
  }
}
