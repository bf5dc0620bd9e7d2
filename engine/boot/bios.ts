/**
 * A BIOS image as a PC maps it: it ends at 4 GiB, its last 128 KiB (or all of a smaller one) appear once more below
 * 1 MiB, and the CPU starts at FFFFFFF0h as after RESET (Intel SDM volume 3, "First Instruction Executed").
 */
import { BootError, type BootState, realMode } from './boot-state.js';

const FOUR_GIB = 0x1_0000_0000;
const ONE_MIB = 0x10_0000;
const PAGE_BYTES = 0x1000;
const ROM_BYTES_MAX = 16 * ONE_MIB;
const ALIAS_BYTES_MAX = 0x2_0000;

export function loadBios(rom: Uint8Array): BootState {
  if (rom.length === 0) throw new BootError('bios: the file is empty');
  if (rom.length > ROM_BYTES_MAX) throw new BootError(`bios: ${rom.length} bytes, at most 16 MiB can be mapped: is this a BIOS image?`);
  if (rom.length % PAGE_BYTES !== 0)
    throw new BootError(`bios: ${rom.length} bytes is not a multiple of 4096: the file is cut short or not a BIOS image`);
  const aliasBytes = Math.min(rom.length, ALIAS_BYTES_MAX);
  return {
    cpu: realMode(0xf000, 0xffff_0000, 0xfff0),
    rom: { bytes: rom, address: FOUR_GIB - rom.length, aliasAddress: ONE_MIB - aliasBytes, aliasBytes },
    firmwareDefaults: false,
  };
}
