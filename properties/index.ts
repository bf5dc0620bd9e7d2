/** Programs for the guest: assembler and disassembler. */
export * from './assembler/index.js';
