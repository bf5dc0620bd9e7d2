/**
 * One legacy ATA channel of a PC: the command block (1F0h or 170h), the control block (3F6h or 376h), the interrupt
 * line (14 or 15) and up to two drives, with the bus master that serves them (ATA/ATAPI-6, 7.1-7.16 and 9.16).
 * The PCI function that owns the channel claims its ports.
 */
import type { Clock } from '../../clock/clock.js';
import {
  type AccessSize,
  type BlockImage,
  type BusMemory,
  type Device,
  type DeviceState,
  type IrqLine,
  type PortHandler,
  StateError,
} from '../device.js';
import { type AtaDevice, type DriveHost, PHASE } from './ata-device.js';
import { BusMaster } from './bus-master.js';
import { AtapiCdrom } from './cdrom.js';
import { AtaDisk } from './disk.js';
import { COMMAND, CONTROL, DEVICE, REGISTER } from './registers.js';

export interface DriveConfig {
  readonly kind: 'disk' | 'cdrom';
  readonly image: BlockImage;
}

export interface AtaChannelConfig {
  /** `ata0` or `ata1`: the name of the device and the prefix of its drives' names. */
  readonly name: string;
  readonly clock: Clock;
  readonly memory: BusMemory;
  readonly irq: IrqLine;
  /** An image without a sector is no drive. */
  readonly master?: DriveConfig | undefined;
  readonly slave?: DriveConfig | undefined;
}

const FLOATING = 0xff;

export class AtaChannel implements Device, DriveHost {
  readonly name: string;
  readonly busMaster: BusMaster;
  /** Set by the PCI function: whether the bus master may use the bus. */
  busMasterEnabled = false;
  private readonly drives: readonly [AtaDevice | undefined, AtaDevice | undefined];
  private selected: 0 | 1 = 0;
  private control = 0;
  private line = false;

  constructor(private readonly config: AtaChannelConfig) {
    this.name = config.name;
    this.drives = [this.createDrive(0, config.master), this.createDrive(1, config.slave)];
    this.busMaster = new BusMaster({
      name: `${config.name}.busMaster`,
      clock: config.clock,
      memory: config.memory,
      requester: () => {
        const drive = this.selectedDrive;
        return drive !== undefined && (drive.phase === PHASE.dmaIn || drive.phase === PHASE.dmaOut) ? drive : undefined;
      },
      enabled: () => this.busMasterEnabled,
    });
  }

  private createDrive(index: 0 | 1, drive: DriveConfig | undefined): AtaDevice | undefined {
    if (drive === undefined || drive.image.sizeBytes === 0) return undefined;
    const Drive = drive.kind === 'disk' ? AtaDisk : AtapiCdrom;
    return new Drive(`${this.config.name}.${index}`, index, this.config.clock, this, drive.image);
  }

  reset(): void {
    this.selected = 0;
    this.control = 0;
    this.busMaster.reset();
    for (const drive of this.drives) drive?.reset();
    this.interruptChanged();
  }

  /** 1F0h-1F7h or 170h-177h. */
  readonly commandPorts: PortHandler = {
    read: (port, size) => {
      const register = port & 7;
      if (register === REGISTER.data) return this.readData(size);
      let value = 0;
      for (let byte = 0; byte < size; byte++) {
        value += (register + byte > 7 ? FLOATING : this.readRegister(register + byte)) * 256 ** byte;
      }
      return value;
    },
    write: (port, size, value) => {
      const register = port & 7;
      if (register === REGISTER.data) return this.writeData(size, value);
      for (let byte = 0; byte < size && register + byte <= 7; byte++) {
        this.writeRegister(register + byte, (value >>> (8 * byte)) & 0xff);
      }
    },
  };

  /** 3F6h or 376h: device control and alternate status. */
  readonly controlPort: PortHandler = {
    byteWide: true,
    read: () => this.alternateStatus,
    write: (_port, _size, value) => this.writeControl(value & 0xff),
  };

  private get selectedDrive(): AtaDevice | undefined {
    return this.drives[this.selected];
  }

  /**
   * What a register reads as when the selected drive is absent: with no drive at all (or only a slave) the bus
   * floats; a master that is alone answers for the slave with zeros (9.16.1), so that nobody sees its ghost.
   */
  private get absentValue(): number {
    return this.selected === 1 && this.drives[0] !== undefined ? 0 : FLOATING;
  }

