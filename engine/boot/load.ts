/** Which loader a boot source needs, and which kind of kernel a file is. */
import type { BootSource } from '../config.js';
import { loadBios } from './bios.js';
import type { BootMemory, BootState, FirmwareTable } from './boot-state.js';
import { isElf } from './elf.js';
import { isBzImage, loadLinux } from './linux.js';
import { findMultibootHeader, loadMultiboot } from './multiboot.js';
import { loadRaw } from './raw.js';

/** @throws BootError when the images cannot be booted in this memory. */
export function loadBoot(source: BootSource, memory: BootMemory, firmwareTables: readonly FirmwareTable[]): BootState {
  switch (source.kind) {
    case 'linux':
      return loadLinux(source, memory, firmwareTables);
    case 'multiboot':
      return loadMultiboot(source, memory, firmwareTables);
    case 'bios':
      return loadBios(source.rom);
    case 'raw':
      return loadRaw(source, memory);
  }
}

/** 'bzimage' and 'elf' boot as Linux, 'multiboot' as multiboot; an ELF file with a multiboot header is the latter. */
export function detectKernel(bytes: Uint8Array): 'bzimage' | 'elf' | 'multiboot' | undefined {
  if (findMultibootHeader(bytes) !== undefined) return 'multiboot';
  if (isBzImage(bytes)) return 'bzimage';
  return isElf(bytes) ? 'elf' : undefined;
}
