/**
 * An ATA hard disk (ATA/ATAPI-6, clause 8): PIO, multiple and DMA transfers with 28-bit, 48-bit and CHS addresses.
 * Set features and power commands change what IDENTIFY and CHECK POWER MODE report; the standby timer is accepted and
 * never expires, because the medium has no spindle.
 */
import type { Clock } from '../../clock/clock.js';
import { type BlockImage, type DeviceState, StateError } from '../device.js';
import { copyOf, stateLike } from '../plain-state.js';
import { AtaDevice, type DriveHost, PHASE, STEP } from './ata-device.js';
import { CowImage } from './cow-image.js';
import { DEFAULT_MODES, identifyDisk, transferModes } from './identify.js';
import { COMMAND, DEVICE, ERROR, SECTOR_BYTES, STATUS, TIME } from './registers.js';

const MAXIMUM_MULTIPLE = 16;
/** Sectors the drive offers the bus master at a time. */
const DMA_SECTORS = 128;
const POWER = { standby: 0x00, active: 0xff } as const;
const DISK_STEP = {
  blockIn: STEP.firstOfDrive,
  blockOut: STEP.firstOfDrive + 1,
  bufferOut: STEP.firstOfDrive + 2,
  pastEnd: STEP.firstOfDrive + 3,
  finish: STEP.firstOfDrive + 4,
} as const;

type Run = (disk: AtaDisk) => void;
interface Transfer {
  readonly direction: 'in' | 'out' | 'none';
  readonly extended?: boolean;
  readonly multiple?: boolean;
  readonly dma?: boolean;
}

/** Commands that run over a range of sectors (8.21-8.66). */
const TRANSFERS = new Map<number, Transfer>([
  [COMMAND.readSectors, { direction: 'in' }],
  [COMMAND.readSectorsNoRetry, { direction: 'in' }],
  [COMMAND.readSectorsExt, { direction: 'in', extended: true }],
  [COMMAND.readMultiple, { direction: 'in', multiple: true }],
  [COMMAND.readMultipleExt, { direction: 'in', multiple: true, extended: true }],
  [COMMAND.readDma, { direction: 'in', dma: true }],
  [COMMAND.readDmaNoRetry, { direction: 'in', dma: true }],
  [COMMAND.readDmaExt, { direction: 'in', dma: true, extended: true }],
  [COMMAND.writeSectors, { direction: 'out' }],
  [COMMAND.writeSectorsNoRetry, { direction: 'out' }],
  [COMMAND.writeVerify, { direction: 'out' }],
  [COMMAND.writeSectorsExt, { direction: 'out', extended: true }],
  [COMMAND.writeMultiple, { direction: 'out', multiple: true }],
  [COMMAND.writeMultipleExt, { direction: 'out', multiple: true, extended: true }],
  [COMMAND.writeDma, { direction: 'out', dma: true }],
  [COMMAND.writeDmaNoRetry, { direction: 'out', dma: true }],
  [COMMAND.writeDmaExt, { direction: 'out', dma: true, extended: true }],
  [COMMAND.verify, { direction: 'none' }],
  [COMMAND.verifyNoRetry, { direction: 'none' }],
  [COMMAND.verifyExt, { direction: 'none', extended: true }],
]);

/** Everything else; a code in neither table is aborted. */
const OTHERS = new Map<number, Run>([
  [COMMAND.seek, (disk) => disk.seek()],
  [COMMAND.initializeParameters, (disk) => disk.initializeParameters()],
  [COMMAND.setMultiple, (disk) => disk.setMultiple()],
  [COMMAND.setFeatures, (disk) => disk.setFeatures()],
  [COMMAND.identifyDevice, (disk) => disk.identify()],
  [COMMAND.readNativeMax, (disk) => disk.readNativeMax(false)],
  [COMMAND.readNativeMaxExt, (disk) => disk.readNativeMax(true)],
  [COMMAND.readBuffer, (disk) => disk.readBuffer()],
  [COMMAND.writeBuffer, (disk) => disk.writeBuffer()],
  [COMMAND.flushCache, (disk) => disk.complete()],
  [COMMAND.flushCacheExt, (disk) => disk.complete()],
  [COMMAND.standbyImmediate, (disk) => disk.power(POWER.standby)],
  [COMMAND.standby, (disk) => disk.power(POWER.standby)],
  [COMMAND.idleImmediate, (disk) => disk.power(POWER.active)],
  [COMMAND.idle, (disk) => disk.power(POWER.active)],
  [COMMAND.checkPowerMode, (disk) => disk.checkPower()],
  [COMMAND.sleep, (disk) => disk.goToSleep()],
]);
/** RECALIBRATE takes its step rate in the low digit of the code, as ATA-1 had it (9.18 there). */
const RECALIBRATE_LAST = 0x1f;

