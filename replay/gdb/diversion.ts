/**
 * A run that leaves the recording: a machine of its own, from a point of the recording on, with what gdb changes in it. It
 * gets no inputs, and goes forward only. The recording stays as it was.
 */
import type { ExitReason, Machine } from '../../engine/index.js';
import type { TravelOptions } from '../timeline/history.js';
import { Observer } from '../timeline/observer.js';
import { forwardTick, type Hit, type Stop, type StopCondition } from '../timeline/stops.js';
import { PacketError } from './hex.js';
import type { RegisterRow } from './registers.js';
import type { Motion, Target } from './target.js';

/** Ticks between two looks at the signal: some 10 ms. */
const SLICE_TICKS = 2 ** 21;
const PAGE_BYTES = 4096;

export class Diversion implements Target {
  readonly startTick: number;
  private readonly observer: Observer;

  /** @param machine fresh, with the configuration of the recorded one */
  constructor(
    readonly machine: Machine,
    recorded: Machine,
  ) {
    machine.restore(recorded.save());
    this.startTick = machine.tick;
    this.observer = new Observer(machine);
    machine.onInterrupt = ({ tick, vector }) => this.observer.interrupt(tick, vector);
  }

  /** Only a recording knows beforehand. */
  interruptsAt(): boolean {
    return false;
  }

  async move(motion: Motion, conditions: readonly StopCondition[], { signal }: TravelOptions): Promise<Stop> {
    if (motion === 'reverseStep' || motion === 'reverseContinue') return { kind: 'begin' };
    const { machine, observer } = this;
    const untilTick = motion === 'step' ? machine.tick + 1 : Number.MAX_SAFE_INTEGER;
    const hits: Hit[] = [];
    observer.onHit = (hit) => hits.push(hit) > 0;
    observer.observe(conditions);
    machine.passBreakpoint();
    try {
      for (;;) {
        const reason = machine.run({ tick: Math.min(untilTick, machine.tick + SLICE_TICKS) });
        if (hits.length > 0) return { kind: 'hit', hits: hits.filter((hit) => forwardTick(hit) === machine.tick) };
        if (hasEnded(reason)) return { kind: 'end' };
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
    const { registers } = this.machine;
    // gdb knows the linear address.
    registers.set(writes, writes === 'eip' ? (value - registers.segmentBase('cs')) >>> 0 : value);
  }

  /** All of it or nothing. @throws PacketError */
  writeMemory(address: number, bytes: Uint8Array): void {
    const { machine } = this;
    if (machine.peekLinear(address, bytes.length).length < bytes.length) throw new PacketError('no memory is present there');
    for (let done = 0; done < bytes.length; ) {
      const linear = (address + done) % 0x1_0000_0000;
      const part = Math.min(bytes.length - done, PAGE_BYTES - (linear % PAGE_BYTES));
      machine.memory.writeBytes(machine.translate(linear) as number, bytes.subarray(done, done + part));
      done += part;
    }
  }
}

function hasEnded({ kind }: ExitReason): boolean {
  return kind !== 'limit' && kind !== 'stopped';
}
