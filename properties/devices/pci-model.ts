/**
 * Configuration mechanism #1 (PCI 2.1, 3.7.4.1) and the four functions of a 440FX board: 82441FX, 82371SB (bridge and IDE) and
 * the power management of the 82371AB, each as 256 bytes of which some bits can be written and some be cleared by ones. What the
 * functions decode follows from those bytes.
 */
import { DeviceModel, type Size } from './device-model.js';

/** Offset, bytes, value after reset, bits that can be written, bits that ones clear. */
type Register = readonly [offset: number, size: number, reset: number, writable?: number, cleared?: number];

const range = (first: number, count: number, step = 1): number[] => Array.from({ length: count }, (_, i) => first + i * step);

/** By device and function; 64 MiB of memory are eight rows of which the first has it all. */
const FUNCTIONS = new Map<number, readonly Register[]>([
  [
    0x00,
    [
      ...([
        [0x00, 4, 0x12378086],
        [0x04, 2, 0x0006, 0x0140],
        [0x06, 2, 0x0280, 0, 0xf900],
        [0x08, 4, 0x06000002],
        [0x0d, 1, 0, 0xf8],
      ] as const),
      ...([
        [0x50, 2, 0, 0xfefc],
        [0x52, 1, 0, 0xc2],
        [0x53, 1, 0x80, 0xe7],
        [0x54, 1, 0, 0x07],
        [0x55, 2, 0, 0xffff],
      ] as const),
      ...([
        [0x57, 1, 1, 0x3f],
        [0x58, 1, 0x10, 0x7f],
        [0x59, 1, 0, 0xf0],
      ] as const),
      ...range(0x5a, 6).map((at): Register => [at, 1, 0, 0xff]),
      ...range(0x60, 8).map((at): Register => [at, 1, 8, 0xff]),
      ...([
        [0x68, 1, 0, 0xc0],
        [0x70, 1, 0, 0xf7],
        [0x71, 1, 0x10, 0x1f],
        [0x72, 1, 2, 0x78],
      ] as const),
      ...([
        [0x90, 1, 0, 0x9b],
        [0x91, 1, 0, 0, 0x11],
        [0x93, 1, 0, 0x1e],
      ] as const),
    ],
  ],
  [
    0x08,
    [
      ...([
        [0x00, 4, 0x70008086],
        [0x04, 2, 7, 0x0108],
        [0x06, 2, 0x0200, 0, 0x7800],
        [0x08, 4, 0x06010000],
        [0x0e, 1, 0x80],
      ] as const),
      ...([
        [0x4c, 1, 0x4d, 0xff],
        [0x4e, 2, 3, 0x03ff],
        [0x69, 1, 2, 0xfe],
        [0x6a, 2, 0, 0xbf90],
        [0x70, 1, 0x80, 0xef],
      ] as const),
      ...range(0x60, 4).map((at): Register => [at, 1, 0x80, 0x8f]),
      ...([
        [0x76, 1, 0x0c, 0x8f],
        [0x77, 1, 0x0c, 0x8f],
        [0x78, 2, 2, 0xfffc],
        [0x80, 1, 0, 0x7f],
        [0x82, 1, 0, 0x0f],
      ] as const),
      ...([
        [0xa0, 1, 8, 0x1f],
        [0xa2, 2, 0, 0xff],
        [0xa4, 4, 0, 0xf000fffb],
        [0xa8, 1, 0x0f, 0xff],
        [0xaa, 2, 0, 0xff],
      ] as const),
      ...([
        [0xac, 1, 0, 0xff],
        [0xae, 1, 0, 0xff],
      ] as const),
    ],
  ],
  [
    0x09,
    [
      ...([
        [0x00, 4, 0x70108086],
        [0x04, 2, 0, 0x0005],
        [0x06, 2, 0x0280, 0, 0x3800],
        [0x08, 4, 0x01018000],
        [0x0d, 1, 0, 0xf0],
      ] as const),
      ...([
        [0x20, 4, 1, 0xfffffff0],
        [0x40, 2, 0, 0xf3ff],
        [0x42, 2, 0, 0xf3ff],
        [0x44, 1, 0, 0xff],
      ] as const),
    ],
  ],
  [
    0x0b,
    [
      ...([
        [0x00, 4, 0x71138086],
        [0x04, 2, 0, 1],
        [0x06, 2, 0x0280, 0, 0x0800],
        [0x08, 4, 0x06800003],
        [0x3c, 1, 0, 0xff],
        [0x3d, 1, 1],
      ] as const),
      ...([
        [0x40, 4, 1, 0xffc0],
        [0x80, 1, 0, 1],
        [0x90, 4, 1, 0xfff0],
      ] as const),
      ...range(0x44, 15, 4).map((at): Register => [at, 4, at === 0x58 ? 0x02000000 : 0, 0xffffffff]),
    ],
  ],
]);

const IDE = 0x09;
const POWER = 0x0b;
/** Of the address register itself, of the ACPI commands and of general events. */
const TAKEN = [...range(0xcf8, 8), 0xb2, 0xb3, ...range(0xafe0, 4)];

