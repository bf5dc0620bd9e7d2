/**
 * A recorded run as something to walk through, in both directions. Where it stands is a tick: the machine as it was at the
 * first moment of that tick.
 *
 * Going back is going forward: from a checkpoint, through the stretch before the present place, noting what is met; the last
 * of it is where one wanted to go. Stretches in which nothing can have been met are left out.
 */
import type { Changes, Machine, MachineConfig } from '../../engine/index.js';
import type { Trace, TraceSink } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { requireReplayable } from '../compatibility.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { firstAtOrAfter } from '../sorted.js';
import type { Footprint } from './footprint.js';
import { type Fork, forkMachine } from './fork.js';
import { finish, reverseFinish, reverseStepOver, stepOver } from './frames.js';
import { History, type HistoryOptions, type TravelOptions } from './history.js';
import { KeptCheckpoints } from './kept-checkpoints.js';
import { StopList } from './stop-list.js';
import { type Hit, isInFront, type Stop, type StopCondition } from './stops.js';
import { Turn } from './turn.js';

export interface TimelineOptions extends HistoryOptions {
  /** A folder where images are looked for first, by their file name or their sha256. */
  readonly imagesDirectory?: string | undefined;
  /** Where checkpoints are kept from one opening to the next; see `keepCheckpoints`. */
  readonly checkpointsPath?: string | undefined;
  /** Told of what one need not care about: kept checkpoints that cannot be used. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Where the checkpoints of a trace are kept, unless somebody wants them elsewhere. */
export const checkpointsBeside = (tracePath: string): string => `${tracePath}.checkpoints`;

/** @throws TraceError when an image is missing or has changed, or the trace is from a later version. */
export function openTimeline(trace: Trace, options: TimelineOptions = {}): Timeline {
  requireReplayable(trace.header.engineVersion);
  const images = new TraceImages(trace, options.imagesDirectory);
  try {
    const config = configOfTrace(trace.header, images, 'auto');
    const history = new History(buildMachine(config), trace, options);
    history.onNote = options.onNote;
    const kept = new KeptCheckpoints(trace, options.checkpointsPath);
    kept.openFor(history);
    // Disks stay open: the guest reads them as it goes.
    return new Timeline(trace, history, { config, images, kept });
  } catch (error) {
    images.close();
    throw error;
  }
}

/** What a timeline of a trace has at hand besides. */
interface Resources {
  readonly config: MachineConfig;
  readonly images: TraceImages;
  readonly kept: KeptCheckpoints;
}

export class Timeline {
  /** Whatever is set here stops `continue` and `reverseContinue`, and so do those of `stops` that are enabled. */
  conditions: readonly StopCondition[] = [];
  readonly stops = new StopList();
  /** Ticks with a name. */
  readonly marks = new Map<string, number>();

  constructor(
    readonly trace: Trace,
    readonly history: History,
    private readonly resources?: Resources | undefined,
  ) {}

  /**
   * Keeps what is known of the run for the next opening, in the file that `checkpointsPath` names, if anything has been
   * found out since.
   * @throws TraceError when the file cannot be written
   */
  keepCheckpoints(): void {
    this.resources?.kept.write(this.history);
  }

  /** Closes files; the timeline cannot be used any more. */
  close(): void {
    this.resources?.kept.close();
    this.resources?.images.close();
  }

  /**
   * Leaves the recording: a machine of its own, as it was at a tick, which goes on alive with the changes made to it. With
   * `to` it is recorded: the trace has the recorded run up to there, then the changes as an input, then what happens. The
   * timeline stays as it is, at that tick.
   */
  async fork(tick: number, changes: Changes = {}, to?: string | TraceSink): Promise<Fork> {
    if (this.resources === undefined) throw new Error('this timeline has no configuration to fork from');
    await this.seek(tick);
    return forkMachine(this.trace, this.machine, this.resources.config, changes, to);
  }

  /** Only for looking at: registers, memory, screen. */
  get machine(): Machine {
    return this.history.machine;
  }
  get tick(): number {
    return this.history.tick;
  }
  get endTick(): number {
    return this.history.endTick;
  }

  /** Goes to a tick; beyond the ends, to the end. @throws DivergenceError */
  async seek(tick: number, options: TravelOptions = {}): Promise<void> {
    await this.history.seek(tick, options);
  }

  /** One instruction, REP iteration, delivered interrupt or exception; or several. */
  async step(count = 1, options: TravelOptions = {}): Promise<Stop> {
    const target = this.tick + count;
    await this.seek(target, options);
    return { kind: target > this.endTick ? 'end' : 'stepped' };
  }

  async reverseStep(count = 1, options: TravelOptions = {}): Promise<Stop> {
    const target = this.tick - count;
    await this.history.seekBack(target, options);
    return { kind: target < 0 ? 'begin' : 'stepped' };
  }

  /** What stops it at present. */
  get active(): readonly StopCondition[] {
    return [...this.conditions, ...this.stops.active];
  }

  /** As `step`, but a CALL, an INT or a REP with all that it leads to is one step. */
  async stepOver(options: TravelOptions = {}): Promise<Stop> {
    return stepOver(this, options);
  }
  async reverseStepOver(options: TravelOptions = {}): Promise<Stop> {
    return reverseStepOver(this, options);
  }
  /** To behind the return from the present function, or interrupt handler. */
  async finish(options: TravelOptions = {}): Promise<Stop> {
    return finish(this, options);
  }
  /** Back to the call of the present function. */
  async reverseFinish(options: TravelOptions = {}): Promise<Stop> {
    return reverseFinish(this, options);
  }

