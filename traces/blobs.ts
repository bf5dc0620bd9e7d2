/**
 * Embedded images and snapshots: a describing chunk followed by chunks DATA. They are found when a trace is opened and
 * read when they are asked for, piece by piece.
 */
import { type ChunkHead, readRaw } from './chunks.js';
import type { Codec } from './codec.js';
import { TraceError } from './errors.js';
import type { PlainValue, Point } from './events.js';
import { toHex } from './hex.js';
import { decodeMessage } from './message.js';
import { type ByteSource, piecesOf, readBytes } from './source.js';

export interface BlobShape {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly pieceBytes: number;
}

/** An image inside a trace. `read` decompresses what it needs and keeps the last piece. */
export interface EmbeddedImage extends ByteSource {
  readonly sha256: string;
  /** Reads all of it. @throws TraceError when the contents are not what sha256 says. */
  verify(): void;
}

export interface TraceSnapshot extends Point {
  readonly sizeBytes: number;
  /** Decodes it. @throws TraceError when the contents are not what was written. */
  read(): PlainValue;
}

export function blobPieceCount({ sizeBytes, pieceBytes }: BlobShape): number {
  return Math.ceil(sizeBytes / pieceBytes);
}

/** @throws TraceError when `piece` cannot be the one at `index`. */
export function checkPieceLength(shape: BlobShape, index: number, piece: ChunkHead): void {
  const expected = Math.min(shape.pieceBytes, shape.sizeBytes - index * shape.pieceBytes);
  if (piece.rawBytes !== expected) throw new TraceError(`a piece of ${piece.rawBytes} bytes instead of ${expected}`);
}

export class Blob implements EmbeddedImage {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly fileName: string | undefined;
  private cachedIndex = -1;
  private cachedPiece: Uint8Array = new Uint8Array(0);

  constructor(
    private readonly source: ByteSource,
    private readonly shape: BlobShape,
    private readonly pieces: readonly ChunkHead[],
    private readonly codec: Codec,
  ) {
    this.sha256 = shape.sha256;
    this.sizeBytes = shape.sizeBytes;
    this.fileName = source.fileName;
  }

  read(offsetBytes: number, into: Uint8Array): void {
    if (offsetBytes < 0 || offsetBytes + into.length > this.sizeBytes) throw new TraceError('read beyond the end of an embedded image');
    const { pieceBytes } = this.shape;
    for (let done = 0; done < into.length; ) {
      const at = offsetBytes + done;
      const piece = this.piece(Math.floor(at / pieceBytes));
      const part = piece.subarray(at % pieceBytes, (at % pieceBytes) + into.length - done);
      into.set(part, done);
      done += part.length;
    }
  }

  verify(): void {
    const found = toHex(this.codec.sha256(piecesOf(this, this.shape.pieceBytes)));
    if (found !== this.sha256) {
      throw new TraceError(`embedded data has sha256 ${found} instead of ${this.sha256}`, { fileName: this.fileName });
    }
  }

  decode(): PlainValue {
    this.verify();
    return decodeMessage(readBytes(this, 0, this.sizeBytes));
  }

  private piece(index: number): Uint8Array {
    if (index !== this.cachedIndex) {
      this.cachedPiece = readRaw(this.source, this.pieces[index], this.codec);
      this.cachedIndex = index;
    }
    return this.cachedPiece;
  }
}
