/**
 * Ports for guests that are being tested or debugged.
 * E9h: the debug console of Bochs and QEMU: each byte written is a character; reads give E9h, which tells it is there.
 * F4h: QEMU's isa-debug-exit: a write ends the run.
 * The power-on self-test code of the AT, port 80h, is a DMA page register here as in the PIIX3: see dma8237.ts.
 */
import type { AccessSize, PortRegistrar } from './device.js';

export interface DebugPortsConfig {
  readonly ports: PortRegistrar;
  readonly onConsole: (byte: number) => void;
  /** The value as wide as it was written. */
  readonly onExit: (value: number) => void;
}

const CONSOLE_PORT = 0xe9;
const EXIT_PORT = 0xf4;
const EXIT_PORT_COUNT = 4;

/** Claims the ports. They have no state, so there is no device to save. */
export function installDebugPorts(config: DebugPortsConfig): void {
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
