/**
 * Every query against what single steps from the beginning have seen, over the traces of the corpus.
 */
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTraceFile } from '../../../traces/index.js';
import { History } from '../history.js';
import { Timeline } from '../timeline.js';
import { Queries } from './queries.js';
import type { MemoryAccess } from './results.js';
import { type BruteForce, bruteForce, machineOf, type SeenAccess, type SeenExecution } from './test-brute-force.js';

const CORPUS = new URL('../../../traces/corpus/', import.meta.url);
const traces = readdirSync(CORPUS).filter((name) => name.endsWith('.trace'));
/** Ticks of a trace that are looked at one by one. */
const LIMIT_TICKS = 3000;

const overlaps = (one: SeenAccess, physical: number, bytes: number): boolean =>
  one.physical < physical + bytes && physical < one.physical + one.before.length;

describe.each(traces)('%s', (name) => {
  const trace = openTraceFile(new URL(name, CORPUS).pathname);
  let seen: BruteForce;
  let byTick: Map<number, SeenAccess[]>;
  let timeline: Timeline;
  let queries: Queries;

  beforeAll(() => {
    seen = bruteForce(trace, LIMIT_TICKS);
    byTick = new Map(seen.accesses.map(({ tick }) => [tick, []]));
    for (const access of seen.accesses) byTick.get(access.tick)?.push(access);
    timeline = new Timeline(trace, new History(machineOf(trace, 'auto'), trace, { spacingTicks: 700 }));
    queries = new Queries(timeline);
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
});
