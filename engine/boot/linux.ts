/**
 * Linux by the 32-bit boot protocol (Linux, Documentation/arch/x86/boot.rst and zero-page.rst): a bzImage, or the
 * uncompressed vmlinux, which is entered the way the unpacker inside a bzImage enters it.
 *
 * Low memory as the loader uses it: GDT at 1000h, boot_params at 10000h, the command line after them.
 */
import type { BootSource } from '../config.js';
import { BOOT_GDT, BootError, type BootMemory, type BootState, type FirmwareTable, flatProtectedMode } from './boot-state.js';
import { alignDown, hex, mebibytes, setUint64, viewOf, zeroTerminated } from './bytes.js';
import { HIGH_MEMORY_START, LOW_MEMORY_END, memoryMap, requireRam, writeFirmwareTables } from './e820.js';
import { ELF_MACHINE_386, isElf, loadElfSegments, physicalEntry, readElf } from './elf.js';

const GDT_ADDRESS = 0x1000;
const BOOT_PARAMS_ADDRESS = 0x1_0000;
const BOOT_PARAMS_BYTES = 0x1000;
const COMMAND_LINE_ADDRESS = BOOT_PARAMS_ADDRESS + BOOT_PARAMS_BYTES;
const PAGE_BYTES = 0x1000;
const SECTOR_BYTES = 512;

/** Offsets in the first sectors of a bzImage, and the same in boot_params. */
const HEADER = {
  setupSectors: 0x1f1,
  protectedModeParagraphs: 0x1f4,
  bootFlag: 0x1fe,
  jumpDistance: 0x201,
  magic: 0x202,
  version: 0x206,
  loaderType: 0x210,
  loadFlags: 0x211,
  code32Start: 0x214,
  initrdAddress: 0x218,
  initrdBytes: 0x21c,
  commandLineAddress: 0x228,
  initrdLastAddress: 0x22c,
  extendedLoadFlags: 0x236,
  commandLineBytesMax: 0x238,
  preferredAddress: 0x258,
  initBytes: 0x260,
} as const;
const HEADER_END_MAX = 0x290;

/** Offsets in boot_params outside of the setup header. */
const PARAMS = {
  videoMode: 0x06,
  videoColumns: 0x07,
  videoLines: 0x0e,
  videoIsVga: 0x0f,
  videoPoints: 0x10,
  e820Count: 0x1e8,
  e820Table: 0x2d0,
} as const;
const E820_ENTRY_BYTES = 20;

const MAGIC = 0x5372_6448; // "HdrS"
const BOOT_FLAG = 0xaa55;
const LOADED_HIGH = 0x01;
const KERNEL_64 = 0x0001;
const LOADER_UNDEFINED = 0xff;

/** What the header of a vmlinux would say: it has none, but the kernel looks at its copy in boot_params. */
const VMLINUX = { version: 0x020f, commandLineBytesMax: 2047, initrdLastAddress: 0x37ff_ffff } as const;

interface PlacedKernel {
  readonly entry: number;
  /** End of the memory the kernel uses before it reads the memory map. */
  readonly end: number;
  readonly commandLineBytesMax: number;
  readonly initrdLastAddress: number;
}

type LinuxSource = Extract<BootSource, { kind: 'linux' }>;

export function isBzImage(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER.version) return false;
  const view = viewOf(bytes);
  return view.getUint16(HEADER.bootFlag, true) === BOOT_FLAG && view.getUint32(HEADER.magic, true) === MAGIC;
}

