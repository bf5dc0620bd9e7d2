/**
 * The SEGM chunk: all that happened in a stretch of the run, as columns.
 */
import { decodeColumn, encodeColumn } from './columns.js';
import { TraceError } from './errors.js';
import type { Events, InputEvent, Point } from './events.js';
import { LIMITS, SEGMENT_TARGET } from './format.js';
import { segmentRecord } from './records.js';

export interface Segment extends Events {
  readonly interrupts: { readonly ticks: Float64Array; readonly vectors: Uint8Array };
  readonly digests: { readonly ticks: Float64Array; readonly values: BigUint64Array };
  /** Covered up to here. */
  readonly to: Point;
  readonly seal: Uint8Array;
}

/** Virtual time that has passed without ticks. */
export function skippedNs(point: Point, nsPerTick: number): number {
  return point.ns - point.tick * nsPerTick;
}

/** @param column encodePlainColumn where the bytes must be canonical. */
export function encodeSegment(
  seal: Uint8Array,
  from: Point,
  to: Point,
  events: Events,
  nsPerTick: number,
  column: (values: ArrayLike<number>) => Uint8Array = encodeColumn,
): Uint8Array {
  const { interrupts, inputs, digests } = events;
  const sinceFrom = (ticks: ArrayLike<number>) => column(Float64Array.from(ticks, (tick) => tick - from.tick));
  const skippedBefore = skippedNs(from, nsPerTick);
  const deviceIndices = new Map<string, number>();
  const devices = inputs.map(({ device }) => {
    const index = deviceIndices.get(device) ?? deviceIndices.size;
    deviceIndices.set(device, index);
    return index;
  });
  return segmentRecord.encode([
    seal,
    to.tick,
    to.ns,
    interrupts.ticks.length,
    sinceFrom(interrupts.ticks),
    column(interrupts.vectors),
    inputs.length,
    sinceFrom(inputs.map(({ tick }) => tick)),
    column(inputs.map((input) => skippedNs(input, nsPerTick) - skippedBefore)),
    [...deviceIndices.keys()],
    column(devices),
    column(inputs.map(({ payload }) => payload.length)),
    concatenate(inputs.map(({ payload }) => payload)),
    digests.ticks.length,
    sinceFrom(digests.ticks),
    encodeDigests(digests.values),
  ]);
}

export function decodeSegment(raw: Uint8Array, from: Point, nsPerTick: number): Segment {
  const [
    seal,
    tick,
    ns,
    interruptCount,
    interruptTicks,
    vectors,
    inputCount,
    inputTicks,
    inputSkips,
    devices,
    deviceIndices,
    payloadLengths,
    payloads,
    digestCount,
    digestTicks,
    digestValues,
  ] = segmentRecord.decode(raw);
  if (payloads.length > 2 * SEGMENT_TARGET.inputBytes) throw new TraceError(`${payloads.length} bytes of input in one segment`);
  const to: Point = { tick, ns };
  const skippedBefore = skippedNs(from, nsPerTick);
  const skipMax = skippedNs(to, nsPerTick) - skippedBefore;
  if (tick < from.tick || !(skipMax >= 0)) {
    throw new TraceError(`time runs backwards, from tick ${from.tick} (${from.ns} ns) to tick ${tick} (${ns} ns)`);
  }
  const ticks = (column: Uint8Array, count: number, what: string): Float64Array => {
    const values = decodeColumn(column, count, tick - from.tick, what);
    requireOrder(values, what);
    return values.map((value) => value + from.tick);
  };

  const inputTick = ticks(inputTicks, inputCount, 'ticks of inputs');
  const skip = decodeColumn(inputSkips, inputCount, skipMax, 'times of inputs');
  requireOrder(skip, 'times of inputs');
  if (devices.length > inputCount) throw new TraceError('more devices than inputs');
  const device = decodeColumn(deviceIndices, inputCount, devices.length - 1, 'devices of inputs');
  const length = decodeColumn(payloadLengths, inputCount, LIMITS.payloadBytes, 'lengths of inputs');
  const inputs: InputEvent[] = [];
  let at = 0;
  for (let i = 0; i < inputCount; i++) {
    const end = at + length[i];
    if (end > payloads.length) throw new TraceError('payloads of inputs: shorter than their lengths');
    inputs.push({
      tick: inputTick[i],
      ns: inputTick[i] * nsPerTick + skippedBefore + skip[i],
      device: devices[device[i]],
      payload: payloads.subarray(at, end),
    });
    at = end;
  }
  if (at !== payloads.length) throw new TraceError('payloads of inputs: longer than their lengths');

  return {
    seal,
    to,
    interrupts: {
      ticks: ticks(interruptTicks, interruptCount, 'ticks of interrupts'),
      vectors: Uint8Array.from(decodeColumn(vectors, interruptCount, 255, 'vectors of interrupts')),
    },
    inputs,
    digests: {
      ticks: ticks(digestTicks, digestCount, 'ticks of digests'),
      values: decodeDigests(digestValues, digestCount),
    },
  };
}

function requireOrder(values: Float64Array, what: string): void {
  for (let i = 1; i < values.length; i++) {
    if (values[i] < values[i - 1]) throw new TraceError(`${what}: ${values[i - 1]} is followed by ${values[i]}`);
  }
}

function encodeDigests(values: ArrayLike<bigint>): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  for (let i = 0; i < values.length; i++) view.setBigUint64(8 * i, values[i], true);
  return new Uint8Array(view.buffer);
}

function decodeDigests(bytes: Uint8Array, count: number): BigUint64Array {
  if (bytes.length !== 8 * count) throw new TraceError('values of digests: not 8 bytes each');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = new BigUint64Array(count);
  for (let i = 0; i < count; i++) values[i] = view.getBigUint64(8 * i, true);
  return values;
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
