import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommandError } from './command-error.js';
import { Symbols } from './symbols.js';
import { elfWithSymbols } from './test-debugger.js';

const elf = elfWithSymbols([
  { name: 'start', address: 0x1000, sizeBytes: 16 },
  { name: 'main', address: 0x1020 },
  { name: 'start.end', address: 0x1010, sizeBytes: 4 },
  { name: 'other_main', address: 0x1020 },
]);

test('addresses of names, names of addresses', () => {
  const symbols = new Symbols();
  expect(symbols.load(elf)).toBe(4);
  expect(symbols.count).toBe(4);
  expect(symbols.addressOf('main')).toBe(0x1020);
  expect(symbols.addressOf('other_main')).toBe(0x1020);
  expect(symbols.addressOf('nobody')).toBeUndefined();
  expect(symbols.textAt(0xfff)).toBeUndefined();
  expect(symbols.textAt(0x1000)).toBe('start');
  expect(symbols.textAt(0x100f)).toBe('start+0xf');
  expect(symbols.textAt(0x1013)).toBe('start.end+0x3');
  expect(symbols.textAt(0x1014)).toBeUndefined();
  expect(symbols.near(0x1025)).toEqual({ name: 'main', offset: 5 });
  expect(symbols.textAt(0x1020 + 0x10_0000)).toBeUndefined();
  expect(symbols.startingWith('start', 10)).toEqual(['start', 'start.end']);
});

test('of two files the first has the say about names', () => {
  const symbols = new Symbols();
  symbols.load(elf);
  symbols.load(elfWithSymbols([{ name: 'main', address: 0x9000 }]));
  expect(symbols.addressOf('main')).toBe(0x1020);
  expect(symbols.textAt(0x9001)).toBe('main+0x1');
});

test.each([
  ['nothing', new Uint8Array(0), 'it is no ELF file'],
  ['text', Buffer.from('#!/bin/sh\n'.repeat(10)), 'it is no ELF file'],
  ['64 bits', Uint8Array.from(elf, (byte, index) => (index === 4 ? 2 : byte)), 'it is no 32-bit little-endian ELF file'],
  ['cut off', elf.subarray(0, elf.length - 1), 'its section headers are damaged'],
  ['no sections', Uint8Array.from(elf, (byte, index) => (index === 48 ? 0 : byte)), 'it has no symbol table'],
])('%s', (_title, file, message) => {
  expect(() => new Symbols().load(file)).toThrow(new CommandError(message));
});

test('a damaged file is read or refused', () => {
  const damage = fc.array(fc.tuple(fc.nat(elf.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(damage, fc.nat(elf.length), (bytes, length) => {
      const file = Uint8Array.from(elf);
      for (const [at, value] of bytes) file[at] = value;
      try {
        new Symbols().load(file.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(CommandError);
      }
    }),
    { seed: 4, numRuns: 2000 },
  );
});
