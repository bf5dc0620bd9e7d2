/**
 * An ATAPI CD-ROM drive with a disc in it: the PACKET protocol (ATA/ATAPI-6, 9.9 and 8.23) around the commands in
 * packet-commands.ts. What a command answers leaves in pieces no larger than the host's byte count limit (PIO) or as a
 * whole (DMA).
 */
import type { Clock } from '../../clock/clock.js';
import { type BlockImage, type DeviceState, StateError } from '../device.js';
import { copyOf, stateLike } from '../plain-state.js';
import { AtaDevice, type Bytes, type DriveHost, PHASE, STEP } from './ata-device.js';
import { CD_DATA_BYTES, rawSector, selectParts } from './cd-sector.js';
import { DEFAULT_MODES, identifyCdrom, transferModes } from './identify.js';
import { type Answer, runPacket } from './packet-commands.js';
import { COMMAND, ERROR, REASON, STATUS, TIME } from './registers.js';
import { KEY, SENSE, type Sense } from './sense.js';

const PACKET_BYTES = 12;
/** Blocks fetched at a time. */
const STREAM_BLOCKS = 16;
const CD_STEP = { packet: STEP.firstOfDrive, present: STEP.firstOfDrive + 1, finish: STEP.firstOfDrive + 2 } as const;
const FEATURES_DMA = 0x01;
const FEATURES_OVERLAP = 0x02;
const SET_TRANSFER_MODE = 0x03;
const POWER_ACTIVE = 0xff;

const freshState = () => ({
  multiwordMode: DEFAULT_MODES.multiword,
  ultraMode: DEFAULT_MODES.ultra,
  sense: { ...SENSE.none } as { key: number; code: number; qualifier: number },
  /** A unit attention that the host has not been told of; key 0 for none. */
  attention: { ...SENSE.reset } as { key: number; code: number; qualifier: number },
  locked: false,
  trayOpen: false,
  dma: false,
  byteLimit: 0,
  /** The answer under way: bytes at hand, how many of them are gone, and blocks still to be read from the disc. */
  answer: new Uint8Array(0),
  answerAt: 0,
  block: 0,
  blocksLeft: 0,
  /** Parts of the raw sector that READ CD asked for; 0 for the user data alone. */
  selection: 0,
});
export type CdromState = ReturnType<typeof freshState>;

export class AtapiCdrom extends AtaDevice {
  protected readonly signature = [0x14, 0xeb] as const;
  protected readonly statusAfterReset = 0;
  readonly blockCount: number;
  private state: CdromState = freshState();

  constructor(
    name: string,
    index: 0 | 1,
    clock: Clock,
    host: DriveHost,
    private readonly image: BlockImage,
  ) {
    super(name, index, clock, host);
    this.blockCount = Math.ceil(image.sizeBytes / CD_DATA_BYTES);
  }

  protected hardReset(): void {
    this.state = freshState();
  }

  /** Transfer modes and the tray stay as they are. */
  protected softReset(): void {
    const { multiwordMode, ultraMode, trayOpen } = this.state;
    this.state = { ...freshState(), multiwordMode, ultraMode, trayOpen };
  }

  protected override get takesDeviceReset(): boolean {
    return true;
  }

  protected execute(command: number): void {
    const { state, task } = this;
    switch (command) {
      case COMMAND.packet:
        if ((task.features & FEATURES_OVERLAP) !== 0) return this.fail(ERROR.abort);
        state.dma = (task.features & FEATURES_DMA) !== 0;
        state.byteLimit = byteLimit(task.lbaHigh * 256 + task.lbaMid);
        task.sectorCount = REASON.command;
        return this.beginPhase(PHASE.pioOut, new Uint8Array(PACKET_BYTES), false);
      case COMMAND.deviceReset:
        this.softReset();
        return this.later(STEP.reset, TIME.commandNs);
      case COMMAND.identifyPacketDevice:
        return this.beginPhase(PHASE.pioIn, identifyCdrom({ multiword: state.multiwordMode, ultra: state.ultraMode }), true);
      case COMMAND.identifyDevice:
      case COMMAND.readSectors:
        // How a host finds out what it is talking to (8.15.5.2, 8.34.5).
        this.setSignature();
        return this.fail(ERROR.abort);
      case COMMAND.setFeatures: {
        const present = { multiword: state.multiwordMode, ultra: state.ultraMode };
        const modes = task.features === SET_TRANSFER_MODE ? transferModes(task.sectorCount, present) : undefined;
        if (modes === undefined) return this.fail(ERROR.abort);
        state.multiwordMode = modes.multiword;
        state.ultraMode = modes.ultra;
        return this.succeed();
      }
      case COMMAND.checkPowerMode:
        task.sectorCount = POWER_ACTIVE;
        return this.succeed();
      case COMMAND.idle:
      case COMMAND.idleImmediate:
      case COMMAND.standby:
      case COMMAND.standbyImmediate:
        return this.succeed();
      case COMMAND.sleep:
        this.succeed();
        task.sleeping = true;
        return;
      default:
        return this.fail(ERROR.abort);
    }
  }

