/**
 * The power management function of the PIIX4, device 1 function 3 (82371AB data sheet, 7.1): places the registers of
 * acpi.ts in I/O space. The SMBus controller is absent: its host configuration register reads as disabled.
 */
import type { AcpiPowerManagement } from '../acpi.js';
import type { AccessSize, Device, DeviceState } from '../device.js';
import { CONFIG, ConfigSpace, identification, PCI_COMMAND, type PciFunction } from './pci-function.js';
import type { PortWindow, PortWindows } from './port-windows.js';

const PM_BASE = 0x40;
const PM_BYTES = 64;
const PM_MISC = 0x80;
const PM_MISC_DECODE = 0x01;
const SMB_BASE = 0x90;
/** Power management base of this machine when no BIOS chooses one. */
export const FIRMWARE_PM_BASE = 0xb000;
/** The SCI of the PIIX4 is hardwired to it (7.2.1). */
export const SCI_IRQ = 9;
/**
 * Device activity B, bit 25: writes to the SMI command port raise an SMI. Set from the start: the processor has no
 * system management mode, and a BIOS takes the bit as a sign that its handler is installed.
 */
const DEVICE_ACTIVITY_B = 0x58;
const SMI_ON_COMMAND = 0x02000000;

export interface PowerFunctionConfig {
  readonly windows: PortWindows;
  readonly power: AcpiPowerManagement;
}

export class PowerFunction implements Device, PciFunction {
  readonly name = 'pci.power';
  readonly deviceFunction = 0x0b;
  private readonly space = new ConfigSpace(this.name, [
    ...identification(0x8086, 0x7113, 0x068000, 0x03, 0x00),
    { offset: CONFIG.command, size: 2, reset: 0x0000, writable: PCI_COMMAND.io },
    { offset: CONFIG.status, size: 2, reset: 0x0280, clearedByOne: 0x0800 },
    { offset: CONFIG.interruptLine, size: 1, reset: 0x00, writable: 0xff },
    { offset: CONFIG.interruptPin, size: 1, reset: 0x01 },
    { offset: PM_BASE, size: 4, reset: 0x00000001, writable: 0x0000ffc0 },
    { offset: 0x44, size: 4, reset: 0x00000000, writable: 0xffffffff },
    { offset: 0x48, size: 4, reset: 0x00000000, writable: 0xffffffff },
    { offset: 0x4c, size: 4, reset: 0x00000000, writable: 0xffffffff },
    { offset: 0x50, size: 4, reset: 0x00000000, writable: 0xffffffff },
    { offset: 0x54, size: 4, reset: 0x00000000, writable: 0xffffffff },
    { offset: DEVICE_ACTIVITY_B, size: 4, reset: SMI_ON_COMMAND, writable: 0xffffffff },
    ...[0x5c, 0x60, 0x64, 0x68, 0x6c, 0x70, 0x74, 0x78, 0x7c].map((offset) => ({
      offset,
      size: 4 as const,
      reset: 0,
      writable: 0xffffffff,
    })),
    { offset: PM_MISC, size: 1, reset: 0x00, writable: PM_MISC_DECODE },
    { offset: SMB_BASE, size: 4, reset: 0x00000001, writable: 0x0000fff0 },
  ]);
  private readonly window: PortWindow;

  constructor(config: PowerFunctionConfig) {
    this.window = config.windows.add(PM_BYTES, config.power.registers);
  }

  reset(): void {
    this.space.reset();
    this.decode();
  }

  /** As a BIOS leaves it behind: registers at B000h, SCI on interrupt 9. */
  applyFirmwareDefaults(): void {
    this.space.write(CONFIG.command, 2, PCI_COMMAND.io);
    this.space.write(CONFIG.interruptLine, 1, SCI_IRQ);
    this.space.write(PM_BASE, 4, FIRMWARE_PM_BASE);
    this.space.write(PM_MISC, 1, PM_MISC_DECODE);
    this.decode();
  }

  configRead(offset: number, size: AccessSize): number {
    return this.space.read(offset, size);
  }

  configWrite(offset: number, size: AccessSize, value: number): void {
    this.space.write(offset, size, value);
    this.decode();
  }

  /** The decode bit alone decides: PMBASE is no base address register of the header (7.1.13, 7.1.24). */
  private decode(): void {
    const base = this.space.read(PM_BASE, 4) & ~(PM_BYTES - 1);
    const on = (this.space.read(PM_MISC, 1) & PM_MISC_DECODE) !== 0 && base !== 0;
    this.window.moveTo(on ? base : undefined);
  }

  save(): DeviceState {
    return this.space.save();
  }

  restore(state: DeviceState): void {
    this.space.restore(state);
    this.decode();
  }
}
