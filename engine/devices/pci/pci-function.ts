/**
 * The configuration space of one PCI function: 256 bytes with, for each, its value after reset, which bits software
 * may write, and which bits a written one clears (PCI 2.1, 6.1 and 6.2).
 */
import type { AccessSize, DeviceState } from '../device.js';
import { copyOf, stateLike } from '../plain-state.js';

const SPACE_BYTES = 256;

/** One register of up to four bytes. */
export interface ConfigField {
  readonly offset: number;
  readonly size: AccessSize;
  readonly reset: number;
  /** Bits that software may change; none when absent. */
  readonly writable?: number;
  /** Bits that are cleared by writing ones to them. */
  readonly clearedByOne?: number;
}

/** Offsets that every function has (figure 6-1). */
export const CONFIG = {
  vendorAndDevice: 0x00,
  command: 0x04,
  status: 0x06,
  revisionAndClass: 0x08,
  headerType: 0x0e,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;

/** Command register (6.2.2). */
export const PCI_COMMAND = { io: 0x0001, memory: 0x0002, busMaster: 0x0004 } as const;

export class ConfigSpace {
  readonly bytes = new Uint8Array(SPACE_BYTES);
  private readonly resetBytes = new Uint8Array(SPACE_BYTES);
  private readonly writable = new Uint8Array(SPACE_BYTES);
  private readonly clearedByOne = new Uint8Array(SPACE_BYTES);

  constructor(
    private readonly name: string,
    fields: readonly ConfigField[],
  ) {
    for (const { offset, size, reset, writable = 0, clearedByOne = 0 } of fields) {
      for (let byte = 0; byte < size; byte++) {
        const shift = 8 * byte;
        this.resetBytes[offset + byte] = reset >>> shift;
        this.writable[offset + byte] = writable >>> shift;
        this.clearedByOne[offset + byte] = clearedByOne >>> shift;
      }
    }
    this.reset();
  }

  reset(): void {
    this.bytes.set(this.resetBytes);
  }

  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (this.bytes[offset + byte] as number);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      const at = offset + byte;
      const written = (value >>> (8 * byte)) & 0xff;
      const mask = this.writable[at] as number;
      const old = this.bytes[at] as number;
      this.bytes[at] = ((old & ~mask) | (written & mask)) & ~(written & (this.clearedByOne[at] as number));
    }
  }

  save(): DeviceState {
    return { bytes: copyOf(this.bytes) };
  }

  restore(state: DeviceState): void {
    this.bytes.set(stateLike({ bytes: new Uint8Array(SPACE_BYTES) }, state, this.name).bytes);
  }
}

/** A function on bus 0, as the bus sees it. Both sides of an access lie inside one aligned double word. */
export interface PciFunction {
  /** Device number x 8 + function number. */
  readonly deviceFunction: number;
  configRead(offset: number, size: AccessSize): number;
  configWrite(offset: number, size: AccessSize, value: number): void;
}

/** The identification every function begins with: ids, class code, revision, header type. */
export function identification(vendor: number, device: number, classCode: number, revision: number, headerType: number): ConfigField[] {
  return [
    { offset: CONFIG.vendorAndDevice, size: 4, reset: device * 65536 + vendor },
    { offset: CONFIG.revisionAndClass, size: 4, reset: classCode * 256 + revision },
    { offset: CONFIG.headerType, size: 1, reset: headerType },
  ];
}
