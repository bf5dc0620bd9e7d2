/**
 * The labels of a guest as an ELF file that has nothing else, for debuggers: `replay86 debug --symbols`, gdb's `file`
 * (Tool Interface Standard, "ELF Specification" 1.2, figures 1-3, 1-8, 1-9 and 1-15).
 */
import type { Assembled } from '../../properties/index.js';

const headerBytes = 52;
const sectionBytes = 40;
const symbolBytes = 16;
const typeExecutable = 2;
const machine386 = 3;
/** Sections: none, code, symbols, their names, the names of sections. */
const sectionCount = 5;
const [code, strings] = [1, 3];
const [symtab, strtab, nobits] = [2, 3, 8];
const allocatedAndExecutable = 6;
const globalWithoutType = 0x10;
const sectionNames = '\0.text\0.symtab\0.strtab\0.shstrtab\0';
/** The assembler numbers the labels that it has made up itself. */
const isMadeUp = /\.\d+$/;

export function symbolFile({ labels, bytes }: Assembled): Uint8Array {
  const symbols = [...labels].filter(([name]) => !isMadeUp.test(name));
  const origin = Math.min(...labels.values());
  const names = Buffer.from(`\0${symbols.map(([name]) => `${name}\0`).join('')}`, 'latin1');
  const table = Buffer.alloc((symbols.length + 1) * symbolBytes);
  let nameAt = 1;
  for (const [index, [name, address]] of symbols.entries()) {
    const at = (index + 1) * symbolBytes;
    table.writeUInt32LE(nameAt, at);
    table.writeUInt32LE(address, at + 4);
    table.writeUInt8(globalWithoutType, at + 12);
    table.writeUInt16LE(code, at + 14);
    nameAt += name.length + 1;
  }

  const tableAt = headerBytes + sectionCount * sectionBytes;
  const namesAt = tableAt + table.length;
  const sectionNamesAt = namesAt + names.length;
  const section = (
    name: string,
    type: number,
    offset: number,
    length: number,
    entry: number,
    rest: Partial<Record<number, number>> = {},
  ) => {
    const header = Buffer.alloc(sectionBytes);
    const fields = { 0: sectionNames.indexOf(`${name}\0`), 4: type, 16: offset, 20: length, 32: 1, 36: entry, ...rest };
    for (const [at, value] of Object.entries(fields)) header.writeUInt32LE(value ?? 0, Number(at));
    return header;
  };
  const header = Buffer.alloc(headerBytes);
  header.write('\x7fELF\x01\x01\x01', 'latin1');
  const halves = { 16: typeExecutable, 18: machine386, 40: headerBytes, 46: sectionBytes, 48: sectionCount, 50: sectionCount - 1 };
  for (const [at, value] of Object.entries(halves)) header.writeUInt16LE(value, Number(at));
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(labels.get('entry') ?? origin, 24);
  header.writeUInt32LE(headerBytes, 32);
  return Buffer.concat([
    header,
    Buffer.alloc(sectionBytes),
    section('.text', nobits, 0, bytes.length, 0, { 8: allocatedAndExecutable, 12: origin }),
    section('.symtab', symtab, tableAt, table.length, symbolBytes, { 24: strings, 28: 1 }),
    section('.strtab', strtab, namesAt, names.length, 0),
    section('.shstrtab', strtab, sectionNamesAt, sectionNames.length, 0),
    table,
    names,
    Buffer.from(sectionNames, 'latin1'),
  ]);
}
