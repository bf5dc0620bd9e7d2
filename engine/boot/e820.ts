/**
 * The PC's memory map as a firmware reports it by INT 15h, AX=E820h (ACPI specification, "System Address Map
 * Interfaces"), and what may be loaded where in it.
 */

import { BootError, type BootMemory, type FirmwareTable } from './boot-state.js';
import { hex, mebibytes } from './bytes.js';

export const E820_RAM = 1;
export const E820_RESERVED = 2;

export interface MemoryRange {
  readonly base: number;
  readonly sizeBytes: number;
  readonly type: typeof E820_RAM | typeof E820_RESERVED;
}

/** End of usable memory below the video memory: the last KiB belongs to the extended BIOS data area. */
export const LOW_MEMORY_END = 0x9_fc00;
const VIDEO_MEMORY_START = 0xa_0000;
/** Firmware's own: tables are looked for here, and here only. */
const FIRMWARE_START = 0xe_0000;
export const HIGH_MEMORY_START = 0x10_0000;

export function memoryMap(memoryBytes: number): MemoryRange[] {
  const map: MemoryRange[] = [
    { base: 0, sizeBytes: LOW_MEMORY_END, type: E820_RAM },
    { base: LOW_MEMORY_END, sizeBytes: VIDEO_MEMORY_START - LOW_MEMORY_END, type: E820_RESERVED },
    { base: FIRMWARE_START, sizeBytes: HIGH_MEMORY_START - FIRMWARE_START, type: E820_RESERVED },
  ];
  if (memoryBytes > HIGH_MEMORY_START) map.push({ base: HIGH_MEMORY_START, sizeBytes: memoryBytes - HIGH_MEMORY_START, type: E820_RAM });
  return map;
}

export function writeFirmwareTables(memory: BootMemory, tables: readonly FirmwareTable[]): void {
  for (const { address, bytes } of tables) {
    if (address < FIRMWARE_START || address + bytes.length > HIGH_MEMORY_START) {
      throw new Error(`firmware table at ${hex(address)}, ${bytes.length} bytes: outside of the reserved range`);
    }
    memory.write(address, bytes);
  }
}

/** @throws BootError unless `sizeBytes` at `address` lie in usable RAM. `what` names the image and the part of it. */
export function requireRam(memory: BootMemory, what: string, address: number, sizeBytes: number): void {
  const end = address + sizeBytes;
  if (end <= LOW_MEMORY_END) return;
  if (address < HIGH_MEMORY_START) {
    throw new BootError(
      `${what} goes to ${hex(address)}-${hex(end - 1)}, which a PC uses for video and firmware: link it at 1 MiB or above`,
    );
  }
  if (end > memory.sizeBytes) {
    throw new BootError(
      `${what} reaches up to ${hex(end - 1)}, but memory ends at ${hex(memory.sizeBytes)}: it takes at least ${mebibytes(end)} of memory`,
    );
  }
}
