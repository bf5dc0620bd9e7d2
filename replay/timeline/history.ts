/**
 * Takes a machine to any tick of a trace: from the nearest checkpoint before it, leaving checkpoints on the way.
 *
 * Lasting checkpoints stand at multiples of a spacing. When they outgrow their memory the spacing is doubled and every
 * other one goes, so that going back costs the same everywhere. Close behind the place somebody looks at stand some more,
 * at distances that shrink by a factor each: the next step back starts close by. They go when the place changes.
 */
import { type FrameTracker, type Machine, StateError } from '../../engine/index.js';
import { type CheckpointFile, CheckpointFileError, type RunIdentity, writeCheckpointFile } from './checkpoint-file.js';
import { type Checkpoint, Checkpoints } from './checkpoints.js';
import { ConsoleLog, type ConsoleSource } from './console-log.js';
import { Footprint } from './footprint.js';
import { Observer } from './observer.js';
import { Playback, type TimelineEvents } from './playback.js';
import { type DigestEvents, RecordedDigests } from './recorded-digests.js';
import { Turn } from './turn.js';

export interface HistoryOptions {
  /** Bytes that checkpoints may take. Default 512 MiB. */
  readonly checkpointBytes?: number | undefined;
  /** Ticks between lasting checkpoints, to begin with. Default 6 * 2^20. */
  readonly spacingTicks?: number | undefined;
}

export interface TravelOptions {
  /** Gives up between two slices; the timeline then stays where it has come to. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then while it takes long. */
  readonly onProgress?: ((tick: number, targetTick: number) => void) | undefined;
}

const DEFAULT_CHECKPOINT_BYTES = 512 * 1024 * 1024;
/** Closer, they would cost more than some 3 % of the way; wider, a step back from a place never seen takes more than 20 ms. */
const DEFAULT_SPACING_TICKS = 6 * 2 ** 20;
/** Distances behind a target at which passing checkpoints stand. */
const LADDER_TICKS = [2 ** 20, 2 ** 17, 2 ** 14, 2 ** 11, 2 ** 8, 2 ** 5];
/** Ticks between two looks at the signal: some 20 ms. */
const SLICE_TICKS = 2 ** 22;

export class History {
  readonly checkpoints = new Checkpoints();
  readonly console = new ConsoleLog();
  readonly observer: Observer;
  private readonly playback: Playback;
  private readonly tracker: FrameTracker;
  private readonly digests: RecordedDigests;
  private readonly limitBytes: number;
  private spacingTicks: number;
  /** Tick of the checkpoint that `dirty` counts from. */
  private baseTick = 0;
  /** Frames written since then, as far as they have been taken from the tracker. */
  private readonly dirty = new Set<number>();
  /** So far the run has been gone through. */
  private exploredTick = 0;
  /** Told what one should know of, but need not care about. */
  onNote: ((text: string) => void) | undefined;
  /** Ticks of the passing checkpoints. */
  private passing: number[] = [];

  /** The machine is fresh, and the one that the trace describes. Takes over `machine.onInterrupt`. */
  constructor(
    readonly machine: Machine,
    events: TimelineEvents & DigestEvents,
    options: HistoryOptions = {},
  ) {
    this.playback = new Playback(machine, events);
    this.digests = new RecordedDigests(events);
    this.observer = new Observer(machine, this.playback.endTick);
    this.observer.stopAt = (tick) => this.playback.stopAt(tick);
    this.playback.onInterrupt = (tick, vector) => this.observer.interrupt(tick, vector);
    machine.onSerial = (port, byte) => this.sent(port === 0 ? 'serial0' : 'serial1', byte);
    machine.onDebugConsole = (byte) => this.sent('debug', byte);
    this.limitBytes = options.checkpointBytes ?? DEFAULT_CHECKPOINT_BYTES;
    this.spacingTicks = options.spacingTicks ?? DEFAULT_SPACING_TICKS;
    this.tracker = machine.trackFrames();
    this.addCheckpoint();
  }

  get tick(): number {
    return this.machine.tick;
  }
  get endTick(): number {
    return this.playback.endTick;
  }
  /** So far the run is known: its checkpoints, its output. */
  get exploredTo(): number {
    return this.exploredTick;
  }

