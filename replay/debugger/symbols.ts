/**
 * Names for addresses, from the symbol table of a 32-bit ELF file (Tool Interface Standard, "ELF Specification" 1.2,
 * figures 1-3, 1-8 and 1-15). Nothing of the file is believed that is not inside it.
 */
import { firstAtOrAfter } from '../sorted.js';
import { CommandError } from './command-error.js';

const HEADER_BYTES = 52;
const SECTION_HEADER_BYTES = 40;
const SYMBOL_BYTES = 16;
const SECTION_SYMTAB = 2;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
/** Symbols that stand for code or data: none, object, function. */
const NAMING_TYPES: readonly number[] = [0, 1, 2];
const UNDEFINED_SECTION = 0;
/** Indices from here on are no sections; absolute symbols are constants of the build more often than addresses. */
const FIRST_RESERVED_SECTION = 0xff00;
const NAME_LIMIT_BYTES = 4096;
/** Further behind the last symbol an address has nothing to do with it. */
const REACH_BYTES = 0x10_0000;

export interface NearSymbol {
  readonly name: string;
  readonly offset: number;
}

interface Entry {
  readonly name: string;
  readonly address: number;
  readonly sizeBytes: number;
  /** What one wants to read of several at one address. */
  readonly rank: number;
}

export class Symbols {
  private readonly byName = new Map<string, number>();
  private addresses: number[] = [];
  private entries: Entry[] = [];

  get count(): number {
    return this.byName.size;
  }

  /** Adds those of an ELF file. @returns how many there are @throws CommandError */
  load(file: Uint8Array): number {
    const found = readElf(file);
    for (const { name, address } of found) if (!this.byName.has(name)) this.byName.set(name, address);
    const sorted = [...this.entries, ...found].sort((a, b) => a.address - b.address || a.rank - b.rank);
    this.entries = sorted.filter(({ address }, index) => address !== sorted[index - 1]?.address);
    this.addresses = this.entries.map(({ address }) => address);
    return found.length;
  }

  addressOf(name: string): number | undefined {
    return this.byName.get(name);
  }

  /** The last symbol at or before an address, unless the address lies beyond its size. */
  near(address: number): NearSymbol | undefined {
    const entry = this.entries[firstAtOrAfter(this.addresses, address + 1) - 1];
    if (entry === undefined) return undefined;
    const offset = address - entry.address;
    return offset < (entry.sizeBytes || REACH_BYTES) ? { name: entry.name, offset } : undefined;
  }

  /** `name` or `name+0x12`; undefined where there is none. */
  textAt(address: number): string | undefined {
    const near = this.near(address);
    if (near === undefined) return undefined;
    return near.offset === 0 ? near.name : `${near.name}+0x${near.offset.toString(16)}`;
  }

  /** Names that begin so, in alphabetical order. */
  startingWith(prefix: string, limit: number): string[] {
    const names = [...this.byName.keys()].filter((name) => name.startsWith(prefix));
    return names.sort().slice(0, limit);
  }
}

function readElf(file: Uint8Array): Entry[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER_BYTES || view.getUint32(0) !== 0x7f45_4c46) throw new CommandError('it is no ELF file');
  if (file[4] !== CLASS_32 || file[5] !== LITTLE_ENDIAN) throw new CommandError('it is no 32-bit little-endian ELF file');
  const sectionsAt = view.getUint32(32, true);
  const sectionBytes = view.getUint16(46, true);
  const sectionCount = view.getUint16(48, true);
  const damaged = (): never => {
    throw new CommandError('its section headers are damaged');
  };
  if (sectionCount > 0 && (sectionBytes < SECTION_HEADER_BYTES || sectionsAt + sectionBytes * sectionCount > file.length)) damaged();
  const section = (index: number) => {
    if (index >= sectionCount) damaged();
    const at = sectionsAt + index * sectionBytes;
    const [type, offset, size, link] = [4, 16, 20, 24].map((field) => view.getUint32(at + field, true)) as [number, number, number, number];
    return { type, offset, size, link };
  };
  const entries: Entry[] = [];
  for (let index = 0; index < sectionCount; index++) {
    const table = section(index);
    if (table.type !== SECTION_SYMTAB) continue;
    const strings = section(table.link);
    if (table.offset + table.size > file.length || strings.offset + strings.size > file.length) damaged();
    const names = file.subarray(strings.offset, strings.offset + strings.size);
    for (let at = table.offset; at + SYMBOL_BYTES <= table.offset + table.size; at += SYMBOL_BYTES) {
      const type = view.getUint8(at + 12) & 15;
      const definedIn = view.getUint16(at + 14, true);
      if (!NAMING_TYPES.includes(type) || definedIn === UNDEFINED_SECTION || definedIn >= FIRST_RESERVED_SECTION) continue;
      const name = stringAt(names, view.getUint32(at, true));
      if (name === '') continue;
      const global = view.getUint8(at + 12) >>> 4 !== 0;
      const rank = (type === 0 ? 2 : 0) + (global ? 0 : 1);
      entries.push({ name, address: view.getUint32(at + 4, true), sizeBytes: view.getUint32(at + 8, true), rank });
    }
  }
  if (entries.length === 0) throw new CommandError('it has no symbol table');
  return entries;
}

function stringAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return end < 0 || end - at > NAME_LIMIT_BYTES ? '' : Buffer.from(bytes.subarray(at, end)).toString('latin1');
}
