/**
 * The way back to what has entered a frame, where stacks change: between rings, by hardware tasks, and between threads whose
 * switches nobody but the guest knows of. Scans by single ticks with a shadow stack for each stack say where it must lead.
 */
import { describe, expect, test } from 'vitest';
import { createMachine, type Machine } from '../../engine/index.js';
import { TestRandom } from '../../engine/test-random-guest.js';
import { al, assemble, dword, eax, ecx, esp, ptr } from '../../properties/assembler/index.js';
import { openTraceFile, type Trace } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { History } from './history.js';
import { Playback, type TimelineEvents } from './playback.js';
import { type Step, scan } from './test-scan.js';
import { openTimeline, Timeline } from './timeline.js';

const corpus = (name: string): Trace => openTraceFile(new URL(`../../traces/corpus/${name}.trace`, import.meta.url).pathname);

function machineOf(trace: Trace): Machine {
  const images = new TraceImages(trace, undefined);
  try {
    return buildMachine(configOfTrace(trace.header, images, 'auto'));
  } finally {
    images.close();
  }
}

/** Where `reverseFinish` leads from a tick. */
async function entryOf(timeline: Timeline, tick: number): Promise<number | undefined> {
  await timeline.seek(tick);
  const stop = await timeline.reverseFinish();
  return stop.kind === 'begin' ? undefined : timeline.tick;
}

const opcodeOf = ({ code }: Step): number => ((code[0] as number) === 0x0f ? 0x0f00 + (code[1] as number) : (code[0] as number));
const CALLS = [0xe8, 0x9a, 0xcd, 0x0f34];
const RETURNS = [0xc2, 0xc3, 0xca, 0xcb, 0xcf, 0x0f35];
const isEntry = (step: Step): boolean => step.interrupts.length + step.exceptions.length > 0 || CALLS.includes(opcodeOf(step));
const isExit = (step: Step): boolean => !isEntry(step) && RETURNS.includes(opcodeOf(step));

/** For each step the tick at which its frame was entered, `stackOf` telling stacks apart. @param firstEntry to where they begin */
function entriesOf(steps: readonly Step[], stackOf: (step: Step) => number, firstEntry?: number): (number | undefined)[] {
  const [first] = steps;
  const shadows = new Map<number, number[]>();
  if (first !== undefined && firstEntry !== undefined) shadows.set(stackOf(first), [firstEntry]);
  return steps.map((step, index) => {
    const stack = stackOf(step);
    const open = shadows.get(stack) ?? [];
    shadows.set(stack, open);
    const entered = open.at(-1);
    // Where a call has led to the instruction behind it, its return address is popped.
    const before = steps[index - 1];
    if (before !== undefined && isEntry(before) && step.linear === before.linear + 5 && opcodeOf(before) === 0xe8) open.pop();
    if (isEntry(step)) open.push(step.tick);
    // A return to where nobody has called from begins something of its own.
    else if (isExit(step) && open.pop() === undefined) {
      const next = steps[index + 1];
      if (next !== undefined) shadows.set(stackOf(next), [step.tick]);
    }
    return entered;
  });
}

describe('between rings', () => {
  const trace = corpus('rings');
  const timeline = openTimeline(trace, { spacingTicks: 16_384 });
  /** IRET to the user program, which nothing returns to. */
  const LAUNCH_TICK = 505;
  const isUser = ({ before }: Step): boolean => (before[3] as number) % 10 === 3;

  test('the first system calls: by INT, call gate and SYSENTER', async () => {
    const steps = scan(machineOf(trace), trace, 0, 560);
    const expected = entriesOf(steps, () => 0);
    expect(expected[LAUNCH_TICK]).toBeUndefined();
    expect([0x9a, 0xcd, 0x0f34, 0xca, 0x0f35].map((opcode) => steps.some((step) => opcodeOf(step) === opcode))).not.toContain(false);
    for (const [index, { tick }] of steps.entries()) {
      if (tick < LAUNCH_TICK - 20) continue;
      expect(await entryOf(timeline, tick), `from ${tick}`).toBe(expected[index]);
    }
  });

  test('interrupts of both rings, and faults of user code', { timeout: 60_000 }, async () => {
    const all = scan(machineOf(trace), trace, 126_000, trace.coveredTo.tick);
    const steps = all.slice(all.findIndex(isUser));
    const expected = entriesOf(steps, () => 0, LAUNCH_TICK);
    const [events, random] = [steps.filter(({ interrupts, exceptions }) => interrupts.length + exceptions.length > 0), new TestRandom(11)];
    expect(events.filter(({ exceptions }) => exceptions.length > 0).length).toBeGreaterThan(2);
    expect(events.filter(({ interrupts }) => interrupts.length > 0).length).toBeGreaterThan(0);
    const indexes = [
      ...events.slice(0, 12).map(({ tick }) => steps.findIndex((step) => step.tick === tick) + 1),
      ...Array.from({ length: 15 }, () => random.below(steps.length)),
    ];
    for (const index of indexes) {
      const { tick } = steps[index] as Step;
      expect(await entryOf(timeline, tick), `from ${tick}`).toBe(expected[index]);
    }
  });
});

