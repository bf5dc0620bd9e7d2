/** `replay86 query`: what it answers, and what cannot work. */
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from './program.js';

const TRACE = fileURLToPath(new URL('../../traces/corpus/timer.trace', import.meta.url));

let stdout = '';
let stderr = '';
const run = (...args: string[]): Promise<number> => {
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  return runCommandLine(['query', ...args]);
};
afterEach(() => {
  vi.restoreAllMocks();
});

describe('answers', () => {
  it('as lines', async () => {
    expect(await run(TRACE, 'interrupts', '--to', '700')).toBe(0);
    expect(stdout.split('\n').slice(0, 2)).toEqual(['tick 657  vector 20', 'tick 667  vector 20']);
    expect(await run(TRACE, 'interrupts', '--limit', '1', '--from', '660')).toBe(0);
    expect(stdout).toBe('tick 667  vector 20\nand more: --limit, --from and --to say which\n');
    expect(await run(TRACE, 'console')).toBe(0);
    expect(stdout).toContain('busy until enough');
    expect(await run(TRACE, 'last-write', '0xfff00', '--physical')).toBe(0);
    expect(stdout).toBe('never\n');
  });

  it('as JSON: an interrupt writes to the stack, and its delivery is where the interrupt is', async () => {
    expect(await run(TRACE, 'accesses', '0', '0x90000', '--physical', '--from', '657', '--to', '658', '--json')).toBe(2);
    expect(stderr).toContain('Give a positive number');
    expect(await run(TRACE, 'accesses', '0', '589824', '--physical', '--from', '657', '--to', '658', '--json')).toBe(0);
    const { items, more } = JSON.parse(stdout) as { items: Record<string, unknown>[]; more: boolean };
    const writes = items.filter(({ access }) => access === 'write');
    expect(more).toBe(false);
    expect(writes.length).toBeGreaterThanOrEqual(3);
    expect(writes.every(({ tick, by, vector }) => tick === 657 && by === 'delivery' && vector === 0x20)).toBe(true);
    const eip = items[0]?.eip as number;
    const pushed = writes.map(({ valueAfter }) =>
      Buffer.from(valueAfter as string, 'hex').readUIntLE(0, (valueAfter as string).length / 2),
    );
    expect(pushed).toContain(eip);
    expect(await run(TRACE, 'executions', String(items[0]?.ip), '--limit', '2', '--json')).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ items: [{ ip: items[0]?.ip }, { ip: items[0]?.ip }], more: true });
  });
});

describe('what cannot work is said in one line', () => {
  it.each<[status: number, message: string, ...args: string[]]>([
    [2, 'last-write needs an address', TRACE, 'last-write'],
    [2, 'foo is no address', TRACE, 'writes', 'foo'],
    [2, 'there is no memory', TRACE, 'writes', '0xf0000000', '--physical'],
    [2, 'Allowed choices', TRACE, 'who'],
    [2, 'no-such.elf', TRACE, 'writes', 'foo', '--symbols', 'no-such.elf'],
    [6, 'no-such.trace', 'no-such.trace', 'interrupts'],
  ])('%i %s', async (status, message, ...args) => {
    expect(await run(...args)).toBe(status);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
  });
});
