/**
 * Checkpoints kept beside a trace (`NAME.trace.checkpoints`), so that the next opening starts warm. The file is a cache:
 * one of another run, of another version or with damage in it is left aside, and written anew.
 *
 * Little-endian. A head of 32 bytes: magic (8), stored and raw length of the index (4 + 4), CRC-32 of the stored index (4),
 * count of pages (4), zeros. Then the index (raw deflate of one MessagePack value), the pages (4096 bytes
 * each), the states (each raw deflate of one MessagePack value, in which {page} stands for 4096 bytes). Pages and states
 * have their CRC-32 in the index, and are read when they are wanted.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type MachineState, WRITTEN_SET_LENGTH } from '../../engine/index.js';
import { crc32 } from '../../traces/crc32.js';
import type { PlainValue } from '../../traces/index.js';
import { decodeMessage, encodeMessage } from '../../traces/message.js';
import type { Checkpoint, Checkpoints } from './checkpoints.js';
import { Footprint } from './footprint.js';
import { PAGE_BYTES, type PageSource } from './page-store.js';

const MAGIC = Buffer.from('R86CKPT\x03', 'latin1');
const HEAD_BYTES = 32;
const LIMITS = { indexBytes: 2 ** 28, pages: 2 ** 22, stateBytes: 2 ** 24 } as const;

/** It cannot be used: the reason in words. */
export class CheckpointFileError extends Error {
  override readonly name = 'CheckpointFileError';
}

/** Which run it belongs to. */
export interface RunIdentity {
  readonly trace: string;
  readonly engineVersion: string;
}

/** What is known of a run besides its checkpoints. */
export interface Exploration {
  readonly exploredTick: number;
  readonly spacingTicks: number;
  readonly console: PlainValue;
}

export interface StoredCheckpoint {
  readonly tick: number;
  readonly inputCount: number;
  readonly midRepeat: boolean;
  readonly footprint: Footprint;
  /** Of each frame written: index of a page in the file, -1 for one of zeros. */
  readonly pages: Int32Array;
  readState(): MachineState;
}

const bytesOf = (array: Uint32Array | Int32Array | Float64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function need(condition: boolean): asserts condition {
  if (!condition) throw new CheckpointFileError('it is damaged');
}

function binary(value: PlainValue | undefined): Uint8Array {
  need(value instanceof Uint8Array);
  return value.slice();
}
const words = (value: PlainValue | undefined): Uint32Array => {
  const bytes = binary(value);
  need(bytes.length % 4 === 0);
  return new Uint32Array(bytes.buffer);
};
function whole(value: PlainValue | undefined): number {
  need(typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);
  return value;
}

interface Index {
  readonly identity: RunIdentity;
  readonly exploration: Exploration;
  readonly ticks: Float64Array;
  readonly inputCounts: Uint32Array;
  readonly midRepeats: Uint32Array;
  readonly frameCounts: Uint32Array;
  readonly frames: Uint32Array;
  readonly writtenLines: Uint32Array;
  readonly executedCounts: Uint32Array;
  readonly executed: Uint32Array;
  readonly pages: Int32Array;
  readonly pageChecksums: Uint32Array;
  readonly stateLengths: Uint32Array;
  readonly stateChecksums: Uint32Array;
}

function decodeIndex(raw: Uint8Array): Index {
  const value = decodeMessage(raw);
  need(typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array));
  const map = value as { readonly [key: string]: PlainValue };
  const ticks = binary(map.ticks);
  need(ticks.length % 8 === 0 && typeof map.trace === 'string' && typeof map.engineVersion === 'string');
  const pages = words(map.pages);
  const index: Index = {
    identity: { trace: map.trace, engineVersion: map.engineVersion },
    exploration: {
      exploredTick: whole(map.exploredTick),
      spacingTicks: whole(map.spacingTicks),
      console: map.console ?? null,
    },
    ticks: new Float64Array(ticks.buffer),
    inputCounts: words(map.inputCounts),
    midRepeats: words(map.midRepeats),
    frameCounts: words(map.frameCounts),
    frames: words(map.frames),
    writtenLines: words(map.writtenLines),
    executedCounts: words(map.executedCounts),
    executed: words(map.executed),
    pages: new Int32Array(pages.buffer),
    pageChecksums: words(map.pageChecksums),
    stateLengths: words(map.stateLengths),
    stateChecksums: words(map.stateChecksums),
  };
  const count = index.ticks.length;
  for (const column of [
    index.inputCounts,
    index.midRepeats,
    index.frameCounts,
    index.executedCounts,
    index.stateLengths,
    index.stateChecksums,
  ])
    need(column.length === count);
  const sumOf = (counts: Uint32Array): number => counts.reduce((sum, each) => sum + each, 0);
  need(sumOf(index.frameCounts) === index.frames.length && sumOf(index.executedCounts) === index.executed.length);
  need(index.frames.length === index.pages.length && index.frames.length * WRITTEN_SET_LENGTH === index.writtenLines.length);
  need(index.pages.every((page) => page >= -1 && page < index.pageChecksums.length));
  need(index.ticks.every((tick, at) => Number.isSafeInteger(tick) && tick > (index.ticks[at - 1] ?? -1)));
  return index;
}

