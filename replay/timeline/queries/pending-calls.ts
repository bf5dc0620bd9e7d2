/**
 * Finds out where calls have returned: the instruction behind a call is about to be executed, and the stack is as the call
 * found it or, where the function takes its arguments away, a little shorter.
 */
import type { Call, Entry, Landing } from './results.js';

/** Most that a function takes off the stack when it returns. Another stack is further away than that. */
const POPPED_LIMIT_BYTES = 1024;
const USER = 3;

type Returned = Pick<Call, 'returnTick' | 'returnValue'>;

export class PendingCalls {
  /** Calls under way, by return address; the innermost of a stack last. */
  private readonly underWay = new Map<number, Entry[]>();
  private readonly returns = new Map<Entry, Returned>();
  private next = 0;
  private openCount = 0;

  /** @param entries in the order of time */
  constructor(private readonly entries: readonly Entry[]) {}

  get returnAddresses(): readonly number[] {
    return [...new Set(this.entries.map(({ returnAddress }) => returnAddress))];
  }
  /** A call is under way. */
  get open(): boolean {
    return this.openCount > 0;
  }
  /** When the next call begins. */
  get nextTick(): number {
    return this.entries[this.next]?.tick ?? Number.POSITIVE_INFINITY;
  }
  get calls(): Call[] {
    return this.entries.map((entry) => ({ ...entry, ...(this.returns.get(entry) ?? { returnTick: undefined, returnValue: undefined }) }));
  }

  /** Everything up to a tick. @param landings in the order of time, at any of the return addresses */
  pass(landings: readonly Landing[], endTick: number): void {
    for (const landing of landings) {
      this.begin(landing.tick);
      this.land(landing);
    }
    this.begin(endTick);
  }

  private begin(beforeTick: number): void {
    while (this.nextTick < beforeTick) {
      const entry = this.entries[this.next++] as Entry;
      const calls = this.underWay.get(entry.returnAddress) ?? [];
      // Who calls again from the same place of a stack has come back in another way: by a jump out of the call.
      const left = calls.filter((call) => !(call.esp === entry.esp && sameSpace(call, entry)));
      this.openCount += left.length + 1 - calls.length;
      this.underWay.set(entry.returnAddress, [...left, entry]);
    }
  }

  private land(landing: Landing): void {
    const calls = this.underWay.get(landing.ip) ?? [];
    let best: Entry | undefined;
    for (const call of calls) {
      const popped = landing.esp - call.esp;
      const fits = popped > 0 && popped <= POPPED_LIMIT_BYTES && sameSpace(call, landing);
      if (fits && (best === undefined || call.esp >= best.esp)) best = call;
    }
    if (best === undefined) return;
    calls.splice(calls.indexOf(best), 1);
    this.openCount--;
    this.returns.set(best, { returnTick: landing.tick, returnValue: landing.eax });
  }
}

/** A kernel's stacks are the same in all address spaces. */
const sameSpace = (one: Entry, other: Entry | Landing): boolean =>
  one.privilege === other.privilege && (one.privilege !== USER || one.cr3 === other.cr3);
