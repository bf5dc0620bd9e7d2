/** The real gdb, in batch mode, over a port and over a pipe. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { requireTool } from '../../properties/testing/system-tool.js';
import { record } from '../record.js';
import { type PortServer, serveOnPort } from './server.js';
import type { Stub } from './stub.js';
import { corpusTrace, stubFor } from './test-client.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-gdb-test-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const COMMAND = [process.execPath, '--import', import.meta.resolve('tsx'), MAIN];

interface Running {
  readonly interrupt: () => void;
  readonly output: Promise<string>;
}

function startGdb(program: string, args: readonly string[], stdin = ''): Running {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  child.stdin.end(stdin);
  const output = new Promise<string>((resolve) => child.on('close', () => resolve(text)));
  return { interrupt: () => child.kill('SIGINT'), output };
}

/** gdb with commands from a file, `PORT` being that of the server. */
function batch(commands: readonly string[], server?: PortServer): Running {
  const script = join(folder, `${Math.random()}.gdb`);
  const lines = ['set confirm off', 'set pagination off', 'set width 0', 'set startup-with-shell off', ...commands];
  writeFileSync(script, lines.join('\n').replaceAll('PORT', String(server?.port)));
  return startGdb(requireTool('gdb'), ['-q', '-nx', '-batch', '-x', script]);
}

async function session(stub: Stub, commands: readonly string[]): Promise<string> {
  requireTool('gdb');
  const defects: unknown[] = [];
  const server = await serveOnPort(stub, 0, (error) => defects.push(error));
  try {
    const text = await batch(['target remote 127.0.0.1:PORT', ...commands], server).output;
    expect(defects).toEqual([]);
    return text;
  } finally {
    server.close();
  }
}

/** Values of `print $name` in the order they were asked for. */
const printed = (text: string): string[] => [...text.matchAll(/^\$\d+ = (.*)$/gm)].map(([, value]) => value as string);
const BEGINNING = 'No more reverse-execution history.';

