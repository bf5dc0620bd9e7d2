/**
 * Creates a machine, and says what is wrong when the host has not enough memory for the guest's.
 */
import { ConfigError, createMachine, type Machine, type MachineConfig } from '../engine/index.js';

/** @throws ConfigError, BootError */
export function buildMachine(config: MachineConfig): Machine {
  try {
    return createMachine(config);
  } catch (error) {
    // What WebAssembly.Memory throws.
    if (error instanceof RangeError)
      throw new ConfigError(`this host cannot give a guest ${config.memoryBytes ?? 'so many'} bytes of memory`);
    throw error;
  }
}
