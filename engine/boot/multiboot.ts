/**
 * Multiboot 1 (Multiboot Specification version 0.6.96): ELF kernels and kernels with address fields in their header
 * ("a.out kludge"), with command line, modules, memory size and map, boot loader name and the text screen.
 *
 * The kernel lies where it wants to, the modules on page boundaries behind it, and everything the loader tells it, with
 * the GDT, in the first free place below 640 KiB.
 */
import type { BootSource } from '../config.js';
import { BOOT_GDT, BootError, type BootMemory, type BootState, type FirmwareTable, flatProtectedMode } from './boot-state.js';
import { alignUp, hex, mebibytes, setUint64, viewOf, zeroTerminated } from './bytes.js';
import { HIGH_MEMORY_START, LOW_MEMORY_END, type MemoryRange, memoryMap, requireRam, writeFirmwareTables } from './e820.js';
import { isElf, loadElfSegments, physicalEntry, readElf, zeroFill } from './elf.js';

const HEADER_MAGIC = 0x1bad_b002;
const LOADER_MAGIC = 0x2bad_b002;
const SEARCH_BYTES = 8192;
const PAGE_BYTES = 0x1000;
const LOADER_NAME = 'replay86';

/** Header flags. Bits 0-15 are requirements; bits 0 and 1 are always met. */
const WANTS_VIDEO = 1 << 2;
const HAS_ADDRESSES = 1 << 16;
const UNKNOWN_REQUIREMENTS = 0xfff8;
const VIDEO_TEXT = 1;

/** Offsets in the header. */
const HEADER = { flags: 4, checksum: 8, headerAddress: 12, loadAddress: 16, loadEnd: 20, bssEnd: 24, entry: 28, videoType: 32 } as const;

/** Offsets in the information structure, and its flags. */
const INFO = {
  flags: 0,
  lowKib: 4,
  highKib: 8,
  commandLine: 16,
  moduleCount: 20,
  modules: 24,
  mapBytes: 44,
  map: 48,
  loaderName: 64,
  screen: 88,
} as const;
const INFO_BYTES = 116;
const INFO_FLAGS = {
  memory: 1 << 0,
  commandLine: 1 << 2,
  modules: 1 << 3,
  memoryMap: 1 << 6,
  loaderName: 1 << 9,
  screen: 1 << 12,
} as const;
const MODULE_ENTRY_BYTES = 16;
/** An entry begins with its own size, which does not count itself. */
const MAP_ENTRY_BYTES = 24;
const SCREEN_TEXT = 2;

type MultibootSource = Extract<BootSource, { kind: 'multiboot' }>;

export interface MultibootHeader {
  /** In the file. */
  readonly offset: number;
  readonly flags: number;
}

interface Extent {
  readonly start: number;
  readonly end: number;
}

interface PlacedKernel {
  readonly entry: number;
  readonly extents: readonly Extent[];
}

