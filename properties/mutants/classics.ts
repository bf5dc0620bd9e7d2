/** Mistakes that emulators have really made, or could: each a text of the engine and what takes its place. */
import type { Category } from './operators.js';

export interface Classic {
  readonly name: string;
  readonly category: Category;
  readonly path: string;
  /** Occurs once. */
  readonly before: string;
  readonly after: string;
}

export const CLASSICS: readonly Classic[] = [];
