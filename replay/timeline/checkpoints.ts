/**
 * Checkpoints: the machine as it was at some ticks. Each holds processor and devices whole, and of memory only the pages
 * written since the checkpoint before it; so going back copies what differs, and every interval knows which pages were
 * written in it.
 *
 * A page version belongs to the tick of the checkpoint that stored it and holds from there on until the next version.
 */
import type { MachineState } from '../../engine/index.js';
import { lastAtOrBefore } from '../sorted.js';
import type { StoredCheckpoint } from './checkpoint-file.js';
import type { Footprint } from './footprint.js';
import { type PageId, type PageSource, PageStore, ZERO_PAGE } from './page-store.js';

export interface Checkpoint {
  readonly tick: number;
  /** Processor and devices: `Machine.saveShared`. */
  readonly state: MachineState;
  /** How many inputs of the trace had been given. */
  readonly inputCount: number;
  /** The tick before was an iteration of a REP that goes on. */
  readonly midRepeat: boolean;
  /** What was done since the checkpoint before. */
  readonly footprint: Footprint;
}

class Entry implements Checkpoint {
  readonly tick: number;
  readonly inputCount: number;
  readonly midRepeat: boolean;

  /** @param readState for one that is in a file: its state is read when it is wanted, and not kept */
  constructor(
    point: Pick<Checkpoint, 'tick' | 'inputCount' | 'midRepeat'>,
    public footprint: Footprint,
    private readonly readState: () => MachineState,
    readonly inMemory: boolean,
  ) {
    this.tick = point.tick;
    this.inputCount = point.inputCount;
    this.midRepeat = point.midRepeat;
  }

  get state(): MachineState {
    return this.readState();
  }
}

interface Version {
  tick: number;
  readonly page: PageId;
}

/** What processor and devices take in memory, roughly: counted against the budget like pages. */
const STATE_BYTES = 16 * 1024;

export class Checkpoints {
  private readonly list: Entry[] = [];
  private statesInMemory = 0;
  private footprintBytes = 0;
  private readonly versions = new Map<number, Version[]>();
  private readonly pages = new PageStore();

  get all(): readonly Checkpoint[] {
    return this.list;
  }
  get usedBytes(): number {
    return this.pages.usedBytes + this.footprintBytes + this.statesInMemory * STATE_BYTES;
  }

  /** Position of the last checkpoint at or before a tick; -1 for none. */
  indexAt(tick: number): number {
    return lastAtOrBefore(this.list, tick);
  }

  /** Adds a checkpoint, at the end or between others. */
  add(point: Checkpoint, read: (frame: number) => Uint8Array): void {
    const { tick, footprint } = point;
    const index = this.indexAt(tick);
    if (this.list[index]?.tick === tick) throw new Error(`there is a checkpoint at tick ${tick}`);
    for (const frame of footprint.frames) {
      const version = { tick, page: this.pages.add(read(frame)) };
      const versions = this.versions.get(frame);
      if (versions === undefined) this.versions.set(frame, [version]);
      else if ((versions.at(-1)?.tick ?? -1) < tick) versions.push(version);
      else versions.splice(lastAtOrBefore(versions, tick) + 1, 0, version);
    }
    const { state } = point;
    this.list.splice(index + 1, 0, new Entry(point, footprint, () => state, true));
    this.statesInMemory++;
    this.footprintBytes += footprint.usedBytes;
  }

  /**
   * Adds all that are in a file, behind those that there are.
   * @param copyLimitBytes what is read from it stays in memory until so much is in use
   */
  adopt(file: PageSource, stored: readonly StoredCheckpoint[], copyLimitBytes: number): void {
    this.pages.attach(file);
    this.pages.copyLimitBytes = copyLimitBytes;
    for (const { footprint, pages, readState, ...point } of stored) {
      footprint.frames.forEach((frame, index) => {
        const page = pages[index] as number;
        const versions = this.versions.get(frame) ?? [];
        if (versions.length === 0) this.versions.set(frame, versions);
        versions.push({ tick: point.tick, page: page < 0 ? ZERO_PAGE : this.pages.inFile(page) });
      });
      this.list.push(new Entry(point, footprint, readState, false));
      this.footprintBytes += footprint.usedBytes;
    }
  }

  /** What has been read from the file is read again when it is wanted. */
  dropCopies(): void {
    this.pages.dropCopies();
  }

  /** Drops all but the first. */
  keepFirst(): void {
    const firstTick = this.list[0]?.tick;
    for (const [frame, versions] of this.versions) {
      for (const { tick, page } of versions) if (tick !== firstTick) this.pages.drop(page);
      this.versions.set(
        frame,
        versions.filter(({ tick }) => tick === firstTick),
      );
    }
    this.list.length = 1;
    this.statesInMemory = 1;
    this.footprintBytes = this.list[0]?.footprint.usedBytes ?? 0;
  }

  /** Drops a checkpoint; what was written before it counts to the next one from now on. */
  remove(index: number): void {
    const removed = this.list[index] as Entry;
    const next = this.list[index + 1];
    if (index === 0 || next === undefined) throw new Error('the first and the last checkpoint stay');
    for (const frame of removed.footprint.frames) {
      const versions = this.versions.get(frame) as Version[];
      const at = lastAtOrBefore(versions, removed.tick);
      const version = versions[at] as Version;
      if (versions[at + 1]?.tick === next.tick) {
        versions.splice(at, 1);
        this.pages.drop(version.page);
      } else version.tick = next.tick;
    }
    this.list.splice(index, 1);
    if (removed.inMemory) this.statesInMemory--;
    this.footprintBytes -= removed.footprint.usedBytes + next.footprint.usedBytes;
    next.footprint = removed.footprint.with(next.footprint);
    this.footprintBytes += next.footprint.usedBytes;
  }

  /** Contents of a frame at a checkpoint. */
  contents(frame: number, tick: number): Uint8Array {
    return this.stored(frame, tick) ?? this.pages.page(ZERO_PAGE);
  }

  /** The same; undefined for a frame of zeros. */
  stored(frame: number, tick: number): Uint8Array | undefined {
    const versions = this.versions.get(frame) ?? [];
    const page = versions[lastAtOrBefore(versions, tick)]?.page ?? ZERO_PAGE;
    return page === ZERO_PAGE ? undefined : this.pages.page(page);
  }

  /** Frames whose contents at two checkpoints may differ. */
  framesBetween(tick: number, other: number): Set<number> {
    const frames = new Set<number>();
    const last = this.indexAt(Math.max(tick, other));
    for (let index = this.indexAt(Math.min(tick, other)) + 1; index <= last; index++) {
      for (const frame of (this.list[index] as Checkpoint).footprint.frames) frames.add(frame);
    }
    return frames;
  }
}
