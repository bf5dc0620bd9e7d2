/**
 * A small assembler for ACPI machine language: as much as the tables of this machine need (ACPI 2.0, chapter 17:
 * encoding; 6.4: resource descriptors).
 */

export type Aml = readonly number[];

/** Integers in their shortest encoding (17.2.3). */
export function integer(value: number): Aml {
  if (value === 0) return [0x00];
  if (value === 1) return [0x01];
  if (value <= 0xff) return [0x0a, value];
  if (value <= 0xffff) return [0x0b, value & 0xff, value >>> 8];
  return [0x0c, ...little(value, 4)];
}

export function little(value: number, sizeBytes: number): number[] {
  return Array.from({ length: sizeBytes }, (_, index) => Math.floor(value / 256 ** index) & 0xff);
}

const characters = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** A name of up to four characters, padded with underscores; a backslash in front means the root (17.2.2). */
function nameString(name: string): Aml {
  const root = name.startsWith('\\');
  const segment = (root ? name.slice(1) : name).padEnd(4, '_');
  if (!/^[A-Z_][A-Z0-9_]{3}$/.test(segment)) throw new Error(`aml: ${name} is no name`);
  return [...(root ? [0x5c] : []), ...characters(segment)];
}

/** The length that counts itself (17.2.4). */
function withLength(content: Aml): Aml {
  const total = (size: number): number => content.length + size;
  if (total(1) < 0x40) return [total(1), ...content];
  const length = total(2);
  if (length >= 0x1000) throw new Error('aml: a package of 4 KiB or more');
  return [0x40 | (length & 0x0f), length >>> 4, ...content];
}

export const name = (label: string, value: Aml): Aml => [0x08, ...nameString(label), ...value];
export const scope = (label: string, ...content: Aml[]): Aml => [0x10, ...withLength([...nameString(label), ...content.flat()])];
export const device = (label: string, ...content: Aml[]): Aml => [0x5b, 0x82, ...withLength([...nameString(label), ...content.flat()])];
export const pack = (...elements: Aml[]): Aml => [0x12, ...withLength([elements.length, ...elements.flat()])];
export const buffer = (bytes: Aml): Aml => [0x11, ...withLength([...integer(bytes.length), ...bytes])];

/** A compressed EISA identifier: three letters in five bits each, four hexadecimal digits, big-endian (ASL EISAID). */
export function eisaId(text: string): Aml {
  if (!/^[A-Z]{3}[0-9A-F]{4}$/.test(text)) throw new Error(`aml: ${text} is no EISA identifier`);
  const letters = characters(text.slice(0, 3)).reduce((value, character) => value * 32 + (character - 0x40), 0);
  const digits = Number.parseInt(text.slice(3), 16);
  return [0x0c, letters >>> 8, letters & 0xff, digits >>> 8, digits & 0xff];
}

/** A resource template: descriptors, end tag, checksum zero for "not computed" (6.4.2.8). */
export const resources = (...descriptors: Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0x00]);

/** Fixed ports, all 16 address lines decoded (6.4.2.5). */
export const ports = (first: number, count: number): Aml => [0x47, 0x01, ...little(first, 2), ...little(first, 2), 0x01, count];
/** One ISA interrupt: edge, active high (6.4.2.1). */
export const irq = (line: number): Aml => [0x22, ...little(2 ** line, 2)];
/** One ISA DMA channel: byte transfers, not a bus master (6.4.2.2). */
export const dma = (channel: number): Aml => [0x2a, 2 ** channel, 0x00];

export const RESOURCE = { memory: 0, io: 1, busNumber: 2 } as const;
/** A range the bridge passes on to its secondary side: fixed, positively decoded, producer (6.4.3.5). */
export function addressRange(sizeBytes: 2 | 4, type: number, typeFlags: number, first: number, last: number): Aml {
  const tag = sizeBytes === 2 ? 0x88 : 0x87;
  const body = [type, 0x0c, typeFlags, ...[0, first, last, 0, last - first + 1].flatMap((value) => little(value, sizeBytes))];
  return [tag, ...little(body.length, 2), ...body];
}
