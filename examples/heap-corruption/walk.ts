/**
 * From the crash backwards: the fault, the pointer it used, the memory the pointer came from, who wrote that memory, and what
 * came in from outside to make it do so. Nothing here knows where the bug is; all it knows of the guest is the names of its
 * source, to show them.
 */
import type { Assembled } from '../../properties/index.js';
import { type InputRecord, type MemoryAccess, Queries, type Timeline } from '../../replay/index.js';

const pageFault = 14;
const pointerBytes = 4;

export interface Findings {
  /** The instruction that faulted, and the pointer that it used. */
  readonly fault: { readonly tick: number; readonly ip: number; readonly pointer: number };
  /** The instruction that loaded the pointer, and from where. */
  readonly load: { readonly tick: number; readonly ip: number; readonly address: number };
  /** The last byte of the pointer being overwritten. */
  readonly write: MemoryAccess;
  /** The beginning of the copy that did it: from where, to where, how long. */
  readonly copy: { readonly tick: number; readonly source: number; readonly target: number; readonly bytes: number };
  /** What had come in last by then. */
  readonly input: InputRecord;
}

/** @throws Error when the run does not end as the guest's does */
export async function walkBack(timeline: Timeline): Promise<Findings> {
  const { registers } = timeline.machine;
  const queries = new Queries(timeline);
  const found = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw new Error(`not found: ${what}`);
    return value;
  };

  // The page fault: in front of the instruction, with the registers that it used.
  await timeline.seek(timeline.endTick);
  const crash = await timeline.backward([{ kind: 'exception', vector: pageFault }]);
  if (crash.kind !== 'hit') throw new Error('not found: a page fault');
  const pointer = registers.get('ebx');
  const fault = { tick: timeline.tick, ip: registers.get('eip'), pointer };

  // Back until the register had another value: the instruction in front of us is the one that loads the pointer.
  while (registers.get('ebx') === pointer) await timeline.reverseStep();
  const load = { tick: timeline.tick, ip: registers.get('eip'), address: registers.get('ebx') };

  // Who wrote what it loads?
  const write = found(await queries.lastWrite(load.address, pointerBytes, { toTick: load.tick }), 'a write to the pointer');

  // It is one iteration of a REP: back to where that began.
  await timeline.seek(write.tick + 1);
  await timeline.backward([{ kind: 'breakpoint', address: write.ip }]);
  const [source, target, bytes] = (['esi', 'edi', 'ecx'] as const).map((name) => registers.get(name)) as [number, number, number];
  const input = found(queries.inputs({ toTick: timeline.tick }).items.at(-1), 'an input');
  return { fault, load, write, copy: { tick: timeline.tick, source, target, bytes }, input };
}

/** As lines for people. */
export function report({ fault, load, write, copy, input }: Findings, guest: Assembled): string[] {
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  const text = (bytes: Uint8Array): string => JSON.stringify(Buffer.from(bytes).toString('latin1'));
  const at = (tick: number): string => `tick ${tick}`.padStart(13);
  const overrun = load.address + pointerBytes - copy.target;
  const word = Buffer.alloc(pointerBytes);
  word.writeUInt32LE(fault.pointer);
  return [
    `${at(fault.tick)}  ${nameOf(guest, fault.ip)}: a page fault, through the pointer ${hex(fault.pointer)}: the text ${text(word)}`,
    `${at(load.tick)}  ${nameOf(guest, load.ip)}: the pointer is loaded from ${hex(load.address)}, ${nameOf(guest, load.address)}`,
    `${at(write.tick)}  ${nameOf(guest, write.ip)}: the last one to write there, ${text(write.valueAfter)} over ${hex(write.valueBefore[0] as number).slice(-2)}h`,
    `${at(copy.tick)}  the copy begins: ${copy.bytes} bytes from ${nameOf(guest, copy.source)} to ${nameOf(guest, copy.target)}, ${overrun} of them up to the end of the pointer`,
    `${at(input.tick)}  what had come in: ${text(input.payload)}`,
  ];
}

function nameOf(guest: Assembled, address: number): string {
  const before = [...guest.labels].filter(([, start]) => start <= address).sort(([, a], [, b]) => b - a)[0];
  if (before === undefined) return address.toString(16);
  const [label, start] = before;
  return address === start ? label : `${label}+${address - start}`;
}
