/**
 * Law 5: tiers are invisible. Random guests end up in the same state at the same tick in the step tier, in the auto
 * tier, and in the auto tier cut into random slices.
 *
 * TIER_GUESTS=5000 runs that many of each kind; TIER_SEED=123 begins there. A difference is shrunk and printed with the
 * seed: TIER_SEED=<seed> TIER_GUESTS=1 repeats it.
 */
import { expect, test } from 'vitest';
import { disassemble } from '../properties/assembler/index.js';
import type { Tier } from './config.js';
import type { DeviceState, StateValue } from './devices/device.js';
import { createMachine, type Machine, type MachineState } from './machine.js';
import {
  GUEST_BYTES,
  GUEST_KINDS,
  GUEST_PROLOGUE,
  type GuestKind,
  type Piece,
  type RandomGuest,
  randomGuest,
  TestRandom,
} from './test-random-guest.js';

const GUESTS = Number(process.env.TIER_GUESTS ?? 8);
const FIRST_SEED = Number(process.env.TIER_SEED ?? 1);
const TICKS = 3000;

function machineFor(kind: GuestKind, tier: Tier): Machine {
  const mode = kind === 'real' ? 'real' : 'protected';
  return createMachine({
    boot: { kind: 'raw', image: Uint8Array.of(0xf4), address: GUEST_PROLOGUE, entry: GUEST_PROLOGUE, mode },
    memoryBytes: GUEST_BYTES,
    nsPerTick: 100,
    tier,
  });
}

/** Power-on state with other memory contents. */
function withMemory(state: MachineState, image: Uint8Array): MachineState {
  const frames = Array.from({ length: image.length / 4096 }, (_, frame) => frame);
  return { ...state, frames, contents: image };
}

/** Runs to a tick; `slice` gives the length of each stretch. */
function runTo(machine: Machine, tick: number, slice: () => number): string {
  for (;;) {
    const reason = machine.run({ tick: Math.min(tick, machine.tick + slice()) });
    if (reason.kind !== 'limit' || machine.tick >= tick)
      return `${JSON.stringify(reason)} ${machine.tick} ${machine.nowNs} ${machine.digest()}`;
  }
}

/** Where two states differ, one line each. */
function compare(a: StateValue | undefined, b: StateValue | undefined, path: string, lines: string[]): void {
  if (lines.length > 40 || a === b) return;
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    for (let i = 0; i < Math.max(a.length, b.length) && lines.length <= 40; i++)
      if (a[i] !== b[i]) lines.push(`${path}[${i.toString(16)}] ${a[i]} ${b[i]}`);
  } else if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null) {
    for (const key of Object.keys(a)) compare((a as DeviceState)[key], (b as DeviceState)[key], `${path}.${key}`, lines);
  } else lines.push(`${path} ${String(a)} ${String(b)}`);
}

class Bench {
  private readonly auto: Machine;
  private readonly sliced: Machine;
  private readonly step: Machine;
  private readonly powerOn: MachineState;
  constructor(kind: GuestKind) {
    this.auto = machineFor(kind, 'auto');
    this.sliced = machineFor(kind, 'auto');
    this.step = machineFor(kind, 'step');
    this.powerOn = this.step.save();
  }

  /** The first of some random ticks at which the machines differ. */
  differs(guest: RandomGuest, pieces: readonly Piece[]): number | undefined {
    const state = withMemory(this.powerOn, guest.image(pieces));
    const machines = [this.step, this.auto, this.sliced];
    for (const machine of machines) machine.restore(state);
    const random = new TestRandom(guest.seed);
    const whole = (): number => Number.POSITIVE_INFINITY;
    const short = (): number => 1 + random.below(random.chance(50) ? 4 : 200);
    for (let tick = 0; tick < TICKS; ) {
      tick = Math.min(TICKS, tick + 1 + random.below(1000));
      const expected = runTo(this.step, tick, whole);
      if (runTo(this.auto, tick, whole) !== expected || runTo(this.sliced, tick, short) !== expected) return tick;
      if (!expected.startsWith('{"kind":"limit"}')) return undefined;
    }
    return undefined;
  }

  shrink(guest: RandomGuest): string {
    const nop: Piece = { bytes: [0x90] };
    let kept = guest.pieces;
    for (let size = 32; size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < kept.length; at += size) {
        const tried = kept.map((piece, i) => (i >= at && i < at + size ? nop : piece));
        if (kept.slice(at, at + size).some((piece) => piece !== nop) && this.differs(guest, tried) !== undefined) kept = tried;
      }
    }
    const image = guest.image(kept);
    const bytes = kept.reduce((sum, piece) => sum + piece.bytes.length, 0);
    const text = disassemble(image.subarray(guest.start, guest.start + bytes), { bits: guest.bits, address: guest.start })
      .filter((line) => line.text !== 'nop')
      .map((line) => `${line.address.toString(16)}  ${line.text}`);
    return [`TIER_SEED=${guest.seed} TIER_GUESTS=1, kind ${guest.kind}`, ...text, ...this.explain(withMemory(this.powerOn, image))].join(
      '\n',
    );
  }

  /** The first tick at which auto (whole, or else one tick at a time) differs from step, and in what. */
  private explain(state: MachineState): string[] {
    for (const slice of [Number.POSITIVE_INFINITY, 1]) {
      const at = (tick: number): boolean => {
        this.step.restore(state);
        this.auto.restore(state);
        return runTo(this.step, tick, () => Number.POSITIVE_INFINITY) !== runTo(this.auto, tick, () => slice);
      };
      let same = 0;
      let different = TICKS;
      if (!at(different)) continue;
      while (different - same > 1) {
        const middle = Math.floor((same + different) / 2);
        if (at(middle)) different = middle;
        else same = middle;
      }
      at(same);
      const before = `EIP ${this.step.registers.get('eip').toString(16)} at tick ${same}; after one more (step, auto${slice === 1 ? ' by single ticks' : ''}):`;
      at(different);
      const lines = [before];
      compare(this.step.save(), this.auto.save(), '', lines);
      return lines;
    }
    return ['only with random slices'];
  }
}

for (const kind of GUEST_KINDS) {
  test(`${kind}: step, auto and sliced auto agree`, { timeout: 3_600_000 }, () => {
    const bench = new Bench(kind);
    for (let seed = FIRST_SEED; seed < FIRST_SEED + GUESTS; seed++) {
      const guest = randomGuest(seed, kind);
      if (bench.differs(guest, guest.pieces) !== undefined) expect.fail(bench.shrink(guest));
    }
  });
}
