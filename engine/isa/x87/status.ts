/** The x87 control and status words (Intel SDM volume 1, sections 8.1.3 and 8.1.5). */

export const STATUS = {
  exceptions: 0x3f,
  invalid: 1 << 0,
  stackFault: 1 << 6,
  errorSummary: 1 << 7,
  c0: 1 << 8,
  c1: 1 << 9,
  c2: 1 << 10,
  topShift: 11,
  c3: 1 << 14,
  busy: 1 << 15,
  /** Not a bit of the register: IGNNE# is asserted (only meaningful while errorSummary is set). See error-line.ts. */
  ignoreError: 1 << 16,
} as const;
export const CONDITION_CODES = STATUS.c0 | STATUS.c1 | STATUS.c2 | STATUS.c3;
/** An unmasked exception is pending: the busy flag has been a copy of the summary since the 387. */
export const ERROR_PENDING = STATUS.errorSummary | STATUS.busy;

export const CONTROL_INITIAL = 0x37f;
/** Bit 6 always reads as one; bits 7 and 13 to 15 as zero. */
export const CONTROL_WRITABLE = 0x1f3f;
export const CONTROL_ONES = 0x40;