  private get alternateStatus(): number {
    return this.selectedDrive?.alternateStatus ?? this.absentValue;
  }

  private readRegister(register: number): number {
    const drive = this.selectedDrive;
    if (drive === undefined) {
      if (register === REGISTER.device && this.absentValue === 0) return DEVICE.obsoleteOnes | DEVICE.second;
      return this.absentValue;
    }
    if (register === REGISTER.data) return FLOATING;
    if (register === REGISTER.statusOrCommand) return drive.readStatus();
    return drive.readRegister(register, (this.control & CONTROL.highOrderByte) !== 0);
  }

  private writeRegister(register: number, value: number): void {
    this.control &= ~CONTROL.highOrderByte;
    if (register === REGISTER.statusOrCommand) return this.writeCommand(value);
    // Both drives listen to every register, so that either can be selected afterwards (7.1).
    for (const drive of this.drives) drive?.writeRegister(register, value);
    if (register === REGISTER.device) {
      this.selected = (value & DEVICE.second) !== 0 ? 1 : 0;
      this.interruptChanged();
    }
  }

  private writeCommand(command: number): void {
    if ((this.control & CONTROL.softReset) !== 0) return;
    if (command === COMMAND.executeDiagnostic) {
      this.selected = 0;
      for (const drive of this.drives) drive?.beginDiagnostic();
      this.interruptChanged();
    } else {
      this.selectedDrive?.writeCommand(command);
    }
  }

  /** The data port is 16 bits wide: a byte access still moves a word, a long access moves two. */
  private readData(size: AccessSize): number {
    const word = (): number => this.selectedDrive?.readData() ?? this.absentValue * 0x101;
    const low = word();
    if (size === 1) return low & 0xff;
    return size === 2 ? low : low + word() * 65536;
  }

  private writeData(size: AccessSize, value: number): void {
    const drive = this.selectedDrive;
    drive?.writeData(value & 0xffff);
    if (size === 4) drive?.writeData(value >>> 16);
  }

  private writeControl(value: number): void {
    const before = this.control;
    this.control = value & (CONTROL.interruptDisable | CONTROL.softReset | CONTROL.highOrderByte);
    const resetBefore = (before & CONTROL.softReset) !== 0;
    const resetNow = (value & CONTROL.softReset) !== 0;
    if (resetNow && !resetBefore) {
      this.selected = 0;
      for (const drive of this.drives) drive?.beginSoftReset();
    } else if (!resetNow && resetBefore) {
      for (const drive of this.drives) drive?.endSoftReset();
    }
    this.interruptChanged();
  }

  /** INTRQ is driven by the selected drive alone, and not at all with nIEN set (7.8, 5.2.9). */
  interruptChanged(): void {
    const level = this.selectedDrive?.interruptPending === true && (this.control & CONTROL.interruptDisable) === 0;
    if (level && !this.line) this.busMaster.interruptRaised();
    this.line = level;
    this.config.irq.set(level);
  }

  dmaRequested(): void {
    this.busMaster.pump();
  }

  save(): DeviceState {
    return this.stateWith((drive) => drive.save());
  }

  saveShared(): DeviceState {
    return this.stateWith((drive) => drive.saveShared());
  }

  private stateWith(saveDrive: (drive: AtaDevice) => DeviceState): DeviceState {
    return {
      selected: this.selected,
      control: this.control,
      line: this.line,
      busMaster: this.busMaster.save(),
      drives: this.drives.map((drive) => (drive === undefined ? null : saveDrive(drive))),
    };
  }

  restore(state: DeviceState): void {
    const { selected, control, line, busMaster, drives } = state;
    if ((selected !== 0 && selected !== 1) || typeof control !== 'number' || typeof line !== 'boolean' || !Array.isArray(drives)) {
      throw new StateError(`${this.name}: not a state of this device`);
    }
    this.drives.forEach((drive, index) => {
      const saved = drives[index] ?? null;
      if ((saved === null) !== (drive === undefined)) throw new StateError(`${this.name}: other drives than here`);
      drive?.restore(saved as DeviceState);
    });
    this.busMaster.restore((busMaster ?? {}) as DeviceState);
    this.selected = selected;
    this.control = control;
    this.line = line;
    this.config.irq.set(line);
  }
}
