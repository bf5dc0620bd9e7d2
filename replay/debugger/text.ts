/** Numbers as the debugger shows them: so that they can be typed in again. */
import { bytesText } from '../bytes-text.js';

export const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** What one access reads or writes: a little-endian number, or bytes where there are more than fit in one. */
export const valueText = (bytes: Uint8Array): string => (bytes.length > 4 ? bytesText(bytes) : hex(littleEndian(bytes), bytes.length * 2));

export const littleEndian = (bytes: Uint8Array): number => bytes.reduceRight((value, byte) => value * 256 + byte, 0);

/** Seconds to the nanosecond. */
export const secondsText = (ns: number): string => `${Math.floor(ns / 1e9)}.${String(ns % 1e9).padStart(9, '0')} s`;

/** Latin-1 with what no terminal should get as escapes. */
export const printable = (text: string): string =>
  text.replace(/[^\x20-\x7e\xa0-\xff]/g, (character) => {
    const known = ESCAPES[character];
    return known ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });

const ESCAPES: Readonly<Record<string, string>> = { '\t': '\\t', '\r': '\\r', '\n': '\\n', '\x1b': '\\e' };