class Space {
  readonly bytes = new Uint8Array(256);
  private readonly writable = new Uint8Array(256);
  private readonly cleared = new Uint8Array(256);

  constructor(registers: readonly Register[]) {
    for (const [offset, size, reset, writable = 0, cleared = 0] of registers) {
      for (let i = 0; i < size; i++) {
        this.bytes[offset + i] = reset >>> (8 * i);
        this.writable[offset + i] = writable >>> (8 * i);
        this.cleared[offset + i] = cleared >>> (8 * i);
      }
    }
  }

  word(offset: number, size: number): number {
    return range(0, size).reduce((sum, i) => sum + (this.bytes[offset + i] as number) * 256 ** i, 0);
  }

  write(offset: number, value: number): void {
    for (let bit = 1; bit < 0x100; bit *= 2) {
      const one = (value & bit) !== 0;
      const stays = ((this.bytes[offset] as number) & ~bit) >>> 0;
      if (((this.writable[offset] as number) & bit) !== 0) this.bytes[offset] = one ? stays | bit : stays;
      if (((this.cleared[offset] as number) & bit) !== 0 && one) this.bytes[offset] = stays;
    }
  }
}

export class PciModel extends DeviceModel {
  private readonly spaces = new Map([...FUNCTIONS].map(([number, registers]) => [number, new Space(registers)]));
  private address = 0;
  private resetControl = 0;

  /** Each side of CFCh has a handler of its own: an access to both, or beyond, falls apart into bytes. */
  private isWhole(port: number, size: Size): boolean {
    return Math.floor(port / 4) === Math.floor((port + size - 1) / 4);
  }

  private get space(): Space | undefined {
    const enabled = this.address >= 0x80000000 && ((this.address >> 16) & 0xff) === 0;
    return enabled ? this.spaces.get((this.address >> 8) & 0xff) : undefined;
  }

  override read(port: number, size: Size): number {
    const ones = 256 ** size - 1;
    if (!this.isWhole(port, size)) return range(0, size).reduce((sum, i) => sum + this.read(port + i, 1) * 256 ** i, 0);
    if (port > 0xcff) return ones;
    if (port >= 0xcfc) return this.space?.word((this.address & 0xfc) + port - 0xcfc, size) ?? ones;
    if (port === 0xcf8 && size === 4) return this.address;
    return port === 0xcf9 && size === 1 ? this.resetControl : ones;
  }

  override write(port: number, value: number, size: Size): void {
    const bytes = range(0, size).map((i) => Math.floor(value / 256 ** i) % 256);
    if (!this.isWhole(port, size)) for (const [i, byte] of bytes.entries()) this.write(port + i, byte, 1);
    else if (port > 0xcff) return;
    else if (port >= 0xcfc) for (const [i, byte] of bytes.entries()) this.space?.write((this.address & 0xfc) + port - 0xcfc + i, byte);
    else if (port === 0xcf8 && size === 4) this.address = (value & 0x80fffffc) >>> 0;
    else if (port === 0xcf9 && size === 1) {
      if ((value & 4) !== 0) this.emit('reset', (value & 2) !== 0);
      // The bit that resets is gone when the reset is over.
      this.resetControl = value & 2;
    }
  }

  /** Does any function answer at this port? Windows that overlap what is taken, or an earlier window, are not there. */
  decodes(port: number): boolean {
    const [ide, power] = [this.spaces.get(IDE) as Space, this.spaces.get(POWER) as Space];
    const windows: (readonly [base: number, count: number])[] = [];
    const io = ide.word(4, 2) % 2 === 1;
    for (const [timing, command, control] of [
      [0x40, 0x1f0, 0x3f6],
      [0x42, 0x170, 0x376],
    ] as const) {
      if (io && ide.word(timing, 2) >= 0x8000) windows.push([command, 8], [control, 1]);
    }
    const busMaster = ide.word(0x20, 4) - 1;
    if (io && busMaster > 0 && busMaster < 0x10000) windows.push([busMaster, 16]);
    const management = power.word(0x40, 4) - 1;
    if (power.word(0x80, 1) === 1 && management > 0) windows.push([management, 64]);
    const taken = new Set(TAKEN);
    const decoded = new Set<number>();
    for (const [base, count] of windows) {
      const ports = range(base, count);
      if (ports.some((one) => taken.has(one))) continue;
      for (const one of ports) {
        taken.add(one);
        decoded.add(one);
      }
    }
    return decoded.has(port) || TAKEN.includes(port);
  }

  /** Attribute map: 16 KiB segments from C0000h, two a register from 5Ah on, and F0000h in the upper half of 59h. */
  shadow(): string {
    const { bytes } = this.spaces.get(0) as Space;
    const nibbles = range(0x5a, 6).flatMap((at) => [(bytes[at] as number) & 15, (bytes[at] as number) >> 4]);
    return [...nibbles, (bytes[0x59] as number) >> 4].map((bits) => bits & 3).join('');
  }
}
