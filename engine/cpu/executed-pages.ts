/**
 * In which linear pages instructions have been about to be executed since somebody last asked: a byte for each page, which it
 * shares with those 256 MiB away, so that there is little to look through.
 * Blocks do not leave their page and are linked within it alone, so it is enough to note where a page is entered: in the
 * jump of generated code, and wherever TypeScript looks up a block or steps.
 */
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { store8 } from '../wasm/memory-access.js';
import { I32 } from '../wasm/values.js';
import { EXECUTED_PAGES, EXECUTED_PAGES_BYTES } from './layout.js';

/** Emits: code at this linear address is entered. */
export function emitExecuted(f: FunctionBuilder, linear: I32): void {
  f.emit(store8(linear.shrU(12).and(EXECUTED_PAGES_BYTES - 1), I32.of(1), EXECUTED_PAGES));
}

/** What stands for the page of a linear address. */
export const executedPage = (linear: number): number => (linear >>> 12) & (EXECUTED_PAGES_BYTES - 1);

export class ExecutedPages {
  private readonly marks: Uint8Array;
  /** Eight at a time: what is not marked is zero in this view, too. */
  private readonly eights: Float64Array;

  constructor(memory: WebAssembly.Memory) {
    this.marks = new Uint8Array(memory.buffer, EXECUTED_PAGES, EXECUTED_PAGES_BYTES);
    this.eights = new Float64Array(memory.buffer, EXECUTED_PAGES, EXECUTED_PAGES_BYTES / 8);
  }

  mark(linear: number): void {
    this.marks[executedPage(linear)] = 1;
  }

  /** What stands for them, ascending; they are forgotten. */
  take(): Uint32Array {
    const { marks, eights } = this;
    const pages: number[] = [];
    for (let eight = 0; eight < eights.length; eight++) {
      if (eights[eight] === 0) continue;
      for (let page = eight * 8; page < eight * 8 + 8; page++) if (marks[page] !== 0) pages.push(page);
      eights[eight] = 0;
    }
    return Uint32Array.from(pages);
  }
}
