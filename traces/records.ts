/**
 * The records with named fields (HEAD, END, IMAG, SNAP, INDX): their shapes, checked with valibot on reading and on
 * writing.
 */
import * as v from 'valibot';
import { printable, quote, TraceError } from './errors.js';
import type { PlainData, PlainValue, TraceEnd, TraceHeader } from './events.js';
import { LIMITS, PIECE_BYTES, SEAL_BYTES, SEGMENT_TARGET } from './format.js';
import { checkPlain, decodeMessage, encodeMessage } from './message.js';

const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const word = v.pipe(v.string(), v.maxLength(LIMITS.wordLength));
const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');
const seal = v.pipe(
  bytes,
  v.check((value) => value.length === SEAL_BYTES, 'a seal has 8 bytes'),
);
const sha256Hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const plainData = v.custom<PlainData>((value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return false;
  checkPlain(value, 0);
  return true;
}, 'must be a map of plain data');

const headerSchema = v.strictObject({
  engineVersion: word,
  nsPerTick: v.pipe(natural, v.minValue(1), v.maxValue(2 ** 32 - 1)),
  seed: v.pipe(natural, v.maxValue(2 ** 32 - 1)),
  machine: plainData,
  images: v.pipe(
    v.array(
      v.strictObject({
        role: word,
        sha256: sha256Hex,
        sizeBytes: v.pipe(natural, v.maxValue(LIMITS.imageBytes)),
        path: v.pipe(
          v.string(),
          v.maxLength(LIMITS.pathLength),
          v.check((path) => !path.includes('\0'), 'a path with a NUL in it'),
        ),
      }),
    ),
    v.maxLength(LIMITS.images),
  ),
});

const endSchema = v.strictObject({
  reason: word,
  status: natural,
  tick: natural,
  ns: natural,
  digest: v.pipe(v.bigint(), v.minValue(0n), v.maxValue(2n ** 64n - 1n)),
  seal,
});

const pieceBytes = v.pipe(natural, v.minValue(1), v.maxValue(PIECE_BYTES));
const imageSchema = v.strictObject({
  sha256: sha256Hex,
  sizeBytes: v.pipe(natural, v.maxValue(LIMITS.imageBytes)),
  pieceBytes,
});
const snapshotSchema = v.strictObject({
  tick: natural,
  ns: natural,
  sha256: sha256Hex,
  sizeBytes: v.pipe(natural, v.maxValue(LIMITS.snapshotBytes)),
  pieceBytes,
});
const indexSchema = v.strictTuple([v.pipe(v.string(), v.maxLength(4 * LIMITS.chunks)), bytes, bytes]);
const count = (limit: number) => v.pipe(natural, v.maxValue(limit));
const segmentSchema = v.strictTuple([
  seal,
  natural,
  natural,
  count(2 * SEGMENT_TARGET.interrupts),
  bytes,
  bytes,
  count(2 * SEGMENT_TARGET.inputs),
  bytes,
  bytes,
  v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(LIMITS.deviceNameLength))), v.maxLength(LIMITS.devicesPerSegment)),
  bytes,
  bytes,
  bytes,
  count(2 * SEGMENT_TARGET.digests),
  bytes,
  bytes,
]);

export type EndRecord = TraceEnd & { readonly seal: Uint8Array };
export type ImageRecord = v.InferOutput<typeof imageSchema>;
export type SnapshotRecord = v.InferOutput<typeof snapshotSchema>;
export type IndexRecord = v.InferOutput<typeof indexSchema>;
export type SegmentRecord = v.InferOutput<typeof segmentSchema>;

interface RecordFormat<Content> {
  encode(content: Content): Uint8Array;
  decode(raw: Uint8Array): Content;
}

function recordFormat<Content extends PlainValue | object>(schema: v.GenericSchema<unknown, Content>): RecordFormat<Content> {
  const check = (value: unknown): Content => {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    const [issue] = result.issues;
    const path = v.getDotPath(issue);
    throw new TraceError(`${path === null ? 'record' : `field ${quote(path)}`}: ${printable(issue.message)}`);
  };
  return {
    encode: (content) => encodeMessage(check(content) as PlainValue),
    decode: (raw) => check(decodeMessage(raw)),
  };
}

export const headerRecord: RecordFormat<TraceHeader> = recordFormat<TraceHeader>(headerSchema);
export const endRecord: RecordFormat<EndRecord> = recordFormat<EndRecord>(endSchema);
export const imageRecord: RecordFormat<ImageRecord> = recordFormat<ImageRecord>(imageSchema);
export const snapshotRecord: RecordFormat<SnapshotRecord> = recordFormat<SnapshotRecord>(snapshotSchema);
export const indexRecord: RecordFormat<IndexRecord> = recordFormat<IndexRecord>(indexSchema);
export const segmentRecord: RecordFormat<SegmentRecord> = recordFormat<SegmentRecord>(segmentSchema);
