/**
 * The INDX chunk: where the chunks of a finished trace are, to be found from the end of the file.
 */
import { type ChunkHead, chunkEnd, locationOf, readChunkHead, readRaw } from './chunks.js';
import type { Codec } from './codec.js';
import { decodeColumn, encodeColumn } from './columns.js';
import { locate, TraceError } from './errors.js';
import { CHUNK_HEAD_BYTES, LIMITS, PREAMBLE_BYTES } from './format.js';
import { indexRecord } from './records.js';
import { concatenate } from './segment.js';
import { type ByteSource, readBytes } from './source.js';

export interface IndexEntry {
  readonly type: string;
  readonly offsetBytes: number;
  /** Up to which the trace is covered behind this chunk. */
  readonly coveredTick: number;
}

const TRAILER_BYTES = 8;
const TRAILER_MAGIC = 0x494e4458; // "XDNI" read as little-endian

export function encodeIndex(entries: readonly IndexEntry[]): Uint8Array {
  const record = indexRecord.encode([
    entries.map(({ type }) => type).join(''),
    encodeColumn(entries.map(({ offsetBytes }) => offsetBytes)),
    encodeColumn(entries.map(({ coveredTick }) => coveredTick)),
  ]);
  const trailer = new DataView(new ArrayBuffer(TRAILER_BYTES));
  trailer.setUint32(0, CHUNK_HEAD_BYTES + record.length + TRAILER_BYTES, true);
  trailer.setUint32(4, TRAILER_MAGIC, true);
  return concatenate([record, new Uint8Array(trailer.buffer)]);
}

export function decodeIndex(raw: Uint8Array): IndexEntry[] {
  const trailer = trailerOf(raw);
  if (trailer !== CHUNK_HEAD_BYTES + raw.length) throw new TraceError('the index does not end as one');
  const [types, offsets, ticks] = indexRecord.decode(raw.subarray(0, raw.length - TRAILER_BYTES));
  const count = types.length / 4;
  if (!Number.isInteger(count) || count > LIMITS.chunks) throw new TraceError('the index is not a list of chunk types');
  const offsetBytes = decodeColumn(offsets, count, Number.MAX_SAFE_INTEGER, 'offsets');
  const coveredTicks = decodeColumn(ticks, count, Number.MAX_SAFE_INTEGER, 'ticks');
  return Array.from({ length: count }, (_, i) => ({
    type: types.slice(4 * i, 4 * i + 4),
    offsetBytes: offsetBytes[i],
    coveredTick: coveredTicks[i],
  }));
}

/** @returns the size of the index chunk that ends with these bytes. */
function trailerOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < TRAILER_BYTES) return undefined;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - TRAILER_BYTES, TRAILER_BYTES);
  return trailer.getUint32(4, true) === TRAILER_MAGIC ? trailer.getUint32(0, true) : undefined;
}

/** The index, found from the end of the source; undefined when the trace has none. */
export function readIndex(source: ByteSource, codec: Codec): IndexEntry[] | undefined {
  const head = findIndex(source);
  return head && locate(locationOf(source, head), () => decodeIndex(readRaw(source, head, codec)));
}

function findIndex(source: ByteSource): ChunkHead | undefined {
  if (source.sizeBytes < PREAMBLE_BYTES + CHUNK_HEAD_BYTES + TRAILER_BYTES) return undefined;
  const size = trailerOf(readBytes(source, source.sizeBytes - TRAILER_BYTES, TRAILER_BYTES));
  if (size === undefined || size > source.sizeBytes - PREAMBLE_BYTES) return undefined;
  const head = readChunkHead(source, source.sizeBytes - size);
  return head?.type === 'INDX' && chunkEnd(head) === source.sizeBytes ? head : undefined;
}
