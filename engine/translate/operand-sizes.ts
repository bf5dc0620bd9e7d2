/** 64-bit operand sizes are decoded and defined, but not generated before long mode exists. */
export const OPERAND_SIZES = [8, 16, 32] as const;
