import fc from 'fast-check';
import { it } from 'vitest';
import { AcpiPowerManagement } from '../../engine/devices/acpi.js';
import { AtaChannel } from '../../engine/devices/ata/channel.js';
import { TestMemory } from '../../engine/devices/ata/test-ata-bench.js';
import { HostBridge } from '../../engine/devices/pci/host-bridge.js';
import { IdeFunction } from '../../engine/devices/pci/ide-function.js';
import { IsaBridge } from '../../engine/devices/pci/isa-bridge.js';
import { PciBus } from '../../engine/devices/pci/pci-bus.js';
import { PortWindows } from '../../engine/devices/pci/port-windows.js';
import { PowerFunction } from '../../engine/devices/pci/power-function.js';
import { PortBus } from '../../engine/devices/port-bus.js';
import type { TestBench } from '../../engine/devices/test-bench.js';
import type { Size } from './device-model.js';
import { PciModel } from './pci-model.js';
import { act, agreesWithModel, type Operation, out, read, type Subject } from './test-device-property.js';

const DATA = 0xcfc;
const size = fc.constantFrom<Size>(1, 2, 4);
const byte = fc.integer({ min: 0, max: 255 });
const long = fc.oneof(fc.constantFrom(0, 0xffffffff, 0x80008000, 5, 1), fc.integer({ min: 0, max: 0xffffffff }));
const select = (device: number, offset: number): Operation => out(0xcf8, 0x80000000 + device * 256 + (offset & 0xfc), 4);
const device = fc.constantFrom(0x00, 0x08, 0x09, 0x0b, 0x0a, 0x10);
const offset = fc.oneof(fc.constantFrom(0, 4, 6, 8, 0x20, 0x40, 0x42, 0x58, 0x59, 0x5a, 0x60, 0x72, 0x80, 0x90), byte);

const access = fc
  .tuple(device, offset, size, long)
  .map(([number, at, bytes, value]): Operation[] => [
    select(number, at),
    out(DATA + (at & 3), value % 256 ** bytes, bytes),
    read(DATA + (at & 3), bytes),
    read(DATA, 4),
  ]);
/** The other buses, of which there is none. */
const otherBus = fc
  .tuple(fc.integer({ min: 0, max: 7 }), device)
  .map(([bit, number]): Operation[] => [out(0xcf8, 0x80000000 + 2 ** (16 + bit) + number * 256, 4), read(DATA, 4), out(DATA, 0, 4)]);
/** Bases that are free, that meet each other, and that belong to others. */
const base = fc.constantFrom(0xc000, 0xc000, 0xb000, 0xb010, 0xc010, 0xcc0, 0x1c0, 0x80, 0xafc0, 0xffc0, 0);
const windows = fc
  .tuple(base, base, fc.constantFrom(0, 1, 4, 5), fc.constantFrom(0, 0x8000, 0x80008000), fc.constantFrom(0, 1))
  .map(([busMaster, management, command, timing, on]): Operation[] => [
    ...[select(9, 4), out(DATA, command, 2), select(9, 0x20), out(DATA, busMaster, 4), select(9, 0x40), out(DATA, timing, 4)],
    ...[select(0x0b, 0x40), out(DATA, management, 4), select(0x0b, 0x80), out(DATA, on)],
    ...[0x1f0, 0x1f7, 0x3f6, 0x170, 0x376, busMaster, busMaster + 15, management, management + 63].map((port) => act('decodes', port)),
  ]);

function build(bench: TestBench): Subject {
  const { clock } = bench;
  const ports = new PortBus();
  const bus = new PortWindows(ports);
  const memory = new TestMemory(0);
  const channels = ['ata0', 'ata1'].map((name) => new AtaChannel({ name, clock, memory, irq: bench.line(name) })) as [
    AtaChannel,
    AtaChannel,
  ];
  const acpi = new AcpiPowerManagement({ clock, ports, sci: bench.line('sci'), onPowerOff() {} });
  const host = new HostBridge({ memoryBytes: 64 * 2 ** 20, onShadowChanged() {} });
  const isa = new IsaBridge();
  const ide = new IdeFunction({ windows: bus, channels });
  const power = new PowerFunction({ windows: bus, power: acpi });
  const pci = new PciBus({ ports, functions: [host, isa, ide, power], onReset: (hard) => bench.record('reset', hard) });
  bench.claim(0xcf8, 8, { read: (port, bytes) => ports.read(port, bytes), write: (port, bytes, value) => ports.write(port, bytes, value) });
  return {
    devices: [host, isa, ide, power, pci],
    act: (what, [port = 0]) => {
      if (what === 'shadow')
        return host
          .shadow()
          .map(({ readMemory, writeMemory }) => (readMemory ? 1 : 0) + (writeMemory ? 2 : 0))
          .join('');
      let answered = true;
      ports.onUnclaimed = () => {
        answered = false;
      };
      ports.read(port, 1);
      return answered;
    },
  };
}

it('configures and decodes as the model does', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 6, arbitrary: access },
      { weight: 3, arbitrary: windows },
      { weight: 1, arbitrary: long.map((value) => [out(0xcf8, value, 4), read(0xcf8, 4)]) },
      { weight: 1, arbitrary: otherBus },
      { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 0xcf8, max: 0xcff }), size).map(([port, bytes]) => read(port, bytes)) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.integer({ min: 0xcf8, max: 0xcff }), size, long)
          .map(([port, bytes, value]) => out(port, value % 256 ** bytes, bytes)),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.integer({ min: 0x59, max: 0x5f }), byte)
          .map(([at, value]) => [select(0, at), out(DATA + (at & 3), value), act('shadow')]),
      },
    ),
    build,
    model: () => new PciModel(),
    act: (model, what, [port = 0]) => (what === 'shadow' ? model.shadow() : model.decodes(port)),
    nsPerTick: [1],
    numRuns: 120,
    maxLength: 40,
  });
});
