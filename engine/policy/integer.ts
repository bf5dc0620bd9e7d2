/** Policy rows of integer instructions, see policy.ts. */
import type { PolicyRow } from './policy.js';

export const INTEGER_POLICY: readonly PolicyRow[] = [];
