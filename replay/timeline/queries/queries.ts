/**
 * Questions about a whole run: who wrote this, when was that executed. Answered by executing again those stretches between
 * checkpoints in which the answer can lie, and from the recorded events. The shape follows TTD.Memory and TTD.Calls of WinDbg.
 *
 * The timeline stands where it stood when a query is done.
 */
import { availableParallelism } from 'node:os';
import { firstAtOrAfter } from '../../sorted.js';
import type { ConsoleSource } from '../console-log.js';
import type { Timeline } from '../timeline.js';
import { gather } from './gather.js';
import { PendingCalls } from './pending-calls.js';
import { type AccessKind, type Answer, canBeAnswered, type Question } from './question.js';
import type { Call, Execution, Findings, InputRecord, InterruptEvent, Landing, MemoryAccess } from './results.js';
import { type Scanner, type Stretch, StretchScanner } from './scanner.js';
import { type Address, piecesOf, QueryError } from './target.js';
import { type TraceLocation, WorkerScanner } from './worker-scanner.js';

export interface QueryOptions {
  /** The ticks that count: from here on (default: from the beginning), */
  readonly fromTick?: number | undefined;
  /** and before this one (default: to the end). */
  readonly toTick?: number | undefined;
  /** Aborting it makes the query throw its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Ticks looked through, of those that may have to be. */
  readonly onProgress?: ((doneTicks: number, totalTicks: number) => void) | undefined;
}

export interface ListOptions extends QueryOptions {
  /** Most answers to give. Default 10,000. */
  readonly limit?: number | undefined;
  /** Which ones, if there are more. Default: the first. */
  readonly end?: 'first' | 'last' | undefined;
}

export interface QueriesOptions extends TraceLocation {
  /** Threads that help. Default: one for each processor but one; they are started when there is enough to do. */
  readonly workers?: number | undefined;
}

const DEFAULT_LIMIT = 10_000;
/** So many stretches are done before a thread has come up. */
const STRETCHES_FOR_WORKERS = 16;
/** Looked through at once for the returns of calls. */
const STRETCHES_PER_BATCH = 8;

export class Queries {
  private readonly local: StretchScanner;
  private workers: WorkerScanner[] | undefined;

