/**
 * What the manuals leave undefined, and what this machine does: one row for each case, as data. The reference model names
 * the row whenever it relies on one, comparisons with other processors excuse exactly what the row says, and
 * `replay86 policy` prints it.
 */
import { INTEGER_POLICY } from './integer.js';
import { SIMD_POLICY } from './simd.js';
import { SYSTEM_POLICY } from './system.js';
import { X87_POLICY } from './x87.js';

export interface PolicyRow {
  /** Short and lasting: 'shift.of', 'bsf.zero'. */
  readonly id: string;
  /** Mnemonics concerned, in the manuals' spelling. */
  readonly instructions: string;
  /** When it applies. */
  readonly when: string;
  /** Where the manual leaves it open, e.g. 'SDM 2B, SHL: Flags Affected'. */
  readonly source: string;
  /** What this machine does. */
  readonly ours: string;
  /** What others do; 'as ours' where they agree, 'unknown' where nobody has looked. */
  readonly amd: string;
  readonly intel: string;
  /** What another processor may have otherwise; comparisons ignore exactly this. */
  readonly excuses: Excuse;
}

/** Parts of an outcome that are not compared when the row was needed and the oracle differs. */
export interface Excuse {
  /** EFLAGS bits. */
  readonly flags?: number;
  /** The destination operand (register or memory). */
  readonly destination?: true;
  /** Bytes of a destination in memory: first, how many. */
  readonly destinationBytes?: readonly (readonly [number, number])[];
  /** Bits of the x87 status word. */
  readonly x87Status?: number;
  /** TOP and which x87 registers are empty. */
  readonly x87Stack?: true;
  /** x87 registers may differ by so many units in the last place. */
  readonly x87LastPlaces?: number;
  /** Instruction and operand pointers, opcode of the x87. */
  readonly x87Pointers?: true;
  /** The address of a page fault, and the error code that belongs to that page. */
  readonly cr2?: true;
  /** Which exception, or none, is raised: the whole case says nothing. */
  readonly wholeCase?: true;
}

/** Numbered by position; the model's bit sets and reports use the number of this version only, names are for ever. */
export const POLICY: readonly PolicyRow[] = [...INTEGER_POLICY, ...SYSTEM_POLICY, ...X87_POLICY, ...SIMD_POLICY];
