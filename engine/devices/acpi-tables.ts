/**
 * The ACPI tables of this machine for guests that are booted without a BIOS (ACPI 2.0, 5.2): RSDP, RSDT, FADT, FACS
 * and a DSDT with the soft-off state, the PCI host bridge and the legacy devices. There is no APIC, so no MADT.
 */
import { ACPI_DISABLE_COMMAND, ACPI_ENABLE_COMMAND, PM_REGISTER, SMI_COMMAND_PORT } from './acpi.js';
import { type Aml, addressRange, device, dma, eisaId, integer, irq, little, name, pack, ports, RESOURCE, resources, scope } from './aml.js';
import { FIRMWARE_PM_BASE, SCI_IRQ } from './pci/power-function.js';

const HEADER_BYTES = 36;
const FACS_BYTES = 64;
const FADT_BYTES = 244;
const RSDP_BYTES = 20;
/** Where an operating system looks for the RSDP, on 16-byte boundaries (5.2.4.1). */
const SEARCH_FIRST = 0xe0000;
const SEARCH_LAST = 0xfffff;
/** Memory above it belongs to the APICs and the BIOS ROM. */
const PCI_MEMORY_LAST = 0xfebfffff;

export interface AcpiTablesOptions {
  /** Where the tables are placed: 64-byte aligned, between E0000h and FFFFFh. The RSDP comes first. */
  readonly address: number;
  /** PCI memory begins where RAM ends. */
  readonly memoryBytes: number;
}

