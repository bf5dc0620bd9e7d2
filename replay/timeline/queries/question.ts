/**
 * What is looked for in a stretch of a run, as plain data, and how a hit there becomes an answer.
 */
import type { Machine } from '../../../engine/index.js';
import { firstAtOrAfter } from '../../sorted.js';
import type { Footprint } from '../footprint.js';
import { PAGE_BYTES } from '../page-store.js';
import type { TimelineEvents } from '../playback.js';
import type { Hit, StopCondition } from '../stops.js';
import type { Entry, Execution, Landing, MemoryAccess, Place } from './results.js';
import type { Piece } from './target.js';

export type AccessKind = 'read' | 'write' | 'access';

export type Question =
  | { readonly kind: 'accesses'; readonly pieces: readonly Piece[]; readonly access: AccessKind }
  | { readonly kind: 'executions' | 'entries'; readonly address: number }
  | { readonly kind: 'landings'; readonly addresses: readonly number[] };

/** Whether an answer can lie in a stretch in which this was done. */
export function canBeAnswered(question: Question, footprint: Footprint): boolean {
  switch (question.kind) {
    case 'accesses':
      return question.access !== 'write' || question.pieces.some(({ physical, bytes }) => footprint.mayWrite(physical, bytes));
    case 'executions':
    case 'entries':
      return footprint.mayExecute(question.address);
    case 'landings':
      return question.addresses.some((address) => footprint.mayExecute(address));
  }
}

interface Answers {
  readonly accesses: MemoryAccess;
  readonly executions: Execution;
  readonly entries: Entry;
  readonly landings: Landing;
}
export type Answer<Q extends Question> = Answers[Q['kind']];
export type Found = Answers[Question['kind']];

export interface Collector<T> {
  readonly conditions: readonly StopCondition[];
  /** The machine stands where it is to go on from. */
  begin(): void;
  /** While the machine is within what has been hit. */
  answer(hit: Hit): T;
}

export function collectorFor(question: Question, machine: Machine, events: TimelineEvents): Collector<Found> {
  switch (question.kind) {
    case 'accesses':
      return new AccessCollector(question.pieces, question.access, machine, events);
    case 'executions':
      return executionCollector([question.address], (tick) => executionOf(machine, tick));
    case 'entries':
      return executionCollector([question.address], (tick) => ({ ...executionOf(machine, tick), returnAddress: returnAddress(machine) }));
    case 'landings':
      return executionCollector(question.addresses, (tick) => ({ ...executionOf(machine, tick), eax: machine.registers.get('eax') }));
  }
}

function placeOf(machine: Machine, tick: number): Place {
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

const executionOf = (machine: Machine, tick: number): Execution => ({ ...placeOf(machine, tick), esp: machine.registers.get('esp') });

/** Where a near call has come from, before the first instruction of what it called. */
function returnAddress(machine: Machine): number {
  const { registers } = machine;
  const wide = registers.codeBits === 32;
  const pointer = registers.stackBits === 32 ? registers.get('esp') : registers.get('esp') & 0xffff;
  const top = machine.peekLinear((registers.segmentBase('ss') + pointer) >>> 0, wide ? 4 : 2);
  const offset = top.reduceRight((value, byte) => value * 256 + byte, 0);
  return (registers.segmentBase('cs') + offset) >>> 0;
}

function executionCollector<T>(addresses: readonly number[], answer: (tick: number) => T): Collector<T> {
  return {
    conditions: addresses.map((address) => ({ kind: 'breakpoint', address })),
    begin() {},
    answer: ({ tick }) => answer(tick),
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
