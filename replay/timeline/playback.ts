/**
 * A machine that goes forward along a trace: gives it the inputs at their moments and checks that the same interrupts
 * come. It can be put back to an earlier point and go on from there.
 *
 * The state at a tick is the one at its first moment, before the inputs of that tick; at the last tick of a trace it is the
 * one with which the recording ended.
 */
import { InputError, type Machine, type MachineState } from '../../engine/index.js';
import type { InputEvent, Point, Trace } from '../../traces/index.js';
import { type Divergence, describeDivergence } from '../divergence.js';
import { firstAtOrAfter } from '../sorted.js';

/** The machine does not do what the trace says. */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
  /** @param agreedTick up to there digests have agreed: the difference may have come anywhere behind it */
  constructor(
    readonly divergence: Divergence,
    readonly agreedTick?: number,
  ) {
    super(`${describeDivergence(divergence)}${agreedTick === undefined ? '' : `; up to tick ${agreedTick} it agrees`}`);
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
  /** `advanceTo` ends here, wherever it is to go. */
  private stopTick = Number.POSITIVE_INFINITY;

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

  /** Inputs of the present tick have been given: the state is not the first one of this tick any more. */
  get inputsGiven(): boolean {
    const last = this.events.inputs[this.inputCursor - 1];
    return last !== undefined && last.tick === this.machine.tick && last.tick < this.endTick;
  }

  /** From a callback: `advanceTo` goes no further than to this tick. */
  stopAt(tick: number): void {
    this.stopTick = Math.min(this.stopTick, tick);
    this.machine.requestStop();
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
   * Goes on to a tick, in one go; or to the one behind it, where a debug trap comes in one step with its instruction.
   * @param stepped one instruction after the other
   * @returns whether it was reached, and `stopAt` does not say otherwise
   * @throws DivergenceError
   */
  advanceTo(tick: number, stepped = false): boolean {
    const { machine, events } = this;
    this.stopTick = Number.POSITIVE_INFINITY;
    const target = (): number => Math.min(tick, this.stopTick);
    for (;;) {
      const input = events.inputs[this.inputCursor];
      const inputTick = input?.tick ?? Number.POSITIVE_INFINITY;
      while (machine.tick < Math.min(target(), inputTick)) {
        const until = { tick: Math.min(target(), inputTick) };
        const reason = stepped ? machine.runStepped(until) : machine.run(until);
        if (this.diverged !== undefined) throw new DivergenceError(this.diverged);
        if (machine.tick >= until.tick || reason.kind === 'limit' || reason.kind === 'stopped') continue;
        if (reason.kind === 'idle' && inputTick === machine.tick) break;
        throw this.ended(reason.kind);
      }
      if (input === undefined || inputTick > machine.tick) break;
      if (machine.tick >= target() && machine.tick < this.endTick) break;
      this.give(input);
    }
    if (machine.tick === this.endTick) this.skipTo(events.coveredTo);
    this.requireInterrupts();
    return machine.tick >= tick && machine.tick < this.stopTick;
  }

  /** In HLT, to a moment of the present tick. What callbacks want to stop at on the way belongs to the step under way. */
  private skipTo({ tick, ns }: Point): void {
    const { machine } = this;
    while (machine.tick === tick && machine.nowNs < ns) if (machine.run({ tick, ns }).kind !== 'stopped') break;
    if (this.diverged !== undefined) throw new DivergenceError(this.diverged);
  }

  /** @throws DivergenceError when an interrupt has not come */
  private requireInterrupts(): void {
    const { ticks, vectors } = this.events.interrupts;
    const tick = ticks[this.nextInterrupt];
    if (tick === undefined || tick >= this.machine.tick) return;
    throw new DivergenceError({
      tick,
      what: 'interrupt',
      expected: `vector ${vectors[this.nextInterrupt]} at tick ${tick}`,
      found: 'none',
    });
  }

  private give(input: InputEvent): void {
    const { machine } = this;
    this.skipTo(input);
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
