/**
 * Changes that somebody makes to a running guest: registers and memory, set from outside. They come in through the one door,
 * as inputs of the device `debugger`, so that a run with changes is recorded and replayed like any other.
 *
 * A payload is a sequence of records: 0, register number, value (32 bits); or 1, guest-physical address (64 bits), length
 * (32 bits), bytes. All little-endian.
 */

import type { Registers } from './cpu/registers.js';
import { InputError } from './devices/device.js';
import type { PhysicalMemory } from './mmu/physical-memory.js';

export const CHANGES_DEVICE = 'debugger';

/** In the order of their numbers. */
const CHANGEABLE = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'eflags'] as const;
export type ChangeableRegister = (typeof CHANGEABLE)[number];

export interface Changes {
  readonly registers?: Readonly<Partial<Record<ChangeableRegister, number>>> | undefined;
  /** By guest-physical address. */
  readonly memory?: readonly { readonly address: number; readonly bytes: Uint8Array }[] | undefined;
}

const REGISTER = 0;
const MEMORY = 1;
const REGISTER_RECORD_BYTES = 6;
const MEMORY_HEAD_BYTES = 13;
const PAGE_BYTES = 4096;

export function encodeChanges({ registers = {}, memory = [] }: Changes): Uint8Array {
  const records: Uint8Array[] = [];
  CHANGEABLE.forEach((name, index) => {
    const value = registers[name];
    if (value === undefined) return;
    const record = new Uint8Array(REGISTER_RECORD_BYTES);
    record.set([REGISTER, index]);
    new DataView(record.buffer).setUint32(2, value >>> 0, true);
    records.push(record);
  });
  for (const { address, bytes } of memory) {
    const record = new Uint8Array(MEMORY_HEAD_BYTES + bytes.length);
    const view = new DataView(record.buffer);
    record[0] = MEMORY;
    view.setBigUint64(1, BigInt(address), true);
    view.setUint32(9, bytes.length, true);
    record.set(bytes, MEMORY_HEAD_BYTES);
    records.push(record);
  }
  const payload = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const record of records) {
    payload.set(record, at);
    at += record.length;
  }
  return payload;
}

/** @throws InputError before anything has changed */
export function applyChanges(payload: Uint8Array, registers: Registers, physical: PhysicalMemory): void {
  const actions: (() => void)[] = [];
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  for (let at = 0; at < payload.length; ) {
    const rest = payload.length - at;
    const kind = payload[at];
    if (kind === REGISTER && rest >= REGISTER_RECORD_BYTES) {
      const name = CHANGEABLE[payload[at + 1] as number];
      if (name === undefined) throw new InputError(`debugger: there is no register ${payload[at + 1]} to change`);
      const value = view.getUint32(at + 2, true);
      actions.push(() => registers.set(name, value));
      at += REGISTER_RECORD_BYTES;
    } else if (kind === MEMORY && rest >= MEMORY_HEAD_BYTES && rest - MEMORY_HEAD_BYTES >= view.getUint32(at + 9, true)) {
      const address = Number(view.getBigUint64(at + 1, true));
      const bytes = payload.subarray(at + MEMORY_HEAD_BYTES, at + MEMORY_HEAD_BYTES + view.getUint32(at + 9, true));
      requireStorage(address, bytes.length, physical);
      actions.push(() => physical.writeBytes(address, bytes));
      at += MEMORY_HEAD_BYTES + bytes.length;
    } else throw new InputError(`debugger: not a change, at byte ${at}`);
  }
  for (const action of actions) action();
}

function requireStorage(address: number, bytes: number, physical: PhysicalMemory): void {
  for (let page = Math.floor(address / PAGE_BYTES); page * PAGE_BYTES < address + bytes; page++) {
    if (physical.frameOf(page * PAGE_BYTES) < 0) throw new InputError(`debugger: no memory at 0x${(page * PAGE_BYTES).toString(16)}`);
  }
}
