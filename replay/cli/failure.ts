/**
 * What goes wrong, as one line on stderr and an exit status. A stack trace is shown only on request.
 */
import { BootError, ConfigError } from '../../engine/index.js';
import { TraceError } from '../../traces/errors.js';
import { STATUS } from '../exit-status.js';
import { ScriptError } from '../script-error.js';
import { oneLine } from './text.js';

/** The command line asks for something impossible. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Failure {
  readonly line: string;
  readonly status: number;
}

const STATUS_BY_CLASS: readonly (readonly [new (...args: never[]) => Error, number])[] = [
  [UsageError, STATUS.usage],
  [ScriptError, STATUS.usage],
  [ConfigError, STATUS.usage],
  [TraceError, STATUS.unreadable],
  [BootError, STATUS.unreadable],
];

export function describeFailure(error: unknown): Failure {
  const known = STATUS_BY_CLASS.find(([type]) => error instanceof type);
  if (known !== undefined) return { line: oneLine((error as Error).message), status: known[1] };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { line: `defect in replay86: ${oneLine(message)} (REPLAY86_DEBUG=1 shows where)`, status: STATUS.internal };
}

/** Writes the line. @returns the exit status. */
export function reportFailure(error: unknown): number {
  const { line, status } = describeFailure(error);
  process.stderr.write(`replay86: ${line}\n`);
  if (process.env.REPLAY86_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return status;
}
