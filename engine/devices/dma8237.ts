/**
 * The two 8237A DMA controllers of a PC with their page registers (Intel 8237A data sheet; 82371SB data sheet, 3.2.1).
 * Nothing in this machine requests ISA DMA: the registers are complete, transfers do not happen. A software request
 * therefore stays pending, as it would for a channel whose device never answers.
 */
import type { Device, DeviceState, PortRegistrar } from './device.js';
import { copyOf, stateLike } from './plain-state.js';

const CHANNELS = 4;

/** Offsets of the registers behind the channels' addresses and counts (data sheet, figure 4 and 5). */
const REGISTER = {
  statusOrCommand: 8,
  request: 9,
  singleMask: 10,
  mode: 11,
  clearFlipFlop: 12,
  masterClear: 13,
  clearMask: 14,
  allMasks: 15,
} as const;

const freshController = () => ({
  baseAddress: [0, 0, 0, 0],
  baseCount: [0, 0, 0, 0],
  currentAddress: [0, 0, 0, 0],
  currentCount: [0, 0, 0, 0],
  mode: [0, 0, 0, 0],
  command: 0,
  request: 0,
  mask: 0x0f,
  /** Which byte of a 16-bit register comes next: false for the low one. */
  highByteNext: false,
});
type Controller = ReturnType<typeof freshController>;

const freshState = () => ({
  controllers: [freshController(), freshController()],
  /** 80h-8Fh: the page registers and, between them, latches without a purpose. */
  pages: new Uint8Array(16),
});

/** The second controller counts words: its registers lie two ports apart. */
const CONTROLLER_PORTS = [
  { firstPort: 0x00, spacing: 1 },
  { firstPort: 0xc0, spacing: 2 },
] as const;
const PAGE_PORT = 0x80;

export class Dma8237 implements Device {
  readonly name = 'dma';
  private state = freshState();

  constructor(ports: PortRegistrar) {
    CONTROLLER_PORTS.forEach(({ firstPort, spacing }, index) => {
      const controller = (): Controller => this.state.controllers[index] as Controller;
      ports.claim(firstPort, 16 * spacing, {
        byteWide: true,
        read: (port) => readRegister(controller(), ((port - firstPort) / spacing) | 0),
        write: (port, _size, value) => writeRegister(controller(), ((port - firstPort) / spacing) | 0, value & 0xff),
      });
    });
    ports.claim(PAGE_PORT, 16, {
      byteWide: true,
      read: (port) => this.state.pages[port - PAGE_PORT] as number,
      write: (port, _size, value) => {
        this.state.pages[port - PAGE_PORT] = value;
      },
    });
  }

  reset(): void {
    this.state = freshState();
  }

  save(): DeviceState {
    return copyOf(this.state);
  }

  restore(state: DeviceState): void {
    this.state = stateLike(freshState(), state, this.name);
  }
}

function readRegister(dma: Controller, register: number): number {
  if (register < 2 * CHANNELS) {
    const words = (register & 1) === 0 ? dma.currentAddress : dma.currentCount;
    const word = words[register >>> 1] as number;
    const value = dma.highByteNext ? word >>> 8 : word & 0xff;
    dma.highByteNext = !dma.highByteNext;
    return value;
  }
  switch (register) {
    case REGISTER.statusOrCommand:
      // Bits 7-4 pending requests; 3-0 terminal counts, which no channel reaches.
      return dma.request << 4;
    case REGISTER.masterClear:
      // The temporary register of memory-to-memory transfers.
      return 0;
    case REGISTER.allMasks:
      // As later integrated controllers have it: the masks, the upper bits ones.
      return 0xf0 | dma.mask;
    default:
      return 0xff;
  }
}

function writeRegister(dma: Controller, register: number, value: number): void {
  if (register < 2 * CHANNELS) {
    const [base, current] = (register & 1) === 0 ? [dma.baseAddress, dma.currentAddress] : [dma.baseCount, dma.currentCount];
    const channel = register >>> 1;
    const old = base[channel] as number;
    const word = dma.highByteNext ? (old & 0x00ff) | (value << 8) : (old & 0xff00) | value;
    base[channel] = word;
    current[channel] = word;
    dma.highByteNext = !dma.highByteNext;
    return;
  }
  const bit = 1 << (value & 3);
  switch (register) {
    case REGISTER.statusOrCommand:
      dma.command = value;
      break;
    case REGISTER.request:
      dma.request = (value & 4) !== 0 ? dma.request | bit : dma.request & ~bit;
      break;
    case REGISTER.singleMask:
      dma.mask = (value & 4) !== 0 ? dma.mask | bit : dma.mask & ~bit;
      break;
    case REGISTER.mode:
      dma.mode[value & 3] = value & 0xfc;
      break;
    case REGISTER.clearFlipFlop:
      dma.highByteNext = false;
      break;
    case REGISTER.masterClear:
      // As the reset line: everything but addresses, counts and modes.
      dma.command = dma.request = 0;
      dma.mask = 0x0f;
      dma.highByteNext = false;
      break;
    case REGISTER.clearMask:
      dma.mask = 0;
      break;
    case REGISTER.allMasks:
      dma.mask = value & 0x0f;
      break;
  }
}
