/** `replay86 debug` for gdb: what cannot work, and a port that is served until gdb kills. */
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from './program.js';

const TRACE = fileURLToPath(new URL('../../traces/corpus/rom.trace', import.meta.url));

let stderr = '';
const run = (...args: string[]): Promise<number> => {
  stderr = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  return runCommandLine(['debug', ...args]);
};
afterEach(() => {
  vi.restoreAllMocks();
});

describe('what cannot work is said in one line', () => {
  it.each<[status: number, message: string, ...args: string[]]>([
    [2, 'exclude each other', TRACE, '--port', '0', '--stdio'],
    [2, 'exclude each other', TRACE, '--gdb', '--stdio'],
    [2, 'Give a port from 0 to 65535', TRACE, '--port', '65536'],
    [2, 'no-such.elf: cannot be read: no such file or folder', TRACE, '--port', '0', '--symbols', 'no-such.elf'],
    [2, 'it is no ELF file', TRACE, '--port', '0', '--symbols', TRACE],
    [2, 'cannot be read: it is a folder', TRACE, '--gdb', '--symbols', '/'],
    [2, 'cannot be read: it is a folder', TRACE, '--command', 'where', '--symbols', '/'],
    [6, 'no-such.trace', 'no-such.trace', '--port', '0'],
  ])('%i %s', async (status, message, ...args) => {
    expect(await run(...args)).toBe(status);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('a port that is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    expect(await run(TRACE, '--port', String(port))).toBe(2);
    expect(stderr).toContain(`port ${port} cannot be had`);
    other.close();
  });
});

describe('on a port', () => {
  const waiting = async (): Promise<number> => {
    await vi.waitUntil(() => stderr.includes('target remote'), { timeout: 30_000 });
    return Number(/127\.0\.0\.1:(\d+)/.exec(stderr)?.[1]);
  };

  it('serves until gdb kills', async () => {
    const status = run(TRACE, '--port', '0');
    const socket = connect(await waiting(), '127.0.0.1');
    socket.write('$?#3f');
    const reply = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(reply.toString()).toMatch(/^\+(\$T05|$)/);
    socket.write('$k#6b');
    expect(await status).toBe(0);
  });

  it('ends its connections when it is interrupted', async () => {
    const status = run(TRACE, '--port', '0');
    const socket = connect(await waiting(), '127.0.0.1');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write('$?#3f');
    await new Promise((resolve) => socket.once('data', resolve));
    process.emit('SIGINT');
    expect(await status).toBe(0);
    await ended;
  });
});
