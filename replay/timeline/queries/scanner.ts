/**
 * Looks through stretches of a run by executing them again, and collects what a question asks for.
 */

import type { Machine } from '../../../engine/index.js';
import type { Observer } from '../observer.js';
import type { TimelineEvents } from '../playback.js';
import type { Hit } from '../stops.js';
import { Turn } from '../turn.js';
import { type Collector, collectorFor, type Found, type Question } from './question.js';

/** From one checkpoint to another, of which only the ticks from `fromTick` on and before `toTick` count. */
export interface Stretch {
  readonly startTick: number;
  readonly endTick: number;
  readonly fromTick: number;
  readonly toTick: number;
}

/** How much of what is found in a stretch is wanted: the first so many, or the last. */
export interface Quota {
  readonly limit: number;
  readonly end: 'first' | 'last';
}

export interface Scanner {
  /** In the order of time. @throws what the signal says */
  scan(question: Question, stretch: Stretch, quota: Quota, signal: AbortSignal | undefined): Promise<Found[]>;
  /** No more questions: the machine goes without an observer again. */
  close(): void;
}

/** What goes through stretches: a history, or the machine of a worker. */
export interface Traveller {
  readonly machine: Machine;
  readonly observer: Observer;
  readonly tick: number;
  goBackToStretch(startTick: number): void;
  /** A piece of the way to a tick. */
  advanceOnce(target: number, staying: boolean): unknown;
}

/** Ticks between two looks at the time: a millisecond, but much more where a watched page is written all the time. */
const SLICE_TICKS = 2 ** 18;
/** Hits between two looks at the time. */
const HITS_PER_LOOK = 1024;

/** On the thread that calls. */
export class StretchScanner implements Scanner {
  private question: Question | undefined;
  private collector: Collector<Found> | undefined;
  private found: Found[] = [];
  private hits = 0;
  private turn = new Turn(undefined);

  constructor(
    private readonly traveller: Traveller,
    private readonly events: TimelineEvents,
  ) {}

  async scan(question: Question, stretch: Stretch, quota: Quota, signal: AbortSignal | undefined): Promise<Found[]> {
    const { traveller } = this;
    const collector = this.prepare(question);
    this.found = [];
    traveller.observer.onHit = (hit) => this.note(hit, collector, stretch, quota);
    traveller.goBackToStretch(stretch.startTick);
    collector.begin();
    this.turn = new Turn(signal);
    const endTick = Math.min(stretch.endTick, stretch.toTick);
    while (traveller.tick < endTick) {
      traveller.advanceOnce(Math.min(endTick, traveller.tick + SLICE_TICKS), false);
      if (quota.end === 'first' && this.found.length >= quota.limit) break;
      if (this.turn.isDue && (await this.turn.pass())) signal?.throwIfAborted();
    }
    const { found } = this;
    this.found = [];
    return quota.end === 'first' ? found.slice(0, quota.limit) : found.slice(-quota.limit);
  }

  close(): void {
    this.question = undefined;
    this.traveller.observer.observe([]);
  }

  private prepare(question: Question): Collector<Found> {
    if (this.collector !== undefined && this.question === question) return this.collector;
    const { traveller } = this;
    const collector = collectorFor(question, traveller.machine, this.events);
    traveller.observer.observe(collector.conditions);
    this.question = question;
    this.collector = collector;
    return collector;
  }

  /** @returns whether the machine is to stop */
  private note(hit: Hit, collector: Collector<Found>, { endTick, fromTick, toTick }: Stretch, { end, limit }: Quota): boolean {
    const { found } = this;
    // Values before the window count, too: the next access finds them.
    const answer = collector.answer(hit);
    if (hit.tick < fromTick || hit.tick >= Math.min(endTick, toTick)) return false;
    found.push(answer);
    if (end === 'last' && found.length >= 2 * limit + HITS_PER_LOOK) found.splice(0, found.length - limit);
    if (end === 'first' && found.length >= limit) return true;
    return ++this.hits % HITS_PER_LOOK === 0 && this.turn.isDue;
  }
}
