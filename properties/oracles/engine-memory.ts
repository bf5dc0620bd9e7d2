/**
 * The memory of the engine's processor during cases: their windows put in and read back, what they have written elsewhere
 * found and put right. Bytes that do not change are not written, so that code which stays keeps its decoded blocks; frames
 * that nobody has written (their dirty flag says so) are not looked at.
 */

import { FRAME } from '../../engine/mmu/physical-memory.js';
import type { Processor } from '../../engine/processor.js';
import type { Window } from '../state/arena.js';

const WORD = 4;
const FRAME_WORDS = 4096 / WORD;
/** FRAME.dirty in each byte of a word. */
const DIRTY_IN_WORD = FRAME.dirty * 0x01010101;

interface Placed {
  /** In words of the RAM, of a record, and how many. */
  readonly at: number;
  readonly from: number;
  readonly words: number;
  readonly firstFrame: number;
  readonly lastFrame: number;
  /** Of the RAM. */
  readonly view: Uint32Array;
}

export class EngineMemory {
  private readonly ram: Uint32Array;
  private readonly flagWords: Uint32Array;
  private readonly placed: readonly Placed[];
  /** By frame: a bit for each word of a window. */
  private readonly covered = new Map<number, Uint8Array>();

  /** @param background what is in memory before each case, the windows aside @param stateBytes where the windows begin in a record */
  constructor(
    private readonly processor: Processor,
    windows: readonly Window[],
    private readonly background: Uint32Array,
    stateBytes: number,
  ) {
    const { ram, physical } = processor;
    this.ram = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength / WORD);
    this.flagWords = new Uint32Array(physical.frameFlags.buffer, physical.frameFlags.byteOffset, physical.ramFrames / WORD);
    let from = stateBytes / WORD;
    this.placed = windows.map(({ address, bytes }) => {
      const [at, words] = [address / WORD, bytes / WORD];
      const [firstFrame, lastFrame] = [Math.floor(at / FRAME_WORDS), Math.floor((at + words - 1) / FRAME_WORDS)];
      const window = { at, from, words, firstFrame, lastFrame, view: this.ram.subarray(at, at + words) };
      from += window.words;
      return window;
    });
    for (const { at, words } of this.placed) for (let i = 0; i < words; i++) this.cover(at + i);
    this.ram.set(background);
  }

  private cover(word: number): void {
    const frame = Math.floor(word / FRAME_WORDS);
    let words = this.covered.get(frame);
    if (words === undefined) {
      words = new Uint8Array(FRAME_WORDS);
      this.covered.set(frame, words);
    }
    words[word % FRAME_WORDS] = 1;
  }

  load(record: Uint32Array, at: number): void {
    const { physical } = this.processor;
    const { frameFlags } = physical;
    for (const window of this.placed) {
      let flags = 0;
      for (let frame = window.firstFrame; frame <= window.lastFrame; frame++) flags |= frameFlags[frame] as number;
      const from = at + window.from;
      if ((flags & (FRAME.code | FRAME.table)) !== 0) this.loadWatched(window, record, from);
      else window.view.set(record.subarray(from, from + window.words));
    }
    this.forgetWrites();
  }

  /** Code or page tables: only what changes is written, and the engine gets to know of it. */
  private loadWatched({ at, words, view }: Placed, record: Uint32Array, from: number): void {
    let first = 0;
    while (first < words && view[first] === record[from + first]) first++;
    if (first === words) return;
    let end = words;
    while (view[end - 1] === record[from + end - 1]) end--;
    const { physical } = this.processor;
    for (let word = at + first; word < at + end; ) {
      const frame = Math.floor(word / FRAME_WORDS);
      const next = Math.min((frame + 1) * FRAME_WORDS, at + end);
      view.set(record.subarray(from + word - at, from + next - at), word - at);
      physical.written(frame, physical.frameFlags[frame] as number, (word % FRAME_WORDS) * WORD, (next - word) * WORD);
      word = next;
    }
  }

  private forgetWrites(): void {
    const { physical, core } = this.processor;
    const { flagWords } = this;
    for (let group = 0; group < flagWords.length; group++) {
      if (((flagWords[group] as number) & DIRTY_IN_WORD) === 0) continue;
      for (let frame = group * WORD; frame < (group + 1) * WORD; frame++) {
        const flags = physical.frameFlags[frame] as number;
        if (!(flags & FRAME.dirty)) continue;
        physical.frameFlags[frame] = flags & ~FRAME.dirty;
        core.mmu.tlb.protectFrame(frame);
      }
    }
  }

  store(record: Uint32Array, at: number): void {
    for (const { view, from } of this.placed) record.set(view, at + from);
  }

  /** Calls `found` for each byte outside the windows that is not background any more, and restores it. */
  restore(found: (address: number, value: number) => void): void {
    const { physical } = this.processor;
    const { flagWords } = this;
    for (let group = 0; group < flagWords.length; group++) {
      if (((flagWords[group] as number) & DIRTY_IN_WORD) === 0) continue;
      for (let frame = group * WORD; frame < (group + 1) * WORD; frame++) {
        if ((physical.frameFlags[frame] as number) & FRAME.dirty) this.restoreFrame(frame, found);
      }
    }
  }

  private restoreFrame(frame: number, found: (address: number, value: number) => void): void {
    const { ram, background } = this;
    const covered = this.covered.get(frame);
    const first = frame * FRAME_WORDS;
    for (let i = 0; i < FRAME_WORDS; i++) {
      const difference = (ram[first + i] as number) ^ (background[first + i] as number);
      if (difference === 0 || covered?.[i] === 1) continue;
      const value = ram[first + i] as number;
      for (let byte = 0; byte < WORD; byte++) {
        if ((difference >>> (8 * byte)) & 0xff) found((first + i) * WORD + byte, (value >>> (8 * byte)) & 0xff);
      }
      this.processor.physical.write32((first + i) * WORD, background[first + i] as number);
    }
  }
}
