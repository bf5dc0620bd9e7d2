/**
 * Gives a finished module another memory size. The code does not depend on it, but V8 makes code about a fifth faster
 * when it is told that the memory cannot grow: so the size is put in before the module is compiled.
 *
 * Core specification, section 5.5: import section 5.5.5; the memory is the last import (module-builder.ts).
 */
import type { Bytes } from './bytes.js';

/** Enough for 65536 pages in 7 bits a byte; LEB128 numbers may be longer than they must. */
const LIMIT_BYTES = 3;
const IMPORT_SECTION = 2;

export function memoryLimits(pages: number): Bytes {
  const limit = [(pages & 0x7f) | 0x80, ((pages >>> 7) & 0x7f) | 0x80, pages >>> 14];
  return [0x01, ...limit, ...limit];
}

/** A copy of a module by ModuleBuilder whose memory has this many pages. */
export function withMemoryPages(module: Uint8Array, pages: number): Uint8Array {
  let end = 8;
  let id: number;
  do {
    id = module[end++] as number;
    let bytes = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const part = module[end++] as number;
      bytes += (part & 0x7f) << shift;
      more = part > 0x7f;
    }
    end += bytes;
  } while (id !== IMPORT_SECTION);
  const copy = module.slice();
  copy.set(memoryLimits(pages), end - 1 - 2 * LIMIT_BYTES);
  return copy;
}
