/**
 * `fork`: what would have happened if. A diversion from the present place is recorded as a trace of its own, to be opened like
 * any other.
 */
import { existsSync } from 'node:fs';
import type { ChangeableRegister, Changes, ExitReason } from '../../engine/index.js';
import { grouped } from '../cli/text.js';
import type { RunEnd } from '../exit-status.js';
import { piecesOf } from '../timeline/queries/target.js';
import { type Command, valueOf } from './command.js';
import { CommandError } from './command-error.js';
import type { Session } from './session.js';

const CHANGEABLE: readonly ChangeableRegister[] = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'eflags'];
const MEMORY = /^(?:(byte|word|dword)\s*)?\[(.*)\]$/i;
const BYTES: Readonly<Record<string, number>> = { byte: 1, word: 2, dword: 4 };
/** Ticks between two looks at the signal: some 20 ms. */
const SLICE_TICKS = 2 ** 21;

export const FORK_COMMAND: Command = {
  names: ['fork'],
  operands: 'FILE [REGISTER = VALUE, [ADDRESS] = VALUE, byte [ADDRESS] = VALUE ...]',
  help: 'records into a trace of its own how it goes on from here without inputs, with these changes, as long as the recording',
  completes: 'expression',
  run: async (session, operands) => {
    const [, path, assignments = ''] = /^(\S+)\s*(.*)$/.exec(operands) ?? [];
    if (path === undefined) throw new CommandError('a file is missing: the trace to write');
    const changes = changesOf(session, assignments);
    if (existsSync(path)) throw new CommandError(`${path} exists already`);
    const { timeline } = session;
    const fork = await timeline.fork(timeline.tick, changes, path);
    const end = await toItsEnd((tick) => fork.run({ tick }), session, fork.machine);
    fork.finish(end);
    session.print(`tick ${grouped(fork.startTick)} to ${grouped(fork.machine.tick)}, ${end.kind}: see replay86 debug ${path}`);
  },
};

async function toItsEnd(run: (tick: number) => ExitReason, session: Session, machine: { readonly tick: number }): Promise<RunEnd> {
  const { endTick } = session.timeline;
  const { signal, onProgress } = session.travelOptions;
  while (machine.tick < endTick) {
    const reason = run(Math.min(endTick, machine.tick + SLICE_TICKS));
    if (reason.kind !== 'limit' && reason.kind !== 'stopped') return reason;
    onProgress?.(machine.tick, endTick);
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (signal?.aborted === true) return { kind: 'interrupted' };
  }
  return { kind: 'limit' };
}

/** @throws CommandError */
function changesOf(session: Session, text: string): Changes {
  const registers: Partial<Record<ChangeableRegister, number>> = {};
  const memory: { address: number; bytes: Uint8Array }[] = [];
  for (const assignment of text.trim() === '' ? [] : text.split(',')) {
    const [, target = '', valueText] = /^\s*(.*?)\s*=(?!=)(.*)$/.exec(assignment) ?? [];
    if (valueText === undefined) throw new CommandError(`'${assignment.trim()}' is no change, such as eax = 1 or [esp + 4] = 0`);
    const value = valueOf(session, valueText);
    const register = CHANGEABLE.find((name) => name === target.toLowerCase());
    const [, unit = 'dword', place] = MEMORY.exec(target) ?? [];
    if (register !== undefined) registers[register] = value;
    else if (place !== undefined) memory.push(...written(session, valueOf(session, place), value, BYTES[unit.toLowerCase()] as number));
    else throw new CommandError(`'${target}' cannot be changed: only ${CHANGEABLE.join(', ')} and memory`);
  }
  return { registers, memory };
}

/** By physical address, page by page. */
function written({ timeline }: Session, linear: number, value: number, bytes: number): { address: number; bytes: Uint8Array }[] {
  const all = Uint8Array.from({ length: bytes }, (_, index) => value >>> (index * 8));
  return piecesOf(linear, bytes, timeline.machine).map((piece) => {
    const first = (piece.linear ?? linear) - linear;
    return { address: piece.physical, bytes: all.subarray(first, first + piece.bytes) };
  });
}
