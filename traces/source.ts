/**
 * Where the bytes of a trace or an image come from: memory, or a file that need not fit into it.
 */
import { TraceError } from './errors.js';

export interface ByteSource {
  /** For messages. */
  readonly fileName?: string | undefined;
  readonly sizeBytes: number;
  /** Fills `into` from `offsetBytes`; both lie inside the source. */
  read(offsetBytes: number, into: Uint8Array): void;
}

export function bytesSource(bytes: Uint8Array, fileName?: string): ByteSource {
  return {
    fileName,
    sizeBytes: bytes.length,
    read(offsetBytes, into) {
      if (offsetBytes < 0 || offsetBytes + into.length > bytes.length) throw new TraceError('read beyond the end');
      into.set(bytes.subarray(offsetBytes, offsetBytes + into.length));
    },
  };
}

export function readBytes(source: ByteSource, offsetBytes: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  source.read(offsetBytes, bytes);
  return bytes;
}

/** The whole source, a piece at a time. Each piece is only valid until the next is asked for. */
export function* piecesOf(source: ByteSource, pieceBytes: number): Generator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(Math.min(pieceBytes, source.sizeBytes));
  for (let offset = 0; offset < source.sizeBytes; offset += pieceBytes) {
    const piece = buffer.subarray(0, Math.min(pieceBytes, source.sizeBytes - offset));
    source.read(offset, piece);
    yield piece;
  }
}
