/**
 * Law 7: restore(save(s)) is s, for running machines with every device busy: the restored machine has the same digest,
 * gives the same snapshot, and goes on to the same states, in another instance, on another tier, in another process.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type DeviceState, StateError, type StateValue } from './devices/device.js';
import { createMachine, type Machine, type MachineState } from './machine.js';
import { busyMachineConfig } from './test-busy-guest.js';

const INPUTS: readonly (readonly [string, Uint8Array])[] = [
  ['serial0', Uint8Array.of(65, 66, 67, 68, 69)],
  ['serial1', Uint8Array.of(0)],
  ['keyboard', Uint8Array.of(0x1e, 0x9e)],
  ['mouse', Uint8Array.of(5, 0, 250, 255, 0, 1)],
  ['power', Uint8Array.of(1)],
];

/** Runs on with an input now and then. @returns what can be seen of it */
function goOn(machine: Machine, ticks: number): string {
  const seen: string[] = [];
  machine.onInterrupt = ({ tick, vector }) => seen.push(`${tick}:${vector}`);
  machine.onSerial = (port, byte) => seen.push(`${port}>${byte}`);
  const end = machine.tick + ticks;
  for (let part = 1; part <= 4; part++) {
    const reason = machine.run({ tick: end - ticks + Math.floor((ticks * part) / 4) });
    const [device, payload] = INPUTS[(machine.tick + part) % INPUTS.length] as (typeof INPUTS)[number];
    if (device !== 'power' || part === 2) machine.input(device, payload);
    seen.push(`${reason.kind} ${machine.tick} ${machine.nowNs} ${machine.digest()}`);
  }
  return seen.join(' ');
}

const moment = fc.record({
  seed: fc.integer({ min: 1, max: 1000 }),
  tick: fc.integer({ min: 100, max: 20_000 }),
  further: fc.integer({ min: 1, max: 10_000 }),
});

function machineAt(seed: number, tick: number): Machine {
  const machine = createMachine(busyMachineConfig(seed));
  goOn(machine, tick);
  return machine;
}

describe('restore(save(s)) is s', () => {
  test('in another instance of either tier, and in the same one', () => {
    fc.assert(
      fc.property(moment, fc.constantFrom('auto' as const, 'step' as const), ({ seed, tick, further }, tier) => {
        const original = machineAt(seed, tick);
        const saved = original.save();
        const other = createMachine({ ...busyMachineConfig(seed), tier });
        // Whatever was there before does not matter.
        other.run({ tick: tick % 5000 });
        other.restore(deserialize(serialize(saved)) as MachineState);
        expect(other.digest()).toBe(original.digest());
        expect(other.save()).toEqual(saved);
        const expected = goOn(original, further);
        expect(goOn(other, further)).toBe(expected);
        original.restore(saved);
        expect(goOn(original, further)).toBe(expected);
      }),
      { seed: 7, numRuns: 8 },
    );
  });

  test('in another process', { timeout: 60_000 }, () => {
    const seed = 3;
    const original = machineAt(seed, 30_000);
    const saved = original.save();
    original.run({ tick: 60_000 });
    const script = `
      import { deserialize } from 'node:v8';
      import { createMachine } from ${JSON.stringify(new URL('./machine.ts', import.meta.url).href)};
      import { busyMachineConfig } from ${JSON.stringify(new URL('./test-busy-guest.ts', import.meta.url).href)};
      const chunks = [];
      for await (const chunk of process.stdin) chunks.push(chunk);
      const machine = createMachine(busyMachineConfig(${seed}));
      machine.restore(deserialize(Buffer.concat(chunks)));
      machine.run({ tick: 60_000 });
      process.stdout.write(String(machine.digest()));
    `;
    const directory = fileURLToPath(new URL('..', import.meta.url));
    const answer = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      input: serialize(saved),
      cwd: directory,
    });
    expect(answer.toString()).toBe(String(original.digest()));
  });
});

