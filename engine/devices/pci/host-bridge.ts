/**
 * 82441FX host bridge, device 0 (Intel 440FX PCIset, 82441FX PMC data sheet, 3.2). What matters outside are the
 * programmable attribute map, which decides whether C0000h-FFFFFh is memory or ROM, and SMRAM.
 */
import type { AccessSize, Device, DeviceState } from '../device.js';
import { ConfigSpace, identification, type PciFunction } from './pci-function.js';

const PAM = 0x59;
const PAM_COUNT = 7;
const DRB = 0x60;
const DRB_ROWS = 8;
const DRB_UNIT_BYTES = 0x800000;
const SMRAM = 0x72;
/** Reads and writes both go to memory, for both halves of a register. */
const PAM_ALL_MEMORY = 0x33;

/** What a part of C0000h-FFFFFh is: reads and writes go to memory, or to the ROM behind the PCI bus. */
export interface ShadowSegment {
  readonly address: number;
  readonly sizeBytes: number;
  readonly readMemory: boolean;
  readonly writeMemory: boolean;
}

export interface HostBridgeConfig {
  readonly memoryBytes: number;
  /** Called after a reset, a restore, and each write that changes the map. */
  readonly onShadowChanged: (segments: readonly ShadowSegment[]) => void;
}

export class HostBridge implements Device, PciFunction {
  readonly name = 'pci.host';
  readonly deviceFunction = 0x00;
  private readonly space: ConfigSpace;

  constructor(private readonly config: HostBridgeConfig) {
    // All memory is in the first row: every boundary is the end of memory, in units of 8 MiB.
    const boundary = Math.min(0xff, Math.ceil(config.memoryBytes / DRB_UNIT_BYTES));
    this.space = new ConfigSpace(this.name, [
      ...identification(0x8086, 0x1237, 0x060000, 0x02, 0x00),
      { offset: 0x04, size: 2, reset: 0x0006, writable: 0x0140 },
      { offset: 0x06, size: 2, reset: 0x0280, clearedByOne: 0xf900 },
      { offset: 0x0d, size: 1, reset: 0x00, writable: 0xf8 },
      { offset: 0x50, size: 2, reset: 0x0000, writable: 0xfefc },
      { offset: 0x52, size: 1, reset: 0x00, writable: 0xc2 },
      { offset: 0x53, size: 1, reset: 0x80, writable: 0xe7 },
      { offset: 0x54, size: 1, reset: 0x00, writable: 0x07 },
      { offset: 0x55, size: 2, reset: 0x0000, writable: 0xffff },
      { offset: 0x57, size: 1, reset: 0x01, writable: 0x3f },
      { offset: 0x58, size: 1, reset: 0x10, writable: 0x7f },
      { offset: PAM, size: 1, reset: 0x00, writable: 0xf0 },
      ...Array.from({ length: PAM_COUNT - 1 }, (_, index) => ({ offset: PAM + 1 + index, size: 1 as const, reset: 0x00, writable: 0xff })),
      ...Array.from({ length: DRB_ROWS }, (_, row) => ({ offset: DRB + row, size: 1 as const, reset: boundary, writable: 0xff })),
      { offset: 0x68, size: 1, reset: 0x00, writable: 0xc0 },
      { offset: 0x70, size: 1, reset: 0x00, writable: 0xf7 },
      { offset: 0x71, size: 1, reset: 0x10, writable: 0x1f },
      { offset: SMRAM, size: 1, reset: 0x02, writable: 0x78 },
      { offset: 0x90, size: 1, reset: 0x00, writable: 0x9b },
      { offset: 0x91, size: 1, reset: 0x00, clearedByOne: 0x11 },
      { offset: 0x93, size: 1, reset: 0x00, writable: 0x1e },
    ]);
  }

  reset(): void {
    this.space.reset();
    this.config.onShadowChanged(this.shadow());
  }

  /** As a BIOS leaves it behind: all of C0000h-FFFFFh is memory. */
  applyFirmwareDefaults(): void {
    for (let index = 0; index < PAM_COUNT; index++) this.space.write(PAM + index, 1, PAM_ALL_MEMORY);
    this.config.onShadowChanged(this.shadow());
  }

  configRead(offset: number, size: AccessSize): number {
    return this.space.read(offset, size);
  }

  configWrite(offset: number, size: AccessSize, value: number): void {
    const before = this.shadowRegisters();
    this.space.write(offset, size, value);
    if (this.shadowRegisters().some((byte, index) => byte !== before[index])) this.config.onShadowChanged(this.shadow());
  }

  /** PAM0 holds F0000h-FFFFFh; each of the others two segments of 16 KiB from C0000h on (3.2.16). */
  shadow(): ShadowSegment[] {
    const segment = (address: number, sizeBytes: number, bits: number): ShadowSegment => ({
      address,
      sizeBytes,
      readMemory: (bits & 1) !== 0,
      writeMemory: (bits & 2) !== 0,
    });
    const registers = this.shadowRegisters();
    const segments: ShadowSegment[] = [];
    for (let index = 1; index < PAM_COUNT; index++) {
      const bits = registers[index] as number;
      const address = 0xc0000 + (index - 1) * 0x8000;
      segments.push(segment(address, 0x4000, bits), segment(address + 0x4000, 0x4000, bits >>> 4));
    }
    segments.push(segment(0xf0000, 0x10000, (registers[0] as number) >>> 4));
    return segments;
  }

  private shadowRegisters(): Uint8Array {
    return this.space.bytes.slice(PAM, PAM + PAM_COUNT);
  }

  save(): DeviceState {
    return this.space.save();
  }

  restore(state: DeviceState): void {
    this.space.restore(state);
    this.config.onShadowChanged(this.shadow());
  }
}
