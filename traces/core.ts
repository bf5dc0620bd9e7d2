/**
 * The part of the trace container that runs anywhere: bring a Codec, and bytes.
 */
export type { EmbeddedImage, TraceSnapshot } from './blobs.js';
export type { ChunkHead } from './chunks.js';
export type { Codec } from './codec.js';
export { quote, TraceError, type TraceLocation } from './errors.js';
export type {
  AcceptedInterrupt,
  Events,
  ImageReference,
  InputEvent,
  PlainData,
  PlainValue,
  Point,
  TraceEnd,
  TraceHeader,
} from './events.js';
export { FORMAT_VERSION, LIMITS } from './format.js';
export { traceIdentity } from './identity.js';
export { type FlushSummary, readTrace, type Trace } from './reader.js';
export { compactTrace, packTrace } from './rewrite.js';
export { type ByteSource, bytesSource } from './source.js';
export { readTraceSummary, type TraceSummary } from './summary.js';
export { type TraceSink, TraceWriter } from './writer.js';