  protected bufferDone(phase: number): void {
    switch (phase) {
      case PHASE.pioOut:
        return this.later(CD_STEP.packet, TIME.commandNs);
      case PHASE.pioIn:
        if (this.task.command !== COMMAND.packet) {
          this.task.status = STATUS.ready | STATUS.seekComplete;
          return;
        }
        return this.continueAnswer();
      default:
        return this.continueAnswer();
    }
  }

  protected driveStep(step: number): void {
    switch (step) {
      case CD_STEP.packet:
        return this.startAnswer(runPacket(this.takeBuffer(), this.state, this.blockCount));
      case CD_STEP.present:
        return this.present();
      case CD_STEP.finish:
        this.task.sectorCount = REASON.command | REASON.toHost;
        return this.succeed();
      default:
        throw new StateError(`${this.name}: unknown step ${step}`);
    }
  }

  private startAnswer(answer: Answer): void {
    const { state } = this;
    state.answer = new Uint8Array(0);
    state.answerAt = 0;
    state.blocksLeft = 0;
    if (answer.kind === 'error') return this.checkCondition(answer.sense);
    if (answer.kind === 'bytes') state.answer = Uint8Array.from(answer.bytes);
    if (answer.kind === 'blocks') {
      state.block = answer.first;
      state.blocksLeft = answer.count;
      state.selection = answer.selection;
    }
    this.continueAnswer();
  }

  /** Next piece, or the end. */
  private continueAnswer(): void {
    const { state } = this;
    if (state.answerAt < state.answer.length) return this.later(CD_STEP.present, TIME.commandNs);
    if (state.blocksLeft === 0) {
      state.answer = new Uint8Array(0);
      state.answerAt = 0;
      return this.later(CD_STEP.finish, TIME.commandNs);
    }
    const count = Math.min(STREAM_BLOCKS, state.blocksLeft);
    state.answer = this.readBlocks(state.block, count);
    state.answerAt = 0;
    state.block += count;
    state.blocksLeft -= count;
    this.later(CD_STEP.present, TIME.commandNs + (count * TIME.sectorNs * CD_DATA_BYTES) / 512);
  }

  private present(): void {
    const { state, task } = this;
    const left = state.answer.length - state.answerAt;
    const length = state.dma ? left : Math.min(left, state.byteLimit);
    const piece = state.answer.slice(state.answerAt, state.answerAt + length);
    state.answerAt += length;
    task.sectorCount = REASON.toHost;
    if (!state.dma) {
      task.lbaMid = length & 0xff;
      task.lbaHigh = length >>> 8;
    }
    this.beginPhase(state.dma ? PHASE.dmaIn : PHASE.pioIn, piece, !state.dma);
  }

  /** CHECK CONDITION: the sense key in the error register (9.9, 7.9). */
  private checkCondition(sense: Sense): void {
    this.state.sense = { ...sense };
    this.task.sectorCount = REASON.command | REASON.toHost;
    this.fail((sense.key << 4) | (sense.key === KEY.illegalRequest ? ERROR.abort : 0));
  }

  private readBlocks(first: number, count: number): Bytes {
    const bytes = new Uint8Array(count * CD_DATA_BYTES);
    const offset = first * CD_DATA_BYTES;
    this.image.read(offset, bytes.subarray(0, Math.min(bytes.length, this.image.sizeBytes - offset)));
    const { selection } = this.state;
    if (selection === 0) return bytes;
    const parts = Array.from({ length: count }, (_, index) => {
      const data = bytes.subarray(index * CD_DATA_BYTES, (index + 1) * CD_DATA_BYTES);
      return selectParts(rawSector(first + index, data), selection);
    });
    const size = (parts[0] as Uint8Array).length;
    const out = new Uint8Array(count * size);
    parts.forEach((part, index) => out.set(part, index * size));
    return out;
  }

  protected saveDrive(): DeviceState {
    return copyOf(this.state);
  }

  protected restoreDrive(drive: DeviceState): void {
    const state = stateLike(freshState(), drive, this.name);
    if (state.answerAt > state.answer.length || state.block + state.blocksLeft > this.blockCount) {
      throw new StateError(`${this.name}: the answer under way does not fit the disc`);
    }
    this.state = state;
  }
}

/** The largest even piece the host takes; 0 and FFFFh stand for FFFEh (8.23.4, byte count limit). */
function byteLimit(register: number): number {
  if (register === 0 || register === 0xffff) return 0xfffe;
  return Math.max(2, register & ~1);
}
