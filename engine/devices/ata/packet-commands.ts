/**
 * The commands of a CD-ROM drive (MMC-3, SPC-2, SFF-8020i): what each 12-byte packet answers. The protocol around them
 * is in cdrom.ts.
 */
import { CD_FRAMES_PER_SECOND, CD_PREGAP_FRAMES, selectedBytes } from './cd-sector.js';
import type { CdromState } from './cdrom.js';
import {
  capacityData,
  configurationData,
  discInformation,
  eventStatusData,
  fullTocData,
  inquiryData,
  mechanismStatusData,
  modeSenseData,
  sessionData,
  tocData,
} from './mmc-data.js';
import { SENSE, type Sense, senseBytes } from './sense.js';

export type Answer =
  | { readonly kind: 'none' }
  | { readonly kind: 'error'; readonly sense: Sense }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'blocks'; readonly first: number; readonly count: number; readonly selection: number };

const DONE: Answer = { kind: 'none' };
const error = (sense: Sense): Answer => ({ kind: 'error', sense });
/** An answer is cut to the allocation length, which is no error (SPC-2, 4.3.4.6). */
const bytes = (data: Uint8Array, allocation: number): Answer => ({ kind: 'bytes', bytes: data.slice(0, allocation) });

class Packet {
  constructor(readonly packet: Uint8Array) {}
  byte(at: number): number {
    return this.packet[at] as number;
  }
  word(at: number): number {
    return this.byte(at) * 256 + this.byte(at + 1);
  }
  triple(at: number): number {
    return this.word(at) * 256 + this.byte(at + 2);
  }
  long(at: number): number {
    return this.word(at) * 65536 + this.word(at + 2);
  }
}

interface Drive {
  readonly state: CdromState;
  readonly blockCount: number;
}

interface PacketCommand {
  /** Answers even while a unit attention is pending (SPC-2, 5.9.7). */
  readonly ignoresAttention?: boolean;
  /** Fails while the tray is open. */
  readonly needsMedium?: boolean;
  readonly run: (packet: Packet, drive: Drive) => Answer;
}

function blocks(drive: Drive, first: number, count: number, selection: number): Answer {
  if (first + count > drive.blockCount) return error(SENSE.outOfRange);
  return { kind: 'blocks', first, count, selection };
}

/** Byte 1 bits 4-2: any type or mode 1; bytes 9 and 10: parts, no C2 errors, no subchannel (MMC-3, 5.19). */
function readCd(packet: Packet, drive: Drive, first: number, count: number): Answer {
  const type = (packet.byte(1) >>> 2) & 0x07;
  if (type !== 0 && type !== 2) return error(SENSE.wrongTrackMode);
  if ((packet.byte(9) & 0x06) !== 0 || (packet.byte(10) & 0x07) !== 0) return error(SENSE.invalidField);
  const selection = packet.byte(9) & 0xf8;
  if (first + count > drive.blockCount) return error(SENSE.outOfRange);
  if (selectedBytes(selection) === 0) return DONE;
  return blocks(drive, first, count, selection);
}

const fromMsf = (packet: Packet, at: number): number =>
  (packet.byte(at) * 60 + packet.byte(at + 1)) * CD_FRAMES_PER_SECOND + packet.byte(at + 2) - CD_PREGAP_FRAMES;

function readToc(packet: Packet, drive: Drive): Answer {
  const msf = (packet.byte(1) & 0x02) !== 0;
  const allocation = packet.word(7);
  // SFF-8020i has the format in the top bits of the last byte; MMC in byte 2.
  const format = packet.byte(2) & 0x0f || packet.byte(9) >>> 6;
  const number = packet.byte(6);
  switch (format) {
    case 0: {
      const toc = tocData(drive.blockCount, number, msf);
      return toc === undefined ? error(SENSE.invalidField) : bytes(toc, allocation);
    }
    case 1:
      return bytes(sessionData(msf), allocation);
    case 2:
      return number > 1 ? error(SENSE.invalidField) : bytes(fullTocData(drive.blockCount), allocation);
    default:
      return error(SENSE.invalidField);
  }
}

function startStop(packet: Packet, { state }: Drive): Answer {
  const start = (packet.byte(4) & 0x01) !== 0;
  const loadEject = (packet.byte(4) & 0x02) !== 0;
  if (!loadEject) return DONE;
  if (!start && state.locked) return error(SENSE.removalPrevented);
  if (start && state.trayOpen) state.attention = { ...SENSE.mediumChanged };
  state.trayOpen = !start;
  return DONE;
}

