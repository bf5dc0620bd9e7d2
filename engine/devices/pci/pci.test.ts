/**
 * The PCI bus as an operating system finds it: enumeration, register widths, base addresses, reset control, shadow
 * registers (PCI 2.1, chapter 6).
 */
import { describe, expect, it } from 'vitest';
import { AcpiPowerManagement } from '../acpi.js';
import { AtaChannel } from '../ata/channel.js';
import { TestMemory } from '../ata/test-ata-bench.js';
import type { AccessSize } from '../device.js';
import { PortBus } from '../port-bus.js';
import { TestBench } from '../test-bench.js';
import { HostBridge, type ShadowSegment } from './host-bridge.js';
import { IdeFunction } from './ide-function.js';
import { IsaBridge } from './isa-bridge.js';
import { PciBus } from './pci-bus.js';
import { PortWindows } from './port-windows.js';
import { PowerFunction } from './power-function.js';

function build() {
  const bench = new TestBench();
  const { clock } = bench;
  const ports = new PortBus();
  const windows = new PortWindows(ports);
  const memory = new TestMemory(0);
  const shadows: (readonly ShadowSegment[])[] = [];
  const resets: boolean[] = [];
  const channel = (name: string) => new AtaChannel({ name, clock, memory, irq: bench.line(name) });
  const ide = new IdeFunction({ windows, channels: [channel('ata0'), channel('ata1')] });
  const acpi = new AcpiPowerManagement({ clock, ports, sci: bench.line('sci'), onPowerOff: () => resets.push(true) });
  const power = new PowerFunction({ windows, power: acpi });
  const host = new HostBridge({ memoryBytes: 64 * 2 ** 20, onShadowChanged: (segments) => shadows.push(segments) });
  const isa = new IsaBridge();
  const functions = [host, isa, ide, power];
  const pci = new PciBus({ ports, functions, onReset: (hard) => resets.push(hard) });
  for (const device of [pci, ...functions]) device.reset();
  const select = (deviceFunction: number, offset: number, bus = 0): void =>
    ports.write(0xcf8, 4, (0x80000000 + bus * 65536 + deviceFunction * 256 + (offset & 0xfc)) >>> 0);
  return {
    ports,
    shadows,
    resets,
    ide,
    power,
    host,
    isa,
    pci,
    read(deviceFunction: number, offset: number, size: AccessSize, bus = 0): number {
      select(deviceFunction, offset, bus);
      return ports.read(0xcfc + (offset & 3), size);
    },
    write(deviceFunction: number, offset: number, size: AccessSize, value: number): void {
      select(deviceFunction, offset);
      ports.write(0xcfc + (offset & 3), size, value);
    },
  };
}
const HOST = 0x00;
const ISA = 0x08;
const IDE = 0x09;
const POWER = 0x0b;

describe('configuration space', () => {
  it('enumerates to the four functions and nothing else', () => {
    const pc = build();
    const found: [number, number, number][] = [];
    for (let deviceFunction = 0; deviceFunction < 256; deviceFunction++) {
      const ids = pc.read(deviceFunction, 0, 4);
      if (ids !== 0xffffffff) found.push([deviceFunction, ids, pc.read(deviceFunction, 8, 4)]);
    }
    expect(found).toEqual([
      [HOST, 0x12378086, 0x06000002],
      [ISA, 0x70008086, 0x06010000],
      [IDE, 0x70108086, 0x01018000],
      [POWER, 0x71138086, 0x06800003],
    ]);
    expect(pc.read(HOST, 0, 4, 1)).toBe(0xffffffff);
    expect([HOST, ISA, IDE, POWER].map((deviceFunction) => pc.read(deviceFunction, 0x0e, 1))).toEqual([0, 0x80, 0, 0]);
    expect(pc.read(0x10, 0, 2)).toBe(0xffff);
    expect(pc.read(0x10, 0, 1)).toBe(0xff);
  });

  it('is read and written at all widths', () => {
    const pc = build();
    expect([0, 1, 2, 3].map((offset) => pc.read(HOST, offset, 1))).toEqual([0x86, 0x80, 0x37, 0x12]);
    expect(pc.read(HOST, 2, 2)).toBe(0x1237);
    pc.write(ISA, 0x60, 4, 0x0b0b0a0a);
    pc.write(ISA, 0x61, 1, 0x85);
    expect(pc.read(ISA, 0x60, 4)).toBe(0x0b0b850a);
    pc.write(ISA, 0x62, 2, 0x80ff);
    expect(pc.read(ISA, 0x60, 4)).toBe(0x808f850a);
    pc.write(HOST, 0, 4, 0);
    expect(pc.read(HOST, 0, 4)).toBe(0x12378086);
  });

  it('needs the enable bit and a double word at CF8h', () => {
    const pc = build();
    pc.ports.write(0xcf8, 4, 0x00000000);
    expect(pc.ports.read(0xcfc, 4)).toBe(0xffffffff);
    pc.ports.write(0xcf8, 4, 0xffffffff);
    expect(pc.ports.read(0xcf8, 4)).toBe(0x80fffffc);
    pc.ports.write(0xcf8, 2, 0x1234);
    pc.ports.write(0xcf8, 1, 0x12);
    expect(pc.ports.read(0xcf8, 4)).toBe(0x80fffffc);
    expect(pc.ports.read(0xcf8, 2)).toBe(0xffff);
  });

  it('clears status bits by writing ones', () => {
    const pc = build();
    pc.write(IDE, 6, 2, 0xffff);
    expect(pc.read(IDE, 6, 2)).toBe(0x0280);
  });

  it('resets by CF9h on the rising edge of bit 2', () => {
    const pc = build();
    pc.ports.write(0xcf9, 1, 0x02);
    expect(pc.ports.read(0xcf9, 1)).toBe(0x02);
    expect(pc.resets).toEqual([]);
    pc.ports.write(0xcf9, 1, 0x06);
    pc.ports.write(0xcf9, 1, 0x04);
    expect(pc.resets).toEqual([true, false]);
  });
});

