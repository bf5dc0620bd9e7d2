/**
 * Memory as text: `x/16xw ADDRESS`, with gdb's count, format and size.
 */
import { bytesText } from '../bytes-text.js';
import { CommandError } from './command-error.js';
import type { GuestView } from './guest-view.js';
import { hex, littleEndian, printable } from './text.js';

export interface MemoryFormat {
  readonly count: number;
  readonly kind: 'x' | 'd' | 'u' | 'c' | 'a' | 's' | 'i';
  readonly unitBytes: 1 | 2 | 4;
}

const UNIT_BYTES: Readonly<Record<string, 1 | 2 | 4>> = { b: 1, h: 2, w: 4 };
const COUNT_LIMIT = 65536;
const LINE_BYTES = 16;
const STRING_LIMIT_BYTES = 1024;
const FORMAT = /^(\d*)([a-z]*)$/;

/** What stands behind the slash. @throws CommandError */
export function parseMemoryFormat(text: string): MemoryFormat {
  const wrong = (): never => {
    throw new CommandError(`'/${text}' is no format: a count, one of x d u c a s i, and one of b h w, such as /16xb`);
  };
  const match = FORMAT.exec(text) ?? wrong();
  const letters = [...(match[2] as string)];
  const kinds = letters.filter((letter) => 'xducasi'.includes(letter));
  const units = letters.filter((letter) => Object.hasOwn(UNIT_BYTES, letter));
  if (kinds.length > 1 || units.length > 1 || kinds.length + units.length < letters.length) wrong();
  const count = match[1] === '' ? 1 : Number(match[1]);
  if (!(count >= 1 && count <= COUNT_LIMIT)) throw new CommandError(`a count goes from 1 to ${COUNT_LIMIT}`);
  const kind = (kinds[0] ?? 'x') as MemoryFormat['kind'];
  const unitBytes = UNIT_BYTES[units[0] ?? (kind === 'c' ? 'b' : 'w')] as 1 | 2 | 4;
  return { count, kind, unitBytes: kind === 'a' ? 4 : unitBytes };
}

export interface MemoryText {
  readonly lines: readonly string[];
  /** What comes behind what was shown. */
  readonly nextAddress: number;
}

/** @throws CommandError where there is no memory at all */
export function memoryText(view: GuestView, address: number, format: MemoryFormat, physical: boolean): MemoryText {
  const peek = (at: number, bytes: number): Uint8Array =>
    physical ? view.machine.peekPhysical(at, bytes) : view.machine.peekLinear(at, bytes);
  if (peek(address, 1).length === 0) throw new CommandError(`no memory at ${physical ? 'physical ' : ''}${hex(address)}`);
  if (format.kind === 's') return strings(peek, address, format.count);
  if (format.kind === 'i') {
    if (physical) throw new CommandError('instructions are shown at linear addresses: x/i');
    const shown = view.instructions(address, format.count);
    const nextAddress = shown.reduce((at, { bytes }) => at + bytes.length, address);
    return { lines: shown.map((line) => `${view.addressText(line.linear)}: ${line.text}`), nextAddress };
  }
  const { count, unitBytes } = format;
  const bytes = peek(address, count * unitBytes);
  const lines: string[] = [];
  const perLine = Math.max(1, LINE_BYTES / unitBytes / (format.kind === 'a' ? LINE_BYTES : 1));
  const complete = Math.floor(bytes.length / unitBytes);
  for (let first = 0; first < complete; first += perLine) {
    const units = Array.from({ length: Math.min(perLine, complete - first) }, (_, index) =>
      bytes.subarray((first + index) * unitBytes, (first + index + 1) * unitBytes),
    );
    const at = address + first * unitBytes;
    const label = physical ? hex(at) : view.addressText(at);
    lines.push(`${label}: ${units.map((unit) => unitText(view, unit, format.kind)).join(' ')}${asText(units, format)}`);
  }
  if (complete < count) lines.push(`no memory at ${hex(address + bytes.length)}`);
  return { lines, nextAddress: address + complete * unitBytes };
}

function unitText(view: GuestView, unit: Uint8Array, kind: MemoryFormat['kind']): string {
  const value = littleEndian(unit);
  const bits = unit.length * 8;
  switch (kind) {
    case 'd':
      return String(value >= 2 ** (bits - 1) ? value - 2 ** bits : value);
    case 'u':
      return String(value);
    case 'c':
      return `'${printable(String.fromCharCode(value & 0xff))}'`;
    case 'a':
      return view.addressText(value);
    default:
      return unit.length === 1 ? bytesText(unit) : hex(value, unit.length * 2);
  }
}

/** Bytes are shown as characters, too. */
function asText(units: readonly Uint8Array[], { kind, unitBytes }: MemoryFormat): string {
  if (kind !== 'x' || unitBytes !== 1) return '';
  const characters = units.map(([byte = 0]) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
  return `${'   '.repeat(LINE_BYTES - units.length)}  ${characters.join('')}`;
}

function strings(peek: (at: number, bytes: number) => Uint8Array, address: number, count: number): MemoryText {
  const lines: string[] = [];
  let at = address;
  for (let index = 0; index < count; index++) {
    const bytes = peek(at, STRING_LIMIT_BYTES);
    if (bytes.length === 0) break;
    const end = bytes.indexOf(0);
    const text = bytes.subarray(0, end < 0 ? bytes.length : end);
    lines.push(`${hex(at)}: "${printable(Buffer.from(text).toString('latin1'))}"${end < 0 ? '...' : ''}`);
    at += text.length + (end < 0 ? 0 : 1);
  }
  return { lines, nextAddress: at };
}
