/**
 * What can say how a processor behaves: the engine in each of its tiers, the reference model, the host CPU. All take
 * the same cases and give the same kind of outcome, so that any two can be compared.
 */
import type { Window } from '../state/arena.js';

/** Width of the code segment. 64: flat 64-bit mode. */
export type CodeBits = 16 | 32 | 64;

export type Arena = 'user' | 'system';

/** An external interrupt, offered at the first boundary at or after this tick at which it is accepted. */
export interface OfferedInterrupt {
  readonly tick: number;
  readonly vector: number;
}

/**
 * Cases that begin in the same code bytes: `records` holds one record for each (state/arena.ts: state, then windows).
 * The code window of all records is the same, so that oracles decode once.
 */
export interface CaseBatch {
  readonly arena: Arena;
  readonly bits: CodeBits;
  readonly windows: readonly Window[];
  readonly count: number;
  readonly records: Uint8Array;
  /** Ticks after which a case is over at the latest. */
  readonly tickLimit: number;
  /** System arena only. */
  readonly interrupts?: readonly OfferedInterrupt[];
}

/** How a case ended. */
export const END = {
  /** User arena: an exception was raised; the state is the one it would be delivered from. */
  exception: 0,
  /** System arena: HLT. */
  halted: 1,
  /** System arena: triple fault. */
  shutdown: 2,
  /** The tick limit was reached. */
  limit: 3,
  /** The oracle cannot run this case. */
  unsupported: 4,
} as const;

/** Outcomes of a batch, in its order. One object is used again and again. */
export interface Outcomes {
  /** As in CaseBatch: state and windows after each case. */
  readonly records: Uint8Array;
  /** END.* of each case. */
  readonly ends: Uint8Array;
  /** Vector of the exception that ended it (END.exception). */
  readonly vectors: Uint8Array;
  /** Error code; 0 where the vector has none. */
  readonly errorCodes: Uint32Array;
  /** Ticks completed. Oracles that cannot count (the host) leave 0 and say so in `countsTicks`. */
  readonly ticks: Uint32Array;
  /**
   * Model only: for each case the rows of the policy table that it needed, as a bit set over their numbers in four
   * 32-bit words; comparisons with other processors excuse what those rows name.
   */
  readonly policies: Uint32Array;
  /** Of each case: bytes written outside the windows, as `case index, address, value` triples. */
  readonly strayWrites: number[];
}

export interface Oracle {
  readonly name: string;
  readonly countsTicks: boolean;
  /** Why it cannot run such a batch, or undefined. */
  refuses(batch: CaseBatch): string | undefined;
  /** `run` with the same batch comes next: what can go on meanwhile (another process) begins. */
  begin?(batch: CaseBatch): void;
  run(batch: CaseBatch, outcomes: Outcomes): void;
  close(): void;
}

export function createOutcomes(capacity: number, recordBytes: number): Outcomes {
  return {
    records: new Uint8Array(capacity * recordBytes),
    ends: new Uint8Array(capacity),
    vectors: new Uint8Array(capacity),
    errorCodes: new Uint32Array(capacity),
    ticks: new Uint32Array(capacity),
    policies: new Uint32Array(capacity * 4),
    strayWrites: [],
  };
}
