/** The digest: XXH64 as hash-wasm has it, canonical bytes of plain state, and a machine's digest as a function of its state. */
/// <reference path="../wasm/webassembly.d.ts" />
import * as fc from 'fast-check';
import { createXXHash64 } from 'hash-wasm';
import { describe, expect, it } from 'vitest';
import type { StateValue } from '../devices/device.js';
import { createMachine } from '../machine.js';
import { ModuleBuilder } from '../wasm/module-builder.js';
import type { DigestFunctions } from './machine-digest.js';
import { ByteSink, encodeState } from './state-encoding.js';
import { addDigestFunctions } from './xxh64.js';

const RUNS = { seed: 20261122, numRuns: 200 };

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const bytes = new Uint8Array(memory.buffer);
const module = new ModuleBuilder({ module: 'test', field: 'memory', pages: 1 });
addDigestFunctions(module);
const { xxh64, isZero } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { test: { memory } })
  .exports as unknown as DigestFunctions;

describe('xxh64', () => {
  it('agrees with hash-wasm for any length, seed and alignment', async () => {
    const reference = await createXXHash64();
    const judge = async (data: Uint8Array, at: number, seed: bigint): Promise<void> => {
      bytes.fill(0xee);
      bytes.set(data, at);
      const low = Number(seed & 0xffff_ffffn);
      const judged = await createXXHash64(low, Number(seed >> 32n));
      expect(
        BigInt.asUintN(64, xxh64(at, data.length, seed))
          .toString(16)
          .padStart(16, '0'),
      ).toBe(judged.init().update(data).digest());
    };
    expect(reference.init().update('').digest()).toBe('ef46db3751d8e999');
    for (let length = 0; length <= 100; length++)
      await judge(
        Uint8Array.from({ length }, (_, i) => i * 7 + length),
        length % 8,
        0n,
      );
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 0, max: 20 }),
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        judge,
      ),
      RUNS,
    );
  });
});

describe('isZero', () => {
  it('sees every byte of what it is asked about, and no other', () => {
    bytes.fill(0);
    bytes[1023] = 1;
    bytes[1024 + 4096] = 1;
    expect(isZero(1024, 4096)).toBe(1);
    for (const at of [0, 1, 63, 64, 2047, 4095]) {
      bytes[1024 + at] = 0x80;
      expect(isZero(1024, 4096)).toBe(0);
      bytes[1024 + at] = 0;
    }
    expect(isZero(1024, 4096)).toBe(1);
  });
});

/** The bytes of a value through a window of a given size. */
function encoded(value: StateValue, windowBytes = 64): string {
  const window = new Uint8Array(windowBytes);
  const out: number[] = [];
  const sink = new ByteSink(window, (length) => out.push(...window.subarray(0, length)));
  encodeState(value, sink);
  sink.flush();
  return Buffer.from(out).toString('hex');
}

const STATE = fc.letrec<{ value: StateValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    fc.string({ maxLength: 10 }),
    fc.uint8Array({ maxLength: 100 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 4 }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

/** Two values are one state: as toEqual says, but for the sign of zero. */
const reordered = (value: StateValue): StateValue => {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(reordered);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reordered(item as StateValue)]),
  );
};

describe('the encoding of state', () => {
  it('does not depend on the order of keys, nor on the sign of zero', () => {
    fc.assert(
      fc.property(STATE, (value) => {
        expect(encoded(reordered(value))).toBe(encoded(value));
      }),
      RUNS,
    );
    expect(encoded(-0)).toBe(encoded(0));
  });

  it('tells different values apart', () => {
    const different: StateValue[] = [
      null,
      false,
      true,
      0,
      1,
      0n,
      1n,
      '',
      '0',
      'a',
      new Uint8Array(0),
      Uint8Array.of(0),
      [],
      [0],
      [[]],
      [0, 0],
      {},
      { a: 0 },
      { b: 0 },
      { a: [] },
    ];
    expect(new Set(different.map((value) => encoded(value))).size).toBe(different.length);
  });

  it('loses nothing at the end of the window', () => {
    const value: StateValue = { name: 'a device', bytes: Uint8Array.from({ length: 200 }, (_, i) => i), list: [1, 2n, true] };
    // Only a 64-bit word may move to the next window as a whole: the bytes stay the same.
    expect(encoded(value, 16)).toBe(encoded(value, 4096));
  });

  it('refuses NaN', () => {
    expect(() => encoded({ x: Number.NaN })).toThrow('NaN');
  });
});

describe('a machine', () => {
  const boot = () =>
    createMachine({
      boot: { kind: 'raw', image: Uint8Array.of(0x40, 0xeb, 0xfd), address: 0x7c00, entry: 0x7c00, mode: 'real' },
      memoryBytes: 1 << 20,
    });

  it('has another digest after any change, and the old one when it is undone', () => {
    const machine = boot();
    machine.run({ tick: 1000 });
    const before = machine.digest();
    expect(machine.digest()).toBe(before);
    const other = new Set([before]);
    for (const address of [0, 0x5000, 0xf_fffc]) {
      machine.memory.write32(address, 1);
      other.add(machine.digest());
      machine.memory.write32(address, 0);
      expect(machine.digest()).toBe(before);
    }
    // The same contents in another frame.
    for (const address of [0x6000, 0x7000]) {
      machine.memory.write32(address, 1);
      other.add(machine.digest());
      machine.memory.write32(address, 0);
    }
    machine.registers.set('edi', 1);
    other.add(machine.digest());
    machine.registers.set('edi', 0);
    expect(machine.digest()).toBe(before);
    machine.input('keyboard', Uint8Array.of(0x1e));
    other.add(machine.digest());
    expect(other.size).toBe(8);
  });

  it('has the digest of its snapshot', () => {
    const machine = boot();
    machine.run({ tick: 12345 });
    const copy = boot();
    copy.restore(machine.save());
    expect(copy.digest()).toBe(machine.digest());
    machine.run({ tick: 20000 });
    copy.run({ tick: 20000 });
    expect(copy.digest()).toBe(machine.digest());
  });
});