/** SET FEATURES subcommands that this drive knows (table 44). */
const FEATURE = {
  enableWriteCache: 0x02,
  transferMode: 0x03,
  disableReadAhead: 0x55,
  keepOverSoftReset: 0x66,
  disableWriteCache: 0x82,
  enableReadAhead: 0xaa,
  revertOnSoftReset: 0xcc,
} as const;

/** The translation a drive reports: 16 heads of 63 sectors (annex C of ATA/ATAPI-5). */
const DEFAULT_HEADS = 16;
const DEFAULT_SECTORS_PER_TRACK = 63;
const MAXIMUM_CYLINDERS = 16383;

export class AtaDisk extends AtaDevice {
  protected readonly signature = [0, 0] as const;
  protected readonly statusAfterReset = STATUS.ready | STATUS.seekComplete;
  private readonly image: CowImage;
  private readonly defaultCylinders: number;
  private state;

  constructor(name: string, index: 0 | 1, clock: Clock, host: DriveHost, image: BlockImage) {
    super(name, index, clock, host);
    this.image = new CowImage(image);
    this.defaultCylinders = this.cylindersFor(DEFAULT_HEADS, DEFAULT_SECTORS_PER_TRACK);
    this.state = this.freshState();
  }

  private freshState() {
    return {
      heads: DEFAULT_HEADS,
      sectorsPerTrack: DEFAULT_SECTORS_PER_TRACK,
      cylinders: this.defaultCylinders,
      multiple: 0,
      writeCache: true,
      readAhead: true,
      keepOverSoftReset: false,
      multiwordMode: DEFAULT_MODES.multiword,
      ultraMode: DEFAULT_MODES.ultra,
      power: POWER.active as number,
      // The transfer under way: the next sector, how many are left, and how many the present buffer has.
      sector: 0,
      sectorsLeft: 0,
      sectorsInBuffer: 0,
      sectorBuffer: new Uint8Array(SECTOR_BYTES),
    };
  }

  private cylindersFor(heads: number, sectorsPerTrack: number): number {
    return Math.max(1, Math.min(MAXIMUM_CYLINDERS, Math.floor(this.image.sectorCount / (heads * sectorsPerTrack))));
  }

  protected hardReset(): void {
    this.state = this.freshState();
  }

  /** Transfer modes stay; the other settings only if SET FEATURES 66h asked for it (8.46.17). */
  protected softReset(): void {
    const { multiwordMode, ultraMode, keepOverSoftReset, sectorBuffer } = this.state;
    if (!keepOverSoftReset) this.state = { ...this.freshState(), multiwordMode, ultraMode, sectorBuffer };
    this.state.sectorsLeft = 0;
    this.state.power = POWER.active;
  }

  protected execute(command: number): void {
    const transfer = TRANSFERS.get(command);
    if (transfer !== undefined) return this.startTransfer(transfer);
    const run = OTHERS.get(command);
    if (run !== undefined) return run(this);
    if (command >= COMMAND.recalibrate && command <= RECALIBRATE_LAST) return this.complete();
    // So does NOP (8.18).
    this.fail(ERROR.abort);
  }

  complete(): void {
    this.succeed();
  }

  // Transfers.