describe('gdb', () => {
  it('walks through real mode', async () => {
    const text = await session(stubFor(corpusTrace('rom')), [
      ...['x/i $pc', 'stepi', 'stepi', 'stepi', 'x/i $pc', 'print $tick', 'print/x $ip', 'print/x $cs'],
      ...['reverse-stepi', 'reverse-stepi', 'reverse-stepi', 'print $tick', 'reverse-stepi', 'print $tick'],
      ...['hbreak *0xf0119', 'continue', 'x/i $pc', 'print $tick', 'info threads', 'show architecture'],
    ]);
    expect(text).toContain('=> 0xfffffff0:\tljmp   $0xf000,$0x0');
    expect(text).toContain('=> 0xf0003:\tmov    %ax,%ds');
    expect(text).toContain(BEGINNING);
    expect(text).toMatch(/Breakpoint 1, 0x000f0119/);
    expect(text).toContain('=> 0xf0119:\thlt');
    expect(text).toContain('Thread 1 (CPU#0 [running])');
    expect(text).toContain('currently "i8086"');
    const values = printed(text);
    expect(values.slice(0, 5)).toEqual(['3', '0x3', '0xf000', '0', '0']);
  });

  it('finds a write backwards in protected mode, and the beginning', async () => {
    const text = await session(stubFor(corpusTrace('timer')), [
      // An interrupt puts EFLAGS there.
      ...['monitor goto 300000', 'maintenance flush register-cache', 'print $tick'],
      ...['watch *(int*)0x8fffc', 'reverse-continue', 'print $tick', 'delete'],
      ...['break *$pc', 'continue', 'print $tick', 'reverse-continue', 'print $tick', 'delete'],
      ...['reverse-stepi 100', 'print $tick', 'stepi 100', 'print $tick'],
      ...['reverse-continue', 'print $tick', 'x/2i $pc', 'reverse-stepi', 'info registers cr0 gdtr_base eflags'],
    ]);
    const values = printed(text).map(Number);
    expect(values[0]).toBe(300_000);
    expect(values[1]).toBe(250_480);
    expect(text).toMatch(/Hardware watchpoint 1: \*\(int\*\)0x8fffc\n\nOld value = \d+\nNew value = \d+\n/);
    expect(values[2]).toBeGreaterThan(250_480);
    expect(values[3]).toBeLessThan(values[2] as number);
    expect(values[4]).toBe((values[3] as number) - 100);
    expect(values[5]).toBe(values[3]);
    expect(values[6]).toBe(0);
    expect(text.split(BEGINNING)).toHaveLength(3);
    expect(text).toContain('=> 0x100020:\tcli');
    expect(text).toMatch(/^cr0 +0x11 /m);
    expect(text).toMatch(/^eflags +0x2 +\[ \]$/m);
  });

  it('follows the guest into 16-bit code', async () => {
    const text = await session(stubFor(corpusTrace('v86')), [
      ...['break *0x20000', 'continue', 'unset tdesc filename', 'x/2i $pc', 'reverse-stepi', 'unset tdesc filename', 'x/i $pc'],
      ...['watch *(char*)0x20000', 'reverse-continue', 'print $code_bits'],
    ]);
    expect(text).toContain('the guest is in 16-bit code now');
    expect(text).toContain('=> 0x20000:\tmov    %cs,%ax');
    expect(text).toMatch(/=> 0x[0-9a-f]+:\tiret/);
    expect(text).toContain('Hardware watchpoint 2: *(char*)0x20000');
    expect(printed(text)).toEqual(['32']);
  });

  it('leaves, and comes back to where it was', async () => {
    const text = await session(stubFor(corpusTrace('timer')), [
      ...['stepi 50', 'print $tick', 'detach', 'target remote 127.0.0.1:PORT', 'print $tick'],
      ...['disconnect', 'target remote 127.0.0.1:PORT', 'reverse-stepi', 'print $tick'],
    ]);
    expect(printed(text)).toEqual(['50', '50', '49']);
  });

  it('starts again as an extended target', async () => {
    const text = await session(stubFor(corpusTrace('timer')), [
      ...[
        'disconnect',
        'target extended-remote 127.0.0.1:PORT',
        'stepi 5',
        'print $tick',
        'set remote exec-file guest',
        'starti',
        'print $tick',
      ],
      ...['stepi 3', 'detach', 'attach 1', 'print $tick', 'kill'],
    ]);
    expect(printed(text)).toEqual(['5', '0', '3']);
  });

  it('names what it has symbols of', async () => {
    const [as, ld] = [requireTool('as'), requireTool('ld')];
    const source = join(folder, 'symbols.s');
    const symbols = join(folder, 'symbols.elf');
    // Where the main loop of the guest is.
    writeFileSync(source, '.globl start, loop\nstart: cli\n.org 0x104\nloop: nop\n');
    execFileSync(as, ['--32', source, '-o', `${source}.o`]);
    execFileSync(ld, ['-m', 'elf_i386', '-Ttext', '0x100020', '-e', 'start', `${source}.o`, '-o', symbols]);
    requireTool('gdb');
    const [node = '', ...args] = COMMAND;
    const commands = 'break loop\ncontinue\nmonitor when\nquit\n';
    const text = await startGdb(node, [...args, 'debug', '--gdb', '--symbols', symbols, corpusTrace('timer')], commands).output;
    expect(text).toContain('Breakpoint 1, 0x00100124 in loop ()');
    expect(text).toContain('pc 0x100124 <loop>');
  });

  it('lets the target look for bytes, and compare what is loaded', async () => {
    const [as, ld] = [requireTool('as'), requireTool('ld')];
    const stub = stubFor(corpusTrace('timer'));
    const loaded = join(folder, 'loaded');
    // What is there, and a second section that differs from it by a byte.
    const bytes = stub.session.machine.peekLinear(0x10_0020, 0x60);
    writeFileSync(`${loaded}.bin`, bytes);
    writeFileSync(
      `${loaded}.s`,
      `.text\n.incbin "${loaded}.bin"\n.data\n.incbin "${loaded}.bin", 0x40, 0x1f\n.byte ${(bytes[0x5f] as number) ^ 1}\n`,
    );
    execFileSync(as, ['--32', `${loaded}.s`, '-o', `${loaded}.o`]);
    execFileSync(ld, [
      '-m',
      'elf_i386',
      '-Ttext',
      '0x100020',
      '-Tdata',
      '0x100060',
      '-e',
      '0',
      `${loaded}.o`,
      '--no-check-sections',
      '-o',
      loaded,
    ]);
    const packets: string[] = [];
    const handle = stub.handle.bind(stub);
    stub.handle = (payload, exchange) => {
      packets.push(Buffer.from(payload).toString('latin1'));
      return handle(payload, exchange);
    };
    const text = await session(stub, [
      // "$", "#" and "}" are escaped.
      ...['find /b 0x100000, +0x1000, 0xfa, 0xfc, 0x0f', 'find /b 0x0, 0xffffffff, 0x24, 0x23, 0x7d, 0x2a, 0x24, 0x23, 0x7d, 0x2a'],
      ...[`file ${loaded}`, 'compare-sections'],
    ]);
    expect(text).toContain('0x100020\n1 pattern found.');
    expect(text).toContain('Pattern not found.');
    expect(text).toMatch(/Section \.text, range 0x100020 -- 0x100080: matched\./);
    expect(text).toMatch(/Section \.data, range 0x100060 -- 0x100080: MIS-MATCHED!/);
    expect(packets).toContain('qSearch:memory:0;100000000;}\x04}\x03}]}\x0a}\x04}\x03}]}\x0a');
    expect(packets).toEqual(expect.arrayContaining(['qCRC:100020,60', 'qCRC:100060,20']));
  });

  it('may not change the recording', async () => {
    const text = await session(stubFor(corpusTrace('timer')), ['stepi', 'set var $eax = 5']);
    expect(text).toContain('the recording cannot be changed');
  });

  it('may leave it where that is allowed', async () => {
    const text = await session(stubFor(corpusTrace('timer'), { writesDivert: true }), [
      ...['stepi', 'set var $ebx = 77', 'set var *(int*)0x200000 = 99', 'stepi', 'print $ebx', 'print *(int*)0x200000'],
      ...['monitor restart', 'maintenance flush register-cache', 'print $tick', 'print *(int*)0x200000'],
    ]);
    expect(text).toContain('replay86: this is a diversion from tick 1 now');
    expect(printed(text)).toEqual(['77', '99', '0', '0']);
  });

  it('interrupts a long way back, and a long way forward', async () => {
    const trace = await longTrace();
    for (const [command, packet] of [
      ['reverse-continue', 'bc'],
      ['continue', 'vCont;c'],
    ] as const) {
      const stub = stubFor(trace);
      await stub.session.goTo(LONG_TICKS / 2);
      requireTool('gdb');
      const server = await serveOnPort(stub, 0, () => {});
      const handle = stub.handle.bind(stub);
      stub.handle = (payload, exchange) => {
        if (Buffer.from(payload).toString('latin1').startsWith(packet)) setTimeout(() => running.interrupt(), 300);
        return handle(payload, exchange);
      };
      // A byte in the page that the loop reads: each access is looked at.
      const running = batch(
        ['target remote 127.0.0.1:PORT', 'rwatch *(char*)0x2800', command, 'print $tick', 'stepi', 'print $tick'],
        server,
      );
      const text = await running.output;
      server.close();
      expect(text).toContain('Program received signal SIGINT');
      const [tick = -1, next] = printed(text).map(Number);
      expect(next).toBe(tick + 1);
      if (packet === 'bc') expect(tick).toBeLessThanOrEqual(LONG_TICKS / 2);
      else expect(tick).toBeGreaterThan(LONG_TICKS / 2);
      expect(tick).toBeGreaterThan(0);
      expect(tick).toBeLessThan(LONG_TICKS);
    }
  });

  it('gives up a monitor command on Ctrl-C, and goes on', async () => {
    const stub = stubFor(corpusTrace('timer'));
    const gdb = requireTool('gdb');
    const server = await serveOnPort(stub, 0, () => {});
    const handle = stub.handle.bind(stub);
    stub.handle = async (payload, exchange) => {
      if (Buffer.from(payload).toString('latin1') === `qRcmd,${Buffer.from('goto end').toString('hex')}`) {
        running.interrupt();
        // It goes on until gdb shows that it does not wait any more.
        await new Promise((resolve) => exchange.signal.addEventListener('abort', resolve));
      }
      return handle(payload, exchange);
    };
    const commands = [`target remote 127.0.0.1:${server.port}`, 'stepi', 'monitor goto end', 'print $tick', 'stepi', 'print $tick'];
    const running = startGdb(gdb, ['-q', '-nx'], [...commands, 'monitor when', 'quit', ''].join('\n'));
    const text = await running.output;
    server.close();
    expect(text).toMatch(/^(?:\(gdb\) )*Quit$/m);
    expect(text).toContain('$1 = 1\n');
    expect(text).toContain('$2 = 2\n');
    expect(text).toContain('tick 2 of 521607');
  });

  it('starts the command on a pipe', async () => {
    requireTool('gdb');
    const text = await batch([`target remote | ${COMMAND.join(' ')} debug --stdio ${corpusTrace('rom')}`, 'stepi', 'print $tick', 'kill'])
      .output;
    expect(printed(text)).toEqual(['1']);
    expect(text).not.toContain('replay86:');
  });

  it('is started by the command, and follows modes and moves by itself', async () => {
    requireTool('gdb');
    const [node = '', ...args] = COMMAND;
    const commands = ['break *0x20000', 'continue', 'x/i $pc', 'reverse-stepi', 'x/i $pc', 'monitor goto 100', 'print $tick', 'quit'];
    const text = await startGdb(node, [...args, 'debug', '--gdb', corpusTrace('v86')], `${commands.join('\n')}\n`).output;
    expect(text).toContain('=> 0x20000:\tmov    %cs,%ax');
    expect(text).toMatch(/=> 0x[0-9a-f]+:\tiret/);
    expect(text).toContain('$1 = 100');
    expect(text).not.toContain('unset tdesc');
  });
});

const LONG_TICKS = 40_000_000;

/** A loop that reads memory for a long time. */
async function longTrace(): Promise<string> {
  const path = join(folder, 'loop.trace');
  const imagePath = join(folder, 'loop.bin');
  // MOV EAX, [2000h]; JMP to it
  const image = Uint8Array.of(0xa1, 0x00, 0x20, 0x00, 0x00, 0xeb, 0xf9);
  writeFileSync(imagePath, image);
  await record({
    config: { boot: { kind: 'raw', image, address: 0x1000, entry: 0x1000, mode: 'protected' }, memoryBytes: 2 ** 20 },
    imagePaths: { raw: imagePath },
    to: path,
    maxTicks: LONG_TICKS,
  });
  return path;
}