/** The header lies on a multiple of four within the first 8 KiB; magic, flags and checksum add up to 0. */
export function findMultibootHeader(kernel: Uint8Array): MultibootHeader | undefined {
  const searched = viewOf(kernel.subarray(0, SEARCH_BYTES));
  for (let offset = 0; offset + 12 <= searched.byteLength; offset += 4) {
    if (searched.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = searched.getUint32(offset + HEADER.flags, true);
    if ((HEADER_MAGIC + flags + searched.getUint32(offset + HEADER.checksum, true)) >>> 0 === 0) return { offset, flags };
  }
  return undefined;
}

export function loadMultiboot(source: MultibootSource, memory: BootMemory, firmwareTables: readonly FirmwareTable[]): BootState {
  const header = findMultibootHeader(source.kernel);
  if (header === undefined) throw new BootError('kernel: no multiboot header in its first 8 KiB: link the header section first');
  const unknown = header.flags & UNKNOWN_REQUIREMENTS;
  if (unknown !== 0)
    throw new BootError(
      `kernel: the multiboot header at ${hex(header.offset)} requires ${hex(unknown)}, which multiboot 1 does not define: clear these flags`,
    );
  requireTextScreen(source.kernel, header);

  const kernel = (header.flags & HAS_ADDRESSES) !== 0 ? placeByHeader(source.kernel, header, memory) : placeElf(source.kernel, memory);
  const modules = placeModules(source.modules, kernel, memory);
  const { bytes, address, infoAddress } = buildInformation(source, kernel, modules, memory);
  memory.write(address, bytes);
  writeFirmwareTables(memory, firmwareTables);
  return { cpu: flatProtectedMode(kernel.entry, { eax: LOADER_MAGIC, ebx: infoAddress }, address), firmwareDefaults: true };
}

/** There is no other screen than text: a kernel that insists on pixels must hear it. */
function requireTextScreen(kernel: Uint8Array, header: MultibootHeader): void {
  if ((header.flags & WANTS_VIDEO) === 0) return;
  const at = header.offset + HEADER.videoType;
  if (at + 4 > kernel.length)
    throw new BootError(
      `kernel: the file ends at byte ${kernel.length}, inside the multiboot header at ${hex(header.offset)}: it is cut short`,
    );
  if (viewOf(kernel).getUint32(at, true) !== VIDEO_TEXT)
    throw new BootError('kernel: its multiboot header asks for a graphics mode, the machine has text mode only: clear flag 2');
}

function placeElf(kernel: Uint8Array, memory: BootMemory): PlacedKernel {
  if (!isElf(kernel))
    throw new BootError('kernel: its multiboot header gives no addresses (flag 16) and the file is not ELF: link it as an ELF executable');
  const elf = readElf(kernel, 'kernel');
  const entry = physicalEntry(elf, 'kernel');
  loadElfSegments(elf, kernel, memory, 'kernel');
  return {
    entry,
    extents: elf.segments.map((segment) => ({ start: segment.physicalAddress, end: segment.physicalAddress + segment.memoryBytes })),
  };
}

function placeByHeader(kernel: Uint8Array, header: MultibootHeader, memory: BootMemory): PlacedKernel {
  if (header.offset + HEADER.videoType > kernel.length) {
    throw new BootError(
      `kernel: the file ends at byte ${kernel.length}, inside the multiboot header at ${hex(header.offset)}: it is cut short`,
    );
  }
  const view = viewOf(kernel);
  const field = (offset: number): number => view.getUint32(header.offset + offset, true);
  const start = field(HEADER.loadAddress);
  const fileOffset = header.offset - (field(HEADER.headerAddress) - start);
  if (start > field(HEADER.headerAddress) || fileOffset < 0) {
    throw new BootError(
      `kernel: the multiboot header at ${hex(header.offset)} gives its own address as ${hex(field(HEADER.headerAddress))} and the load address as ${hex(start)}, which do not fit: correct them`,
    );
  }
  const loadEnd = field(HEADER.loadEnd) === 0 ? start + kernel.length - fileOffset : field(HEADER.loadEnd);
  const end = field(HEADER.bssEnd) === 0 ? loadEnd : field(HEADER.bssEnd);
  const fileEnd = fileOffset + loadEnd - start;
  if (loadEnd <= start || end < loadEnd) {
    throw new BootError(
      `kernel: the multiboot header's addresses run backwards (load ${hex(start)}, load end ${hex(loadEnd)}, bss end ${hex(end)}): correct them`,
    );
  }
  if (fileEnd > kernel.length)
    throw new BootError(`kernel: its multiboot header loads up to byte ${fileEnd}, the file ends at ${kernel.length}: it is cut short`);
  const entry = field(HEADER.entry);
  if (entry < start || entry >= end)
    throw new BootError(
      `kernel: the entry point ${hex(entry)} lies outside of ${hex(start)}-${hex(end - 1)}: correct the multiboot header`,
    );
  requireRam(memory, 'kernel: its image', start, end - start);
  memory.write(start, kernel.subarray(fileOffset, fileEnd));
  zeroFill(memory, loadEnd, end - loadEnd);
  return { entry, extents: [{ start, end }] };
}

function placeModules(modules: MultibootSource['modules'], kernel: PlacedKernel, memory: BootMemory): Extent[] {
  let next = HIGH_MEMORY_START;
  for (const { end } of kernel.extents) next = Math.max(next, end);
  return modules.map(({ image }, index) => {
    const start = alignUp(next, PAGE_BYTES);
    next = start + image.length;
    if (next > memory.sizeBytes) {
      throw new BootError(
        `module ${index + 1}: ${image.length} bytes at ${hex(start)} do not fit, memory ends at ${hex(memory.sizeBytes)}: it takes at least ${mebibytes(next)} of memory`,
      );
    }
    memory.write(start, image);
    return { start, end: next };
  });
}

/** GDT, information structure, module list, memory map and texts as one piece, because all hold each other's addresses. */
function buildInformation(
  source: MultibootSource,
  kernel: PlacedKernel,
  modules: readonly Extent[],
  memory: BootMemory,
): { bytes: Uint8Array; address: number; infoAddress: number } {
  const map = memoryMap(memory.sizeBytes);
  const texts = [
    zeroTerminated(LOADER_NAME, 'loader name'),
    zeroTerminated(source.commandLine, 'command line'),
    ...source.modules.map((module, index) => zeroTerminated(module.commandLine, `command line of module ${index + 1}`)),
  ];
  const infoOffset = BOOT_GDT.length;
  const modulesOffset = infoOffset + alignUp(INFO_BYTES, 8);
  const mapOffset = modulesOffset + modules.length * MODULE_ENTRY_BYTES;
  const textsOffset = mapOffset + map.length * MAP_ENTRY_BYTES;
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + text.length, textsOffset));
  const address = findFree(bytes.length, kernel.extents);

  let textOffset = textsOffset;
  const [nameAddress = 0, commandLineAddress = 0, ...moduleTexts] = texts.map((text) => {
    bytes.set(text, textOffset);
    textOffset += text.length;
    return address + textOffset - text.length;
  });
  bytes.set(BOOT_GDT);
  const view = viewOf(bytes);
  modules.forEach((module, index) => {
    const at = modulesOffset + index * MODULE_ENTRY_BYTES;
    view.setUint32(at, module.start, true);
    view.setUint32(at + 4, module.end, true);
    view.setUint32(at + 8, moduleTexts[index] ?? 0, true);
  });
  map.forEach((range, index) => {
    writeMapEntry(view, mapOffset + index * MAP_ENTRY_BYTES, range);
  });

  const info = viewOf(bytes.subarray(infoOffset, infoOffset + INFO_BYTES));
  const flags =
    INFO_FLAGS.memory | INFO_FLAGS.commandLine | INFO_FLAGS.modules | INFO_FLAGS.memoryMap | INFO_FLAGS.loaderName | INFO_FLAGS.screen;
  info.setUint32(INFO.flags, flags, true);
  info.setUint32(INFO.lowKib, LOW_MEMORY_END / 1024, true);
  info.setUint32(INFO.highKib, (memory.sizeBytes - HIGH_MEMORY_START) / 1024, true);
  info.setUint32(INFO.commandLine, commandLineAddress, true);
  info.setUint32(INFO.moduleCount, modules.length, true);
  info.setUint32(INFO.modules, address + modulesOffset, true);
  info.setUint32(INFO.mapBytes, map.length * MAP_ENTRY_BYTES, true);
  info.setUint32(INFO.map, address + mapOffset, true);
  info.setUint32(INFO.loaderName, nameAddress, true);
  describeScreen(info);
  return { bytes, address, infoAddress: address + infoOffset };
}

