/**
 * The container as a whole: what is written is read, and nothing else is.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeChunk, readRaw, Seal } from './chunks.js';
import { LIMITS, PIECE_BYTES } from './format.js';
import {
  bytesSource,
  type InputEvent,
  nodeCodec,
  type PlainValue,
  packTrace,
  readTrace,
  readTraceSummary,
  type Trace,
  TraceError,
  type TraceHeader,
  TraceWriter,
  traceIdentity,
} from './index.js';
import { compactTrace } from './rewrite.js';
import { encodeSegment } from './segment.js';

const NS_PER_TICK = 2;
const HEADER: TraceHeader = {
  engineVersion: '0.1.0',
  nsPerTick: NS_PER_TICK,
  seed: 7,
  machine: { memoryBytes: 1 << 26, boot: { kind: 'linux', commandLine: 'console=ttyS0' }, big: 2n ** 63n, bytes: Uint8Array.of(1, 2) },
  images: [],
};
const END = { reason: 'powerOff', status: 0, digest: 0xfedc_ba98_7654_3210n };

class MemorySink {
  readonly writes: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.writes.push(bytes.slice());
  }
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.writes));
  }
}

const read = (bytes: Uint8Array): Trace => readTrace(bytesSource(bytes, 'some.trace'), nodeCodec);

function compacted(bytes: Uint8Array): Uint8Array {
  const sink = new MemorySink();
  compactTrace(read(bytes), sink, nodeCodec);
  return sink.bytes;
}

/** Everything but where it is stored. */
const contentOf = ({ header, interrupts, inputs, digests, end, coveredTo }: Trace) => ({
  header,
  interrupts,
  inputs,
  digests,
  end,
  coveredTo,
});

/** A run as a list of steps, so that it can be flushed anywhere. */
type Step =
  | { readonly kind: 'interrupt'; readonly vector: number }
  | { readonly kind: 'input'; readonly device: string; readonly payload: Uint8Array }
  | { readonly kind: 'digest'; readonly value: bigint };
interface TimedStep {
  readonly ticks: number;
  readonly skippedNs: number;
  readonly flush: boolean;
  readonly step: Step;
}

