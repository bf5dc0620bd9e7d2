#!/usr/bin/env node
/**
 * The `replay86` command.
 */
import { runProgram } from './program.js';

runProgram(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  async (error: unknown) => {
    process.exitCode = (await import('./failure.js')).reportFailure(error);
  },
);
