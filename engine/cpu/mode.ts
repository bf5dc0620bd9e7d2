/** The mode word: everything that decoding depends on. Blocks decoded under one mode are never run under another. */
export const MODE_CODE_32 = 1 << 0;
/** Stack addresses are 32 bits wide (SS.B). */
export const MODE_STACK_32 = 1 << 1;
/** DS, ES and SS: base 0, limit 4 GiB, readable and writable. */
export const MODE_DATA_FLAT = 1 << 2;
/** CS: base 0, limit 4 GiB. */
export const MODE_CODE_FLAT = 1 << 3;
/** CPL 3: fetches are user accesses. */
export const MODE_USER = 1 << 4;
/** 64-bit code: base 0 and no limits for all segments but FS and GS, which have a base. */
export const MODE_CODE_64 = 1 << 5;
/** From this bit on: number of CS base and limit, interned: where a block may end and a branch leads depends on them. */
export const MODE_SEGMENT_SHIFT = 8;
/** So many pairs are told apart; code in any further one is not cached. */
export const MODE_SEGMENT_UNCACHED = (1 << 18) - 1;
