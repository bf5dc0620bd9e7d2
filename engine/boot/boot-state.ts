/**
 * What a loader leaves behind: guest memory filled through `BootMemory`, and the state of the machine at the first
 * instruction as plain data. A loader sees neither the machine nor its devices.
 */

/** Guest RAM as loaders fill it, from physical address 0. */
export interface BootMemory {
  readonly sizeBytes: number;
  /** `address + bytes.length` never exceeds `sizeBytes`. */
  write(address: number, bytes: Uint8Array): void;
}

/** Tables of a firmware that does not run (ACPI): bytes in E0000h-FFFFFh, written by the loader and reserved in E820. */
export interface FirmwareTable {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The visible and the hidden part of a segment register. */
export interface SegmentState {
  readonly selector: number;
  readonly base: number;
  /** In bytes: the last valid offset. */
  readonly limit: number;
  /** Descriptor bits 40-55 with limit 19:16 zero: type, S, DPL, P, AVL, L, D/B, G. */
  readonly attributes: number;
}

export interface DescriptorTableState {
  readonly base: number;
  readonly limit: number;
}

/** Registers that are not named are as after RESET (Intel SDM volume 3, table 10-1). */
export interface CpuBootState {
  readonly eax: number;
  readonly ecx: number;
  readonly edx: number;
  readonly ebx: number;
  readonly esp: number;
  readonly ebp: number;
  readonly esi: number;
  readonly edi: number;
  readonly eip: number;
  readonly eflags: number;
  readonly cr0: number;
  readonly es: SegmentState;
  readonly cs: SegmentState;
  readonly ss: SegmentState;
  readonly ds: SegmentState;
  readonly fs: SegmentState;
  readonly gs: SegmentState;
  readonly gdt: DescriptorTableState;
  readonly idt: DescriptorTableState;
}

/** Read-only memory: `bytes` end at 4 GiB, and their last `aliasBytes` are seen once more below 1 MiB. */
export interface RomState {
  readonly bytes: Uint8Array;
  readonly address: number;
  readonly aliasAddress: number;
  readonly aliasBytes: number;
}

export interface BootState {
  readonly cpu: CpuBootState;
  readonly rom?: RomState;
  /** No BIOS runs: the machine programs interrupt controllers, timer, A20 gate and PCI as a firmware would have. */
  readonly firmwareDefaults: boolean;
}

/** An image that cannot be booted: one line that names the image's role, the place and what to do. */
export class BootError extends Error {
  override readonly name = 'BootError';
}

/** EFLAGS bit 1 is always set. */
const EFLAGS_RESERVED = 0x2;
const CR0_PE = 0x1;
const CR0_ET = 0x10;
const CR0_NW_CD = 0x6000_0000;

const BOOT_CODE_SELECTOR = 0x10;
const BOOT_DATA_SELECTOR = 0x18;

/** Null, unused, flat code at 10h, flat data at 18h; marked accessed, so that loading them writes nothing. */
export const BOOT_GDT = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0],
  ...[0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0],
  ...[0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0],
);

type GeneralRegister = 'eax' | 'ecx' | 'edx' | 'ebx' | 'esp' | 'ebp' | 'esi' | 'edi';
const ZERO_REGISTERS: Readonly<Record<GeneralRegister, number>> = { eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: 0, edi: 0 };

/** Flat 32-bit protected mode, paging and interrupts off. @param gdtAddress where BOOT_GDT lies, if anywhere. */
export function flatProtectedMode(
  eip: number,
  registers: Partial<Record<GeneralRegister, number>>,
  gdtAddress: number | undefined,
): CpuBootState {
  const data: SegmentState = { selector: BOOT_DATA_SELECTOR, base: 0, limit: 0xffff_ffff, attributes: 0xc093 };
  return {
    ...ZERO_REGISTERS,
    ...registers,
    eip,
    eflags: EFLAGS_RESERVED,
    cr0: CR0_PE | CR0_ET,
    es: data,
    cs: { selector: BOOT_CODE_SELECTOR, base: 0, limit: 0xffff_ffff, attributes: 0xc09b },
    ss: data,
    ds: data,
    fs: data,
    gs: data,
    gdt: gdtAddress === undefined ? { base: 0, limit: 0 } : { base: gdtAddress, limit: BOOT_GDT.length - 1 },
    idt: { base: 0, limit: 0 },
  };
}

/** 16-bit real mode as RESET leaves it, with the given CS (selector and base differ only at the reset vector). */
export function realMode(codeSelector: number, codeBase: number, eip: number): CpuBootState {
  const data: SegmentState = { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 };
  return {
    ...ZERO_REGISTERS,
    eip,
    eflags: EFLAGS_RESERVED,
    cr0: CR0_NW_CD | CR0_ET,
    es: data,
    cs: { selector: codeSelector, base: codeBase, limit: 0xffff, attributes: 0x9b },
    ss: data,
    ds: data,
    fs: data,
    gs: data,
    gdt: { base: 0, limit: 0xffff },
    idt: { base: 0, limit: 0xffff },
  };
}
