/**
 * Goes back to the interrupt that did the damage: the last one that was accepted while the main loop held a copy of
 * `pending` in a register. Every look is a replay of the trace up to a tick.
 */
import type { Machine } from '../../engine/index.js';
import { type Assembled, disassemble } from '../../properties/index.js';
import { replay } from '../../replay/index.js';
import type { Trace } from '../../traces/index.js';
import { serialVector } from './guest.js';

/** What the main loop was about to do, and the handler, and what the main loop did then. */
export interface Step {
  readonly tick: number;
  /** The address as a label and a distance. */
  readonly place: string;
  readonly text: string;
  readonly where: 'main' | 'handler';
  /** `load` and `store` are the two halves of the update; at `interrupt` nothing is executed. */
  readonly mark: 'load' | 'store' | 'interrupt' | undefined;
  /** After the step. */
  readonly eax: number;
  readonly pending: number;
}

/** Main loop instructions before the interrupt that are worth showing. */
const stepsBefore = 12;
const stepsLimit = 80;
const longestInstruction = 15;

/** The machine of the trace at a tick. */
function machineAt(trace: Trace, tick: number): Machine {
  let machine: Machine | undefined;
  const { divergence } = replay(trace, {
    to: tick,
    prepare: (made) => {
      machine = made;
    },
  });
  if (divergence !== undefined || machine?.tick !== tick) throw new Error(`the replay does not reach tick ${tick}`);
  return machine;
}

const address = (guest: Assembled, label: string): number => {
  const found = guest.labels.get(label);
  if (found === undefined) throw new Error(`the guest has no label "${label}"`);
  return found;
};

/** Tick of the interrupt between the load of `pending` and its store, looked for from the end. */
export function corruptingInterrupt(trace: Trace, guest: Assembled): { readonly tick: number; readonly looked: number } {
  const [take, store] = [address(guest, 'main.take'), address(guest, 'main.store')];
  const { ticks, vectors } = trace.interrupts;
  for (let index = ticks.length - 1; index >= 0; index--) {
    if (vectors[index] !== serialVector) continue;
    const tick = ticks[index] as number;
    const eip = machineAt(trace, tick).registers.get('eip');
    if (eip > take && eip <= store) return { tick, looked: ticks.length - index };
  }
  throw new Error('no interrupt came in the middle of the update');
}

/** The instructions around the interrupt that is accepted at `tick`, one at a time, up to the store. */
export function stepsAround(trace: Trace, guest: Assembled, tick: number): Step[] {
  const machine = machineAt(trace, tick - stepsBefore);
  const [load, store] = [address(guest, 'main.load'), address(guest, 'main.store')];
  const steps: Step[] = [];
  let depth = 0;
  let accepted = false;
  machine.onInterrupt = () => {
    accepted = true;
  };
  while (steps.length < stepsLimit) {
    const at = machine.tick;
    const eip = machine.registers.get('eip');
    const line = instructionAt(machine, eip);
    machine.run({ tick: at + 1 });
    const after = { eax: machine.registers.get('eax'), pending: machine.memory.read32(address(guest, 'pending')) };
    const where = depth > 0 ? 'handler' : 'main';
    if (accepted) {
      accepted = false;
      depth++;
      steps.push({ tick: at, place: '', text: '', where: 'handler', mark: 'interrupt', ...after });
      continue;
    }
    const mark = where === 'main' && eip === load ? 'load' : where === 'main' && eip === store ? 'store' : undefined;
    steps.push({ tick: at, place: placeOf(guest, eip), text: named(guest, line), where, mark, ...after });
    if (line.startsWith('iret')) depth--;
    if (mark === 'store' && at >= tick) break;
  }
  // From the load that belongs to the store on, with the instruction before it.
  let start = steps.findIndex(({ mark }) => mark === 'interrupt');
  while (start > 0 && steps[start]?.mark !== 'load') start--;
  return steps.slice(Math.max(0, start - 1));
}

function instructionAt(machine: Machine, eip: number): string {
  const bytes = new Uint8Array(longestInstruction);
  machine.memory.readBytes(eip, bytes);
  return disassemble(bytes, { bits: 32, address: eip, count: 1 })[0]?.text ?? '(bad)';
}

function placeOf(guest: Assembled, eip: number): string {
  let best = '';
  let distance = Number.POSITIVE_INFINITY;
  for (const [label, start] of guest.labels) {
    if (start > eip || eip - start >= distance || label.includes('.') === false) continue;
    best = label;
    distance = eip - start;
  }
  return distance === 0 ? best : `${best}+${distance}`;
}

/** Addresses of labels by their names. */
function named(guest: Assembled, text: string): string {
  return text.replace(/0x[0-9A-Fa-f]+/g, (number) => {
    for (const [label, start] of guest.labels) if (start === Number(number)) return label;
    return number;
  });
}
