/**
 * Chunks: framing, checksums, compression, the seal that chains them. What they mean is not known here.
 */
import type { Codec } from './codec.js';
import { crc32 } from './crc32.js';
import { quote, TraceError } from './errors.js';
import {
  CHUNK_HEAD_BYTES,
  CHUNK_KINDS,
  type ChunkKind,
  type ChunkType,
  CODEC_DEFLATE,
  CODEC_STORED,
  FLAG_REQUIRED,
  FORMAT_VERSION,
  LIMITS,
  MAGIC,
  PREAMBLE_BYTES,
  SEAL_BYTES,
} from './format.js';
import { type ByteSource, readBytes } from './source.js';

export interface ChunkHead {
  readonly type: string;
  readonly required: boolean;
  readonly codec: number;
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly payloadCrc: number;
  /** Of the head, in the file. */
  readonly offsetBytes: number;
}

/** The limits of a type this version knows; undefined for any other. */
export function chunkKind(type: string): ChunkKind | undefined {
  return Object.hasOwn(CHUNK_KINDS, type) ? CHUNK_KINDS[type as ChunkType] : undefined;
}

export function chunkEnd(head: ChunkHead): number {
  return head.offsetBytes + CHUNK_HEAD_BYTES + head.storedBytes;
}

export function encodePreamble(): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(MAGIC.length, FORMAT_VERSION, true);
  return bytes;
}

/** Frames a payload; it is deflated where that makes it shorter. */
export function encodeChunk(type: ChunkType, raw: Uint8Array, codec: Codec): Uint8Array {
  const { required, limitBytes } = CHUNK_KINDS[type];
  if (raw.length > limitBytes) throw new TraceError(`a ${type} record of ${raw.length} bytes is over the limit of ${limitBytes}`);
  const deflated = type === 'INDX' ? raw : codec.deflate(raw);
  const compressed = deflated.length < raw.length;
  const payload = compressed ? deflated : raw;
  return frameChunk({ type, required, codec: compressed ? CODEC_DEFLATE : CODEC_STORED, rawBytes: raw.length }, payload);
}

export function frameChunk(head: Pick<ChunkHead, 'type' | 'required' | 'codec' | 'rawBytes'>, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CHUNK_HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) bytes[i] = head.type.charCodeAt(i);
  bytes[4] = head.required ? FLAG_REQUIRED : 0;
  bytes[5] = head.codec;
  view.setUint32(6, payload.length, true);
  view.setUint32(10, head.rawBytes, true);
  view.setUint32(14, crc32(bytes.subarray(0, 14)), true);
  view.setUint32(18, crc32(payload), true);
  bytes.set(payload, CHUNK_HEAD_BYTES);
  return bytes;
}

/** @throws TraceError when the source is no trace, or one of a format this version does not read. */
export function checkPreamble(source: ByteSource): void {
  const { fileName } = source;
  if (source.sizeBytes < PREAMBLE_BYTES) {
    throw new TraceError(`not a trace: ${source.sizeBytes === 0 ? 'it is empty' : `only ${source.sizeBytes} bytes long`}`, { fileName });
  }
  const bytes = readBytes(source, 0, PREAMBLE_BYTES);
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw new TraceError('not a trace: it does not start with the signature of one', { fileName, offsetBytes: 0 });
  }
  const version = new DataView(bytes.buffer).getUint32(MAGIC.length, true);
  if (version !== FORMAT_VERSION) {
    throw new TraceError(
      `trace format ${version} is unknown to this version, which reads format ${FORMAT_VERSION}; use ${version > FORMAT_VERSION ? 'a newer' : 'another'} replay86`,
      { fileName, offsetBytes: MAGIC.length },
    );
  }
}

/**
 * The heads of all chunks, in order, each checked, none of the payloads read. Returns the offset at which intact
 * chunks end: less than the size of the source when the file was cut short.
 * @throws TraceError on damage.
 */
export function* scanChunks(source: ByteSource): Generator<ChunkHead, number, undefined> {
  let offsetBytes = PREAMBLE_BYTES;
  for (let count = 0; offsetBytes < source.sizeBytes; count++) {
    if (count === LIMITS.chunks) throw new TraceError(`more than ${LIMITS.chunks} chunks`, { fileName: source.fileName, offsetBytes });
    const head = readChunkHead(source, offsetBytes);
    if (head === undefined) return offsetBytes;
    yield head;
    offsetBytes = chunkEnd(head);
  }
  return offsetBytes;
}

