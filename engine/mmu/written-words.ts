/**
 * Which 32-bit words of memory have been written since somebody last asked: a byte for each, behind the frames in
 * WebAssembly memory. Every write of the guest sets those that it touches, quick or not: that costs a store beside the
 * store, less than can be measured. The frame is dirty then, too (written-frames.ts), so whoever asks knows where to look.
 */
import * as layout from '../cpu/layout.js';
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { load32, store8, store16, store32 } from '../wasm/memory-access.js';
import { I32 } from '../wasm/values.js';

const WORDS_PER_FRAME = 1024;
/** Bits of a frame, a word each: so many numbers of 32 bits. */
export const WRITTEN_SET_LENGTH = WORDS_PER_FRAME / 32;

const ZERO = I32.of(0);
const ONE = I32.of(1);

/** Address of the byte for the word at a host address, as generated code computes it. */
const byteFor = (host: I32): I32 => host.shrU(2).add(load32(ZERO, layout.WRITTEN_WORDS_OFFSET));

/** Emits: `bytes` bytes, all in one frame, have been written. The address is evaluated several times. */
export function emitWritten(f: FunctionBuilder, host: I32, bytes: 1 | 2 | 4 | 8 | 16): void {
  const first = f.let(byteFor(host));
  if (bytes === 16) f.emit(store32(first, I32.of(0x0101_0101)));
  else if (bytes === 8) f.emit(store16(first, I32.of(0x0101)));
  else f.emit(store8(first, ONE));
  if (bytes > 1) f.emit(store8(byteFor(host.add(bytes - 1)), ONE));
}

/** The same for a length that is not known before; not zero. */
export function emitWrittenRun(f: FunctionBuilder, host: I32, bytes: I32): void {
  const first = f.let(byteFor(host));
  f.fillMemory(first, ONE, byteFor(host.add(bytes).sub(1)).sub(first).add(1));
}

export class WrittenWords {
  private readonly marks: Uint8Array;
  /** The same, four at a time. */
  private readonly quads: Uint32Array;

  constructor(memory: WebAssembly.Memory, frameBytes: number) {
    const at = layout.writtenWordsAt(frameBytes);
    this.marks = new Uint8Array(memory.buffer, at, frameBytes / 4);
    this.quads = new Uint32Array(memory.buffer, at, frameBytes / 16);
    new DataView(memory.buffer).setUint32(layout.WRITTEN_WORDS_OFFSET, at - layout.FRAMES / 4, true);
  }

  /** Within one frame. */
  mark(frame: number, offset: number, bytes: number): void {
    const first = frame * WORDS_PER_FRAME;
    const end = first + ((offset + bytes - 1) >>> 2);
    for (let at = first + (offset >>> 2); at <= end; at++) this.marks[at] = 1;
  }

  /** Adds the words of a frame that have been written to a set, the lowest in the lowest bit, and forgets them. */
  take(frame: number, into: Uint32Array): void {
    const { quads } = this;
    const first = (frame * WORDS_PER_FRAME) >>> 2;
    for (let quad = 0; quad < WORDS_PER_FRAME / 4; quad++) {
      const four = quads[first + quad] as number;
      if (four === 0) continue;
      quads[first + quad] = 0;
      // Gathers the lowest bits of four bytes.
      const bits = Math.imul(four, 0x1020_4080) >>> 28;
      into[quad >>> 3] = (into[quad >>> 3] as number) | (bits << ((quad & 7) * 4));
    }
  }

  forget(frame: number): void {
    this.marks.fill(0, frame * WORDS_PER_FRAME, (frame + 1) * WORDS_PER_FRAME);
  }
}