  /** Forward to the first hit of the conditions, or to the end. */
  async continue(options: TravelOptions = {}): Promise<Stop> {
    return this.forward(this.active, options);
  }

  /** Back to the last hit of the conditions before the present place, or to the beginning. */
  async reverseContinue(options: TravelOptions = {}): Promise<Stop> {
    return this.backward(this.active, options);
  }

  /** As `continue`, to the first hit of these conditions. */
  async forward(conditions: readonly StopCondition[], options: TravelOptions = {}): Promise<Stop> {
    const { history } = this;
    const hits: Hit[] = [];
    this.machine.passBreakpoint();
    const stop = await this.observing<Stop>(
      conditions,
      (hit) => {
        hits.push(hit);
        return true;
      },
      async () => {
        const turn = new Turn(options.signal);
        while (this.tick < this.endTick) {
          if (await turn.pass(() => options.onProgress?.(this.tick, this.endTick))) return { kind: 'interrupted' };
          history.advanceOnce(this.endTick);
          if (hits.length > 0) return { kind: 'hit', hits: [...hits, ...this.metHere(hits)] };
        }
        return { kind: 'end' };
      },
    );
    // In front of a breakpoint, inputs of this tick have been given: it stands at their first moment like anywhere else.
    await this.seek(this.tick);
    return stop;
  }

  /** Something else has stopped the machine where there is a breakpoint, too. */
  private metHere(hits: readonly Hit[]): readonly Hit[] {
    const { history, machine, tick, trace } = this;
    if (hits.some(({ condition }) => isInFront(condition)) || tick === this.endTick) return [];
    const { ticks } = trace.interrupts;
    if (machine.halted || machine.midRepeat || ticks[firstAtOrAfter(ticks, tick)] === tick) return [];
    return history.observer.breakpointsHere();
  }

  /** As `reverseContinue`, to the last hit of these conditions. */
  async backward(conditions: readonly StopCondition[], options: TravelOptions = {}): Promise<Stop> {
    const found = await this.lastBefore(this.tick, conditions, options);
    if (found === 'interrupted') return { kind: 'interrupted' };
    await this.history.seekBack(found.length === 0 ? 0 : (found[0] as Hit).tick);
    return found.length === 0 ? { kind: 'begin' } : { kind: 'hit', hits: found };
  }

  /**
   * The hits at the last tick before `tick` that has any; none if there is none. The timeline is anywhere afterwards.
   * @param fromTick where to stop looking
   */
  async lastBefore(
    tick: number,
    conditions: readonly StopCondition[],
    options: TravelOptions = {},
    fromTick = 0,
  ): Promise<readonly Hit[] | 'interrupted'> {
    let hits: Hit[] = [];
    const note = (hit: Hit): boolean => {
      if (hits[0]?.tick !== hit.tick) hits = [];
      hits.push(hit);
      return false;
    };
    return this.lastStretch(tick, conditions, options, () => hits.filter((hit) => hit.tick >= fromTick), note, fromTick);
  }

  /**
   * Goes through the stretches before a tick, the last one first, each of them forward, until `result` has something to
   * say of the one that has been gone through.
   */
  async lastStretch(
    tick: number,
    conditions: readonly StopCondition[],
    options: TravelOptions,
    result: () => readonly Hit[],
    onHit: (hit: Hit) => boolean = () => false,
    fromTick = 0,
  ): Promise<readonly Hit[] | 'interrupted'> {
    const { history } = this;
    if (!(await history.explore(tick, options))) return 'interrupted';
    return this.observing(conditions, onHit, async () => {
      const turn = new Turn(options.signal);
      let end = tick;
      while (end > fromTick) {
        if (options.signal?.aborted === true) return 'interrupted';
        const stretch = history.stretchBefore(end);
        if (!canBeMet(conditions, stretch.footprint)) {
          end = stretch.startTick;
          continue;
        }
        history.goBackToStretch(stretch.startTick);
        while (this.tick < end) {
          if (await turn.pass(() => options.onProgress?.(tick - end, tick - fromTick))) return 'interrupted';
          history.advanceOnce(end, false);
        }
        const found = result();
        if (found.length > 0) return found;
        end = stretch.startTick;
      }
      return [];
    });
  }

  private async observing<T>(conditions: readonly StopCondition[], onHit: (hit: Hit) => boolean, body: () => Promise<T>): Promise<T> {
    const { observer } = this.history;
    observer.onHit = onHit;
    observer.observe(conditions);
    try {
      return await body();
    } finally {
      observer.observe([]);
    }
  }
}

/** Whether anything can be met in a stretch in which this was done; undefined: anything may have been. */
function canBeMet(conditions: readonly StopCondition[], footprint: Footprint | undefined): boolean {
  if (footprint === undefined) return true;
  return conditions.some((condition) => {
    if (condition.kind === 'breakpoint') return footprint.mayExecute(condition.address);
    return condition.kind !== 'watchpoint' || condition.access !== 'write' || footprint.mayWrite(condition.address, condition.bytes);
  });
}