  private startTransfer(transfer: Transfer): void {
    const { state, task } = this;
    if (transfer.multiple === true && state.multiple === 0) return this.fail(ERROR.abort);
    state.power = POWER.active;
    const first = this.address(transfer.extended === true);
    if (transfer.extended === true) {
      state.sectorsLeft = (task.sectorCountPrevious << 8) | task.sectorCount || 65536;
    } else {
      state.sectorsLeft = task.sectorCount || 256;
    }
    state.sector = first ?? 0;
    if (first === undefined || first >= this.image.sectorCount) return this.notFound(first);
    switch (transfer.direction) {
      case 'in':
        return this.later(DISK_STEP.blockIn, this.nextBlock() * TIME.sectorNs);
      case 'out':
        return this.offerRoom(false);
      case 'none':
        return this.verifyAll();
    }
  }

  private get transfer(): Transfer {
    const transfer = TRANSFERS.get(this.task.command);
    if (transfer === undefined) throw new StateError(`${this.name}: no transfer under way`);
    return transfer;
  }

  /** How many sectors the next buffer holds: up to the end of the disk, where the error is reported. */
  private nextBlock(): number {
    const { state, transfer } = this;
    const unit = transfer.dma === true ? DMA_SECTORS : transfer.multiple === true ? state.multiple : 1;
    state.sectorsInBuffer = Math.min(unit, state.sectorsLeft, this.image.sectorCount - state.sector);
    return state.sectorsInBuffer;
  }

  protected driveStep(step: number): void {
    const { state } = this;
    switch (step) {
      case DISK_STEP.blockIn: {
        const buffer = new Uint8Array(state.sectorsInBuffer * SECTOR_BYTES);
        this.image.read(state.sector, buffer);
        this.sectorsDone(state.sectorsInBuffer);
        return this.transfer.dma === true ? this.beginPhase(PHASE.dmaIn, buffer, false) : this.beginPhase(PHASE.pioIn, buffer, true);
      }
      case DISK_STEP.blockOut:
        this.image.write(state.sector, this.takeBuffer());
        this.sectorsDone(state.sectorsInBuffer);
        if (state.sectorsLeft === 0) return this.succeed();
        if (state.sector >= this.image.sectorCount) return this.notFound(state.sector);
        return this.offerRoom(true);
      case DISK_STEP.bufferOut:
        state.sectorBuffer = this.takeBuffer();
        return this.succeed();
      case DISK_STEP.pastEnd:
        return this.notFound(state.sector);
      case DISK_STEP.finish:
        return this.succeed();
      default:
        throw new StateError(`${this.name}: unknown step ${step}`);
    }
  }

  protected bufferDone(phase: number): void {
    const { state, task } = this;
    switch (phase) {
      case PHASE.pioIn:
      case PHASE.dmaIn: {
        const dma = phase === PHASE.dmaIn;
        if (TRANSFERS.has(task.command) && state.sectorsLeft > 0) {
          if (state.sector < this.image.sectorCount) {
            return this.later(DISK_STEP.blockIn, this.nextBlock() * TIME.sectorNs);
          }
          return this.later(DISK_STEP.pastEnd, TIME.commandNs);
        }
        // PIO ends silently with the last word; DMA with an interrupt (9.5, 9.7).
        if (dma) return this.later(DISK_STEP.finish, TIME.commandNs);
        task.status = STATUS.ready | STATUS.seekComplete;
        return;
      }
      default:
        return TRANSFERS.has(task.command)
          ? this.later(DISK_STEP.blockOut, state.sectorsInBuffer * TIME.sectorNs)
          : this.later(DISK_STEP.bufferOut, TIME.commandNs);
    }
  }

  /** A write waits for data; only the first PIO block comes without an interrupt (9.6). */
  private offerRoom(interrupt: boolean): void {
    const buffer = new Uint8Array(this.nextBlock() * SECTOR_BYTES);
    if (this.transfer.dma === true) this.beginPhase(PHASE.dmaOut, buffer, false);
    else this.beginPhase(PHASE.pioOut, buffer, interrupt);
  }

  private verifyAll(): void {
    const { state } = this;
    const possible = Math.min(state.sectorsLeft, this.image.sectorCount - state.sector);
    this.sectorsDone(possible);
    if (state.sectorsLeft > 0) return this.notFound(state.sector);
    this.succeed();
  }

  /** The registers then hold the last sector that was done and how many are left (as ATA-1 has it, 9.1). */
  private sectorsDone(count: number): void {
    const { state } = this;
    this.setAddress(state.sector + count - 1);
    state.sector += count;
    state.sectorsLeft -= count;
    this.setCount(state.sectorsLeft);
  }

