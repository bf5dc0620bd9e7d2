/**
 * Reads a trace and checks all of it. A trace whose recorder was killed reads up to its last intact flush; damage
 * is refused.
 */
import { Blob, type BlobShape, blobPieceCount, checkPieceLength, type EmbeddedImage, type TraceSnapshot } from './blobs.js';
import { decodeIndex } from './chunk-index.js';
import { type ChunkHead, checkPayload, checkPreamble, chunkKind, locationOf, readRaw, Seal, scanChunks } from './chunks.js';
import type { Codec } from './codec.js';
import { locate, TraceError } from './errors.js';
import type { Events, InputEvent, Point, TraceEnd, TraceHeader } from './events.js';
import { FORMAT_VERSION, LIMITS } from './format.js';
import { endRecord, headerRecord, imageRecord, snapshotRecord } from './records.js';
import { decodeSegment, type Segment } from './segment.js';
import type { ByteSource } from './source.js';

/** How much one flush of the recorder wrote. */
export interface FlushSummary {
  readonly to: Point;
  readonly interruptCount: number;
  readonly inputCount: number;
  readonly digestCount: number;
}

export interface Trace extends Events {
  readonly source: ByteSource;
  readonly formatVersion: number;
  readonly header: TraceHeader;
  readonly interrupts: { readonly ticks: Float64Array; readonly vectors: Uint8Array };
  readonly digests: { readonly ticks: Float64Array; readonly values: BigUint64Array };
  readonly flushes: readonly FlushSummary[];
  /** Undefined when the recording was not finished. */
  readonly end: TraceEnd | undefined;
  readonly complete: boolean;
  /** Everything that happened up to here is in the trace. */
  readonly coveredTo: Point;
  /** Bytes behind the last intact chunk, left by a recorder that was killed while writing. */
  readonly tornBytes: number;
  readonly chunks: readonly ChunkHead[];
  readonly snapshots: readonly TraceSnapshot[];
  /** Embedded images, by sha256. */
  readonly images: ReadonlyMap<string, EmbeddedImage>;
}

/**
 * Reads a trace. Embedded images and snapshots are only listed; their contents are read and checked on demand, so the
 * source must stay readable as long as they are used.
 * @throws TraceError
 */
export function readTrace(source: ByteSource, codec: Codec): Trace {
  checkPreamble(source);
  const reader = new Reader(source, codec);
  const scan = scanChunks(source);
  for (;;) {
    const next = scan.next();
    if (next.done === true) return reader.finish(next.value);
    locate(locationOf(source, next.value), () => reader.chunk(next.value as ChunkHead));
  }
}

/** A describing chunk whose pieces have not all been seen. */
interface OpenBlob {
  readonly shape: BlobShape;
  readonly pieces: ChunkHead[];
  /** All pieces are there. */
  readonly close: (blob: Blob) => void;
}

class Reader {
  private readonly seal: Seal;
  private header: TraceHeader | undefined;
  private end: TraceEnd | undefined;
  private indexed = false;
  private covered: Point = { tick: 0, ns: 0 };
  private openBlob: OpenBlob | undefined;
  private readonly chunks: ChunkHead[] = [];
  private readonly coveredTicks: number[] = [];
  private readonly segments: Segment[] = [];
  private readonly totals = { interrupts: 0, inputs: 0, digests: 0, inputBytes: 0 };
  private readonly snapshots: TraceSnapshot[] = [];
  private readonly images = new Map<string, EmbeddedImage>();

  constructor(
    private readonly source: ByteSource,
    private readonly codec: Codec,
  ) {
    this.seal = new Seal(codec);
  }

  chunk(head: ChunkHead): void {
    if (this.header === undefined && head.type !== 'HEAD') throw new TraceError('a trace must start with its header, chunk HEAD');
    if (this.indexed) throw new TraceError('nothing may follow the index: bytes were appended to this trace');
    if (this.openBlob !== undefined && head.type !== 'DATA') throw new TraceError('pieces of embedded data are missing before this chunk');
    if (this.end !== undefined && chunkKind(head.type) !== undefined && head.type !== 'INDX')
      throw new TraceError('stands after the end of the recording');
    switch (head.type) {
      case 'HEAD':
        this.readHeader(readRaw(this.source, head, this.codec));
        break;
      case 'SEGM':
        this.readSegment(readRaw(this.source, head, this.codec));
        break;
      case 'END ':
        this.readEnd(readRaw(this.source, head, this.codec));
        break;
      case 'IMAG': {
        const shape = imageRecord.decode(readRaw(this.source, head, this.codec));
        if (this.images.has(shape.sha256)) throw new TraceError('the same image is embedded twice');
        this.startBlob({ shape, pieces: [], close: (blob) => this.images.set(shape.sha256, blob) });
        break;
      }
      case 'SNAP': {
        const shape = snapshotRecord.decode(readRaw(this.source, head, this.codec));
        const { tick, ns, sizeBytes } = shape;
        if (tick > this.covered.tick)
          throw new TraceError(`a snapshot at tick ${tick}, but the trace is covered up to ${this.covered.tick}`);
        this.startBlob({
          shape,
          pieces: [],
          close: (blob) =>
            this.snapshots.push({ tick, ns, sizeBytes, read: () => locate(locationOf(this.source, head), () => blob.decode()) }),
        });
        break;
      }
      case 'DATA':
        this.readPiece(head);
        break;
      case 'INDX':
        this.checkIndex(readRaw(this.source, head, this.codec));
        break;
      default:
        checkPayload(this.source, head);
    }
    this.chunks.push(head);
    this.coveredTicks.push(this.covered.tick);
  }

