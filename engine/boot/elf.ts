/**
 * Reader of the program headers of ELF32 and ELF64 little-endian executables (System V ABI, "Object Files" and "Program
 * Loading"; ELF-64 Object File Format). Every offset and size is checked before it is used.
 */
import { BootError, type BootMemory } from './boot-state.js';
import { hex, viewOf } from './bytes.js';
import { requireRam } from './e820.js';

/** e_machine of a 32-bit kernel. */
export const ELF_MACHINE_386 = 3;

/** A PT_LOAD program header with something to load. */
export interface ElfSegment {
  /** Position in the program header table. */
  readonly index: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly virtualAddress: bigint;
  readonly physicalAddress: number;
  /** At least fileBytes; what is beyond them is zero. */
  readonly memoryBytes: number;
}

export interface ElfImage {
  readonly bits: 32 | 64;
  readonly machine: number;
  readonly entry: bigint;
  /** In ascending order of physical address, not overlapping there. */
  readonly segments: readonly ElfSegment[];
}

const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const PT_LOAD = 1;
const ZEROES = new Uint8Array(0x1_0000);

/** Offsets of the fields used, by class. */
const LAYOUT = {
  32: {
    headerBytes: 52,
    programHeaderBytes: 32,
    header: { entry: 24, programHeaderOffset: 28, programHeaderSize: 42, programHeaderCount: 44 },
    program: { offset: 4, virtualAddress: 8, physicalAddress: 12, fileBytes: 16, memoryBytes: 20 },
  },
  64: {
    headerBytes: 64,
    programHeaderBytes: 56,
    header: { entry: 24, programHeaderOffset: 32, programHeaderSize: 54, programHeaderCount: 56 },
    program: { offset: 8, virtualAddress: 16, physicalAddress: 24, fileBytes: 32, memoryBytes: 40 },
  },
} as const;

export function isElf(bytes: Uint8Array): boolean {
  return MAGIC.every((value, index) => bytes[index] === value);
}

