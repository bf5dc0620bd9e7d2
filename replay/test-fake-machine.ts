/**
 * A tiny deterministic machine with everything that recorder and replayer care about: ticks, time skipped in HLT, a timer
 * whose interrupts are accepted between instructions, serial output, inputs, and every way to end.
 */
import { type AcceptedInterrupt, type ExitReason, InputError, type RunUntil } from '../engine/index.js';
import type { MachineLike } from './machine-like.js';

export const FAKE_NS_PER_TICK = 2;

export interface FakeProgram {
  readonly seed: number;
  /** Halts about every so many ticks. */
  readonly haltEvery?: number;
  /** The timer's period; without one HLT is for good. */
  readonly timerNs?: number;
  /** How it ends, and when. */
  readonly end?: { readonly tick: number; readonly reason: ExitReason };
  /** Sent on the first serial port, a byte every 10 ticks. */
  readonly output?: string;
}

export class FakeMachine implements MachineLike {
  tick = 0;
  nowNs = 0;
  onInterrupt: ((accepted: AcceptedInterrupt) => void) | undefined;
  onSerial: ((port: 0 | 1, byte: number) => void) | undefined;
  /** Every input it was given, for assertions. */
  readonly given: string[] = [];
  private state: bigint;
  private halted = false;
  private pendingVector = -1;
  private timerDueNs: number;
  private stopRequested = false;
  private sent = 0;

  constructor(private readonly program: FakeProgram) {
    this.state = BigInt(program.seed);
    this.timerDueNs = program.timerNs ?? Number.POSITIVE_INFINITY;
  }

  /** Stops at a tick, or with `ns` at a moment of a HLT at that tick. */
  run({ tick = Number.POSITIVE_INFINITY, ns }: RunUntil): ExitReason {
    const { program } = this;
    const skipLimitNs = ns ?? Number.POSITIVE_INFINITY;
    for (;;) {
      while (this.timerDueNs <= this.nowNs) {
        this.timerDueNs += program.timerNs as number;
        this.pendingVector = 0x20;
      }
      if (this.stopRequested) {
        this.stopRequested = false;
        return { kind: 'stopped' };
      }
      if (program.end !== undefined && this.tick >= program.end.tick) return program.end.reason;
      if (this.tick >= tick && (!this.halted || ns === undefined || this.nowNs >= ns)) return { kind: 'limit' };
      if (this.pendingVector >= 0) {
        this.onInterrupt?.({ tick: this.tick, vector: this.pendingVector });
        this.mix(this.pendingVector);
        this.pendingVector = -1;
        this.halted = false;
        this.step();
      } else if (this.halted) {
        if (this.timerDueNs > skipLimitNs) {
          this.nowNs = skipLimitNs;
          return { kind: 'idle' };
        }
        if (this.timerDueNs === Number.POSITIVE_INFINITY) return { kind: 'idle' };
        this.nowNs = this.timerDueNs;
      } else {
        this.execute();
      }
    }
  }

  requestStop(): void {
    this.stopRequested = true;
  }

  input(device: string, payload: Uint8Array): void {
    if (device !== 'serial0' && device !== 'keyboard') throw new InputError(`there is no device ${device}`);
    this.given.push(`${this.tick} ${this.nowNs} ${device} ${String.fromCharCode(...payload)}`);
    for (const byte of payload) this.mix(byte + 1);
    this.mix(this.nowNs);
    this.pendingVector = 0x24;
  }

  digest(): bigint {
    return BigInt.asUintN(64, this.state * 31n + BigInt(this.tick) * 7n + BigInt(this.nowNs) + (this.halted ? 5n : 0n));
  }

  /** A fault in the machine: what the guest computes changes, and nothing else. */
  corrupt(): void {
    this.mix(99);
  }

  private execute(): void {
    const { haltEvery, output = '' } = this.program;
    this.mix(this.tick);
    if (this.tick % 10 === 9 && this.sent < output.length) this.onSerial?.(0, output.charCodeAt(this.sent++));
    if (haltEvery !== undefined && this.state % BigInt(haltEvery) === 0n) this.halted = true;
    this.step();
  }

  private step(): void {
    this.tick++;
    this.nowNs += FAKE_NS_PER_TICK;
  }

  private mix(value: number): void {
    this.state = BigInt.asUintN(64, (this.state ^ BigInt(value)) * 0x5851f42d4c957f2dn + 0x14057b7ef767814fn);
    this.state ^= this.state >> 29n;
  }
}
