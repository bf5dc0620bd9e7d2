/**
 * `--symbols FILE`: names of the guest's functions, from its ELF file.
 */
import { readFileSync } from 'node:fs';
import { Symbols } from '../debugger/symbols.js';
import { UsageError } from './failure.js';

/** @throws UsageError */
export function symbolsFrom(path: string): Symbols {
  const symbols = new Symbols();
  try {
    symbols.load(readFileSync(path));
  } catch (error) {
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return symbols;
}
