/**
 * The ACPI tables: linked, summed and laid out as an operating system reads them (ACPI 2.0, 5.2).
 */
import { describe, expect, it } from 'vitest';
import { buildAcpiTables } from './acpi-tables.js';
import { addressRange, buffer, eisaId, integer, name, pack } from './aml.js';

const ADDRESS = 0xf0000;
const { address, bytes } = buildAcpiTables({ address: ADDRESS, memoryBytes: 64 * 2 ** 20 });
const view = new DataView(bytes.buffer);
const at = (physical: number, length: number): Uint8Array => bytes.subarray(physical - ADDRESS, physical - ADDRESS + length);
const long = (physical: number): number => view.getUint32(physical - ADDRESS, true);
const text = (physical: number, length: number): string => String.fromCharCode(...at(physical, length));
const sum = (part: Uint8Array): number => part.reduce((total, byte) => total + byte, 0) & 0xff;

const rsdt = long(ADDRESS + 16);
const fadt = long(rsdt + 36);
const facs = long(fadt + 36);
const dsdt = long(fadt + 40);

describe('ACPI tables', () => {
  it('begin with the RSDP and are linked from there', () => {
    expect(address).toBe(ADDRESS);
    expect(text(ADDRESS, 8)).toBe('RSD PTR ');
    expect(sum(at(ADDRESS, 20))).toBe(0);
    expect([text(rsdt, 4), text(fadt, 4), text(facs, 4), text(dsdt, 4)]).toEqual(['RSDT', 'FACP', 'FACS', 'DSDT']);
    expect([long(rsdt + 4), long(fadt + 4), long(facs + 4)]).toEqual([40, 244, 64]);
    for (const table of [rsdt, fadt, dsdt]) expect(sum(at(table, long(table + 4)))).toBe(0);
    expect(facs % 64).toBe(0);
    expect(dsdt + long(dsdt + 4) - ADDRESS).toBe(bytes.length);
  });

  it('name the registers of the power management function in the FADT', () => {
    const word = (offset: number): number => view.getUint16(fadt - ADDRESS + offset, true);
    expect(word(46)).toBe(9);
    expect(long(fadt + 48)).toBe(0xb2);
    expect([...at(fadt + 52, 2)]).toEqual([0xf1, 0xf0]);
    expect([long(fadt + 56), long(fadt + 64), long(fadt + 76)]).toEqual([0xb000, 0xb004, 0xb008]);
    expect([...at(fadt + 88, 4)]).toEqual([4, 2, 0, 4]);
    expect(long(fadt + 112)).toBe(0x465);
    expect([long(fadt + 120), at(fadt + 128, 1)[0]]).toEqual([0xcf9, 6]);
    expect([long(fadt + 132), long(fadt + 140)]).toEqual([facs, dsdt]);
    expect([long(fadt + 152), long(fadt + 176), long(fadt + 212)]).toEqual([0xb000, 0xb004, 0xb008]);
  });

  it('define soft off as sleep type 0', () => {
    expect([...at(dsdt + 36, 13)]).toEqual([0x08, 0x5c, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0, 0, 0, 0]);
  });

  it('begin PCI memory where RAM ends', () => {
    const big = buildAcpiTables({ address: ADDRESS, memoryBytes: 3 * 2 ** 30 }).bytes;
    const window = addressRange(4, 0, 0x01, 3 * 2 ** 30, 0xfebfffff);
    const found = big.findIndex((_, start) => window.every((byte, index) => big[start + index] === byte));
    expect(found).toBeGreaterThan(dsdt - ADDRESS);
  });

  it('refuse a place where nobody looks', () => {
    for (const bad of [0xd0000, 0xf0001, 0xfffc0]) {
      expect(() => buildAcpiTables({ address: bad, memoryBytes: 2 ** 20 })).toThrow('acpi tables');
    }
  });
});

describe('AML', () => {
  it('encodes as the specification shows', () => {
    expect(eisaId('PNP0A03')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    expect([0, 1, 2, 0x1234, 0x12345678].map(integer)).toEqual([[0], [1], [0x0a, 2], [0x0b, 0x34, 0x12], [0x0c, 0x78, 0x56, 0x34, 0x12]]);
    expect(name('\\_S5', pack(integer(1)))).toEqual([0x08, 0x5c, 0x5f, 0x53, 0x35, 0x5f, 0x12, 3, 1, 1]);
    expect(buffer(new Array<number>(100).fill(7)).slice(0, 5)).toEqual([0x11, 0x48, 0x06, 0x0a, 100]);
    expect(() => name('lower', [0])).toThrow('no name');
  });
});
