/** The devices of the PC and how they are wired: interrupt lines, ports, PCI functions, reset and A20. */
import type { Clock } from './clock/clock.js';
import type { MachineConfig } from './config.js';
import { AcpiPowerManagement } from './devices/acpi.js';
import { AtaChannel } from './devices/ata/channel.js';
import { installDebugPorts } from './devices/debug-ports.js';
import { type BusMemory, type Device, type InputDevice, InputError } from './devices/device.js';
import { Dma8237 } from './devices/dma8237.js';
import { I8042 } from './devices/i8042.js';
import { Keyboard } from './devices/keyboard.js';
import { Mouse } from './devices/mouse.js';
import { HostBridge, type ShadowSegment } from './devices/pci/host-bridge.js';
import { IdeFunction } from './devices/pci/ide-function.js';
import { IsaBridge } from './devices/pci/isa-bridge.js';
import { PciBus } from './devices/pci/pci-bus.js';
import { PortWindows } from './devices/pci/port-windows.js';
import { PowerFunction } from './devices/pci/power-function.js';
import { Pic } from './devices/pic.js';
import { Pit } from './devices/pit.js';
import { PortBus } from './devices/port-bus.js';
import { Port92 } from './devices/port92.js';
import { Rtc } from './devices/rtc.js';
import { Uart } from './devices/uart.js';
import { Vga } from './devices/vga.js';

/** What the devices ask of the machine. */
export interface BoardEvents {
  serial(port: 0 | 1, byte: number): void;
  debugConsole(byte: number): void;
  debugExit(value: number): void;
  powerOff(): void;
  /** hard: the whole system, otherwise the CPU alone. */
  reset(hard: boolean): void;
  a20Changed(open: boolean): void;
  shadowChanged(segments: readonly ShadowSegment[]): void;
}

/** A payload of the input device `power`. */
export const POWER_INPUT = { reset: 0, powerButton: 1 } as const;

export class Devices {
  readonly ports = new PortBus();
  readonly pic: Pic;
  readonly vga: Vga;
  /** In a fixed order: reset, save and restore follow it. */
  readonly all: readonly Device[];
  private readonly inputs: ReadonlyMap<string, InputDevice>;
  private readonly i8042: I8042;
  private readonly port92: Port92;
  private readonly acpi: AcpiPowerManagement;
  private readonly firmware: readonly { applyFirmwareDefaults(): void }[];

  constructor(
    config: MachineConfig,
    clock: Clock,
    memory: BusMemory,
    memoryBytes: number,
    epochSeconds: number,
    private readonly events: BoardEvents,
  ) {
    const { ports } = this;
    this.pic = new Pic({ ports });
    const { pic } = this;
    const pit = new Pit({ ports, clock, irq0: pic.line(0) });
    const rtc = new Rtc({ ports, clock, irq8: pic.line(8), epochSeconds, cmos: cmosContents(memoryBytes, config) });
    const serial0 = new Uart({
      name: 'serial0',
      ports,
      firstPort: 0x3f8,
      clock,
      irq: pic.line(4),
      onTransmit: (byte) => events.serial(0, byte),
    });
    const serial1 = new Uart({
      name: 'serial1',
      ports,
      firstPort: 0x2f8,
      clock,
      irq: pic.line(3),
      onTransmit: (byte) => events.serial(1, byte),
    });
    const keyboard = new Keyboard();
    const mouse = new Mouse({ clock });
    const a20 = (): void => events.a20Changed(this.a20);
    const cpuReset = (): void => events.reset(false);
    this.i8042 = new I8042({
      ports,
      clock,
      irq1: pic.line(1),
      irq12: pic.line(12),
      keyboard,
      mouse,
      onA20Change: a20,
      onCpuReset: cpuReset,
    });
    this.port92 = new Port92({ ports, onA20Change: a20, onCpuReset: cpuReset });
    this.vga = new Vga({ clock, ports, memory });
    const ata0 = new AtaChannel({
      name: 'ata0',
      clock,
      memory,
      irq: pic.line(14),
      master: config.disk === undefined ? undefined : { kind: 'disk', image: config.disk },
    });
    const ata1 = new AtaChannel({
      name: 'ata1',
      clock,
      memory,
      irq: pic.line(15),
      master: config.cdrom === undefined ? undefined : { kind: 'cdrom', image: config.cdrom },
    });
    this.acpi = new AcpiPowerManagement({ clock, ports, sci: pic.line(9), onPowerOff: () => events.powerOff() });
    const windows = new PortWindows(ports);
    const host = new HostBridge({ memoryBytes, onShadowChanged: (segments) => events.shadowChanged(segments) });
    const isa = new IsaBridge();
    const ide = new IdeFunction({ windows, channels: [ata0, ata1] });
    const power = new PowerFunction({ windows, power: this.acpi });
    const pci = new PciBus({ ports, functions: [host, isa, ide, power], onReset: (hard) => events.reset(hard) });
    const dma = new Dma8237(ports);
    installDebugPorts({ ports, onConsole: (byte) => events.debugConsole(byte), onExit: (value) => events.debugExit(value) });
    this.firmware = [host, isa, ide, power];
    this.all = [
      pic,
      pit,
      rtc,
      serial0,
      serial1,
      keyboard,
      mouse,
      this.i8042,
      this.port92,
      dma,
      this.vga,
      ata0,
      ata1,
      this.acpi,
      host,
      isa,
      ide,
      power,
      pci,
    ];
    this.inputs = new Map<string, InputDevice>([serial0, serial1, keyboard, mouse].map((device) => [device.name, device]));
  }

