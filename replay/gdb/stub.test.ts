/** Each packet of the protocol, on recorded guests in real and in protected mode. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openTraceFile } from '../../traces/index.js';
import { replay } from '../replay.js';
import { tamperedTrace } from '../timeline/test-tampered.js';
import { TURN_MS } from '../timeline/turn.js';
import { REGISTERS } from './registers.js';
import { consoleText, corpusTrace, isConsole, packetOf, stubFor, TestClient } from './test-client.js';

let client: TestClient;
const open = (name: string, options: Parameters<typeof stubFor>[1] = {}): void => {
  client = new TestClient(stubFor(corpusTrace(name), options));
};
/** Opening a trace takes its time, so most tests share one, and begin at its beginning. */
const shared = stubFor(corpusTrace('timer'));
const numberOf = (name: string): string => REGISTERS.findIndex((row) => row.name === name).toString(16);
/** A register as gdb reads it. */
const register = async (name: string): Promise<number> => Number(littleEndian(await client.ask(`p${numberOf(name)}`)));
const littleEndian = (hex: string): bigint => BigInt(`0x${(hex.match(/../g) ?? []).reverse().join('')}`);
const tick = (): Promise<number> => register('tick');
const goTo = (to: number): Promise<string> => client.monitor(`goto ${to}`);

/** timer.trace: an interrupt of its main loop puts EFLAGS here. */
const PUSHED = 0x8fffc;

beforeEach(async () => {
  shared.disconnected();
  await shared.session.goTo(0);
  shared.session.marks.length = 0;
  client = new TestClient(shared);
});

describe('connecting', () => {
  it('acknowledges until it is asked not to', async () => {
    await client.ask('?');
    expect(client.wire.startsWith('+$T05')).toBe(true);
    expect(await client.ask('QStartNoAckMode')).toBe('OK');
    client.wire = '';
    await client.ask('?');
    expect(client.wire.startsWith('$T05')).toBe(true);
  });

  it('sends again what was lost, and asks for what was', async () => {
    await client.ask('qC');
    client.wire = '';
    client.connection.received(Buffer.from('-'));
    expect(client.wire).toBe('$QC1#c5');
    client.wire = '';
    client.connection.received(Buffer.from('$qC#00'));
    expect(client.wire).toBe('-');
  });

  it('has what gdb needs for going backwards', async () => {
    const features = (await client.ask('qSupported:multiprocess+;swbreak+;hwbreak+')).split(';');
    expect(features).toEqual(expect.arrayContaining(['ReverseStep+', 'ReverseContinue+', 'swbreak+', 'hwbreak+', 'vContSupported+']));
    expect(await client.ask('vCont?')).toBe('vCont;c;C;s;S;t;r');
  });

  it.each(['vMustReplyEmpty', 'vUnheardOf:1', 'qUnheardOf', 'QNonStop:1', '_', 'bx', 'qXfer:auxv:read::0,100', 'qXfer:features:write:x:0'])(
    'does not know %s',
    async (packet) => {
      expect(await client.ask(packet)).toBe('');
    },
  );

  it('describes the target in pieces of any size', async () => {
    const whole = (await client.ask('qXfer:features:read:target.xml:0,4000')).slice(1);
    expect(whole).toContain('<architecture>i386</architecture>');
    let pieces = '';
    for (let last = ''; last !== 'l'; ) {
      const reply = await client.ask(`qXfer:features:read:target.xml:${pieces.length.toString(16)},3f1`);
      last = reply.charAt(0);
      pieces += reply.slice(1);
    }
    expect(pieces).toBe(whole);
    for (const { name, bits } of REGISTERS) expect(whole).toContain(`<reg name="${name}" bitsize="${bits}"`);
    expect(await client.ask('qXfer:features:read:other.xml:0,100')).toBe('E00');
    expect(await client.ask('qXfer:memory-map:read::0,1000')).toContain('length="0x100000000"');
    open('rom');
    expect(await client.ask('qXfer:features:read:target.xml:0,4000')).toContain('<architecture>i8086</architecture>');
  });

  it('has one thread', async () => {
    expect(await client.ask('qfThreadInfo')).toBe('m1');
    expect(await client.ask('qsThreadInfo')).toBe('l');
    expect(await client.ask('qC')).toBe('QC1');
    for (const packet of ['Hg0', 'Hc-1', 'Hg1', 'T1']) expect(await client.ask(packet)).toBe('OK');
    for (const packet of ['Hg2', 'T2', 'Hgp1.1']) expect(await client.ask(packet)).toMatch(/^E/);
    expect(Buffer.from(await client.ask('qThreadExtraInfo,1'), 'hex').toString()).toBe('CPU#0 [running]');
    await goTo(521_607);
    expect(Buffer.from(await client.ask('qThreadExtraInfo,1'), 'hex').toString()).toBe('CPU#0 [running]');
    open('rom');
    await goTo(117_748);
    expect(Buffer.from(await client.ask('qThreadExtraInfo,1'), 'hex').toString()).toBe('CPU#0 [halted]');
    expect(await client.ask('qXfer:threads:read::0,1000')).toContain('<thread id="1" core="0">CPU#0 [halted]</thread>');
  });
});

