/**
 * Sessions at the prompt on recorded guests of the corpus, word for word.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { disassemble } from '../../properties/assembler/disassemble.js';
import { tamperedTrace } from '../timeline/test-tampered.js';
import { DebuggerUnderTest, elfWithSymbols } from './test-debugger.js';

/** Names for places of the guest in timer.trace. */
const TIMER_SYMBOLS = elfWithSymbols([
  { name: 'wait', address: 0x10_0124 },
  { name: 'handler', address: 0x10_0270, sizeBytes: 13 },
  { name: 'ticks', address: 0x10_0280, sizeBytes: 4 },
  { name: 'print', address: 0x10_0284 },
]);

async function timer(...lines: string[]): Promise<DebuggerUnderTest> {
  const prompt = new DebuggerUnderTest('timer', disassemble, { 'timer.elf': TIMER_SYMBOLS });
  for (const line of ['symbols timer.elf', ...lines]) await prompt.run(line);
  return prompt;
}

type Dialogue = readonly (readonly [line: string, ...answer: string[]])[];

async function expectDialogue(prompt: DebuggerUnderTest, dialogue: Dialogue): Promise<void> {
  for (const [line, ...answer] of dialogue) expect(await prompt.run(line), line).toEqual(answer);
}

test('steps, in both directions, through the delivery of an interrupt', async () => {
  await expectDialogue(await timer('goto 300,346'), [
    ['s', 'tick 300,347  0.005586743 s  0008:0010012c <wait+0x8>  jb short 0x00100124 <wait>  (interrupt 0x20 comes first)'],
    ['', 'tick 300,348  0.005586745 s  0008:00100270 <handler>  push eax'],
    ['step 2', 'tick 300,350  0.005586749 s  0008:00100277 <handler+0x7>  mov al, 0x20'],
    ['rs', 'tick 300,349  0.005586747 s  0008:00100271 <handler+0x1>  inc dword ptr [0x100280]'],
    ['back 3', 'tick 300,346  0.005586741 s  0008:00100125 <wait+0x1>  cmp dword ptr [0x100280], 0x3A'],
    ['where', 'tick 300,346  0.005586741 s  0008:00100125 <wait+0x1>  cmp dword ptr [0x100280], 0x3A'],
  ]);
});

test('steps over calls and out of them, in both directions', async () => {
  const call = 'tick 62,378  0.000763782 s  0008:001001af  call 0x001005E1';
  const behind = 'tick 113,582  0.000866190 s  0008:001001b4  call 0x0010061C';
  await expectDialogue(new DebuggerUnderTest('disk', disassemble), [
    ['goto 60%', 'tick 107,522  0.000854070 s  0008:001005e7  rol edx, 3'],
    ['rfinish', call],
    ['next', behind],
    ['rnext', call],
    ['step 3', 'tick 62,381  0.000763788 s  0008:001005e5  lodsw [esi]'],
    ['finish', behind],
    ['next 0', "error: '0' is no positive number"],
  ]);
  await expectDialogue(await timer('goto 300349'), [
    ['finish', 'tick 300,354  0.005586757 s  0008:0010012c <wait+0x8>  jb short 0x00100124 <wait>'],
    ['rn', 'tick 300,346  0.005586741 s  0008:00100125 <wait+0x1>  cmp dword ptr [0x100280], 0x3A'],
  ]);
});

test('both ends of the recording', async () => {
  await expectDialogue(await timer(), [
    ['rs', 'the beginning of the recording', 'tick 0  0.000000000 s  0010:00100020  cli'],
    ['rc', 'the beginning of the recording', 'tick 0  0.000000000 s  0010:00100020  cli'],
    ['c', 'the end of the recording: debugExit, status 1', 'tick 521,607  0.009462605 s  0008:0010025a <wait+0x136>  cli'],
    ['s', 'the end of the recording: debugExit, status 1', 'tick 521,607  0.009462605 s  0008:0010025a <wait+0x136>  cli'],
  ]);
});

