/**
 * What the debugger's commands share: the timeline and where one has been on it, stops, marks, symbols, and how the place
 * is shown at which the timeline stands.
 */
import { grouped } from '../cli/text.js';
import { firstAtOrAfter } from '../sorted.js';
import type { TravelOptions } from '../timeline/history.js';
import { Queries, type QueriesOptions } from '../timeline/queries/queries.js';
import type { Hit, Stop } from '../timeline/stops.js';
import type { Timeline } from '../timeline/timeline.js';
import { type Disassemble, GuestView } from './guest-view.js';
import { type RegisterTexts, registerTexts } from './registers-view.js';
import { hitText, StopPoints } from './stop-points.js';
import { Symbols } from './symbols.js';
import { hex, secondsText, valueText } from './text.js';

export interface DebuggerHost {
  readonly disassemble: Disassemble;
  /** A line for the person at the prompt. */
  readonly print: (line: string) => void;
  /** What is wrong, as one line. */
  readonly complain: (message: string) => void;
  /** Makes text stand out. */
  readonly emphasize: (text: string) => string;
  /** Where threads that help with queries find the recording again. */
  readonly location?: QueriesOptions | undefined;
  /** @throws an error of the system */
  readonly readFile: (path: string) => Uint8Array;
}

/** Who makes an access that is not an instruction's. */
const ACCESSORS = { delivery: 'the delivery of an interrupt or exception', pageWalk: 'a page walk', device: 'a device' } as const;

export class Session {
  readonly view: GuestView;
  readonly queries: Queries;
  readonly symbols = new Symbols();
  readonly stops = new StopPoints();
  /** Signal and progress of the command under way. */
  travelOptions: TravelOptions = {};
  /** Registers where the timeline stood before, and where it stands. */
  registersBefore: RegisterTexts;
  registersNow: RegisterTexts;

  constructor(
    readonly timeline: Timeline,
    readonly host: DebuggerHost,
  ) {
    this.view = new GuestView(timeline.machine, this.symbols, host.disassemble);
    this.queries = new Queries(timeline, host.location);
    this.registersNow = registerTexts(timeline.machine);
    this.registersBefore = this.registersNow;
  }

  get marks(): Map<string, number> {
    return this.timeline.marks;
  }

  print(line: string): void {
    this.host.print(line);
  }

  /**
   * Goes somewhere and says where it has come to, and why there. Interrupted on the way forward one stays where one has come
   * to, on the way back one is where one was.
   */
  async travel(direction: 'forward' | 'back', go: (options: TravelOptions) => Promise<Stop>): Promise<void> {
    const { timeline } = this;
    const startTick = timeline.tick;
    timeline.conditions = this.stops.conditions;
    const stop = await this.interruptible(() => go(this.travelOptions));
    if (stop === 'interrupted' || stop.kind === 'interrupted') {
      if (direction === 'back') await timeline.seek(startTick);
      await this.arrived({ kind: 'interrupted' });
    } else await this.arrived(stop);
  }

  /** What was asked for, unless the signal came first. */
  async interruptible<T>(body: () => Promise<T>): Promise<T | 'interrupted'> {
    try {
      return await body();
    } catch (error) {
      if (this.travelOptions.signal?.aborted === true) return 'interrupted';
      throw error;
    }
  }

  /** The timeline stands still. */
  async arrived(stop: Stop): Promise<void> {
    for (const line of await this.reasons(stop)) this.print(line);
    this.registersBefore = this.registersNow;
    this.registersNow = registerTexts(this.timeline.machine);
    this.print(this.placeText());
  }

  /** Tick, virtual time, what comes next. */
  placeText(): string {
    const { timeline, view } = this;
    const { tick, machine } = timeline;
    const { ticks, vectors } = timeline.trace.interrupts;
    const index = firstAtOrAfter(ticks, tick);
    const interrupt = ticks[index] === tick ? `  (interrupt ${hex(vectors[index] as number, 2)} comes first)` : '';
    const halted = machine.registers.halted ? '  (halted)' : '';
    return `tick ${grouped(tick)}  ${secondsText(machine.nowNs)}  ${view.nextText()}${halted}${interrupt}`;
  }

  private async reasons(stop: Stop): Promise<string[]> {
    switch (stop.kind) {
      case 'stepped':
        return [];
      case 'interrupted':
        return ['interrupted'];
      case 'begin':
        return ['the beginning of the recording'];
      case 'end': {
        const { end } = this.timeline.trace;
        return [`the end of the recording: ${end === undefined ? 'it was not finished' : `${end.reason}, status ${end.status}`}`];
      }
      case 'hit': {
        const lines: string[] = [];
        for (const hit of stop.hits) lines.push(await this.hitLine(hit));
        return [...new Set(lines)];
      }
    }
  }

  private async hitLine(hit: Hit): Promise<string> {
    const point = this.stops.of(hit);
    const text = hit.condition.kind === 'watchpoint' ? await this.accessText(hit) : hitText(hit, this.view);
    return point === undefined ? text : `stop ${point.number}: ${text}`;
  }

  /** An access with the values before and behind it, and who made it. */
  private async accessText(hit: Hit): Promise<string> {
    const { timeline, view } = this;
    const { address = 0, bytes = 0, tick, condition } = hit;
    const index = this.stops.of(hit)?.conditions.indexOf(condition) ?? -1;
    const watched = this.stops.of(hit)?.watched[index];
    const linear = watched?.linear === undefined ? undefined : watched.linear + address - watched.physical;
    const place = linear === undefined ? `physical ${hex(address)}` : view.addressText(linear);
    const standTick = timeline.tick;
    const value = (): string => valueText(timeline.machine.peekPhysical(address, bytes));
    await timeline.seek(tick);
    const before = value();
    const by = hit.by === undefined || hit.by === 'instruction' ? view.nextText() : `${ACCESSORS[hit.by]} at ${view.nextText()}`;
    await timeline.seek(tick + 1);
    const after = value();
    await timeline.seek(standTick);
    const values = hit.write === true ? `${before} -> ${after}` : before;
    return `${hitText(hit, view)} ${place}: ${values}, by ${by}`;
  }
}
