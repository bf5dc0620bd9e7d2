/**
 * What the guest did between one checkpoint and the next, as far as it was noted in passing: which lines of memory may have
 * been written, in which pages of code something may have been executed. Whatever is not in it did not happen, so a stretch
 * can be left out in which nothing can be found.
 */
import { executedPage, type Machine, WRITTEN_SET_LENGTH } from '../../engine/index.js';
import { firstAtOrAfter } from '../sorted.js';
import { PAGE_BYTES } from './page-store.js';

const LINE_BYTES = 64;

export class Footprint {
  /**
   * @param frames written, ascending
   * @param lines of each frame a set of its lines of 64 bytes, the lowest in the lowest bit
   * @param pages linear pages that were executed (`executedPage`), ascending
   */
  constructor(
    readonly frames: Uint32Array,
    readonly lines: Uint32Array,
    readonly pages: Uint32Array,
  ) {
    if (lines.length !== frames.length * WRITTEN_SET_LENGTH) throw new Error('each frame written has a set of its lines');
  }

  /** What has been noted since this was last asked. */
  static take(machine: Machine, written: Iterable<number>): Footprint {
    const frames = Uint32Array.from(written).sort();
    const lines = new Uint32Array(frames.length * WRITTEN_SET_LENGTH);
    frames.forEach((frame, index) => {
      machine.takeWrittenLines(frame, setAt(lines, index));
    });
    return new Footprint(frames, lines, machine.takeExecutedPages());
  }

  /** Nothing of what has been noted counts: that way is not gone on. */
  static forget(machine: Machine, written: Iterable<number>): void {
    for (const frame of written) machine.forgetWrittenLines(frame);
    machine.takeExecutedPages();
  }

  get usedBytes(): number {
    return this.frames.byteLength + this.lines.byteLength + this.pages.byteLength;
  }

  /** Whether a byte of a range of guest-physical memory may have been written. */
  mayWrite(physical: number, bytes: number): boolean {
    const { frames, lines } = this;
    const end = physical + bytes;
    for (let index = firstAtOrAfter(frames, Math.floor(physical / PAGE_BYTES)); index < frames.length; index++) {
      const base = (frames[index] as number) * PAGE_BYTES;
      if (base >= end) return false;
      const first = Math.floor((Math.max(physical, base) - base) / LINE_BYTES);
      const last = Math.floor((Math.min(end, base + PAGE_BYTES) - base - 1) / LINE_BYTES);
      const set = setAt(lines, index);
      for (let line = first; line <= last; line++) if ((((set[line >>> 5] as number) >>> (line & 31)) & 1) !== 0) return true;
    }
    return false;
  }

  /** Whether the instruction at a linear address may have been about to be executed. */
  mayExecute(linear: number): boolean {
    const page = executedPage(linear);
    return this.pages[firstAtOrAfter(this.pages, page)] === page;
  }

  /** Of two stretches that are one from now on. */
  with(other: Footprint): Footprint {
    const frames = union(this.frames, other.frames);
    const lines = new Uint32Array(frames.length * WRITTEN_SET_LENGTH);
    for (const part of [this, other]) {
      part.frames.forEach((frame, index) => {
        const into = setAt(lines, firstAtOrAfter(frames, frame));
        setAt(part.lines, index).forEach((bits, at) => {
          into[at] = (into[at] as number) | bits;
        });
      });
    }
    return new Footprint(frames, lines, union(this.pages, other.pages));
  }
}

const setAt = (lines: Uint32Array, index: number): Uint32Array =>
  lines.subarray(index * WRITTEN_SET_LENGTH, (index + 1) * WRITTEN_SET_LENGTH);

const union = (one: Uint32Array, other: Uint32Array): Uint32Array => Uint32Array.from(new Set([...one, ...other])).sort();
