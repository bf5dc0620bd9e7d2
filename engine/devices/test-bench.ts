/**
 * A workbench for device tests: a virtual clock moved by hand, interrupt lines and callbacks that write down what
 * happened and when, and the ports of the device under test.
 */
import { Clock, type TickSource } from '../clock/clock.js';
import type { AccessSize, Device, IrqLine, PortHandler, PortRegistrar } from './device.js';

/** One thing a device did to the outside. */
export interface BenchEvent {
  readonly ns: number;
  readonly what: string;
  readonly value: number | boolean;
}

export interface BenchLine extends IrqLine {
  level: boolean;
}

export class TestBench implements TickSource, PortRegistrar {
  tick = 0;
  readonly clock: Clock;
  /** Everything recorded so far, in order. */
  readonly events: BenchEvent[] = [];
  private readonly handlers = new Map<number, PortHandler>();
  private readonly lines = new Map<string, BenchLine>();

  constructor(readonly nsPerTick = 1) {
    this.clock = new Clock(nsPerTick);
    this.clock.attach(this);
  }

  deadlineChanged(): void {
    // The bench looks at the clock after every step: nothing to interrupt.
  }

  record(what: string, value: number | boolean): void {
    this.events.push({ ns: this.clock.nowNs, what, value });
  }

  /** A line that records its changes of level (not the repetitions). */
  line(name: string): BenchLine {
    const record = (level: boolean): void => this.record(name, level);
    const line: BenchLine = {
      level: false,
      set(level: boolean): void {
        if (level === line.level) return;
        line.level = level;
        record(level);
      },
    };
    this.lines.set(name, line);
    return line;
  }

  get levels(): Record<string, boolean> {
    return Object.fromEntries([...this.lines].map(([name, { level }]) => [name, level]));
  }

  /** Takes over time and line levels of another bench, as the rest of a restored machine would have them. */
  continueFrom(other: TestBench): void {
    this.tick = other.tick;
    this.clock.skippedNs = other.clock.skippedNs;
    for (const [name, line] of this.lines) line.level = other.lines.get(name)?.level ?? false;
  }

  /** Takes out what was recorded under `what` (or all of it). */
  take(what?: string): BenchEvent[] {
    const taken = this.events.filter((event) => what === undefined || event.what === what);
    const kept = this.events.filter((event) => what !== undefined && event.what !== what);
    this.events.length = 0;
    this.events.push(...kept);
    return taken;
  }

  /** Moves virtual time to the first tick at or after `ns`, firing every alarm on the way at its own tick. */
  advanceTo(ns: number): void {
    while (this.clock.nextDueNs <= ns) {
      this.tick = Math.max(this.tick, this.clock.tickAt(this.clock.nextDueNs));
      this.clock.fireDue();
    }
    this.tick = Math.max(this.tick, this.clock.tickAt(ns));
    this.clock.fireDue();
  }

  advance(ns: number): void {
    this.advanceTo(this.clock.nowNs + ns);
  }

  claim(firstPort: number, count: number, handler: PortHandler): void {
    for (let port = firstPort; port < firstPort + count; port++) {
      if (this.handlers.has(port)) throw new Error(`port 0x${port.toString(16)} is taken`);
      this.handlers.set(port, handler);
    }
  }

  release(firstPort: number, count: number): void {
    for (let port = firstPort; port < firstPort + count; port++) this.handlers.delete(port);
  }

  in(port: number, size: AccessSize = 1): number {
    return this.handlerOf(port).read(port, size);
  }

  out(port: number, value: number, size: AccessSize = 1): void {
    this.handlerOf(port).write(port, size, value);
  }

  private handlerOf(port: number): PortHandler {
    const handler = this.handlers.get(port);
    if (handler === undefined) throw new Error(`nobody claims port 0x${port.toString(16)}`);
    return handler;
  }
}

/** State and lines after `actions` and a reset, and those of a fresh device reset at the same time. */
export function compareAfterReset<D extends Device, Action>(
  build: (bench: TestBench) => D,
  act: (bench: TestBench, device: D, action: Action) => unknown,
  actions: readonly Action[],
): { readonly used: Record<string, unknown>; readonly fresh: Record<string, unknown> } {
  const bench = new TestBench();
  const device = build(bench);
  device.reset();
  for (const action of actions) act(bench, device, action);
  device.reset();
  const freshBench = new TestBench();
  freshBench.continueFrom(bench);
  const fresh = build(freshBench);
  fresh.reset();
  return { used: { ...device.save(), lines: bench.levels }, fresh: { ...fresh.save(), lines: freshBench.levels } };
}

/** What two devices did that should have done the same. */
export interface Comparison {
  readonly original: unknown[];
  readonly restored: unknown[];
}

/**
 * Lets a device go through `before`, restores its state into a fresh one on a fresh bench, lets both go through
 * `after`, and gives all that could be seen of either: results of the actions, recorded events, the state at the end.
 */
export function compareAfterRestore<D extends Device, Action>(
  build: (bench: TestBench) => D,
  act: (bench: TestBench, device: D, action: Action) => unknown,
  before: readonly Action[],
  after: readonly Action[],
): Comparison {
  const bench = new TestBench();
  const device = build(bench);
  device.reset();
  for (const action of before) act(bench, device, action);
  bench.take();

  const freshBench = new TestBench();
  const fresh = build(freshBench);
  freshBench.continueFrom(bench);
  fresh.restore(device.save());
  const atOnce = fresh.save();

  const observe = (onBench: TestBench, of: D): unknown[] => {
    const results = after.map((action) => act(onBench, of, action));
    return [...results, ...onBench.take(), of.save()];
  };
  return {
    original: [device.save(), ...observe(bench, device)],
    restored: [atOnce, ...observe(freshBench, fresh)],
  };
}
