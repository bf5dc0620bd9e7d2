/**
 * PCI configuration mechanism #1: the address register at CF8h and the data window at CFCh (PCI 2.1, 3.7.4.1), and the
 * reset control register of the PIIX3 at CF9h, which lies inside (82371SB data sheet, 3.1.4).
 */
import type { AccessSize, Device, DeviceState, PortRegistrar } from '../device.js';
import { copyOf, stateLike } from '../plain-state.js';
import type { PciFunction } from './pci-function.js';

const ADDRESS_PORT = 0xcf8;
const RESET_PORT = 0xcf9;
const DATA_PORT = 0xcfc;
const ENABLE = 0x80000000;
/** Bits 30-24 and 1-0 are reserved and read as zeros. */
const ADDRESS_MASK = 0x80fffffc;
const RESET_HARD = 0x02;
const RESET_CPU = 0x04;

export interface PciBusConfig {
  readonly ports: PortRegistrar;
  readonly functions: readonly PciFunction[];
  /** Bit 2 of the reset control register went from 0 to 1; hard: the whole system, otherwise the CPU alone. */
  readonly onReset: (hard: boolean) => void;
}

const freshState = () => ({ address: 0, resetControl: 0 });
const allOnes = (size: AccessSize): number => 256 ** size - 1;

export class PciBus implements Device {
  readonly name = 'pci';
  private state = freshState();
  private readonly functions = new Map<number, PciFunction>();

  constructor(private readonly config: PciBusConfig) {
    for (const pciFunction of config.functions) this.functions.set(pciFunction.deviceFunction, pciFunction);
    config.ports.claim(ADDRESS_PORT, 4, {
      read: (port, size) => this.readAddress(port, size),
      write: (port, size, value) => this.writeAddress(port, size, value),
    });
    config.ports.claim(DATA_PORT, 4, {
      read: (port, size) => this.readData(port, size),
      write: (port, size, value) => this.writeData(port, size, value),
    });
  }

  reset(): void {
    this.state = freshState();
  }

  /** Only a double word access reaches the address register; anything narrower goes on to the ISA bus. */
  private readAddress(port: number, size: AccessSize): number {
    if (port === ADDRESS_PORT && size === 4) return this.state.address;
    if (port === RESET_PORT && size === 1) return this.state.resetControl;
    return allOnes(size);
  }

  private writeAddress(port: number, size: AccessSize, value: number): void {
    if (port === ADDRESS_PORT && size === 4) this.state.address = (value & ADDRESS_MASK) >>> 0;
    else if (port === RESET_PORT && size === 1) this.writeResetControl(value);
  }

  private writeResetControl(value: number): void {
    const rises = (value & RESET_CPU) !== 0 && (this.state.resetControl & RESET_CPU) === 0;
    const hard = (value & RESET_HARD) !== 0;
    this.state.resetControl = value & (RESET_HARD | RESET_CPU);
    if (!rises) return;
    // The bit is gone once the reset is over.
    this.state.resetControl &= ~RESET_CPU;
    this.config.onReset(hard);
  }

  /** The function and the offset that an access means; nobody answers with the enable bit clear or for other buses. */
  private target(port: number, size: AccessSize): readonly [PciFunction, number] | undefined {
    const { address } = this.state;
    const within = port - DATA_PORT;
    if (address < ENABLE || ((address >>> 16) & 0xff) !== 0 || within + size > 4) return undefined;
    const pciFunction = this.functions.get((address >>> 8) & 0xff);
    return pciFunction === undefined ? undefined : [pciFunction, (address & 0xfc) + within];
  }

  private readData(port: number, size: AccessSize): number {
    const target = this.target(port, size);
    return target === undefined ? allOnes(size) : target[0].configRead(target[1], size);
  }

  private writeData(port: number, size: AccessSize, value: number): void {
    const target = this.target(port, size);
    target?.[0].configWrite(target[1], size, value);
  }

  save(): DeviceState {
    return copyOf(this.state);
  }

  restore(state: DeviceState): void {
    this.state = stateLike(freshState(), state, this.name);
  }
}
