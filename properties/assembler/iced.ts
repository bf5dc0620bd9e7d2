/**
 * iced-x86, loaded at first use: its WebAssembly takes some 40 ms that a program which never assembles should not pay.
 * Everything of iced that the assembler and the disassembler need goes through here.
 */
import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';

export type { Encoder as IcedEncoder, Instruction as IcedInstruction } from 'iced-x86';

export type Bits = 16 | 32 | 64;

let loaded: typeof Iced | undefined;

export function iced(): typeof Iced {
  loaded ??= createRequire(import.meta.url)('iced-x86') as typeof Iced;
  return loaded;
}
