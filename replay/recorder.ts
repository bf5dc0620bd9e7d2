/**
 * Writes down what happens to a machine: each input as it is given, each interrupt as it is accepted, and a digest of the
 * whole state every so many ticks. It runs the machine itself, because digests belong to exact ticks.
 */
import type { AcceptedInterrupt, ExitReason, RunUntil } from '../engine/index.js';
import type { TraceEnd, TraceWriter } from '../traces/index.js';
import { exitStatus, type RunEnd } from './exit-status.js';
import type { MachineLike } from './machine-like.js';

/** A digest rehashes every page written since the last one: once in a second or two costs next to nothing. */
const DIGEST_INTERVAL_TICKS = 2 ** 27;
const FLUSH_INTERVAL_MS = 900;

export class Recorder {
  private nextDigestTick: number;
  private flushedAtMs = performance.now();
  /** Set when the run was interrupted for the sake of the recorder, not of whoever asked for it. */
  private ownStop = false;
  private failure: unknown;

  /** The trace has everything up to where the machine is: it is fresh, or goes on from a recorded run. Takes over `machine.onInterrupt`. */
  constructor(
    private readonly machine: MachineLike,
    private readonly writer: TraceWriter,
    private readonly digestIntervalTicks: number = DIGEST_INTERVAL_TICKS,
  ) {
    const { tick, ns } = writer.coveredTo;
    if (machine.tick !== tick || machine.nowNs !== ns)
      throw new Error(`the recording starts at tick ${tick}, this machine is at tick ${machine.tick}`);
    this.nextDigestTick = (Math.floor(tick / digestIntervalTicks) + 1) * digestIntervalTicks;
    machine.onInterrupt = (accepted) => this.interrupt(accepted);
  }

  /** Through the one door, at the present tick. @throws InputError when the device does not understand it; then nothing is recorded. */
  input(device: string, payload: Uint8Array): void {
    const { tick, nowNs: ns } = this.machine;
    this.machine.input(device, payload);
    this.writer.input({ tick, ns, device, payload });
  }

  /** Like `machine.run`. */
  run(until: RunUntil): ExitReason {
    const { machine, writer } = this;
    for (;;) {
      const tick = Math.min(until.tick ?? Number.POSITIVE_INFINITY, this.nextDigestTick);
      const reason = machine.run({ ...until, tick });
      if (this.failure !== undefined) throw this.failure;
      if (machine.tick >= this.nextDigestTick) {
        writer.digest(machine.tick, machine.digest());
        this.nextDigestTick += this.digestIntervalTicks;
      }
      if (writer.wantsFlush || performance.now() - this.flushedAtMs >= FLUSH_INTERVAL_MS) this.flush();
      const ownStop = this.ownStop;
      this.ownStop = false;
      if (reason.kind === 'stopped' && ownStop) continue;
      if (reason.kind !== 'limit' || machine.tick >= (until.tick ?? Number.POSITIVE_INFINITY)) return reason;
    }
  }

  /** Hands everything recorded so far to the sink. */
  flush(): void {
    this.writer.flush({ tick: this.machine.tick, ns: this.machine.nowNs });
    this.flushedAtMs = performance.now();
  }

  /** The record that ends the trace, as of now. The machine is left alone from here on. */
  finish(end: RunEnd): TraceEnd {
    const { machine } = this;
    machine.onInterrupt = undefined;
    return { reason: end.kind, status: exitStatus(end), tick: machine.tick, ns: machine.nowNs, digest: machine.digest() };
  }

  /** Called from inside the machine, where nothing may be thrown. */
  private interrupt(accepted: AcceptedInterrupt): void {
    try {
      this.writer.interrupt(accepted);
      if (!this.writer.wantsFlush) return;
      this.ownStop = true;
    } catch (error) {
      this.failure ??= error;
    }
    this.machine.requestStop();
  }
}