test('places', async () => {
  const last = 'tick 521,607  0.009462605 s  0008:0010025a <wait+0x136>  cli';
  const middle = 'tick 260,804  0.005507657 s  0008:0010012c <wait+0x8>  jb short 0x00100124 <wait>';
  await expectDialogue(await timer(), [
    ['goto end', last],
    ['goto 50%', middle],
    ['mark middle'],
    ['goto +2', 'tick 260,806  0.005507661 s  0008:00100125 <wait+0x1>  cmp dword ptr [0x100280], 0x3A'],
    ['goto -2', middle],
    ['goto 0x3fac4', middle],
    ['goto begin', 'tick 0  0.000000000 s  0010:00100020  cli'],
    ['goto middle', middle],
    ['info marks', 'mark middle: tick 260,804'],
    ['goto 521608', 'error: the recording goes from tick 0 to tick 521,607'],
    ['goto -260805', 'error: the recording goes from tick 0 to tick 521,607'],
    ['goto 101%', 'error: the recording goes from tick 0 to tick 521,607'],
    ['goto nowhere', "error: 'nowhere' is no tick and no mark"],
    ['goto', 'error: a place is missing: a tick, begin, end, N% or a mark'],
    ['goto 1 2', 'error: one place, please'],
    ['mark end', "error: 'end' is no name for a mark"],
  ]);
});

test('watchpoints show what was written by whom, behind it forwards and in front of it backwards', async () => {
  const write =
    'stop 1: write of 4 bytes at 0x00100280 <ticks>: 0x00000037 -> 0x00000038, by 0008:00100271 <handler+0x1>  inc dword ptr [0x100280]';
  await expectDialogue(await timer('goto 300000'), [
    ['watch ticks', 'stop 1: watch 0x00100280 <ticks> (physical 0x00100280), 4 bytes, write'],
    ['c', write, 'tick 300,350  0.005586749 s  0008:00100277 <handler+0x7>  mov al, 0x20'],
    ['rc', write, 'tick 300,349  0.005586747 s  0008:00100271 <handler+0x1>  inc dword ptr [0x100280]'],
    ['x/xw ticks', '0x00100280 <ticks>: 0x00000037'],
    ['delete 1'],
    ['watchp 0x100281 1 r', 'stop 2: watchp 0x00100281, 1 byte, read'],
    [
      'c',
      'stop 2: read of 4 bytes at physical 0x00100280: 0x00000037, by 0008:00100271 <handler+0x1>  inc dword ptr [0x100280]',
      'tick 300,350  0.005586749 s  0008:00100277 <handler+0x7>  mov al, 0x20',
    ],
    ['info stops', 'stop 2: watchp 0x00100281, 1 byte, read'],
    ['watch 0xf0000000 4', 'error: there is no memory at physical address 0xf0000000'],
    ['watch ticks 4 q', "error: 'q' is none of r, w and rw"],
    ['watch ticks w 4', "error: '4' is one too many"],
    ['watch', 'error: an address is missing'],
  ]);
});

test('breakpoints, with and without a condition', async () => {
  const here = 'tick 300,347  0.005586743 s';
  await expectDialogue(await timer('goto 250000'), [
    ['break handler if [ticks] == 0x37 && eax == 0', 'stop 1: break 0x00100270 <handler> if [ticks] == 0x37 && eax == 0'],
    ['c', 'stop 1: breakpoint at 0x00100270 <handler>', 'tick 300,348  0.005586745 s  0008:00100270 <handler>  push eax'],
    ['b', 'stop 2: break 0x00100270 <handler>'],
    ['c', 'stop 2: breakpoint at 0x00100270 <handler>', 'tick 350,215  0.005686479 s  0008:00100270 <handler>  push eax'],
    [
      'rc',
      'stop 1: breakpoint at 0x00100270 <handler>',
      'stop 2: breakpoint at 0x00100270 <handler>',
      'tick 300,348  0.005586745 s  0008:00100270 <handler>  push eax',
    ],
    ['rs', `${here}  0008:0010012c <wait+0x8>  jb short 0x00100124 <wait>  (interrupt 0x20 comes first)`],
    ['delete'],
    ['info stops', 'no stops'],
    ['break nobody', "error: 'nobody' is no register and no known symbol"],
    ['break handler if', 'error: an expression is missing'],
    ['break handler if [0xf0000000] if 1', 'error: one condition, please'],
    ['break handler if [0xf0000000] == 0', 'stop 3: break 0x00100270 <handler> if [0xf0000000] == 0'],
    ['c', 'the end of the recording: debugExit, status 1', 'tick 521,607  0.009462605 s  0008:0010025a <wait+0x136>  cli'],
    ['delete 4', 'error: there is no stop 4: see info'],
    ['delete 3 4', 'error: there is no stop 4: see info'],
    ['info stops', 'stop 3: break 0x00100270 <handler> if [0xf0000000] == 0'],
  ]);
});

