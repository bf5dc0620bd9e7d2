/**
 * Steps over calls and out of frames lead where a shadow stack says that they must, from every kind of place in a guest with
 * recursion, arguments that returns remove, interrupts of the timer, INT and REP.
 */
import { describe, expect, test } from 'vitest';
import { createMachine, type Machine } from '../../engine/index.js';
import { TestRandom } from '../../engine/test-random-guest.js';
import { al, assemble, dword, eax, ebx, ecx, edi, esp, ptr } from '../../properties/assembler/index.js';
import type { Trace } from '../../traces/index.js';
import { History } from './history.js';
import type { TimelineEvents } from './playback.js';
import { type Step, scan } from './test-scan.js';
import { Timeline } from './timeline.js';

const ORIGIN = 0x8000;
const IDT = 0xa000;
const GDT = 0xb000;
const le16 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const le32 = (value: number): number[] => [...le16(value), ...le16(value >>> 16)];

function guestImage(): Uint8Array {
  const { bytes, labels } = assemble({ origin: ORIGIN }, (a) => {
    const out = (port: number, ...values: number[]): void => {
      for (const value of values) {
        a.mov(al, value);
        a.out(port, al);
      }
    };
    a.mov(esp, 0x90000);
    a.lgdt(ptr(GDT + 0x100));
    a.lidt(ptr(GDT + 0x108));
    out(0x20, 0x11);
    out(0x21, 0x20, 4, 1, 0xfe);
    out(0x43, 0x34);
    out(0x40, 40, 0);
    a.sti();
    a.label('again');
    a.push(5);
    a.call('depth');
    a.int(0x40);
    a.mov(edi, 0x20000);
    a.mov(ecx, 30);
    a.rep().stosb();
    a.jmp('again');
    a.label('depth');
    a.mov(eax, dword(esp, 4));
    a.test(eax, eax);
    a.je('bottom');
    a.dec(eax);
    a.push(eax);
    a.call('depth');
    a.call('leaf');
    a.label('bottom');
    a.nop();
    a.ret(4);
    a.label('leaf');
    a.add(ebx, 2);
    a.ret();
    a.label('timer');
    a.push(eax);
    out(0x20, 0x20);
    a.pop(eax);
    a.iret();
    a.label('software');
    a.inc(ebx);
    a.call('leaf');
    a.iret();
  });
  const image = new Uint8Array(0x4000);
  const put = (address: number, data: readonly number[]): void => image.set(data, address - ORIGIN);
  image.set(bytes);
  put(GDT + 0x10, [0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
  put(GDT + 0x100, [...le16(0x1f), ...le32(GDT)]);
  put(GDT + 0x108, [...le16(0x7ff), ...le32(IDT)]);
  for (const [vector, label] of [
    [0x20, 'timer'],
    [0x40, 'software'],
  ] as const)
    put(IDT + vector * 8, [...le16(labels.get(label) as number), 0x10, 0, 0, 0x8e, 0, 0]);
  return image;
}

const END_TICK = 4000;

function record(): { events: TimelineEvents; machine: () => Machine } {
  const boot = { kind: 'raw', image: guestImage(), address: ORIGIN, entry: ORIGIN, mode: 'protected' } as const;
  const machine = (): Machine => createMachine({ boot, memoryBytes: 1 << 20, nsPerTick: 400 });
  const recorded = machine();
  const interrupts: { tick: number; vector: number }[] = [];
  recorded.onInterrupt = (accepted) => interrupts.push(accepted);
  recorded.run({ tick: END_TICK });
  const events = {
    inputs: [],
    interrupts: { ticks: Float64Array.from(interrupts, ({ tick }) => tick), vectors: Uint8Array.from(interrupts, ({ vector }) => vector) },
    coveredTo: { tick: recorded.tick, ns: recorded.nowNs },
  };
  return { events, machine };
}

const opcodeOf = ({ code }: Step): number => code[0] as number;
const CALL = 0xe8;
const INT = 0xcd;
const REP = 0xf3;
const RETURNS = [0xc2, 0xc3, 0xcf];
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [CALL, 5],
  [INT, 2],
  [REP, 2],
]);

