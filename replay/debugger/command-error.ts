/**
 * What is wrong with a command, as one line for the person who typed it. Nothing has changed when it is thrown.
 */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
