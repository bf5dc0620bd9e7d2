/** The guest assembler and disassembler. */
export { assemble, type Assembled, type Assembler, type AssembleOptions } from './assembler.js';
export { disassemble, type DisassembleOptions, type ListingLine } from './disassemble.js';
export { AssemblyError } from './errors.js';
export type { Bits } from './iced.js';
export * from './operands.js';
