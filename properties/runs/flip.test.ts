/**
 * One input of a log is changed (its time, its bytes, its device, or it is left out): until then nothing differs, neither
 * digests nor interrupts nor output; at that moment only the devices that it concerns.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Machine } from '../../engine/index.js';
import { assertProperty } from '../testing/property-seed.js';
import { entry, type GuestChoice, guestChoice, type InputChoice, machineFor, showRun, startTickOf } from './test-runs.js';

/** An input at a tick, counted from when the guest has set up its devices. */
interface Timed extends Pick<InputChoice, 'device' | 'payload'> {
  readonly tick: number;
}

/** How long the guest runs from there on. */
const END_TICK = 3000;
/** Digests are taken so often. */
const LOOK_TICKS = 400;

/** What could be seen, each with its tick. */
interface Sight {
  readonly tick: number;
  readonly what: string;
}

interface Outcome {
  readonly sights: readonly Sight[];
  /** The state right after the given input, device by device, and the rest. */
  readonly state: ReadonlyMap<string, string> | undefined;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A state as text; what is large by its hash. */
function text(value: unknown): string {
  return JSON.stringify(value, (_key, part) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (!(part instanceof Uint8Array)) return part;
    return part.length > 4096 ? createHash('sha256').update(part).digest('hex') : hex(part);
  });
}

function stateOf(machine: Machine): Map<string, string> {
  const { devices, ...rest } = machine.save();
  const parts = Object.entries(devices as Record<string, unknown>).map(([name, state]) => [name, text(state)] as const);
  return new Map([...parts, ['the rest', text(rest)]]);
}

/** Plays a log; `lookAt` is the tick whose state, after the inputs that belong to it, is kept. */
function watch(guest: GuestChoice, name: string, log: readonly Timed[], lookAt: number): Outcome {
  const machine = machineFor(guest, name, 'auto');
  const sights: Sight[] = [];
  const startTick = startTickOf(guest);
  if (startTick > 0) machine.run({ tick: startTick });
  machine.onInterrupt = ({ tick, vector }) => sights.push({ tick: tick - startTick, what: `interrupt ${vector}` });
  machine.onSerial = (port, byte) => sights.push({ tick: machine.tick - startTick, what: `serial ${port} ${byte}` });
  let state: ReadonlyMap<string, string> | undefined;
  let next = 0;
  for (;;) {
    // A digest at a tick is taken before the inputs of that tick.
    const at = machine.tick - startTick;
    sights.push({ tick: at - 1, what: `digest ${machine.digest()} at ${machine.nowNs}` });
    for (; (log[next]?.tick ?? Number.POSITIVE_INFINITY) <= at; next++) {
      const { device, payload } = log[next] as Timed;
      machine.input(device, payload);
    }
    if (at === lookAt) state = stateOf(machine);
    if (at >= END_TICK) return { sights, state };
    const stops = [END_TICK, at + LOOK_TICKS - (at % LOOK_TICKS), log[next]?.tick ?? END_TICK, lookAt > at ? lookAt : END_TICK];
    const reason = machine.run({ tick: startTick + Math.min(...stops) });
    if (reason.kind !== 'limit') return { sights, state };
  }
}

const log = fc
  .array(
    fc.tuple(fc.integer({ min: 0, max: END_TICK - 1 }), entry).map(([tick, what]): Timed => ({ tick, ...what })),
    { minLength: 1, maxLength: 8, size: 'max' },
  )
  .map((list) => [...list].sort((a, b) => a.tick - b.tick));

/** What becomes of the chosen input. */
type Flip =
  | { readonly how: 'moved'; readonly tick: number }
  | ({ readonly how: 'replaced' } & Pick<Timed, 'device' | 'payload'>)
  | { readonly how: 'left out' }
  | { readonly how: 'a bit'; readonly byte: number; readonly bit: number };

const flip: fc.Arbitrary<Flip> = fc.oneof(
  fc.integer({ min: 0, max: END_TICK - 1 }).map((tick): Flip => ({ how: 'moved', tick })),
  entry.map((what): Flip => ({ how: 'replaced', ...what })),
  fc.constant<Flip>({ how: 'left out' }),
  fc.tuple(fc.nat(19), fc.nat(7)).map(([byte, bit]): Flip => ({ how: 'a bit', byte, bit })),
);

function flipped(original: readonly Timed[], index: number, change: Flip): Timed[] {
  const chosen = original[index] as Timed;
  const others = original.filter((_, i) => i !== index);
  if (change.how === 'left out') return others;
  if (change.how === 'moved') return [...others, { ...chosen, tick: change.tick }].sort((a, b) => a.tick - b.tick);
  let { device, payload } = chosen;
  if (change.how === 'replaced') ({ device, payload } = change);
  else if (device.startsWith('serial')) {
    payload = payload.slice();
    const at = change.byte % payload.length;
    payload[at] = (payload[at] as number) ^ (1 << change.bit);
  }
  return original.map((input, i) => (i === index ? { ...input, device, payload } : input));
}

/** Whose state an input may change at once, besides its own device's. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  keyboard: ['i8042'],
  mouse: ['i8042'],
  power: ['acpi', 'pic', 'the rest'],
};

const showLog = (list: readonly Timed[]): string =>
  list.map(({ tick, device, payload }) => `  ${tick} ${device} ${hex(payload)}`).join('\n');

/** The characters that come in at a tick. */
const charactersAt = (list: readonly Timed[], tick: number, port: string): string =>
  list.map((input) => (input.tick === tick && input.device === port ? hex(input.payload) : '')).join('');

it('changes nothing before it, and its own device at once', () => {
  let different = 0;
  assertProperty(
    fc.property(guestChoice, log, fc.nat(7), flip, (guest, original, chosen, change) => {
      const index = chosen % original.length;
      const other = flipped(original, index, change);
      const before = original[index] as Timed;
      const firstTick = Math.min(before.tick, change.how === 'moved' ? change.tick : before.tick);
      const explain = (): string => `${showRun(guest, [])}\n${showLog(original)}\n  changed\n${showLog(other)}`;
      // Both look at the state at that tick, so that they stop at the same ticks until then.
      const first = watch(guest, 'one', original, firstTick);
      const second = watch(guest, 'other', other, firstTick);
      const until = ({ sights }: Outcome): Sight[] => sights.filter(({ tick }) => tick < firstTick);
      expect(until(second), explain()).toEqual(until(first));

      if (first.state === undefined || second.state === undefined) return;
      const concerned = [before, ...(change.how === 'replaced' ? [change] : [])].map(({ device }) => device);
      const differing = [...first.state].filter(([name, state]) => second.state?.get(name) !== state).map(([name]) => name);
      const allowed = concerned.flatMap((device) => [device, ...(ALSO[device] ?? [])]);
      expect(allowed, explain()).toEqual(expect.arrayContaining(differing));
      // Characters on a line are always something new.
      for (const port of ['serial0', 'serial1']) {
        if (charactersAt(original, firstTick, port) === charactersAt(other, firstTick, port)) continue;
        expect(differing, explain()).toContain(port);
        different++;
      }
    }),
    { numRuns: 35 },
  );
  expect(different).toBeGreaterThan(5);
});