test('stops at interrupts, ports and output', async () => {
  await expectDialogue(await timer(), [
    ['stop on console /hal/', 'stop 1: console /hal/'],
    ['c', 'stop 1: serial0 "hal"', 'tick 493  0.000000986 s  0008:001002ac <print+0x28>  pop edx'],
    ['console', 'hal'],
    ['delete'],
    ['stop on interrupt 0x20', 'stop 2: interrupt 0x20'],
    ['stop on port 0x20 w', 'stop 3: port 0x020, write'],
    ['goto 300000', 'tick 300,000  0.005586049 s  0008:00100124 <wait>  inc ecx'],
    ['c', 'stop 2: interrupt 0x20', 'tick 300,348  0.005586745 s  0008:00100270 <handler>  push eax'],
    ['c', 'stop 3: write to port 0x020: 0x20', 'tick 300,352  0.005586753 s  0008:0010027b <handler+0xb>  pop eax'],
    ['rc', 'stop 3: write to port 0x020: 0x20', 'tick 300,351  0.005586751 s  0008:00100279 <handler+0x9>  out 0x20, al'],
    ['stop on port 0x10000', 'error: a port goes from 0 to 65535'],
    ['stop on interrupt 256', 'error: a vector goes from 0 to 255'],
    ['stop on console', 'error: a pattern is missing, such as /login: /'],
    ['stop on console /a/ tty9', "error: 'tty9' is none of serial0, serial1, debug"],
    ['stop on console /(/', 'error: Invalid regular expression: /(/: Unterminated group'],
    ['stop on what', 'error: stop on what? interrupt, exception, port, cr0, cr3, cr4, mode, console'],
    ['info stops', 'stop 2: interrupt 0x20', 'stop 3: port 0x020, write'],
  ]);
});

test('modes, in real mode with 16-bit code', async () => {
  await expectDialogue(new DebuggerUnderTest('rom', disassemble), [
    ['where', 'tick 0  0.000000000 s  f000:fff0  jmp far 0, 0xF000'],
    ['step 20', 'tick 20  0.000000040 s  f000:0136  out dx, al'],
    [
      'disas pc 3',
      '> 0x000f0136  ee                       out dx, al',
      '  0x000f0137  eb f4                    jmp short 0x012D',
      '  0x000f0139  cf                       iret',
    ],
    ['disas cs:0x139 1', '  0x000f0139  cf                       iret'],
    ['stop on mode', 'stop 1: mode'],
    ['stop cr0', 'stop 2: cr0'],
    [
      'c',
      'stop 2: cr0 = 0x60000011',
      'stop 1: protected mode, 16-bit code, privilege level 0',
      'tick 117,646  0.003890612 s  f000:00da  mov ax, 8',
    ],
    ['stack 2', '0x00007c00: 0x0000', '0x00007c02: 0x0000'],
  ]);
});

test('exceptions', async () => {
  await expectDialogue(new DebuggerUnderTest('faults', disassemble), [
    ['stop on exception 13', 'stop 1: exception 13 #GP'],
    ['c', 'stop 1: exception 13 #GP', 'tick 73,145  0.000146290 s  0008:00100690  pop dword ptr [0x1006A8]'],
    ['rc', 'stop 1: exception 13 #GP', 'tick 73,144  0.000146288 s  0008:00100486  mov ds, ax'],
    ['rc', 'the beginning of the recording', 'tick 0  0.000000000 s  0010:00100020  cli'],
  ]);
});

test('registers, marked where they differ from the place before', async () => {
  const prompt = await timer('goto 300348', 's');
  const lines = await prompt.run('regs');
  expect(lines).toEqual([
    'eax 00000000  ebx 00001020  ecx 0001851a  edx 00000010',
    'esi 00000000  edi 00008180  ebp 00000000  esp 0008fff0*',
    'eip 00100271* eflags 00000093 [iopl 0 cf af sf]  cpl 0  code 32 bits',
    'cs 0008 base 00000000 limit ffffffff  ss 0010 base 00000000 limit ffffffff  ds 0010 base 00000000 limit ffffffff',
    'es 0010 base 00000000 limit ffffffff  fs 0010 base 00000000 limit ffffffff  gs 0010 base 00000000 limit ffffffff',
    'ldtr 0000 base 00000000 limit 0000ffff  tr 0000 base 00000000 limit 0000ffff',
    'gdtr base 00100520 limit 0017  idtr base 00008000 limit 07ff',
    'cr0 00000033  cr2 00000000  cr3 00000000  cr4 00000600',
    'dr0 00000000  dr1 00000000  dr2 00000000  dr3 00000000',
    'dr6 ffff0ff0  dr7 00000400  efer 00000000',
  ]);
  expect(await prompt.run('regs all')).toEqual([
    ...lines,
    'fctrl 037f  fstat 0000  ftag ffff  mxcsr 00001f80',
    ...[0, 2, 4, 6].map((index) => `st${index} ${'0'.repeat(20)}  st${index + 1} ${'0'.repeat(20)}`),
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((index) => `xmm${index} ${'0'.repeat(32)}`),
  ]);
  await prompt.run('rs 3');
  expect((await prompt.run('regs'))[1]).toBe('esi 00000000  edi 00008180  ebp 00000000  esp 00090000*');
});

