/** The door for outside events: who may come in, and what is refused before anything has changed. */
import { describe, expect, it } from 'vitest';
import { InputError } from './devices/device.js';
import { createMachine } from './machine.js';

const boot = () =>
  createMachine({
    boot: { kind: 'raw', image: Uint8Array.of(0xeb, 0xfe), address: 0x7c00, entry: 0x7c00, mode: 'real' },
    memoryBytes: 1 << 20,
  });

describe('input', () => {
  it.each([
    ['an unknown device', 'floppy', [1], 'there is no input device "floppy"; there are serial0, serial1, keyboard, mouse, power'],
    ['a device that takes none', 'pic', [1], 'there is no input device "pic"'],
    ['a power event of two bytes', 'power', [0, 1], 'power takes one byte'],
    ['an empty power event', 'power', [], 'power takes one byte'],
    ['an unknown power event', 'power', [2], 'not 2'],
  ])('refuses %s', (_what, device, payload, message) => {
    const machine = boot();
    const before = machine.digest();
    expect(() => machine.input(device, Uint8Array.from(payload))).toThrow(InputError);
    expect(() => machine.input(device, Uint8Array.from(payload))).toThrow(message);
    expect(machine.digest()).toBe(before);
    expect(machine.run({ tick: 100 })).toEqual({ kind: 'limit' });
  });

  it.each([
    ['serial0', [65]],
    ['serial1', [65]],
    ['keyboard', [0x1e]],
  ])('reaches %s', (device, payload) => {
    const machine = boot();
    const before = machine.digest();
    machine.input(device, Uint8Array.from(payload));
    expect(machine.digest()).not.toBe(before);
  });

  it('resets: the image starts again, and time goes on', () => {
    const machine = boot();
    machine.run({ tick: 100 });
    machine.registers.set('edi', 0x1234);
    machine.input('power', Uint8Array.of(0));
    expect(machine.run({ tick: 200 })).toEqual({ kind: 'limit' });
    expect([machine.tick, machine.registers.get('edi'), machine.registers.get('eip')]).toEqual([200, 0, 0x7c00]);
  });
});

describe('a configuration', () => {
  const config = { boot: { kind: 'raw', image: Uint8Array.of(0xf4), address: 0x7c00, entry: 0x7c00, mode: 'real' } } as const;
  it.each([0, 4096, (1 << 20) - 4096, (1 << 20) + 1, 3072 * (1 << 20) + 4096, Number.NaN])('refuses %d bytes of memory', (memoryBytes) => {
    expect(() => createMachine({ ...config, memoryBytes })).toThrow('memoryBytes');
  });
  it.each([0, -1, 1.5, Number.NaN])('refuses %d ns per tick', (nsPerTick) => {
    expect(() => createMachine({ ...config, memoryBytes: 1 << 20, nsPerTick })).toThrow('nsPerTick');
  });
});