test('the guest does keep every device busy', () => {
  const machine = createMachine(busyMachineConfig(1));
  const vectors = new Set<number>();
  machine.onInterrupt = ({ vector }) => vectors.add(vector);
  for (let part = 0; part < 20; part++) {
    machine.run({ tick: (part + 1) * 20_000 });
    for (const [device, payload] of INPUTS) machine.input(device, payload);
  }
  // Timer, keyboard, serial ports, clock, ACPI, mouse, both drives.
  expect([...vectors].map((vector) => vector - 0x20).sort((a, b) => a - b)).toEqual([0, 1, 3, 4, 8, 9, 12, 14, 15]);
});

describe('a damaged snapshot is refused with StateError', () => {
  let saved: MachineState;
  let machine: Machine;
  beforeAll(() => {
    machine = machineAt(2, 20_000);
    saved = machine.save();
  });

  /** Every place in a state: the path to it. */
  function places(value: StateValue | undefined, path: readonly string[], found: string[][]): string[][] {
    if (path.length > 0) found.push([...path]);
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
      for (const key of Object.keys(value)) places(value[key], [...path, key], found);
    }
    return found;
  }

  function edited(state: DeviceState, [key, ...rest]: readonly string[], edit: (parent: DeviceState, key: string) => void): DeviceState {
    const copy = { ...state };
    if (rest.length === 0) edit(copy, key as string);
    else copy[key as string] = edited(copy[key as string] as DeviceState, rest, edit);
    return copy;
  }

  test('wherever a part is missing', () => {
    for (const path of places(saved, [], [])) {
      const damaged = edited(saved, path, (parent, key) => delete parent[key]);
      expect(() => machine.restore(damaged), path.join('.')).toThrow(StateError);
    }
  });

  test('wherever a part has another type', () => {
    for (const path of places(saved, [], [])) {
      const damaged = edited(saved, path, (parent, key) => {
        parent[key] = typeof parent[key] === 'string' ? 5 : 'rubbish';
      });
      expect(() => machine.restore(damaged), path.join('.')).toThrow(StateError);
    }
  });

  test('wherever bytes are too few', () => {
    for (const path of places(saved, [], [])) {
      let cut = false;
      const damaged = edited(saved, path, (parent, key) => {
        const value = parent[key];
        if (!(value instanceof Uint8Array) || value.length === 0 || /queue|typed|buffer|fifo|replies|received|last/i.test(key)) return;
        parent[key] = value.slice(1);
        cut = true;
      });
      if (cut) expect(() => machine.restore(damaged), path.join('.')).toThrow(StateError);
    }
  });

  test('with times, flags, registers and memory that no machine has', () => {
    const cpu = saved.cpu as DeviceState;
    const msr = cpu.msr as unknown as [[number, bigint], ...[number, bigint][]];
    const [first, ...rest] = msr;
    const damaged: MachineState[] = [
      ...[Number.NaN, -1, 0.5, 2 ** 53].map((skippedNs) => ({ ...saved, skippedNs })),
      ...[-1, 2 ** 32, 0.5].map((eflags) => ({ ...saved, cpu: { ...cpu, eflags } })),
      ...[-1, 0.5, 2 ** 53].map((tick) => ({ ...saved, cpu: { ...cpu, tick } })),
      ...[rest, [[first[0], -1n], ...rest], [[first[0], 1n << 64n], ...rest], [[0x7777, 0n], ...rest]].map((changed) => ({
        ...saved,
        cpu: { ...cpu, msr: changed as StateValue },
      })),
      ...[-1, 0.5, (saved.memoryBytes as number) / 4096, '0'].map((frame) => ({
        ...saved,
        frames: [frame],
        contents: new Uint8Array(4096),
      })),
    ];
    for (const state of damaged) expect(() => machine.restore(state)).toThrow(StateError);
  });

  test('after which a good one is still taken', () => {
    const fresh = createMachine(busyMachineConfig(2));
    expect(() => fresh.restore({ ...saved, devices: {} })).toThrow(StateError);
    fresh.restore(saved);
    machine.restore(saved);
    expect(fresh.digest()).toBe(machine.digest());
  });
});
