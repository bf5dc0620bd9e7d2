/**
 * Going forward and back to conditions finds what a scan by single ticks finds, of every kind, over windows of every trace
 * of the corpus and of a guest that gets inputs all the time; and the machine then is the one that runs straight there.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createMachine, type Machine, type Tier } from '../../engine/index.js';
import { busyMachineConfig } from '../../engine/test-busy-guest.js';
import { GUEST_BYTES, GUEST_PROLOGUE, type GuestKind, randomGuest, TestRandom } from '../../engine/test-random-guest.js';
import { type InputEvent, openTraceFile, type Trace } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { History, type HistoryOptions } from './history.js';
import { Playback, type TimelineEvents } from './playback.js';
import type { StopCondition } from './stops.js';
import { meets, type Step, scan } from './test-scan.js';
import { Timeline } from './timeline.js';

interface Run {
  readonly name: string;
  readonly events: TimelineEvents;
  readonly windows: readonly number[];
  machine(tier: Tier): Machine;
}

const WINDOW_TICKS = 1500;
const CORPUS = new URL('../../traces/corpus/', import.meta.url);

function corpusRun(name: string): Run {
  const trace = openTraceFile(new URL(name, CORPUS).pathname);
  const endTick = trace.coveredTo.tick;
  const inputTicks = trace.inputs.slice(0, 2).map(({ tick }) => tick - 200);
  return {
    name,
    events: trace,
    windows: [...(endTick < 115_000 ? [0] : []), endTick - WINDOW_TICKS, ...inputTicks],
    machine: (tier) => buildMachine(configOfTrace(trace.header, new TraceImages(trace, undefined), tier)),
  };
}

/** A run with inputs every few hundred ticks. */
function liveRun(name: string, endTick: number, machine: Run['machine']): Run {
  const recorded = machine('auto');
  const random = new TestRandom(endTick);
  const inputs: InputEvent[] = [];
  const interrupts: { tick: number; vector: number }[] = [];
  recorded.onInterrupt = (accepted) => interrupts.push(accepted);
  const payloads: readonly (readonly [string, Uint8Array])[] = [
    ['serial0', Uint8Array.of(65)],
    ['keyboard', Uint8Array.of(0x1e)],
    ['mouse', Uint8Array.of(5, 0, 250, 255, 0, 1)],
  ];
  while (recorded.tick < endTick) {
    const reason = recorded.run({ tick: Math.min(endTick, recorded.tick + 1 + random.below(200)) });
    if (reason.kind !== 'limit') break;
    for (let count = random.below(3); count > 0; count--) {
      const [device, payload] = random.pick(payloads);
      inputs.push({ tick: recorded.tick, ns: recorded.nowNs, device, payload });
      recorded.input(device, payload);
    }
  }
  const events: TimelineEvents = {
    inputs,
    interrupts: { ticks: Float64Array.from(interrupts, ({ tick }) => tick), vectors: Uint8Array.from(interrupts, ({ vector }) => vector) },
    coveredTo: { tick: recorded.tick, ns: recorded.nowNs },
  };
  return { name, events, windows: [0, 2500, recorded.tick - WINDOW_TICKS].filter((tick) => tick >= 0), machine };
}

const busyRun = (seed: number): Run => liveRun(`busy guest ${seed}`, 9000, (tier) => createMachine({ ...busyMachineConfig(seed), tier }));

function randomRun(seed: number, kind: GuestKind): Run {
  const image = randomGuest(seed, kind).image();
  const boot = { kind: 'raw', image, address: 0, entry: GUEST_PROLOGUE, mode: kind === 'real' ? 'real' : 'protected' } as const;
  return liveRun(`random ${kind} guest ${seed}`, 4000, (tier) => createMachine({ boot, memoryBytes: GUEST_BYTES, nsPerTick: 100, tier }));
}

/** Conditions of all kinds, most of them met somewhere in the window. */
function choose(steps: readonly Step[], random: TestRandom): StopCondition[] {
  const access = (): 'read' | 'write' | 'access' => random.pick(['read', 'write', 'access']);
  const from = <T>(all: readonly T[]): T | undefined => (all.length === 0 ? undefined : random.pick(all));
  const of = (kind: number): StopCondition | undefined => {
    switch (kind) {
      case 0:
      case 1: {
        const address = random.pick(steps).executed;
        return address === undefined ? undefined : { kind: 'breakpoint', address };
      }
      case 2:
      case 3: {
        const chosen = from(random.pick(steps).accesses) ?? from(steps.flatMap(({ accesses }) => accesses));
        return (
          chosen && { kind: 'watchpoint', address: chosen.address + random.below(2), bytes: random.pick([1, 4, 100]), access: access() }
        );
      }
      case 4: {
        const vector = from(steps.flatMap(({ interrupts }) => interrupts));
        return { kind: 'interrupt', ...(random.chance(70) && vector !== undefined && { vector }) };
      }
      case 5: {
        const vector = from(steps.flatMap(({ exceptions }) => exceptions));
        return { kind: 'exception', ...(random.chance(50) && vector !== undefined && { vector }) };
      }
      case 6: {
        const chosen = from(steps.flatMap(({ ports }) => ports));
        return chosen && { kind: 'port', port: chosen.address, access: access() };
      }
      case 7:
        return { kind: 'control', register: random.pick(['cr0', 'cr3', 'cr4'] as const) };
      case 8:
        return { kind: 'mode' };
      default: {
        const sent = from(steps.flatMap(({ output }) => output));
        const character = sent?.line.at(-1);
        return sent && { kind: 'console', source: sent.source, pattern: new RegExp(`[${/\w/.test(character ?? '') ? character : '\\n'}]`) };
      }
    }
  };
  const conditions = Array.from({ length: 1 + random.below(3) }, () => of(random.below(10)));
  return conditions.filter((condition) => condition !== undefined);
}

