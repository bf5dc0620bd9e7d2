/**
 * Starts gdb, connected, at this terminal.
 */
import { spawn } from 'node:child_process';
import type { PortServer } from './server.js';

/**
 * gdb asks for the width of instructions when it connects, and for registers when it resumes the guest. So that it asks again
 * when the guest changes its mode, and after a monitor command that moves, it is told so.
 */
const SCRIPT: readonly string[] = [
  'set $replay86_bits = 0',
  'define hook-stop\nif $code_bits != $replay86_bits\nset $replay86_bits = $code_bits\nunset tdesc filename\nend\nend',
  'define hookpost-monitor\nmaintenance flush register-cache\nend',
];

export interface GdbOptions {
  /** ELF file with symbols of the guest. */
  readonly symbols?: string | undefined;
}

/** @returns the exit status of gdb; undefined when there is no gdb */
export async function runGdb({ port }: PortServer, { symbols }: GdbOptions): Promise<number | undefined> {
  const commands = ['set confirm off', ...SCRIPT, `target remote 127.0.0.1:${port}`];
  const args = ['-q', ...commands.flatMap((command) => ['-ex', command]), ...(symbols === undefined ? [] : [symbols])];
  // Ctrl-C is for gdb, which passes it on.
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  try {
    const gdb = spawn('gdb', args, { stdio: 'inherit' });
    return await new Promise((resolve, reject) => {
      gdb.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(undefined) : reject(error)));
      gdb.on('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}
