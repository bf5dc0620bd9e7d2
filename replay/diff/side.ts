/**
 * One of two machines that go along the same trace: it is given the inputs at their moments, and nothing that it does is
 * held against the recording. The state at a tick is the one at its first moment, before the inputs of that tick.
 */
import { InputError, type Machine, type MachineState } from '../../engine/index.js';
import type { Trace } from '../../traces/index.js';

/** What is needed of a machine: another build of the engine has it, too, or is refused (engine-build.ts). */
export type DiffMachine = Pick<
  Machine,
  | 'tick'
  | 'nowNs'
  | 'halted'
  | 'run'
  | 'input'
  | 'registers'
  | 'saveWithoutMemory'
  | 'rewind'
  | 'frameCount'
  | 'frameBytes'
  | 'trackFrames'
  | 'digest'
  | 'peekLinear'
  | 'onInterrupt'
  | 'onException'
>;

export type SideEvents = Pick<Trace, 'inputs' | 'coveredTo'>;

/** A point that a side can be put back to, memory aside. */
export interface SidePoint {
  readonly state: MachineState;
  readonly inputCount: number;
  readonly ended: string | undefined;
}

export class Side {
  /** What it has accepted, raised and been given since this was last emptied: 'interrupt 0x20', 'exception 14'. */
  readonly happened: string[] = [];
  private inputCount = 0;
  private endedBecause: string | undefined;
  private tracker: ReturnType<DiffMachine['trackFrames']>;

  /** The machine is fresh, and the one that the trace describes. Takes over `machine.onInterrupt` and `onException`. */
  constructor(
    readonly name: string,
    readonly machine: DiffMachine,
    private readonly events: SideEvents,
  ) {
    this.tracker = machine.trackFrames();
    machine.onInterrupt = ({ vector }) => this.happened.push(`accepts interrupt ${hex(vector)}`);
    machine.onException = ({ vector }) => this.happened.push(`raises exception ${hex(vector)}`);
  }

  get tick(): number {
    return this.machine.tick;
  }
  /** Why it goes no further, if it does not. */
  get ended(): string | undefined {
    return this.endedBecause;
  }

  /** Goes on to a tick, in one go from input to input; not further than the guest does. */
  advanceTo(tick: number): void {
    const { machine, events } = this;
    while (this.endedBecause === undefined && machine.tick < tick) {
      const input = events.inputs[this.inputCount];
      if (input !== undefined && input.tick <= machine.tick) {
        this.give(input);
        continue;
      }
      // Behind the end of a trace there may be time spent in HLT.
      if (machine.tick === events.coveredTo.tick && machine.nowNs < events.coveredTo.ns) machine.run(events.coveredTo);
      const reason = machine.run({ tick: Math.min(tick, input?.tick ?? tick) });
      if (reason.kind === 'limit' || reason.kind === 'stopped') continue;
      if (reason.kind === 'idle' && input?.tick === machine.tick) continue;
      this.end(reason.kind === 'debugExit' ? `debugExit ${hex(reason.value)}` : reason.kind);
    }
  }

  private give({ tick, ns, device, payload }: SideEvents['inputs'][number]): void {
    const { machine } = this;
    if (machine.tick === tick && machine.nowNs < ns) machine.run({ tick, ns });
    if (machine.tick !== tick || machine.nowNs !== ns) {
      this.end(`has no place for the input to ${device} at tick ${tick}, ${ns} ns: it is at ${machine.nowNs} ns`);
      return;
    }
    try {
      machine.input(device, payload);
    } catch (error) {
      // An error of another build of the engine is of another class.
      if (!(error instanceof InputError || (error instanceof Error && error.name === InputError.name))) throw error;
      this.end(`does not take the input to ${device}: ${error.message}`);
      return;
    }
    this.inputCount++;
    this.happened.push(`is given input to ${device}`);
  }

  private end(reason: string): void {
    this.endedBecause = reason;
    this.happened.push(`ends: ${reason}`);
  }

  /** Frames written since the last call. */
  takeWritten(): readonly number[] {
    return this.tracker.take();
  }

  point(): SidePoint {
    return { state: this.machine.saveWithoutMemory(), inputCount: this.inputCount, ended: this.endedBecause };
  }

  /** @param frames contents of those that differ from then */
  putBack(point: SidePoint, frames: Iterable<readonly [number, Uint8Array]>): void {
    this.machine.rewind(point.state, frames);
    this.inputCount = point.inputCount;
    this.endedBecause = point.ended;
    this.happened.length = 0;
    this.tracker.take();
  }
}

const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;