export class CheckpointFile implements PageSource {
  private readonly descriptor: number;
  private readonly index: Index;
  private readonly pagesAt: number;
  private readonly stateOffsets: number[] = [];
  private open = true;

  /** @throws CheckpointFileError; ENOENT as it is */
  constructor(path: string, identity: RunIdentity) {
    this.descriptor = openSync(path, 'r');
    try {
      const head = this.bytesAt(0, HEAD_BYTES);
      const view = new DataView(head.buffer, head.byteOffset, head.length);
      if (!MAGIC.equals(head.subarray(0, MAGIC.length))) throw new CheckpointFileError('it is none of this version');
      const [storedBytes, rawBytes, checksum, pageCount] = [8, 12, 16, 20].map((at) => view.getUint32(at, true)) as [
        number,
        number,
        number,
        number,
      ];
      need(storedBytes <= LIMITS.indexBytes && rawBytes <= LIMITS.indexBytes && pageCount <= LIMITS.pages);
      const stored = this.bytesAt(HEAD_BYTES, storedBytes);
      need(crc32(stored) === checksum);
      this.index = decodeIndex(inflate(stored, rawBytes));
      const { index } = this;
      if (index.identity.trace !== identity.trace || index.identity.engineVersion !== identity.engineVersion)
        throw new CheckpointFileError('it belongs to another recording or another version');
      need(index.pageChecksums.length === pageCount);
      this.pagesAt = HEAD_BYTES + storedBytes;
      let at = this.pagesAt + pageCount * PAGE_BYTES;
      for (const length of index.stateLengths) {
        need(length <= LIMITS.stateBytes);
        this.stateOffsets.push(at);
        at += length;
      }
      need(fstatSync(this.descriptor).size === at);
    } catch (error) {
      this.close();
      if (error instanceof CheckpointFileError) throw error;
      throw new CheckpointFileError('it is damaged');
    }
  }

  get exploration(): Exploration {
    return this.index.exploration;
  }

  /** All that are in it, ascending. */
  checkpoints(): StoredCheckpoint[] {
    const { index } = this;
    let [at, executedAt] = [0, 0];
    return Array.from(index.ticks, (tick, number) => {
      const [start, end] = [at, at + (index.frameCounts[number] as number)];
      const executed = index.executed.subarray(executedAt, executedAt + (index.executedCounts[number] as number));
      const lines = index.writtenLines.subarray(start * WRITTEN_SET_LENGTH, end * WRITTEN_SET_LENGTH);
      at = end;
      executedAt += executed.length;
      return {
        tick,
        inputCount: index.inputCounts[number] as number,
        midRepeat: index.midRepeats[number] === 1,
        footprint: new Footprint(index.frames.subarray(start, end), lines, executed),
        pages: index.pages.subarray(start, end),
        readState: () => this.readState(number),
      };
    });
  }

  readPage(page: number): Uint8Array {
    const bytes = this.bytesAt(this.pagesAt + page * PAGE_BYTES, PAGE_BYTES);
    need(crc32(bytes) === this.index.pageChecksums[page]);
    return bytes;
  }

  private readState(number: number): MachineState {
    const stored = this.bytesAt(this.stateOffsets[number] as number, this.index.stateLengths[number] as number);
    need(crc32(stored) === this.index.stateChecksums[number]);
    return withPages(decodeMessage(inflate(stored, LIMITS.stateBytes)), (page) => this.readPage(page)) as MachineState;
  }

  private bytesAt(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.descriptor, bytes, done, length - done, offset + done);
      need(count > 0);
      done += count;
    }
    return bytes;
  }

  close(): void {
    if (this.open) closeSync(this.descriptor);
    this.open = false;
  }
}

