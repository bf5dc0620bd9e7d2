/**
 * What a timeline must find, found by brute force: a machine goes through a window of a run one tick at a time, and everything that happens in each step is written down.
 */
import type { Machine } from '../../engine/index.js';
import { isRepeat, linearOf } from '../../engine/test-observed-guest.js';
import { CONSOLE_SOURCES, type ConsoleSource } from './console-log.js';
import { Playback, type TimelineEvents } from './playback.js';
import type { StopCondition } from './stops.js';

export interface Access {
  readonly address: number;
  readonly bytes: number;
  readonly write: boolean;
}

/** From one tick at which the machine stands to the next. */
export interface Step {
  readonly tick: number;
  readonly nextTick: number;
  /** Linear address of the instruction that is executed; of a REP only with its first iteration. */
  readonly executed: number | undefined;
  readonly accesses: readonly Access[];
  readonly ports: readonly (Access & { readonly value: number })[];
  readonly interrupts: readonly number[];
  readonly exceptions: readonly number[];
  /** CR0, CR3, CR4, and what makes up the mode: before and after. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Lines as they stand after each byte of output. */
  readonly output: readonly { readonly source: ConsoleSource; readonly line: string }[];
  /** Linear EIP and ESP before it, and the bytes there. */
  readonly linear: number;
  readonly esp: number;
  readonly code: Uint8Array;
}

function modeOf({ registers }: Machine): number[] {
  const mode = [registers.get('cr0') & 1, (registers.get('eflags') >>> 17) & 1, registers.codeBits, registers.privilege];
  return [registers.get('cr0'), registers.get('cr3'), registers.get('cr4'), Number.parseInt(mode.join(''), 10)];
}

/** Steps from the first tick at or behind `fromTick` up to `toTick`. The machine is fresh. */
export function scan(machine: Machine, events: TimelineEvents, fromTick: number, toTick: number): Step[] {
  const playback = new Playback(machine, events);
  const lines: Record<ConsoleSource, string> = { serial0: '', serial1: '', debug: '' };
  let output: { source: ConsoleSource; line: string }[] = [];
  const sent = (source: ConsoleSource, byte: number): void => {
    if (lines[source].endsWith('\n')) lines[source] = '';
    lines[source] += String.fromCharCode(byte);
    output.push({ source, line: lines[source] });
  };
  machine.onSerial = (port, byte) => sent(CONSOLE_SOURCES[port] as ConsoleSource, byte);
  machine.onDebugConsole = (byte) => sent('debug', byte);
  playback.advanceTo(Math.max(0, fromTick - 1));
  let repeating = false;
  const steps: Step[] = [];
  let [accesses, ports, interrupts, exceptions]: [Access[], (Access & { value: number })[], number[], number[]] = [[], [], [], []];
  machine.setWatches([{ address: 0, bytes: 0x1_0000_0000, reads: true, writes: true }]);
  machine.onAccess = ({ address, bytes, write }) => accesses.push({ address, bytes, write });
  machine.onPort = ({ port, bytes, write, value }) => ports.push({ address: port, bytes, write, value });
  machine.onException = ({ vector }) => exceptions.push(vector);
  playback.onInterrupt = (_tick, vector) => interrupts.push(vector);
  while (machine.tick < Math.min(toTick, events.coveredTo.tick)) {
    const { tick, halted } = machine;
    const linear = linearOf(machine);
    const code = machine.peekLinear(linear, 15);
    const before = modeOf(machine);
    const esp = machine.registers.get('esp');
    [accesses, ports, interrupts, exceptions, output] = [[], [], [], [], []];
    playback.advanceTo(tick + 1, true);
    const executed = halted || interrupts.length > 0 || repeating ? undefined : linear;
    if (tick >= fromTick)
      steps.push({
        tick,
        nextTick: machine.tick,
        executed,
        accesses,
        ports,
        interrupts,
        exceptions,
        before,
        after: modeOf(machine),
        output,
        linear,
        esp,
        code,
      });
    repeating = !halted && interrupts.length + exceptions.length === 0 && linearOf(machine) === linear && isRepeat(code);
  }
  return steps;
}

const overlaps = (address: number, bytes: number, other: Access): boolean =>
  other.address < address + bytes && address < other.address + other.bytes;
const wanted = (access: 'read' | 'write' | 'access', { write }: Access): boolean => access === 'access' || (access === 'write') === write;

/** Whether a step meets a condition. */
export function meets(step: Step, condition: StopCondition): boolean {
  switch (condition.kind) {
    case 'breakpoint':
      return step.executed === condition.address;
    case 'watchpoint':
      return step.accesses.some((access) => wanted(condition.access, access) && overlaps(condition.address, condition.bytes, access));
    case 'port':
      return step.ports.some((access) => wanted(condition.access, access) && overlaps(condition.port, condition.ports ?? 1, access));
    case 'interrupt':
      return step.interrupts.some((vector) => (condition.vector ?? vector) === vector);
    case 'exception':
      return step.exceptions.some((vector) => (condition.vector ?? vector) === vector);
    case 'control': {
      const index = ['cr0', 'cr3', 'cr4'].indexOf(condition.register);
      return step.before[index] !== step.after[index];
    }
    case 'mode':
      return step.before[3] !== step.after[3];
    case 'console':
      return step.output.some(({ source, line }) => {
        return source === condition.source && condition.pattern.test(line) && !condition.pattern.test(line.slice(0, -1));
      });
    case 'instruction':
      throw new Error('the scan does not decode instructions');
  }
}