  /** IDNF, with the address of the sector that is not there (8.27.6). CHS values that have none are left alone. */
  private notFound(sector: number | undefined): void {
    this.state.sectorsLeft = 0;
    if (sector !== undefined) this.setAddress(sector);
    this.fail(ERROR.idNotFound);
  }

  // Addresses (6.2).

  private get extendedCommand(): boolean {
    return TRANSFERS.get(this.task.command)?.extended === true;
  }

  /** The sector that the registers name, or undefined when the geometry has none such. */
  private address(extended: boolean): number | undefined {
    const { task, state } = this;
    if (extended) {
      // 48-bit commands know no CHS: a clear LBA bit is refused as an address that is not there (6.20).
      if ((task.device & DEVICE.lba) === 0) return undefined;
      const high = task.lbaHighPrevious * 65536 + task.lbaMidPrevious * 256 + task.lbaLowPrevious;
      return high * 0x1000000 + task.lbaHigh * 65536 + task.lbaMid * 256 + task.lbaLow;
    }
    const digit = task.device & 0x0f;
    if ((task.device & DEVICE.lba) !== 0) return digit * 0x1000000 + task.lbaHigh * 65536 + task.lbaMid * 256 + task.lbaLow;
    const cylinder = task.lbaHigh * 256 + task.lbaMid;
    const sector = task.lbaLow;
    if (sector === 0 || sector > state.sectorsPerTrack || digit >= state.heads || cylinder >= state.cylinders) return undefined;
    return (cylinder * state.heads + digit) * state.sectorsPerTrack + sector - 1;
  }

  private setAddress(sector: number): void {
    const { task, state } = this;
    let low = sector;
    let digit = 0;
    if ((task.device & DEVICE.lba) === 0) {
      const track = Math.floor(sector / state.sectorsPerTrack);
      digit = track % state.heads;
      low = Math.floor(track / state.heads) * 256 + (sector % state.sectorsPerTrack) + 1;
    } else if (!this.extendedCommand) {
      digit = Math.floor(sector / 0x1000000) & 0x0f;
    }
    task.lbaLow = low & 0xff;
    task.lbaMid = Math.floor(low / 0x100) & 0xff;
    task.lbaHigh = Math.floor(low / 0x10000) & 0xff;
    if (!this.extendedCommand) {
      task.device = (task.device & 0xf0) | digit;
      return;
    }
    const high = Math.floor(sector / 0x1000000);
    task.lbaLowPrevious = high & 0xff;
    task.lbaMidPrevious = Math.floor(high / 0x100) & 0xff;
    task.lbaHighPrevious = Math.floor(high / 0x10000) & 0xff;
  }

  private setCount(count: number): void {
    this.task.sectorCount = count & 0xff;
    if (this.extendedCommand) this.task.sectorCountPrevious = (count >>> 8) & 0xff;
  }

  // Commands without sectors.

  seek(): void {
    const sector = this.address(false);
    if (sector === undefined || sector >= this.image.sectorCount) this.fail(ERROR.idNotFound);
    else this.succeed();
  }

  /** INITIALIZE DEVICE PARAMETERS: the host's translation from now on (8.16 of ATA/ATAPI-5). */
  initializeParameters(): void {
    const heads = (this.task.device & 0x0f) + 1;
    const sectorsPerTrack = this.task.sectorCount;
    if (sectorsPerTrack === 0) return this.fail(ERROR.abort);
    const { state } = this;
    state.heads = heads;
    state.sectorsPerTrack = sectorsPerTrack;
    state.cylinders = Math.min(65535, Math.floor(this.image.sectorCount / (heads * sectorsPerTrack)));
    this.succeed();
  }

  /** SET MULTIPLE MODE: a power of two up to the maximum; zero switches the commands off (8.49). */
  setMultiple(): void {
    const count = this.task.sectorCount;
    if (count > MAXIMUM_MULTIPLE || (count & (count - 1)) !== 0) {
      this.state.multiple = 0;
      return this.fail(ERROR.abort);
    }
    this.state.multiple = count;
    this.succeed();
  }

