/**
 * Stop conditions under numbers, to be switched on and off one by one.
 */
import type { StopCondition } from './stops.js';

export interface NumberedStop {
  readonly id: number;
  readonly condition: StopCondition;
  enabled: boolean;
}

export class StopList {
  private readonly stops = new Map<number, NumberedStop>();
  private lastId = 0;

  /** @returns its number, from 1 on; none is given twice */
  add(condition: StopCondition): number {
    this.stops.set(++this.lastId, { id: this.lastId, condition, enabled: true });
    return this.lastId;
  }

  /** @returns false when there is none of this number */
  remove(id: number): boolean {
    return this.stops.delete(id);
  }

  /** @returns false when there is none of this number */
  enable(id: number, enabled: boolean): boolean {
    const stop = this.stops.get(id);
    if (stop !== undefined) stop.enabled = enabled;
    return stop !== undefined;
  }

  get all(): readonly NumberedStop[] {
    return [...this.stops.values()];
  }
  get active(): readonly StopCondition[] {
    return this.all.filter(({ enabled }) => enabled).map(({ condition }) => condition);
  }

  /** The number of what a hit has met. */
  idOf(condition: StopCondition): number | undefined {
    return this.all.find((stop) => stop.condition === condition)?.id;
  }
}
