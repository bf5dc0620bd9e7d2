/**
 * What is looked for in a stretch of a run, as plain data, and how a hit there becomes an answer.
 */
import type { Machine } from '../../../engine/index.js';
import { PAGE_BYTES } from '../page-store.js';
import { firstAtOrAfter, type TimelineEvents } from '../playback.js';
import type { Hit, StopCondition } from '../stops.js';
import type { Execution, MemoryAccess, Place } from './results.js';
import type { Piece } from './target.js';

export type AccessKind = 'read' | 'write' | 'access';

export type Question =
  | { readonly kind: 'accesses'; readonly pieces: readonly Piece[]; readonly access: AccessKind }
  | { readonly kind: 'executions'; readonly address: number };

export type Answer<Q extends Question> = Q extends { kind: 'accesses' } ? MemoryAccess : Execution;

export interface Collector<T> {
  readonly conditions: readonly StopCondition[];
  /** The machine stands where it is to go on from. */
  begin(): void;
  /** While the machine is within what has been hit. */
  answer(hit: Hit): T;
}

export function collectorFor(question: Question, machine: Machine, events: TimelineEvents): Collector<MemoryAccess | Execution> {
  return question.kind === 'accesses'
    ? new AccessCollector(question.pieces, question.access, machine, events)
    : executionCollector(question.address, machine);
}

export function placeOf(machine: Machine, tick: number): Place {
  const { registers, currentEip: eip } = machine;
  return {
    tick,
    ip: (registers.segmentBase('cs') + eip) >>> 0,
    cs: registers.get('cs'),
    eip,
    cr3: registers.get('cr3'),
    privilege: registers.privilege,
  };
}

function executionCollector(address: number, machine: Machine): Collector<Execution> {
  return {
    conditions: [{ kind: 'breakpoint', address }],
    begin() {},
    answer: ({ tick }) => ({ ...placeOf(machine, tick), esp: machine.registers.get('esp') }),
  };
}

class AccessCollector implements Collector<MemoryAccess> {
  readonly conditions: readonly StopCondition[];
  private readonly byPage = new Map<number, Piece[]>();
  /** The range as it was before the access to come. */
  private readonly shadows = new Map<Piece, Uint8Array>();

  constructor(
    private readonly pieces: readonly Piece[],
    access: AccessKind,
    private readonly machine: Machine,
    private readonly events: TimelineEvents,
  ) {
    for (const piece of pieces) {
      const page = Math.floor(piece.physical / PAGE_BYTES);
      this.byPage.set(page, [...(this.byPage.get(page) ?? []), piece]);
    }
    this.conditions = rangesOf(pieces).map(({ physical, bytes }) => ({ kind: 'watchpoint', address: physical, bytes, access }));
  }

  begin(): void {
    for (const piece of this.pieces) this.shadows.set(piece, this.machine.peekPhysical(piece.physical, piece.bytes));
  }

  answer({ tick, address = 0, bytes = 0, write, by = 'instruction' }: Hit): MemoryAccess {
    const { machine } = this;
    // Accesses do not leave their page; a page that is mapped twice in the range is known by its first piece.
    const piece = this.byPage
      .get(Math.floor(address / PAGE_BYTES))
      ?.find((one) => address < one.physical + one.bytes && one.physical < address + bytes) as Piece;
    const physical = Math.max(address, piece.physical);
    const length = Math.min(address + bytes, piece.physical + piece.bytes) - physical;
    const shadow = this.shadows.get(piece) as Uint8Array;
    const offset = physical - piece.physical;
    const valueAfter = machine.peekPhysical(physical, length).slice();
    const valueBefore = write ? shadow.slice(offset, offset + length) : valueAfter;
    shadow.set(valueAfter, offset);
    return {
      ...placeOf(machine, tick),
      access: write ? 'write' : 'read',
      by,
      linear: piece.linear === undefined ? undefined : piece.linear + offset,
      physical,
      bytes: length,
      valueBefore,
      valueAfter,
      vector: by === 'delivery' ? this.vectorAt(tick) : undefined,
    };
  }

  private vectorAt(tick: number): number | undefined {
    const { ticks, vectors } = this.events.interrupts;
    const index = firstAtOrAfter(ticks, tick);
    return ticks[index] === tick ? vectors[index] : undefined;
  }
}

/** What pieces cover together, in as few ranges as can be. */
function rangesOf(pieces: readonly Piece[]): { physical: number; bytes: number }[] {
  const ranges: { physical: number; bytes: number }[] = [];
  for (const { physical, bytes } of [...pieces].sort((a, b) => a.physical - b.physical)) {
    const last = ranges.at(-1);
    if (last === undefined || physical > last.physical + last.bytes) ranges.push({ physical, bytes });
    else last.bytes = Math.max(last.bytes, physical + bytes - last.physical);
  }
  return ranges;
}