/** Which conditions are met in a step, by index; a debug trap's step counts as one. */
const metBy = (step: Step, conditions: readonly StopCondition[]): number[] =>
  conditions.flatMap((condition, index) => (meets(step, condition) ? [index] : []));

interface Expected {
  readonly tick: number;
  readonly indices: readonly number[];
}

/** The first place behind `tick` to stop at; breakpoints stop in front of their step. */
function firstBehind(steps: readonly Step[], tick: number, conditions: readonly StopCondition[]): Expected | undefined {
  const stops = new Map<number, Set<number>>();
  for (const step of steps) {
    for (const index of metBy(step, conditions)) {
      const at = conditions[index]?.kind === 'breakpoint' ? step.tick : step.nextTick;
      if (step.tick < tick || at <= tick) continue;
      stops.set(at, (stops.get(at) ?? new Set()).add(index));
    }
  }
  const at = Math.min(...stops.keys());
  return stops.size === 0 ? undefined : { tick: at, indices: [...(stops.get(at) as Set<number>)].sort() };
}

function lastBefore(steps: readonly Step[], tick: number, conditions: readonly StopCondition[]): Expected | undefined {
  const step = steps.filter((candidate) => candidate.tick < tick && metBy(candidate, conditions).length > 0).at(-1);
  return step && { tick: step.tick, indices: metBy(step, conditions) };
}

const OPTIONS: readonly HistoryOptions[] = [{ spacingTicks: 2 ** 20 }, { spacingTicks: 97 }, { spacingTicks: 1000, checkpointBytes: 4e6 }];

describe.each([
  ...readdirSync(CORPUS)
    .filter((name) => name.endsWith('.trace'))
    .map(corpusRun),
  busyRun(1),
  ...(['paging', 'user', 'real', 'segments', 'pae'] as const).map((kind, index) => randomRun(index + 1, kind)),
])('$name', (run) => {
  const endTick = run.events.coveredTo.tick;
  test.each(run.windows.map((tick) => Math.max(0, tick)))('from tick %i', { timeout: 60_000 }, async (windowTick) => {
    const random = new TestRandom(windowTick);
    const steps = scan(run.machine('auto'), run.events, windowTick, windowTick + WINDOW_TICKS);
    const first = steps[0] as Step;
    const lastTick = (steps.at(-1) as Step).nextTick;
    const options = random.pick(OPTIONS);
    const timeline = new Timeline(run.events as Trace, new History(run.machine('auto'), run.events, windowTick > 20_000 ? {} : options));
    const digests = new Map<number, bigint>();
    let count = 0;
    for (let round = 0; round < 40; round++) {
      const conditions = choose(steps, random);
      if (random.chance(40)) await timeline.seek(random.pick(steps).tick);
      else if (timeline.tick < first.tick || timeline.tick > lastTick) await timeline.seek(first.tick);
      const { tick } = timeline;
      const text = `${JSON.stringify(conditions)} from tick ${tick}, round ${round}`;
      const forward = random.chance(50);
      const expected = forward ? firstBehind(steps, tick, conditions) : lastBefore(steps, tick, conditions);
      if (expected === undefined && (forward ? lastTick !== endTick : first.tick !== 0)) continue;
      const stop = forward ? await timeline.forward(conditions) : await timeline.backward(conditions);
      count++;
      digests.set(timeline.tick, timeline.machine.digest());
      if (expected === undefined) {
        expect(stop.kind, text).toBe(forward ? 'end' : 'begin');
        expect(timeline.tick).toBe(forward ? endTick : 0);
        continue;
      }
      expect(stop.kind, text).toBe('hit');
      expect(timeline.tick, text).toBe(expected.tick);
      if (stop.kind !== 'hit') continue;
      const found = [...new Set(stop.hits.map(({ condition }) => conditions.indexOf(condition)))].sort();
      expect(found, text).toEqual(expected.indices);
    }
    expect(count).toBeGreaterThan(5);
    const straight = new Playback(run.machine('auto'), run.events);
    for (const [tick, digest] of [...digests].sort(([a], [b]) => a - b)) {
      straight.advanceTo(tick);
      expect(straight.machine.digest(), `tick ${tick}`).toBe(digest);
    }
  });
});
