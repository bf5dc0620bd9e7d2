/**
 * One case by itself, out of a batch: what is shrunk, printed and written down.
 */
import type { Arena, CaseBatch, CodeBits, OfferedInterrupt } from '../oracles/oracle.js';
import { type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE_BYTES, CpuState, CS } from '../state/cpu-state.js';

export interface Case {
  readonly arena: Arena;
  readonly bits: CodeBits;
  readonly windows: readonly Window[];
  /** State, then windows, the code in them as well. */
  readonly record: Uint8Array;
  /** In the record: where the first instruction begins, and how many bytes were written there. */
  readonly codeOffset: number;
  readonly codeBytes: number;
  readonly tickLimit: number;
  readonly interrupts: readonly OfferedInterrupt[];
}

/** A case of a batch, copied out of it. @param codeOffset in the window of the code */
export function caseOf(batch: CaseBatch, index: number, codeBytes: number): Case {
  const bytes = CPU_STATE_BYTES + windowsBytes(batch.windows);
  const record = batch.records.slice(index * bytes, (index + 1) * bytes);
  const { arena, bits, windows, tickLimit, interrupts = [] } = batch;
  return { arena, bits, windows, record, codeOffset: firstCodeOffset(windows, record), codeBytes, tickLimit, interrupts };
}

export function batchOf({ arena, bits, windows, record, tickLimit, interrupts }: Case): CaseBatch {
  const batch: CaseBatch = { arena, bits, windows, count: 1, records: record, tickLimit };
  return interrupts.length === 0 ? batch : { ...batch, interrupts };
}

/** Where CS:RIP points to in the record, linear addresses taken for physical ones; the beginning of the windows if it is in none. */
export function firstCodeOffset(windows: readonly Window[], record: Uint8Array): number {
  const state = new CpuState(record.buffer as ArrayBuffer, record.byteOffset);
  const address = Number(BigInt.asUintN(32, state.segmentBase(CS) + state.rip));
  let at = CPU_STATE_BYTES;
  for (const window of windows) {
    if (address >= window.address && address < window.address + window.bytes) return at + address - window.address;
    at += window.bytes;
  }
  return CPU_STATE_BYTES;
}
