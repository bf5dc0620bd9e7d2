/**
 * Steps over calls, and out of the present one, in both directions. Frames are told by the stack pointer alone: code need
 * not keep frame pointers, symbols are not asked for.
 *
 * A call, INT or REP is over when the instruction behind it comes next and the stack pointer is back: recursion reaches the
 * same address with another one. Stacks of other tasks are told by being further away than a call removes; on the way back
 * out of a frame by what belongs together (flow.ts).
 */
import type { Machine } from '../../engine/index.js';
import { firstAtOrAfter } from '../sorted.js';
import { CALLS, FlowTrace, type Found, LONGEST_INSTRUCTION_BYTES } from './flow.js';
import type { TravelOptions } from './history.js';
import type { Hit, Stop, StopCondition } from './stops.js';
import type { Timeline } from './timeline.js';

const SOFTWARE_INTERRUPTS: ReadonlySet<string> = new Set(['int', 'int1', 'int3', 'into']);
const RETURNS: ReadonlySet<string> = new Set(['ret', 'retf', 'iret']);
/** Bytes of arguments that a return may remove. */
const ARGUMENTS_LIMIT_BYTES = 4096;
/** A frame further away is on another stack. */
const STACK_LIMIT_BYTES = 0x1_0000;
/** Between the stack pointer before an interrupt and the one at its IRET: EIP, CS and EFLAGS, perhaps ESP and SS. */
const INTERRUPT_FRAME_BYTES = 20;

const programCounter = ({ registers }: Machine): number => (registers.segmentBase('cs') + registers.get('eip')) >>> 0;

/** Linear address of the top of the stack. */
function stackTop({ registers }: Machine): number {
  const esp = registers.get('esp');
  return (registers.segmentBase('ss') + (registers.stackBits === 16 ? esp & 0xffff : esp)) >>> 0;
}

/** Whether the stack is where it was at `top`, less what a return removes. */
const isBack = (machine: Machine, top: number): boolean => {
  const removed = stackTop(machine) - top;
  return removed >= 0 && removed < ARGUMENTS_LIMIT_BYTES;
};

/** Stops at the user's conditions count as such; at one of ours, as the end of the step. */
function asStep(stop: Stop, own: readonly StopCondition[]): Stop {
  if (stop.kind !== 'hit') return stop;
  const hits = stop.hits.filter(({ condition }) => !own.includes(condition));
  return hits.length > 0 ? { kind: 'hit', hits } : { kind: 'stepped' };
}

export async function stepOver(timeline: Timeline, options: TravelOptions): Promise<Stop> {
  const { machine, tick: startTick } = timeline;
  const { ticks } = timeline.trace.interrupts;
  const instruction = machine.peekInstruction();
  const interrupted = machine.halted || ticks[firstAtOrAfter(ticks, startTick)] === startTick;
  if (instruction === undefined || interrupted || !isOne(instruction)) return timeline.step(1, options);
  const top = stackTop(machine);
  const next: StopCondition = {
    kind: 'breakpoint',
    address: (programCounter(machine) + instruction.lengthBytes) >>> 0,
    // Code that calls the next instruction wants its address, and never returns.
    when: () => machine.tick === startTick + 1 || isBack(machine, top),
  };
  return asStep(await timeline.forward([...timeline.active, next], options), [next]);
}

const isOne = ({ mnemonic, repeats }: { mnemonic: string; repeats: boolean }): boolean =>
  repeats || CALLS.has(mnemonic) || SOFTWARE_INTERRUPTS.has(mnemonic);