describe('registers and memory', () => {
  it('gives all registers in the order of the description', async () => {
    await goTo(300_000);
    const { registers } = client.stub.session.machine;
    const all = await client.ask('g');
    let at = 0;
    for (const [number, { bits }] of REGISTERS.entries()) {
      expect(all.slice(at, at + bits / 4)).toBe(await client.ask(`p${number.toString(16)}`));
      at += bits / 4;
    }
    expect(at).toBe(all.length);
    expect(await register('esp')).toBe(registers.get('esp'));
    expect(await register('eflags')).toBe(registers.get('eflags'));
    expect(await register('cs')).toBe(8);
    expect(await register('cr0')).toBe(registers.get('cr0'));
    expect(await register('tick')).toBe(300_000);
    expect(await register('code_bits')).toBe(32);
    expect(await client.ask('pff')).toMatch(/^E/);
    expect(await client.ask('p')).toMatch(/^E/);
  });

  it('gives the linear address as PC in real mode', async () => {
    open('rom');
    expect(await register('eip')).toBe(0xffff_fff0);
    expect(await register('ip')).toBe(0xfff0);
    expect(await register('cs')).toBe(0xf000);
    expect(await register('cs_base')).toBe(0xffff_0000);
    // JMP F000:0000
    expect(await client.ask('mfffffff0,5')).toBe('ea000000f0');
  });

  it('reads memory as far as it is present', async () => {
    expect(await client.ask('m100020,2')).toBe('fafc');
    expect(await client.ask('x100020,2')).toBe('b\xfa\xfc');
    expect(await client.ask('m3fffffe,2')).toMatch(/^....$/);
    expect(await client.ask('m3fffffe,0')).toBe('');
    // The end of 64 MiB.
    expect(await client.ask('m3fffffe,10')).toMatch(/^....$/);
    expect(await client.ask('mf0000000,10')).toBe('E01');
    for (const packet of ['m', 'm1', 'm1,', 'm,1', 'mzz,1', 'm100000000,1']) expect(await client.ask(packet)).toBe('E01');
    expect(await client.ask('qRcmd,7')).toBe('E01');
    expect(await client.ask('mffffffff00100020,2')).toMatch(/^fafc$/);
  });

  it('refuses to change the recording, and says so', async () => {
    const before = client.stub.session.machine.digest();
    expect(await client.ask(`P${numberOf('eax')}=01000000`)).toContain('the recording cannot be changed');
    expect(await client.ask('M100020,1:90')).toContain('the recording cannot be changed');
    expect(await client.ask('X100020,1:\x90')).toContain('the recording cannot be changed');
    expect(await client.ask('G00')).toMatch(/^E/);
    expect(client.stub.session.machine.digest()).toBe(before);
    // Whether `X` is known is asked with no bytes.
    expect(await client.ask('X0,0:')).toBe('OK');
  });
});

