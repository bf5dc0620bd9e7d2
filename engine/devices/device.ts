/**
 * What every device of the PC has in common: state that can be saved, ports, memory-mapped registers, interrupt
 * lines. A device gets everything it may use as a typed configuration object; it never sees the host.
 */

/** Plain data: what a snapshot holds and a digest covers. Keys in the order of the type, no undefined. */
export type StateValue = number | bigint | boolean | string | null | Uint8Array | StateValue[] | { [key: string]: StateValue };
export type DeviceState = { [key: string]: StateValue };

export interface Device {
  /** Stable name: the key in snapshots, input events and logs. */
  readonly name: string;
  /** State after power-on or the reset line (not called by the constructor: the machine calls it). */
  reset(): void;
  /** A copy of the whole guest-visible state, alarms included: restore(save()) is the identity. */
  save(): DeviceState;
  /** The same with references to what is large and will not change any more; for those who keep many states. */
  saveShared?(): DeviceState;
  /** Takes what either way of saving gives. @throws StateError when the state is not one this device wrote. */
  restore(state: DeviceState): void;
}

/** A device that takes events from the input log. */
export interface InputDevice extends Device {
  /** @throws InputError on a payload that the device does not understand, before anything has changed. */
  input(payload: Uint8Array): void;
}

export class StateError extends Error {
  override readonly name = 'StateError';
}
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** One input of an interrupt controller. Level changes are idempotent. */
export interface IrqLine {
  set(level: boolean): void;
}

export type AccessSize = 1 | 2 | 4;

/**
 * Handler of a range of I/O ports. `size` is in bytes. A handler that only knows bytes sets `byteWide`: the bus
 * then splits wider accesses into single bytes in ascending order, as the ISA bus does.
 */
export interface PortHandler {
  readonly byteWide?: boolean;
  read(port: number, size: AccessSize): number;
  write(port: number, size: AccessSize, value: number): void;
}

export interface PortRegistrar {
  /** @throws Error when part of the range is taken. */
  claim(firstPort: number, count: number, handler: PortHandler): void;
  /** Gives a range back (PCI base address registers move). */
  release(firstPort: number, count: number): void;
}

/** Registers in guest-physical memory. `offset` counts from the start of the region. */
export interface MmioHandler {
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** Guest-physical memory as bus masters see it: no translation, unclaimed addresses read as all ones. */
export interface BusMemory {
  read8(address: number): number;
  read16(address: number): number;
  read32(address: number): number;
  write8(address: number, value: number): void;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
  readBytes(address: number, into: Uint8Array): void;
  writeBytes(address: number, bytes: Uint8Array): void;
}

/** A disk or CD image as the host offers it: read only, synchronous, unchanging. */
export interface BlockImage {
  readonly sizeBytes: number;
  /** Fills `into` from `offsetBytes`; both lie inside the image. */
  read(offsetBytes: number, into: Uint8Array): void;
}
