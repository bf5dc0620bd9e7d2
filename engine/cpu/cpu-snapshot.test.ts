/** What a snapshot says of the processor comes back with it, field by field. */
import { expect, test } from 'vitest';
import type { DeviceState, StateValue } from '../devices/device.js';
import { createMachine, type Machine } from '../machine.js';

const CELL_BYTES = {
  registers: 128,
  eip: 8,
  cpl: 4,
  control: 40,
  debug: 64,
  efer: 8,
  pageDirectoryPointers: 32,
  x87Registers: 128,
  x87Control: 4,
  x87Status: 4,
  x87Top: 4,
  x87Empty: 4,
  xmm: 256,
  mxcsr: 4,
} as const;

/** STI, HLT. */
const machineAt = (tick: number): Machine => {
  const machine = createMachine({
    boot: { kind: 'raw', image: Uint8Array.of(0xfb, 0xf4), address: 0x7c00, entry: 0x7c00, mode: 'real' },
    memoryBytes: 1 << 20,
  });
  machine.run({ tick });
  return machine;
};
const cellsOf = (state: DeviceState): Record<string, StateValue> => (state.cpu as DeviceState).cells as DeviceState;

test('registers of any contents', () => {
  const state = machineAt(0).save();
  const cells = cellsOf(state);
  for (const [name, bytes] of Object.entries(CELL_BYTES)) expect([name, (cells[name] as Uint8Array).length]).toEqual([name, bytes]);
  for (const name of ['registers', 'debug', 'x87Registers', 'xmm']) {
    cells[name] = Uint8Array.from({ length: (cells[name] as Uint8Array).length }, (_, i) => (i * 37 + name.length) & 0xff);
  }
  const other = machineAt(2);
  other.restore(state);
  expect(cellsOf(other.save())).toEqual(cells);
});

test('the instruction behind STI still shuts interrupts out', () => {
  const machine = machineAt(1);
  expect((machine.save().cpu as DeviceState).interruptsInhibited).toBe(true);
  const other = machineAt(0);
  other.restore(machine.save());
  expect((other.save().cpu as DeviceState).interruptsInhibited).toBe(true);
  expect(other.digest()).toBe(machine.digest());
});

test('time that passed in HLT', () => {
  const state = machineAt(1).save();
  state.skippedNs = 1_000_000;
  const other = machineAt(0);
  other.restore(state);
  expect(other.nowNs).toBe(1_000_002);
  expect(other.save().skippedNs).toBe(1_000_000);
});
