/**
 * Expressions of the debugger: 32-bit unsigned numbers, registers, symbols, memory.
 *
 *   a || b   a && b   == != < <= > >=   |   &   + -   *   - ~ !   (a)   [a]   byte [a]   word [a]   cs:a   0xf000:a
 *
 * from what binds loosest to what binds tightest. `[a]` is the double word at a linear address. In front of a colon stands
 * a segment register, whose base is added, or the paragraph of a real-mode address.
 */
import { CommandError } from './command-error.js';

/** What expressions are about. */
export interface Names {
  /** Address of a symbol. */
  symbol(name: string): number | undefined;
  /** How to read a register, a part of one, or a flag. */
  register(name: string): (() => number) | undefined;
  /** How to read the base of a segment register. */
  segmentBase(name: string): (() => number) | undefined;
  /** Little-endian; undefined where no memory is. */
  read(linear: number, bytes: number): number | undefined;
}

/** @throws CommandError where memory that it reads is not there */
export type Expression = () => number;

type Binary = (a: number, b: number) => number;

/** From loosest to tightest; what stands in one row binds alike. */
const BINARY: readonly Readonly<Record<string, Binary>>[] = [
  { '||': (a, b) => Number(a !== 0 || b !== 0) },
  { '&&': (a, b) => Number(a !== 0 && b !== 0) },
  {
    '==': (a, b) => Number(a === b),
    '!=': (a, b) => Number(a !== b),
    '<=': (a, b) => Number(a <= b),
    '>=': (a, b) => Number(a >= b),
    '<': (a, b) => Number(a < b),
    '>': (a, b) => Number(a > b),
  },
  { '|': (a, b) => a | b },
  { '&': (a, b) => a & b },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': Math.imul },
];

const UNARY: Readonly<Record<string, (a: number) => number>> = {
  '-': (a) => -a,
  '~': (a) => ~a,
  '!': (a) => Number(a === 0),
};

const READ_BYTES: Readonly<Record<string, number>> = { byte: 1, word: 2, dword: 4 };
const PARAGRAPH_BYTES = 16;
const NUMBER_MAX = 0xffff_ffff;
/** Expressions are typed by people: so deep nobody means it. */
const DEPTH_LIMIT = 200;

const TOKEN = /\s*(?:(0x[0-9a-f]+|\d[\w]*)|([a-z_.$][\w.$@]*)|(\|\||&&|==|!=|<=|>=|[-+*&|<>()[\]:~!]))/iy;

interface Token {
  readonly kind: 'number' | 'name' | 'operator' | 'end';
  readonly text: string;
}

/** @throws CommandError */
export function parseExpression(text: string, names: Names): Expression {
  return new Parser(tokensOf(text), names).whole();
}

/** The words of a line, each an expression at most: blanks in brackets and beside operators separate nothing. */
export function splitWords(text: string): string[] {
  const joined = text.trim().replace(/\s*(\|\||&&|==|!=|<=|>=|[-+*&|<>:])\s*/g, '$1');
  const words: string[] = [];
  let depth = 0;
  let word = '';
  for (const character of joined) {
    if ('(['.includes(character)) depth++;
    if (')]'.includes(character)) depth--;
    if (/\s/.test(character) && depth <= 0 && !Object.hasOwn(READ_BYTES, word.toLowerCase())) {
      if (word !== '') words.push(word);
      word = '';
    } else word += character;
  }
  if (word !== '') words.push(word);
  return words;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new CommandError(`'${text.slice(at).trim()}' is not part of an expression`);
    const [, number, name, operator] = match;
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else tokens.push({ kind: 'operator', text: operator as string });
  }
  return tokens;
}

class Parser {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly names: Names,
  ) {}

  whole(): Expression {
    if (this.tokens.length === 0) throw new CommandError('an expression is missing');
    const expression = this.binary(0);
    const { kind, text } = this.next;
    if (kind !== 'end') throw new CommandError(`'${text}' is one too many`);
    return expression;
  }

  private get next(): Token {
    return this.tokens[this.at] ?? { kind: 'end', text: 'the end' };
  }

  private accept(text: string): boolean {
    if (this.next.kind !== 'operator' || this.next.text !== text) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw new CommandError(`'${text}' is missing before ${quoted(this.next)}`);
  }

  private binary(level: number): Expression {
    const row = BINARY[level];
    if (row === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const { kind, text } = this.next;
      const operation = kind === 'operator' && Object.hasOwn(row, text) ? row[text] : undefined;
      if (operation === undefined) return left;
      this.at++;
      const [a, b] = [left, this.binary(level + 1)];
      left = () => operation(a(), b()) >>> 0;
    }
  }

  private unary(): Expression {
    if (++this.depth > DEPTH_LIMIT) throw new CommandError('the expression is nested too deeply');
    try {
      const { kind, text } = this.next;
      const operation = kind === 'operator' && Object.hasOwn(UNARY, text) ? UNARY[text] : undefined;
      if (operation === undefined) return this.farAddress();
      this.at++;
      const operand = this.unary();
      return () => operation(operand()) >>> 0;
    } finally {
      this.depth--;
    }
  }

  private farAddress(): Expression {
    const { kind, text } = this.next;
    const isSegment = kind === 'name' && this.tokens[this.at + 1]?.text === ':';
    const base = isSegment ? this.names.segmentBase(text.toLowerCase()) : undefined;
    if (base !== undefined) {
      this.at += 2;
      const offset = this.operand();
      return () => (base() + offset()) >>> 0;
    }
    const first = this.operand();
    if (!this.accept(':')) return first;
    const offset = this.operand();
    return () => (first() * PARAGRAPH_BYTES + offset()) >>> 0;
  }

  private operand(): Expression {
    const token = this.next;
    this.at++;
    if (token.kind === 'number') {
      const value = numberOf(token.text);
      return () => value;
    }
    if (token.kind === 'name') return this.named(token.text);
    if (token.text === '(') {
      const inner = this.binary(0);
      this.expect(')');
      return inner;
    }
    if (token.text === '[') return this.memory(4);
    throw new CommandError(`${quoted(token)} stands where a value is expected`);
  }

  private named(name: string): Expression {
    const lower = name.toLowerCase();
    const bytes = Object.hasOwn(READ_BYTES, lower) ? READ_BYTES[lower] : undefined;
    if (bytes !== undefined && this.accept('[')) return this.memory(bytes);
    const register = this.names.register(lower);
    if (register !== undefined) return register;
    const address = this.names.symbol(name);
    if (address === undefined) throw new CommandError(`'${name}' is no register and no known symbol`);
    return () => address;
  }

  /** Behind the opening bracket. */
  private memory(bytes: number): Expression {
    const address = this.binary(0);
    this.expect(']');
    return () => {
      const linear = address();
      const value = this.names.read(linear, bytes);
      if (value === undefined) throw new CommandError(`no memory at 0x${linear.toString(16).padStart(8, '0')}`);
      return value;
    };
  }
}

function quoted({ kind, text }: Token): string {
  return kind === 'end' ? text : `'${text}'`;
}

function numberOf(text: string): number {
  const value = /^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new CommandError(`'${text}' is no number; hexadecimal ones begin with 0x`);
  if (value > NUMBER_MAX) throw new CommandError(`'${text}' has more than 32 bits`);
  return value;
}
