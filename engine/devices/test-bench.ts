/**
 * A workbench for device tests: a virtual clock moved by hand, interrupt lines and callbacks that write down what
 * happened and when, and the ports of the device under test.
 */
import { Clock, type TickSource } from '../clock/clock.js';
import type { AccessSize, IrqLine, PortHandler, PortRegistrar } from './device.js';

/** One thing a device did to the outside. */
export interface BenchEvent {
  readonly ns: number;
  readonly what: string;
  readonly value: number | boolean;
}

export class TestBench implements TickSource, PortRegistrar {
  tick = 0;
  readonly clock: Clock;
  /** Everything recorded so far, in order. */
  readonly events: BenchEvent[] = [];
  private readonly handlers = new Map<number, PortHandler>();

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
  line(name: string): IrqLine & { level: boolean } {
    const bench = this;
    return {
      level: false,
      set(level: boolean): void {
        if (level === this.level) return;
        this.level = level;
        bench.record(name, level);
      },
    };
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