describe('ports of functions', () => {
  it('sizes and moves base address register 4 of the IDE function', () => {
    const pc = build();
    expect(pc.read(IDE, 0x20, 4)).toBe(1);
    pc.write(IDE, 0x20, 4, 0xffffffff);
    expect(pc.read(IDE, 0x20, 4)).toBe(0xfffffff1);
    pc.write(IDE, 4, 2, 5);
    expect(pc.ports.read(0xfff2, 1)).toBe(0xff);
    pc.write(IDE, 4, 2, 0);
    for (const bar of [0x10, 0x14, 0x18, 0x1c, 0x24, 0x30]) {
      pc.write(IDE, bar, 4, 0xffffffff);
      expect(pc.read(IDE, bar, 4)).toBe(0);
    }
    pc.write(IDE, 0x20, 4, 0xd001);
    expect(pc.ports.read(0xd004, 1)).toBe(0xff);
    pc.write(IDE, 4, 2, 5);
    pc.ports.write(0xd004, 4, 0x12345678);
    expect(pc.ports.read(0xd004, 4)).toBe(0x12345678);
    pc.ports.write(0xd00c, 4, 0x00abcdef);
    expect(pc.ports.read(0xd00c, 4)).toBe(0x00abcdec);
    pc.write(IDE, 0x20, 4, 0xe000);
    expect(pc.ports.read(0xd004, 4)).toBe(0xffffffff);
    expect(pc.ports.read(0xe004, 4)).toBe(0x12345678);
  });

  it('decodes the legacy channels one by one', () => {
    const pc = build();
    const claimed = (port: number): boolean => {
      let answered = true;
      pc.ports.onUnclaimed = () => {
        answered = false;
      };
      pc.ports.read(port, 1);
      return answered;
    };
    expect([0x1f7, 0x177].map(claimed)).toEqual([false, false]);
    pc.write(IDE, 4, 2, 1);
    pc.write(IDE, 0x40, 2, 0x8000);
    expect([0x1f0, 0x1f7, 0x3f6, 0x3f7, 0x170, 0x376].map(claimed)).toEqual([true, true, true, false, false, false]);
    pc.write(IDE, 0x42, 2, 0x8000);
    pc.write(IDE, 0x40, 2, 0x0000);
    expect([0x1f0, 0x3f6, 0x170, 0x177, 0x376].map(claimed)).toEqual([false, false, true, true, true]);
  });

  it('places the power management registers', () => {
    const pc = build();
    pc.write(POWER, 0x40, 4, 0xffffffff);
    expect(pc.read(POWER, 0x40, 4)).toBe(0xffc1);
    pc.write(POWER, 0x40, 4, 0x4001);
    expect(pc.ports.read(0x4004, 2)).toBe(0xffff);
    pc.write(POWER, 0x80, 1, 1);
    expect(pc.ports.read(0x4004, 2)).toBe(0x0000);
    expect(pc.ports.read(0x4040, 1)).toBe(0xff);
  });

  it('lets the first of two overlapping windows win, whatever the order of the writes was', () => {
    const ideFirst = build();
    const powerFirst = build();
    const placeIde = (pc: ReturnType<typeof build>): void => {
      pc.write(IDE, 0x20, 4, 0xc010);
      pc.write(IDE, 4, 2, 5);
    };
    const placePower = (pc: ReturnType<typeof build>): void => {
      pc.write(POWER, 0x40, 4, 0xc000);
      pc.write(POWER, 0x80, 1, 1);
    };
    placeIde(ideFirst);
    placePower(ideFirst);
    placePower(powerFirst);
    placeIde(powerFirst);
    for (const pc of [ideFirst, powerFirst]) {
      expect(pc.ports.read(0xc012, 1)).toBe(0);
      expect(pc.ports.read(0xc004, 2)).toBe(0xffff);
      pc.write(IDE, 0x20, 4, 0xd000);
      expect(pc.ports.read(0xc004, 2)).toBe(0);
    }
    // Ports of other devices are never taken.
    ideFirst.write(IDE, 0x20, 4, 0x0cf0);
    ideFirst.ports.write(0xcf8, 4, 0x80000000);
    expect(ideFirst.ports.read(0xcfc, 4)).toBe(0x12378086);
  });

  it('are left by firmware where the tables say', () => {
    const pc = build();
    for (const device of [pc.host, pc.isa, pc.ide, pc.power]) device.applyFirmwareDefaults();
    expect(pc.read(IDE, 0x20, 4)).toBe(0xc001);
    expect(pc.read(IDE, 0x04, 2)).toBe(5);
    expect(pc.read(IDE, 0x40, 4)).toBe(0x80008000);
    expect(pc.read(POWER, 0x40, 4)).toBe(0xb001);
    expect(pc.read(POWER, 0x3c, 2)).toBe(0x0109);
    expect(pc.read(ISA, 0x60, 4)).toBe(0x0b0b0a0a);
    expect(pc.ports.read(0xb000, 2)).toBe(0);
    expect(pc.ports.read(0xc002, 1)).toBe(0);
    expect(pc.shadows.at(-1)?.every((segment) => segment.readMemory && segment.writeMemory)).toBe(true);
  });

  it('come back with the state', () => {
    const pc = build();
    for (const device of [pc.host, pc.isa, pc.ide, pc.power]) device.applyFirmwareDefaults();
    pc.ports.write(0xcf8, 4, 0x80000900);
    const other = build();
    other.write(IDE, 0x20, 4, 0xb000);
    other.write(IDE, 4, 2, 5);
    for (const device of ['pci', 'host', 'isa', 'ide', 'power'] as const) {
      const state = pc[device].save();
      other[device].restore(state);
      expect(other[device].save()).toEqual(state);
    }
    expect(other.ports.read(0xcf8, 4)).toBe(0x80000900);
    expect(other.ports.read(0xb004, 2)).toBe(0);
    expect(other.ports.read(0xc002, 1)).toBe(0);
    expect(() => other.ide.restore({ bytes: new Uint8Array(255) })).toThrow('not a state');
  });
});

