/**
 * Makes `node_modules/.bin/replay86`: npm links the commands of dependencies, but not of the package itself (`npx` would
 * install it into a cache of its own first). Part of `npm run build`, because a new file is not executable.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const COMMAND = 'dist/replay/cli/main.js';
const LINK = 'node_modules/.bin/replay86';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
if (existsSync(COMMAND) && process.platform !== 'win32') {
  chmodSync(COMMAND, 0o755);
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync(LINK, { force: true });
  symlinkSync(`../../${COMMAND}`, LINK);
}