describe('between hardware tasks', () => {
  test('a task that was called, one behind a gate, one that a double fault leads to', { timeout: 60_000 }, async () => {
    const trace = corpus('tasks');
    const playback = new Playback(machineOf(trace), trace);
    const { machine } = playback;
    const timeline = openTimeline(trace);
    playback.advanceTo(100_000);
    const taskOf = (): number => machine.registers.get('tr');
    const isNested = (): boolean => (machine.registers.get('eflags') & 0x4000) !== 0;
    let [task, entryTick, checked] = [taskOf(), -1, 0];
    while (machine.tick < trace.coveredTo.tick) {
      const { tick } = machine;
      playback.advanceTo(tick + 1, true);
      if (taskOf() !== task && isNested()) entryTick = tick;
      task = taskOf();
      if (!isNested()) continue;
      expect(await entryOf(timeline, machine.tick), `from ${machine.tick}`).toBe(entryTick);
      checked++;
    }
    expect(checked).toBe(15);
    // Two calls, two interrupts and the fault are over: nothing has led to where the first task is.
    expect(await entryOf(timeline, trace.coveredTo.tick)).toBeUndefined();
  });
});

// --- two threads that switch to each other ---------------------------------------------------------------------------------

const ORIGIN = 0x8000;
const IDT = 0xa000;
const GDT = 0xb000;
/** The other stack is right below: distance tells nothing. */
const FIRST_STACK = 0x90000;
const SECOND_STACK = FIRST_STACK - 0x200;
const OTHER_POINTER = 0x9000;
const END_TICK = 20_000;
const le16 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const le32 = (value: number): number[] => [...le16(value), ...le16(value >>> 16)];

function guest(): { image: Uint8Array; labels: ReadonlyMap<string, number> } {
  const { bytes, labels } = assemble({ origin: ORIGIN }, (a) => {
    const out = (port: number, ...values: number[]): void => {
      for (const value of values) {
        a.mov(al, value);
        a.out(port, al);
      }
    };
    a.mov(esp, FIRST_STACK);
    a.lgdt(ptr(GDT + 0x100));
    a.lidt(ptr(GDT + 0x108));
    out(0x20, 0x11);
    out(0x21, 0x20, 4, 1, 0xfe);
    out(0x43, 0x34);
    out(0x40, 60, 0);
    a.mov(dword(SECOND_STACK - 4), 'thread');
    a.mov(dword(SECOND_STACK - 8), 2);
    a.mov(dword(OTHER_POINTER), SECOND_STACK - 8);
    a.label('thread');
    a.sti();
    a.label('again');
    a.push(3);
    a.call('depth');
    a.jmp('again');
    a.label('depth');
    a.mov(eax, dword(esp, 4));
    a.test(eax, eax);
    a.je('bottom');
    a.dec(eax);
    a.push(eax);
    a.call('depth');
    a.call('here');
    a.label('here');
    a.pop(ecx);
    a.call('leaf');
    a.call('switch');
    a.label('bottom');
    a.nop();
    a.ret(4);
    a.label('leaf');
    a.nop();
    a.ret();
    a.label('switch');
    a.pushfd();
    a.cli();
    a.mov(eax, esp);
    a.mov(esp, dword(OTHER_POINTER));
    a.label('switched');
    a.mov(dword(OTHER_POINTER), eax);
    a.popfd();
    a.ret();
    a.label('switched.end');
    a.label('timer');
    a.pushad();
    out(0x20, 0x20);
    a.call('switch');
    a.popad();
    a.iret();
  });
  const image = new Uint8Array(0x4000);
  const put = (address: number, data: readonly number[]): void => image.set(data, address - ORIGIN);
  image.set(bytes);
  put(GDT + 0x10, [0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
  put(GDT + 0x100, [...le16(0x1f), ...le32(GDT)]);
  put(GDT + 0x108, [...le16(0x7ff), ...le32(IDT)]);
  put(IDT + 0x20 * 8, [...le16(labels.get('timer') as number), 0x10, 0, 0, 0x8e, 0, 0]);
  return { image, labels };
}

describe('between threads', () => {
  const { image, labels } = guest();
  const boot = { kind: 'raw', image, address: ORIGIN, entry: ORIGIN, mode: 'protected' } as const;
  const machine = (): Machine => createMachine({ boot, memoryBytes: 1 << 20, nsPerTick: 400 });
  const recorded = machine();
  const interrupts: { tick: number; vector: number }[] = [];
  recorded.onInterrupt = (accepted) => interrupts.push(accepted);
  recorded.run({ tick: END_TICK });
  const events: TimelineEvents = {
    inputs: [],
    interrupts: { ticks: Float64Array.from(interrupts, ({ tick }) => tick), vectors: Uint8Array.from(interrupts, ({ vector }) => vector) },
    coveredTo: { tick: recorded.tick, ns: recorded.nowNs },
  };
  const steps = scan(machine(), events, 0, END_TICK);
  const stackOf = ({ esp: top }: Step): number => (top <= SECOND_STACK ? 2 : 1);
  const expected = entriesOf(steps, stackOf);
  const at = (label: string): number => labels.get(label) as number;
  /** Called on one stack, it returns on another. */
  const isSwitching = ({ linear }: Step): boolean => linear >= at('switched') && linear < at('switched.end');

  test('the guest does what is wanted of it', () => {
    const switches = steps.filter((step, index) => index > 0 && stackOf(step) !== stackOf(steps[index - 1] as Step)).length;
    expect(switches).toBeGreaterThan(300);
    expect(events.interrupts.ticks.length).toBeGreaterThan(100);
    expect(expected.filter((tick) => tick === undefined).length).toBeLessThan(500);
  });

  test.each([256, 100_000])('leads to the call or interrupt of the frame, with checkpoints every %i ticks', async (spacingTicks) => {
    const timeline = new Timeline(events as Trace, new History(machine(), events, { spacingTicks }));
    const random = new TestRandom(12);
    for (let count = 0; count < 150; count++) {
      const index = 100 + random.below(END_TICK - 200);
      const step = steps[index] as Step;
      if (isSwitching(step)) continue;
      expect(await entryOf(timeline, step.tick), `from ${step.tick}`).toBe(expected[index]);
    }
  });
});