export async function reverseStepOver(timeline: Timeline, options: TravelOptions): Promise<Stop> {
  const { machine } = timeline;
  const startTick = timeline.tick;
  const here = programCounter(machine);
  const top = stackTop(machine);
  const back = await timeline.reverseStep(1, options);
  if (back.kind !== 'stepped') return back;
  const instruction = machine.peekInstruction();
  const isReturn = instruction !== undefined && RETURNS.has(instruction.mnemonic);
  const isRepeat = instruction?.repeats === true;
  if (!isReturn && !isRepeat) return back;
  const slot = stackTop(machine);
  /** This one instruction has led where we were: it has pushed what was returned through, or repeats with this stack. */
  const leadsHere = (): boolean => {
    const before = machine.peekInstruction();
    if (before === undefined || !isOne(before) || (programCounter(machine) + before.lengthBytes) >>> 0 !== here) return false;
    if (before.repeats) return stackTop(machine) === top;
    if (CALLS.has(before.mnemonic)) return stackTop(machine) - returnBytes(machine) === slot;
    return stackTop(machine) > slot && stackTop(machine) - slot <= INTERRUPT_FRAME_BYTES;
  };
  const resumesHere = (): boolean => programCounter(machine) === here && stackTop(machine) === top;
  const own: StopCondition[] = Array.from({ length: LONGEST_INSTRUCTION_BYTES }, (_, distance) => ({
    kind: 'breakpoint',
    address: (here - 1 - distance) >>> 0,
    when: leadsHere,
  }));
  const events: StopCondition[] = [
    { kind: 'interrupt', when: resumesHere },
    { kind: 'exception', when: resumesHere },
  ];
  if (instruction?.mnemonic === 'iret') own.push(...events);
  const found = await timeline.lastBefore(startTick, [...timeline.active, ...own], options);
  if (found === 'interrupted') return { kind: 'interrupted' };
  // A return that nothing of the kind has led to: a jump, or the first instruction of a task.
  const target = found[0]?.tick ?? startTick - 1;
  await timeline.history.seekBack(target);
  if (isRepeat) await backToFirstIteration(timeline, options);
  if (found.some(({ condition }) => events.includes(condition)) && timeline.tick > 0) return reverseStepOver(timeline, options);
  return found.length === 0 ? { kind: 'stepped' } : asStep({ kind: 'hit', hits: found }, own);
}

/** The machine stands where a REP begins, or goes on after an interrupt: back to where it begins. */
async function backToFirstIteration(timeline: Timeline, options: TravelOptions): Promise<void> {
  const { history, machine } = timeline;
  const here = programCounter(machine);
  const top = stackTop(machine);
  const isHere = (): boolean => programCounter(machine) === here && stackTop(machine) === top;
  for (let beginTick = timeline.tick; ; ) {
    await history.seekBack(beginTick - 1);
    const resumed = machine.peekInstruction()?.mnemonic === 'iret';
    const events: StopCondition[] = [
      { kind: 'interrupt', when: isHere },
      { kind: 'exception', when: isHere },
    ];
    const found = resumed ? await timeline.lastBefore(beginTick, events, options) : [];
    const tick = found === 'interrupted' ? undefined : found[0]?.tick;
    if (tick !== undefined && tick > 0) await history.seekBack(tick - 1);
    const begun =
      tick !== undefined && isHere() ? await timeline.lastBefore(tick, [{ kind: 'breakpoint', address: here, when: isHere }], options) : [];
    const earlier = begun === 'interrupted' ? undefined : begun[0]?.tick;
    if (earlier === undefined) {
      await timeline.seek(beginTick);
      return;
    }
    beginTick = earlier;
  }
}

/** Follows calls and returns on the present stack from some moment on: which of them belong together. */
class Pairing {
  /** Return slots of calls that were made, and the stack pointers from before interrupts: when. */
  readonly calls = new Map<number, number>();
  readonly interrupts = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly lowest: number,
  ) {}

  get top(): number {
    return stackTop(this.machine);
  }
  isNear(top: number): boolean {
    return top >= this.lowest && top - this.lowest < STACK_LIMIT_BYTES;
  }

  called(tick: number): void {
    const { top } = this;
    const bytes = returnBytes(this.machine);
    if (this.isNear(top - bytes)) this.calls.set(top - bytes, tick);
  }

  interrupted(tick: number): void {
    if (this.isNear(this.top)) this.interrupts.set(this.top, tick);
  }

  /** @returns whether it belongs to a call or interrupt that was seen; if so, that is over */
  returns(mnemonic: string | undefined): boolean {
    const { top } = this;
    if (mnemonic !== 'iret') return this.calls.delete(top);
    const candidates = [...this.interrupts.keys()].filter((before) => before > top && before - top <= INTERRUPT_FRAME_BYTES);
    return candidates.length > 0 && this.interrupts.delete(Math.min(...candidates));
  }
}

