/**
 * 82371SB (PIIX3) PCI to ISA bridge, device 1 function 0 (82371SB data sheet, 3.1): identification, the interrupt
 * routing registers and the storage of the others. No PCI device of this machine uses INTA#-INTD#, so routing has
 * no effect beyond what software reads back.
 */
import type { AccessSize, Device, DeviceState } from '../device.js';
import { ConfigSpace, identification, type PciFunction } from './pci-function.js';

const PIRQ_ROUTE = 0x60;
/** Where a BIOS routes PIRQA#-PIRQD#. */
const PIRQ_DEFAULTS = [10, 10, 11, 11] as const;
const PIRQ_DISABLED = 0x80;

export class IsaBridge implements Device, PciFunction {
  readonly name = 'pci.isa';
  readonly deviceFunction = 0x08;
  private readonly space = new ConfigSpace(this.name, [
    ...identification(0x8086, 0x7000, 0x060100, 0x00, 0x80),
    { offset: 0x04, size: 2, reset: 0x0007, writable: 0x0108 },
    { offset: 0x06, size: 2, reset: 0x0200, clearedByOne: 0x7800 },
    { offset: 0x4c, size: 1, reset: 0x4d, writable: 0xff },
    { offset: 0x4e, size: 2, reset: 0x0003, writable: 0x03ff },
    ...PIRQ_DEFAULTS.map((_, pin) => ({ offset: PIRQ_ROUTE + pin, size: 1 as const, reset: PIRQ_DISABLED, writable: 0x8f })),
    { offset: 0x69, size: 1, reset: 0x02, writable: 0xfe },
    { offset: 0x6a, size: 2, reset: 0x0000, writable: 0xbf90 },
    { offset: 0x70, size: 1, reset: 0x80, writable: 0xef },
    { offset: 0x76, size: 1, reset: 0x0c, writable: 0x8f },
    { offset: 0x77, size: 1, reset: 0x0c, writable: 0x8f },
    { offset: 0x78, size: 2, reset: 0x0002, writable: 0xfffc },
    { offset: 0x80, size: 1, reset: 0x00, writable: 0x7f },
    { offset: 0x82, size: 1, reset: 0x00, writable: 0x0f },
    { offset: 0xa0, size: 1, reset: 0x08, writable: 0x1f },
    { offset: 0xa2, size: 2, reset: 0x0000, writable: 0x00ff },
    { offset: 0xa4, size: 4, reset: 0x00000000, writable: 0xf000fffb },
    { offset: 0xa8, size: 1, reset: 0x0f, writable: 0xff },
    { offset: 0xaa, size: 2, reset: 0x0000, writable: 0x00ff },
    { offset: 0xac, size: 1, reset: 0x00, writable: 0xff },
    { offset: 0xae, size: 1, reset: 0x00, writable: 0xff },
  ]);

  reset(): void {
    this.space.reset();
  }

  applyFirmwareDefaults(): void {
    PIRQ_DEFAULTS.forEach((irq, pin) => this.space.write(PIRQ_ROUTE + pin, 1, irq));
  }

  configRead(offset: number, size: AccessSize): number {
    return this.space.read(offset, size);
  }

  configWrite(offset: number, size: AccessSize, value: number): void {
    this.space.write(offset, size, value);
  }

  save(): DeviceState {
    return this.space.save();
  }

  restore(state: DeviceState): void {
    this.space.restore(state);
  }
}
