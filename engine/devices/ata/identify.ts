/**
 * The 512 bytes of IDENTIFY DEVICE (ATA/ATAPI-6, 8.15) and IDENTIFY PACKET DEVICE (8.16).
 */
import { SECTOR_BYTES } from './registers.js';

/** Text fields: two characters a word, the first in the high byte, padded with spaces (3.2.9). */
function putText(words: Uint16Array, first: number, last: number, text: string): void {
  for (let word = first; word <= last; word++) {
    const at = (word - first) * 2;
    const high = at < text.length ? text.charCodeAt(at) : 0x20;
    const low = at + 1 < text.length ? text.charCodeAt(at + 1) : 0x20;
    words[word] = (high << 8) | low;
  }
}

/** Little-endian bytes with the integrity word: signature A5h and a checksum that makes the sum zero (8.15.62). */
function toBytes(words: Uint16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SECTOR_BYTES);
  for (let index = 0; index < 255; index++) {
    bytes[index * 2] = (words[index] as number) & 0xff;
    bytes[index * 2 + 1] = (words[index] as number) >>> 8;
  }
  bytes[510] = 0xa5;
  bytes[511] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

/** Selected transfer modes: which of the modes below is in use, or none. */
export interface DmaModes {
  readonly multiword: number;
  readonly ultra: number;
}

const HIGHEST_MULTIWORD = 2;
const HIGHEST_ULTRA = 5;
const HIGHEST_PIO = 4;
const NO_MODE = -1;

function putModes(words: Uint16Array, modes: DmaModes): void {
  words[53] = 0x0006; // Words 64-70 and 88 are valid.
  words[63] = (2 ** (HIGHEST_MULTIWORD + 1) - 1) | (modes.multiword === NO_MODE ? 0 : 0x100 << modes.multiword);
  words[64] = 0x0003; // PIO modes 3 and 4.
  words[65] = words[66] = words[67] = words[68] = 120; // Shortest cycles, ns.
  words[80] = 0x007e; // ATA-1 to ATA/ATAPI-6.
  words[88] = (2 ** (HIGHEST_ULTRA + 1) - 1) | (modes.ultra === NO_MODE ? 0 : 0x100 << modes.ultra);
  words[93] = 0x6001; // 80-conductor cable seen, device 0.
}

/** After power-on multiword DMA mode 2 is selected, as the BIOS of a PC leaves it. */
export const DEFAULT_MODES: DmaModes = { multiword: HIGHEST_MULTIWORD, ultra: NO_MODE };

/**
 * SET FEATURES 03h: the modes after `code` was asked for, or undefined when the drive does not have it (8.46.11).
 * PIO modes leave the DMA mode alone; one kind of DMA replaces the other.
 */
export function transferModes(code: number, present: DmaModes): DmaModes | undefined {
  const mode = code & 0x07;
  switch (code >>> 3) {
    case 0:
      return mode <= 1 ? present : undefined;
    case 1:
      return mode <= HIGHEST_PIO ? present : undefined;
    case 4:
      return mode <= HIGHEST_MULTIWORD ? { multiword: mode, ultra: NO_MODE } : undefined;
    case 8:
      return mode <= HIGHEST_ULTRA ? { multiword: NO_MODE, ultra: mode } : undefined;
    default:
      return undefined;
  }
}

export interface DiskIdentity {
  readonly sectorCount: number;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
  readonly currentCylinders: number;
  readonly currentHeads: number;
  readonly currentSectorsPerTrack: number;
  readonly maximumMultiple: number;
  readonly multiple: number;
  readonly writeCache: boolean;
  readonly readAhead: boolean;
  readonly modes: DmaModes;
}

export function identifyDisk(disk: DiskIdentity): Uint8Array<ArrayBuffer> {
  const words = new Uint16Array(256);
  words[0] = 0x0040; // Fixed disk.
  words[1] = disk.cylinders;
  words[3] = disk.heads;
  words[6] = disk.sectorsPerTrack;
  putText(words, 10, 19, 'R86-0001');
  putText(words, 23, 26, '1.0');
  putText(words, 27, 46, 'REPLAY86 HARDDISK');
  words[47] = 0x8000 | disk.maximumMultiple;
  words[49] = 0x0b00; // IORDY, LBA, DMA.
  words[50] = 0x4000;
  words[51] = 0x0200; // PIO mode 2, as older hosts read it.
  putModes(words, disk.modes);
  words[53] |= 0x0001; // Words 54-58 are valid.
  words[54] = disk.currentCylinders;
  words[55] = disk.currentHeads;
  words[56] = disk.currentSectorsPerTrack;
  const currentCapacity = Math.min(disk.sectorCount, disk.currentCylinders * disk.currentHeads * disk.currentSectorsPerTrack);
  words[57] = currentCapacity & 0xffff;
  words[58] = currentCapacity >>> 16;
  words[59] = disk.multiple === 0 ? 0 : 0x0100 | disk.multiple;
  const capacity28 = Math.min(disk.sectorCount, 0x0fffffff);
  words[60] = capacity28 & 0xffff;
  words[61] = capacity28 >>> 16;
  words[82] = 0x7068; // NOP, READ and WRITE BUFFER, look-ahead, write cache, power management.
  words[83] = 0x7400; // FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses.
  words[84] = 0x4000;
  words[85] = 0x7008 | (disk.writeCache ? 0x20 : 0) | (disk.readAhead ? 0x40 : 0);
  words[86] = 0x3400;
  words[87] = 0x4000;
  for (let word = 0; word < 4; word++) words[100 + word] = Math.floor(disk.sectorCount / 65536 ** word) % 65536;
  return toBytes(words);
}

export function identifyCdrom(modes: DmaModes): Uint8Array<ArrayBuffer> {
  const words = new Uint16Array(256);
  words[0] = 0x85c0; // ATAPI, CD-ROM, removable, DRQ within 50 us of PACKET, 12-byte packets.
  putText(words, 10, 19, 'R86-0002');
  putText(words, 23, 26, '1.0');
  putText(words, 27, 46, 'REPLAY86 CD-ROM');
  words[49] = 0x0b00; // IORDY, LBA, DMA.
  putModes(words, modes);
  words[82] = 0x4218; // NOP, DEVICE RESET, PACKET, power management.
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = 0x4218;
  words[87] = 0x4000;
  return toBytes(words);
}
