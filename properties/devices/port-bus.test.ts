/**
 * The port space against a table of who owns which port: wide accesses go to an owner of all of their ports that knows
 * them, or fall apart into bytes; nobody answers with ones.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PortHandler } from '../../engine/devices/device.js';
import { PortBus } from '../../engine/devices/port-bus.js';
import { assertProperty } from '../testing/property-seed.js';
import type { Size } from './device-model.js';

/** Few ports, so that ranges meet; the last ones of all. */
const FIRST = 0xffd0;
const port = fc.integer({ min: FIRST, max: 0xffff });
const size = fc.constantFrom<Size>(1, 2, 4);
const operation = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('claim' as const), port, count: fc.integer({ min: 1, max: 12 }), byteWide: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), port, count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), port, size }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('write' as const), port, size, value: fc.integer({ min: 0, max: 0xffffffff }) }) },
);

interface Owner extends PortHandler {
  readonly number: number;
}

/** What an owner gives for an access: different for each owner, port and size. */
const answerOf = (owner: number, at: number, bytes: number): number =>
  Number((BigInt(owner * 31 + at * 7 + bytes) * 2654435761n) % BigInt(256 ** bytes));

it('brings every access to the owner of its ports', () => {
  assertProperty(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
      const bus = new PortBus();
      const table = new Map<number, Owner>();
      let seen: string[] = [];
      let expected: string[] = [];
      bus.onUnclaimed = (access) => seen.push(`nobody ${access.port} ${access.size} ${access.write} ${access.value ?? ''}`);
      const inModel = (first: number, bytes: Size, written?: number): number => {
        const owner = table.get(first);
        const sole = Array.from({ length: bytes }, (_, i) => table.get(first + i)).every((other) => other === owner);
        if (sole && owner === undefined) {
          expected.push(`nobody ${first} ${bytes} ${written !== undefined} ${written ?? ''}`);
          return 256 ** bytes - 1;
        }
        if (sole && owner !== undefined && (bytes === 1 || owner.byteWide !== true)) {
          expected.push(`${owner.number} ${first} ${bytes} ${written ?? ''}`);
          return answerOf(owner.number, first, bytes);
        }
        let value = 0;
        for (let i = 0; i < bytes; i++) {
          const byte = written === undefined ? undefined : Math.floor(written / 256 ** i) % 256;
          value += inModel(first + i, 1, byte) * 256 ** i;
        }
        return value;
      };
      operations.forEach((step, index) => {
        if (step.do === 'claim' || step.do === 'release') {
          const ports = Array.from({ length: step.count }, (_, i) => step.port + i);
          const possible = ports.every((at) => at <= 0xffff && table.has(at) === (step.do === 'release'));
          const owner: Owner = {
            number: index,
            byteWide: step.do === 'claim' && step.byteWide,
            read: (at, bytes) => {
              seen.push(`${index} ${at} ${bytes} `);
              return answerOf(index, at, bytes);
            },
            write: (at, bytes, value) => seen.push(`${index} ${at} ${bytes} ${value}`),
          };
          const change = (): void => (step.do === 'claim' ? bus.claim(step.port, step.count, owner) : bus.release(step.port, step.count));
          if (!possible) return expect(change).toThrow();
          change();
          for (const at of ports) step.do === 'claim' ? table.set(at, owner) : table.delete(at);
          return;
        }
        if (step.do === 'read') expect(bus.read(step.port, step.size)).toBe(inModel(step.port, step.size));
        else {
          const value = step.value % 256 ** step.size;
          bus.write(step.port, step.size, value);
          inModel(step.port, step.size, value);
        }
        expect(seen).toEqual(expected);
        seen = [];
        expected = [];
      });
    }),
    { numRuns: 150 },
  );
});