  /** @param options where the run can be found again by threads; without, everything is done on this one */
  constructor(
    private readonly timeline: Timeline,
    private readonly options?: QueriesOptions,
  ) {
    this.local = new StretchScanner(timeline.history, timeline.trace);
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    const workers = this.workers ?? [];
    this.workers = undefined;
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  /** The last write to any byte of a range, whether or not it changed the value. */
  async lastWrite(address: Address, bytes = 1, options: QueryOptions = {}): Promise<MemoryAccess | undefined> {
    return (await this.accesses(address, bytes, 'write', { ...options, limit: 1, end: 'last' })).items[0];
  }

  async firstWrite(address: Address, bytes = 1, options: QueryOptions = {}): Promise<MemoryAccess | undefined> {
    return (await this.accesses(address, bytes, 'write', { ...options, limit: 1, end: 'first' })).items[0];
  }

  async writes(address: Address, bytes: number, options: ListOptions = {}): Promise<Findings<MemoryAccess>> {
    return this.accesses(address, bytes, 'write', options);
  }

  /** Reads are those of data, by instructions. */
  async accesses(address: Address, bytes: number, access: AccessKind, options: ListOptions = {}): Promise<Findings<MemoryAccess>> {
    const pieces = piecesOf(address, bytes, this.timeline.machine);
    return this.find({ kind: 'accesses', pieces, access }, options);
  }

  /** When the instruction at a linear address was executed, in whatever address space. */
  async executions(linear: number, options: ListOptions = {}): Promise<Findings<Execution>> {
    return this.find({ kind: 'executions', address: requireLinear(linear) }, options);
  }

  /** Near calls of the function at a linear address, with what they returned. */
  async calls(linear: number, options: ListOptions = {}): Promise<Findings<Call>> {
    const { toTick = this.timeline.endTick, signal } = options;
    const { items, more } = await this.find({ kind: 'entries', address: requireLinear(linear) }, options);
    const pending = new PendingCalls(items);
    const question: Question = { kind: 'landings', addresses: pending.returnAddresses };
    return this.visiting(async () => {
      const stretches = this.stretches(question, items[0]?.tick ?? toTick, Math.min(toTick, this.timeline.endTick));
      try {
        while (stretches.length > 0) {
          // While nothing is under way, time is passed over.
          const skipped = stretches.findIndex(({ endTick }) => pending.open || pending.nextTick < endTick);
          if (skipped < 0) break;
          const batch = stretches.splice(0, skipped + STRETCHES_PER_BATCH).slice(skipped);
          const landings = await gather(
            () => this.scanners(),
            question,
            batch,
            { limit: Number.POSITIVE_INFINITY, end: 'first' },
            { signal },
          );
          pending.pass(landings as Landing[], batch.at(-1)?.endTick ?? toTick);
        }
        return { items: pending.calls, more };
      } finally {
        this.quiet();
      }
    });
  }

  /** External interrupts that were accepted. */
  interrupts(options: ListOptions = {}): Findings<InterruptEvent> {
    const { fromTick = 0, toTick = this.timeline.endTick } = options;
    const { ticks, vectors } = this.timeline.trace.interrupts;
    const events: InterruptEvent[] = [];
    for (let i = firstAtOrAfter(ticks, fromTick); i < ticks.length && (ticks[i] as number) < toTick; i++)
      events.push({ tick: ticks[i] as number, vector: vectors[i] as number });
    return limited(events, options);
  }

  /** What came in from outside. */
  inputs(options: ListOptions = {}): Findings<InputRecord> {
    const { fromTick = 0, toTick = Number.POSITIVE_INFINITY } = options;
    const within = this.timeline.trace.inputs.filter(({ tick }) => tick >= fromTick && tick < toTick);
    return limited(
      within.map(({ tick, ns, device, payload }) => ({ tick, ns, device, payload })),
      options,
    );
  }

  /** What had been sent to a console before a tick. Latin-1. */
  async console(source: ConsoleSource, tick: number = this.timeline.tick, { signal }: QueryOptions = {}): Promise<string> {
    await this.visiting(async () => this.explore(tick, signal));
    return this.timeline.history.console.textBefore(source, tick);
  }

  private async find<Q extends Question>(question: Q, options: ListOptions): Promise<Findings<Answer<Q>>> {
    const { fromTick = 0, toTick = this.timeline.endTick, end = 'first', signal } = options;
    const limit = limitOf(options);
    signal?.throwIfAborted();
    return this.visiting(async () => {
      await this.explore(toTick, signal);
      const stretches = this.stretches(question, fromTick, Math.min(toTick, this.timeline.endTick));
      if (end === 'last') stretches.reverse();
      if (stretches.length >= STRETCHES_FOR_WORKERS) this.startWorkers();
      try {
        // One more than is wanted tells whether there are more; of one, nobody asks.
        const quota = { limit: limit === 1 ? 1 : limit + 1, end };
        const items = (await gather(() => this.scanners(), question, stretches, quota, options)) as Answer<Q>[];
        return limited(items, options);
      } finally {
        this.quiet();
      }
    });
  }

  /** A thread that has died is left out: the others do its part. */
  private scanners(): Scanner[] {
    return [this.local, ...(this.workers ?? []).filter(({ ready }) => ready)];
  }

  private quiet(): void {
    for (const scanner of this.scanners()) scanner.close();
  }

  private startWorkers(): void {
    const { options } = this;
    if (options === undefined || this.workers !== undefined) return;
    const count = options.workers ?? availableParallelism() - 1;
    this.workers = Array.from({ length: count }, () => new WorkerScanner(this.timeline.history.checkpoints, options));
  }

  /** Goes back to where the timeline stood. */
  private async visiting<T>(body: () => Promise<T>): Promise<T> {
    const { tick } = this.timeline;
    try {
      return await body();
    } finally {
      await this.timeline.seek(tick);
    }
  }

  private async explore(tick: number, signal: AbortSignal | undefined): Promise<void> {
    await this.timeline.history.explore(tick, { signal });
    signal?.throwIfAborted();
  }

  /** Where the answers can lie, in the order of time. */
  private stretches(question: Question, fromTick: number, toTick: number): Stretch[] {
    const { history } = this.timeline;
    const stretches: Stretch[] = [];
    for (let endTick = toTick; endTick > fromTick; ) {
      const { startTick, footprint } = history.stretchBefore(endTick);
      if (footprint === undefined || canBeAnswered(question, footprint)) stretches.push({ startTick, endTick, fromTick, toTick });
      endTick = startTick;
    }
    return stretches.reverse();
  }
}

/** @throws QueryError */
function requireLinear(address: number): number {
  if (Number.isInteger(address) && address >= 0 && address <= 0xffff_ffff) return address;
  throw new QueryError(`${address} is no linear address`);
}

function limitOf({ limit = DEFAULT_LIMIT }: ListOptions): number {
  if (!Number.isInteger(limit) || limit < 1) throw new QueryError(`a limit is a whole number above 0, not ${limit}`);
  return limit;
}

/** The first of them or the last, so many as are wanted. */
function limited<T>(items: readonly T[], options: ListOptions): Findings<T> {
  const limit = limitOf(options);
  return { items: options.end === 'last' ? items.slice(-limit) : items.slice(0, limit), more: items.length > limit };
}
