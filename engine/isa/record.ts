/**
 * The decoded record: 24 bytes an instruction, in the record arena. The records of a block follow each other.
 * Fields that an instruction does not need hold rubbish.
 */
export const RECORD = {
  /** u16: case of the dispatch function. */
  handler: 0,
  /** u8: ticks from this record to the end of its block, this one included (0 in the closing pseudo record). */
  remaining: 2,
  /** u8: instruction bytes. */
  length: 3,
  /** u16: offset of the instruction in its page; 4096 in a pseudo record that goes on in the next page. */
  offset: 4,
  /** u8: general registers: offset from REGISTERS; others: number. */
  reg: 6,
  rm: 7,
  /** u8: offsets from REGISTERS; ZERO_OFFSET where there is none. */
  base: 8,
  index: 9,
  /** u8: shift count. */
  scale: 10,
  /** u8, see ADDRESSING. */
  addressing: 11,
  /** i32; of relative branches: from the next instruction */
  displacement: 12,
  /** i32; for relative branches the distance from the first byte of the page to the target. */
  immediate: 16,
  /** u32: relative branches: record of the target or 0; outlined functions and host instructions: their number. */
  link: 20,
} as const;

/**
 * `addressing` is 0 for a flat segment and 32-bit addresses: the effective address is the linear address. In 64-bit code
 * `checked` says that the segment has a base, and the segment is always there.
 */
export const ADDRESSING = {
  segment: 7,
  /** The address wraps to 16 bits, in 64-bit code to 32. */
  narrow: 0x40,
  /** Set whenever the rest matters. */
  checked: 0x80,
} as const;

/** Dispatch cases that are not instructions. */
export const HANDLER = {
  /** The code behind this record has changed: look it up again. */
  stale: 0,
  /** The block goes on elsewhere (length limit or end of the page). */
  nextBlock: 1,
  /** Written over the next record when the machine must get a look in first. */
  leave: 2,
  /** The instruction leaves its page: checked against the next page, then the record behind this one; else stepped. */
  crossing: 3,
  /** Closes the single instruction of the step tier. */
  stepped: 4,
  /** A function of its own, by `link`. */
  outlined: 5,
  /** TypeScript, by `link`. */
  host: 6,
  firstHot: 7,
} as const;

/** Longest block in instructions. Short enough that the rest before an event is stepped quickly. */
export const BLOCK_LIMIT = 48;