describe('moving', () => {
  it('steps in both directions, to both ends', async () => {
    expect(await client.ask('bs')).toMatch(/^T05replaylog:begin;thread:1;/);
    for (const packet of ['s', 'vCont;s:1', 'vCont;S05:1;c', 'S05']) expect(await client.ask(packet)).toMatch(/^T05thread:1;/);
    expect(await tick()).toBe(4);
    for (let count = 3; count >= 0; count--) {
      expect(await client.ask('bs')).toMatch(/^T05thread:1;/);
      expect(await tick()).toBe(count);
    }
    expect(await client.ask('vCont;c')).toMatch(/^T05replaylog:end;/);
    expect(await tick()).toBe(521_607);
    expect(await client.ask('s')).toMatch(/^T05replaylog:end;/);
    expect(await client.ask('bc')).toMatch(/^T05replaylog:begin;/);
    expect(await tick()).toBe(0);
  });

  it('tells with the stop where it is', async () => {
    const reply = await client.ask('s');
    expect(reply).toBe(`T05thread:1;04:${await client.ask('p4')};05:${await client.ask('p5')};08:21001000;`);
  });

  it('stops at breakpoints, with PC at their address, whichever way it comes', async () => {
    await goTo(300_000);
    const pc = await register('eip');
    await goTo(0);
    expect(await client.ask(`Z0,${pc.toString(16)},1`)).toBe('OK');
    expect(await client.ask('c')).toMatch(/^T05swbreak:;/);
    const first = await tick();
    expect(await client.ask('c')).toMatch(/^T05swbreak:;/);
    const second = await tick();
    expect(second).toBeGreaterThan(first);
    expect(await register('eip')).toBe(pc);
    expect(await client.ask('bc')).toMatch(/^T05swbreak:;/);
    expect([await tick(), await register('eip')]).toEqual([first, pc]);
    expect(await client.ask(`z0,${pc.toString(16)},1`)).toBe('OK');
    expect(await client.ask(`Z1,${pc.toString(16)},1`)).toBe('OK');
    expect(await client.ask('c')).toMatch(/^T05hwbreak:;/);
    expect(await tick()).toBe(second);
    expect(client.stub.session.machine.peekPhysical(pc, 1)[0]).not.toBe(0xcc);
  });

  it('stops behind a write forward, and in front of it backward', async () => {
    await goTo(299_000);
    expect(await client.ask(`Z2,${PUSHED.toString(16)},4`)).toBe('OK');
    expect(await client.ask('bc')).toMatch(/^T05watch:8fffc;/);
    const writeTick = await tick();
    expect(writeTick).toBe(250_480);
    expect(await client.ask('s')).toMatch(/^T05watch:8fffc;/);
    expect(await tick()).toBe(writeTick + 1);
    expect(await client.ask('bs')).toMatch(/^T05watch:8fffc;/);
    expect(await tick()).toBe(writeTick);
    expect(await client.ask('c')).toMatch(/^T05watch:8fffc;/);
    expect(await tick()).toBe(writeTick + 1);
    expect(await client.ask('bs')).toMatch(/^T05watch/);
    expect(await client.ask('bs')).toMatch(/^T05thread/);
    expect(await tick()).toBe(writeTick - 1);
  });

  it('tells reads from writes', async () => {
    await goTo(299_000);
    await client.ask(`Z3,${PUSHED.toString(16)},4`);
    expect(await client.ask('bc')).toMatch(/^T05rwatch:8fffc;/);
    const readTick = await tick();
    await client.ask(`z3,${PUSHED.toString(16)},4`);
    // Longer than any register, and not aligned: the address that was accessed is named.
    expect(await client.ask('Z4,8ff01,fff')).toBe('OK');
    await goTo(299_000);
    expect(await client.ask('bc')).toMatch(/^T05awatch:8fff[0-9a-f];/);
    expect(await tick()).toBeGreaterThanOrEqual(readTick);
  });

  it.each(['Z2,f0000000,4', 'Z2,1000,0', 'Z5,1000,1', 'Z0', 'Z0,zz,1', 'Z2,0,7fffffff', 'z9,0,1'])('refuses %s', async (packet) => {
    expect(await client.ask(packet)).toMatch(/^E/);
  });

  it('steps through a range, to breakpoints in it', async () => {
    // CLI; CLD; LGDT; JMP
    expect(await client.ask('vCont;r100020,100029:1')).toMatch(/^T05thread/);
    expect(await register('eip')).toBe(0x10_0029);
    await goTo(0);
    await client.ask('Z0,100021,1');
    expect(await client.ask('vCont;r100020,100029:1')).toMatch(/^T05/);
    expect(await register('eip')).toBe(0x10_0021);
  });

  it('steps through a range without the interrupts in it', async () => {
    await goTo(300_347);
    expect(await register('eip')).toBe(0x10_012c);
    await client.ask('vCont;r10012c,10012e:1');
    expect(await register('eip')).toBe(0x10_0124);
    expect(await tick()).toBeGreaterThan(300_350);
    await goTo(300_347);
    // The counter, which the handler increments.
    await client.ask('Z2,100280,4');
    expect(await client.ask('vCont;r10012c,10012e:1')).toMatch(/^T05watch:100280;/);
  });

  it('goes on from where it is only', async () => {
    expect(await client.ask('s100020')).toMatch(/^T05/);
    expect(await client.ask('c100020')).toMatch(/^E/);
    expect(await client.ask('vCont;c:2')).toMatch(/^E/);
  });

  it('is interrupted in a long motion, and stands where nothing was passed over', async () => {
    await goTo(500_000);
    const { timeline } = client.stub.session;
    const backward = timeline.backward.bind(timeline);
    timeline.backward = async (conditions, options = {}) => {
      client.connection.received(Uint8Array.of(3));
      return backward(conditions, options);
    };
    client.connection.received(packetOf('bc'));
    await client.connection.idle();
    timeline.backward = backward;
    expect(await client.ask('?')).toMatch(/^T05/);
    expect(client.wire).toContain('$T02thread:1;');
    expect(await tick()).toBe(500_000);
    // One that comes too late is for nobody.
    client.connection.received(Uint8Array.of(3));
    expect(await client.ask('s')).toMatch(/^T05/);
  });

  it('says when gdb would disassemble the wrong way', async () => {
    open('v86');
    await client.ask('qXfer:features:read:target.xml:0,100');
    await client.ask('Z0,20000,1');
    const [told, stop] = await client.askAll('c');
    expect(consoleText(told ?? '')).toContain('16-bit code now: "unset tdesc filename"');
    expect(stop).toMatch(/^T05swbreak/);
    expect((await client.askAll('s')).some(isConsole)).toBe(false);
    expect(await client.ask('qXfer:features:read:target.xml:0,100')).toContain('i8086');
  });
});

