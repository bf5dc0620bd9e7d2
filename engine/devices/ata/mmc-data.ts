/**
 * The answers of a CD-ROM drive that do not depend on the sectors: inquiry, table of contents, mode pages,
 * configuration, events (SPC-2, MMC-3, SFF-8020i). The disc is one data track in one session.
 */
import { CD_DATA_BYTES, CD_FRAMES_PER_SECOND, CD_PREGAP_FRAMES, toMsf } from './cd-sector.js';

const LEAD_OUT = 0xaa;
/** ADR 1, control 4: a data track recorded uninterrupted (MMC-3, table 326). */
const DATA_TRACK = 0x14;

function put32(bytes: Uint8Array, at: number, value: number): void {
  for (let index = 0; index < 4; index++) bytes[at + index] = (value >>> (24 - 8 * index)) & 0xff;
}
function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

/** SPC-2, 7.3.2. */
export function inquiryData(): Uint8Array {
  const bytes = new Uint8Array(36);
  bytes.set([0x05, 0x80, 0x00, 0x21, 31]);
  const text = 'REPLAY86CD-ROM          1.0 ';
  for (let index = 0; index < text.length; index++) bytes[8 + index] = text.charCodeAt(index);
  return bytes;
}

/** READ CAPACITY (MMC-3, 5.15): the last block and the block size. */
export function capacityData(sectorCount: number): Uint8Array {
  const bytes = new Uint8Array(8);
  put32(bytes, 0, sectorCount - 1);
  put32(bytes, 4, CD_DATA_BYTES);
  return bytes;
}

function putAddress(bytes: Uint8Array, at: number, lba: number, msf: boolean): void {
  if (msf) bytes.set([0, ...toMsf(lba + CD_PREGAP_FRAMES)], at);
  else put32(bytes, at, lba);
}

/** READ TOC format 0 (MMC-3, 5.22.2): tracks from `firstTrack` on and the lead-out; undefined when there is no such track. */
export function tocData(sectorCount: number, firstTrack: number, msf: boolean): Uint8Array | undefined {
  if (firstTrack > 1 && firstTrack !== LEAD_OUT) return undefined;
  const entries: [track: number, lba: number][] = [[LEAD_OUT, sectorCount]];
  if (firstTrack <= 1) entries.unshift([1, 0]);
  const bytes = new Uint8Array(4 + entries.length * 8);
  put16(bytes, 0, bytes.length - 2);
  bytes.set([1, 1], 2);
  entries.forEach(([track, lba], index) => {
    const at = 4 + index * 8;
    bytes.set([0, DATA_TRACK, track, 0], at);
    putAddress(bytes, at + 4, lba, msf);
  });
  return bytes;
}

/** READ TOC format 1 (5.22.3): the first track of the last session. */
export function sessionData(msf: boolean): Uint8Array {
  const bytes = new Uint8Array(12);
  put16(bytes, 0, 10);
  bytes.set([1, 1, 0, DATA_TRACK, 1, 0], 2);
  putAddress(bytes, 8, 0, msf);
  return bytes;
}

/** READ TOC format 2 (5.22.4): what the lead-in says: first track, last track, lead-out, track 1. */
export function fullTocData(sectorCount: number): Uint8Array {
  const points: [point: number, minute: number, second: number, frame: number][] = [
    [0xa0, 1, 0, 0],
    [0xa1, 1, 0, 0],
    [0xa2, ...toMsf(sectorCount + CD_PREGAP_FRAMES)],
    [1, ...toMsf(CD_PREGAP_FRAMES)],
  ];
  const bytes = new Uint8Array(4 + points.length * 11);
  put16(bytes, 0, bytes.length - 2);
  bytes.set([1, 1], 2);
  points.forEach(([point, ...position], index) => {
    bytes.set([1, DATA_TRACK, 0, point, 0, 0, 0, 0, ...position], 4 + index * 11);
  });
  return bytes;
}

/** READ DISC INFORMATION (5.16): a complete disc of one session. */
export function discInformation(): Uint8Array {
  const bytes = new Uint8Array(34);
  put16(bytes, 0, 32);
  bytes.set([0x0e, 1, 1, 1, 1, 0x20], 2);
  bytes.fill(0xff, 16, 24);
  return bytes;
}

