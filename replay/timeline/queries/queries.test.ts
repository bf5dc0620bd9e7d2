/**
 * Every query against what single steps from the beginning have seen, over the traces of the corpus and random guests.
 */
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AcceptedInterrupt, createMachine, type Machine, type Tier } from '../../../engine/index.js';
import { GUEST_BYTES, GUEST_KINDS, GUEST_PROLOGUE, type GuestKind, randomGuest } from '../../../engine/test-random-guest.js';
import { openTraceFile, type Trace } from '../../../traces/index.js';
import { History } from '../history.js';
import { Timeline } from '../timeline.js';
import { Queries } from './queries.js';
import type { MemoryAccess } from './results.js';
import { type BruteForce, bruteForce, machineOf, type SeenAccess, type SeenExecution } from './test-brute-force.js';

const CORPUS = new URL('../../../traces/corpus/', import.meta.url);
const traces = readdirSync(CORPUS).filter((name) => name.endsWith('.trace'));
const RANDOM_SEED = 26;
/** Ticks of a trace that are looked at one by one. */
const LIMIT_TICKS = 3000;

const overlaps = (one: SeenAccess, physical: number, bytes: number): boolean =>
  one.physical < physical + bytes && physical < one.physical + one.before.length;

interface Run {
  readonly name: string;
  readonly trace: Trace;
  machine(tier: Tier): Machine;
}

function corpusRun(name: string): Run {
  const trace = openTraceFile(new URL(name, CORPUS).pathname);
  return { name, trace, machine: (tier) => machineOf(trace, tier) };
}

function randomRun(kind: GuestKind): Run {
  const image = randomGuest(RANDOM_SEED, kind).image();
  const boot = { kind: 'raw', image, address: 0, entry: GUEST_PROLOGUE, mode: kind === 'real' ? 'real' : 'protected' } as const;
  const machine = (tier: Tier): Machine => createMachine({ boot, memoryBytes: GUEST_BYTES, nsPerTick: 100, tier });
  const recorded = machine('auto');
  const interrupts: AcceptedInterrupt[] = [];
  recorded.onInterrupt = (accepted) => interrupts.push(accepted);
  recorded.run({ tick: LIMIT_TICKS });
  const trace: Pick<Trace, 'inputs' | 'interrupts' | 'coveredTo'> = {
    inputs: [],
    interrupts: { ticks: Float64Array.from(interrupts, ({ tick }) => tick), vectors: Uint8Array.from(interrupts, ({ vector }) => vector) },
    coveredTo: { tick: recorded.tick, ns: recorded.nowNs },
  };
  return { name: `random ${kind} guest`, trace: trace as Trace, machine };
}