/** @throws BootError on anything but an intact executable; `role` begins the message. */
export function readElf(bytes: Uint8Array, role: string): ElfImage {
  if (!isElf(bytes)) throw new BootError(`${role}: not an ELF file`);
  const fileClass = bytes[4];
  if (fileClass !== 1 && fileClass !== 2)
    throw new BootError(`${role}: ELF class ${fileClass ?? 'missing'} at byte 4 is neither 32-bit (1) nor 64-bit (2): the file is damaged`);
  const bits = fileClass === 1 ? 32 : 64;
  const layout = LAYOUT[bits];
  if (bytes.length < layout.headerBytes)
    throw new BootError(`${role}: the file ends at byte ${bytes.length}, inside the ELF header: it is cut short`);
  if (bytes[5] !== 1) throw new BootError(`${role}: an ELF file for a big-endian machine: build it for i386`);
  const view = viewOf(bytes);
  const word = (offset: number): bigint => (bits === 32 ? BigInt(view.getUint32(offset, true)) : view.getBigUint64(offset, true));
  const exact = (offset: number, what: string): number => {
    const value = word(offset);
    if (value > 0xffff_ffff_ffffn)
      throw new BootError(`${role}: ${what} at byte ${offset} is ${hex(value)}, beyond anything a PC has: the file is damaged`);
    return Number(value);
  };

  const tableOffset = exact(layout.header.programHeaderOffset, 'the place of the program headers');
  const entryBytes = view.getUint16(layout.header.programHeaderSize, true);
  const count = view.getUint16(layout.header.programHeaderCount, true);
  if (count === 0) throw new BootError(`${role}: the ELF file has no program headers: link it as an executable`);
  if (entryBytes < layout.programHeaderBytes)
    throw new BootError(
      `${role}: program headers of ${entryBytes} bytes, ELF${bits} has ${layout.programHeaderBytes}: the file is damaged`,
    );
  if (tableOffset + count * entryBytes > bytes.length) {
    throw new BootError(
      `${role}: the program headers end at byte ${tableOffset + count * entryBytes}, the file at ${bytes.length}: it is cut short`,
    );
  }

  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entryBytes;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const what = `program header ${index}`;
    const segment: ElfSegment = {
      index,
      fileOffset: exact(at + layout.program.offset, `the file offset of ${what}`),
      fileBytes: exact(at + layout.program.fileBytes, `the file size of ${what}`),
      virtualAddress: word(at + layout.program.virtualAddress),
      physicalAddress: exact(at + layout.program.physicalAddress, `the physical address of ${what}`),
      memoryBytes: exact(at + layout.program.memoryBytes, `the memory size of ${what}`),
    };
    if (segment.fileBytes > segment.memoryBytes) {
      throw new BootError(
        `${role}: ${what} has ${segment.fileBytes} bytes in the file and only ${segment.memoryBytes} in memory: the file is damaged`,
      );
    }
    const fileEnd = segment.fileOffset + segment.fileBytes;
    if (segment.fileBytes > 0 && fileEnd > bytes.length) {
      throw new BootError(`${role}: ${what} ends at byte ${fileEnd}, the file at ${bytes.length}: it is cut short`);
    }
    if (segment.memoryBytes > 0) segments.push(segment);
  }
  if (segments.length === 0) throw new BootError(`${role}: the ELF file has nothing to load: link it as an executable`);
  segments.sort((a, b) => a.physicalAddress - b.physicalAddress);
  segments.forEach((segment, position) => {
    const next = segments[position + 1];
    if (next !== undefined && segment.physicalAddress + segment.memoryBytes > next.physicalAddress) {
      throw new BootError(
        `${role}: program headers ${segment.index} and ${next.index} overlap at ${hex(next.physicalAddress)}: the file is damaged`,
      );
    }
  });
  return { bits, machine: view.getUint16(18, true), entry: word(layout.header.entry), segments };
}

/**
 * The physical address of the entry point. Kernels are linked with either kind in e_entry: one that lies in a
 * segment's virtual range is translated, as GRUB does.
 */
export function physicalEntry(image: ElfImage, role: string): number {
  const { entry } = image;
  for (const { virtualAddress, physicalAddress, memoryBytes } of image.segments) {
    if (entry >= virtualAddress && entry < virtualAddress + BigInt(memoryBytes)) return physicalAddress + Number(entry - virtualAddress);
  }
  for (const { physicalAddress, memoryBytes } of image.segments) {
    if (entry >= BigInt(physicalAddress) && entry < BigInt(physicalAddress + memoryBytes)) return Number(entry);
  }
  throw new BootError(`${role}: the entry point ${hex(entry)} lies in no program header: the file is damaged or not a kernel`);
}

/** Copies the segments to their physical addresses. @returns the end of the highest. */
export function loadElfSegments(image: ElfImage, bytes: Uint8Array, memory: BootMemory, role: string): number {
  let end = 0;
  for (const segment of image.segments) {
    requireRam(memory, `${role}: program header ${segment.index}`, segment.physicalAddress, segment.memoryBytes);
    end = segment.physicalAddress + segment.memoryBytes;
  }
  for (const { fileOffset, fileBytes, physicalAddress, memoryBytes } of image.segments) {
    memory.write(physicalAddress, bytes.subarray(fileOffset, fileOffset + fileBytes));
    zeroFill(memory, physicalAddress + fileBytes, memoryBytes - fileBytes);
  }
  return end;
}

/** Memory may hold what an earlier boot left there. */
export function zeroFill(memory: BootMemory, address: number, sizeBytes: number): void {
  for (let done = 0; done < sizeBytes; done += ZEROES.length) {
    memory.write(address + done, ZEROES.subarray(0, Math.min(ZEROES.length, sizeBytes - done)));
  }
}
