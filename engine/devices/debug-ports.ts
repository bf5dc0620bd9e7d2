/**
 * Ports for guests that are being tested or debugged.
 * 80h: the power-on self-test code of the AT (a latch, readable as the DMA page register it is in the PIIX3).
 * E9h: the debug console of Bochs and QEMU: each byte written is a character; reads give E9h, which tells it is there.
 * F4h: QEMU's isa-debug-exit: a write ends the run.
 */
import type { AccessSize, Device, DeviceState, PortRegistrar } from './device.js';
import { StateReader } from './state-reader.js';

export interface DebugPortsConfig {
  readonly ports: PortRegistrar;
  readonly onConsole: (byte: number) => void;
  /** The value as wide as it was written. */
  readonly onExit: (value: number) => void;
}

const POST_PORT = 0x80;
const CONSOLE_PORT = 0xe9;
const EXIT_PORT = 0xf4;
const EXIT_PORT_COUNT = 4;

export class DebugPorts implements Device {
  readonly name = 'debug-ports';
  private lastPostCode = 0;

  constructor(config: DebugPortsConfig) {
    config.ports.claim(POST_PORT, 1, {
      byteWide: true,
      read: () => this.lastPostCode,
      write: (_port, _size, value) => {
        this.lastPostCode = value;
      },
    });
    config.ports.claim(CONSOLE_PORT, 1, {
      byteWide: true,
      read: () => CONSOLE_PORT,
      write: (_port, _size, value) => config.onConsole(value),
    });
    config.ports.claim(EXIT_PORT, EXIT_PORT_COUNT, {
      read: (_port: number, size: AccessSize) => 2 ** (8 * size) - 1,
      write: (port, _size, value) => {
        if (port === EXIT_PORT) config.onExit(value);
      },
    });
  }

  /** What the firmware last wrote to port 80h. */
  get postCode(): number {
    return this.lastPostCode;
  }

  reset(): void {
    this.lastPostCode = 0;
  }

  save(): DeviceState {
    return { postCode: this.lastPostCode };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    const postCode = reader.byte('postCode');
    reader.end();
    this.lastPostCode = postCode;
  }
}