/** Bytes of the return address that the call which comes next pushes. */
function returnBytes(machine: Machine): number {
  const prefixed = machine.peekLinear(programCounter(machine), 1)[0] === 0x66;
  const near = (machine.registers.codeBits === 32) !== prefixed ? 4 : 2;
  return machine.peekInstruction()?.mnemonic === 'call far' ? 2 * near : near;
}

const FLOW = { kind: 'instruction', mnemonics: [...CALLS, ...SOFTWARE_INTERRUPTS, ...RETURNS] } as const satisfies StopCondition;

/** To behind the return from the present frame. */
export async function finish(timeline: Timeline, options: TravelOptions): Promise<Stop> {
  const { machine } = timeline;
  const pairing = new Pairing(machine, stackTop(machine));
  const event = (): boolean => {
    pairing.interrupted(machine.tick);
    return false;
  };
  const leaves = (): boolean => {
    const mnemonic = machine.peekInstruction()?.mnemonic;
    if (mnemonic === undefined || !RETURNS.has(mnemonic)) {
      if (CALLS.has(mnemonic ?? '')) pairing.called(machine.tick);
      else pairing.interrupted(machine.tick);
      return false;
    }
    return !pairing.returns(mnemonic) && pairing.isNear(pairing.top);
  };
  // The instruction that comes next is passed: it counts all the same.
  const first = machine.peekInstruction()?.mnemonic;
  if (first !== undefined && (CALLS.has(first) || SOFTWARE_INTERRUPTS.has(first) || RETURNS.has(first)) && leaves()) {
    return timeline.step(1, options);
  }
  const own: StopCondition[] = [
    { ...FLOW, when: leaves },
    { kind: 'interrupt', when: event },
    { kind: 'exception', when: event },
  ];
  const stop = await timeline.forward([...timeline.active, ...own], options);
  if (stop.kind !== 'hit' || stop.hits.some(({ condition }) => !own.includes(condition))) return asStep(stop, own);
  return timeline.step(1, options);
}

/**
 * Back to the call (or to the interrupt) that has led into the present frame. Where none has, as into a new task, to the
 * return that has.
 */
export async function reverseFinish(timeline: Timeline, options: TravelOptions): Promise<Stop> {
  const { machine } = timeline;
  const flow = new FlowTrace(machine);
  let tick = timeline.tick;
  for (;;) {
    const found = await entryBefore(timeline, flow, tick, options);
    if (found === 'interrupted') return { kind: 'interrupted' };
    if (found === undefined) {
      await timeline.seek(0);
      return { kind: 'begin' };
    }
    if ('entryTick' in found) return standAt(timeline, found.entryTick);
    const origin = await timeline.lastBefore(found.exit.tick, flow.conditionsFor(found.exit), options);
    if (origin === 'interrupted') return { kind: 'interrupted' };
    const [hit] = origin;
    if (hit === undefined) return standAt(timeline, found.exit.tick);
    tick = hit.tick;
    await timeline.history.seekBack(tick);
    flow.goOnHere();
  }
}

async function standAt(timeline: Timeline, tick: number): Promise<Stop> {
  await timeline.history.seekBack(tick);
  return { kind: 'stepped' };
}

async function entryBefore(
  timeline: Timeline,
  flow: FlowTrace,
  tick: number,
  options: TravelOptions,
): Promise<Found | 'interrupted' | undefined> {
  let found: Found | undefined;
  const result = (): readonly Hit[] => {
    found = flow.take();
    return found === undefined ? [] : [{ tick, condition: FLOW }];
  };
  return (await timeline.lastStretch(tick, flow.conditions, options, result)) === 'interrupted'
    ? 'interrupted'
    : (found ?? flow.takeLast());
}