export function loadLinux(source: LinuxSource, memory: BootMemory, firmwareTables: readonly FirmwareTable[]): BootState {
  const params = new Uint8Array(BOOT_PARAMS_BYTES);
  const kernel = isElf(source.kernel) ? placeVmlinux(source.kernel, memory, params) : placeBzImage(source.kernel, memory, params);
  const view = viewOf(params);
  view.setUint8(HEADER.loaderType, LOADER_UNDEFINED);
  view.setUint8(HEADER.loadFlags, LOADED_HIGH);

  const commandLine = zeroTerminated(source.commandLine, 'command line');
  const commandLineBytesMax = Math.min(kernel.commandLineBytesMax, LOW_MEMORY_END - COMMAND_LINE_ADDRESS - 1);
  if (commandLine.length - 1 > commandLineBytesMax) {
    throw new BootError(`command line: ${commandLine.length - 1} bytes, this kernel takes at most ${commandLineBytesMax}: shorten it`);
  }
  view.setUint32(HEADER.commandLineAddress, COMMAND_LINE_ADDRESS, true);
  memory.write(COMMAND_LINE_ADDRESS, commandLine);

  if (source.initrd !== undefined) {
    const initrdAddress = placeInitrd(source.initrd, memory, kernel);
    view.setUint32(HEADER.initrdAddress, initrdAddress, true);
    view.setUint32(HEADER.initrdBytes, source.initrd.length, true);
    memory.write(initrdAddress, source.initrd);
  }

  describeScreen(view);
  describeMemory(view, memory);
  writeFirmwareTables(memory, firmwareTables);
  memory.write(BOOT_PARAMS_ADDRESS, params);
  memory.write(GDT_ADDRESS, BOOT_GDT);
  return { cpu: flatProtectedMode(kernel.entry, { esi: BOOT_PARAMS_ADDRESS }, GDT_ADDRESS), firmwareDefaults: true };
}