const aStep: fc.Arbitrary<TimedStep> = fc.record({
  ticks: fc.oneof(
    fc.nat(3),
    fc.nat(1e6),
    fc.maxSafeNat().map((value) => value % 2 ** 45),
  ),
  skippedNs: fc.oneof(fc.constant(0), fc.nat(1e9)),
  flush: fc.boolean(),
  step: fc.oneof(
    fc.record({ kind: fc.constant('interrupt' as const), vector: fc.nat(255) }),
    fc.record({
      kind: fc.constant('input' as const),
      device: fc.constantFrom('serial0', 'keyboard', 'tastatur-\u00fc'),
      payload: fc.uint8Array({ maxLength: 20 }),
    }),
    fc.record({ kind: fc.constant('digest' as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
  ),
});

/** @param flushes false: nothing is flushed before the end. */
function write(steps: readonly TimedStep[], { flushes = true, end = true } = {}) {
  const sink = new MemorySink();
  const writer = new TraceWriter(sink, HEADER, nodeCodec);
  const expected = {
    interruptTicks: [] as number[],
    vectors: [] as number[],
    inputs: [] as InputEvent[],
    digestTicks: [] as number[],
    digests: [] as bigint[],
  };
  let tick = 0;
  let ns = 0;
  for (const { ticks, skippedNs, flush, step } of steps) {
    tick += ticks;
    ns += ticks * NS_PER_TICK + skippedNs;
    switch (step.kind) {
      case 'interrupt':
        writer.interrupt({ tick, vector: step.vector });
        expected.interruptTicks.push(tick);
        expected.vectors.push(step.vector);
        break;
      case 'input': {
        const event = { tick, ns, device: step.device, payload: step.payload };
        writer.input(event);
        expected.inputs.push(event);
        break;
      }
      case 'digest':
        writer.digest(tick, step.value);
        expected.digestTicks.push(tick);
        expected.digests.push(step.value);
    }
    if (flush && flushes) writer.flush({ tick, ns });
  }
  tick += 10;
  ns += 10 * NS_PER_TICK;
  if (end) writer.end({ ...END, tick, ns });
  return { bytes: sink.bytes, writes: sink.writes, expected, tick, ns };
}

const SMALL: readonly TimedStep[] = [
  { ticks: 100, skippedNs: 0, flush: false, step: { kind: 'interrupt', vector: 0x20 } },
  { ticks: 900, skippedNs: 50, flush: true, step: { kind: 'digest', value: 1n } },
  { ticks: 5, skippedNs: 0, flush: false, step: { kind: 'input', device: 'serial0', payload: Uint8Array.of(104, 105) } },
  { ticks: 0, skippedNs: 0, flush: true, step: { kind: 'interrupt', vector: 0x24 } },
  { ticks: 4000, skippedNs: 0, flush: true, step: { kind: 'digest', value: 2n } },
];

describe('round trip', () => {
  it('reads what was written, however it was flushed, with the same identity', () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 40 }), (steps) => {
        const { bytes, expected, tick, ns } = write(steps);
        const trace = read(bytes);
        expect(trace.header).toEqual(HEADER);
        expect([...trace.interrupts.ticks]).toEqual(expected.interruptTicks);
        expect([...trace.interrupts.vectors]).toEqual(expected.vectors);
        expect(trace.inputs).toEqual(expected.inputs);
        expect([...trace.digests.ticks]).toEqual(expected.digestTicks);
        expect([...trace.digests.values]).toEqual(expected.digests);
        expect(trace.end).toEqual({ ...END, tick, ns });
        expect(trace.complete).toBe(true);
        expect(trace.coveredTo).toEqual({ tick, ns });
        expect(trace.tornBytes).toBe(0);

        const unflushed = read(write(steps, { flushes: false }).bytes);
        const merged = read(compacted(bytes));
        expect(merged.flushes.length).toBe(1);
        expect(contentOf(merged)).toEqual(contentOf(trace));
        const identity = traceIdentity(trace, nodeCodec);
        expect(traceIdentity(unflushed, nodeCodec)).toBe(identity);
        expect(traceIdentity(merged, nodeCodec)).toBe(identity);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('writes the same bytes for the same run', () => {
    expect(write(SMALL).bytes).toEqual(write(SMALL).bytes);
  });

  it('has the identity that the specification gives it', () => {
    expect(traceIdentity(read(write(SMALL).bytes), nodeCodec)).toMatchInlineSnapshot(
      `"7e297a30178373defbe683dba3390561fafebcc90bfa80fe337380b520d20a13"`,
    );
  });

  it('tells different runs apart', () => {
    const identity = traceIdentity(read(write(SMALL).bytes), nodeCodec);
    const identities = SMALL.map((_, i) => traceIdentity(read(write(SMALL.filter((_, j) => j !== i)).bytes), nodeCodec));
    expect(new Set([identity, ...identities]).size).toBe(SMALL.length + 1);
    expect(traceIdentity(read(write(SMALL, { end: false }).bytes), nodeCodec)).not.toBe(identity);
  });

  it('knows every part of the header but the paths of images', () => {
    const image = { role: 'kernel', sha256: '1'.repeat(64), sizeBytes: 5, path: '/here' };
    const identityWith = (change: Partial<TraceHeader>): string => {
      const sink = new MemorySink();
      new TraceWriter(sink, { ...HEADER, images: [image], ...change }, nodeCodec).end({ ...END, tick: 0, ns: 0 });
      return traceIdentity(read(sink.bytes), nodeCodec);
    };
    const changes: readonly Partial<TraceHeader>[] = [
      {},
      { engineVersion: '0.1.1' },
      { nsPerTick: 3 },
      { seed: 8 },
      { machine: {} },
      { images: [] },
      { images: [{ ...image, role: 'initrd' }] },
      { images: [{ ...image, sha256: '2'.repeat(64) }] },
      { images: [{ ...image, sizeBytes: 6 }] },
    ];
    expect(new Set(changes.map(identityWith)).size).toBe(changes.length);
    expect(identityWith({ images: [{ ...image, path: '/there' }] })).toBe(identityWith({}));
  });

  it('makes one write of the header, one of each flush and one of the end', () => {
    expect(write(SMALL).writes.length).toBe(1 + 3 + 1);
  });

  it('summarises a trace without reading the events', () => {
    const { bytes, tick, ns } = write(SMALL);
    const reads: number[] = [];
    const source = bytesSource(bytes);
    const counting = { sizeBytes: source.sizeBytes, read: (at: number, into: Uint8Array) => (reads.push(at), source.read(at, into)) };
    expect(readTraceSummary(counting, nodeCodec)).toEqual({ header: HEADER, end: { ...END, tick, ns }, coveredTo: { tick, ns } });
    for (const { type, offsetBytes } of read(bytes).chunks) expect(reads.includes(offsetBytes)).toBe(type !== 'SEGM');
  });

  it('summarises a trace that has no index', () => {
    const { bytes } = write(SMALL, { end: false });
    expect(readTraceSummary(bytesSource(bytes), nodeCodec)).toEqual({
      header: HEADER,
      end: undefined,
      coveredTo: { tick: 5005, ns: 10060 },
    });
  });
});

describe('a recorder that was killed', () => {
  it('leaves a trace that reads up to the last flush, wherever it was cut', () => {
    const { bytes } = write(SMALL);
    const whole = read(bytes);
    const flushEnds = new Set<number>();
    for (let length = 0; length < bytes.length; length++) {
      const headerEnd = whole.chunks[1].offsetBytes;
      if (length < headerEnd) {
        expect(() => read(bytes.subarray(0, length))).toThrow(TraceError);
        continue;
      }
      const prefix = read(bytes.subarray(0, length));
      const whatIsWhole = whole.chunks.filter((_, i) => (whole.chunks[i + 1]?.offsetBytes ?? bytes.length) <= length);
      const flushes = whatIsWhole.filter(({ type }) => type === 'SEGM').length;
      expect(prefix.flushes).toEqual(whole.flushes.slice(0, flushes));
      expect(prefix.complete).toBe(whatIsWhole.some(({ type }) => type === 'END '));
      expect(prefix.coveredTo).toEqual(whole.flushes[flushes - 1]?.to ?? { tick: 0, ns: 0 });
      const isPrefix = (part: ArrayLike<unknown>, all: ArrayLike<unknown>) =>
        expect(Array.from(part)).toEqual(Array.from(all).slice(0, part.length));
      isPrefix(prefix.interrupts.ticks, whole.interrupts.ticks);
      isPrefix(prefix.interrupts.vectors, whole.interrupts.vectors);
      isPrefix(prefix.inputs, whole.inputs);
      isPrefix(prefix.digests.values, whole.digests.values);
      expect(prefix.interrupts.ticks.length).toBe(
        whole.flushes.slice(0, flushes).reduce((sum, { interruptCount }) => sum + interruptCount, 0),
      );
      flushEnds.add(flushes);
    }
    expect([...flushEnds]).toEqual([0, 1, 2, 3, 4]);
  });

  it('may leave zeros behind', () => {
    const { bytes } = write(SMALL, { end: false });
    const trace = read(new Uint8Array(Buffer.concat([bytes, new Uint8Array(5000)])));
    expect(trace.complete).toBe(false);
    expect(trace.tornBytes).toBe(5000);
    expect(contentOf(trace)).toEqual(contentOf(read(bytes)));
  });

  it('leaves a trace whose segments are merged only up to a reasonable size', () => {
    const sink = new MemorySink();
    const writer = new TraceWriter(sink, HEADER, nodeCodec);
    const payload = new Uint8Array(LIMITS.payloadBytes);
    for (let tick = 1; tick <= 12; tick++) {
      writer.input({ tick, ns: 2 * tick, device: 'x', payload });
      writer.flush({ tick, ns: 2 * tick });
    }
    const trace = read(compacted(sink.bytes));
    expect(trace.flushes.map(({ to, inputCount }) => [to.tick, inputCount])).toEqual([
      [8, 8],
      [12, 4],
    ]);
    expect(traceIdentity(trace, nodeCodec)).toBe(traceIdentity(read(sink.bytes), nodeCodec));
  });

  it('leaves a trace that can be compacted and stays incomplete', () => {
    const { bytes } = write(SMALL, { end: false });
    const torn = bytes.subarray(0, bytes.length - 3);
    const trace = read(torn);
    expect(trace.tornBytes).toBeGreaterThan(0);
    expect(contentOf(read(compacted(torn)))).toEqual(contentOf(trace));
  });
});

describe('damage', () => {
  it('is found for every single bit', () => {
    const { bytes } = write(SMALL);
    const damaged = bytes.slice();
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      damaged[bit >> 3] ^= 1 << (bit & 7);
      expect(() => read(damaged), `bit ${bit}`).toThrow(TraceError);
      damaged[bit >> 3] ^= 1 << (bit & 7);
    }
  });

  it('is reported on one line with file, place and remedy', () => {
    const { bytes } = write(SMALL);
    const segment = read(bytes).chunks[1];
    bytes[segment.offsetBytes + 30] ^= 1;
    expect(() => read(bytes)).toThrow(
      new TraceError('damaged: wrong checksum; restore the file from a copy', {
        fileName: 'some.trace',
        offsetBytes: segment.offsetBytes,
        chunk: 'SEGM',
      }),
    );
    expect(() => read(bytes)).toThrow(/^some\.trace, byte \d+, chunk SEGM: damaged: [^\n]*$/);
  });

  it('shows when a chunk is missing, doubled or moved', () => {
    const { bytes } = write(SMALL, { end: false });
    const offsets = [...read(bytes).chunks.map(({ offsetBytes }) => offsetBytes), bytes.length];
    const part = (i: number) => bytes.subarray(offsets[i], offsets[i + 1]);
    const assemble = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat([bytes.subarray(0, 12), ...parts]));
    expect(read(assemble(part(0), part(1), part(2), part(3))).flushes.length).toBe(3);
    for (const order of [
      [0, 2, 3],
      [0, 1, 3],
      [0, 1, 1],
      [0, 2, 1, 3],
      [0, 0, 1],
      [1, 2],
    ]) {
      expect(() => read(assemble(...order.map(part))), `${order}`).toThrow(TraceError);
    }
  });

  it('shows when bytes are appended', () => {
    const { bytes } = write(SMALL);
    for (const extra of [Uint8Array.of(0), new Uint8Array(100), bytes, Uint8Array.of(1, 2, 3)]) {
      expect(() => read(new Uint8Array(Buffer.concat([bytes, extra])))).toThrow(TraceError);
    }
  });
});

describe('size', () => {
  function timerTrace(interruptCount: number, jitterTicks: number) {
    const sink = new MemorySink();
    const writer = new TraceWriter(sink, HEADER, nodeCodec);
    let random = 1;
    let tick = 0;
    for (let i = 1; i <= interruptCount; i++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      tick = i * 1_000_000 + ((random >>> 8) % jitterTicks);
      writer.interrupt({ tick, vector: 0x30 });
      if (i % 100 === 0) writer.digest(tick, (BigInt(random) * 0x9e37_79b9_7f4a_7c15n) & 0xffff_ffff_ffff_ffffn);
      if (i % 150 === 0) writer.flush({ tick, ns: tick * NS_PER_TICK });
    }
    writer.end({ ...END, tick, ns: tick * NS_PER_TICK });
    return sink.bytes;
  }

  it('of 6,000 timer interrupts, 60 digests and 40 flushes is far below 20 kB', () => {
    const bytes = timerTrace(6000, 8);
    expect(read(bytes).interrupts.ticks.length).toBe(6000);
    expect(read(bytes).digests.ticks.length).toBe(60);
    expect(read(bytes).flushes.length).toBe(40);
    expect(bytes.length).toBeLessThan(11_000);
    expect(compacted(bytes).length).toBeLessThan(3_000);
  });

  it('stays below 20 kB when each interrupt is up to 1,000 ticks late', () => {
    const bytes = timerTrace(6000, 1000);
    expect(bytes.length).toBeLessThan(18_000);
    expect(compacted(bytes).length).toBeLessThan(13_000);
  });

  it('is at most 4 bytes an interrupt before compression, with any jitter', () => {
    const trace = read(compacted(timerTrace(6000, 1_000_000)));
    const segment = trace.chunks.find(({ type }) => type === 'SEGM');
    expect(segment?.rawBytes).toBeLessThan(4 * 6000 + 60 * 12);
  });
});

describe('embedded images and snapshots', () => {
  const image = Uint8Array.from({ length: PIECE_BYTES + 1000 }, (_, i) => (i * i) >>> 7);
  const sha256 = Buffer.from(nodeCodec.sha256([image])).toString('hex');
  const header: TraceHeader = { ...HEADER, images: [{ role: 'kernel', sha256, sizeBytes: image.length, path: '/boot/vmlinuz' }] };
  const state: PlainValue = {
    cpu: { eip: 4096, tsc: 2n ** 60n },
    ram: new Uint8Array(5000).fill(7),
    alarms: [Number.POSITIVE_INFINITY, null],
  };

  function record(): Uint8Array {
    const sink = new MemorySink();
    const writer = new TraceWriter(sink, header, nodeCodec);
    writer.flush({ tick: 10, ns: 20 });
    writer.snapshot(state);
    writer.end({ ...END, tick: 20, ns: 40 });
    return sink.bytes;
  }
  function packed(bytes: Uint8Array, found: Uint8Array = image): Uint8Array {
    const sink = new MemorySink();
    packTrace(read(bytes), sink, nodeCodec, () => bytesSource(found, 'vmlinuz'));
    return sink.bytes;
  }

  it('come back as they were, and do not change the identity', () => {
    const recorded = record();
    const pack = packed(recorded);
    const trace = read(pack);
    const embedded = trace.images.get(sha256);
    expect(embedded?.sizeBytes).toBe(image.length);
    embedded?.verify();
    const into = new Uint8Array(2000);
    embedded?.read(PIECE_BYTES - 1000, into);
    expect(into).toEqual(image.subarray(PIECE_BYTES - 1000, PIECE_BYTES + 1000));
    expect(trace.snapshots).toMatchObject([{ tick: 10, ns: 20 }]);
    expect(trace.snapshots[0].read()).toEqual(state);
    expect(read(compacted(pack)).snapshots[0].read()).toEqual(state);
    expect(traceIdentity(trace, nodeCodec)).toBe(traceIdentity(read(recorded), nodeCodec));
    expect(packed(pack)).toEqual(pack);
  });

  it('are refused when the image is another one', () => {
    const other = image.slice();
    other[5] ^= 1;
    expect(() => packed(record(), other)).toThrow(/^vmlinuz: the image has sha256 [0-9a-f]{64} instead of /);
  });

  it('are checked when they are read', () => {
    const pack = packed(record());
    const data = read(pack).chunks.filter(({ type }) => type === 'DATA');
    for (const head of data) {
      const damaged = pack.slice();
      damaged[head.offsetBytes + 22 + 10] ^= 4;
      const trace = read(damaged);
      expect(() => {
        trace.images.get(sha256)?.verify();
        trace.snapshots[0].read();
      }).toThrow(TraceError);
    }
    expect(data.length).toBe(3);
  });

  it('do not count when the recorder was killed between their pieces', () => {
    const pack = packed(record());
    const trace = read(pack);
    const lastPiece = trace.chunks.filter(({ type }) => type === 'DATA').at(-1);
    const torn = pack.subarray(0, lastPiece?.offsetBytes);
    expect(read(torn).images.size).toBe(0);
    expect(read(torn).tornBytes).toBeGreaterThan(0);
    expect(read(compacted(torn)).chunks.map(({ type }) => type)).toEqual(['HEAD', 'SEGM', 'SNAP', 'DATA']);
  });
});

describe('the writer refuses what a reader would', () => {
  const writer = () => new TraceWriter(new MemorySink(), HEADER, nodeCodec);
  const cases: readonly (readonly [string, (writer: TraceWriter) => void])[] = [
    ['time that runs backwards', (w) => (w.interrupt({ tick: 5, vector: 1 }), w.interrupt({ tick: 4, vector: 1 }))],
    ['events before the last flush', (w) => (w.flush({ tick: 5, ns: 10 }), w.digest(4, 0n))],
    ['a flush before its events', (w) => (w.interrupt({ tick: 5, vector: 1 }), w.flush({ tick: 4, ns: 8 }))],
    ['less time than ticks take', (w) => w.flush({ tick: 5, ns: 9 })],
    ['skipped time that is given back', (w) => (w.flush({ tick: 5, ns: 12 }), w.flush({ tick: 6, ns: 13 }))],
    ['fractions', (w) => w.interrupt({ tick: 0.5, vector: 1 })],
    ['ticks beyond 2^53', (w) => w.digest(2 ** 53, 1n)],
    ['vectors beyond 255', (w) => w.interrupt({ tick: 1, vector: 256 })],
    ['digests beyond 64 bits', (w) => w.digest(1, 2n ** 64n)],
    ['nameless devices', (w) => w.input({ tick: 1, ns: 2, device: '', payload: new Uint8Array(1) })],
    ['long names', (w) => w.input({ tick: 1, ns: 2, device: 'x'.repeat(LIMITS.deviceNameLength + 1), payload: new Uint8Array(1) })],
    ['large payloads', (w) => w.input({ tick: 1, ns: 2, device: 'x', payload: new Uint8Array(LIMITS.payloadBytes + 1) })],
    ['anything after the end', (w) => (w.end({ ...END, tick: 1, ns: 2 }), w.interrupt({ tick: 1, vector: 1 }))],
    ['a second end', (w) => (w.end({ ...END, tick: 1, ns: 2 }), w.end({ ...END, tick: 1, ns: 2 }))],
    ['snapshots that are not plain', (w) => w.snapshot({ when: new Date(0) } as unknown as PlainValue)],
    ['a header that is not one', () => new TraceWriter(new MemorySink(), { ...HEADER, seed: -1 }, nodeCodec)],
    [
      'a machine that is not plain data',
      () => new TraceWriter(new MemorySink(), { ...HEADER, machine: { x: undefined } } as unknown as TraceHeader, nodeCodec),
    ],
  ];
  for (const [what, action] of cases) it(what, () => expect(() => action(writer())).toThrow(TraceError));

  it('more than a trace may hold', () => {
    const sink = new MemorySink();
    const full = new TraceWriter(sink, HEADER, nodeCodec);
    const flush = () => full.flush({ tick: 1, ns: 2 });
    for (let count = 0; count < LIMITS.digests; count++) {
      if (full.wantsFlush) flush();
      full.digest(1, 5n);
    }
    expect(() => full.digest(1, 5n)).toThrow(`the trace is full: ${LIMITS.digests} digests`);
    flush();
    expect(read(sink.bytes).digests.values.length).toBe(LIMITS.digests);

    const seal = new Seal(nodeCodec);
    for (const head of read(sink.bytes).chunks) seal.add(readRaw(bytesSource(sink.bytes), head, nodeCodec));
    const digests = { ticks: [1], values: [5n] };
    const now = { tick: 1, ns: 2 };
    const one = encodeSegment(seal.value, now, now, { interrupts: { ticks: [], vectors: [] }, inputs: [], digests }, NS_PER_TICK);
    sink.write(encodeChunk('SEGM', one, nodeCodec));
    expect(() => read(sink.bytes)).toThrow(`more than ${LIMITS.digests} digests`);
  });

  it('keeps a copy of an input', () => {
    const sink = new MemorySink();
    const copying = new TraceWriter(sink, HEADER, nodeCodec);
    const payload = Uint8Array.of(1);
    copying.input({ tick: 1, ns: 2, device: 'x', payload });
    payload[0] = 2;
    copying.flush({ tick: 1, ns: 2 });
    expect(read(sink.bytes).inputs[0].payload).toEqual(Uint8Array.of(1));
  });

  it('anything after a write that failed', () => {
    const sink = new MemorySink();
    let broken = false;
    const failing = {
      write(bytes: Uint8Array) {
        if (broken) {
          sink.write(bytes.subarray(0, 7));
          throw new TraceError('no space left on the device');
        }
        sink.write(bytes);
      },
    };
    const stuck = new TraceWriter(failing, HEADER, nodeCodec);
    stuck.flush({ tick: 1, ns: 2 });
    broken = true;
    expect(() => stuck.flush({ tick: 2, ns: 4 })).toThrow('no space left on the device');
    broken = false;
    expect(() => stuck.flush({ tick: 3, ns: 6 })).toThrow('an earlier write failed: nothing can be added');
    expect(read(sink.bytes)).toMatchObject({ coveredTo: { tick: 1, ns: 2 }, tornBytes: 7 });
  });

  it('asks for a flush before it is full', () => {
    const full = writer();
    const payload = new Uint8Array(LIMITS.payloadBytes);
    let inputs = 0;
    for (; !full.wantsFlush; inputs++) full.input({ tick: 1, ns: 2, device: 'x', payload });
    expect(inputs).toBe(8);
    full.flush({ tick: 1, ns: 2 });
    expect(full.wantsFlush).toBe(false);
  });
});
