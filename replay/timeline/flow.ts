/**
 * What enters frames of functions and handlers, and what leaves them: calls, interrupts and exceptions, returns; and which of
 * them belong together. (Intel SDM volume 1, chapter 6; volume 3, chapters 6 and 8.)
 *
 * A return from a call pops from where the call has pushed to, if perhaps another address. A return from an interrupt restores the stack
 * pointer from before it, whatever stack the handler was on. A task that the processor switches to by CALL or an interrupt
 * goes back to the task that its TSS links to. Stacks that software changes by itself, as schedulers do, need nothing more:
 * coming back to a stack is returning from a call that was made on it.
 */
import type { Machine } from '../../engine/index.js';
import type { StopCondition } from './stops.js';

export const CALLS: ReadonlySet<string> = new Set(['call', 'call far']);
const SOFTWARE_INTERRUPTS: ReadonlySet<string> = new Set(['int', 'int1', 'int3', 'into', 'sysenter']);
const RETURNS: ReadonlySet<string> = new Set(['ret', 'retf', 'iret', 'sysexit']);
export const LONGEST_INSTRUCTION_BYTES = 15;
/** So far the entry of a frame is looked for among all that is met. Beyond, only what could be it is looked at. */
const NEAR_TICKS = 2 ** 20;
/** Further away is another stack. */
const SAME_STACK_BYTES = 4096;

const FLAG = { of: 1 << 11, nt: 1 << 14, vm: 1 << 17 } as const;
const PROTECTED = 1;
const USER = 3;

interface Place {
  readonly tick: number;
  /** The task as the processor knows tasks, and the one that it returns to. */
  readonly task: number;
  readonly link: number | undefined;
  /** Linear address of the top of the stack. */
  readonly top: number;
}

/** Into a frame. */
interface Entry extends Place {
  readonly kind: 'call' | 'farCall' | 'event';
  /** Where the return address is, linear, and what it is. */
  readonly slot: number;
  readonly target: number;
  /** The stack pointer before. */
  readonly stackPointer: number;
  readonly space: number;
}

/** Out of one. */
interface Exit extends Place {
  readonly kind: 'return' | 'outerReturn' | 'eventReturn' | 'taskReturn';
  readonly slot: number;
  readonly target: number;
  /** The stack pointer afterwards, as it will be restored. */
  readonly stackPointer: number;
  readonly space: number;
  readonly codeBase: number;
}

type FlowEvent = Entry | Exit;

const isExit = (event: FlowEvent): event is Exit => 'codeBase' in event;

/** Whether it is this entry that an exit belongs to, if it is the last one that can be. */
function belongs(entry: Entry, exit: Exit): boolean {
  const restores = entry.stackPointer === exit.stackPointer && entry.space === exit.space;
  switch (exit.kind) {
    case 'return':
      return entry.kind !== 'event' && entry.slot === exit.slot && entry.space === exit.space;
    case 'outerReturn':
      return entry.kind === 'farCall' && restores;
    case 'eventReturn':
      return entry.kind === 'event' && restores;
    case 'taskReturn':
      return entry.kind !== 'call' && entry.task === exit.link;
  }
}

/** Whether what was pushed has been dropped since: `call next; next: pop ebx` enters nothing. */
function isAbandoned(entry: Entry, { top }: Place): boolean {
  const dropped = top - (entry.kind === 'event' ? entry.top : entry.slot);
  return dropped > 0 && dropped < SAME_STACK_BYTES;
}

/** Reads what comes next from a machine. */
class FlowReader {
  constructor(private readonly machine: Machine) {}

