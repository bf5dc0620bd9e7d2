/**
 * A second Node, with another V8, to show that a trace replays the same on both. `.ci/node26` installs it.
 */
import { join } from 'node:path';
import { isProgram, missing } from './system-tool.js';

/** Where `.ci/node26` leaves a link to the binary, from the root of the repository, in which tests run. */
const NODE26 = join('node_modules', '.cache', 'node26', 'node');

/** The path of the Node 26 binary. Without it, the running test is skipped, or fails in CI. Call it inside a test. */
export function requireNode26(): string {
  const path = join(process.cwd(), NODE26);
  return isProgram(path) ? path : missing('Node 26 is not installed (run .ci/node26)');
}
