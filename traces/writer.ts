/**
 * Writes a trace as the guest runs. Events are collected until `flush`, which hands them to the sink in one write:
 * whenever the recorder dies, what is in the file is a whole trace up to the last flush.
 */

import { encodeIndex, type IndexEntry } from './chunk-index.js';
import { type ChunkHead, encodeChunk, encodePreamble, frameChunk, readStored, Seal } from './chunks.js';
import type { Codec } from './codec.js';
import { quote, TraceError } from './errors.js';
import type { AcceptedInterrupt, Events, InputEvent, PlainValue, Point, TraceEnd, TraceHeader } from './events.js';
import { type ChunkType, LIMITS, PIECE_BYTES, SEGMENT_TARGET } from './format.js';
import { toHex } from './hex.js';
import { encodeMessage } from './message.js';
import { endRecord, headerRecord, imageRecord, snapshotRecord } from './records.js';
import { concatenate, encodeSegment, skippedNs } from './segment.js';
import { type ByteSource, bytesSource, piecesOf } from './source.js';

/** Where the bytes go: appended in the order of the calls. */
export interface TraceSink {
  write(bytes: Uint8Array): void;
}

export class TraceWriter {
  private readonly seal: Seal;
  private readonly nsPerTick: number;
  private readonly index: IndexEntry[] = [];
  private queue: Uint8Array[] = [];
  private offsetBytes = 0;
  private covered: Point = { tick: 0, ns: 0 };
  /** Why nothing can be added any more. */
  private closed: string | undefined;

  private interruptTicks: number[] = [];
  private interruptVectors: number[] = [];
  private inputs: InputEvent[] = [];
  private devices = new Set<string>();
  private inputBytes = 0;
  private digestTicks: number[] = [];
  private digestValues: bigint[] = [];
  /** Already written, to keep the limits of the whole trace. */
  private readonly written = { interrupts: 0, inputs: 0, inputBytes: 0, digests: 0 };

  constructor(
    private readonly sink: TraceSink,
    header: TraceHeader,
    private readonly codec: Codec,
  ) {
    this.seal = new Seal(codec);
    this.nsPerTick = header.nsPerTick;
    const raw = headerRecord.encode(header);
    this.enqueue(encodePreamble());
    this.add('HEAD', raw);
    this.commit();
  }

  /** The trace in the sink is whole up to here. */
  get coveredTo(): Point {
    return this.covered;
  }

  /** Enough has been collected that a flush should come now, whatever the time. */
  get wantsFlush(): boolean {
    return (
      this.interruptTicks.length >= SEGMENT_TARGET.interrupts ||
      this.inputs.length >= SEGMENT_TARGET.inputs ||
      this.digestTicks.length >= SEGMENT_TARGET.digests ||
      this.inputBytes >= SEGMENT_TARGET.inputBytes ||
      this.devices.size >= LIMITS.devicesPerSegment
    );
  }

  interrupt({ tick, vector }: AcceptedInterrupt): void {
    this.requireTick(tick, this.interruptTicks.at(-1));
    if (!Number.isInteger(vector) || vector < 0 || vector > 255) throw new TraceError(`interrupt vector ${vector} is outside 0..255`);
    this.requireRoom('interrupts', this.interruptTicks.length);
    this.interruptTicks.push(tick);
    this.interruptVectors.push(vector);
  }

  input({ tick, ns, device, payload }: InputEvent): void {
    const previous = this.inputs.at(-1);
    this.requireTick(tick, previous?.tick);
    this.requireTime({ tick, ns }, previous ?? this.covered);
    if (device.length < 1 || device.length > LIMITS.deviceNameLength) {
      throw new TraceError(`device name ${quote(device)} must have 1 to ${LIMITS.deviceNameLength} characters`);
    }
    if (payload.length > LIMITS.payloadBytes) {
      throw new TraceError(`an input of ${payload.length} bytes is over the limit of ${LIMITS.payloadBytes}; split it`);
    }
    this.requireRoom('inputs', this.inputs.length);
    if (
      this.inputBytes + payload.length > 2 * SEGMENT_TARGET.inputBytes ||
      (this.devices.size >= LIMITS.devicesPerSegment && !this.devices.has(device))
    ) {
      throw new TraceError('too much input between two flushes');
    }
    if (this.written.inputBytes + this.inputBytes + payload.length > LIMITS.inputBytes) {
      throw new TraceError(`the trace is full: more than ${LIMITS.inputBytes} bytes of input`);
    }
    this.devices.add(device);
    this.inputBytes += payload.length;
    this.inputs.push({ tick, ns, device, payload: payload.slice() });
  }

  /** A link of the digest chain: the digest of the machine's state at `tick`. */
  digest(tick: number, value: bigint): void {
    this.requireTick(tick, this.digestTicks.at(-1));
    if (value < 0n || value >= 2n ** 64n) throw new TraceError(`digest ${value} does not have 64 bits`);
    this.requireRoom('digests', this.digestTicks.length);
    this.digestTicks.push(tick);
    this.digestValues.push(value);
  }

  /** Writes what was collected: the trace covers everything up to `to`, and that is all that happened until then. */
  flush(to: Point): void {
    this.addSegment(to);
    this.commit();
  }

  /** Adds a snapshot of the machine at the tick up to which the trace is covered. */
  snapshot(state: PlainValue): void {
    const bytes = encodeMessage(state);
    const sha256 = toHex(this.codec.sha256([bytes]));
    const { tick, ns } = this.covered;
    this.add('SNAP', snapshotRecord.encode({ tick, ns, sha256, sizeBytes: bytes.length, pieceBytes: PIECE_BYTES }));
    for (const piece of piecesOf(bytesSource(bytes), PIECE_BYTES)) this.add('DATA', piece);
    this.commit();
  }

