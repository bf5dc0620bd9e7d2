/**
 * What recorder and replayer need of a machine. The engine's machine has this shape; tests bring simpler ones.
 */
import type { AcceptedInterrupt, ExitReason, RunUntil } from '../engine/index.js';

export interface MachineLike {
  readonly tick: number;
  readonly nowNs: number;
  run(until: RunUntil): ExitReason;
  requestStop(): void;
  input(device: string, payload: Uint8Array): void;
  onInterrupt: ((accepted: AcceptedInterrupt) => void) | undefined;
  onSerial: ((port: 0 | 1, byte: number) => void) | undefined;
  digest(): bigint;
}
