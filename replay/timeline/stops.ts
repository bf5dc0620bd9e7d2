/**
 * What a timeline can be asked to stop at, and what it then says. Plain data: conditions go to worker threads, too.
 */

import type { Accessor } from '../../engine/index.js';
import type { ConsoleSource } from './console-log.js';

export type StopCondition =
  /** In front of the instruction at a linear address, where `when` says so. */
  | { readonly kind: 'breakpoint'; readonly address: number; readonly when?: (() => boolean) | undefined }
  /** In front of an instruction, wherever it stands: `call`, `ret`, `iret`... as the engine's instruction table names it. */
  | { readonly kind: 'instruction'; readonly mnemonics: readonly string[]; readonly when?: (() => boolean) | undefined }
  /** An access to any byte of a range of guest-physical memory. */
  | { readonly kind: 'watchpoint'; readonly address: number; readonly bytes: number; readonly access: 'read' | 'write' | 'access' }
  /** An external interrupt was accepted, where `when` says so just before. */
  | { readonly kind: 'interrupt'; readonly vector?: number | undefined; readonly when?: (() => boolean) | undefined }
  /** An exception was delivered, where `when` says so just before. */
  | { readonly kind: 'exception'; readonly vector?: number | undefined; readonly when?: (() => boolean) | undefined }
  | { readonly kind: 'port'; readonly port: number; readonly ports?: number | undefined; readonly access: 'read' | 'write' | 'access' }
  /** CR0, CR3 or CR4 changed its value. */
  | { readonly kind: 'control'; readonly register: 'cr0' | 'cr3' | 'cr4' }
  /** Real, virtual-8086, protected 16 or 32 bits, and the privilege level: any change. */
  | { readonly kind: 'mode' }
  /** The guest's output has come to match: COM1, COM2 or port 0xe9. */
  | { readonly kind: 'console'; readonly source: ConsoleSource; readonly pattern: RegExp };

/** A condition met by what happens between `tick` and `tick + 1`, or, for a breakpoint, by what is about to. */
export interface Hit {
  readonly tick: number;
  readonly condition: StopCondition;
  /** Linear address of a breakpoint, physical address of an access, port. */
  readonly address?: number | undefined;
  readonly bytes?: number | undefined;
  readonly write?: boolean | undefined;
  /** Who made an access to memory. */
  readonly by?: Accessor | undefined;
  /** Of an interrupt or exception. */
  readonly vector?: number | undefined;
  /** What was read or written at a port; the line of output that matches. */
  readonly value?: number | string | undefined;
}

/** Why the timeline stands where it does. */
export type Stop =
  | { readonly kind: 'hit'; readonly hits: readonly Hit[] }
  /** As many steps as were asked for. */
  | { readonly kind: 'stepped' }
  /** Tick 0. */
  | { readonly kind: 'begin' }
  /** The end of the recording. */
  | { readonly kind: 'end' }
  /** The signal. The timeline is where it has come to. */
  | { readonly kind: 'interrupted' };

/**
 * Forward one stops behind what happened, but in front of an instruction with a breakpoint; backward always in front, so that
 * what is about to be written can still be seen as it was.
 */
export const forwardTick = ({ tick, condition }: Hit): number => (isInFront(condition) ? tick : tick + 1);

/** Met in front of the instruction, not by what it does. */
export const isInFront = ({ kind }: StopCondition): boolean => kind === 'breakpoint' || kind === 'instruction';