function modeSense(packet: Packet, { state }: Drive): Answer {
  const control = packet.byte(2) >>> 6;
  if (control === 3) return error(SENSE.savingNotSupported);
  const data = modeSenseData(packet.byte(2) & 0x3f, control, state.locked);
  return data === undefined ? error(SENSE.invalidField) : bytes(data, packet.word(7));
}

const COMMANDS = new Map<number, PacketCommand>([
  // TEST UNIT READY
  [0x00, { needsMedium: true, run: () => DONE }],
  // REQUEST SENSE: tells, then forgets; a pending unit attention counts as told.
  [
    0x03,
    {
      ignoresAttention: true,
      run: (packet, { state }) => {
        const pending = state.attention.key !== 0;
        const sense = pending ? state.attention : state.sense;
        const answer = bytes(senseBytes(sense), packet.byte(4));
        if (pending) state.attention = { ...SENSE.none };
        state.sense = { ...SENSE.none };
        return answer;
      },
    },
  ],
  // INQUIRY, without vital product data
  [
    0x12,
    {
      ignoresAttention: true,
      run: (packet) =>
        (packet.byte(1) & 0x01) !== 0 || packet.byte(2) !== 0 ? error(SENSE.invalidField) : bytes(inquiryData(), packet.byte(4)),
    },
  ],
  // START STOP UNIT
  [0x1b, { run: startStop }],
  // PREVENT ALLOW MEDIUM REMOVAL
  [
    0x1e,
    {
      run: (packet, { state }) => {
        state.locked = (packet.byte(4) & 0x01) !== 0;
        return DONE;
      },
    },
  ],
  // READ CAPACITY
  [0x25, { needsMedium: true, run: (_, drive) => bytes(capacityData(drive.blockCount), 8) }],
  // READ(10), READ(12)
  [0x28, { needsMedium: true, run: (packet, drive) => blocks(drive, packet.long(2), packet.word(7), 0) }],
  [0xa8, { needsMedium: true, run: (packet, drive) => blocks(drive, packet.long(2), packet.long(6), 0) }],
  // SEEK(10)
  [0x2b, { needsMedium: true, run: (packet, drive) => (packet.long(2) < drive.blockCount ? DONE : error(SENSE.outOfRange)) }],
  // READ TOC/PMA/ATIP
  [0x43, { needsMedium: true, run: readToc }],
  // GET CONFIGURATION
  [
    0x46,
    {
      ignoresAttention: true,
      run: (packet, { state }) => {
        const request = packet.byte(1) & 0x03;
        if (request === 3) return error(SENSE.invalidField);
        return bytes(configurationData(request, packet.word(2), !state.trayOpen), packet.word(7));
      },
    },
  ],
  // GET EVENT STATUS NOTIFICATION, polled only
  [
    0x4a,
    {
      ignoresAttention: true,
      run: (packet, { state }) =>
        (packet.byte(1) & 0x01) === 0 ? error(SENSE.invalidField) : bytes(eventStatusData(packet.byte(4), !state.trayOpen), packet.word(7)),
    },
  ],
  // READ DISC INFORMATION
  [0x51, { needsMedium: true, run: (packet) => bytes(discInformation(), packet.word(7)) }],
  // MODE SENSE(10)
  [0x5a, { run: modeSense }],
  // READ CD MSF: up to, not including, the end address
  [
    0xb9,
    {
      needsMedium: true,
      run: (packet, drive) => {
        const first = fromMsf(packet, 3);
        const count = fromMsf(packet, 6) - first;
        return first < 0 || count < 0 ? error(SENSE.invalidField) : readCd(packet, drive, first, count);
      },
    },
  ],
  // SET CD SPEED: one speed only, as fast as the fixed times allow
  [0xbb, { run: () => DONE }],
  // MECHANISM STATUS
  [0xbd, { run: (packet, { state }) => bytes(mechanismStatusData(state.trayOpen), packet.word(8)) }],
  // READ CD
  [0xbe, { needsMedium: true, run: (packet, drive) => readCd(packet, drive, packet.long(2), packet.triple(6)) }],
]);

/** Runs one packet; changes `state` where the command does. */
export function runPacket(packet: Uint8Array, state: CdromState, blockCount: number): Answer {
  const command = COMMANDS.get(packet[0] as number);
  if (state.attention.key !== 0 && command?.ignoresAttention !== true) {
    const sense = state.attention;
    state.attention = { ...SENSE.none };
    return error(sense);
  }
  const isRequestSense = packet[0] === 0x03;
  if (!isRequestSense) state.sense = { ...SENSE.none };
  if (command === undefined) return error(SENSE.invalidCommand);
  if (command.needsMedium === true && state.trayOpen) return error(SENSE.trayOpen);
  return command.run(new Packet(packet), { state, blockCount });
}