describe('the session', () => {
  it('stays where it is when gdb leaves, without its breakpoints', async () => {
    await client.ask('Z0,100021,1');
    await client.ask('vCont;c');
    expect(await client.ask('D')).toBe('OK');
    expect(client.isClosed).toBe(true);
    await client.connection.closed();
    client = new TestClient(client.stub);
    expect(await client.ask('?')).toMatch(/^T05thread:1;/);
    expect(await tick()).toBe(1);
    expect(await client.ask('c')).toMatch(/^T05replaylog:end/);
  });

  it('starts again', async () => {
    await goTo(1000);
    expect(await client.ask('vRun;')).toMatch(/^T05/);
    expect(await tick()).toBe(0);
    await goTo(1000);
    expect(await client.askAll('R00')).toEqual([]);
    expect(await tick()).toBe(0);
  });

  it('keeps the connection of an extended client', async () => {
    let killed = 0;
    open('timer', { onKill: () => killed++ });
    expect(await client.ask('!')).toBe('OK');
    for (const packet of ['D', 'vKill;1']) {
      await client.ask('s');
      await client.ask('Z0,100021,1');
      expect(await client.ask(packet)).toBe('OK');
      expect(await client.ask('vAttach;1')).toMatch(/^T05thread:1;/);
    }
    expect(await tick()).toBe(2);
    expect(await client.ask('vRun;')).toMatch(/^T05thread:1;/);
    expect([await tick(), killed, client.isClosed]).toEqual([0, 0, false]);
    expect(await client.ask('c')).toMatch(/^T05replaylog:end/);
  });

  it.each([
    ['k', ''],
    ['vKill;1', 'OK'],
  ])('ends with %s', async (packet, reply) => {
    let killed = 0;
    open('timer', { onKill: () => killed++ });
    expect(await client.ask(packet)).toBe(reply);
    expect([killed, client.isClosed]).toEqual([1, true]);
  });
});

