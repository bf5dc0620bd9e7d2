import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandError } from './command-error.js';
import { type Names, parseExpression, splitWords } from './expression.js';

const MEMORY = new Map([
  [0x1000, 0x1234_5678],
  [0x1234_5678, 7],
]);
const REGISTERS = new Map([
  ['eax', 0x1000],
  ['ebx', 3],
  ['zf', 1],
]);
const SYMBOLS = new Map([
  ['main', 0x10_0000],
  ['a.b$1', 5],
]);
const names: Names = {
  symbol: (name) => SYMBOLS.get(name),
  register: (name) => (REGISTERS.has(name) ? () => REGISTERS.get(name) as number : undefined),
  segmentBase: (name) => (name === 'es' ? () => 0x30_0000 : undefined),
  read: (linear, bytes) => {
    const value = MEMORY.get(linear);
    return value === undefined ? undefined : bytes === 4 ? value : value & (2 ** (8 * bytes) - 1);
  },
};
const valueOf = (text: string): number => parseExpression(text, names)();

test.each([
  ['1', 1],
  ['0xFFFFffff', 0xffff_ffff],
  ['eax', 0x1000],
  ['EAX + 4', 0x1004],
  ['main+ebx*2', 0x10_0006],
  ['a.b$1', 5],
  ['2 + 3 * 4', 14],
  ['(2 + 3) * 4', 20],
  ['10 - 3 - 2', 5],
  ['0 - 1', 0xffff_ffff],
  ['-1', 0xffff_ffff],
  ['~0 & 0xff', 0xff],
  ['!zf', 0],
  ['0xffffffff + 2', 1],
  ['0x10000 * 0x10001', 0x1_0000],
  ['1 | 2 & 2', 3],
  ['1 + 1 | 4', 6],
  ['eax & 1 == 0', 1],
  ['eax == 0x1000 && ebx < 4', 1],
  ['ebx > 3 || ebx != 3', 0],
  ['3 <= ebx', 1],
  ['0xffffffff >= 0', 1],
  ['[eax]', 0x1234_5678],
  ['[[eax]] + 1', 8],
  ['byte [eax]', 0x78],
  ['word[eax]', 0x5678],
  ['es:0x10', 0x30_0010],
  ['0xf000:0xfff0', 0xf_fff0],
  ['f000 : 1', undefined],
  ['', undefined],
  ['1 +', undefined],
  ['(1', undefined],
  ['[1', undefined],
  ['1 2', undefined],
  ['0x1_0000', undefined],
  ['12ab', undefined],
  ['0x100000000', undefined],
  ['ecx', undefined],
  ['[0]', undefined],
  ['1 / 2', undefined],
  ['constructor', undefined],
  ['toString [1]', undefined],
  [`${'('.repeat(5000)}1`, undefined],
] as const)('%s', (text, value) => {
  if (value === undefined) expect(() => valueOf(text)).toThrow(CommandError);
  else expect(valueOf(text)).toBe(value);
});

describe('messages', () => {
  test.each([
    ['', 'an expression is missing'],
    ['1 + )', "')' stands where a value is expected"],
    ['1 +', 'the end stands where a value is expected'],
    ['(1', "')' is missing before the end"],
    ['1 2', "'2' is one too many"],
    ['12ab', "'12ab' is no number; hexadecimal ones begin with 0x"],
    ['0x100000000', "'0x100000000' has more than 32 bits"],
    ['nobody', "'nobody' is no register and no known symbol"],
    ['1 ? 2', "'? 2' is not part of an expression"],
    ['[eax+1]', 'no memory at 0x00001001'],
  ])('%s', (text, message) => {
    expect(() => valueOf(text)).toThrow(new CommandError(message));
  });
});

test('values of sums and products are those of 32-bit arithmetic', () => {
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      const big = BigInt.asUintN(32, BigInt(a) + BigInt(b) * BigInt(c) - (BigInt(c) | BigInt(a)));
      expect(valueOf(`${a} + ${b} * ${c} - (${c} | ${a})`)).toBe(Number(big));
    }),
    { seed: 4, numRuns: 300 },
  );
});

test('whatever is typed is a value or one line about it', () => {
  const piece = fc.constantFrom('eax', 'main', '[', ']', '(', ')', '+', '-', '*', '&&', '0x10', '7', ':', 'es', 'byte', ' ', '!', '\u00e9');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((pieces) => pieces.join('')),
        fc.string({ unit: 'grapheme' }),
      ),
      (text) => {
        try {
          const value = valueOf(text);
          expect(value >= 0 && value <= 0xffff_ffff && Number.isInteger(value)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
          expect((error as Error).message).not.toBe('');
        }
      },
    ),
    { seed: 4, numRuns: 2000 },
  );
});

test.each([
  ['esp 16', ['esp', '16']],
  ['esp + 4 16', ['esp+4', '16']],
  ['[eax + 4] rw', ['[eax+4]', 'rw']],
  ['([eax] 4) 5', ['([eax] 4)', '5']],
  ['constructor 4', ['constructor', '4']],
  ['byte [eax] 4', ['byte [eax]', '4']],
  ['  ', []],
])('words of "%s"', (text, words) => {
  expect(splitWords(text)).toEqual(words);
});
