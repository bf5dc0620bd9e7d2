/**
 * The digests of a recording, as what a machine that goes along it is compared with: each once, when it first comes there.
 */
import type { Machine } from '../../engine/index.js';
import type { Trace } from '../../traces/index.js';
import { digestText } from '../divergence.js';
import { DivergenceError } from './playback.js';

export type DigestEvents = Pick<Trace, 'coveredTo'> & Partial<Pick<Trace, 'digests' | 'end'>>;

export class RecordedDigests {
  private readonly ticks: readonly number[];
  private readonly values: readonly bigint[];
  private next = 0;

  constructor({ coveredTo, digests, end }: DigestEvents) {
    const ticks = Array.from(digests?.ticks ?? []);
    const values = Array.from(digests?.values ?? []);
    // At the last tick the machine is as the recording ended, which has a digest of its own.
    const inner = ticks.filter((tick) => tick < coveredTo.tick).length;
    const last = end?.tick === coveredTo.tick ? [end] : [];
    this.ticks = [...ticks.slice(0, inner), ...last.map(({ tick }) => tick)];
    this.values = [...values.slice(0, inner), ...last.map(({ digest }) => digest)];
  }

  /** Where the next one is that the machine has not been compared with. */
  get nextTick(): number {
    return this.ticks[this.next] ?? Number.POSITIVE_INFINITY;
  }

  /** Nothing up to this tick needs to be compared. */
  passOver(tick: number): void {
    while (this.nextTick <= tick) this.next++;
  }

  /** The machine has just come where the next one may be. @throws DivergenceError */
  compare(machine: Pick<Machine, 'tick' | 'digest'>): void {
    const { tick } = machine;
    if (tick !== this.nextTick) return;
    const [expected, found] = [this.values[this.next] as bigint, machine.digest()];
    if (found !== expected) {
      throw new DivergenceError(
        { tick, what: 'digest', expected: digestText(expected), found: digestText(found) },
        this.ticks[this.next - 1] ?? 0,
      );
    }
    this.next++;
  }
}
