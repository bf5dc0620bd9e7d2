import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { openTraceFile } from '../../traces/index.js';
import { tamperedTrace } from '../timeline/test-tampered.js';
import { openTimeline, type Timeline } from '../timeline/timeline.js';
import { runCommandLine } from './program.js';
import { debugAtPrompt, type PromptStreams } from './prompt.js';

const trace = fileURLToPath(new URL('../../traces/corpus/timer.trace', import.meta.url));
const timeline = (): Timeline => openTimeline(openTraceFile(trace));

afterEach(() => {
  vi.restoreAllMocks();
});

async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    });
  }
  const status = await runCommandLine(['debug', ...args]);
  vi.restoreAllMocks();
  return { status, ...written };
}

test('commands of the command line', async () => {
  expect(await run(trace, '--command', 'step; goto 50% ; p 1+1')).toEqual({
    status: 0,
    stdout: [
      'tick 1  0.000000002 s  0010:00100021  cld\n',
      'tick 260,804  0.005507657 s  0008:0010012c  jb short 0x00100124\n',
      '0x00000002  2\n',
    ].join(''),
    stderr: '',
  });
});

test('a wrong command is the last one', async () => {
  expect(await run(trace, '--command', 'where; fly; step')).toEqual({
    status: 2,
    stdout: 'tick 0  0.000000000 s  0010:00100020  cli\n',
    stderr: "replay86: there is no command 'fly': see help\n",
  });
  expect(await run(trace, '--command', 'stop on console /a;b/; quit; fly')).toEqual({
    status: 0,
    stdout: 'stop 1: console /a;b/\n',
    stderr: '',
  });
});

test('a trace that is not replayed as recorded has a status of its own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-prompt-'));
  try {
    const { path } = tamperedTrace('rom', 'end digest', folder);
    const { status, stdout, stderr } = await run(path, '--command', 'goto end; where');
    expect([status, stdout]).toEqual([4, '']);
    expect(stderr).toMatch(/^replay86: diverged at tick 117748: digest: expected \w{16}, found \w{16}; up to tick 65536 it agrees\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what cannot be asked for is said in one line', async () => {
  const excluded = 'replay86: --port, --stdio, --gdb and --fork are for gdb, not for the prompt\n';
  expect(await run(trace, '--prompt', '--gdb')).toEqual({ status: 2, stdout: '', stderr: excluded });
  expect(await run(trace, '--command', 'where', '--fork')).toEqual({ status: 2, stdout: '', stderr: excluded });
  const { status, stderr } = await run(trace, '--command', 'where', '--symbols', trace);
  expect([status, stderr]).toEqual([2, `replay86: ${trace}: it is no ELF file\n`]);
});

class Terminal implements PromptStreams {
  readonly input = new PassThrough() as PassThrough & { isTTY?: boolean };
  readonly output = new PassThrough();
  private text = '';

  constructor(isTTY: boolean) {
    this.input.isTTY = isTTY;
    this.output.on('data', (data: Buffer) => {
      this.text += data.toString();
    });
  }

  /** Waits for the answer, and takes it away: without what moves the cursor. */
  async answer(pattern: RegExp): Promise<string> {
    await vi.waitUntil(() => pattern.test(this.text), { timeout: 10_000, interval: 5 });
    const { text } = this;
    this.text = '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how terminals are told
    return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '');
  }
}

test('commands from a pipe, one or several on a line', async () => {
  const pipe = new Terminal(false);
  const status = debugAtPrompt(timeline(), {}, pipe);
  pipe.input.end('step; step\n\nback\n');
  expect(await status).toBe(0);
  expect(await pipe.answer(/\n$/)).toBe(
    [
      'tick 1  0.000000002 s  0010:00100021  cld\n',
      'tick 2  0.000000004 s  0010:00100022  lgdt [0x100538]\n',
      'tick 1  0.000000002 s  0010:00100021  cld\n',
    ].join(''),
  );
});

test('at a terminal: completion, history, an empty line, wrong lines, Ctrl-C at rest, the end', async () => {
  const terminal = new Terminal(true);
  const status = debugAtPrompt(timeline(), {}, terminal);
  expect(await terminal.answer(/\n[^\n]*0> /)).toContain('help shows the commands\n0> ');
  terminal.input.write('ste');
  terminal.input.write('\t');
  await terminal.answer(/p /);
  terminal.input.write('2\r');
  expect(await terminal.answer(/2> /)).toContain('tick 2  0.000000004 s');
  terminal.input.write('\r');
  expect(await terminal.answer(/4> /)).toContain('tick 4  0.000000008 s');
  terminal.input.write('fly\r');
  expect(await terminal.answer(/\n[^\n]*4> /)).toContain("error: there is no command 'fly': see help\n");
  terminal.input.write('\x1b[A');
  terminal.input.write('\x1b[A');
  terminal.input.write('\r');
  expect(await terminal.answer(/6> /)).toContain('tick 6  0.000000012 s');
  terminal.input.write('goto en');
  terminal.input.write('\x03');
  expect(await terminal.answer(/\n[^\n]*6> /)).toContain('^C (quit leaves)');
  terminal.input.write('quit\r');
  expect(await status).toBe(0);
});

test('Ctrl-C interrupts what is under way', async () => {
  const terminal = new Terminal(true);
  const recorded = timeline();
  vi.spyOn(recorded, 'continue').mockImplementation(async (options = {}) => {
    await new Promise<void>((resolve) => {
      options.signal?.addEventListener('abort', () => resolve());
      terminal.input.write('\x03');
    });
    return { kind: 'interrupted' };
  });
  const status = debugAtPrompt(recorded, {}, terminal);
  await terminal.answer(/\n[^\n]*0> /);
  terminal.input.write('continue\r');
  expect(await terminal.answer(/\n[^\n]*0> /)).toContain('interrupted\ntick 0  0.000000000 s');
  terminal.input.write('\x04');
  expect(await status).toBe(0);
});
