/**
 * Record, then replay is the identity: for random guests and random input logs, in another tier, whatever the slices were,
 * and for what a killed recorder has left.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TestRandom } from '../../engine/test-random-guest.js';
import { Recorder } from '../../replay/recorder.js';
import { replayOn } from '../../replay/replayer.js';
import { bytesSource, nodeCodec, readTrace, type Trace, type TraceHeader, TraceWriter, traceIdentity } from '../../traces/index.js';
import { assertProperty } from '../testing/property-seed.js';
import { type GuestChoice, guestChoice, type InputChoice, inputLog, machineFor, play, showRun, startTickOf } from './test-runs.js';

interface Recording {
  readonly trace: Trace;
  readonly bytes: Uint8Array;
  /** Where the sink stood after the header. */
  readonly headerBytes: number;
  readonly interrupts: readonly string[];
  readonly inputs: readonly string[];
  readonly digest: bigint;
}

const inputText = (tick: number, ns: number, device: string, payload: Uint8Array): string =>
  `${tick} ${ns} ${device} ${Buffer.from(payload).toString('hex')}`;

/** Records with random slices, and flushes now and then. */
function recordRun(
  guest: GuestChoice,
  inputs: readonly InputChoice[],
  lengthTicks: number,
  sliceSeed: number,
  digestTicks: number,
): Recording {
  const machine = machineFor(guest, 'recorded', 'auto');
  const parts: Uint8Array[] = [];
  const header: TraceHeader = { engineVersion: '0.1.0', nsPerTick: guest.kind === 'busy' ? 400 : 100, seed: 0, machine: {}, images: [] };
  const writer = new TraceWriter({ write: (bytes) => parts.push(bytes.slice()) }, header, nodeCodec);
  const headerBytes = Buffer.concat(parts).length;
  const random = new TestRandom(sliceSeed);
  const recorder = new Recorder(machine, writer, digestTicks);
  const interrupts: string[] = [];
  const given: string[] = [];
  const { onInterrupt } = machine;
  machine.onInterrupt = (accepted) => {
    interrupts.push(`${accepted.tick} ${accepted.vector}`);
    onInterrupt?.(accepted);
  };
  const slice = (): number => {
    if (random.chance(5)) recorder.flush();
    return 1 + random.below(random.chance(20) ? 20 : 3000);
  };
  const startTick = startTickOf(guest);
  const reason = play(machine, recorder, inputs, [startTick, startTick + lengthTicks], slice, ({ device, payload }) =>
    given.push(inputText(machine.tick, machine.nowNs, device, payload)),
  );
  if (reason.kind === 'stopped') throw new Error('nobody has stopped the machine');
  writer.end(recorder.finish(reason));
  const bytes = Uint8Array.from(Buffer.concat(parts));
  const trace = readTrace(bytesSource(bytes), nodeCodec);
  return { trace, bytes, headerBytes, interrupts, inputs: given, digest: machine.digest() };
}

const run = fc.record({
  guest: guestChoice,
  inputs: inputLog,
  lengthTicks: fc.integer({ min: 1, max: 5000 }),
  sliceSeed: fc.nat(1000),
  digestTicks: fc.integer({ min: 300, max: 4000 }),
  tier: fc.constantFrom('auto' as const, 'step' as const),
  /** How much of the trace a killed recorder leaves. */
  left: fc.integer({ min: 0, max: 1000 }),
});

it('replays as it was recorded, however it was sliced, and as far as it goes', () => {
  let interrupts = 0;
  let inputs = 0;
  assertProperty(
    fc.property(run, (one) => {
      const explain = (): string => showRun(one.guest, one.inputs);
      const recording = recordRun(one.guest, one.inputs, one.lengthTicks, one.sliceSeed, one.digestTicks);
      const { trace } = recording;
      // The trace says what happened.
      expect(
        trace.inputs.map(({ tick, ns, device, payload }) => inputText(tick, ns, device, payload)),
        explain(),
      ).toEqual(recording.inputs);
      expect(
        [...trace.interrupts.ticks].map((tick, i) => `${tick} ${trace.interrupts.vectors[i]}`),
        explain(),
      ).toEqual(recording.interrupts);
      interrupts += recording.interrupts.length;
      inputs += recording.inputs.length;

      const result = replayOn(machineFor(one.guest, 'replayed', one.tier), trace);
      expect(result, explain()).toMatchObject({
        divergence: undefined,
        digest: recording.digest,
        tick: trace.end?.tick,
        ns: trace.end?.ns,
        interruptCount: recording.interrupts.length,
        inputCount: recording.inputs.length,
        digestCount: trace.digests.ticks.length,
      });

      const left = Math.ceil(recording.headerBytes + ((recording.bytes.length - recording.headerBytes) * one.left) / 1000);
      const killed = readTrace(bytesSource(recording.bytes.slice(0, left)), nodeCodec);
      const resumed = replayOn(machineFor(one.guest, 'replayed', one.tier), killed);
      expect(resumed, explain()).toMatchObject({ divergence: undefined, tick: killed.coveredTo.tick });
    }),
    { numRuns: 25 },
  );
  expect(interrupts).toBeGreaterThan(40);
  expect(inputs).toBeGreaterThan(30);
});

it('records the same whatever the slices are', () => {
  assertProperty(
    fc.property(run, fc.nat(1000), (one, otherSeed) => {
      const record = (sliceSeed: number): string => {
        const { trace } = recordRun(one.guest, one.inputs, one.lengthTicks, sliceSeed, one.digestTicks);
        return traceIdentity(trace, nodeCodec);
      };
      expect(record(otherSeed), showRun(one.guest, one.inputs)).toBe(record(one.sliceSeed));
    }),
    { numRuns: 10 },
  );
});