/** The frames that are open before each step: when each was entered. */
function framesOf(steps: readonly Step[]): (readonly number[])[] {
  const open: number[] = [];
  return steps.map((step) => {
    const before = [...open];
    if (step.interrupts.length > 0) open.push(step.tick);
    else if (opcodeOf(step) === CALL || opcodeOf(step) === INT) open.push(step.tick);
    else if (RETURNS.includes(opcodeOf(step))) open.pop();
    return before;
  });
}

describe('from random places', () => {
  const { events, machine } = record();
  const steps = scan(machine(), events, 0, END_TICK);
  const frames = framesOf(steps);
  const random = new TestRandom(4);
  const places = Array.from({ length: 150 }, () => 40 + random.below(END_TICK - 600));
  const timeline = new Timeline(events as Trace, new History(machine(), events, { spacingTicks: 500 }));
  const at = (tick: number): Step => steps[tick] as Step;

  test('the guest does what is wanted of it', () => {
    expect(Math.max(...frames.map(({ length }) => length))).toBeGreaterThan(6);
    expect(events.interrupts.ticks.length).toBeGreaterThan(30);
    expect(steps.filter((step) => opcodeOf(step) === INT).length).toBeGreaterThan(5);
    // In order, and every tick is one to stand at.
    expect(steps.every(({ tick }, index) => tick === index)).toBe(true);
  });

  test('stepOver', async () => {
    for (const tick of places) {
      const step = at(tick);
      const length = step.interrupts.length > 0 ? undefined : LENGTHS.get(opcodeOf(step));
      const isThere = ({ linear, interrupts, esp: top }: Step): boolean =>
        interrupts.length === 0 && linear === step.linear + (length ?? 0) && top >= step.esp && top < step.esp + 4096;
      const behind = at(tick + 1).linear === step.linear + (length ?? 0);
      const expected = length === undefined || behind ? tick + 1 : steps.slice(tick + 1).find(isThere)?.tick;
      await timeline.seek(tick);
      const stop = await timeline.stepOver();
      expect(stop.kind).toBe('stepped');
      expect(timeline.tick, `from ${tick}`).toBe(expected);
    }
  });

  test('reverseStepOver undoes stepOver', async () => {
    let calls = 0;
    for (const tick of places) {
      const step = at(tick);
      if (
        step.interrupts.length > 0 ||
        !LENGTHS.has(opcodeOf(step)) ||
        opcodeOf(at(tick - 1)) === 0xcf ||
        (opcodeOf(step) === REP && step.executed === undefined)
      )
        continue;
      await timeline.seek(tick);
      await timeline.stepOver();
      if (timeline.tick === tick + 1) continue;
      // An interrupt right behind it would be undone first.
      if (opcodeOf(at(timeline.tick - 1)) === 0xcf && opcodeOf(step) !== INT) continue;
      expect((await timeline.reverseStepOver()).kind).toBe('stepped');
      expect(timeline.tick).toBe(tick);
      calls++;
    }
    expect(calls).toBeGreaterThan(10);
  });

  test('finish', async () => {
    for (const tick of places) {
      const depth = (frames[tick] as readonly number[]).length;
      const expected = frames.findIndex((open, index) => index > tick && open.length < depth);
      if (expected < 0) continue;
      await timeline.seek(tick);
      expect((await timeline.finish()).kind).toBe('stepped');
      expect(timeline.tick, `from ${tick}`).toBe(expected);
    }
  });

  test('reverseFinish', async () => {
    for (const tick of places) {
      const expected = (frames[tick] as readonly number[]).at(-1);
      await timeline.seek(tick);
      const stop = await timeline.reverseFinish();
      expect(timeline.tick, `from ${tick}`).toBe(expected ?? 0);
      expect(stop.kind).toBe(expected === undefined ? 'begin' : 'stepped');
    }
  });

  test('stops on the way count', async () => {
    const call = steps.find((step) => opcodeOf(step) === CALL && step.tick > 60) as Step;
    const inside = at(call.tick + 3);
    const id = timeline.stops.add({ kind: 'breakpoint', address: inside.linear });
    await timeline.seek(call.tick);
    const stop = await timeline.stepOver();
    expect(stop.kind === 'hit' && stop.hits.map(({ condition }) => timeline.stops.idOf(condition))).toEqual([id]);
    timeline.stops.enable(id, false);
    await timeline.seek(call.tick);
    expect((await timeline.stepOver()).kind).toBe('stepped');
    expect(timeline.stops.remove(id)).toBe(true);
    expect(timeline.stops.remove(id)).toBe(false);
  });
});
