/** `replay86 diff`: what it says, and its exit status. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from './program.js';

const TRACE = fileURLToPath(new URL('../../traces/corpus/board.trace', import.meta.url));
const ENGINE = new URL('../../engine/index.ts', import.meta.url).href;
const folders: string[] = [];

async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    });
  }
  const status = await runCommandLine(['diff', ...args]);
  return { status, ...written };
}
afterEach(() => {
  vi.restoreAllMocks();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A build of the engine as a folder with this for its index.js. */
function build(source: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-diff-test-'));
  folders.push(folder);
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'index.js'), source);
  return folder;
}

/** An engine whose machine loses a bit of EDX at a tick. */
const WRONG_AT_5000 = `
import { createMachine as create } from ${JSON.stringify(ENGINE)};
export function createMachine(config) {
  const machine = create(config);
  const run = machine.run.bind(machine);
  machine.run = (until) => {
    if (machine.tick < 5000 && until.tick >= 5000) {
      const reason = run({ tick: 5000 });
      machine.registers.set('edx', machine.registers.get('edx') ^ 0x40);
      if (until.tick === 5000) return reason;
    }
    return run(until);
  };
  return machine;
}
`;

describe('diff', () => {
  it('names the tick, the instruction and the field in which another build differs', async () => {
    const { status, stdout } = await run(TRACE, '--engine', build(WRONG_AT_5000), '--json');
    expect(status).toBe(4);
    const found = JSON.parse(stdout) as Record<string, never>;
    expect(found).toMatchObject({ tick: 5000, commonTick: 4999, inOneStep: true, fields: [{ field: 'edx' }] });
    expect(found).toHaveProperty('instruction.text');
  }, 60_000);

  it('and where two differ before anything is executed', async () => {
    const wrong = WRONG_AT_5000.replace('return machine;', "machine.registers.set('edx', 0x40); return machine;");
    const { status, stdout } = await run(TRACE, '--engine', build(wrong));
    expect(status).toBe(4);
    expect(stdout).toMatch(/^they differ before the first instruction\n {2}edx: /);
    expect(stdout).toContain('no one-instruction reproducer: no instruction has been executed');
  }, 60_000);

  it('says so where nothing differs', async () => {
    expect(await run(TRACE)).toMatchObject({ status: 0, stdout: 'no difference in 118,324 ticks\n' });
    expect(await run(TRACE, '--tier', 'auto,step')).toMatchObject({ status: 0, stdout: 'no difference in 118,324 ticks\n' });
  }, 60_000);

  it.each<[message: string, source: string]>([
    ['is no engine of replay86: it exports no createMachine', 'export const other = 1;'],
    ['its machine has no run, input', 'export const createMachine = () => ({ tick: 0 });'],
    ['cannot be loaded', 'export const = 1;'],
  ])('refuses what is no engine: %s', async (message, source) => {
    const { status, stderr } = await run(TRACE, '--engine', build(source));
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it.each([
    ['exclude each other', '--tier', 'auto,step', '--engine', '.'],
    ['needs two different tiers', '--tier', 'auto'],
    ['needs two different tiers', '--tier', 'step,step'],
    ['there is no such file', '--engine', 'no-such-folder'],
  ])('%s', async (message, ...args) => {
    const { status, stderr } = await run(TRACE, ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it('leaves one line when it is interrupted', async () => {
    const listeners = process.listenerCount('SIGINT');
    setTimeout(() => process.emit('SIGINT'), 100);
    const { status, stdout, stderr } = await run(TRACE, '--tier', 'auto,step');
    expect(status).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^interrupted at tick [\d,]+: the first difference has not been found\n$/);
    expect(process.listenerCount('SIGINT')).toBe(listeners);
  }, 60_000);

  it('refuses a damaged trace', async () => {
    const folder = build('');
    const bytes = readFileSync(TRACE);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    writeFileSync(join(folder, 'damaged.trace'), bytes);
    expect((await run(join(folder, 'damaged.trace'))).status).toBe(6);
  });
});
