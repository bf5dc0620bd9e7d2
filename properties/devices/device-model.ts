/**
 * What the models of devices have in common: virtual time in whole nanoseconds, and what they show to the outside. The
 * models are written from the data sheets as simply as possible, one event after the other, and share nothing with the engine.
 */

/** A line that changed, or a value that left the device. */
export interface ModelEvent {
  readonly ns: number;
  readonly what: string;
  readonly value: number | boolean;
}

export type Size = 1 | 2 | 4;

export abstract class DeviceModel {
  protected nowNs = 0;
  private events: ModelEvent[] = [];
  private readonly levels = new Map<string, boolean>();

  /** When something happens next by itself, Infinity for never. */
  protected nextNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** What happens at that moment, which is now. */
  protected happens(): void {}

  advanceTo(ns: number): void {
    for (let next = this.nextNs(); next <= ns; next = this.nextNs()) {
      this.nowNs = next;
      this.happens();
    }
    this.nowNs = ns;
  }

  /** A line takes this level. */
  protected drive(line: string, level: boolean): void {
    if ((this.levels.get(line) ?? false) === level) return;
    this.levels.set(line, level);
    this.emit(line, level);
  }

  protected emit(what: string, value: number | boolean): void {
    this.events.push({ ns: this.nowNs, what, value });
  }

  takeEvents(): ModelEvent[] {
    const { events } = this;
    this.events = [];
    return events;
  }

  read(port: number, size: Size): number {
    throw new Error(`no ${size}-byte register at ${port.toString(16)}h`);
  }

  write(port: number, _value: number, size: Size): void {
    throw new Error(`no ${size}-byte register at ${port.toString(16)}h`);
  }
}

/** The first whole nanosecond at which `count` periods of an oscillator are over. */
export function periodsNs(count: number, frequencyHz: number): number {
  return Number((BigInt(count) * 1_000_000_000n + BigInt(frequencyHz) - 1n) / BigInt(frequencyHz));
}

/** How many periods are over by then. */
export function periodsAt(ns: number, frequencyHz: number): number {
  return Number((BigInt(ns) * BigInt(frequencyHz)) / 1_000_000_000n);
}

export function toBcd(value: number): number {
  return Number.parseInt(String(value), 16);
}
