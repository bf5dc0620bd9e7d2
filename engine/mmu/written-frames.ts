/**
 * Which frames have been written since somebody last asked. The dirty bit of a frame (FRAME.dirty) is one for all: whoever
 * asks first clears it, and everybody else finds the frame on a list of their own.
 */
import { FRAME, type PhysicalMemory } from './physical-memory.js';
import type { Tlb } from './tlb.js';

const DIRTY_IN_WORD = FRAME.dirty * 0x0101_0101;

/** One that wants to know: the digest, the checkpoints of a timeline. */
export class FrameTracker {
  private readonly listed: Uint8Array;
  private frames: number[] = [];

  constructor(
    frameCount: number,
    private readonly collect: () => void,
  ) {
    this.listed = new Uint8Array(frameCount);
  }

  /** Frames written since the last call, each once, in no particular order. */
  take(): readonly number[] {
    this.collect();
    const { frames, listed } = this;
    for (const frame of frames) listed[frame] = 0;
    this.frames = [];
    return frames;
  }

  /** @internal */
  add(frame: number): void {
    if (this.listed[frame] === 1) return;
    this.listed[frame] = 1;
    this.frames.push(frame);
  }
}

export class WrittenFrames {
  private readonly trackers: FrameTracker[] = [];
  /** The flags of four frames at a time. */
  private readonly words: Uint32Array;

  constructor(
    private readonly physical: PhysicalMemory,
    private readonly tlb: Tlb,
  ) {
    const { frameFlags } = physical;
    this.words = new Uint32Array(frameFlags.buffer, frameFlags.byteOffset, Math.ceil(frameFlags.length / 4));
  }

  /** Its first `take` has what is written from now on, and what is dirty now. */
  track(): FrameTracker {
    const tracker = new FrameTracker(this.physical.frames, () => this.collect());
    this.trackers.push(tracker);
    return tracker;
  }

  private collect(): void {
    const { frameFlags } = this.physical;
    const { words } = this;
    let found = false;
    for (let at = 0; at < words.length; at++) {
      if (((words[at] as number) & DIRTY_IN_WORD) === 0) continue;
      found = true;
      for (let frame = at * 4; frame < at * 4 + 4; frame++) {
        const flags = frameFlags[frame] as number;
        if ((flags & FRAME.dirty) === 0) continue;
        frameFlags[frame] = flags & ~FRAME.dirty;
        for (const tracker of this.trackers) tracker.add(frame);
      }
    }
    // The next write to any of them takes the slow path, which sets the bit again.
    if (found) this.tlb.protectAllFrames();
  }
}
