/** Page tables and input logs: what they promise, judged by the engine that takes them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMachine } from '../../engine/index.js';
import { assemble } from '../assembler/index.js';
import { type InputDevice, inputLog } from './input-log.js';
import { pageTables } from './page-tables.js';

it('makes input logs that a machine takes, in order', () => {
  const image = assemble({ bits: 32, origin: 0x1000 }, (a) => (a.label('on'), a.jmp('on'))).bytes;
  const seen = new Set<string>();
  const property = fc.property(inputLog({ maximumTick: 3000 }), (log) => {
    const machine = createMachine({
      boot: { kind: 'raw', image, address: 0x1000, entry: 0x1000, mode: 'protected' },
      memoryBytes: 2 ** 20,
    });
    for (const { tick, device, payload } of log) {
      if (tick > machine.tick) machine.run({ tick });
      expect(machine.tick).toBe(tick);
      machine.input(device, payload);
      seen.add(device);
    }
  });
  fc.assert(property, { seed: 86, numRuns: 25 });
  expect([...seen].sort()).toEqual(['keyboard', 'mouse', 'serial0', 'serial1']);
});

it('keeps to the devices and the bounds asked for', () => {
  const devices: InputDevice[] = ['mouse'];
  const property = fc.property(inputLog({ devices, maximumTick: 10, maximumInputs: 3 }), (log) => {
    expect(log.length).toBeLessThanOrEqual(3);
    for (const { tick, device, payload } of log) expect([tick <= 10, device, payload.length]).toEqual([true, 'mouse', 6]);
  });
  fc.assert(property, { seed: 86, numRuns: 100 });
});

/** SDM volume 3, figure 4-2, for 4 KiB and 4 MiB pages. */
function entryOf(memory: DataView, cr3: number, linear: number): number {
  const directory = memory.getUint32(cr3 + (linear >>> 22) * 4, true);
  if ((directory & 1) === 0) return 0;
  if ((directory & 0x80) !== 0) return directory;
  return memory.getUint32((directory & ~0xfff) + ((linear >>> 12) & 0x3ff) * 4, true);
}

it('writes page tables that say what their mappings say', () => {
  const linear = [0, 0x1000, 0x3f_f000, 0x40_0000, 0xffff_f000];
  const tables = pageTables({ linear, physical: [0x1_0000, 0x1_1000], cr3: 0x2_0000 });
  const property = fc.property(tables, (made) => {
    const { mappings, cr3 } = made;
    const memory = new DataView(new ArrayBuffer(0x4_0000));
    made.write(memory);
    for (const page of linear) {
      const mapping = mappings.find((one) => one.linear === page);
      expect(entryOf(memory, cr3, page)).toBe(mapping === undefined ? 0 : mapping.physical | mapping.bits);
    }
  });
  fc.assert(property, { seed: 86, numRuns: 200 });
});