test('memory', async () => {
  await expectDialogue(await timer('goto 300349'), [
    ['x/2xw ticks', '0x00100280 <ticks>: 0x00000037 0x50243487'],
    ['x/4xb ticks', '0x00100280 <ticks>: 37 00 00 00                                      7...'],
    ['xp/hd 0x100286', '0x00100286: 20516'],
    ['x/2dh esp', '0x0008fff0: 0 0'],
    ['x/2a esp', '0x0008fff0: 0x00000000', '0x0008fff4: 0x0010012c <wait+0x8>'],
    ['', '0x0008fff8: 0x00000008', '0x0008fffc: 0x00000293'],
    ['x/c ticks', "0x00100280 <ticks>: '7'"],
    ['x/s 0x100133', '0x00100133: " enough\\n"'],
    ['x/2i handler', '0x00100270 <handler>: push eax', '0x00100271 <handler+0x1>: inc dword ptr [0x100280]'],
    ['', '0x00100277 <handler+0x7>: mov al, 0x20', '0x00100279 <handler+0x9>: out 0x20, al'],
    ['stack 2', '0x0008fff0: 0x00000000', '0x0008fff4: 0x0010012c <wait+0x8>'],
    ['print [esp + 4] - wait', '0x00000008  8'],
    ['p -1', '0xffffffff  4294967295  -1'],
    ['p ticks + 1', '0x00100281  1049217  <ticks+0x1>'],
    ['x/3xw 0x3fffff8', '0x03fffff8: 0x00000000 0x00000000', 'no memory at 0x04000000'],
    ['x/w 0xf0000000', 'error: no memory at 0xf0000000'],
    ['xp/i 0', 'error: instructions are shown at linear addresses: x/i'],
    ['x/9q 0', "error: '/9q' is no format: a count, one of x d u c a s i, and one of b h w, such as /16xb"],
    ['x/0x 0', 'error: a count goes from 1 to 65536'],
    ['disas 0xf0000000', 'error: no memory at 0xf0000000'],
  ]);
});

test('questions to the whole recording', async () => {
  await expectDialogue(await timer('goto 400246', 'mark before', 'goto 400300'), [
    [
      'lw ticks',
      '0x00100280: 0x00000000 -> 0x00000001, by 0x00100271 <handler+0x1>',
      'tick 400,249  0.009219889 s  0008:00100271 <handler+0x1>  inc dword ptr [0x100280]',
    ],
    [
      'last-write ticks 4',
      '0x00100280: 0x0000003a -> 0x00000000, by 0x0010017f <wait+0x5b>',
      'tick 400,244  0.005786537 s  0008:0010017f <wait+0x5b>  mov dword ptr [0x100280], 0',
    ],
    ['lw 0x3000000', 'nothing before this place wrote 0x03000000'],
    [
      'irqs 2',
      '  tick 350,214  interrupt 0x20',
      '  tick 400,080  interrupt 0x20',
      '> tick 400,244  here',
      '  tick 400,247  interrupt 0x20',
    ],
    ['timeline', '0 █····▁·····▁·····▁·····▁····▁·····▁·····▁·····|············· 521,607  76.7 %'],
    ['goto before', 'tick 400,246  0.005786541 s  0008:0010018a <wait+0x66>  hlt'],
    ['inputs', 'no inputs'],
    ['info trace', 'recording: 521,607 ticks, 59 interrupts, 0 inputs, debugExit, status 1', 'image: kernel'],
  ]);
});

