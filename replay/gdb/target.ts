/**
 * What gdb drives: a recorded run in both directions. (A diversion from it, which only goes forward, is another: see
 * diversion.ts.)
 */
import type { Machine } from '../../engine/index.js';
import { firstAtOrAfter } from '../sorted.js';
import type { TravelOptions } from '../timeline/history.js';
import type { Hit, Stop, StopCondition } from '../timeline/stops.js';
import type { Timeline } from '../timeline/timeline.js';

export type Motion = 'step' | 'continue' | 'reverseStep' | 'reverseContinue';

export interface Target {
  readonly machine: Machine;
  /** Whether the step at this tick is the acceptance of an interrupt, where that is known. */
  interruptsAt(tick: number): boolean;
  /** A step meets watchpoints only: breakpoints are where one stops anyway. */
  move(motion: Motion, conditions: readonly StopCondition[], options: TravelOptions): Promise<Stop>;
}

export class TimelineTarget implements Target {
  constructor(private readonly timeline: Timeline) {}

  get machine(): Machine {
    return this.timeline.machine;
  }

  interruptsAt(tick: number): boolean {
    const { ticks } = this.timeline.trace.interrupts;
    return ticks[firstAtOrAfter(ticks, tick)] === tick;
  }

  async move(motion: Motion, conditions: readonly StopCondition[], options: TravelOptions): Promise<Stop> {
    const { timeline } = this;
    const startTick = timeline.tick;
    switch (motion) {
      case 'continue':
        return timeline.forward(conditions, options);
      case 'reverseContinue':
        return this.back(conditions, options);
      case 'step': {
        const stop = await timeline.step(1);
        return stop.kind === 'stepped' ? this.meeting(startTick, startTick + 1, conditions, stop) : stop;
      }
      case 'reverseStep': {
        const stop = await timeline.reverseStep(1);
        return stop.kind === 'stepped' ? this.meeting(startTick - 1, startTick - 1, conditions, stop) : stop;
      }
    }
  }

  /** What watchpoints the step at a tick meets; then the machine is at `standTick`, where it was before. */
  private async meeting(tick: number, standTick: number, conditions: readonly StopCondition[], stop: Stop): Promise<Stop> {
    const watchpoints = conditions.filter(({ kind }) => kind === 'watchpoint');
    if (watchpoints.length === 0) return stop;
    const hits = await this.timeline.lastBefore(tick + 1, watchpoints, {}, tick);
    await this.timeline.seek(standTick);
    return hits === 'interrupted' || hits.length === 0 ? stop : { kind: 'hit', hits: hits as readonly Hit[] };
  }

  /** Interrupted, it stands where everything behind it has been looked through, so that one can go on from there. */
  private async back(conditions: readonly StopCondition[], options: TravelOptions): Promise<Stop> {
    const { timeline } = this;
    let reachedTick = timeline.tick;
    const startTick = reachedTick;
    const stop = await timeline.backward(conditions, {
      ...options,
      onProgress: (ticks) => {
        reachedTick = Math.min(reachedTick, Math.max(0, startTick - ticks));
      },
    });
    if (stop.kind === 'interrupted') await timeline.seek(reachedTick);
    return stop;
  }
}
