/**
 * Generated code as data. The opcode map is kept as the rows it is built from, so that handler numbers come from the same
 * function as in the generator; the module as base64 (RFC 4648, section 4).
 */
import type { Definition, DefinitionOptions } from '../isa/definition.js';
import { buildOpcodeMap, LEGACY_SIZES } from '../isa/opcode-map.js';
import type { EngineCode } from './generated-code.js';

/** Encoding, mnemonic, operands, name of the host semantics ('' where the meaning is in the module), options. */
type PrebuiltRow = readonly [string, string, string, string, DefinitionOptions];

/** Plain JSON. */
export interface PrebuiltCode {
  readonly rows: readonly PrebuiltRow[];
  readonly module: string;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function toPrebuilt(definitions: readonly Definition[], bytes: Uint8Array): PrebuiltCode {
  const rows = definitions.map(
    ({ encoding, mnemonic, operands, semantics, options }): PrebuiltRow => [
      encoding,
      mnemonic,
      operands,
      typeof semantics === 'string' ? semantics : '',
      options,
    ],
  );
  return { rows, module: toBase64(bytes) };
}

export function fromPrebuilt({ rows, module }: PrebuiltCode): EngineCode {
  const definitions = rows.map(([encoding, mnemonic, operands, host, options]): Definition => {
    return { encoding, mnemonic, operands, semantics: host === '' ? inModule : host, options };
  });
  return { map: buildOpcodeMap(definitions, LEGACY_SIZES), bytes: fromBase64(module) };
}

function inModule(): never {
  throw new Error('prebuilt code cannot be generated again');
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [first, second, third] = [bytes[at] as number, bytes[at + 1], bytes[at + 2]];
    const group = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    const digit = (shift: number): string => DIGITS.charAt((group >> shift) & 63);
    text += digit(18) + digit(12) + (second === undefined ? '=' : digit(6)) + (third === undefined ? '=' : digit(0));
  }
  return text;
}

function fromBase64(text: string): Uint8Array {
  const values = new Uint8Array(128);
  for (let value = 0; value < 64; value++) values[DIGITS.charCodeAt(value)] = value;
  const valueAt = (at: number): number => values[text.charCodeAt(at)] as number;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let to = 0;
  // What padding adds is written past the end of the array, where it is lost.
  for (let at = 0; at < text.length; at += 4) {
    const group = (valueAt(at) << 18) | (valueAt(at + 1) << 12) | (valueAt(at + 2) << 6) | valueAt(at + 3);
    bytes[to++] = group >> 16;
    bytes[to++] = group >> 8;
    bytes[to++] = group;
  }
  return bytes;
}
