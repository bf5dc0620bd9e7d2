import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTraceFile, replay } from '../index.js';
import { testGuest } from '../test-guest.js';
import { runCommandLine } from './program.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-cli-'));
const at = (name: string): string => join(folder, name);
/** Arguments that are names of files, as opposed to words. */
const isFile = (argument: string): boolean => /^[\w/]+\.[a-z]+$|^(?:empty|folder|noise|traces|images|nowhere\/out)$/.test(argument);
const inFolder = (argument: string): string => (isFile(argument) ? at(argument) : argument);

const VALID = ['--kernel', 'guest.bin', '--memory', '4M'];

beforeAll(async () => {
  writeFileSync(at('guest.bin'), testGuest());
  writeFileSync(at('empty'), '');
  mkdirSync(at('folder'));
  mkdirSync(at('traces'));
  writeFileSync(at('quit.jsonl'), '{"after": ">", "serial": "q"}\n');
  writeFileSync(at('bad.jsonl'), '{"at": 1, "serial": "x"}\n{"at": 2}\n');
  writeFileSync(
    at('noise'),
    Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) >> 3),
  );
  writeFileSync(at('cut.elf'), Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0));
  expect(await run('record', '-o', 'good.trace', ...VALID, '--input', 'quit.jsonl', '--serial', 'out.txt')).toMatchObject({
    status: 7,
    stdout: '',
  });
  expect(readFileSync(at('out.txt'), 'latin1')).toBe('>');
  cpSync(at('good.trace'), at('traces/good.trace'));
  cpSync(at('good.trace'), at('cut.trace'));
  truncateSync(at('cut.trace'), 30);
  const flipped = readFileSync(at('good.trace'));
  flipped[60] ^= 4;
  writeFileSync(at('flipped.trace'), flipped);
  writeFileSync(at('long.trace'), Buffer.concat([readFileSync(at('good.trace')), Buffer.from('more')]));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.restoreAllMocks();
});

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command in this process: quick, and with what it wrote. */
async function run(...args: string[]): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += typeof text === 'string' ? text : Buffer.from(text).toString('latin1');
      return true;
    });
  }
  const status = await runCommandLine(args.map(inFolder));
  vi.restoreAllMocks();
  const local = (text: string): string => text.replaceAll(`${folder}/`, '').replaceAll(folder, '.');
  return { status, stdout: local(written.stdout), stderr: local(written.stderr) };
}