function writeMapEntry(view: DataView, at: number, range: MemoryRange): void {
  view.setUint32(at, MAP_ENTRY_BYTES - 4, true);
  setUint64(view, at + 4, range.base);
  setUint64(view, at + 12, range.sizeBytes);
  view.setUint32(at + 20, range.type, true);
}

/** Text mode: 80x25 cells of 16 bits at B8000h. */
function describeScreen(info: DataView): void {
  setUint64(info, INFO.screen, 0xb_8000);
  info.setUint32(INFO.screen + 8, 160, true);
  info.setUint32(INFO.screen + 12, 80, true);
  info.setUint32(INFO.screen + 16, 25, true);
  info.setUint8(INFO.screen + 20, 16);
  info.setUint8(INFO.screen + 21, SCREEN_TEXT);
}

/** First fit above the BIOS data area, which a kernel may expect to be left alone. */
function findFree(sizeBytes: number, used: readonly Extent[]): number {
  const sorted = [...used].sort((a, b) => a.start - b.start);
  let address = PAGE_BYTES;
  for (const { start, end } of sorted) {
    if (address + sizeBytes <= start) break;
    address = Math.max(address, alignUp(end, PAGE_BYTES));
  }
  if (address + sizeBytes > LOW_MEMORY_END)
    throw new BootError(
      `kernel: no ${sizeBytes} bytes are free below 640 KiB for the multiboot information: shorten the command lines or link the kernel at 1 MiB`,
    );
  return address;
}