  /** @throws DivergenceError */
  async seek(tick: number, options: TravelOptions = {}): Promise<void> {
    const target = Math.max(0, Math.min(tick, this.endTick));
    this.dropPassing(target);
    this.goBackFor(target);
    const turn = new Turn(options.signal);
    while (this.tick < target) {
      this.advanceOnce(target);
      if (turn.isDue && (await turn.pass(() => options.onProgress?.(this.tick, target)))) options.signal?.throwIfAborted();
    }
    // Where it has differed it stands, perhaps: nobody can want to be there.
    this.digests.compare(this.machine);
  }

  /** Makes sure that the run has been gone through up to a tick. @returns false if the signal came first */
  async explore(tick: number, options: TravelOptions = {}): Promise<boolean> {
    const target = Math.min(tick, this.endTick);
    if (this.exploredTick >= target) return true;
    try {
      await this.seek(target, options);
      return true;
    } catch (error) {
      if (options.signal?.aborted === true) return false;
      throw error;
    }
  }

  /** From the last checkpoint before a tick to there: where it starts, and what was done in it, if known. */
  stretchBefore(tick: number): { readonly startTick: number; readonly footprint: Footprint | undefined } {
    const { all } = this.checkpoints;
    const index = this.checkpoints.indexAt(tick - 1);
    return { startTick: (all[index] as Checkpoint).tick, footprint: all[index + 1]?.footprint };
  }

  /** Takes over what is known of the run from a file. The machine is at tick 0. @throws CheckpointFileError */
  adopt(file: CheckpointFile): void {
    const { exploredTick, spacingTicks, console } = file.exploration;
    try {
      this.console.restore(console);
    } catch {
      throw new CheckpointFileError('it is damaged');
    }
    // Half of the memory is for what is found out anew.
    this.checkpoints.adopt(file, file.checkpoints(), this.limitBytes / 2);
    this.exploredTick = Math.min(exploredTick, this.endTick);
    this.digests.passOver(this.exploredTick);
    this.spacingTicks = Math.max(this.spacingTicks, spacingTicks);
  }

  /** Writes down what is known of the run. @throws what the file system says */
  keep(path: string, identity: RunIdentity): void {
    this.dropPassing(Number.NEGATIVE_INFINITY);
    const { exploredTick, spacingTicks } = this;
    writeCheckpointFile(path, identity, { exploredTick, spacingTicks, console: this.console.save() }, this.checkpoints);
  }

  /** Checkpoints cannot be read: everything but the beginning is found anew. */
  private startOver(): void {
    const { checkpoints, machine } = this;
    checkpoints.keepFirst();
    this.passing = [];
    this.exploredTick = 0;
    const frames = Array.from({ length: machine.frameCount }, (_, frame) => frame);
    this.putBack(checkpoints.all[0] as Checkpoint, frames);
  }

  /** Puts the machine to a checkpoint if that is shorter than going on from where it is. */
  goBackFor(target: number): void {
    const { checkpoints } = this;
    const checkpoint = checkpoints.all[checkpoints.indexAt(target)];
    if (checkpoint === undefined) throw new Error('there is no first checkpoint');
    const { tick } = this;
    // Where inputs of this tick have been given, its first moment is past.
    if (tick <= target && tick >= checkpoint.tick && !(tick === target && this.playback.inputsGiven)) return;
    const frames = checkpoints.framesBetween(this.baseTick, checkpoint.tick);
    this.takeDirty();
    for (const frame of this.dirty) frames.add(frame);
    try {
      this.putBack(checkpoint, frames);
    } catch (error) {
      if (!(error instanceof CheckpointFileError || error instanceof StateError)) throw error;
      this.onNote?.(`kept checkpoints cannot be used: ${error.message}`);
      this.startOver();
    }
  }

  private putBack(checkpoint: Checkpoint, frames: Iterable<number>): void {
    const { checkpoints, machine } = this;
    this.playback.rewind(
      checkpoint.state,
      checkpoint.inputCount,
      contentsOf(frames, (frame) => checkpoints.contents(frame, checkpoint.tick)),
    );
    machine.rearmBreakpoint(checkpoint.midRepeat);
    Footprint.forget(machine, this.tracker.take());
    this.dirty.clear();
    this.baseTick = checkpoint.tick;
    this.console.moveTo(checkpoint.tick);
  }

  /** To the beginning of a stretch, as if the machine had just come there. */
  goBackToStretch(startTick: number): void {
    const { checkpoints, machine } = this;
    this.goBackFor(startTick);
    machine.rearmBreakpoint(checkpoints.all[checkpoints.indexAt(startTick)]?.midRepeat === true);
  }

