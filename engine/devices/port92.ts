/**
 * System control port A (92h) of the PS/2, as the PIIX3 has it (Intel 82371SB data sheet, section 2.5.5.3
 * "PORT 92"): bit 0, going from 0 to 1, pulses INIT of the CPU, bit 1 opens the A20 gate. The other bits are
 * reserved and read as 0. The machine's A20 is open when this port or the keyboard controller opens it.
 */
import type { AccessSize, Device, DeviceState, PortHandler, PortRegistrar } from './device.js';
import { StateReader } from './state-reader.js';

export interface Port92Config {
  readonly ports: PortRegistrar;
  /** Called after `a20` changed. */
  readonly onA20Change: () => void;
  /** The CPU (not the rest of the machine) is to be reset. */
  readonly onCpuReset: () => void;
}

const CPU_RESET = 0x01;
const A20 = 0x02;

export class Port92 implements Device, PortHandler {
  readonly name = 'port92';
  readonly byteWide = true;
  private value = 0;

  constructor(private readonly config: Port92Config) {
    config.ports.claim(0x92, 1, this);
  }

  get a20(): boolean {
    return (this.value & A20) !== 0;
  }

  reset(): void {
    this.change(0);
  }

  read(): number {
    return this.value;
  }

  write(_port: number, _size: AccessSize, value: number): void {
    const resets = (value & ~this.value & CPU_RESET) !== 0;
    this.change(value & (CPU_RESET | A20));
    if (resets) this.config.onCpuReset();
  }

  save(): DeviceState {
    return { value: this.value };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    const value = reader.integer('value', 0, CPU_RESET | A20);
    reader.end();
    this.value = value;
  }

  private change(value: number): void {
    const before = this.a20;
    this.value = value;
    if (this.a20 !== before) this.config.onA20Change();
  }
}
