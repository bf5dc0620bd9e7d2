import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesSource, nodeCodec, readTrace, type Trace, type TraceHeader, TraceWriter, traceIdentity } from '../traces/index.js';
import { inputScript, type ScriptLine } from './input-script.js';
import { Recorder } from './recorder.js';
import { replayOn } from './replayer.js';
import { runSession, type SessionOptions } from './session.js';
import { FAKE_NS_PER_TICK, FakeMachine, type FakeProgram } from './test-fake-machine.js';

const HEADER: TraceHeader = { engineVersion: '0.1.0', nsPerTick: FAKE_NS_PER_TICK, seed: 0, machine: {}, images: [] };

interface Recording {
  readonly trace: Trace;
  readonly bytes: Uint8Array;
  readonly machine: FakeMachine;
}

function collect(): { write(bytes: Uint8Array): void; bytes(): Uint8Array } {
  const parts: Uint8Array[] = [];
  return { write: (bytes) => parts.push(bytes), bytes: () => Uint8Array.from(Buffer.concat(parts)) };
}

async function recordFake(program: FakeProgram, options: Partial<SessionOptions> = {}, digestIntervalTicks = 1000): Promise<Recording> {
  const machine = new FakeMachine(program);
  const sink = collect();
  const writer = new TraceWriter(sink, HEADER, nodeCodec);
  const recorder = new Recorder(machine, writer, digestIntervalTicks);
  const end = await runSession({ machine, through: recorder, maxTicks: 10_000, ...options });
  writer.end(recorder.finish(end));
  return { machine, bytes: sink.bytes(), trace: readTrace(bytesSource(sink.bytes()), nodeCodec) };
}

const program = fc.record({
  seed: fc.nat(),
  haltEvery: fc.integer({ min: 20, max: 400 }),
  timerNs: fc.integer({ min: 150, max: 5000 }),
  output: fc.constantFrom('', 'ready. login: password: $ ', 'aaaaab'.repeat(20)),
});
const lines: fc.Arbitrary<ScriptLine[]> = fc.array(
  fc.oneof(
    fc.record({ at: fc.integer({ min: 0, max: 11_000 }), serial: fc.string({ minLength: 1, maxLength: 8 }) }),
    fc.record({ at: fc.integer({ min: 0, max: 2000 }), keys: fc.constantFrom('a', '{Enter}') }),
    fc.record({ after: fc.constantFrom('login: ', 'aab', { pattern: '[.:$] ', regex: true }), serial: fc.constant('x\n') }),
  ),
  { maxLength: 6 },
);

