/**
 * Guests for tests of what looks at a machine from outside: random programs of every kind, and the one that keeps all
 * devices busy. Each can be had in either tier, as often as wanted.
 */
import type { Tier } from './config.js';
import { createMachine, type Machine } from './machine.js';
import { busyMachineConfig } from './test-busy-guest.js';
import { GUEST_BYTES, GUEST_KINDS, GUEST_PROLOGUE, randomGuest, TestRandom } from './test-random-guest.js';

export interface ObservedGuest {
  readonly name: string;
  readonly ticks: number;
  machine(tier: Tier): Machine;
}

function randomOne(seed: number, kind: (typeof GUEST_KINDS)[number]): ObservedGuest {
  const image = randomGuest(seed, kind).image();
  const mode = kind === 'real' ? 'real' : 'protected';
  return {
    name: `${kind} ${seed}`,
    ticks: 2000,
    machine: (tier) =>
      createMachine({
        boot: { kind: 'raw', image, address: 0, entry: GUEST_PROLOGUE, mode },
        memoryBytes: GUEST_BYTES,
        nsPerTick: 100,
        tier,
      }),
  };
}

export function observedGuests(seeds: readonly number[]): readonly ObservedGuest[] {
  return seeds.flatMap((seed) => [
    ...GUEST_KINDS.map((kind) => randomOne(seed, kind)),
    { name: `busy ${seed}`, ticks: 6000, machine: (tier: Tier) => createMachine({ ...busyMachineConfig(seed), tier }) },
  ]);
}

/** Runs to a tick or to the guest's end, whole or in random slices. @returns whatever can be seen of the outcome */
export function runTo(machine: Machine, tick: number, slices?: TestRandom): string {
  for (;;) {
    const target = slices === undefined ? tick : Math.min(tick, machine.tick + 1 + slices.below(slices.chance(50) ? 4 : 300));
    const reason = machine.run({ tick: target });
    if (reason.kind === 'stopped') continue;
    if (reason.kind !== 'limit' || machine.tick >= tick)
      return `${JSON.stringify(reason)} ${machine.tick} ${machine.nowNs} ${machine.digest()}`;
  }
}

export interface Mode {
  readonly title: string;
  readonly tier: Tier;
  readonly sliced: boolean;
}

export const MODES: readonly Mode[] = [
  { title: 'auto', tier: 'auto', sliced: false },
  { title: 'auto, sliced', tier: 'auto', sliced: true },
  { title: 'step', tier: 'step', sliced: false },
  { title: 'step, sliced', tier: 'step', sliced: true },
];

export const slicesOf = ({ sliced }: Mode): TestRandom | undefined => (sliced ? new TestRandom(99) : undefined);

const STRING_OPCODES = new Set([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f]);
const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0]);

/** Whether an instruction is a string instruction with REP, which goes on at its own address. */
export function isRepeat(bytes: Uint8Array): boolean {
  let repeat = false;
  for (const byte of bytes) {
    if (byte === 0xf2 || byte === 0xf3) repeat = true;
    else if (!PREFIXES.has(byte)) return repeat && STRING_OPCODES.has(byte);
  }
  return false;
}

/** Linear address of the instruction that comes next. */
export const linearOf = ({ registers }: Machine): number => (registers.segmentBase('cs') + registers.get('eip')) >>> 0;