describe('what cannot work is said in one line', () => {
  it.each<[status: number, message: string | RegExp, ...args: string[]]>([
    [2, 'a command is needed'],
    [2, "unknown command 'fly'", 'fly'],
    [2, "unknown option '--fly'", 'run', '--fly'],
    [2, 'give --kernel FILE or --bios FILE', 'run'],
    [2, 'exclude each other', 'run', '--kernel', 'guest.bin', '--bios', 'noise'],
    [2, 'give --kernel FILE', 'run', '--bios', 'noise', '--append', 'x'],
    [2, "'--memory <size>' argument 'lots'", 'run', '--kernel', 'guest.bin', '--memory', 'lots'],
    [2, 'from 1M to 3G', 'run', '--kernel', 'guest.bin', '--memory', '4G'],
    [2, 'from 1M to 3G', 'run', '--kernel', 'guest.bin', '--memory', '1048577'],
    [2, 'Give a number of ticks', 'run', '--kernel', 'guest.bin', '--max-ticks', '-5'],
    [2, 'Give a number from 0', 'run', '--kernel', 'guest.bin', '--seed', '4294967296'],
    [2, 'Give a positive number', 'run', '--kernel', 'guest.bin', '--ns-per-tick', '0'],
    [2, 'nsPerTick must be', 'run', '--kernel', 'guest.bin', '--ns-per-tick', '4000000000'],
    [2, 'Give one of auto, interpreter, step', 'run', '--kernel', 'guest.bin', '--tier', 'jit'],
    [2, 'bad.jsonl:2: no input', 'run', ...VALID, '--input', 'bad.jsonl'],
    [2, 'guest.bin is an image of the guest', 'record', '-o', 'guest.bin', ...VALID],
    [2, 'guest.bin is an image of the guest', 'run', ...VALID, '--serial', 'guest.bin'],
    [2, "required option '-o, --output <trace>'", 'record', ...VALID],
    [2, "missing required argument 'trace'", 'replay'],
    [2, 'Give a number of ticks', 'replay', 'good.trace', '--to', 'end'],
    [2, "missing required argument 'trace-or-folder'", 'verify'],
    [2, 'no files named *.trace in folder', 'verify', 'folder'],
    [2, 'Give one of auto', 'verify', 'good.trace', '--tier', 'auto,jit'],
    [6, 'missing.bin: cannot be read: no such file', 'run', '--kernel', 'missing.bin'],
    [6, 'folder: cannot be read: not a regular file', 'run', '--kernel', 'folder'],
    [6, 'empty: not a kernel', 'run', '--kernel', 'empty'],
    [6, 'noise: not a kernel', 'run', '--kernel', 'noise'],
    [6, /^replay86: cut\.elf: .*ELF/, 'run', '--kernel', 'cut.elf'],
    [6, /^replay86: empty: bios: the file is empty/, 'run', '--bios', 'empty'],
    [6, /^replay86: noise: bios: 5000 bytes/, 'run', '--bios', 'noise'],
    [6, 'missing.img: cannot be read', 'run', ...VALID, '--disk', 'missing.img'],
    [6, 'empty: an empty file cannot be a cdrom', 'run', ...VALID, '--cdrom', 'empty'],
    [6, 'missing.jsonl: cannot be read', 'run', ...VALID, '--input', 'missing.jsonl'],
    [6, 'nowhere/out: cannot be written', 'run', ...VALID, '--serial', 'nowhere/out'],
    [6, 'nowhere/a.trace: cannot be written', 'record', '-o', 'nowhere/a.trace', ...VALID],
    [6, 'folder: cannot be written', 'record', '-o', 'folder', ...VALID],
    ...['replay', 'inspect', 'pack'].flatMap((command): [number, string | RegExp, ...string[]][] => [
      [6, 'missing.trace: cannot be read: no such file', command, 'missing.trace'],
      [6, 'folder: cannot be read: not a regular file', command, 'folder'],
      [6, /^replay86: empty[,:]/, command, 'empty'],
      [6, /^replay86: guest\.bin[,:]/, command, 'guest.bin'],
      [6, /^replay86: cut\.trace[,:]/, command, 'cut.trace'],
      [6, /^replay86: flipped\.trace[,:]/, command, 'flipped.trace'],
      [6, /^replay86: long\.trace[,:]/, command, 'long.trace'],
    ]),
  ])('%i: %s', async (expected, message, ...args) => {
    const { status, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(/^replay86: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect({ status, stdout }).toEqual({ status: expected, stdout: '' });
  });

  it('an image that changed is named', async () => {
    writeFileSync(at('other.bin'), testGuest());
    await run('record', '-o', 'other.trace', '--kernel', 'other.bin', '--max-ticks', '1000');
    writeFileSync(
      at('other.bin'),
      testGuest().map((byte) => byte ^ 1),
    );
    const { status, stderr } = await run('replay', 'other.trace');
    expect(status).toBe(6);
    expect(stderr).toMatch(/^replay86: other\.trace: image kernel .*other\.bin: changed since the recording.*\n$/);
    mkdirSync(at('images'));
    cpSync(at('guest.bin'), at('images/other.bin'));
    expect(await run('replay', 'other.trace', '--images', 'images')).toMatchObject({ status: 10 });
  });
});

describe('the commands', () => {
  it('run: the guest on stdout, how it ended on stderr and as JSON', async () => {
    const { status, stdout, stderr } = await run('run', ...VALID, '--input', 'quit.jsonl', '--json', 'end.json');
    expect({ status, stdout }).toEqual({ status: 7, stdout: '>' });
    expect(stderr).toMatch(/^replay86: debugExit at tick [\d,]+, .*\n$/);
    const end = JSON.parse(readFileSync(at('end.json'), 'utf8')) as Record<string, unknown>;
    expect(end).toMatchObject({ reason: 'debugExit', status: 7, digest: expect.stringMatching(/^[0-9a-f]{16}$/) as string });
    expect(Object.keys(end)).toEqual(['reason', 'status', 'ticks', 'ns', 'digest', 'seconds', 'mips']);
  });

  it('record, replay: the same digest, the same output', async () => {
    expect(await run('record', '-o', 'a.trace', ...VALID, '--input', 'quit.jsonl', '--json', 'record.json')).toMatchObject({
      status: 7,
      stdout: '>',
    });
    const { status, stdout, stderr } = await run('replay', 'a.trace', '--json', 'replay.json', '--tier', 'step');
    expect({ status, stdout }).toEqual({ status: 7, stdout: '>' });
    expect(stderr).toMatch(/^replay86: a\.trace: debugExit at tick .* as recorded\n$/);
    const [recorded, replayed] = ['record.json', 'replay.json'].map(
      (name) => JSON.parse(readFileSync(at(name), 'utf8')) as Record<string, unknown>,
    );
    for (const key of ['reason', 'status', 'ticks', 'ns', 'digest']) expect(replayed?.[key]).toBe(recorded?.[key]);
    expect(await run('replay', 'a.trace', '--to', '100')).toMatchObject({ status: 0 });
  });

  it('record: at the limit', async () => {
    expect(await run('record', '-o', 'limit.trace', ...VALID, '--max-ticks', '500')).toMatchObject({ status: 10 });
    expect(await run('replay', 'limit.trace')).toMatchObject({ status: 10 });
  });

  it('inspect: what is in a trace', async () => {
    const { status, stdout } = await run('inspect', 'good.trace', '--events');
    expect(status).toBe(0);
    expect(stdout).toContain('guest.bin');
    expect(stdout).toMatch(/input +serial0 at \d+ ns: 71\n/);
    expect(stdout).toMatch(/end +debugExit, status 7/);
    const json = JSON.parse((await run('inspect', 'good.trace', '--events', '--json')).stdout) as {
      end: object;
      events: { inputs: unknown[] };
    };
    expect(json.end).toMatchObject({ reason: 'debugExit' });
    expect(json.events.inputs).toHaveLength(1);
  });

  it('pack: a trace that needs no other file', async () => {
    expect(await run('pack', 'good.trace', '-o', 'packed.trace')).toMatchObject({ status: 0 });
    writeFileSync(at('guest.bin'), 'gone');
    expect(await run('replay', 'good.trace')).toMatchObject({ status: 6 });
    expect(await run('replay', 'packed.trace')).toMatchObject({ status: 7 });
    writeFileSync(at('guest.bin'), testGuest());
  });

  it('verify: a table, an exit status, reports', async () => {
    const { status, stdout } = await run('verify', 'traces', 'good.trace', '--tier', 'auto,step', '--json', 'v.json', '--junit', 'v.xml');
    expect(status).toBe(0);
    expect(stdout.match(/ agrees$/gm)).toHaveLength(4);
    expect(stdout).toMatch(/^4 of 4 agree$/m);
    expect(JSON.parse(readFileSync(at('v.json'), 'utf8'))).toMatchObject({
      status: 0,
      verdicts: [{ outcome: 'agrees', reason: 'debugExit' }, {}, {}, {}],
    });
    expect(readFileSync(at('v.xml'), 'utf8')).toContain('tests="4" failures="0" errors="0"');
    const bad = await run('verify', 'traces', 'cut.trace', 'missing.trace');
    expect(bad.status).toBe(6);
    expect(bad.stdout).toMatch(/missing\.trace.*unreadable: missing\.trace: cannot be read: no such file/);
  });

  it('help: with examples for each', async () => {
    for (const command of [[], ['run'], ['record'], ['replay'], ['inspect'], ['verify'], ['pack']]) {
      const { status, stdout } = await run(...command, '--help');
      expect(status).toBe(0);
      expect(stdout).toContain(`Examples:\n  replay86 ${command[0] ?? ''}`);
    }
  });
});

describe('as a process', () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const start = (...args: string[]): ChildProcess =>
    spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = (child: ChildProcess): Promise<number | NodeJS.Signals | null> =>
    new Promise((resolve) => child.once('exit', (status, signal) => resolve(status ?? signal)));
  /** Waits until the recorder has written beyond the header. */
  const flushed = async (path: string): Promise<void> => {
    const size = (): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    while (size() === 0) await sleep(20);
    for (const header = size(); size() === header; ) await sleep(20);
  };
  const endless = (trace: string) => start('record', '-o', trace, ...VALID);

  it('what a killed recorder leaves replays', async () => {
    const child = endless('killed.trace');
    const status = ended(child);
    await flushed(at('killed.trace'));
    child.kill('SIGKILL');
    expect(await status).toBe('SIGKILL');
    const trace = openTraceFile(at('killed.trace'));
    expect(trace.complete).toBe(false);
    const { divergence, tick, interruptCount } = replay(trace, { to: 20_000 });
    expect({ divergence, tick }).toEqual({ divergence: undefined, tick: 20_000 });
    expect(interruptCount).toBeGreaterThan(100);
    trace.close();
  });

  it('an interrupted recorder ends its trace', async () => {
    const child = endless('interrupted.trace');
    const status = ended(child);
    await flushed(at('interrupted.trace'));
    child.kill('SIGINT');
    expect(await status).toBe(130);
    const trace = openTraceFile(at('interrupted.trace'));
    expect(trace.end).toMatchObject({ reason: 'interrupted', status: 130 });
    trace.close();
  });
});
