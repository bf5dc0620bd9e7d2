/** Policy rows of x87 instructions, see policy.ts. */
import type { PolicyRow } from './policy.js';

export const X87_POLICY: readonly PolicyRow[] = [];
