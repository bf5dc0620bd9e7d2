/**
 * Runs a fresh machine through a trace: gives it each input at its exact moment, and compares each accepted interrupt and
 * each digest as they come. Stops at the first difference.
 *
 * A moment is (tick, ns). Where both a digest and inputs belong to one tick the digest comes first, because the
 * recorder takes it the moment that the tick is reached.
 */
import { type AcceptedInterrupt, type ExitReason, InputError } from '../engine/index.js';
import type { InputEvent, Trace } from '../traces/index.js';
import { type Divergence, digestText } from './divergence.js';
import { exitStatus, type RunEnd, STATUS } from './exit-status.js';
import type { MachineLike } from './machine-like.js';
import { Slicer } from './slicer.js';

export interface ReplayResult {
  readonly divergence: Divergence | undefined;
  /** As recorded; 'stopped' when the replay ended before the recording did. */
  readonly reason: string;
  readonly status: number;
  readonly tick: number;
  readonly ns: number;
  readonly digest: bigint;
  /** How much was compared. */
  readonly interruptCount: number;
  readonly digestCount: number;
  readonly inputCount: number;
}

export interface ReplayerOptions {
  /** Stop when this tick is reached. */
  readonly to?: number | undefined;
  /** Called for each digest that agreed. */
  readonly onDigest?: ((tick: number, digest: bigint) => void) | undefined;
  /** Called several times a second. */
  readonly onProgress?: ((tick: number, ns: number) => void) | undefined;
}

type Events = Pick<Trace, 'interrupts' | 'inputs' | 'digests' | 'end' | 'coveredTo'>;

/** The machine must be fresh, and the one that the trace describes. Takes over `machine.onInterrupt`. */
export function replayOn(machine: MachineLike, trace: Events, options: ReplayerOptions = {}): ReplayResult {
  return new Replayer(machine, trace, options).run();
}

class Replayer {
  private divergence: Divergence | undefined;
  private nextInterrupt = 0;
  private nextInput = 0;
  private nextDigest = 0;
  private readonly interruptTicks: Float64Array;
  private readonly interruptVectors: Uint8Array;
  private readonly slicer = new Slicer(100);

  constructor(
    private readonly machine: MachineLike,
    private readonly trace: Events,
    private readonly options: ReplayerOptions,
  ) {
    if (machine.tick !== 0) throw new Error(`a replay starts at tick 0, this machine is at tick ${machine.tick}`);
    this.interruptTicks = trace.interrupts.ticks;
    this.interruptVectors = trace.interrupts.vectors;
    machine.onInterrupt = (accepted) => this.interrupt(accepted);
  }

  run(): ReplayResult {
    const { machine, trace, options } = this;
    const coveredTick = trace.coveredTo.tick;
    const stopsEarly = options.to !== undefined && options.to < coveredTick;
    const target = stopsEarly ? (options.to as number) : coveredTick;
    let ended: ExitReason | undefined;
    while (this.divergence === undefined && ended === undefined) {
      const stopTick = Math.min(target, this.nextEventTick());
      ended = this.advanceTo(stopTick);
      this.checkDigests();
      if (ended !== undefined) break;
      if (this.divergence === undefined && stopsEarly && machine.tick >= target) return this.result('stopped', STATUS.ok);
      this.giveInputs();
      if (machine.tick >= target && this.nextEventTick() > machine.tick) break;
    }
    this.requireInterruptsBefore(machine.tick);
    return this.finish(ended);
  }

  private nextEventTick(): number {
    const input = this.trace.inputs[this.nextInput]?.tick ?? Number.POSITIVE_INFINITY;
    return Math.min(input, this.trace.digests.ticks[this.nextDigest] ?? Number.POSITIVE_INFINITY);
  }

  /** @returns why the guest ended, if it did. */
  private advanceTo(tick: number): ExitReason | undefined {
    const { machine, slicer } = this;
    while (machine.tick < tick && this.divergence === undefined) {
      const startTick = machine.tick;
      const startMs = performance.now();
      const reason = machine.run({ tick: Math.min(tick, startTick + slicer.ticks) });
      slicer.took(machine.tick - startTick, performance.now() - startMs);
      this.requireInterruptsBefore(machine.tick);
      this.options.onProgress?.(machine.tick, machine.nowNs);
      if (reason.kind === 'limit' || reason.kind === 'stopped') continue;
      // An input may wake it at this very tick; whether it does is seen when the next one is asked for.
      if (reason.kind === 'idle' && machine.tick >= tick) continue;
      return reason;
    }
    return undefined;
  }

  private checkDigests(): void {
    const { machine, trace } = this;
    const { ticks, values } = trace.digests;
    while (this.divergence === undefined && ticks[this.nextDigest] === machine.tick) {
      const expected = values[this.nextDigest] as bigint;
      const found = machine.digest();
      if (found !== expected)
        return this.diverge({ tick: machine.tick, what: 'digest', expected: digestText(expected), found: digestText(found) });
      this.nextDigest++;
      this.options.onDigest?.(machine.tick, found);
    }
  }

