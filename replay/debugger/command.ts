/**
 * What a command of the debugger is, and how what stands behind its name is taken apart.
 */
import { CommandError } from './command-error.js';
import { type Expression, parseExpression, splitWords } from './expression.js';
import type { Session } from './session.js';

export interface Command {
  /** The first is its name, the others are short for it. */
  readonly names: readonly [string, ...string[]];
  /** What may stand behind the name. */
  readonly operands: string;
  readonly help: string;
  /** An empty line does it again. */
  readonly repeats?: boolean;
  /** Done again it needs no operands: it goes on behind what it has shown. */
  readonly continues?: boolean;
  /** What its operands can be completed to. */
  readonly completes?: Completion;
  /** @throws CommandError before it has changed anything */
  readonly run: (session: Session, operands: string) => Promise<void> | void;
}

export type Completion = 'expression' | 'place' | 'stop' | 'topic';

/** @throws CommandError */
export function expressionOf(session: Session, text: string): Expression {
  return parseExpression(text, session.view);
}

/** @throws CommandError */
export function valueOf(session: Session, text: string): number {
  return expressionOf(session, text)();
}

/** The operands, no more than there can be. @throws CommandError */
export function wordsOf(operands: string, limit: number): string[] {
  const words = splitWords(operands);
  if (words.length > limit) throw new CommandError(`'${words[limit]}' is one too many`);
  return words;
}

/** @throws CommandError */
export function requireNothing(operands: string): void {
  wordsOf(operands, 0);
}

/** A positive decimal number; commas and underscores are for the eye. @throws CommandError */
export function countOf(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === '') return otherwise;
  const value = /^\d[\d,_]*$/.test(text) ? Number(text.replace(/[,_]/g, '')) : Number.NaN;
  if (!Number.isSafeInteger(value) || value === 0) throw new CommandError(`'${text}' is no positive number`);
  return value;
}
