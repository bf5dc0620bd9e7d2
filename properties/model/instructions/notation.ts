/** How rows of the opcode table are spelled where a family of instructions shares a scheme. */

/** A byte of an encoding. */
export const hexByte = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');
