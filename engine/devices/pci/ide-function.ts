/**
 * The IDE function of the PIIX3, device 1 function 1 (82371SB data sheet, 2.8 and 3.3-3.4): decodes the two legacy
 * channels and holds the bus master registers at base address register 4.
 */
import type { AtaChannel } from '../ata/channel.js';
import type { AccessSize, Device, DeviceState, PortHandler } from '../device.js';
import { CONFIG, ConfigSpace, identification, PCI_COMMAND, type PciFunction } from './pci-function.js';
import type { PortWindow, PortWindows } from './port-windows.js';

const BAR4 = 0x20;
const BAR4_BYTES = 16;
/**
 * The PIIX3 hardwires bits 31-16 to zero. Here they can be written, as PCI 2.1, 6.2.5.1 recommends: SeaBIOS computes the
 * size of the window from all 32 bits. The processor's ports have 16, so that other bases decode nothing.
 */
const BAR4_WRITABLE = 0xfffffff0;
const PORT_LAST = 0xffff;
/** IDE timing registers; bit 15 lets the channel's ports be decoded. */
const TIMING = [0x40, 0x42] as const;
const TIMING_DECODE = 0x8000;
const LEGACY_PORTS = [
  { command: 0x1f0, control: 0x3f6 },
  { command: 0x170, control: 0x376 },
] as const;
const FIRMWARE_BAR4 = 0xc000;

export interface IdeFunctionConfig {
  readonly windows: PortWindows;
  readonly channels: readonly [AtaChannel, AtaChannel];
}

export class IdeFunction implements Device, PciFunction {
  readonly name = 'pci.ide';
  readonly deviceFunction = 0x09;
  private readonly space = new ConfigSpace(this.name, [
    ...identification(0x8086, 0x7010, 0x010180, 0x00, 0x00),
    { offset: CONFIG.command, size: 2, reset: 0x0000, writable: PCI_COMMAND.io | PCI_COMMAND.busMaster },
    { offset: CONFIG.status, size: 2, reset: 0x0280, clearedByOne: 0x3800 },
    { offset: 0x0d, size: 1, reset: 0x00, writable: 0xf0 },
    { offset: BAR4, size: 4, reset: 0x00000001, writable: BAR4_WRITABLE },
    { offset: TIMING[0], size: 2, reset: 0x0000, writable: 0xf3ff },
    { offset: TIMING[1], size: 2, reset: 0x0000, writable: 0xf3ff },
    { offset: 0x44, size: 1, reset: 0x00, writable: 0xff },
  ]);
  private readonly legacyWindows: readonly { command: PortWindow; control: PortWindow }[];
  private readonly busMasterWindow: PortWindow;

  constructor(private readonly config: IdeFunctionConfig) {
    this.legacyWindows = config.channels.map((channel) => ({
      command: config.windows.add(8, channel.commandPorts),
      control: config.windows.add(1, channel.controlPort),
    }));
    // Eight bytes a channel; the window is aligned to sixteen, so the low bits of the port say which register it is.
    const busMasterPorts: PortHandler = {
      byteWide: true,
      read: (port) => this.channelOf(port).busMaster.read(port & 7),
      write: (port, _size, value) => this.channelOf(port).busMaster.write(port & 7, value & 0xff),
    };
    this.busMasterWindow = config.windows.add(BAR4_BYTES, busMasterPorts);
  }

  private channelOf(port: number): AtaChannel {
    return this.config.channels[(port >>> 3) & 1] as AtaChannel;
  }

  reset(): void {
    this.space.reset();
    this.decode();
  }

  /** As a BIOS leaves it behind: both channels decoded, bus master registers at C000h. */
  applyFirmwareDefaults(): void {
    this.space.write(CONFIG.command, 2, PCI_COMMAND.io | PCI_COMMAND.busMaster);
    this.space.write(BAR4, 4, FIRMWARE_BAR4);
    for (const timing of TIMING) this.space.write(timing, 2, TIMING_DECODE);
    this.decode();
  }

  configRead(offset: number, size: AccessSize): number {
    return this.space.read(offset, size);
  }

  configWrite(offset: number, size: AccessSize, value: number): void {
    this.space.write(offset, size, value);
    this.decode();
    // A transfer that waits for the bus goes on once it may be used.
    for (const channel of this.config.channels) channel.busMaster.pump();
  }

  /** Claims what the registers say. A base of zero counts as not assigned, as on every PC. */
  private decode(): void {
    const command = this.space.read(CONFIG.command, 2);
    const io = (command & PCI_COMMAND.io) !== 0;
    this.config.channels.forEach((channel, index) => {
      const on = io && (this.space.read(TIMING[index] as number, 2) & TIMING_DECODE) !== 0;
      const windows = this.legacyWindows[index] as { command: PortWindow; control: PortWindow };
      const ports = LEGACY_PORTS[index] as { command: number; control: number };
      windows.command.moveTo(on ? ports.command : undefined);
      windows.control.moveTo(on ? ports.control : undefined);
      channel.busMasterEnabled = (command & PCI_COMMAND.busMaster) !== 0;
    });
    const base = (this.space.read(BAR4, 4) & BAR4_WRITABLE) >>> 0;
    this.busMasterWindow.moveTo(io && base !== 0 && base <= PORT_LAST ? base : undefined);
  }

  save(): DeviceState {
    return this.space.save();
  }

  restore(state: DeviceState): void {
    this.space.restore(state);
    this.decode();
  }
}
