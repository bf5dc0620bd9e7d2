/**
 * Random guests with random input logs, for properties of whole runs: guests of random instructions, and guests that keep
 * every device busy. Machines are built once and put back to power-on with another guest in memory.
 */
import fc from 'fast-check';
import { createMachine, type Machine, type MachineConfig, type MachineState, type Tier } from '../../engine/index.js';
import { busyMachineConfig } from '../../engine/test-busy-guest.js';
import { GUEST_BYTES, GUEST_KINDS, GUEST_PROLOGUE, type GuestKind, randomGuest } from '../../engine/test-random-guest.js';

export interface GuestChoice {
  readonly kind: GuestKind | 'busy';
  readonly seed: number;
}

/** One thing that enters, so many ticks after the one before; in HLT no later than after so much time. */
export interface InputChoice {
  readonly afterTicks: number;
  readonly withinNs: number | undefined;
  readonly device: string;
  readonly payload: Uint8Array;
}

export const guestChoice: fc.Arbitrary<GuestChoice> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constant('busy' as const) },
    { weight: 2, arbitrary: fc.constantFrom<GuestKind>(...GUEST_KINDS) },
  ),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});

const bytes = (lengths: fc.IntArrayConstraints | { minLength: number; maxLength: number }) =>
  fc.uint8Array({ minLength: lengths.minLength ?? 1, maxLength: lengths.maxLength ?? 8 });
const key = fc.constantFrom([0x1e], [0x9e], [0x1c, 0x9c], [0xe0, 0x48], [0xe0, 0xc8], [0xe1, 0x1d, 0x45]);
const mouse = fc
  .tuple(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -300, max: 300 }), fc.integer({ min: 0, max: 7 }))
  .map(([dx, dy, buttons]) => Uint8Array.of(dx & 0xff, (dx >> 8) & 0xff, dy & 0xff, (dy >> 8) & 0xff, 0, buttons));

/** What enters, and where. */
export const entry: fc.Arbitrary<Pick<InputChoice, 'device' | 'payload'>> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ device: fc.constantFrom('serial0', 'serial1'), payload: bytes({ minLength: 1, maxLength: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ device: fc.constant('keyboard'), payload: key.map((codes) => Uint8Array.from(codes)) }) },
  { weight: 2, arbitrary: fc.record({ device: fc.constant('mouse'), payload: mouse }) },
  { weight: 1, arbitrary: fc.constant({ device: 'power', payload: Uint8Array.of(1) }) },
);

const timing = fc.record({
  afterTicks: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2500 })),
  withinNs: fc.option(fc.integer({ min: 0, max: 400_000 }), { nil: undefined }),
});

export const inputLog: fc.Arbitrary<readonly InputChoice[]> = fc.array(
  fc.tuple(timing, entry).map(([when, what]) => ({ ...when, ...what })),
  { maxLength: 12, size: 'max' },
);

/** Prints as one line each. */
export function showRun(guest: GuestChoice, inputs: readonly InputChoice[]): string {
  const lines = inputs.map(({ afterTicks, withinNs, device, payload }) => {
    const within = withinNs === undefined ? '' : `, in HLT within ${withinNs} ns`;
    return `  after ${afterTicks} ticks${within}: ${device} ${Buffer.from(payload).toString('hex')}`;
  });
  return [`guest ${guest.kind}, seed ${guest.seed}`, ...lines].join('\n');
}

function configOf(kind: GuestChoice['kind'], tier: Tier): MachineConfig {
  if (kind === 'busy') return { ...busyMachineConfig(1), tier };
  const mode = kind === 'real' ? 'real' : 'protected';
  const boot = { kind: 'raw', image: Uint8Array.of(0xf4), address: GUEST_PROLOGUE, entry: GUEST_PROLOGUE, mode } as const;
  return { boot, memoryBytes: GUEST_BYTES, nsPerTick: 100, tier };
}

function memoryOf({ kind, seed }: GuestChoice): Uint8Array {
  if (kind !== 'busy') return randomGuest(seed, kind).image();
  const { boot } = busyMachineConfig(seed);
  if (boot.kind !== 'raw') throw new Error('the busy guest is raw bytes');
  const memory = new Uint8Array(GUEST_BYTES);
  memory.set(boot.image, boot.address);
  return memory;
}

const pool = new Map<string, { readonly machine: Machine; readonly powerOn: MachineState }>();

/** A machine at power-on with a guest in its memory. Machines with the same name and tier are the same machine. */
export function machineFor(guest: GuestChoice, name: string, tier: Tier): Machine {
  const family = guest.kind === 'busy' || guest.kind === 'real' ? guest.kind : 'protected';
  const key = `${family} ${name} ${tier}`;
  let member = pool.get(key);
  if (member === undefined) {
    const machine = createMachine(configOf(guest.kind, tier));
    member = { machine, powerOn: machine.save() };
    pool.set(key, member);
  }
  const { machine, powerOn } = member;
  const contents = memoryOf(guest);
  machine.onInterrupt = undefined;
  machine.onSerial = undefined;
  machine.restore({ ...powerOn, frames: Array.from({ length: GUEST_BYTES / 4096 }, (_, frame) => frame), contents });
  return machine;
}

/** When a guest has set up its devices: from there on things happen. */
export function startTickOf(guest: GuestChoice): number {
  return guest.kind === 'busy' ? 6500 : 0;
}

/** Where runs and input go: a machine, or what records one. */
export type Through = Pick<Machine, 'run' | 'input'>;

/**
 * Plays a log from `startTick` on, then runs to `endTick`. Slices are what `slice` says.
 * @returns why the guest ended, 'limit' when it did not, 'idle' when it waits for ever.
 */
export function play(
  machine: Machine,
  through: Through,
  inputs: readonly InputChoice[],
  [startTick, endTick]: readonly [startTick: number, endTick: number],
  slice: () => number,
  before?: (input: InputChoice) => void,
): ReturnType<Machine['run']> {
  if (machine.tick < startTick) {
    const reason = runTo(machine, through, Math.min(startTick, endTick), undefined, slice);
    if (reason.kind !== 'limit') return reason;
  }
  for (const input of inputs) {
    const target = Math.min(endTick, machine.tick + input.afterTicks);
    const untilNs = input.withinNs === undefined ? undefined : machine.nowNs + input.withinNs;
    const reason = runTo(machine, through, target, untilNs, slice);
    if (reason.kind !== 'limit' && reason.kind !== 'idle') return reason;
    before?.(input);
    through.input(input.device, input.payload);
  }
  return runTo(machine, through, endTick, undefined, slice);
}

function runTo(
  machine: Machine,
  through: Through,
  tick: number,
  untilNs: number | undefined,
  slice: () => number,
): ReturnType<Machine['run']> {
  for (;;) {
    const until = Math.min(tick, machine.tick + slice());
    const reason = through.run({ tick: until, ...(untilNs === undefined ? {} : { ns: untilNs }) });
    if (reason.kind !== 'limit' || machine.tick >= tick) return reason;
  }
}
