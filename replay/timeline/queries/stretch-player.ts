/**
 * The machine of a worker thread: it is put to the beginnings of stretches, which are sent to it, and goes through them. It
 * keeps no checkpoints of its own.
 */
import type { FrameTracker, Machine, MachineState } from '../../../engine/index.js';
import { Observer } from '../observer.js';
import { PAGE_BYTES } from '../page-store.js';
import { Playback, type TimelineEvents } from '../playback.js';
import type { Traveller } from './scanner.js';

/** A checkpoint, and of memory what differs from the memory that the worker has. */
export interface Beginning {
  readonly state: MachineState;
  readonly inputCount: number;
  readonly midRepeat: boolean;
  readonly frames: Uint32Array;
  /** PAGE_BYTES of each. */
  readonly contents: Uint8Array;
}

export class StretchPlayer implements Traveller {
  readonly observer: Observer;
  private readonly playback: Playback;
  private readonly tracker: FrameTracker;

  /** The machine is fresh, and the one that the trace describes. */
  constructor(
    readonly machine: Machine,
    events: TimelineEvents,
  ) {
    this.playback = new Playback(machine, events);
    this.observer = new Observer(machine, this.playback.endTick);
    this.observer.stopAt = (tick) => this.playback.stopAt(tick);
    this.tracker = machine.trackFrames();
    this.tracker.take();
  }

  get tick(): number {
    return this.machine.tick;
  }

  load({ state, inputCount, midRepeat, frames, contents }: Beginning): void {
    const pages = [...frames].map((frame, i) => [frame, contents.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES)] as const);
    this.playback.rewind(state, inputCount, pages);
    this.machine.rearmBreakpoint(midRepeat);
    this.tracker.take();
  }

  /** Frames written since the last `load`. */
  takeDirty(): Uint32Array {
    return Uint32Array.from(this.tracker.take());
  }

  goBackToStretch(startTick: number): void {
    if (this.tick !== startTick) throw new Error(`the stretch begins at tick ${startTick}, and the machine is at ${this.tick}`);
  }

  advanceOnce(target: number): void {
    this.observer.begin();
    this.playback.advanceTo(target);
  }
}