  private get stackPointer(): number {
    return this.masked(this.machine.registers.get('esp'));
  }
  private masked(offset: number): number {
    return this.machine.registers.stackBits === 16 ? offset & 0xffff : offset >>> 0;
  }
  /** Linear. */
  private get top(): number {
    return (this.machine.registers.segmentBase('ss') + this.stackPointer) >>> 0;
  }
  /** Stacks of programs may have the same addresses in each address space, those of a kernel may not. */
  private spaceOf(privilege: number): number {
    return privilege === USER ? this.machine.registers.get('cr3') : 0;
  }
  private word(linear: number, bytes: number): number {
    return this.machine.peekLinear(linear >>> 0, bytes).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  get place(): Place {
    const { machine } = this;
    const { registers } = machine;
    const isNested = (registers.get('eflags') & FLAG.nt) !== 0;
    const link = isNested ? this.word(registers.segmentBase('tr'), 2) : undefined;
    return { tick: machine.tick, task: registers.get('tr'), link, top: this.top };
  }

  /** An interrupt or exception that is about to be delivered. */
  event(): Entry {
    const space = this.spaceOf(this.machine.registers.privilege);
    return { ...this.place, kind: 'event', slot: -1, target: -1, stackPointer: this.stackPointer, space };
  }

  /** The instruction that comes next, if it is one of those. */
  instruction(): FlowEvent | undefined {
    const { machine, top } = this;
    const { registers } = machine;
    const next = machine.peekInstruction();
    if (next === undefined) return undefined;
    const { mnemonic } = next;
    if (SOFTWARE_INTERRUPTS.has(mnemonic))
      return mnemonic === 'into' && (registers.get('eflags') & FLAG.of) === 0 ? undefined : this.event();
    const pc = registers.get('eip');
    const codeBase = registers.segmentBase('cs');
    const prefixed = machine.peekLinear((codeBase + pc) >>> 0, 1)[0] === 0x66;
    const wide = (registers.codeBits === 32) !== prefixed;
    const bytes = wide ? 4 : 2;
    const space = this.spaceOf(registers.privilege);
    if (CALLS.has(mnemonic)) {
      const target = wide ? (pc + next.lengthBytes) >>> 0 : (pc + next.lengthBytes) & 0xffff;
      const [kind, pushed] = mnemonic === 'call' ? (['call', bytes] as const) : (['farCall', 2 * bytes] as const);
      return { ...this.place, kind, slot: (top - pushed) >>> 0, target, stackPointer: this.stackPointer, space };
    }
    if (!RETURNS.has(mnemonic)) return undefined;
    const exit = { ...this.place, slot: top, target: this.word(top, bytes), stackPointer: -1, space, codeBase };
    if (mnemonic === 'ret') return { ...exit, kind: 'return' };
    const user = this.spaceOf(USER);
    if (mnemonic === 'sysexit') return { ...exit, kind: 'eventReturn', stackPointer: registers.get('ecx'), space: user };
    if (mnemonic === 'iret' && exit.link !== undefined) return { ...exit, kind: 'taskReturn' };
    const privilege = this.privilegeAfter(top, bytes, mnemonic);
    const isOuter = privilege > registers.privilege;
    const spaceAfter = this.spaceOf(privilege);
    if (mnemonic === 'retf') {
      if (!isOuter) return { ...exit, kind: 'return' };
      const parameterBytes = machine.peekLinear((codeBase + pc + (prefixed ? 1 : 0)) >>> 0, 3);
      const removed = parameterBytes[0] === 0xca ? (parameterBytes[1] as number) + 256 * (parameterBytes[2] as number) : 0;
      return { ...exit, kind: 'outerReturn', stackPointer: this.word(top + 2 * bytes + removed, bytes), space: spaceAfter };
    }
    const stackPointer = isOuter ? this.word(top + 3 * bytes, bytes) : this.masked(this.stackPointer + 3 * bytes);
    return { ...exit, kind: 'eventReturn', stackPointer, space: spaceAfter };
  }

  private privilegeAfter(top: number, bytes: number, mnemonic: string): number {
    const { registers } = this.machine;
    const isVirtual = (registers.get('eflags') & FLAG.vm) !== 0;
    if ((registers.get('cr0') & PROTECTED) === 0 || isVirtual) return registers.privilege;
    if (mnemonic === 'iret' && bytes === 4 && (this.word(top + 8, 4) & FLAG.vm) !== 0) return USER;
    return this.word(top + bytes, 2) & 3;
  }
}

/** Where a frame was entered. Or what has led into the middle of it, from where on one has to look for what belongs to that. */
export type Found = { readonly entryTick: number } | { readonly exit: Exit };

/** Goes along a stretch forward, and then back through what it has met. */
export class FlowTrace {
  private readonly reader: FlowReader;
  private events: FlowEvent[] = [];
  /** The entry that was dropped last, and the exit for which it was. */
  private dropped: { readonly entry: Entry; readonly exitTick: number } | undefined;
  /** The last frame that was left, as long as it is not known where it was entered. */
  private exit: Exit | undefined;
  /** In the frame in question. */
  private place: Place;

