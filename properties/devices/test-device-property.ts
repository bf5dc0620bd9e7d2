/**
 * A device of the engine beside a model of it: random accesses, inputs and stretches of time, with the device replaced by
 * a restored copy of itself in between. After each operation both must have given the same result and shown the same events at
 * the same tick. What fails is printed as operations, one a line.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { Device, DeviceState } from '../../engine/devices/device.js';
import { TestBench } from '../../engine/devices/test-bench.js';
import { assertProperty } from '../testing/property-seed.js';
import type { DeviceModel, ModelEvent, Size } from './device-model.js';

export type Operation =
  | { readonly do: 'out'; readonly port: number; readonly value: number; readonly size: Size }
  | { readonly do: 'in'; readonly port: number; readonly size: Size }
  | { readonly do: 'wait'; readonly ns: number }
  | { readonly do: 'save' }
  /** Whatever else the device can be asked to do, with its arguments. */
  | { readonly do: 'act'; readonly what: string; readonly numbers: readonly number[] };

export const out = (port: number, value: number, size: Size = 1): Operation => ({ do: 'out', port, value, size });
export const read = (port: number, size: Size = 1): Operation => ({ do: 'in', port, size });
export const wait = (ns: number): Operation => ({ do: 'wait', ns });
export const act = (what: string, ...numbers: number[]): Operation => ({ do: 'act', what, numbers });

/** A device on its bench. */
export interface Subject {
  readonly devices: readonly Device[];
  readonly act?: (what: string, numbers: readonly number[]) => unknown;
}

export interface DeviceProperty<Model extends DeviceModel> {
  /** One thing to do, or a few that belong together. */
  readonly operations: fc.Arbitrary<Operation | readonly Operation[]>;
  /** Builds the device; the bench is empty. */
  readonly build: (bench: TestBench) => Subject;
  readonly model: () => Model;
  readonly act?: (model: Model, what: string, numbers: readonly number[]) => unknown;
  /** How coarse time is. Default 1, and 100 for every other run. */
  readonly nsPerTick?: readonly number[];
  readonly numRuns: number;
  readonly maxLength: number;
}

/** How much of a long difference is shown, on either side of its beginning. */
const CONTEXT_CHARACTERS = 120;

/** The device is replaced by a restored copy of itself. */
export const SAVE: Operation = { do: 'save' };

export function agreesWithModel<Model extends DeviceModel>(property: DeviceProperty<Model>): void {
  const step = fc.oneof({ weight: 10, arbitrary: property.operations }, { weight: 1, arbitrary: fc.constant(SAVE) });
  const steps = fc.array(step, { minLength: 1, maxLength: property.maxLength, size: 'max' }).map((list) => new Script(list.flat()));
  const nsPerTick = fc.constantFrom(...(property.nsPerTick ?? [1, 100]));
  assertProperty(
    fc.property(steps, nsPerTick, (script, ns) => compare(property, script.operations, ns)),
    { numRuns: property.numRuns },
  );
}

/** Prints as operations, one a line. */
class Script {
  constructor(readonly operations: readonly Operation[]) {}
  [fc.toStringMethod](): string {
    return `\n${this.operations.map((operation) => `  ${show(operation)}`).join('\n')}\n`;
  }
}

const hex = (value: number): string => `${value.toString(16)}h`;

function show(operation: Operation): string {
  switch (operation.do) {
    case 'out':
      return `out ${hex(operation.port)}, ${hex(operation.value)}${operation.size === 1 ? '' : `, ${operation.size} bytes`}`;
    case 'in':
      return `in ${hex(operation.port)}${operation.size === 1 ? '' : `, ${operation.size} bytes`}`;
    case 'wait':
      return `wait ${operation.ns} ns`;
    case 'save':
      return 'save and restore';
    case 'act':
      return `${operation.what} ${operation.numbers.join(', ')}`.trim();
  }
}

interface Side {
  readonly bench: TestBench;
  readonly subject: Subject;
}

function compare<Model extends DeviceModel>(property: DeviceProperty<Model>, operations: readonly Operation[], nsPerTick: number): void {
  const model = property.model();
  let side = start(property, nsPerTick);
  for (const device of side.subject.devices) device.reset();
  const initial = side.bench.take();
  agree('reset', sorted(initial), sorted(model.takeEvents()), 'events');
  for (const [index, operation] of operations.entries()) {
    if (operation.do === 'save') {
      side = transplanted(property, side, nsPerTick);
      continue;
    }
    const where = `${index + 1}: ${show(operation)}, at ${side.bench.clock.nowNs} ns`;
    const found = performOnDevice(side, operation);
    const expected = performOnModel(property, model, operation, side.bench.clock.nowNs);
    agree(where, found, expected, 'result');
    const events = model.takeEvents().map((event) => ({ ...event, ns: Math.ceil(event.ns / nsPerTick) * nsPerTick }));
    agree(where, sorted(side.bench.take()), sorted(events), 'events');
  }
}

function start<Model extends DeviceModel>(property: DeviceProperty<Model>, nsPerTick: number): Side {
  const bench = new TestBench(nsPerTick);
  return { bench, subject: property.build(bench) };
}

/** A fresh device on a fresh bench, in the state of this one. */
function transplanted<Model extends DeviceModel>(property: DeviceProperty<Model>, side: Side, nsPerTick: number): Side {
  const saved = side.subject.devices.map((device) => device.save());
  const fresh = start(property, nsPerTick);
  fresh.bench.continueFrom(side.bench);
  for (const [index, device] of fresh.subject.devices.entries()) device.restore(saved[index] as DeviceState);
  fresh.bench.take();
  const again = fresh.subject.devices.map((device) => device.save());
  agree('save and restore', again, saved, 'state');
  return fresh;
}

function performOnDevice({ bench, subject }: Side, operation: Operation): unknown {
  switch (operation.do) {
    case 'out':
      return bench.out(operation.port, operation.value, operation.size);
    case 'in':
      return bench.in(operation.port, operation.size);
    case 'wait':
      return bench.advance(operation.ns);
    case 'act':
      return subject.act?.(operation.what, operation.numbers);
    case 'save':
      return undefined;
  }
}

function performOnModel<Model extends DeviceModel>(
  property: DeviceProperty<Model>,
  model: Model,
  operation: Operation,
  nowNs: number,
): unknown {
  model.advanceTo(nowNs);
  switch (operation.do) {
    case 'out':
      return model.write(operation.port, operation.value, operation.size);
    case 'in':
      return model.read(operation.port, operation.size);
    case 'act':
      return property.act?.(model, operation.what, operation.numbers);
    default:
      return undefined;
  }
}

/** By time; what happens on different lines at the same time has no order. */
function sorted(events: readonly ModelEvent[]): ModelEvent[] {
  return [...events].sort((a, b) => a.ns - b.ns || (a.what < b.what ? -1 : a.what > b.what ? 1 : 0));
}

function agree(where: string, found: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(found, expected)) return;
  const [device, model] = [found, expected].map((value) => JSON.stringify(value) ?? String(value)) as [string, string];
  let same = 0;
  while (same < device.length && device[same] === model[same]) same++;
  const from = Math.max(0, same - CONTEXT_CHARACTERS);
  const part = (text: string): string => text.slice(from, same + CONTEXT_CHARACTERS);
  throw new Error(`${where}: ${what}\n  device ${part(device)}\n  model  ${part(model)}`);
}
