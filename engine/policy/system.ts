/** Policy rows of system instructions, see policy.ts. */
import type { PolicyRow } from './policy.js';

export const SYSTEM_POLICY: readonly PolicyRow[] = [];