export interface AcpiTables {
  /** Of the RSDP and of `bytes`. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

const characters = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;

/** Makes the sum of the bytes zero modulo 256 by the byte at `at` (5.2.3). */
function putChecksum(bytes: Uint8Array, at: number): void {
  bytes[at] = 0;
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** A table with the common header (5.2.6). */
function table(signature: string, revision: number, body: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from([
    ...characters(signature),
    ...little(HEADER_BYTES + body.length, 4),
    revision,
    0,
    ...characters('REPL86'),
    ...characters('REPLAY86'),
    ...little(1, 4),
    ...characters('RP86'),
    ...little(1, 4),
    ...body,
  ]);
  putChecksum(bytes, 9);
  return bytes;
}

/** Legacy devices on the ISA bus that an operating system finds by their identifiers. */
const ISA_DEVICES: readonly (readonly [label: string, id: string, ...resources: Aml[]])[] = [
  ['PIC', 'PNP0000', ports(0x20, 2), ports(0xa0, 2), ports(0x4d0, 2), irq(2)],
  ['DMAC', 'PNP0200', ports(0x00, 16), ports(0x80, 16), ports(0xc0, 32), dma(4)],
  ['TMR', 'PNP0100', ports(0x40, 4), irq(0)],
  ['RTC', 'PNP0B00', ports(0x70, 2), irq(8)],
  ['SPKR', 'PNP0800', ports(0x61, 1)],
  ['FPU', 'PNP0C04', ports(0xf0, 1), irq(13)],
  ['KBD', 'PNP0303', ports(0x60, 1), ports(0x64, 1), irq(1)],
  ['MOU', 'PNP0F13', irq(12)],
];
const SERIAL_PORTS = [
  { label: 'COM1', firstPort: 0x3f8, line: 4 },
  { label: 'COM2', firstPort: 0x2f8, line: 3 },
] as const;

function dsdt(memoryBytes: number): Uint8Array {
  const isaDevices = ISA_DEVICES.map(([label, id, ...used]) => device(label, name('_HID', eisaId(id)), name('_CRS', resources(...used))));
  const serialPorts = SERIAL_PORTS.map(({ label, firstPort, line }, index) =>
    device(
      label,
      name('_HID', eisaId('PNP0501')),
      name('_UID', integer(index + 1)),
      name('_CRS', resources(ports(firstPort, 8), irq(line))),
    ),
  );
  const windows = resources(
    addressRange(2, RESOURCE.busNumber, 0x00, 0x00, 0xff),
    ports(0xcf8, 8),
    addressRange(2, RESOURCE.io, 0x03, 0x0000, 0x0cf7),
    addressRange(2, RESOURCE.io, 0x03, 0x0d00, 0xffff),
    addressRange(4, RESOURCE.memory, 0x03, 0xa0000, 0xbffff),
    addressRange(4, RESOURCE.memory, 0x01, memoryBytes, PCI_MEMORY_LAST),
  );
  // The one interrupt pin on the bus is INTA# of device 1, the power management function: hardwired to the SCI.
  const routing = pack(pack(integer(0x0001ffff), integer(0), integer(0), integer(SCI_IRQ)));
  return table('DSDT', 1, [
    // Sleep type 0 in both control registers is soft off.
    ...name('\\_S5', pack(integer(0), integer(0), integer(0), integer(0))),
    ...scope(
      '\\_SB',
      device(
        'PCI0',
        name('_HID', eisaId('PNP0A03')),
        name('_UID', integer(0)),
        name('_BBN', integer(0)),
        name('_CRS', windows),
        name('_PRT', routing),
        device('ISA', name('_ADR', integer(0x00010000)), ...isaDevices, ...serialPorts),
      ),
    ),
  ]);
}

/** System I/O space, whole registers (5.2.3.1, generic address structure). */
const genericPort = (port: number, sizeBytes: number): number[] => [1, sizeBytes * 8, 0, 0, ...little(port, 4), 0, 0, 0, 0];
const NO_ADDRESS: readonly number[] = new Array<number>(12).fill(0);

/** FADT revision 3 (5.2.8). */
function fadt(facsAddress: number, dsdtAddress: number): Uint8Array {
  const base = FIRMWARE_PM_BASE;
  const FLAGS = 0x00000001 | 0x00000004 | 0x00000020 | 0x00000040 | 0x00000400;
  const body = [
    ...little(facsAddress, 4),
    ...little(dsdtAddress, 4),
    0, // Reserved (was the interrupt model).
    1, // Preferred profile: desktop.
    ...little(SCI_IRQ, 2),
    ...little(SMI_COMMAND_PORT, 4),
    ACPI_ENABLE_COMMAND,
    ACPI_DISABLE_COMMAND,
    0, // No S4BIOS.
    0, // No processor performance control.
    ...little(base + PM_REGISTER.pm1Status, 4),
    ...little(0, 4),
    ...little(base + PM_REGISTER.pm1Control, 4),
    ...little(0, 4),
    ...little(0, 4),
    ...little(base + PM_REGISTER.timer, 4),
    ...little(0, 4), // No general purpose events.
    ...little(0, 4),
    4, // Length of the PM1 event block.
    2,
    0,
    4,
    0,
    0,
    0,
    0, // No _CST.
    ...little(0x0fff, 2), // C2 and C3 latencies above their limits: not there.
    ...little(0x0fff, 2),
    ...little(0, 2), // WBINVD flushes: no flush stride.
    ...little(0, 2),
    0,
    0,
    0, // No alarm by day of month or month,
    0,
    0x32, // but a century in the RTC.
    ...little(0x0003, 2), // Legacy devices and an 8042 are there.
    0,
    // WBINVD; C1; sleep button is a control method; RTC alarm does not wake from fixed registers; reset register.
    ...little(FLAGS, 4),
    ...genericPort(0xcf9, 1),
    0x06, // What to write there for a hard reset.
    0,
    0,
    0,
    ...little(facsAddress, 8),
    ...little(dsdtAddress, 8),
    ...genericPort(base + PM_REGISTER.pm1Status, 4),
    ...NO_ADDRESS,
    ...genericPort(base + PM_REGISTER.pm1Control, 2),
    ...NO_ADDRESS,
    ...NO_ADDRESS,
    ...genericPort(base + PM_REGISTER.timer, 4),
    ...NO_ADDRESS,
    ...NO_ADDRESS,
  ];
  const bytes = table('FACP', 3, body);
  if (bytes.length !== FADT_BYTES) throw new Error(`acpi tables: a FADT of ${bytes.length} bytes`);
  return bytes;
}

/** No header checksum, and aligned to 64 bytes (5.2.9). */
function facs(): Uint8Array {
  const bytes = new Uint8Array(FACS_BYTES);
  bytes.set([...characters('FACS'), ...little(FACS_BYTES, 4)]);
  bytes[32] = 1;
  return bytes;
}

export function buildAcpiTables({ address, memoryBytes }: AcpiTablesOptions): AcpiTables {
  if (address % 64 !== 0 || address < SEARCH_FIRST) throw new Error('acpi tables: not a place for the RSDP');
  const dsdtTable = dsdt(memoryBytes);
  const rsdtBytes = HEADER_BYTES + 4;
  const facsAddress = address + 64;
  const rsdtAddress = facsAddress + FACS_BYTES;
  const fadtAddress = alignUp(rsdtAddress + rsdtBytes, 16);
  const dsdtAddress = alignUp(fadtAddress + FADT_BYTES, 16);
  const end = dsdtAddress + dsdtTable.length;
  if (end - 1 > SEARCH_LAST) throw new Error('acpi tables: no room below 1 MiB');

  const rsdp = Uint8Array.from([...characters('RSD PTR '), 0, ...characters('REPL86'), 0, ...little(rsdtAddress, 4)]);
  if (rsdp.length !== RSDP_BYTES) throw new Error('acpi tables: the RSDP has 20 bytes');
  putChecksum(rsdp, 8);
  const bytes = new Uint8Array(end - address);
  const place = (at: number, content: Uint8Array): void => bytes.set(content, at - address);
  place(address, rsdp);
  place(facsAddress, facs());
  place(rsdtAddress, table('RSDT', 1, little(fadtAddress, 4)));
  place(fadtAddress, fadt(facsAddress, dsdtAddress));
  place(dsdtAddress, dsdtTable);
  return { address, bytes };
}
