/**
 * Why a run ended, and the exit status that says so.
 */
import type { ExitReason } from '../engine/index.js';

export const STATUS = {
  ok: 0,
  /** `fuzz` has found differences. */
  differences: 1,
  usage: 2,
  divergence: 4,
  unreadable: 6,
  tripleFault: 8,
  limit: 10,
  /** A defect of replay86 itself. */
  internal: 70,
  /** As shells report SIGINT. */
  interrupted: 130,
} as const;

/** How a run ends: as the machine says, or because its user had enough. */
export type RunEnd = Exclude<ExitReason, { kind: 'stopped' }> | { readonly kind: 'interrupted' };

/** What a process can return: QEMU's isa-debug-exit gives (value << 1) | 1, of which the system keeps the low byte. */
export function exitStatus(end: RunEnd): number {
  switch (end.kind) {
    case 'powerOff':
    case 'halted':
    case 'idle':
      return STATUS.ok;
    case 'debugExit':
      return ((end.value << 1) | 1) & 0xff;
    case 'tripleFault':
      return STATUS.tripleFault;
    case 'limit':
      return STATUS.limit;
    case 'interrupted':
      return STATUS.interrupted;
  }
}