test('when code was executed, and what functions returned', async () => {
  await expectDialogue(new DebuggerUnderTest('disk', disassemble), [
    ['goto 113000', 'tick 113,000  0.000865026 s  0008:001005e3  xor eax, eax'],
    [
      'calls 0x1005e1',
      '  tick 62,379  to return to 0x001001b4: not by now',
      '> tick 113,000  here',
      '  tick 158,231  to return to 0x0010046a: at tick 178,714, with eax 0x1563f787',
    ],
    [
      'executions 0x1005e1',
      '  tick 62,379  cr3 0x00000000, esp 0x0008fffc, privilege level 0',
      '> tick 113,000  here',
      '  tick 158,231  cr3 0x00000000, esp 0x0008fffc, privilege level 0',
    ],
    ['calls 0x3000000', 'nowhere in the recording'],
    ['calls', 'error: an address is missing'],
    ['where', 'tick 113,000  0.000865026 s  0008:001005e3  xor eax, eax'],
  ]);
});

test('inputs, and the console as it was', async () => {
  const prompt = new DebuggerUnderTest('input', disassemble);
  await prompt.run('goto 50%');
  const [first = ''] = await prompt.run('inputs 1');
  expect(first).toMatch(/^ {2}tick [\d,]+ {2}(?:keyboard|mouse|serial0) [0-9a-f ]+/);
  const early = await prompt.run('console 50');
  await prompt.run('goto end');
  const late = await prompt.run('console 50');
  expect(late.length).toBeGreaterThan(early.length);
  expect(late.slice(0, early.length - 1)).toEqual(early.slice(0, -1));
  expect(await prompt.run('console 1 debug')).toEqual(['nothing was sent to debug before tick 5,002,791']);
});

test('commands by the beginning of their name', async () => {
  const prompt = await timer();
  await expectDialogue(prompt, [
    ['ste', 'tick 1  0.000000002 s  0010:00100021  cld'],
    ['cont', 'the end of the recording: debugExit, status 1', 'tick 521,607  0.009462605 s  0008:0010025a <wait+0x136>  cli'],
    ['con', "error: 'con' may be continue, console"],
    ['nonsense', "error: there is no command 'nonsense': see help"],
    ['42', "error: '42' is no command: see help"],
    ['help quit', 'quit, q, exit  leaves the debugger'],
  ]);
  expect((await prompt.run('help')).length).toBeGreaterThan(20);
});

test('completion', async () => {
  const prompt = await timer('mark before', 'break handler');
  const expected: readonly (readonly [line: string, candidates: readonly string[], word: string])[] = [
    ['ste', ['step'], 'ste'],
    ['con', ['console', 'continue'], 'con'],
    ['break ha', ['handler'], 'ha'],
    ['print [tic', ['ticks'], 'tic'],
    ['x/4xw eb', ['ebp', 'ebx'], 'eb'],
    ['goto be', ['before', 'begin'], 'be'],
    ['stop on c', ['console', 'cr0', 'cr3', 'cr4'], 'c'],
    ['info s', ['stops'], 's'],
    ['delete ', ['1'], ''],
    ['help qu', ['quit'], 'qu'],
    ['nonsense x', [], 'x'],
  ];
  for (const [line, candidates, word] of expected) {
    const completed = prompt.debugger.complete(line);
    expect([[...completed.candidates].sort(), completed.word], line).toEqual([candidates, word]);
  }
});

test('the signal interrupts: forwards one stays where one has come to, backwards where one was', async () => {
  const prompt = new DebuggerUnderTest('input', disassemble);
  const aborted = AbortSignal.abort();
  await prompt.run('stop on exception 3');
  await prompt.run('goto 3,000,000');
  expect(await prompt.debugger.execute('rcontinue', { signal: aborted })).toBe('interrupted');
  expect(prompt.timeline.tick).toBe(3_000_000);
  expect(await prompt.debugger.execute('continue', { signal: aborted })).toBe('interrupted');
  expect(prompt.timeline.tick).toBeGreaterThanOrEqual(3_000_000);
});