describe.each([...traces.map(corpusRun), ...GUEST_KINDS.map(randomRun)])('$name', ({ trace, machine }) => {
  let seen: BruteForce;
  let byTick: Map<number, SeenAccess[]>;
  let timeline: Timeline;
  let queries: Queries;

  beforeAll(() => {
    seen = bruteForce(machine('step'), trace, LIMIT_TICKS);
    byTick = new Map(seen.accesses.map(({ tick }) => [tick, []]));
    for (const access of seen.accesses) byTick.get(access.tick)?.push(access);
    timeline = new Timeline(trace, new History(machine('auto'), trace, { spacingTicks: 700 }));
    queries = new Queries(timeline);
  });

  /** Lines written and pages executed from one tick to another, as single steps have seen them. */
  const done = (fromTick: number, toTick: number): { lines: number[]; pages: number[] } => {
    const during = ({ tick }: { readonly tick: number }): boolean => tick >= fromTick && tick < toTick;
    const lines = new Set<number>();
    for (const { physical, before } of seen.accesses.filter((one) => one.write && during(one)))
      for (let at = physical; at < physical + before.length; at++) lines.add(at >>> 6);
    const pages = new Set(seen.executions.filter(during).map(({ ip }) => ip >>> 12));
    return { lines: [...lines].sort((a, b) => a - b), pages: [...pages] };
  };

  test('stretches know what was done in them', async () => {
    const { history } = timeline;
    await history.explore(seen.endTick);
    const { all } = history.checkpoints;
    const complete = all.slice(1).filter(({ tick }) => tick <= seen.endTick);
    expect(complete.length).toBeGreaterThanOrEqual(Math.floor(seen.endTick / 1400));
    complete.forEach(({ tick: endTick, footprint }, index) => {
      const { tick: startTick } = all[index] as { tick: number };
      const { lines, pages } = done(startTick, endTick);
      const marked: number[] = [];
      for (const frame of footprint.frames)
        for (let line = frame * 64; line < (frame + 1) * 64; line++) if (footprint.mayWrite(line * 64, 64)) marked.push(line);
      expect(marked, `before tick ${endTick}`).toEqual(lines);
      expect(pages.filter((page) => !footprint.mayExecute(page * 4096))).toEqual([]);
    });
  });

  const within = (physical: number, bytes: number, access: 'read' | 'write' | 'access'): SeenAccess[] =>
    seen.accesses.filter((one) => overlaps(one, physical, bytes) && (access === 'access' || one.write === (access === 'write')));

  /** Where it happened, and that the values are those of the run. */
  const agree = (found: readonly MemoryAccess[], expected: readonly SeenAccess[], physical: number, bytes: number): void => {
    expect(found.map((one) => [one.physical, one.bytes, one.access])).toEqual(
      expected.map((one) => {
        const first = Math.max(one.physical, physical);
        const end = Math.min(one.physical + one.before.length, physical + bytes);
        return [first, end - first, one.write ? 'write' : 'read'];
      }),
    );
    found.forEach((one, i) => {
      const step = expected[i] as SeenAccess;
      const where = `access ${i}, at tick ${one.tick}, by ${one.by}`;
      expect(one.tick >= step.tick && one.tick < step.endTick, `${where}, expected ${step.tick}`).toBe(true);
      // A trap is delivered in the same step as what it follows.
      if (one.tick === step.tick) expect(one.ip, where).toBe(step.ip);
      const part = (bytesOf: Uint8Array): Uint8Array => bytesOf.slice(one.physical - step.physical).slice(0, one.bytes);
      const others = (byTick.get(step.tick) ?? []).filter((other) => other !== step && overlaps(other, one.physical, one.bytes));
      if (others.every((other) => !other.write && !step.write)) {
        expect(one.valueBefore, where).toEqual(part(step.before));
        expect(one.valueAfter, where).toEqual(part(step.after));
      }
    });
  };

  test('accesses', async () => {
    const { endTick: toTick } = seen;
    const near = fc.record({
      at: fc.nat({ max: Math.max(0, seen.accesses.length - 1) }),
      before: fc.nat({ max: 6 }),
      bytes: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 9000 })),
      access: fc.constantFrom('read' as const, 'write' as const, 'access' as const),
      fromTick: fc.oneof(fc.constant(0), fc.nat({ max: toTick })),
    });
    await fc.assert(
      fc.asyncProperty(near, async ({ at, before, bytes, access, fromTick }) => {
        const physical = Math.max(0, (seen.accesses[at]?.physical ?? 0x1000) - before);
        const expected = within(physical, bytes, access).filter((one) => one.tick >= fromTick);
        const options = { fromTick, toTick, limit: 60 };
        const first = await queries.accesses({ physical }, bytes, access, options);
        agree(first.items, expected.slice(0, 60), physical, bytes);
        expect(first.more).toBe(expected.length > 60);
        const last = await queries.accesses({ physical }, bytes, access, { ...options, end: 'last' });
        agree(last.items, expected.slice(-60), physical, bytes);
      }),
      { seed: 20261122, numRuns: 8 },
    );
  });

  test('the last and the first write', async () => {
    const { endTick: toTick } = seen;
    const writes = seen.accesses.filter(({ write }) => write);
    if (writes.length === 0) return;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: writes.length - 1 }), fc.nat({ max: 3 }), async (at, offset) => {
        const { physical } = writes[at] as SeenAccess;
        const address = physical + offset;
        const expected = within(address, 1, 'write');
        const last = await queries.lastWrite({ physical: address }, 1, { toTick });
        const first = await queries.firstWrite({ physical: address }, 1, { toTick });
        agree(last === undefined ? [] : [last], expected.slice(-1), address, 1);
        agree(first === undefined ? [] : [first], expected.slice(0, 1), address, 1);
      }),
      { seed: 20261122, numRuns: 8 },
    );
  });

  test('executions', async () => {
    const { endTick: toTick } = seen;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: seen.executions.length - 1 }), fc.nat({ max: toTick }), async (at, fromTick) => {
        const { ip } = seen.executions[at] as { ip: number };
        const expected = seen.executions.filter((one) => one.ip === ip && one.tick >= fromTick);
        const { items } = await queries.executions(ip, { fromTick, toTick, limit: toTick });
        expect(items.map(({ tick, esp }) => [tick, esp])).toEqual(expected.map(({ tick, esp }) => [tick, esp]));
        expect(items.every((one) => one.ip === ip)).toBe(true);
      }),
      { seed: 20261122, numRuns: 8 },
    );
  });

  test('calls', async () => {
    const { endTick: toTick, executions } = seen;
    // E8: a near call; what follows it, without an interrupt between, begins a function.
    const functions = executions.filter((one, i) => executions[i - 1]?.bytes[0] === 0xe8 && executions[i - 1]?.tick === one.tick - 1);
    for (const ip of [...new Set(functions.map((one) => one.ip))].slice(0, 4)) {
      const { items } = await queries.calls(ip, { toTick });
      const entered = executions.filter((one) => one.ip === ip);
      expect(items.map(({ tick }) => tick)).toEqual(entered.map(({ tick }) => tick));
      items.forEach((call, i) => {
        const entry = entered[i] as SeenExecution;
        const view = new DataView(entry.stackTop.buffer);
        const offset = entry.codeBits === 32 ? view.getUint32(0, true) : view.getUint16(0, true);
        expect(call.returnAddress).toBe((entry.codeBase + offset) >>> 0);
        // The stack as it was says who comes back: nobody else can stand there with as much of it.
        const back = executions.find(
          (one) => one.tick > entry.tick && one.ip === call.returnAddress && one.esp > entry.esp && one.esp <= entry.esp + 64,
        );
        expect([call.returnTick, call.returnValue], `called at ${entry.tick}`).toEqual([back?.tick, back?.eax]);
      });
    }
  });

  test('and still do after going to and fro', async () => {
    const { history } = timeline;
    for (const part of [0.9, 0.3, 0.31, 0.6, 0.05]) await timeline.seek(Math.floor(seen.endTick * part));
    const { all } = history.checkpoints;
    all.slice(1).forEach(({ tick: endTick, footprint }, index) => {
      if (endTick > seen.endTick) return;
      const { lines, pages } = done((all[index] as { tick: number }).tick, endTick);
      expect(lines.filter((line) => !footprint.mayWrite(line * 64, 64))).toEqual([]);
      expect(pages.filter((page) => !footprint.mayExecute(page * 4096))).toEqual([]);
    });
  });
});