describe('monitor', () => {
  it('goes to places and notes them', async () => {
    expect(await client.monitor('goto 1_000')).toContain('tick 1000 of 521607');
    expect(await client.monitor('checkpoint')).toBe('checkpoint 1 at tick 1000\n');
    expect(await client.monitor('goto end')).toContain('tick 521607');
    expect(await client.monitor('when')).toMatch(/^tick 521607 of 521607, \d+ ns, pc 0x/);
    expect(await client.monitor('restart 1')).toContain('tick 1000 of');
    expect(await client.monitor('restart')).toContain('tick 0 of');
    expect(await client.monitor('goto begin')).toContain('tick 0 of');
  });

  it.each([
    ['fly', 'there is no command fly'],
    ['goto', 'a number is missing'],
    ['goto 1 2', 'one tick is enough'],
    ['goto -1', '-1 is no number'],
    ['goto 521608', 'the recording ends at tick 521607'],
    ['restart 1', 'there is no checkpoint 1'],
    ['writes', 'a number is missing'],
    ['writes 0xf0000000', 'monitor writes ADDRESS'],
    ['writes 0 0', 'a range has from 1 to'],
    ['save-trace', 'give a file name'],
    ['__proto__', 'there is no command __proto__'],
  ])('%s: %s', async (line, expected) => {
    const text = await client.monitor(line);
    expect(text).toContain(expected);
    expect(text.trim().split('\n')).toHaveLength(1);
    expect(await tick()).toBe(0);
  });

  it.each(['goto end', 'restart 1', `writes ${PUSHED}`, 'divergence'])(
    '%s ends at once on Ctrl-C, and leaves everything as it was',
    async (line) => {
      open('timer');
      await goTo(1000);
      await client.monitor('checkpoint');
      await goTo(450_000);
      const { history } = client.stub.session.timeline;
      const before = [await client.ask('?'), await client.ask('g')];
      const advanceOnce = history.advanceOnce.bind(history);
      let advances = 0;
      history.advanceOnce = (target, staying) => {
        advances++;
        client.connection.received(Uint8Array.of(3));
        // Long enough for the host to get a turn; and only a part of the way.
        const startMs = performance.now();
        while (performance.now() - startMs <= TURN_MS);
        history.advanceOnce = advanceOnce;
        return advanceOnce(Math.min(target, history.tick + 100), staying);
      };
      expect(await client.monitor(line)).toMatch(/^interrupted(?:: [^\n]*)?\n$/);
      expect(advances).toBe(1);
      expect([await client.ask('?'), await client.ask('g')]).toEqual(before);
      expect(await client.monitor('when')).toMatch(/^tick 450000 of/);
      expect(client.defects).toEqual([]);
    },
  );

  it('does not stay where it has come to in the moment it was interrupted', async () => {
    await goTo(1000);
    const { timeline } = client.stub.session;
    const seek = timeline.seek.bind(timeline);
    timeline.seek = async (to) => {
      timeline.seek = seek;
      await seek(to);
      client.connection.received(Uint8Array.of(3));
    };
    expect(await client.monitor('goto end')).toMatch(/^interrupted: tick 1000 of [^\n]*\n$/);
  });

  it('keeps gdb awake', async () => {
    const { timeline } = client.stub.session;
    const seek = timeline.seek.bind(timeline);
    timeline.seek = async (to) => {
      timeline.seek = seek;
      await vi.waitUntil(() => client.wire.includes('$O#4f'), { timeout: 10_000, interval: 5 });
      await seek(to);
    };
    await goTo(1000);
    client.wire = '';
    await client.monitor('when');
    expect(client.wire).not.toContain('$O#4f');
  });

  it('is forgotten when gdb has forgotten it', async () => {
    const { timeline } = client.stub.session;
    const seek = timeline.seek.bind(timeline);
    timeline.seek = async (to, options) => {
      timeline.seek = seek;
      client.connection.received(packetOf('qC'));
      await seek(to, options);
    };
    expect(await client.askAll(`qRcmd,${Buffer.from('goto 1000').toString('hex')}`)).toEqual([]);
    await client.connection.idle();
    expect(client.wire.endsWith('+$QC1#c5')).toBe(true);
  });

  it('lists writes, newest first, and stays where it is', async () => {
    await goTo(299_000);
    const ticks = [...(await client.monitor(`writes ${PUSHED}`)).matchAll(/^tick (\d+)/gm)].map(([, found]) => Number(found));
    expect(ticks).toHaveLength(10);
    expect(ticks[0]).toBe(250_480);
    expect(await client.monitor(`writes ${PUSHED}`)).toMatch(
      /^tick 250480 {2}pc 0x10012c {2}0x8fffc: .. .. .. .. -> .. .. .. .. {2}by the delivery of vector 0x20\n/,
    );
    expect(ticks).toEqual([...ticks].sort((a, b) => b - a));
    expect(await tick()).toBe(299_000);
    expect(await client.monitor('writes 0x3000000')).toBe('never written before here\n');
  });

  it('names what has names', async () => {
    open('timer', {
      symbols: {
        textAt: (address) => (address === 0x10_0020 ? 'start' : undefined),
        addressOf: (name) => (name === 'pushed' ? PUSHED : undefined),
      },
    });
    expect(await client.monitor('when')).toContain('pc 0x100020 <start>');
    await goTo(299_000);
    expect(await client.monitor('writes pushed')).toMatch(/^tick 250480 /);
  });

  it('tells interrupts, divergence and itself', async () => {
    await goTo(300_000);
    const interrupts = await client.monitor('irqs');
    expect(interrupts).toContain('tick 250480 (-49520)  vector 0x20\n');
    expect(interrupts).toContain('tick 300347 (+347)  vector 0x20\n');
    expect(interrupts).toContain('55 of 59 interrupts before tick 300000');
    expect(await client.monitor('divergence')).toBe('none in a recording of 521607 ticks\n');
    expect(await tick()).toBe(300_000);
    expect(await client.monitor('save-trace a.trace')).toBe('written to a.trace\n');
    for (const name of ['when', 'goto', 'writes', 'fork', 'save-trace']) expect(await client.monitor('help')).toContain(`\n${name}`.trim());
    expect(await client.monitor('')).toBe(await client.monitor('help'));
  });
});