  private giveInputs(): void {
    const { machine, trace } = this;
    for (;;) {
      const input = trace.inputs[this.nextInput];
      if (this.divergence !== undefined || input === undefined || input.tick !== machine.tick) return;
      this.skipTo(input);
      if (this.divergence !== undefined) return;
      try {
        machine.input(input.device, input.payload);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return this.diverge({
          tick: input.tick,
          what: 'input',
          expected: `${input.device} takes ${input.payload.length} bytes`,
          found: error.message,
        });
      }
      this.nextInput++;
    }
  }

  /** In HLT, to the moment at which an input came. */
  private skipTo({ tick, ns, device }: InputEvent): void {
    const { machine } = this;
    if (machine.nowNs < ns) machine.run({ tick, ns });
    if (machine.tick === tick && machine.nowNs === ns) return;
    const found = machine.tick === tick ? `still at ${machine.nowNs} ns` : `already at tick ${machine.tick}, ${machine.nowNs} ns`;
    this.diverge({ tick, what: 'input', expected: `input to ${device} in HLT at ${ns} ns`, found });
  }

  private finish(ended: ExitReason | undefined): ReplayResult {
    const { machine, trace } = this;
    const { end } = trace;
    if (this.divergence === undefined && end === undefined && ended !== undefined && machine.tick < trace.coveredTo.tick) {
      this.diverge({ tick: machine.tick, what: 'end', expected: `a run to tick ${trace.coveredTo.tick}`, found: ended.kind });
    }
    if (this.divergence !== undefined || end === undefined) return this.result('stopped', STATUS.ok);

    const kind = end.reason;
    const byItself = kind !== 'limit' && kind !== 'interrupted';
    let reason = ended;
    if (reason === undefined && machine.nowNs < end.ns) {
      machine.run({ tick: end.tick, ns: end.ns });
      // Time has passed in HLT without waking the guest.
      if (kind === 'idle') reason = { kind };
    }
    if (reason === undefined && byItself) reason = this.settle();
    const found: RunEnd | undefined = reason === undefined || reason.kind === 'stopped' ? undefined : reason;
    const expected = byItself ? `${kind} (status ${end.status}) at tick ${end.tick}, ${end.ns} ns` : `tick ${end.tick}, ${end.ns} ns`;
    const agrees = byItself ? found !== undefined && found.kind === kind && exitStatus(found) === end.status : found === undefined;
    if (!agrees || machine.tick !== end.tick || machine.nowNs !== end.ns || this.nextInterrupt !== this.interruptTicks.length) {
      const what = found === undefined ? '' : `${found.kind} (status ${exitStatus(found)}) at `;
      this.diverge({
        tick: Math.min(machine.tick, end.tick),
        what: 'end',
        expected,
        found: `${what}tick ${machine.tick}, ${machine.nowNs} ns`,
      });
      return this.result('stopped', STATUS.ok);
    }
    const digest = machine.digest();
    if (digest !== end.digest)
      this.diverge({ tick: end.tick, what: 'digest', expected: digestText(end.digest), found: digestText(digest) });
    else this.options.onDigest?.(end.tick, digest);
    return this.result(kind, kind === 'interrupted' ? STATUS.ok : end.status);
  }

  /** Lets the machine find out that it ends at the tick it has reached. @returns why, if it does. */
  private settle(): ExitReason | undefined {
    const reason = this.machine.run({ tick: this.machine.tick + 1 });
    return reason.kind === 'limit' || reason.kind === 'stopped' ? undefined : reason;
  }

  private requireInterruptsBefore(tick: number): void {
    const expectedTick = this.interruptTicks[this.nextInterrupt];
    if (expectedTick === undefined || expectedTick >= tick) return;
    this.diverge({
      tick: expectedTick,
      what: 'interrupt',
      expected: vector(this.interruptVectors[this.nextInterrupt] as number),
      found: 'none',
    });
  }

  /** Called from inside the machine for each interrupt: no allocation unless it differs. */
  private interrupt(accepted: AcceptedInterrupt): void {
    const index = this.nextInterrupt;
    if (this.interruptTicks[index] === accepted.tick && this.interruptVectors[index] === accepted.vector) {
      this.nextInterrupt = index + 1;
      return;
    }
    if (this.divergence !== undefined) return;
    const expectedTick = this.interruptTicks[index];
    const tick = Math.min(expectedTick ?? Number.POSITIVE_INFINITY, accepted.tick);
    const expected = expectedTick === undefined ? 'no more' : `${vector(this.interruptVectors[index] as number)} at tick ${expectedTick}`;
    this.diverge({ tick, what: 'interrupt', expected, found: `${vector(accepted.vector)} at tick ${accepted.tick}` });
    this.machine.requestStop();
  }

  private diverge(divergence: Divergence): void {
    this.divergence ??= divergence;
  }

  private result(reason: string, status: number): ReplayResult {
    const { machine, divergence } = this;
    machine.onInterrupt = undefined;
    return {
      divergence,
      reason: divergence === undefined ? reason : 'diverged',
      status: divergence === undefined ? status : STATUS.divergence,
      tick: machine.tick,
      ns: machine.nowNs,
      digest: machine.digest(),
      interruptCount: this.nextInterrupt,
      digestCount: this.nextDigest,
      inputCount: this.nextInput,
    };
  }
}

function vector(value: number): string {
  return `vector 0x${value.toString(16).padStart(2, '0')}`;
}
