/**
 * Raw bytes at a physical address, entered in real or flat protected mode. Memory holds the image and nothing else: in
 * protected mode the segment registers are loaded but no GDT lies behind them, and ESP is 0.
 */
import type { BootSource } from '../config.js';
import { BootError, type BootMemory, type BootState, flatProtectedMode, realMode } from './boot-state.js';
import { hex } from './bytes.js';

const REAL_MODE_END = 0x10_0000;

export function loadRaw(source: Extract<BootSource, { kind: 'raw' }>, memory: BootMemory): BootState {
  const { image, address, entry, mode } = source;
  const isAddress = (value: number): boolean => Number.isInteger(value) && value >= 0;
  if (!isAddress(address) || address + image.length > memory.sizeBytes) {
    throw new BootError(
      `raw image: ${image.length} bytes at ${hex(address)} do not fit into memory, which ends at ${hex(memory.sizeBytes)}`,
    );
  }
  const entryEnd = mode === 'real' ? Math.min(REAL_MODE_END, memory.sizeBytes) : memory.sizeBytes;
  if (!isAddress(entry) || entry >= entryEnd)
    throw new BootError(`raw image: the entry ${hex(entry)} must be below ${hex(entryEnd)} in ${mode} mode`);
  memory.write(address, image);
  // The whole 64 KiB around the entry can be reached: CS is the multiple of 64 KiB below it.
  const codeBase = entry & 0xf_0000;
  const cpu = mode === 'real' ? realMode(codeBase >> 4, codeBase, entry & 0xffff) : flatProtectedMode(entry, {}, undefined);
  return { cpu, firmwareDefaults: true };
}