  /**
   * Embeds an image.
   * @throws TraceError when `image` is not what `sha256` says; the sink then holds a part of it and must be thrown away.
   */
  image(sha256: string, image: ByteSource): void {
    this.add('IMAG', imageRecord.encode({ sha256, sizeBytes: image.sizeBytes, pieceBytes: PIECE_BYTES }));
    const found = toHex(this.codec.sha256(this.tapPieces(image)));
    if (found !== sha256) throw new TraceError(`the image has sha256 ${found} instead of ${sha256}`, { fileName: image.fileName });
  }

  /** Copies a chunk of another trace as it is. */
  copy(source: ByteSource, head: ChunkHead): void {
    this.requireOpen();
    const bytes = frameChunk(head, readStored(source, head));
    this.list(head.type);
    this.enqueue(bytes);
    this.commit();
  }

  /** Flushes up to the end and finishes the trace, in one write. Nothing can be added after it. */
  end(end: TraceEnd): void {
    this.addSegment(end);
    const { tick, ns, reason, status, digest } = end;
    this.add('END ', endRecord.encode({ tick, ns, reason, status, digest, seal: this.seal.value }));
    this.add('INDX', encodeIndex(this.index));
    this.commit();
    this.closed = 'the trace has ended';
  }

  private addSegment(to: Point): void {
    this.requireOpen();
    const lastTick = Math.max(this.interruptTicks.at(-1) ?? 0, this.inputs.at(-1)?.tick ?? 0, this.digestTicks.at(-1) ?? 0);
    this.requireTick(to.tick, lastTick);
    this.requireTime(to, this.inputs.at(-1) ?? this.covered);
    const counts = {
      interrupts: this.interruptTicks.length,
      inputs: this.inputs.length,
      inputBytes: this.inputBytes,
      digests: this.digestTicks.length,
    };
    const empty = counts.interrupts + counts.inputs + counts.digests === 0;
    if (empty && to.tick === this.covered.tick && to.ns === this.covered.ns) return;
    const events: Events = {
      interrupts: { ticks: this.interruptTicks, vectors: this.interruptVectors },
      inputs: this.inputs,
      digests: { ticks: this.digestTicks, values: this.digestValues },
    };
    const raw = encodeSegment(this.seal.value, this.covered, to, events, this.nsPerTick);
    this.covered = { tick: to.tick, ns: to.ns };
    this.add('SEGM', raw);
    for (const key of ['interrupts', 'inputs', 'inputBytes', 'digests'] as const) this.written[key] += counts[key];
    this.interruptTicks = [];
    this.interruptVectors = [];
    this.inputs = [];
    this.devices = new Set();
    this.inputBytes = 0;
    this.digestTicks = [];
    this.digestValues = [];
  }

  private add(type: ChunkType, raw: Uint8Array): void {
    this.requireOpen();
    const bytes = encodeChunk(type, raw, this.codec);
    this.list(type);
    if (type === 'HEAD' || type === 'SEGM') this.seal.add(raw);
    this.enqueue(bytes);
  }

  private list(type: string): void {
    // Room for END and INDX is kept back.
    if (this.index.length >= LIMITS.chunks - 2 && type !== 'END ' && type !== 'INDX') {
      throw new TraceError(`the trace is full: ${LIMITS.chunks} chunks`);
    }
    this.index.push({ type, offsetBytes: this.offsetBytes, coveredTick: this.covered.tick });
  }

  /** Writes each piece as it passes by: an image may be larger than memory. */
  private *tapPieces(source: ByteSource): Generator<Uint8Array, void, undefined> {
    for (const piece of piecesOf(source, PIECE_BYTES)) {
      this.add('DATA', piece);
      this.commit();
      yield piece;
    }
    this.commit();
  }

  private enqueue(bytes: Uint8Array): void {
    this.queue.push(bytes);
    this.offsetBytes += bytes.length;
  }

  private commit(): void {
    const [first, ...rest] = this.queue;
    this.queue = [];
    if (first === undefined) return;
    // After a part of a chunk nothing must follow: then what is before it still reads.
    this.closed = 'an earlier write failed';
    this.sink.write(rest.length === 0 ? first : concatenate([first, ...rest]));
    this.closed = undefined;
  }

  private requireOpen(): void {
    if (this.closed !== undefined) throw new TraceError(`${this.closed}: nothing can be added`);
  }

  private requireTick(tick: number, previous: number = this.covered.tick): void {
    const least = Math.max(previous, this.covered.tick);
    if (!Number.isSafeInteger(tick) || tick < least) throw new TraceError(`tick ${tick} cannot follow tick ${least}`);
  }

  private requireTime(point: Point, previous: Point): void {
    const skipped = skippedNs(point, this.nsPerTick);
    if (!Number.isSafeInteger(point.ns) || !(skipped >= skippedNs(previous, this.nsPerTick))) {
      throw new TraceError(
        `tick ${point.tick} at ${point.ns} ns cannot follow tick ${previous.tick} at ${previous.ns} ns with ${this.nsPerTick} ns a tick`,
      );
    }
  }

  private requireRoom(what: 'interrupts' | 'inputs' | 'digests', pending: number): void {
    this.requireOpen();
    if (pending >= 2 * SEGMENT_TARGET[what]) throw new TraceError(`more than ${pending} ${what} between two flushes`);
    if (this.written[what] + pending >= LIMITS[what]) throw new TraceError(`the trace is full: ${LIMITS[what]} ${what}`);
  }
}
