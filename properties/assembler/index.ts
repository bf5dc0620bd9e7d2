/** The guest assembler and disassembler. */
export { type Assembled, type AssembleOptions, type Assembler, assemble } from './assembler.js';
export { type DisassembleOptions, disassemble, type ListingLine } from './disassemble.js';
export { AssemblyError } from './errors.js';
export type { Bits } from './iced.js';
export * from './operands.js';
