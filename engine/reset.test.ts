/**
 * A reset of a machine in the middle of everything leaves it as it was at power-on, but for what has no reset line (the
 * 8254, the clock and its memory), what lies on disks and what a hand holds down.
 */
import { expect, test } from 'vitest';
import { POWER_INPUT } from './board.js';
import type { DeviceState, StateValue } from './devices/device.js';
import { createMachine } from './machine.js';
import { busyMachineConfig } from './test-busy-guest.js';

const KEPT = [/^pit\./, /^rtc\.(cycle|memory)$/, /^mouse\.buttons$/, /^ata\d\.drives\.\d\.drive\.overlay\./];
/** Drives are ready so long after a reset as after power-on. */
const FROM_NOW = /^ata\d\.drives\.\d\.task\.alarmDueNs$/;

/** Leaves of a state by their path. */
function leaves(value: StateValue | undefined, path: string, into: Map<string, string>): Map<string, string> {
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    for (const [key, item] of Object.entries(value)) leaves(item as StateValue, path === '' ? key : `${path}.${key}`, into);
  } else into.set(path, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value));
  return into;
}

test.each([1, 2, 3])('busy guest %i', (seed) => {
  const machine = createMachine(busyMachineConfig(seed));
  const before = machine.save();
  for (let part = 1; part <= 5; part++) {
    machine.run({ tick: part * 5000 });
    machine.input('serial0', Uint8Array.of(65, 66));
    machine.input('keyboard', Uint8Array.of(0x1e));
    machine.input('mouse', Uint8Array.of(5, 0, 250, 255, 0, 1));
  }
  machine.run({ tick: 27_000 });
  machine.input('power', Uint8Array.of(POWER_INPUT.reset));
  machine.run({ tick: machine.tick });
  const after = machine.save();

  const fresh = leaves(before.devices as DeviceState, '', new Map());
  const reset = leaves(after.devices as DeviceState, '', new Map());
  const differing = [...new Set([...fresh.keys(), ...reset.keys()])]
    .filter((path) => !KEPT.some((kept) => kept.test(path)))
    .filter((path) => {
      if (!FROM_NOW.test(path)) return fresh.get(path) !== reset.get(path);
      return Number(reset.get(path)) - machine.nowNs !== Number(fresh.get(path));
    });
  expect(differing).toEqual([]);
  expect({ ...(after.cpu as DeviceState), tick: 0 }).toEqual(before.cpu);
});