test('a replay that differs is said in one line; one stays where one was, and what is before can be used', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-debugger-'));
  try {
    const { path, recorded, stored } = tamperedTrace('timer', 'digest', folder);
    const prompt = new DebuggerUnderTest(path, disassemble);
    const digests = `expected ${stored.toString(16).padStart(16, '0')}, found ${recorded.toString(16).padStart(16, '0')}`;
    const difference = `error: diverged at tick 131072: digest: ${digests}; up to tick 65536 it agrees`;
    const here = 'tick 100,047  0.005186143 s  0008:00100125  cmp dword ptr [0x100280], 0x3A';
    await prompt.run('goto 100047');
    for (const line of ['continue', 'goto end', 'step 100000', 'writes 0x100280', 'calls 0x100284']) {
      expect(await prompt.run(line), line).toEqual([difference]);
      expect(prompt.outcome).toBe('diverged');
      expect(prompt.timeline.tick, line).toBe(100_047);
    }
    await expectDialogue(prompt, [['where', here]]);
    expect((await prompt.run('last-write esp-4'))[0]).toMatch(/^0x/);
    expect((await prompt.run('rcontinue'))[0]).toBe('the beginning of the recording');
    expect(prompt.outcome).toBe('done');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a diversion is a trace of its own, with the changes in it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-debugger-'));
  try {
    const path = join(folder, 'diverted.trace');
    const here = 'tick 300,349  0.005586747 s  0008:00100271 <handler+0x1>  inc dword ptr [0x100280]';
    await expectDialogue(await timer('goto 300349', 'watch ticks'), [
      ['fork', 'error: a file is missing: the trace to write'],
      [`fork ${path} foo = 3`, "error: 'foo' cannot be changed: only eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags and memory"],
      [`fork ${path} eax`, "error: 'eax' is no change, such as eax = 1 or [esp + 4] = 0"],
      [`fork ${path} [0xf0000000] = 1`, 'error: there is no memory at physical address 0xf0000000'],
      [`fork ${path} byte [ticks] = 0x39 + 1, ecx = 7`, `tick 300,349 to 301,312, debugExit: see replay86 debug ${path}`],
      [`fork ${path}`, `error: ${path} exists already`],
      ['where', here],
      ['print [ticks]', '0x00000037  55'],
    ]);
    const diverted = new DebuggerUnderTest(path, disassemble);
    await expectDialogue(diverted, [
      ['goto 300349', 'tick 300,349  0.005586747 s  0008:00100271  inc dword ptr [0x100280]'],
      ['inputs', '> tick 300,349  here', '  tick 300,349  debugger 00 01 07 00 00 00 01 80 02 10 00 00 00 00 00 01 ... (20 bytes)'],
      ['s', 'tick 300,350  0.005586749 s  0008:00100277  mov al, 0x20'],
      ['print [0x100280]', '0x0000003b  59'],
      ['print ecx', '0x00000007  7'],
      ['rs', 'tick 300,349  0.005586747 s  0008:00100271  inc dword ptr [0x100280]'],
      ['print [0x100280]', '0x00000037  55'],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('quit ends it, and says so only if nothing stands behind it', async () => {
  const prompt = await timer();
  await prompt.run('quit now');
  expect(prompt.outcome).toBe('wrong');
  await prompt.run('q');
  expect(prompt.outcome).toBe('quit');
});

test('whatever cannot be done gives one line and changes nothing', async () => {
  const prompt = await timer('goto 300000', 'break handler', 'mark here');
  const names = [
    'step',
    'rs',
    'goto',
    'mark',
    'break',
    'watch',
    'stop on',
    'delete',
    'regs',
    'x/',
    'xp/4',
    'disas',
    'stack',
    'p',
    'console',
  ];
  const more = ['symbols', 'lw', 'writes', 'irqs', 'inputs', 'info', 'quit', 'help', '', '=', 'no'];
  const junk = fc.constantFrom(
    '\u{1f600}',
    '[',
    '))',
    '0x',
    '1x',
    'if',
    '%',
    '-',
    '/[/',
    'nobody',
    '[0xf0000000]',
    '99999999999',
    '\x1b[A',
  );
  const line = fc.tuple(fc.constantFrom(...names, ...more), fc.array(junk, { minLength: 1, maxLength: 4 }));
  const garbage = fc.oneof(
    line.map(([name, words]) => `${name} ${words.join(' ')}`),
    fc.string({ unit: 'binary', minLength: 1 }).map((text) => `\u{1f600}${text}`),
  );
  const state = async (): Promise<string[]> => [...(await prompt.run('where')), ...(await prompt.run('info'))];
  const before = await state();
  let wrong = 0;
  await fc.assert(
    fc.asyncProperty(garbage, async (text) => {
      const lines: string[] = [...(await prompt.run(text.replaceAll(';', '')))];
      expect(prompt.outcome, text).not.toBe('quit');
      if (prompt.outcome !== 'wrong') return;
      wrong++;
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/^error: [^\n]+$/);
      expect(await state()).toEqual(before);
    }),
    { seed: 4, numRuns: 200 },
  );
  expect(wrong).toBeGreaterThan(150);
});