/** Mode pages (MMC-3, 6.3; SFF-8020i, 10.8): read error recovery, CD-ROM, audio control, capabilities. */
function modePages(locked: boolean): Map<number, Uint8Array> {
  const capabilities = new Uint8Array(20);
  capabilities.set([0x2a, 18, 0x00, 0x00, 0x00, 0x00, locked ? 0x2b : 0x29, 0x00]);
  put16(capabilities, 8, 706); // Fastest read speed, kB/s: 4x.
  put16(capabilities, 10, 2);
  put16(capabilities, 12, 512);
  put16(capabilities, 14, 706);
  return new Map([
    [0x01, Uint8Array.of(0x01, 6, 0, 5, 0, 0, 0, 0)],
    [0x0d, Uint8Array.of(0x0d, 6, 0, 0, 0, 60, 0, CD_FRAMES_PER_SECOND)],
    [0x0e, Uint8Array.of(0x0e, 14, 0x04, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff, 0, 0, 0, 0)],
    [0x2a, capabilities],
  ]);
}
const ALL_PAGES = 0x3f;
const CHANGEABLE = 1;

/** MODE SENSE(10): header and one page or all (SPC-2, 7.9); undefined when there is no such page. */
export function modeSenseData(page: number, control: number, locked: boolean): Uint8Array | undefined {
  const all = modePages(locked);
  const chosen = page === ALL_PAGES ? [...all.values()] : [all.get(page)];
  const pages: Uint8Array[] = [];
  for (const bytes of chosen) {
    if (bytes === undefined) return undefined;
    // No parameter can be changed, so the mask of what can is zero.
    if (control === CHANGEABLE) bytes.fill(0, 2);
    pages.push(bytes);
  }
  const length = pages.reduce((sum, bytes) => sum + bytes.length, 8);
  const out = new Uint8Array(length);
  put16(out, 0, length - 2);
  out[2] = 0x01; // 120 mm data disc.
  let at = 8;
  for (const bytes of pages) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

/** GET CONFIGURATION (MMC-3, 5.4 and 6.2): the features of a drive that only reads CDs. */
const PROFILE_CD_ROM = 0x0008;
const FEATURES: readonly (readonly [code: number, flags: number, ...data: number[]])[] = [
  [0x0000, 0x03, 0x00, PROFILE_CD_ROM, 0x01, 0x00], // Profile list.
  [0x0001, 0x07, 0x00, 0x00, 0x00, 0x02], // Core: ATAPI.
  [0x0003, 0x03, 0x29, 0x00, 0x00, 0x00], // Removable medium: tray, eject, lock.
  [0x0010, 0x01, 0x00, 0x00, 0x08, 0x00, 0x00, 0x01, 0x01, 0x00], // Random readable, 2048-byte blocks.
  [0x001e, 0x09, 0x00, 0x00, 0x00, 0x00], // CD read.
];
const REQUEST_CURRENT = 1;
const REQUEST_ONE = 2;

export function configurationData(request: number, first: number, mediumPresent: boolean): Uint8Array {
  const needsMedium = (code: number): boolean => code === 0x0010 || code === 0x001e;
  const bytes: number[] = [0, 0, 0, 0, 0, 0, 0, mediumPresent ? PROFILE_CD_ROM : 0];
  for (const [code, flags, ...data] of FEATURES) {
    const current = mediumPresent || !needsMedium(code);
    if (request === REQUEST_ONE ? code !== first : code < first) continue;
    if (request === REQUEST_CURRENT && !current) continue;
    const content = code === 0 && !mediumPresent ? [0x00, PROFILE_CD_ROM, 0x00, 0x00] : data;
    bytes.push(code >>> 8, code & 0xff, current ? flags : flags & ~1, content.length, ...content);
  }
  const out = Uint8Array.from(bytes);
  put32(out, 0, out.length - 4);
  return out;
}

/** GET EVENT STATUS NOTIFICATION (5.6), polled: only media events, and none new; without it the answer says there are no events. */
const MEDIA_CLASS = 4;
export function eventStatusData(requestedClasses: number, mediumPresent: boolean): Uint8Array {
  if ((requestedClasses & (1 << MEDIA_CLASS)) === 0) return Uint8Array.of(0, 2, 0x80, 1 << MEDIA_CLASS);
  return Uint8Array.of(0, 6, MEDIA_CLASS, 1 << MEDIA_CLASS, 0, mediumPresent ? 0x02 : 0x01, 0, 0);
}

/** MECHANISM STATUS (5.10): idle, no changer. */
export function mechanismStatusData(trayOpen: boolean): Uint8Array {
  return Uint8Array.of(0, trayOpen ? 0x10 : 0, 0, 0, 0, 0, 0, 0);
}
