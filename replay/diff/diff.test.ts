/** Machines that are made to go wrong at a known tick: the search must come to that tick, and name what was changed. */

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createMachine, type Machine, type MachineState } from '../../engine/index.js';
import { disassemble } from '../../properties/assembler/index.js';
import { openTraceFile, type Trace } from '../../traces/index.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { diffTrace } from './diff.js';
import { explain } from './explain.js';
import { Pair } from './pair.js';
import { findFirstDifference } from './search.js';
import type { DiffMachine } from './side.js';
import { Side } from './side.js';
import { type Fault, faultyInOneGo, faultyMachine, faultyOnceRewound } from './test-faulty-machine.js';

const openTrace = (name: string): ReturnType<typeof openTraceFile> =>
  openTraceFile(fileURLToPath(new URL(`../../traces/corpus/${name}.trace`, import.meta.url)));

/** A machine that can be put back to tick 0 in no time. */
class Beginning {
  private readonly tracker;
  private readonly state;
  private readonly frames;
  constructor(readonly machine: Machine) {
    this.tracker = machine.trackFrames();
    // A machine never forgets a tracker: one for all sides that it will be.
    const shared = machine.trackFrames();
    machine.trackFrames = () => shared;
    this.state = machine.saveWithoutMemory();
    this.frames = new Map(this.tracker.take().map((frame) => [frame, machine.frameBytes(frame).slice()]));
  }

  again(): Machine {
    const { machine, frames, state } = this;
    machine.onInterrupt = undefined;
    machine.rewind(
      state,
      this.tracker.take().map((frame) => [frame, frames.get(frame) ?? new Uint8Array(4096)] as const),
    );
    return machine;
  }
}

const traces = ['timer', 'input', 'faults', 'rings'].map((name) => {
  const trace = openTrace(name);
  const config = configOfTrace(trace.header, new TraceImages(trace), 'auto');
  const machines = [createMachine(config), createMachine(config)] as const;
  return { name, trace, places: machines.map((machine) => new Beginning(machine)) };
});
afterAll(() => {
  for (const { trace } of traces) trace.close();
});

/** Changes a copy of a state. */
const change = (
  edit: (state: { cpu: { cells: Record<string, Uint8Array>; eflags: number }; devices: Record<string, unknown> }) => void,
): Fault => {
  return (_machine: Machine, state: MachineState) => {
    const copy = structuredClone(state);
    edit(copy as never);
    return [copy, []];
  };
};

/** What goes wrong, and the field that must be named. */
const FAULTS: readonly (readonly [field: RegExp, fault: Fault])[] = [
  [/^ebp$/, change(({ cpu }) => flip(cpu.cells.registers, 5 * 8 + 1))],
  [/^esi$/, change(({ cpu }) => flip(cpu.cells.registers, 6 * 8))],
  [/^eflags\.af$/, change(({ cpu }) => flipFlag(cpu, 0x10))],
  [/^eflags\.of$/, change(({ cpu }) => flipFlag(cpu, 0x800))],
  [/^xmm3$/, change(({ cpu }) => flip(cpu.cells.xmm, 3 * 16 + 15))],
  [/^x87\.r6$/, change(({ cpu }) => flip(cpu.cells.x87Registers, 6 * 16))],
  [/^dr2$/, change(({ cpu }) => flip(cpu.cells.debug, 2 * 8))],
  [/^fs\.base$/, change(({ cpu }) => flip(cpu.cells.segment4, 0))],
  [
    /^memory 0x234567$/,
    (machine, state) => {
      const frame = machine.frameBytes(0x234).slice();
      flip(frame, 0x567);
      return [state, [[0x234, frame]]];
    },
  ],
  [
    /^rtc\./,
    change(({ devices }) =>
      flip(
        (devices.rtc as Record<string, Uint8Array>).ram ??
          Object.values(devices.rtc as object).find((value) => value instanceof Uint8Array),
        60,
      ),
    ),
  ],
];

function flipFlag(cpu: { eflags: number }, mask: number): void {
  cpu.eflags ^= mask;
}

function flip(bytes: Uint8Array | undefined, at: number): void {
  if (bytes === undefined) throw new Error('there are no such bytes');
  bytes[at] = (bytes[at] as number) ^ 1;
}

const LAST_TICK = 1200;
const COMPARED_OFTEN = { spacingTicks: 256 };

async function search(
  index: number,
  lastTick: number,
  faulty: (machine: Machine) => DiffMachine,
): Promise<ReturnType<typeof explain> | undefined> {
  const { trace, places } = traces[index] as (typeof traces)[number];
  const events: Pick<Trace, 'inputs' | 'coveredTo'> = trace;
  const [left, right] = places as [Beginning, Beginning];
  const open = (goesBackBy?: 'reopening'): Pair =>
    new Pair(
      () => new Side('right', left.again(), events),
      () => new Side('wrong', faulty(right.again()), events),
      goesBackBy,
    );
  const found = await findFirstDifference(open, lastTick, COMPARED_OFTEN);
  return found === undefined ? undefined : explain(found, disassemble);
}

describe('a machine that goes wrong', () => {
  it('is found at the exact tick, with the exact field', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(traces.length - 1),
        fc.integer({ min: 1, max: LAST_TICK }),
        fc.constantFrom(...FAULTS),
        async (index, faultTick, [field, fault]) => {
          const found = await search(index, LAST_TICK, (machine) => faultyMachine(machine, faultTick, fault));
          expect(found?.tick).toBe(faultTick);
          expect(found?.inOneStep).toBe(true);
          expect(found?.fields.map((difference) => difference.field)).toEqual([expect.stringMatching(field)]);
        },
      ),
      { numRuns: 120, seed: 86 },
    );
  }, 120_000);
});

describe('a mistake with a memory of its own', () => {
  const loseBit = change(({ cpu }) => flip(cpu.cells.registers, 5 * 8));

  it.each([
    [700, 300],
    [700, 699],
    [700, 701],
    [300, 900],
  ])(
    'is found where fresh machines make it, at tick %i, and not at tick %i as those that were put back',
    async (faultTick, rewoundTick) => {
      const found = await search(0, LAST_TICK, (machine) => faultyOnceRewound(machine, faultTick, rewoundTick, loseBit));
      expect(found).toMatchObject({ tick: faultTick, commonTick: faultTick - 1, inOneStep: true, fields: [{ field: 'ebp' }] });
    },
  );

  it.each([false, true])('that takes a run in one go is found with that run; by fresh machines only: %s', async (onlyFresh) => {
    const found = await search(0, LAST_TICK, (machine) => faultyInOneGo(machine, 700, 100, onlyFresh, loseBit));
    expect(found).toMatchObject({ tick: 700, commonTick: 600, inOneStep: false, fields: [{ field: 'ebp' }] });
  });

  it('that only machines make which were put back is none', async () => {
    expect(await search(0, LAST_TICK, (machine) => faultyOnceRewound(machine, LAST_TICK + 1, 300, loseBit))).toBeUndefined();
  });
});

describe('nothing goes wrong', () => {
  it('between tiers', async () => {
    const trace = openTrace('timer');
    const sides = [
      { name: 'auto', tier: 'auto' },
      { name: 'step', tier: 'step' },
    ] as const;
    expect(await diffTrace(trace, sides, { disassemble, everyTickLimit: 0 })).toBeUndefined();
    trace.close();
  }, 60_000);
});
