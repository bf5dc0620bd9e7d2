/**
 * A run that leaves the recording: a machine of its own, from a point of the recording on, with what gdb changes in it. It
 * gets no inputs, and goes forward only. The recording stays as it was.
 */
import { type Changes, type ExitReason, InputError, type Machine } from '../../engine/index.js';
import type { RunEnd } from '../exit-status.js';
import type { Fork } from '../timeline/fork.js';
import type { TravelOptions } from '../timeline/history.js';
import { Observer } from '../timeline/observer.js';
import { PAGE_BYTES } from '../timeline/page-store.js';
import { forwardTick, type Hit, type Stop, type StopCondition } from '../timeline/stops.js';
import { PacketError } from './hex.js';
import type { RegisterRow } from './registers.js';
import type { Motion, Target } from './target.js';

/** Ticks between two looks at the signal: some 10 ms. */
const SLICE_TICKS = 2 ** 21;

export class Diversion implements Target {
  private readonly observer: Observer;
  /** How the guest has ended. */
  private end: RunEnd | undefined;

  constructor(private readonly fork: Fork) {
    this.observer = new Observer(fork.machine);
  }

  get machine(): Machine {
    return this.fork.machine;
  }
  get startTick(): number {
    return this.fork.startTick;
  }

  /** Nobody comes back to it: what is recorded is complete. */
  close(): void {
    this.fork.finish(this.end ?? { kind: 'interrupted' });
  }

  /** Only a recording knows beforehand. */
  interruptsAt(): boolean {
    return false;
  }

  async move(motion: Motion, conditions: readonly StopCondition[], { signal }: TravelOptions): Promise<Stop> {
    if (motion === 'reverseStep' || motion === 'reverseContinue') return { kind: 'begin' };
    const { machine, observer, fork } = this;
    const untilTick = motion === 'step' ? machine.tick + 1 : Number.MAX_SAFE_INTEGER;
    const hits: Hit[] = [];
    observer.onHit = (hit) => hits.push(hit) > 0;
    observer.observe(conditions);
    machine.passBreakpoint();
    try {
      for (;;) {
        const reason = fork.run({ tick: Math.min(untilTick, machine.tick + SLICE_TICKS) });
        if (hits.length > 0) return { kind: 'hit', hits: hits.filter((hit) => forwardTick(hit) === machine.tick) };
        if (isEnd(reason)) {
          this.end = reason;
          return { kind: 'end' };
        }
        if (machine.tick >= untilTick) return { kind: 'stepped' };
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (signal?.aborted === true) return { kind: 'interrupted' };
      }
    } finally {
      observer.observe([]);
    }
  }

  /** @throws PacketError for registers that only instructions change */
  writeRegister({ name, writes }: RegisterRow, value: number): void {
    if (writes === undefined) throw new PacketError(`${name} cannot be changed from outside`);
    // gdb knows the linear address.
    const offset = writes === 'eip' ? (value - this.machine.registers.segmentBase('cs')) >>> 0 : value;
    this.change({ registers: { [writes]: offset } });
  }

  /** All of it or nothing. @throws PacketError */
  writeMemory(address: number, bytes: Uint8Array): void {
    const memory: { address: number; bytes: Uint8Array }[] = [];
    for (let done = 0; done < bytes.length; ) {
      const linear = (address + done) % 0x1_0000_0000;
      const part = Math.min(bytes.length - done, PAGE_BYTES - (linear % PAGE_BYTES));
      const physical = this.machine.translate(linear);
      if (physical === undefined) throw new PacketError('no memory is present there');
      memory.push({ address: physical, bytes: bytes.subarray(done, done + part) });
      done += part;
    }
    this.change({ memory });
  }

  private change(changes: Changes): void {
    try {
      this.fork.change(changes);
    } catch (error) {
      if (error instanceof InputError) throw new PacketError(error.message);
      throw error;
    }
  }
}

function isEnd(reason: ExitReason): reason is Exclude<ExitReason, { kind: 'stopped' }> {
  return reason.kind !== 'limit' && reason.kind !== 'stopped';
}
