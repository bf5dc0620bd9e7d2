/** Exceptions of the processor (Intel SDM volume 3, chapter 6; table 6-1). */

export const VECTOR = {
  divideError: 0,
  debug: 1,
  nmi: 2,
  breakpoint: 3,
  overflow: 4,
  boundRange: 5,
  invalidOpcode: 6,
  deviceNotAvailable: 7,
  doubleFault: 8,
  invalidTss: 10,
  segmentNotPresent: 11,
  stackFault: 12,
  generalProtection: 13,
  pageFault: 14,
  x87: 16,
  alignmentCheck: 17,
  machineCheck: 18,
  simd: 19,
} as const;

/** Vectors that push an error code (when delivered in protected mode). */
export const HAS_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

/**
 * How an exception stands to the instruction under way:
 * - `fault`: EIP goes back to the instruction; the pushed EFLAGS have RF set;
 * - `instructionBreakpoint`: the same, but RF is pushed as it is (SDM volume 3, 17.3.1.1);
 * - `trap`: the instruction is complete, EIP stays and RF is pushed as it is;
 * - `newTask`: a fault behind the commit point of a task switch: EIP stays (it is the new task's), RF is pushed set.
 */
export type ExceptionKind = 'fault' | 'instructionBreakpoint' | 'trap' | 'newTask';

/**
 * Thrown by TypeScript parts of the CPU to abandon the instruction; of a fault nothing may have been committed.
 * A plain class, not an Error: no stack trace is taken, because guests cause these by the million.
 */
export class GuestException {
  constructor(
    readonly vector: number,
    readonly errorCode: number = 0,
    readonly kind: ExceptionKind = 'fault',
  ) {}
}

export const generalProtection = (errorCode: number): GuestException => new GuestException(VECTOR.generalProtection, errorCode);
export const invalidOpcode = (): GuestException => new GuestException(VECTOR.invalidOpcode);