function inflate(bytes: Uint8Array, limitBytes: number): Uint8Array {
  try {
    return new Uint8Array(inflateRawSync(bytes, { maxOutputLength: Math.max(1, limitBytes) }));
  } catch {
    throw new CheckpointFileError('it is damaged');
  }
}

/** Puts pages in the place of what names them. */
function withPages(value: PlainValue, read: (page: number) => Uint8Array): PlainValue {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item: PlainValue) => withPages(item, read));
  const map = value as { readonly [key: string]: PlainValue };
  if (typeof map.page === 'number' && Object.keys(map).length === 1) return read(map.page);
  return Object.fromEntries(Object.entries(map).map(([key, item]) => [key, withPages(item, read)]));
}

/** The reverse. */
function withoutPages(value: PlainValue, store: (bytes: Uint8Array) => number): PlainValue {
  if (value instanceof Uint8Array) return value.length === PAGE_BYTES ? { page: store(value) } : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: PlainValue) => withoutPages(item, store));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutPages(item, store)]));
}

/** Pages to be written, each contents once. */
class PageList {
  readonly checksums: number[] = [];
  private readonly known = new Map<string, number>();
  private readonly chunks: Uint8Array[] = [];

  add(bytes: Uint8Array): number {
    const key = createHash('sha1').update(bytes).digest('base64');
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const page = this.checksums.length;
    this.known.set(key, page);
    this.checksums.push(crc32(bytes));
    this.chunks.push(bytes);
    return page;
  }

  get all(): readonly Uint8Array[] {
    return this.chunks;
  }
}

/** @throws what the file system says */
export function writeCheckpointFile(path: string, identity: RunIdentity, exploration: Exploration, checkpoints: Checkpoints): void {
  const pageList = new PageList();
  const all = checkpoints.all.filter(({ tick }) => tick > 0);
  const pagesOf = (checkpoint: Checkpoint): number[] =>
    Array.from(checkpoint.footprint.frames, (frame) => {
      const bytes = checkpoints.stored(frame, checkpoint.tick);
      return bytes === undefined ? -1 : pageList.add(bytes);
    });
  const pages = all.map(pagesOf);
  const states = all.map(({ state }) =>
    deflateRawSync(encodeMessage(withoutPages(state as PlainValue, (bytes) => pageList.add(bytes))), { level: 1 }),
  );
  const { trace, engineVersion } = identity;
  const column = (values: Iterable<number>): Uint8Array => bytesOf(Uint32Array.from(values));
  const joined = (parts: readonly Uint32Array[]): Uint8Array => Buffer.concat(parts.map(bytesOf));
  const raw = encodeMessage({
    trace,
    engineVersion,
    ...exploration,
    ticks: bytesOf(Float64Array.from(all, ({ tick }) => tick)),
    inputCounts: column(all.map(({ inputCount }) => inputCount)),
    midRepeats: column(all.map(({ midRepeat }) => (midRepeat ? 1 : 0))),
    frameCounts: column(all.map(({ footprint }) => footprint.frames.length)),
    frames: joined(all.map(({ footprint }) => footprint.frames)),
    writtenLines: joined(all.map(({ footprint }) => footprint.lines)),
    executedCounts: column(all.map(({ footprint }) => footprint.pages.length)),
    executed: joined(all.map(({ footprint }) => footprint.pages)),
    pages: bytesOf(Int32Array.from(pages.flat())),
    pageChecksums: column(pageList.checksums),
    stateLengths: column(states.map(({ length }) => length)),
    stateChecksums: column(states.map((state) => crc32(state))),
  });
  const stored = deflateRawSync(raw, { level: 1 });
  const head = new Uint8Array(HEAD_BYTES);
  head.set(MAGIC);
  const view = new DataView(head.buffer);
  for (const [at, value] of [
    [8, stored.length],
    [12, raw.length],
    [16, crc32(stored)],
    [20, pageList.checksums.length],
  ] as const)
    view.setUint32(at, value, true);
  replaceFile(path, [head, stored, ...pageList.all, ...states]);
}

/** In one step, or not at all. */
function replaceFile(path: string, parts: readonly Uint8Array[]): void {
  const temporaryPath = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const descriptor = openSync(temporaryPath, 'wx');
  try {
    for (const part of parts) for (let done = 0; done < part.length; ) done += writeSync(descriptor, part, done);
    closeSync(descriptor);
    renameSync(temporaryPath, path);
  } catch (error) {
    unlinkSync(temporaryPath);
    throw error;
  }
}
