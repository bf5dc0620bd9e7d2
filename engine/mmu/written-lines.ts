/**
 * Which lines of 64 bytes of memory have been written since somebody last asked: a byte for each, in WebAssembly memory. Every
 * write of the guest sets those that it touches, quick or not: beside the store, a shift and a store to where the first-level
 * cache has been. (A byte for each word would be exacter, and costs five times as much.) The frame is dirty then, too
 * (written-frames.ts), so whoever asks knows where to look.
 */
import * as layout from '../cpu/layout.js';
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { store8 } from '../wasm/memory-access.js';
import { I32 } from '../wasm/values.js';

const LINES_PER_FRAME = 4096 / layout.LINE_BYTES;
/** Bits of a frame, a line each: so many numbers of 32 bits. */
export const WRITTEN_SET_LENGTH = LINES_PER_FRAME / 32;

const ONE = I32.of(1);
/** From the number of the line at a host address to its byte. */
const OFFSET = layout.WRITTEN_LINES - layout.FRAMES / layout.LINE_BYTES;

const markLine = (f: FunctionBuilder, host: I32): void => f.emit(store8(host.shrU(layout.LINE_SHIFT), ONE, OFFSET));

/** Emits: `bytes` bytes, no more than a line, all in one frame, have been written. The address is evaluated several times. */
export function emitWritten(f: FunctionBuilder, host: I32, bytes: number): void {
  markLine(f, host);
  if (bytes > 1) f.if(host.and(layout.LINE_BYTES - 1).gtU(layout.LINE_BYTES - bytes), () => markLine(f, host.add(bytes - 1)));
}

/** The same for a length that is not known before; not zero. */
export function emitWrittenRun(f: FunctionBuilder, host: I32, bytes: I32): void {
  const first = f.let(host.shrU(layout.LINE_SHIFT));
  const last = host.add(bytes).sub(1).shrU(layout.LINE_SHIFT);
  f.fillMemory(first.add(OFFSET), ONE, last.sub(first).add(1));
}

export class WrittenLines {
  private readonly marks: Uint8Array;
  /** The same, four at a time. */
  private readonly quads: Uint32Array;

  constructor(memory: WebAssembly.Memory, frames: number) {
    this.marks = new Uint8Array(memory.buffer, layout.WRITTEN_LINES, frames * LINES_PER_FRAME);
    this.quads = new Uint32Array(memory.buffer, layout.WRITTEN_LINES, (frames * LINES_PER_FRAME) / 4);
  }

  /** Within one frame. */
  mark(frame: number, offset: number, bytes: number): void {
    const first = frame * LINES_PER_FRAME;
    const end = first + ((offset + bytes - 1) >>> layout.LINE_SHIFT);
    for (let at = first + (offset >>> layout.LINE_SHIFT); at <= end; at++) this.marks[at] = 1;
  }

  /** Adds the lines of a frame that have been written to a set, the lowest in the lowest bit, and forgets them. */
  take(frame: number, into: Uint32Array): void {
    const { quads } = this;
    const first = (frame * LINES_PER_FRAME) >>> 2;
    for (let quad = 0; quad < LINES_PER_FRAME / 4; quad++) {
      const four = quads[first + quad] as number;
      if (four === 0) continue;
      quads[first + quad] = 0;
      // Gathers the lowest bits of four bytes.
      const bits = Math.imul(four, 0x1020_4080) >>> 28;
      into[quad >>> 3] = (into[quad >>> 3] as number) | (bits << ((quad & 7) * 4));
    }
  }

  forget(frame: number): void {
    this.marks.fill(0, frame * LINES_PER_FRAME, (frame + 1) * LINES_PER_FRAME);
  }
}
