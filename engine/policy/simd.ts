/** Policy rows of simd instructions, see policy.ts. */
import type { PolicyRow } from './policy.js';

export const SIMD_POLICY: readonly PolicyRow[] = [];
