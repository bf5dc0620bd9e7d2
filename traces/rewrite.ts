/**
 * Rewrites a trace with as few segments as possible, so that it compresses better, and with more images embedded.
 * Content, and so identity, stays as it is.
 */
import { chunkKind } from './chunks.js';
import type { Codec } from './codec.js';
import type { ImageReference, Point } from './events.js';
import { LIMITS, SEGMENT_TARGET } from './format.js';
import type { Trace } from './reader.js';
import type { ByteSource } from './source.js';
import { type TraceSink, TraceWriter } from './writer.js';

/** Merges the segments of a trace. */
export function compactTrace(trace: Trace, sink: TraceSink, codec: Codec): void {
  rewriteTrace(trace, sink, codec, () => {});
}

/**
 * Makes a trace self-contained.
 * @param find gives each image that is not embedded yet; its contents are checked against the reference.
 * @throws TraceError when an image is not the one that was recorded. What the sink got by then must be thrown away.
 */
export function packTrace(trace: Trace, sink: TraceSink, codec: Codec, find: (reference: ImageReference) => ByteSource): void {
  const missing = new Map<string, ImageReference>();
  for (const reference of trace.header.images) {
    if (!trace.images.has(reference.sha256) && !missing.has(reference.sha256)) missing.set(reference.sha256, reference);
  }
  rewriteTrace(trace, sink, codec, (writer) => {
    for (const reference of missing.values()) writer.image(reference.sha256, find(reference));
  });
}

function rewriteTrace(trace: Trace, sink: TraceSink, codec: Codec, addImages: (writer: TraceWriter) => void): void {
  const writer = new TraceWriter(sink, trace.header, codec);
  mergeSegments(trace, writer);
  for (const head of trace.chunks) {
    const kind = chunkKind(head.type);
    if (kind?.required !== true && head.type !== 'INDX') writer.copy(trace.source, head);
  }
  addImages(writer);
  if (trace.end !== undefined) writer.end(trace.end);
}

/** Several flushes of the recorder become one, as long as the result is of a reasonable size. */
function mergeSegments(trace: Trace, writer: TraceWriter): void {
  const { interrupts, inputs, digests } = trace;
  const next = { interrupt: 0, input: 0, digest: 0 };
  let pending = { interrupts: 0, inputs: 0, inputBytes: 0, digests: 0 };
  let devices = new Set<string>();
  let previous: Point | undefined;
  for (const { to, interruptCount, inputCount, digestCount } of trace.flushes) {
    const ownInputs = inputs.slice(next.input, next.input + inputCount);
    const own = {
      interrupts: interruptCount,
      inputs: inputCount,
      inputBytes: ownInputs.reduce((sum, { payload }) => sum + payload.length, 0),
      digests: digestCount,
    };
    const ownDevices = new Set(ownInputs.map(({ device }) => device));
    const fits =
      KEYS.every((key) => pending[key] + own[key] <= SEGMENT_TARGET[key]) && devices.size + ownDevices.size <= LIMITS.devicesPerSegment;
    if (previous !== undefined && !fits) {
      writer.flush(previous);
      pending = { interrupts: 0, inputs: 0, inputBytes: 0, digests: 0 };
      devices = new Set();
    }
    for (const key of KEYS) pending[key] += own[key];
    for (const device of ownDevices) devices.add(device);
    for (const end = next.interrupt + interruptCount; next.interrupt < end; next.interrupt++) {
      writer.interrupt({ tick: interrupts.ticks[next.interrupt], vector: interrupts.vectors[next.interrupt] });
    }
    for (const input of ownInputs) writer.input(input);
    next.input += inputCount;
    for (const end = next.digest + digestCount; next.digest < end; next.digest++) {
      writer.digest(digests.ticks[next.digest], digests.values[next.digest]);
    }
    previous = to;
  }
  if (previous !== undefined) writer.flush(previous);
}

const KEYS = ['interrupts', 'inputs', 'inputBytes', 'digests'] as const;
