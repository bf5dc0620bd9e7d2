/**
 * The memory that a query is about: a linear range is translated once, page by page, as it is mapped where the timeline
 * stands; from there on it is a question about physical memory.
 */
import type { Machine } from '../../../engine/index.js';
import { PAGE_BYTES } from '../page-store.js';

/** The question makes no sense for this run. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
}

/** A linear address, or a guest-physical one. */
export type Address = number | { readonly physical: number };

/** A range of guest-physical memory within one page. */
export interface Piece {
  readonly physical: number;
  readonly bytes: number;
  readonly linear: number | undefined;
}

const LINEAR_BYTES = 0x1_0000_0000;
/** Longer ranges are questions about everything. */
const LIMIT_BYTES = 16 * 1024 * 1024;

/** @throws QueryError when part of it is not mapped, or has no storage behind it */
export function piecesOf(address: Address, bytes: number, machine: Machine): Piece[] {
  const isLinear = typeof address === 'number';
  const first = isLinear ? address : address.physical;
  if (!Number.isSafeInteger(first) || first < 0) throw new QueryError(`${first} is no address`);
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > LIMIT_BYTES)
    throw new QueryError(`a range has from 1 to ${LIMIT_BYTES} bytes, not ${bytes}`);
  if (isLinear && first + bytes > LINEAR_BYTES) throw new QueryError('a linear range ends at 4 GiB');
  const pieces: Piece[] = [];
  for (let done = 0; done < bytes; ) {
    const at = first + done;
    const part = Math.min(bytes - done, PAGE_BYTES - (at % PAGE_BYTES));
    const physical = isLinear ? machine.translate(at) : at;
    if (physical === undefined) throw new QueryError(`linear address 0x${at.toString(16)} is not mapped at tick ${machine.tick}`);
    if (machine.peekPhysical(physical, part).length < part)
      throw new QueryError(`there is no memory at physical address 0x${physical.toString(16)}`);
    pieces.push({ physical, bytes: part, linear: isLinear ? at : undefined });
    done += part;
  }
  return pieces;
}