describe('what goes wrong', () => {
  it('a replay that differs from the recording is told in a line, wherever it is met, and all before it can be used', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replay86-gdb-diverged-'));
    try {
      const { path, tick: tamperedTick, recorded, stored } = tamperedTrace('timer', 'digest', folder);
      const difference = `diverged at tick ${tamperedTick}: digest: expected ${stored.toString(16).padStart(16, '0')}, found ${recorded.toString(16).padStart(16, '0')}; up to tick 65536 it agrees`;
      client = new TestClient(stubFor(path));
      await goTo(100_000);
      const reply = await client.ask('?');
      for (const packet of ['c', 'vCont;c', 'vCont;r0,ffffffff:1']) {
        const [told = '', ...stop] = await client.askAll(packet);
        expect(consoleText(told)).toBe(`replay86: ${difference}\n`);
        expect(stop).toEqual([reply]);
        expect(await tick()).toBe(100_000);
      }
      for (const line of ['goto end', `goto ${tamperedTick}`, 'divergence']) {
        expect(await client.monitor(line)).toBe(`${difference}\n`);
        expect(await tick()).toBe(100_000);
      }
      await goTo(tamperedTick - 1);
      expect((await client.askAll('s')).map((text) => (isConsole(text) ? consoleText(text) : text))[0]).toBe(`replay86: ${difference}\n`);
      expect(await tick()).toBe(tamperedTick - 1);
      expect(await client.ask('bs')).toMatch(/^T05thread/);
      await client.ask(`Z2,${PUSHED.toString(16)},4`);
      expect(await client.ask('bc')).toMatch(/^T05watch/);
      expect(await client.monitor('writes 0x8fffc')).toMatch(/^tick \d+/);
      expect(client.defects).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('a defect is reported, and the connection goes on', async () => {
    open('timer');
    const { timeline } = client.stub.session;
    const defect = new Error('impossible');
    timeline.forward = () => Promise.reject(defect);
    expect(await client.ask('c')).toBe('Eff');
    expect(client.defects).toEqual([defect]);
    expect(await client.ask('qC')).toBe('QC1');
  });
});

describe('diversions', () => {
  beforeEach(() => open('timer', { writesDivert: true }));

  it('take changes, forwards, and leave the recording alone', async () => {
    await goTo(300_000);
    const recorded = client.stub.session.machine.digest();
    const pc = await register('eip');
    expect(await client.ask(`P${numberOf('eax')}=78563412`)).toBe('OK');
    expect(await client.ask(`M${PUSHED.toString(16)},2:beef`)).toBe('OK');
    expect(await client.ask('X2ffff,3:\x01}\x03\x02')).toBe('OK');
    expect([await register('eax'), await register('eip'), await tick()]).toEqual([0x1234_5678, pc, 300_000]);
    expect(await client.ask('m8fffc,2')).toBe('beef');
    expect(await client.ask('m2ffff,3')).toBe('012302');
    const [told, stop] = await client.askAll('s');
    expect(consoleText(told ?? '')).toContain('a diversion from tick 300000');
    expect(stop).toMatch(/^T05thread/);
    expect(await tick()).toBe(300_001);
    expect(await client.ask('bs')).toMatch(/^T05replaylog:begin/);
    expect(await client.ask(`P${numberOf('cr0')}=00000000`)).toContain('cr0 cannot be changed');
    expect(await client.ask('Mf0000000,1:00')).toContain('no memory at 0xf0000000');
    expect(await client.monitor('when')).toContain('tick 300001 of a diversion from tick 300000');
    expect(await client.monitor('checkpoint')).toContain('a diversion has no checkpoints');
    await goTo(300_000);
    expect(client.stub.session.machine.digest()).toBe(recorded);
  });

  it('go where they are sent', async () => {
    await goTo(300_000);
    expect(await client.ask(`P${numberOf('eip')}=20001000`)).toBe('OK');
    await client.ask('Z0,100029,1');
    expect(await client.ask('c')).toMatch(/^T05swbreak/);
    expect(await register('eip')).toBe(0x10_0029);
    await client.ask('z0,100029,1');
    await client.ask('Z2,8fffc,4');
    expect(await client.ask('c')).toMatch(/^T05watch:8fffc;/);
  });

  it('are recorded where that is wished', async () => {
    open('timer');
    await goTo(300_000);
    const folder = mkdtempSync(join(tmpdir(), 'replay86-gdb-stub-'));
    try {
      const path = join(folder, 'diverted.trace');
      expect(await client.monitor(`fork ${folder}/none/x.trace`)).toContain('none/x.trace');
      expect(await client.monitor(`fork ${path}`)).toContain('recorded to');
      expect(await client.monitor('fork')).toContain('this is a diversion already');
      expect(await client.monitor('save-trace x')).toContain('monitor fork FILE');
      expect(await client.ask(`P${numberOf('ebx')}=07000000`)).toBe('OK');
      await client.ask('vCont;s:1');
      const digest = client.stub.session.machine.digest();
      await client.monitor('restart');
      const trace = openTraceFile(path);
      const result = replay(trace);
      trace.close();
      expect(result.divergence).toBeUndefined();
      expect([result.tick, result.digest]).toEqual([300_001, digest]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('whose recording is lost are left all the same', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replay86-gdb-stub-'));
    try {
      const path = join(folder, 'diverted.trace');
      await client.monitor(`fork ${path}`);
      await client.ask('s');
      truncateSync(path);
      expect(await client.monitor('restart')).toContain('tick 0 of 521607');
      const [told = '', stop] = await client.askAll('s');
      expect(consoleText(told)).toBe(
        `replay86: the diversion is not recorded: ${path}, byte 0: not a trace: it does not start with the signature of one\n`,
      );
      expect(stop).toMatch(/^T05thread/);
      expect(client.defects).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('run as the recording did when nothing is changed', async () => {
    open('timer');
    await goTo(300_000);
    expect(await client.monitor('fork')).toContain('a diversion from tick 300000');
    await client.ask('c');
    const diverted = [await tick(), client.stub.session.machine.digest()];
    await client.monitor('goto end');
    expect(diverted).toEqual([await tick(), client.stub.session.machine.digest()]);
  });
});

describe('whatever comes', () => {
  const hex = fc.constantFrom('0', '1', '100020', '8fffc', 'ffffffff', 'f0000000', '10', '-1', 'zz', '');
  const letters = fc.constantFrom(...'!?gGpPmMxXZzcCsSbHTDRvqQ_'.split(''));
  const names = fc.constantFrom(
    'vCont',
    'vCont;s',
    'vCont;r',
    'qRcmd,',
    'qXfer:',
    'qXfer:features:read:target.xml:',
    'qSupported:',
    'qSearch:memory:',
    'qCRC:',
    'vRun;',
  );
  const joined = fc.tuple(fc.oneof(letters, names), fc.array(fc.tuple(hex, fc.constantFrom(',', ':', ';', '=', '')), { maxLength: 4 }));
  const shaped = joined.map(([start, parts]) => start + parts.map(([value, separator]) => value + separator).join(''));
  const monitorLine = fc
    .tuple(fc.constantFrom('goto', 'writes', 'irqs', 'restart', 'checkpoint', 'when', 'divergence'), hex, hex)
    .map((words) => words.join(' '));
  const packet = fc.oneof(
    { weight: 4, arbitrary: shaped },
    { weight: 1, arbitrary: monitorLine.map((line) => `qRcmd,${Buffer.from(line).toString('hex')}`) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replace(/[$#k]/g, '')) },
  );

  it('is answered', { timeout: 60_000 }, async () => {
    open('rom');
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { minLength: 1, maxLength: 10 }), fc.uint8Array({ maxLength: 10 }), async (packets, noise) => {
        for (const data of packets) {
          client.connection.received(noise);
          client.connection.received(packetOf(data));
          await client.connection.idle();
        }
        expect(client.defects).toEqual([]);
        client.connection.received(Buffer.from('#00'));
        // It is there still.
        expect(await client.ask('qC')).toContain('QC1');
      }),
      { seed: 20261122, numRuns: 150 },
    );
  });
});