function placeBzImage(image: Uint8Array, memory: BootMemory, params: Uint8Array): PlacedKernel {
  if (!isBzImage(image)) throw new BootError('kernel: neither a bzImage ("HdrS" at 0x202) nor an ELF file: give a Linux kernel for i386');
  const view = viewOf(image);
  const headerEnd = image.length > HEADER.jumpDistance ? HEADER.magic + view.getUint8(HEADER.jumpDistance) : 0;
  if (image.length < HEADER_END_MAX)
    throw new BootError(`kernel: the file ends at byte ${image.length}, inside the setup header: it is cut short`);
  const version = view.getUint16(HEADER.version, true);
  const versionText = `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;
  if (version < 0x0204)
    throw new BootError(`kernel: boot protocol ${versionText} at 0x206, at least 2.04 is needed: take Linux 2.6.14 or newer`);
  const lastField =
    version >= 0x020a ? HEADER.initBytes + 4 : version >= 0x0206 ? HEADER.commandLineBytesMax + 4 : HEADER.initrdLastAddress + 4;
  if (headerEnd < lastField || headerEnd > HEADER_END_MAX) {
    throw new BootError(
      `kernel: the setup header ends at ${hex(headerEnd)}, which does not fit protocol ${versionText}: the file is damaged`,
    );
  }
  if ((view.getUint8(HEADER.loadFlags) & LOADED_HIGH) === 0)
    throw new BootError('kernel: a zImage, which loads below 1 MiB: build a bzImage');
  if (version >= 0x020c && (view.getUint16(HEADER.extendedLoadFlags, true) & KERNEL_64) !== 0) {
    throw new BootError('kernel: built for x86-64, the machine is a 32-bit one: take an i386 kernel');
  }

  const codeStart = ((view.getUint8(HEADER.setupSectors) || 4) + 1) * SECTOR_BYTES;
  const codeBytes = view.getUint32(HEADER.protectedModeParagraphs, true) * 16;
  if (codeBytes === 0) throw new BootError('kernel: the size of its protected-mode part at 0x1f4 is 0: the file is damaged');
  if (codeStart + codeBytes > image.length) {
    throw new BootError(`kernel: the setup header announces ${codeStart + codeBytes} bytes, the file has ${image.length}: it is cut short`);
  }

  // Before protocol 2.10 a kernel runs at 1 MiB and does not say how much memory it needs there.
  let address = HIGH_MEMORY_START;
  let usedBytes = codeBytes;
  if (version >= 0x020a) {
    address = view.getUint32(HEADER.preferredAddress, true) + view.getUint32(HEADER.preferredAddress + 4, true) * 0x1_0000_0000;
    usedBytes = Math.max(codeBytes, view.getUint32(HEADER.initBytes, true));
    if (address < HIGH_MEMORY_START)
      throw new BootError(`kernel: its preferred address ${hex(address)} at 0x258 lies below 1 MiB: the file is damaged`);
  }
  requireRam(memory, 'kernel: what it needs to unpack itself', address, usedBytes);
  memory.write(address, image.subarray(codeStart, codeStart + codeBytes));

  params.set(image.subarray(HEADER.setupSectors, headerEnd), HEADER.setupSectors);
  viewOf(params).setUint32(HEADER.code32Start, address, true);
  return {
    entry: address,
    end: address + usedBytes,
    commandLineBytesMax: version >= 0x0206 ? view.getUint32(HEADER.commandLineBytesMax, true) : 255,
    initrdLastAddress: view.getUint32(HEADER.initrdLastAddress, true),
  };
}

function placeVmlinux(image: Uint8Array, memory: BootMemory, params: Uint8Array): PlacedKernel {
  const elf = readElf(image, 'kernel');
  if (elf.bits !== 32 || elf.machine !== ELF_MACHINE_386) {
    throw new BootError(
      `kernel: an ELF${elf.bits} file for machine ${elf.machine}, the machine is a 32-bit i386 (ELF32, machine 3): take an i386 kernel`,
    );
  }
  const [lowest] = elf.segments;
  if (lowest === undefined || lowest.physicalAddress < HIGH_MEMORY_START) {
    throw new BootError(
      `kernel: program header ${lowest?.index} loads at ${hex(lowest?.physicalAddress ?? 0)}, below 1 MiB: not a Linux kernel`,
    );
  }
  const entry = physicalEntry(elf, 'kernel');
  const end = loadElfSegments(elf, image, memory, 'kernel');
  const view = viewOf(params);
  view.setUint16(HEADER.bootFlag, BOOT_FLAG, true);
  view.setUint32(HEADER.magic, MAGIC, true);
  view.setUint16(HEADER.version, VMLINUX.version, true);
  return { entry, end, commandLineBytesMax: VMLINUX.commandLineBytesMax, initrdLastAddress: VMLINUX.initrdLastAddress };
}

/** As high as possible: what lies above the kernel may be overwritten by it until it knows where its initrd is. */
function placeInitrd(initrd: Uint8Array, memory: BootMemory, kernel: PlacedKernel): number {
  if (initrd.length === 0) throw new BootError('initrd: the file is empty');
  const limit = Math.min(kernel.initrdLastAddress + 1, memory.sizeBytes);
  const address = alignDown(limit - initrd.length, PAGE_BYTES);
  if (address >= kernel.end) return address;
  if (limit < memory.sizeBytes) {
    throw new BootError(
      `initrd: ${initrd.length} bytes do not fit between the kernel's end at ${hex(kernel.end)} and ${hex(limit)}, the last place this kernel takes one: make it smaller`,
    );
  }
  throw new BootError(
    `initrd: ${initrd.length} bytes do not fit above the kernel, which ends at ${hex(kernel.end)}: it takes at least ${mebibytes(kernel.end + PAGE_BYTES + initrd.length)} of memory`,
  );
}

/** VGA in text mode 3, 80x25, as a video BIOS leaves it. */
function describeScreen(params: DataView): void {
  params.setUint8(PARAMS.videoMode, 3);
  params.setUint8(PARAMS.videoColumns, 80);
  params.setUint8(PARAMS.videoLines, 25);
  params.setUint8(PARAMS.videoIsVga, 1);
  params.setUint16(PARAMS.videoPoints, 16, true);
}

function describeMemory(params: DataView, memory: BootMemory): void {
  const map = memoryMap(memory.sizeBytes);
  params.setUint8(PARAMS.e820Count, map.length);
  map.forEach((range, index) => {
    const at = PARAMS.e820Table + index * E820_ENTRY_BYTES;
    setUint64(params, at, range.base);
    setUint64(params, at + 8, range.sizeBytes);
    params.setUint32(at + 16, range.type, true);
  });
}