  /** To the last tick at or before one at which the machine can stand. */
  async seekBack(tick: number, options: TravelOptions = {}): Promise<void> {
    for (let target = Math.max(0, tick); ; target--) {
      await this.seek(target, options);
      if (this.tick <= target) return;
    }
  }

  private sent(source: ConsoleSource, byte: number): void {
    const tick = Math.min(this.machine.stepTick, this.endTick - 1);
    this.console.sent(source, tick, byte);
    this.observer.sent(source, tick, this.console);
  }

  /**
   * One stretch forward: to the target, or to where a checkpoint stands or is to stand.
   * @param staying the target is a place to look at: passing checkpoints are wanted on the way to it
   * @returns false when the machine was stopped on the way
   * @throws DivergenceError
   */
  advanceOnce(target: number, staying = true): boolean {
    const { checkpoints, digests, machine, spacingTicks, tick } = this;
    // Whoever goes on from where it has differed hears of it again.
    digests.compare(machine);
    const known = checkpoints.all[checkpoints.indexAt(tick) + 1]?.tick ?? Number.POSITIVE_INFINITY;
    const lasting = (Math.floor(tick / spacingTicks) + 1) * spacingTicks;
    const distance = staying ? LADDER_TICKS.find((ticks) => target - ticks > tick) : undefined;
    const rung = distance === undefined ? Number.POSITIVE_INFINITY : target - distance;
    const next = Math.min(target, known, lasting, rung, digests.nextTick, tick + SLICE_TICKS);
    const isNew = next !== known && (next === lasting || next === rung) && next < this.endTick;
    this.observer.begin();
    // The last step to a checkpoint is by itself, to know whether it ends within a REP.
    const arrived = (!isNew || next - 1 <= tick || this.playback.advanceTo(next - 1)) && this.playback.advanceTo(next, isNew);
    digests.compare(machine);
    this.exploredTick = Math.max(this.exploredTick, this.tick);
    if (!arrived) return false;
    if (next === known) {
      this.takeDirty();
      Footprint.forget(machine, this.dirty);
      this.dirty.clear();
      this.baseTick = next;
    } else if (isNew && this.tick === next) {
      if (next !== lasting) this.passing.push(next);
      this.addCheckpoint();
      this.keepWithinLimit();
    }
    return true;
  }

  private takeDirty(): void {
    for (const frame of this.tracker.take()) this.dirty.add(frame);
  }

  private addCheckpoint(): void {
    const { machine } = this;
    this.takeDirty();
    const { inputCount } = this.playback;
    const { tick, midRepeat } = machine;
    const footprint = Footprint.take(machine, this.dirty);
    this.checkpoints.add({ tick, state: machine.saveShared(), inputCount, midRepeat, footprint }, (frame) => machine.frameBytes(frame));
    this.dirty.clear();
    this.baseTick = machine.tick;
  }

  /** Passing checkpoints that the new place has no use for. */
  private dropPassing(target: number): void {
    const useful = (tick: number): boolean => tick <= target && target - tick <= (LADDER_TICKS[0] as number);
    this.passing = this.passing.filter((tick) => useful(tick) || !this.removeCheckpoint(tick));
  }

  private keepWithinLimit(): void {
    const { checkpoints } = this;
    if (checkpoints.usedBytes > this.limitBytes) checkpoints.dropCopies();
    while (checkpoints.usedBytes > this.limitBytes && this.spacingTicks < this.endTick) {
      this.spacingTicks *= 2;
      const keep = new Set(this.passing);
      const surplus = checkpoints.all.filter(({ tick }) => tick % this.spacingTicks !== 0 && !keep.has(tick));
      for (const { tick } of surplus) this.removeCheckpoint(tick);
    }
    // Two remain in any case, whatever they take: the first and the last.
    if (checkpoints.usedBytes > this.limitBytes) this.passing = this.passing.filter((tick) => !this.removeCheckpoint(tick));
  }

  private removeCheckpoint(tick: number): boolean {
    const { checkpoints } = this;
    const index = checkpoints.indexAt(tick);
    // The last one stays: what follows it is not known yet. So does the one that the machine counts from.
    if (index <= 0 || index === checkpoints.all.length - 1 || tick === this.baseTick || checkpoints.all[index]?.tick !== tick) return false;
    checkpoints.remove(index);
    return true;
  }
}

function* contentsOf(frames: Iterable<number>, contents: (frame: number) => Uint8Array): Iterable<readonly [number, Uint8Array]> {
  for (const frame of frames) yield [frame, contents(frame)];
}