  get a20(): boolean {
    return this.i8042.a20 || this.port92.a20;
  }

  reset(): void {
    for (const device of this.all) device.reset();
  }

  /** @throws InputError before anything has changed */
  input(device: string, payload: Uint8Array): void {
    if (device === 'power') {
      if (payload.length !== 1) throw new InputError('power takes one byte: 0 for reset, 1 for the power button');
      if (payload[0] === POWER_INPUT.reset) this.events.reset(true);
      else if (payload[0] === POWER_INPUT.powerButton) this.acpi.pressPowerButton();
      else throw new InputError(`power takes 0 for reset or 1 for the power button, not ${payload[0]}`);
      return;
    }
    const target = this.inputs.get(device);
    if (target === undefined)
      throw new InputError(`there is no input device ${JSON.stringify(device)}; there are ${[...this.inputs.keys(), 'power'].join(', ')}`);
    target.input(payload);
  }

  /** What a PC firmware leaves behind when it starts an operating system. */
  applyFirmwareDefaults(): void {
    for (const device of this.firmware) device.applyFirmwareDefaults();
    const out = (port: number, ...values: number[]): void => {
      for (const value of values) this.ports.write(port, 1, value);
    };
    // 8259A: vectors 08h and 70h; timer, keyboard, cascade, floppy and the disk lines open.
    out(0x20, 0x11);
    out(0x21, 0x08, 0x04, 0x01, 0xb8);
    out(0xa0, 0x11);
    out(0xa1, 0x70, 0x02, 0x01, 0x8f);
    // 8254: counter 0 in mode 3 at 18.2 Hz, counter 1 in mode 2 for refresh.
    out(0x43, 0x36);
    out(0x40, 0, 0);
    out(0x43, 0x54);
    out(0x41, 18);
    // Serial ports: eight data bits, no parity, one stop bit.
    out(0x3fb, 0x03);
    out(0x2fb, 0x03);
    // A20 open.
    out(0x92, 0x02);
  }
}

/** CMOS RAM as a BIOS setup leaves it (memory sizes, equipment); the clock fills in its own registers. */
function cmosContents(memoryBytes: number, config: MachineConfig): Uint8Array {
  const cmos = new Uint8Array(128);
  const word = (at: number, value: number): void => {
    cmos[at] = value & 0xff;
    cmos[at + 1] = value >>> 8;
  };
  const kibibytes = memoryBytes / 1024;
  // Equipment: keyboard and display, coprocessor, PS/2 mouse.
  cmos[0x14] = 0x06;
  word(0x15, 640);
  const above1M = Math.min(0xffff, kibibytes - 1024);
  word(0x17, above1M);
  word(0x30, above1M);
  word(0x34, Math.max(0, Math.min(0xffff, (memoryBytes - 16 * 1024 * 1024) / 65536)));
  // A hard disk of type 47 (parameters from IDENTIFY).
  if (config.disk !== undefined) {
    cmos[0x12] = 0xf0;
    cmos[0x19] = 47;
  }
  // Boot order as SeaBIOS reads it: disk (2), then CD (3).
  cmos[0x3d] = config.disk === undefined ? 0x23 : 0x32;
  return cmos;
}
