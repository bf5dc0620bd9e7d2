/**
 * `--symbols FILE`: names of the guest's functions, from its ELF file.
 */
import { readFileSync } from 'node:fs';
import { fileProblem } from '../../traces/file-source.js';
import { CommandError } from '../debugger/command-error.js';
import { Symbols } from '../debugger/symbols.js';
import { UsageError } from './failure.js';

/** @throws UsageError */
export function symbolsFrom(path: string): Symbols {
  const symbols = new Symbols();
  try {
    symbols.load(readFileSync(path));
  } catch (error) {
    const problem = error instanceof CommandError ? error.message : `cannot be read: ${fileProblem(error)}`;
    throw new UsageError(`${path}: ${problem}`);
  }
  return symbols;
}
