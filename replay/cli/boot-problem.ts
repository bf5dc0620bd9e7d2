/**
 * A loader knows an image by its role; whoever typed the command line knows it by its file.
 */
import { BootError } from '../../engine/index.js';
import type { MachineOptions } from './machine-options.js';

const OPTION_OF_ROLE: Readonly<Record<string, 'kernel' | 'initrd' | 'bios'>> = {
  kernel: 'kernel',
  multiboot: 'kernel',
  elf: 'kernel',
  initrd: 'initrd',
  module: 'initrd',
  bios: 'bios',
};

/** Runs `build`; what it says about an image begins with the name of the file. Works for promises, too. */
export function withImageName<Result>(options: MachineOptions, build: () => Result): Result {
  const rethrow = (error: unknown): never => {
    throw error instanceof BootError ? named(error, options) : error;
  };
  try {
    const result = build();
    return result instanceof Promise ? (result.catch(rethrow) as Result) : result;
  } catch (error) {
    return rethrow(error);
  }
}

function named(error: BootError, options: MachineOptions): BootError {
  const option = OPTION_OF_ROLE[/^[a-z]+/.exec(error.message)?.[0] ?? ''];
  const file = option === undefined ? undefined : options[option];
  return file === undefined ? error : new BootError(`${file}: ${error.message}`);
}
