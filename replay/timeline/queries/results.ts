/**
 * What queries over a recorded run answer. The moments are ticks: what happens between `tick` and `tick + 1` is found by
 * going to `tick` and stepping once. Plain data, as it comes from worker threads.
 */
import type { Accessor } from '../../../engine/index.js';

/** Where the processor was. */
export interface Place {
  readonly tick: number;
  /** Linear address of the instruction. */
  readonly ip: number;
  readonly cs: number;
  readonly eip: number;
  readonly cr3: number;
  /** Privilege level. */
  readonly privilege: number;
}

/** An access to memory, or as much of it as lies in the range asked for. */
export interface MemoryAccess extends Place {
  readonly access: 'read' | 'write';
  /**
   * An instruction; the delivery of an interrupt or exception (the place is where it came); the page walk for either, which
   * sets accessed and dirty bits; a device that is master of the bus (the place is where the processor was).
   */
  readonly by: Accessor;
  /** Linear address under the translation that was asked with; undefined when physical memory was asked for. */
  readonly linear: number | undefined;
  readonly physical: number;
  readonly bytes: number;
  /** What was there, and what is there after the access. */
  readonly valueBefore: Uint8Array;
  readonly valueAfter: Uint8Array;
  /** The external interrupt whose delivery this is. */
  readonly vector: number | undefined;
}

/** An instruction was about to be executed; of a REP, the first iteration. */
export interface Execution extends Place {
  readonly esp: number;
}

/** The beginning of a function. */
export interface Entry extends Execution {
  /** Linear address that it returns to, as it found it on the stack: that of a near call. */
  readonly returnAddress: number;
}

/** The instruction behind a call was about to be executed. */
export interface Landing extends Execution {
  readonly eax: number;
}

export interface Call extends Entry {
  /** When the instruction behind the call was about to be executed; undefined when that was not within the ticks looked at. */
  readonly returnTick: number | undefined;
  /** EAX then. */
  readonly returnValue: number | undefined;
}

export interface InterruptEvent {
  readonly tick: number;
  readonly vector: number;
}

export interface InputRecord {
  readonly tick: number;
  readonly ns: number;
  readonly device: string;
  readonly payload: Uint8Array;
}

export interface Findings<T> {
  /** In the order of time. */
  readonly items: readonly T[];
  /** There are more than were asked for. */
  readonly more: boolean;
}