describe('around the answers', () => {
  const run = corpusRun('timer.trace');
  const { trace } = run;
  const open = (): Timeline => new Timeline(trace, new History(run.machine('auto'), trace, { spacingTicks: 500 }));
  const everything = { physical: 0 };
  const bytes = 0x90000;

  test('the timeline stands where it stood', async () => {
    const timeline = open();
    const queries = new Queries(timeline);
    await timeline.seek(4321);
    const digest = timeline.machine.digest();
    await queries.writes(everything, bytes, { toTick: 9000 });
    await queries.lastWrite(everything, bytes, { toTick: 3000 });
    await queries.console('serial0', 8000);
    expect([timeline.tick, timeline.machine.digest()]).toEqual([4321, digest]);
  });

  test('a query that is told to stop throws the reason, and the next one answers', async () => {
    const timeline = open();
    const queries = new Queries(timeline);
    const expected = await queries.writes(everything, bytes, { toTick: 9000 });
    await timeline.seek(777);
    const controller = new AbortController();
    const progress: number[] = [];
    const stopped = queries.writes(everything, bytes, {
      toTick: 9000,
      signal: controller.signal,
      onProgress: (done, total) => {
        progress.push(done);
        if (done > total / 2) controller.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.length).toBeLessThan(9000 / 500);
    expect(timeline.tick).toBe(777);
    expect(await queries.writes(everything, bytes, { toTick: 9000 })).toEqual(expected);
  });

  test('what was recorded is answered from the record', async () => {
    const timeline = open();
    const queries = new Queries(timeline);
    const { ticks, vectors } = trace.interrupts;
    const all = [...ticks].map((tick, i) => ({ tick, vector: vectors[i] as number }));
    expect(queries.interrupts()).toEqual({ items: all, more: false });
    expect(queries.interrupts({ limit: 3 })).toEqual({ items: all.slice(0, 3), more: true });
    expect(queries.interrupts({ limit: 3, end: 'last' })).toEqual({ items: all.slice(-3), more: true });
    const [first, , third] = ticks as unknown as [number, number, number];
    expect(queries.interrupts({ fromTick: first + 1, toTick: third }).items.map(({ tick }) => tick)).toEqual([ticks[1]]);
    const input = openTraceFile(new URL('input.trace', CORPUS).pathname);
    const other = new Queries(new Timeline(input, new History(machineOf(input, 'auto'), input)));
    expect(other.inputs().items.map(({ device, payload }) => [device, payload])).toEqual(
      input.inputs.map(({ device, payload }) => [device, payload]),
    );
    expect(other.inputs({ fromTick: (input.inputs[0]?.tick ?? 0) + 1 }).items.length).toBeLessThan(input.inputs.length);
    const whole = await queries.console('serial0', timeline.endTick);
    expect(whole).toContain('latched');
    const half = await queries.console('serial0', Math.floor(timeline.endTick / 2));
    expect(half.length).toBeLessThan(whole.length);
    expect(whole.startsWith(half)).toBe(true);
  });

  test('what cannot be asked is refused', async () => {
    const queries = new Queries(open());
    await expect(queries.lastWrite({ physical: 0xf000_0000 })).rejects.toThrow('there is no memory');
    await expect(queries.lastWrite(-1)).rejects.toThrow('is no address');
    await expect(queries.writes(0, 0)).rejects.toThrow('a range has from 1 to');
    await expect(queries.executions(2 ** 32)).rejects.toThrow('is no linear address');
    await expect(queries.executions(0, { limit: 0 })).rejects.toThrow('a limit is');
  });
});