/** @returns undefined when the source ends (or only zeros follow) before the chunk does. */
export function readChunkHead(source: ByteSource, offsetBytes: number): ChunkHead | undefined {
  if (source.sizeBytes - offsetBytes < CHUNK_HEAD_BYTES) return undefined;
  const bytes = readBytes(source, offsetBytes, CHUNK_HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  const where = { fileName: source.fileName, offsetBytes };
  if (view.getUint32(14, true) !== crc32(bytes.subarray(0, 14))) {
    if (onlyZerosFrom(source, offsetBytes)) return undefined;
    throw new TraceError('damaged: wrong checksum in the head of a chunk; restore the file from a copy', where);
  }
  const head: ChunkHead = {
    type: String.fromCharCode(...bytes.subarray(0, 4)),
    required: (bytes[4] & FLAG_REQUIRED) !== 0,
    codec: bytes[5],
    storedBytes: view.getUint32(6, true),
    rawBytes: view.getUint32(10, true),
    payloadCrc: view.getUint32(18, true),
    offsetBytes,
  };
  if (!/^[ -~]{4}$/.test(head.type)) throw new TraceError('a chunk type that is not text', where);
  const located = { ...where, chunk: head.type };
  if ((bytes[4] & ~FLAG_REQUIRED) !== 0) throw new TraceError(`flags 0x${bytes[4].toString(16)} are unknown to this version`, located);
  const kind = chunkKind(head.type);
  if (kind === undefined && head.required) {
    throw new TraceError(
      `chunk ${quote(head.type)} is needed to understand this trace, and unknown to this version; use a newer replay86`,
      located,
    );
  }
  if (kind !== undefined) {
    const longest = Math.max(head.storedBytes, head.rawBytes);
    if (longest > kind.limitBytes) throw new TraceError(`claims ${longest} bytes; the limit is ${kind.limitBytes}`, located);
    if (head.codec !== CODEC_STORED && head.codec !== CODEC_DEFLATE) {
      throw new TraceError(`compression ${head.codec} is unknown to this version; use a newer replay86`, located);
    }
    if (head.codec === CODEC_STORED && head.storedBytes !== head.rawBytes) {
      throw new TraceError(`stored as is, yet ${head.storedBytes} bytes are to become ${head.rawBytes}`, located);
    }
  }
  return chunkEnd(head) <= source.sizeBytes ? head : undefined;
}

const STEP_BYTES = 65536;

function onlyZerosFrom(source: ByteSource, from: number): boolean {
  for (let offset = from; offset < source.sizeBytes; offset += STEP_BYTES) {
    const bytes = readBytes(source, offset, Math.min(STEP_BYTES, source.sizeBytes - offset));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** Checks a payload without holding it: for chunks that are skipped. */
export function checkPayload(source: ByteSource, head: ChunkHead): void {
  const end = chunkEnd(head);
  let crc = 0;
  for (let offset = head.offsetBytes + CHUNK_HEAD_BYTES; offset < end; offset += STEP_BYTES) {
    crc = crc32(readBytes(source, offset, Math.min(STEP_BYTES, end - offset)), crc);
  }
  requireCrc(source, head, crc);
}

/** The payload as it is in the file, checked. The caller has bounded its length. */
export function readStored(source: ByteSource, head: ChunkHead): Uint8Array {
  const stored = readBytes(source, head.offsetBytes + CHUNK_HEAD_BYTES, head.storedBytes);
  requireCrc(source, head, crc32(stored));
  return stored;
}

function requireCrc(source: ByteSource, head: ChunkHead, crc: number): void {
  if (crc !== head.payloadCrc) {
    throw new TraceError('damaged: wrong checksum; restore the file from a copy', locationOf(source, head));
  }
}

/** The raw payload of a chunk of a known type, checked. */
export function readRaw(source: ByteSource, head: ChunkHead, codec: Codec): Uint8Array {
  const stored = readStored(source, head);
  if (head.codec === CODEC_STORED) return stored;
  let raw: Uint8Array;
  try {
    raw = codec.inflate(stored, Math.max(1, head.rawBytes));
  } catch {
    throw new TraceError(`does not decompress to the ${head.rawBytes} bytes it claims`, locationOf(source, head));
  }
  if (raw.length !== head.rawBytes) {
    throw new TraceError(`decompresses to ${raw.length} bytes instead of the ${head.rawBytes} it claims`, locationOf(source, head));
  }
  return raw;
}

export function locationOf(source: ByteSource, head: ChunkHead): { fileName: string | undefined; offsetBytes: number; chunk: string } {
  return { fileName: source.fileName, offsetBytes: head.offsetBytes, chunk: head.type };
}

/** The running hash over HEAD and SEGM chunks. */
export class Seal {
  private bytes: Uint8Array = new Uint8Array(SEAL_BYTES);
  constructor(private readonly codec: Codec) {}

  get value(): Uint8Array {
    return this.bytes;
  }

  add(raw: Uint8Array): void {
    this.bytes = this.codec.sha256([this.bytes, raw]).slice(0, SEAL_BYTES);
  }

  /** @throws TraceError when what is read here was not written behind what was read before. */
  require(seal: Uint8Array): void {
    if (!this.bytes.every((byte, i) => byte === seal[i])) {
      throw new TraceError('does not follow what is before it: a chunk is missing, doubled or out of order');
    }
  }
}
