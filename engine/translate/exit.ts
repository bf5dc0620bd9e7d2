/** Why `run`, the interpreter's function, came back. EIP is exact in each case. */
export const EXIT = {
  /** The tick budget does not cover the next block. */
  budget: 0,
  /** FAULT_VECTOR and FAULT_ERROR_CODE are set. */
  fault: 1,
  /** An instruction wants the machine to look at interrupts and devices. */
  leave: 2,
  /** The next instruction must be stepped. */
  step: 3,
  /** The single instruction of the step tier is complete. */
  stepped: 4,
} as const;