describe('a recording', () => {
  it('replays to the same digests, whatever ran', async () => {
    await fc.assert(
      fc.asyncProperty(program, lines, async (program, lines) => {
        const { trace, machine } = await recordFake(program, { script: inputScript(lines) });
        const again = new FakeMachine(program);
        const result = replayOn(again, trace);
        expect(result.divergence).toBeUndefined();
        expect(result.digest).toBe(machine.digest());
        expect(again.given).toEqual(machine.given);
        expect(result.interruptCount).toBe(trace.interrupts.ticks.length);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('has the same content however the host sliced it', async () => {
    await fc.assert(
      fc.asyncProperty(program, lines, fc.boolean(), async (program, lines, realtime) => {
        const script = inputScript(lines);
        const whole = await recordFake(program, { script });
        const sliced = await recordFake(program, { script, sliceMs: 1e-6, realtime: realtime && program.timerNs > 1000 });
        expect(traceIdentity(sliced.trace, nodeCodec)).toBe(traceIdentity(whole.trace, nodeCodec));
      }),
      { seed: 2, numRuns: 20 },
    );
  });

  it('replays what it holds after every flush, when it was cut short there', async () => {
    const machine = new FakeMachine({ seed: 3, haltEvery: 50, timerNs: 900 });
    const sink = collect();
    const recorder = new Recorder(machine, new TraceWriter(sink, HEADER, nodeCodec), 700);
    for (let tick = 100; tick <= 5000; tick += 350) {
      recorder.run({ tick });
      recorder.input('serial0', Uint8Array.of(tick & 0xff));
      recorder.flush();
      const trace = readTrace(bytesSource(sink.bytes()), nodeCodec);
      const result = replayOn(new FakeMachine({ seed: 3, haltEvery: 50, timerNs: 900 }), trace);
      expect(result).toMatchObject({ divergence: undefined, tick: machine.tick, digest: machine.digest(), status: 0 });
    }
  });

  it.each([
    [{ kind: 'powerOff' }, 0],
    [{ kind: 'halted' }, 0],
    [{ kind: 'debugExit', value: 5 }, 11],
    [{ kind: 'tripleFault' }, 8],
  ] as const)('ends as the guest does: %o', async (reason, status) => {
    const program: FakeProgram = { seed: 1, end: { tick: 321, reason } };
    const { trace } = await recordFake(program);
    expect(trace.end).toMatchObject({ reason: reason.kind, status, tick: 321 });
    expect(replayOn(new FakeMachine(program), trace)).toMatchObject({ divergence: undefined, reason: reason.kind, status });
  });

  it('ends at the limit, or when the guest waits for what never comes', async () => {
    expect((await recordFake({ seed: 1 }, { maxTicks: 500 })).trace.end).toMatchObject({ reason: 'limit', status: 10, tick: 500 });
    const program: FakeProgram = { seed: 1, haltEvery: 100 };
    const { trace } = await recordFake(program);
    expect(trace.end).toMatchObject({ reason: 'idle', status: 0 });
    expect(replayOn(new FakeMachine(program), trace)).toMatchObject({ divergence: undefined, reason: 'idle' });
  });

  it('ends as interrupted, whole and replayable', async () => {
    const program: FakeProgram = { seed: 4, haltEvery: 60, timerNs: 800 };
    const abort = new AbortController();
    const { trace } = await recordFake(program, {
      maxTicks: 1e9,
      sliceMs: 0.01,
      signal: abort.signal,
      onProgress: ({ tick }) => tick > 20_000 && abort.abort(),
    });
    expect(trace.end?.reason).toBe('interrupted');
    expect(replayOn(new FakeMachine(program), trace)).toMatchObject({ divergence: undefined, status: 0, tick: trace.end?.tick });
  });

  it('starts at tick 0 only', () => {
    const machine = new FakeMachine({ seed: 1 });
    machine.run({ tick: 5 });
    expect(() => new Recorder(machine, new TraceWriter(collect(), HEADER, nodeCodec))).toThrow('starts at tick 0');
  });

  it('does not record what the machine refused', async () => {
    const machine = new FakeMachine({ seed: 1 });
    const sink = collect();
    const writer = new TraceWriter(sink, HEADER, nodeCodec);
    const recorder = new Recorder(machine, writer);
    expect(() => recorder.input('toaster', Uint8Array.of(1))).toThrow('no device toaster');
    recorder.run({ tick: 10 });
    writer.end(recorder.finish({ kind: 'limit' }));
    expect(readTrace(bytesSource(sink.bytes()), nodeCodec).inputs).toEqual([]);
  });
});

describe('a recorder whose writer', () => {
  const program: FakeProgram = { seed: 6, haltEvery: 40, timerNs: 500 };

  it('wants a flush at every interrupt still runs to where it was told', () => {
    const machine = new FakeMachine(program);
    const sink = collect();
    const writer = new TraceWriter(sink, HEADER, nodeCodec);
    let interrupts = 0;
    let flushed = 0;
    const interrupt = writer.interrupt.bind(writer);
    const flush = writer.flush.bind(writer);
    writer.interrupt = (accepted) => {
      interrupts++;
      interrupt(accepted);
    };
    writer.flush = (to) => {
      flushed = interrupts;
      flush(to);
    };
    Object.defineProperty(writer, 'wantsFlush', { get: () => interrupts > flushed });
    const recorder = new Recorder(machine, writer, 1000);
    expect(recorder.run({ tick: 3000 })).toEqual({ kind: 'limit' });
    expect(machine.tick).toBe(3000);
    writer.end(recorder.finish({ kind: 'limit' }));
    const trace = readTrace(bytesSource(sink.bytes()), nodeCodec);
    expect(trace.flushes.length).toBe(interrupts + 1);
    expect(replayOn(new FakeMachine(program), trace).divergence).toBeUndefined();
  });

  it('is full says so, outside of the machine', () => {
    const machine = new FakeMachine(program);
    const writer = new TraceWriter(collect(), HEADER, nodeCodec);
    writer.interrupt = () => {
      throw new Error('the trace is full');
    };
    const recorder = new Recorder(machine, writer);
    expect(() => recorder.run({ tick: 3000 })).toThrow('the trace is full');
    expect(machine.tick).toBeLessThan(3000);
  });
});

describe('a divergence', () => {
  const program: FakeProgram = { seed: 7, haltEvery: 80, timerNs: 1300 };
  const script = inputScript([
    { at: 1500, serial: 'one' },
    { at: 4200, serial: 'two' },
  ]);
  const replayed = (trace: Trace) => replayOn(new FakeMachine(program), trace).divergence;

  it('is found at the interrupt, input, digest or end that was changed', async () => {
    const { trace } = await recordFake(program, { script });
    const { interrupts, inputs, digests, end } = trace;
    const middle = interrupts.ticks.length >> 1;

    const otherVector = interrupts.vectors.slice();
    otherVector[middle] ^= 1;
    expect(replayed({ ...trace, interrupts: { ...interrupts, vectors: otherVector } })).toEqual({
      tick: interrupts.ticks[middle],
      what: 'interrupt',
      expected: `vector 0x${otherVector[middle].toString(16)} at tick ${interrupts.ticks[middle]}`,
      found: `vector 0x${interrupts.vectors[middle].toString(16)} at tick ${interrupts.ticks[middle]}`,
    });

    const later = interrupts.ticks.slice();
    later[middle] += 1;
    expect(replayed({ ...trace, interrupts: { ...interrupts, ticks: later } })).toMatchObject({
      tick: interrupts.ticks[middle],
      what: 'interrupt',
    });

    const extra = {
      ticks: Float64Array.of(...interrupts.ticks, end!.tick - 1),
      vectors: Uint8Array.of(...interrupts.vectors, 0x99),
    };
    expect(replayed({ ...trace, interrupts: extra })).toMatchObject({ what: 'interrupt', found: 'none', expected: 'vector 0x99' });

    const missing = { ticks: interrupts.ticks.slice(0, -1), vectors: interrupts.vectors.slice(0, -1) };
    expect(replayed({ ...trace, interrupts: missing })).toMatchObject({
      what: 'interrupt',
      expected: 'no more',
      tick: interrupts.ticks.at(-1),
    });

    const values = digests.values.slice();
    values[3] ^= 1n;
    expect(replayed({ ...trace, digests: { ...digests, values } })).toMatchObject({ what: 'digest', tick: digests.ticks[3] });

    const otherInput = [inputs[0], { ...inputs[1], payload: Uint8Array.of(1) }];
    expect(replayed({ ...trace, inputs: otherInput })?.tick).toBeGreaterThanOrEqual(inputs[1].tick);
    const impossible = [inputs[0], { ...inputs[1], ns: inputs[1].ns + 1_000_000 }];
    expect(replayed({ ...trace, inputs: impossible })).toMatchObject({ what: 'input' });
    expect(replayed({ ...trace, inputs: [{ ...inputs[0], device: 'toaster' }] })).toMatchObject({ what: 'input', tick: inputs[0].tick });

    expect(replayed({ ...trace, end: { ...end!, digest: end!.digest ^ 1n } })).toMatchObject({ what: 'digest', tick: end!.tick });
    expect(replayed({ ...trace, end: { ...end!, reason: 'powerOff' } })).toMatchObject({ what: 'end' });
    expect(replayed(trace)).toBeUndefined();
  });

  it('is found when the machine computes something else', async () => {
    const { trace } = await recordFake({ ...program, haltEvery: 1e9 });
    const machine = new FakeMachine({ ...program, haltEvery: 1e9 });
    machine.corrupt();
    expect(replayOn(machine, trace)).toMatchObject({ status: 4, reason: 'diverged', divergence: { what: 'digest', tick: 1000 } });
  });

  it('is found when the guest ends too early or not at all', async () => {
    const early: FakeProgram = { ...program, end: { tick: 2000, reason: { kind: 'halted' } } };
    const { trace } = await recordFake(program);
    expect(replayOn(new FakeMachine(early), trace).divergence).toMatchObject({ what: 'end', tick: 2000 });
    const { trace: short } = await recordFake(early);
    expect(replayOn(new FakeMachine(program), short).divergence?.tick).toBe(2000);
  });
});

it('replays up to a tick, and stops there', async () => {
  const program: FakeProgram = { seed: 9, haltEvery: 90, timerNs: 1000 };
  const { trace } = await recordFake(program);
  const reference = new FakeMachine(program);
  reference.run({ tick: 4321 });
  const digests: number[] = [];
  const result = replayOn(new FakeMachine(program), trace, { to: 4321, onDigest: (tick) => digests.push(tick) });
  expect(result).toMatchObject({ divergence: undefined, reason: 'stopped', status: 0, tick: 4321, digest: reference.digest() });
  expect(digests).toEqual([1000, 2000, 3000, 4000]);
  expect(replayOn(new FakeMachine(program), trace, { to: 1e9 })).toMatchObject({ reason: 'limit', tick: 10_000 });
});
