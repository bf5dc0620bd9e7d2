/**
 * What is wrong with an input script.
 */

/** A script that cannot be played: one line of text that begins with its place. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  constructor(place: string, problem: string) {
    super(`${place}: ${problem}`);
  }
}
