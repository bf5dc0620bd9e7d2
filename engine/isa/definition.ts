/**
 * One row of the instruction table: encoding, operands, meaning.
 *
 * Encoding: hex bytes, then `/r`, `/0`../7`, or `+r` (register in the low three opcode bits), or a ModRM byte that is
 * fixed (`D9 =E8`). Mandatory prefixes lead: `66 0F 6F /r`, `F3 ...`, `F2 ...`, `NP ...` (none of the three).
 *
 * Operands are named as in appendix A of the Intel SDM volume 2:
 *   E general register or memory by ModRM.rm · G general register by ModRM.reg · R register only by ModRM.rm · M memory only
 *   Z register in the opcode · I immediate · J relative branch · A far pointer · O address in the instruction
 *   S segment register by ModRM.reg (So: by bits 3-5 of the opcode) · C control register · D debug register
 *   P MMX register (reg) · Q MMX register or memory · N MMX register (rm) · V XMM (reg) · W XMM or memory · U XMM (rm)
 * followed by a size: b 8, w 16, d 32, q 64, x 128, t 80, v operand size, z 16 or 32, y 32 or 64, s sign-extended byte
 * immediate at operand size, p far pointer of the operand size, nothing where the size does not matter.
 * Fixed operands: AL AX eAX (accumulator at operand size) CL DX 1.
 */
import type { Context } from '../translate/context.js';

export type Semantics = (context: Context) => void;

export interface Definition {
  readonly encoding: string;
  readonly mnemonic: string;
  /** Comma-separated operands. */
  readonly operands: string;
  /** Meaning as generated code, or the name of a host semantics (cpu/). */
  readonly semantics: Semantics | string;
  readonly options: DefinitionOptions;
}

export interface DefinitionOptions {
  /** A LOCK prefix is legal with a memory destination. */
  readonly lock?: true;
  /** Compiled into the dispatch function itself for the 8- and 32-bit sizes, because it is frequent. */
  readonly hot?: true;
  /** Ends a block: control does not (always) go on behind it. Host semantics always end a block. */
  readonly terminal?: true;
  /** Operand sizes that exist although no operand names them (string instructions, PUSHF...). */
  readonly sized?: true;
  /** The operand size is 64 bits by default in 64-bit mode (near branches, stack). */
  readonly default64?: true;
  /** Not in 64-bit mode. */
  readonly not64?: true;
  /** Only in 64-bit mode. */
  readonly only64?: true;
  /** There is no operand size of 64 bits: REX.W changes nothing. */
  readonly atMost32?: true;
  /** Name of the host semantics that `context.host()` turns to, where generated code covers only the frequent case. */
  readonly fallback?: string;
  /** REP, REPE, REPNE are meaningful: decoded into `context.repeat`. */
  readonly repeat?: 'rep' | 'repe';
}

export function row(
  encoding: string,
  mnemonic: string,
  operands: string,
  semantics: Semantics | string,
  options: DefinitionOptions = {},
): Definition {
  return { encoding, mnemonic, operands, semantics, options };
}

/** Name of the host semantics that a definition is, or falls back to. */
export const hostSemanticsName = ({ semantics, options }: Definition): string | undefined =>
  typeof semantics === 'string' ? semantics : options.fallback;

/** A parsed operand. */
export interface Operand {
  readonly kind: 'E' | 'G' | 'R' | 'M' | 'Z' | 'I' | 'J' | 'A' | 'O' | 'S' | 'C' | 'D' | 'P' | 'Q' | 'N' | 'V' | 'W' | 'U' | 'fixed';
  /** Size letter as written; for fixed operands the register. */
  readonly size: string;
}

const FIXED = new Set(['AL', 'AX', 'eAX', 'CL', 'DX', '1']);

export function parseOperands(text: string): Operand[] {
  if (text === '') return [];
  return text.split(',').map((word) => {
    if (FIXED.has(word)) return { kind: 'fixed', size: word };
    const kind = word.charAt(0);
    if (!'EGRMZIJAOSCDPQNVWU'.includes(kind)) throw new Error(`unknown operand ${word}`);
    return { kind: kind as Operand['kind'], size: word.slice(1) };
  });
}

/** Width in bits of an operand at an operand size; 0 where it has none. */
export function operandBits(operand: Operand, operandSize: OperandSize): number {
  switch (operand.size) {
    case 'b':
    case 'AL':
    case 'CL':
      return 8;
    case 'w':
    case 'AX':
    case 'DX':
      return 16;
    case 'd':
      return 32;
    case 'q':
      return 64;
    case 't':
      return 80;
    case 'x':
      return 128;
    case 'v':
    case 's':
    case 'eAX':
      return operandSize;
    case 'z':
      return operandSize === 16 ? 16 : 32;
    case 'y':
      return operandSize === 64 ? 64 : 32;
    default:
      return 0;
  }
}

export type OperandSize = 8 | 16 | 32 | 64;

/** A definition at one operand size, with a register or a memory operand, without or with a repeat prefix. */
export interface Form {
  readonly definition: Definition;
  readonly operands: readonly Operand[];
  readonly operandSize: OperandSize;
  /** Of 64-bit code: addresses and stack pointers of 64 bits, 32-bit results that clear the upper half. */
  readonly long: boolean;
  /** ModRM.rm names memory (or the operand is of kind O). */
  readonly memory: boolean;
  readonly repeat: RepeatKind;
  /** What the record's `handler` field holds. */
  readonly handler: number;
  /** What the record's `link` field holds for outlined functions and host semantics: their number. */
  readonly target: number;
  /** Number of its host semantics: `target`, or that of the fallback; -1 for none. */
  readonly host: number;
}

/** Repeat prefix: none, F3 (REP, REPE) or F2 (REPNE). */
export type RepeatKind = 0 | 1 | 2;