  /** The machine stands in the frame in question. */
  constructor(private readonly machine: Machine) {
    this.reader = new FlowReader(machine);
    this.place = this.reader.place;
  }

  /** What is to be met. Nothing stops there. */
  readonly conditions: readonly StopCondition[] = [
    { kind: 'instruction', mnemonics: [...CALLS, ...SOFTWARE_INTERRUPTS, ...RETURNS], when: () => this.noteInstruction() },
    { kind: 'interrupt', when: () => this.noteEvent() },
    { kind: 'exception', when: () => this.noteEvent() },
  ];

  private noteInstruction(): boolean {
    const event = this.reader.instruction();
    const last = this.events.at(-1);
    if (event === undefined) return false;
    if (isExit(event) && last !== undefined && !isExit(last) && last.task === event.task && belongs(last, event)) {
      this.events.pop();
      this.dropped = { entry: last, exitTick: event.tick };
    } else this.events.push(event);
    return false;
  }

  private noteEvent(): boolean {
    const { tick } = this.machine;
    // The instruction has faulted: it has not done what was noted of it.
    if (this.dropped?.exitTick === tick) this.events.push(this.dropped.entry);
    else if (this.events.at(-1)?.tick === tick) this.events.pop();
    this.dropped = undefined;
    this.events.push(this.reader.event());
    return false;
  }

  /** What the stretch that has been gone through tells, after those behind it; undefined: the frame was entered before. */
  take(): Found | undefined {
    const { events } = this;
    this.events = [];
    this.dropped = undefined;
    for (const event of events.reverse()) {
      const { exit } = this;
      if (exit !== undefined) {
        // Something else has used the place in between: nobody has called there.
        if (isExit(event) && exit.kind === 'return' && event.slot === exit.slot && event.space === exit.space) return this.giveUp(exit);
        if (isExit(event) || !belongs(event, exit)) continue;
        this.exit = undefined;
        this.place = event;
        continue;
      }
      const { task, link } = this.place;
      if (isExit(event)) {
        // To a task one comes back from another.
        if (event.kind === 'taskReturn' ? event.link === task : event.task === task) this.exit = event;
      } else if (event.task === task ? !isAbandoned(event, this.place) : event.task === link && event.kind !== 'call')
        return { entryTick: event.tick };
    }
    const { exit } = this;
    return exit !== undefined && exit.tick - this.machine.tick > NEAR_TICKS ? this.giveUp(exit) : undefined;
  }

  private giveUp(exit: Exit): Found {
    this.exit = undefined;
    return { exit };
  }

  /** There is nothing before what has been gone through. */
  takeLast(): Found | undefined {
    return this.exit === undefined ? undefined : this.giveUp(this.exit);
  }

  /** Met by the entry that an exit belongs to. */
  conditionsFor(exit: Exit): StopCondition[] {
    const { reader } = this;
    const isEntry = (event: FlowEvent | undefined): boolean => event !== undefined && !isExit(event) && belongs(event, exit);
    const returnsThere = (): boolean => {
      const next = reader.instruction();
      return isEntry(next) && next?.target === exit.target;
    };
    const instruction = (): boolean => isEntry(reader.instruction());
    const event = (): boolean => isEntry(reader.event());
    const distant: StopCondition[] = [
      { kind: 'instruction', mnemonics: ['call far', ...SOFTWARE_INTERRUPTS], when: instruction },
      { kind: 'interrupt', when: event },
      { kind: 'exception', when: event },
    ];
    if (exit.kind !== 'return') return distant;
    // The call stands right in front of where it returns to.
    const near = Array.from(
      { length: LONGEST_INSTRUCTION_BYTES },
      (_, distance): StopCondition => ({
        kind: 'breakpoint',
        address: (exit.codeBase + exit.target - 1 - distance) >>> 0,
        when: returnsThere,
      }),
    );
    return [...near, { kind: 'instruction', mnemonics: ['call far'], when: returnsThere }];
  }

  /** The machine stands in the frame in question now, which is another one. */
  goOnHere(): void {
    this.place = this.reader.place;
  }
}