  setFeatures(): void {
    const { state, task } = this;
    switch (task.features) {
      case FEATURE.enableWriteCache:
      case FEATURE.disableWriteCache:
        state.writeCache = task.features === FEATURE.enableWriteCache;
        break;
      case FEATURE.enableReadAhead:
      case FEATURE.disableReadAhead:
        state.readAhead = task.features === FEATURE.enableReadAhead;
        break;
      case FEATURE.keepOverSoftReset:
      case FEATURE.revertOnSoftReset:
        state.keepOverSoftReset = task.features === FEATURE.keepOverSoftReset;
        break;
      case FEATURE.transferMode: {
        const modes = transferModes(task.sectorCount, { multiword: state.multiwordMode, ultra: state.ultraMode });
        if (modes === undefined) return this.fail(ERROR.abort);
        state.multiwordMode = modes.multiword;
        state.ultraMode = modes.ultra;
        break;
      }
      default:
        return this.fail(ERROR.abort);
    }
    this.succeed();
  }

  identify(): void {
    const { state } = this;
    const bytes = identifyDisk({
      sectorCount: this.image.sectorCount,
      cylinders: this.defaultCylinders,
      heads: DEFAULT_HEADS,
      sectorsPerTrack: DEFAULT_SECTORS_PER_TRACK,
      currentCylinders: state.cylinders,
      currentHeads: state.heads,
      currentSectorsPerTrack: state.sectorsPerTrack,
      maximumMultiple: MAXIMUM_MULTIPLE,
      multiple: state.multiple,
      writeCache: state.writeCache,
      readAhead: state.readAhead,
      modes: { multiword: state.multiwordMode, ultra: state.ultraMode },
    });
    this.beginPhase(PHASE.pioIn, bytes, true);
  }

  /** READ NATIVE MAX ADDRESS: the last sector (8.36, 8.37). */
  readNativeMax(extended: boolean): void {
    const { task } = this;
    if ((task.device & DEVICE.lba) === 0) return this.fail(ERROR.abort);
    const last = extended ? this.image.sectorCount - 1 : Math.min(this.image.sectorCount - 1, 0x0fffffff);
    task.lbaLow = last & 0xff;
    task.lbaMid = Math.floor(last / 0x100) & 0xff;
    task.lbaHigh = Math.floor(last / 0x10000) & 0xff;
    const high = Math.floor(last / 0x1000000);
    if (extended) {
      task.lbaLowPrevious = high & 0xff;
      task.lbaMidPrevious = Math.floor(high / 0x100) & 0xff;
      task.lbaHighPrevious = 0;
    } else {
      task.device = (task.device & 0xf0) | high;
    }
    this.succeed();
  }

  readBuffer(): void {
    this.beginPhase(PHASE.pioIn, this.state.sectorBuffer.slice(), true);
  }

  writeBuffer(): void {
    this.beginPhase(PHASE.pioOut, new Uint8Array(SECTOR_BYTES), false);
  }

  power(mode: number): void {
    this.state.power = mode;
    this.succeed();
  }

  checkPower(): void {
    this.task.sectorCount = this.state.power;
    this.succeed();
  }

  /** Only a reset wakes it (6.9). */
  goToSleep(): void {
    this.state.power = POWER.standby;
    this.succeed();
    this.task.sleeping = true;
  }

  protected saveDrive(shared: boolean): DeviceState {
    return { state: copyOf(this.state), overlay: shared ? this.image.saveShared() : this.image.save() };
  }

  protected restoreDrive(drive: DeviceState): void {
    const state = stateLike(this.freshState(), (drive.state ?? {}) as DeviceState, this.name);
    const { sector, sectorsInBuffer, heads, sectorsPerTrack, cylinders, multiple } = state;
    const counts = [sector, sectorsInBuffer, state.sectorsLeft, cylinders, multiple, heads - 1, sectorsPerTrack - 1];
    if (counts.some((count) => count < 0) || multiple > MAXIMUM_MULTIPLE || sectorsInBuffer > DMA_SECTORS) {
      throw new StateError(`${this.name}: not a state of this disk`);
    }
    this.image.restore((drive.overlay ?? {}) as DeviceState);
    this.state = state;
  }
}
