/**
 * Starts gdb, connected, at this terminal.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PortServer } from './server.js';

const GDB = 'gdb';

/**
 * gdb asks for the width of instructions when it connects, and thinks that monitor commands change nothing. So that it follows
 * a guest that changes its mode, and a `monitor goto`, it gets hooks.
 */
const HOOKS = `
set $replay86_bits = 0
define hook-stop
  if $code_bits != $replay86_bits
    set $replay86_bits = $code_bits
    unset tdesc filename
  end
end
define hookpost-monitor
  maintenance flush register-cache
end
`;

export interface GdbOptions {
  /** ELF file with symbols of the guest. */
  readonly symbols?: string | undefined;
}

/** @returns the exit status of gdb; undefined when there is no gdb */
export async function runGdb({ port }: PortServer, { symbols }: GdbOptions): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-gdb-'));
  const hooks = join(folder, 'hooks.gdb');
  writeFileSync(hooks, HOOKS);
  const args = ['-q', '-ex', 'set confirm off', '-x', hooks, '-ex', `target remote 127.0.0.1:${port}`];
  if (symbols !== undefined) args.push(symbols);
  // Ctrl-C is for gdb, which passes it on.
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  try {
    const gdb = spawn(GDB, args, { stdio: 'inherit' });
    return await new Promise((resolve, reject) => {
      gdb.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(undefined) : reject(error)));
      gdb.on('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    process.off('SIGINT', ignore);
    rmSync(folder, { recursive: true });
  }
}
