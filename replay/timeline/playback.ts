/**
 * A machine that goes forward along a trace: gives it the inputs at their moments and checks that the same interrupts
 * come. It can be put back to an earlier point and go on from there.
 *
 * The state at a tick is the one at its first moment, before the inputs of that tick; at the last tick of a trace it is the
 * one with which the recording ended.
 */
import { InputError, type Machine, type MachineState } from '../../engine/index.js';
import type { InputEvent, Trace } from '../../traces/index.js';
import { type Divergence, describeDivergence } from '../divergence.js';

/** The machine does not do what the trace says. */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
  constructor(readonly divergence: Divergence) {
    super(describeDivergence(divergence));
  }
}

export type TimelineEvents = Pick<Trace, 'interrupts' | 'inputs' | 'coveredTo'>;

export class Playback {
  readonly endTick: number;
  /** An interrupt was accepted, as recorded. */
  onInterrupt: ((tick: number, vector: number) => void) | undefined;
  private inputCursor = 0;
  private nextInterrupt = 0;
  private diverged: Divergence | undefined;

  /** The machine is fresh, and the one that the trace describes. Takes over `machine.onInterrupt`. */
  constructor(
    readonly machine: Machine,
    private readonly events: TimelineEvents,
  ) {
    this.endTick = events.coveredTo.tick;
    machine.onInterrupt = ({ tick, vector }) => {
      const { ticks, vectors } = events.interrupts;
      const expected = ticks[this.nextInterrupt];
      if (expected === tick && vectors[this.nextInterrupt] === vector) {
        this.nextInterrupt++;
        this.onInterrupt?.(tick, vector);
        return;
      }
      this.diverged ??= {
        tick,
        what: 'interrupt',
        expected: expected === undefined ? 'none' : `vector ${vectors[this.nextInterrupt]} at tick ${expected}`,
        found: `vector ${vector} at tick ${tick}`,
      };
      machine.requestStop();
    };
  }

  /** Inputs given so far. */
  get inputCount(): number {
    return this.inputCursor;
  }

  /** Puts the machine back to where it was at this tick. */
  rewind(state: MachineState, inputCount: number, frames: Iterable<readonly [number, Uint8Array]>): void {
    const { machine } = this;
    machine.rewind(state, frames);
    this.inputCursor = inputCount;
    this.nextInterrupt = firstAtOrAfter(this.events.interrupts.ticks, machine.tick);
    this.diverged = undefined;
  }

  /**
   * Goes on to a tick, in one go.
   * @returns whether it was reached; if not, a callback has asked the machine to stop
   * @throws DivergenceError
   */
  advanceTo(tick: number): boolean {
    const { machine, events } = this;
    for (;;) {
      const input = events.inputs[this.inputCursor];
      const inputTick = input?.tick ?? Number.POSITIVE_INFINITY;
      const target = Math.min(tick, inputTick);
      while (machine.tick < target) {
        const reason = machine.run({ tick: target });
        if (this.diverged !== undefined) throw new DivergenceError(this.diverged);
        if (machine.tick >= target || reason.kind === 'limit') continue;
        if (reason.kind === 'stopped') return false;
        if (reason.kind === 'idle' && inputTick === machine.tick) break;
        throw this.ended(reason.kind);
      }
      if (input === undefined || inputTick > machine.tick) break;
      if (machine.tick >= tick && tick < this.endTick) break;
      this.give(input);
    }
    if (machine.tick === this.endTick && machine.nowNs < events.coveredTo.ns) machine.run({ tick: this.endTick, ns: events.coveredTo.ns });
    return machine.tick >= tick;
  }

  private give(input: InputEvent): void {
    const { machine } = this;
    if (machine.nowNs < input.ns) machine.run({ tick: input.tick, ns: input.ns });
    if (machine.tick !== input.tick || machine.nowNs !== input.ns) {
      throw new DivergenceError({
        tick: input.tick,
        what: 'input',
        expected: `input to ${input.device} at ${input.ns} ns`,
        found: `tick ${machine.tick}, ${machine.nowNs} ns`,
      });
    }
    try {
      machine.input(input.device, input.payload);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new DivergenceError({
        tick: input.tick,
        what: 'input',
        expected: `${input.device} takes ${input.payload.length} bytes`,
        found: error.message,
      });
    }
    this.inputCursor++;
  }

  private ended(kind: string): DivergenceError {
    const { tick } = this.machine;
    return new DivergenceError({ tick, what: 'end', expected: `a run to tick ${this.endTick}`, found: kind });
  }
}

/** Position of the first value that is not below `value`. */
export function firstAtOrAfter(values: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
