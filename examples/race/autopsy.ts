/**
 * From the failure back to the interrupt that did the damage: the main loop's store that overwrites a count which it has not
 * read, then the question who had written that count.
 */
import { type Assembled, disassemble } from '../../properties/index.js';
import { type MemoryAccess, Queries, type Timeline } from '../../replay/index.js';

/** What the main loop was about to do, and the handler, and what the main loop did then. */
export interface Step {
  readonly tick: number;
  /** The address as a label and a distance. */
  readonly place: string;
  readonly text: string;
  readonly where: 'main' | 'handler';
  /** `load` and `store` are the two halves of the update; at `interrupt` nothing is executed. */
  readonly mark: 'load' | 'store' | 'interrupt' | 'count' | undefined;
  /** After the step. */
  readonly eax: number;
  readonly pending: number;
}

/** An update of `pending` that was overwritten by one who did not know of it. */
export interface LostUpdate {
  /** The main loop stores what it has made of an old count. */
  readonly storeTick: number;
  /** Who last wrote `pending` before that. */
  readonly write: MemoryAccess;
}

const pendingBytes = 4;
const longestInstruction = 15;

export const address = (guest: Assembled, label: string): number => {
  const found = guest.labels.get(label);
  if (found === undefined) throw new Error(`the guest has no label "${label}"`);
  return found;
};

/** The last one before the place where the timeline stands. Leaves the timeline at the write. */
export async function lostUpdate(timeline: Timeline, guest: Assembled): Promise<LostUpdate> {
  const { machine } = timeline;
  const pending = address(guest, 'pending');
  // Back to the last store that counts down from another number than the one in memory.
  const when = (): boolean => machine.registers.get('eax') + 1 !== machine.memory.read32(pending);
  timeline.conditions = [{ kind: 'breakpoint', address: address(guest, 'main.store'), when }];
  const stop = await timeline.reverseContinue();
  timeline.conditions = [];
  if (stop.kind !== 'hit') throw new Error('every store to "pending" counts down from what it finds');

  const storeTick = timeline.tick;
  const write = await new Queries(timeline).lastWrite(pending, pendingBytes, { toTick: storeTick });
  if (write === undefined) throw new Error('nothing wrote "pending"');
  await timeline.seek(write.tick);
  return { storeTick, write };
}

/** The instructions of the update, one at a time, from its load to its store, with the interrupt in between. */
export async function stepsAround(timeline: Timeline, guest: Assembled, { storeTick, write }: LostUpdate): Promise<Step[]> {
  const { machine } = timeline;
  const [load, pending] = [address(guest, 'main.load'), address(guest, 'pending')];
  await timeline.seek(write.tick);
  await timeline.backward([{ kind: 'breakpoint', address: load }]);
  const startTick = timeline.tick;
  const accepted = new Queries(timeline).interrupts({ fromTick: startTick, toTick: storeTick, limit: storeTick - startTick + 1 });
  const interrupts = new Set(accepted.items.map(({ tick }) => tick));
  const steps: Step[] = [];
  let depth = 0;
  while (timeline.tick <= storeTick) {
    const { tick } = timeline;
    const eip = machine.registers.get('eip');
    const line = instructionAt(timeline, eip);
    await timeline.step();
    const after = { eax: machine.registers.get('eax'), pending: machine.memory.read32(pending) };
    if (interrupts.has(tick)) {
      depth++;
      steps.push({ tick, place: '', text: '', where: 'handler', mark: 'interrupt', ...after });
      continue;
    }
    const where = depth > 0 ? 'handler' : 'main';
    const mark = tick === startTick ? 'load' : tick === write.tick ? 'count' : tick === storeTick ? 'store' : undefined;
    steps.push({ tick, place: placeOf(guest, eip), text: named(guest, line), where, mark, ...after });
    if (line.startsWith('iret')) depth--;
  }
  return steps;
}

function instructionAt({ machine }: Timeline, eip: number): string {
  const bytes = new Uint8Array(longestInstruction);
  machine.memory.readBytes(eip, bytes);
  return disassemble(bytes, { bits: 32, address: eip, count: 1 })[0]?.text ?? '(bad)';
}

/** The instruction at an address, as the guest's source names it. */
export function sourceLine(timeline: Timeline, guest: Assembled, ip: number): string {
  return `${placeOf(guest, ip)}: ${named(guest, instructionAt(timeline, ip))}`;
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
