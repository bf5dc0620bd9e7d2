/**
 * A guest of the corpus: what it starts from, what is sent to it and when, and how it ends. All of it is constant, so
 * that a recording is the same wherever it is made.
 */
import type { BlockImage, BootSource, ExitReason, MachineConfig } from '../../engine/index.js';
import type { Assembled } from '../../properties/index.js';
import type { ScriptLine } from '../../replay/index.js';
import { exitSuccess } from './kit.js';

export interface CorpusGuest {
  /** File name of the trace, without its ending. */
  readonly name: string;
  /** One line for people: what it does. */
  readonly title: string;
  /** Assembles the guest. */
  config(): MachineConfig;
  readonly inputs?: readonly ScriptLine[];
  readonly end: ExitReason;
  /** What the guest says on the first serial port, from power-on to the end. */
  readonly serial: string;
}

/** The end of a guest that found everything as it should be. */
export const passed: ExitReason = { kind: 'debugExit', value: exitSuccess };

export function multiboot({ bytes }: Assembled): BootSource {
  return { kind: 'multiboot', kernel: bytes, modules: [], commandLine: '' };
}

/** Reproducible bytes for disks: the high bits of a linear congruential generator. */
export function patternBytes(length: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

export function blockImage(bytes: Uint8Array): BlockImage {
  return { sizeBytes: bytes.length, read: (offsetBytes, into) => into.set(bytes.subarray(offsetBytes, offsetBytes + into.length)) };
}
