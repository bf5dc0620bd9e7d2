/**
 * What a machine is made of, why it stops, and what enters it: the vocabulary shared with embedders, recorder and
 * replayer. All of it is plain data, because all of it goes into the trace.
 */
import type { BlockImage } from './devices/device.js';

export type Tier = 'auto' | 'interpreter' | 'step';

/** What the machine starts from. Byte arrays are images: a trace names them by digest. */
export type BootSource =
  | { readonly kind: 'linux'; readonly kernel: Uint8Array; readonly initrd?: Uint8Array; readonly commandLine: string }
  | {
      readonly kind: 'multiboot';
      readonly kernel: Uint8Array;
      readonly modules: readonly { readonly image: Uint8Array; readonly commandLine: string }[];
      readonly commandLine: string;
    }
  | { readonly kind: 'bios'; readonly rom: Uint8Array }
  /** Raw bytes at a physical address, entered in 16-bit real mode or flat 32-bit protected mode: tests and fuzzing. */
  | {
      readonly kind: 'raw';
      readonly image: Uint8Array;
      readonly address: number;
      readonly entry: number;
      readonly mode: 'real' | 'protected';
    };

export interface MachineConfig {
  readonly boot: BootSource;
  /** Multiple of 4096, from 1 MiB to 3 GiB. Default 64 MiB. */
  readonly memoryBytes?: number;
  /** Virtual nanoseconds per tick, a positive integer. Default 2. */
  readonly nsPerTick?: number;
  /** Seed of everything the machine may choose freely. A 32-bit unsigned integer. Default 0. */
  readonly seed?: number;
  /** Wall clock of the real-time clock at power-on, seconds since 1970 UTC. Default 2024-01-01T00:00:00Z. */
  readonly epochSeconds?: number;
  /** Hard disk (primary master). Guest writes stay in a copy-on-write overlay that is part of the guest's state. */
  readonly disk?: BlockImage;
  /** CD-ROM (secondary master). */
  readonly cdrom?: BlockImage;
  /** Execution tier; never visible to the guest. Default 'auto'. */
  readonly tier?: Tier;
}

/** One event of the input log: `payload` enters `device` at `tick`, at virtual time `ns` (they differ in HLT). */
export interface InputEvent {
  readonly tick: number;
  readonly ns: number;
  readonly device: string;
  readonly payload: Uint8Array;
}

/** An interrupt that the CPU accepted: its vector, at the tick before acceptance. */
export interface AcceptedInterrupt {
  readonly tick: number;
  readonly vector: number;
}

/** Why `machine.run` came back. */
export type ExitReason =
  /** `until.tick` was reached. */
  | { readonly kind: 'limit' }
  /** HLT with interrupts enabled and nothing left that could wake it but an input, or `until.ns` reached in HLT. */
  | { readonly kind: 'idle' }
  /** `machine.requestStop()` was called from one of the machine's callbacks. */
  | { readonly kind: 'stopped' }
  /** ACPI power-off. */
  | { readonly kind: 'powerOff' }
  /** HLT (or shutdown by configuration) with interrupts disabled: nothing can wake it. */
  | { readonly kind: 'halted' }
  /** The guest wrote `value` to port 0xf4. */
  | { readonly kind: 'debugExit'; readonly value: number }
  | { readonly kind: 'tripleFault' };

/** How far to run. Without a field there is no such bound. */
export interface RunUntil {
  /** Stop when this many ticks (absolute) are completed. */
  readonly tick?: number;
  /** In HLT: do not skip past this virtual time (absolute, ns). */
  readonly ns?: number;
}