  finish(intactBytes: number): Trace {
    const { source, header } = this;
    if (header === undefined)
      throw new TraceError('the recorder was stopped before it wrote the header: nothing to replay', { fileName: source.fileName });
    if (this.indexed && intactBytes < source.sizeBytes) {
      throw new TraceError('nothing may follow the index: bytes were appended to this trace', {
        fileName: source.fileName,
        offsetBytes: intactBytes,
      });
    }
    let wholeBytes = intactBytes;
    if (this.openBlob !== undefined) {
      // Embedded data without all of its pieces is of no use: the trace ends before it.
      const first = this.chunks.length - 1 - this.openBlob.pieces.length;
      wholeBytes = this.chunks[first].offsetBytes;
      this.chunks.length = first;
    }
    return {
      source,
      formatVersion: FORMAT_VERSION,
      header,
      ...joinSegments(this.segments, this.totals),
      flushes: this.segments.map(({ to, interrupts, inputs, digests }) => ({
        to,
        interruptCount: interrupts.ticks.length,
        inputCount: inputs.length,
        digestCount: digests.ticks.length,
      })),
      end: this.end,
      complete: this.end !== undefined,
      coveredTo: this.covered,
      tornBytes: source.sizeBytes - wholeBytes,
      chunks: this.chunks,
      snapshots: this.snapshots,
      images: this.images,
    };
  }

  private readHeader(raw: Uint8Array): void {
    if (this.header !== undefined) throw new TraceError('a second header');
    this.header = headerRecord.decode(raw);
    this.seal.add(raw);
  }

  private readSegment(raw: Uint8Array): void {
    const segment = decodeSegment(raw, this.covered, (this.header as TraceHeader).nsPerTick);
    this.seal.require(segment.seal);
    this.seal.add(raw);
    const { totals } = this;
    totals.interrupts += segment.interrupts.ticks.length;
    totals.inputs += segment.inputs.length;
    totals.digests += segment.digests.ticks.length;
    for (const { payload } of segment.inputs) totals.inputBytes += payload.length;
    for (const what of ['interrupts', 'inputs', 'digests', 'inputBytes'] as const) {
      if (totals[what] > LIMITS[what]) throw new TraceError(`more than ${LIMITS[what]} ${what}`);
    }
    this.segments.push(segment);
    this.covered = segment.to;
  }

  private readEnd(raw: Uint8Array): void {
    const { seal, ...end } = endRecord.decode(raw);
    this.seal.require(seal);
    if (end.tick !== this.covered.tick || end.ns !== this.covered.ns) {
      throw new TraceError(
        `ends at tick ${end.tick} (${end.ns} ns), but is covered up to tick ${this.covered.tick} (${this.covered.ns} ns)`,
      );
    }
    this.end = end;
  }

  private startBlob(open: OpenBlob): void {
    this.openBlob = open;
    this.closeBlobIfWhole();
  }

  private readPiece(head: ChunkHead): void {
    if (this.openBlob === undefined) throw new TraceError('a piece of embedded data that belongs to nothing');
    checkPieceLength(this.openBlob.shape, this.openBlob.pieces.length, head);
    this.openBlob.pieces.push(head);
    this.closeBlobIfWhole();
  }

  private closeBlobIfWhole(): void {
    const open = this.openBlob;
    if (open === undefined || open.pieces.length < blobPieceCount(open.shape)) return;
    this.openBlob = undefined;
    open.close(new Blob(this.source, open.shape, open.pieces, this.codec));
  }

  private checkIndex(raw: Uint8Array): void {
    if (this.end === undefined) throw new TraceError('an index before the end of the recording');
    const entries = decodeIndex(raw);
    const agrees = ({ type, offsetBytes, coveredTick }: (typeof entries)[number], i: number): boolean =>
      type === this.chunks[i].type && offsetBytes === this.chunks[i].offsetBytes && coveredTick === this.coveredTicks[i];
    if (entries.length !== this.chunks.length || !entries.every(agrees)) throw new TraceError('the index does not agree with the chunks');
    this.indexed = true;
  }
}

function joinSegments(
  segments: readonly Segment[],
  totals: { interrupts: number; digests: number },
): Pick<Trace, 'interrupts' | 'inputs' | 'digests'> {
  const interrupts = { ticks: new Float64Array(totals.interrupts), vectors: new Uint8Array(totals.interrupts) };
  const digests = { ticks: new Float64Array(totals.digests), values: new BigUint64Array(totals.digests) };
  const inputs: InputEvent[] = [];
  let interruptAt = 0;
  let digestAt = 0;
  for (const segment of segments) {
    interrupts.ticks.set(segment.interrupts.ticks, interruptAt);
    interrupts.vectors.set(segment.interrupts.vectors, interruptAt);
    digests.ticks.set(segment.digests.ticks, digestAt);
    digests.values.set(segment.digests.values, digestAt);
    interruptAt += segment.interrupts.ticks.length;
    digestAt += segment.digests.ticks.length;
    for (const input of segment.inputs) inputs.push(input);
  }
  return { interrupts, inputs, digests };
}