describe('shadow memory', () => {
  it('follows the attribute registers in pieces of 16 KiB and the last 64', () => {
    const pc = build();
    expect(pc.shadows.length).toBe(1);
    expect(pc.shadows[0]?.map((segment) => segment.address)).toEqual([
      0xc0000, 0xc4000, 0xc8000, 0xcc000, 0xd0000, 0xd4000, 0xd8000, 0xdc000, 0xe0000, 0xe4000, 0xe8000, 0xec000, 0xf0000,
    ]);
    pc.write(HOST, 0x59, 1, 0x3f);
    pc.write(HOST, 0x5a, 1, 0x12);
    pc.write(HOST, 0x5a, 1, 0x12);
    expect(pc.shadows.length).toBe(3);
    const last = pc.shadows[2] ?? [];
    expect(last.filter((segment) => segment.readMemory || segment.writeMemory)).toEqual([
      { address: 0xc0000, sizeBytes: 0x4000, readMemory: false, writeMemory: true },
      { address: 0xc4000, sizeBytes: 0x4000, readMemory: true, writeMemory: false },
      { address: 0xf0000, sizeBytes: 0x10000, readMemory: true, writeMemory: true },
    ]);
    expect(pc.read(HOST, 0x59, 1)).toBe(0x30);
  });
});

it.each([
  [1, 1],
  [8, 1],
  [9, 2],
  [64, 8],
  [4000, 0xff],
])('tells of %i MiB in units of 8 MiB', (mebibytes, boundary) => {
  const host = new HostBridge({ memoryBytes: mebibytes * 2 ** 20, onShadowChanged() {} });
  host.reset();
  for (let row = 0; row < 8; row++) expect(host.configRead(0x60 + row, 1)).toBe(boundary);
});
