/** TypeScript functions that generated code calls in the middle of an instruction, by number. */
import type { Helper } from './core.js';

export const HELPERS: readonly Helper[] = [];
