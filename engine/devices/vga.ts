/**
 * VGA in its text modes: the register file (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem";
 * FreeVGA documents the same) and a view of the text memory for the host. Text memory is ordinary memory at B8000h;
 * graphics modes and the planes behind A0000h are not there.
 */
import type { Clock } from '../clock/clock.js';
import { CODE_PAGE_437 } from './code-page-437.js';
import type { BusMemory, Device, DeviceState, PortHandler, PortRegistrar } from './device.js';
import { copyOf, stateLike } from './plain-state.js';

export interface VgaCell {
  /** Code page 437. */
  readonly character: number;
  /** Foreground in bits 3-0, background in bits 6-4, blink or bright background in bit 7. */
  readonly attribute: number;
}
export interface VgaScreen {
  readonly columns: number;
  readonly rows: number;
  /** Row by row. */
  readonly cells: readonly VgaCell[];
}
export interface VgaCursor {
  readonly column: number;
  readonly row: number;
  readonly visible: boolean;
  /** Scan lines of the character cell that the cursor covers. */
  readonly firstLine: number;
  readonly lastLine: number;
}
/** What the machine offers the host of its screen. */
export interface VgaText {
  cells(): VgaScreen;
  /** Lines of Unicode without the spaces at their ends, joined by newlines. */
  text(): string;
  cursor(): VgaCursor;
}

export interface VgaConfig {
  readonly clock: Clock;
  readonly ports: PortRegistrar;
  readonly memory: BusMemory;
}

const COLOUR_TEXT = 0xb8000;
const MONOCHROME_TEXT = 0xb0000;
const TEXT_BYTES = 0x8000;

/**
 * 720 x 400 at 70 Hz: 449 lines of 900 dots at 28.322 MHz, rounded to whole nanoseconds. What the status register says
 * of the beam follows this mode whatever the guest has programmed.
 */
const BEAM = { lineNs: 31_778, visibleNs: 25_422, lines: 449, visibleLines: 400, retraceFirstLine: 412, retraceLastLine: 413 } as const;

/** Registers of mode 3 (80 x 25, 16 colours), as the video BIOS of a PC leaves them. */
const MODE_3 = {
  miscellaneous: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96,
    0xb9, 0xa3, 0xff,
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff],
  attribute: [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00],
} as const;

/** Bits that exist, by index; the others read as zeros. */
const SEQUENCER_MASKS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e] as const;
const GRAPHICS_MASKS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff] as const;
const ATTRIBUTE_MODE = 0x10;

const CRTC = {
  horizontalDisplayEnd: 0x01,
  overflow: 0x07,
  maximumScanLine: 0x09,
  cursorStart: 0x0a,
  cursorEnd: 0x0b,
  startHigh: 0x0c,
  startLow: 0x0d,
  cursorHigh: 0x0e,
  cursorLow: 0x0f,
  verticalRetraceEnd: 0x11,
  verticalDisplayEnd: 0x12,
  offset: 0x13,
} as const;
/** Bit 7 of the vertical retrace end register write-protects registers 0-7, but for the line compare bit. */
const PROTECT = 0x80;
const LINE_COMPARE_BIT = 0x10;

/** The 64 colours an EGA could show, which are where the palette registers of mode 3 point. */
function defaultPalette(): Uint8Array<ArrayBuffer> {
  const palette = new Uint8Array(768);
  for (let colour = 0; colour < 64; colour++) {
    for (let channel = 0; channel < 3; channel++) {
      const full = (colour >>> (2 - channel)) & 1;
      const third = (colour >>> (5 - channel)) & 1;
      palette[colour * 3 + channel] = full * 42 + third * 21;
    }
  }
  return palette;
}

const freshState = () => ({
  miscellaneous: MODE_3.miscellaneous as number,
  featureControl: 0,
  enable: 1,
  sequencerIndex: 0,
  sequencer: Uint8Array.from(MODE_3.sequencer),
  crtcIndex: 0,
  crtc: Uint8Array.from(MODE_3.crtc),
  graphicsIndex: 0,
  graphics: Uint8Array.from(MODE_3.graphics),
  attributeIndex: 0x20,
  /** The next write to 3C0h is data. */
  attributeData: false,
  attribute: Uint8Array.from(MODE_3.attribute),
  dacMask: 0xff,
  dacReadIndex: 0,
  dacWriteIndex: 0,
  dacComponent: 0,
  /** Bits 1-0 of 3C7h: 3 after a read index was set, 0 after a write index. */
  dacState: 0,
  palette: defaultPalette(),
});

export class Vga implements Device, VgaText {
  readonly name = 'vga';
  private state = freshState();

  constructor(private readonly config: VgaConfig) {
    const handler: PortHandler = {
      byteWide: true,
      read: (port) => this.read(port),
      write: (port, _size, value) => this.write(port, value & 0xff),
    };
    config.ports.claim(0x3b4, 2, handler);
    config.ports.claim(0x3ba, 1, handler);
    config.ports.claim(0x3c0, 0x10, handler);
    config.ports.claim(0x3d4, 2, handler);
    config.ports.claim(0x3da, 1, handler);
  }

  reset(): void {
    this.state = freshState();
  }

  /** Bit 0 of the miscellaneous output register moves the CRTC and status ports from 3Bxh to 3Dxh. */
  private get colour(): boolean {
    return (this.state.miscellaneous & 0x01) !== 0;
  }
  private isAddressed(port: number): boolean {
    return (port & 0xff0) === 0x3c0 || ((port & 0xff0) === 0x3d0) === this.colour;
  }

  private read(port: number): number {
    if (!this.isAddressed(port)) return 0xff;
    const { state } = this;
    switch (port) {
      case 0x3c0:
        return state.attributeIndex;
      case 0x3c1:
        return state.attribute[state.attributeIndex & 0x1f] ?? 0;
      case 0x3c2:
        // Switch sense: a colour display. The vertical interrupt is never pending.
        return 0x10;
      case 0x3c3:
        return state.enable;
      case 0x3c4:
        return state.sequencerIndex;
      case 0x3c5:
        return state.sequencer[state.sequencerIndex] ?? 0;
      case 0x3c6:
        return state.dacMask;
      case 0x3c7:
        return state.dacState;
      case 0x3c8:
        return state.dacWriteIndex;
      case 0x3c9:
        return this.readPalette();
      case 0x3ca:
        return state.featureControl;
      case 0x3cc:
        return state.miscellaneous;
      case 0x3ce:
        return state.graphicsIndex;
      case 0x3cf:
        return state.graphics[state.graphicsIndex] ?? 0;
      case 0x3b4:
      case 0x3d4:
        return state.crtcIndex;
      case 0x3b5:
      case 0x3d5:
        return state.crtc[state.crtcIndex] ?? 0;
      case 0x3ba:
      case 0x3da:
        state.attributeData = false;
        return this.beamStatus();
      default:
        return 0xff;
    }
  }

  private write(port: number, value: number): void {
    if (!this.isAddressed(port)) return;
    const { state } = this;
    switch (port) {
      case 0x3c0:
        return this.writeAttribute(value);
      case 0x3c2:
        state.miscellaneous = value;
        return;
      case 0x3c3:
        state.enable = value & 0x01;
        return;
      case 0x3c4:
        state.sequencerIndex = value & 0x07;
        return;
      case 0x3c5:
        storeMasked(state.sequencer, SEQUENCER_MASKS, state.sequencerIndex, value);
        return;
      case 0x3c6:
        state.dacMask = value;
        return;
      case 0x3c7:
        state.dacReadIndex = value;
        state.dacComponent = 0;
        state.dacState = 3;
        return;
      case 0x3c8:
        state.dacWriteIndex = value;
        state.dacComponent = 0;
        state.dacState = 0;
        return;
      case 0x3c9:
        return this.writePalette(value);
      case 0x3ce:
        state.graphicsIndex = value & 0x0f;
        return;
      case 0x3cf:
        storeMasked(state.graphics, GRAPHICS_MASKS, state.graphicsIndex, value);
        return;
      case 0x3b4:
      case 0x3d4:
        state.crtcIndex = value & 0x3f;
        return;
      case 0x3b5:
      case 0x3d5:
        return this.writeCrtc(value);
      case 0x3ba:
      case 0x3da:
        state.featureControl = value & 0x03;
    }
  }

  /** One port for index and data, in turns; reading the status register starts over with the index. */
  private writeAttribute(value: number): void {
    const { state } = this;
    if (!state.attributeData) {
      state.attributeIndex = value & 0x3f;
    } else {
      const index = state.attributeIndex & 0x1f;
      const isPalette = index < ATTRIBUTE_MODE;
      // Palette registers can be written only while the screen is not driven from them (bit 5 clear).
      const closed = isPalette && (state.attributeIndex & 0x20) !== 0;
      if (index < state.attribute.length && !closed) state.attribute[index] = isPalette ? value & 0x3f : value;
    }
    state.attributeData = !state.attributeData;
  }

  private writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this.state;
    if (crtcIndex >= crtc.length) return;
    if (crtcIndex <= CRTC.overflow && (this.register(CRTC.verticalRetraceEnd) & PROTECT) !== 0) {
      if (crtcIndex !== CRTC.overflow) return;
      crtc[crtcIndex] = (this.register(CRTC.overflow) & ~LINE_COMPARE_BIT) | (value & LINE_COMPARE_BIT);
      return;
    }
    crtc[crtcIndex] = value;
  }

  private readPalette(): number {
    const { state } = this;
    const value = state.palette[state.dacReadIndex * 3 + state.dacComponent] as number;
    state.dacComponent = (state.dacComponent + 1) % 3;
    if (state.dacComponent === 0) state.dacReadIndex = (state.dacReadIndex + 1) & 0xff;
    return value;
  }

  private writePalette(value: number): void {
    const { state } = this;
    state.palette[state.dacWriteIndex * 3 + state.dacComponent] = value & 0x3f;
    state.dacComponent = (state.dacComponent + 1) % 3;
    if (state.dacComponent === 0) state.dacWriteIndex = (state.dacWriteIndex + 1) & 0xff;
  }

  /** Input status 1: bit 0 while nothing is displayed, bit 3 during vertical retrace. */
  private beamStatus(): number {
    const withinFrameNs = this.config.clock.nowNs % (BEAM.lineNs * BEAM.lines);
    const line = Math.floor(withinFrameNs / BEAM.lineNs);
    const blank = line >= BEAM.visibleLines || withinFrameNs % BEAM.lineNs >= BEAM.visibleNs;
    const retrace = line >= BEAM.retraceFirstLine && line <= BEAM.retraceLastLine;
    return (blank ? 0x01 : 0) | (retrace ? 0x08 : 0);
  }

  // The host's view.

  private register(index: number): number {
    return this.state.crtc[index] as number;
  }

  private geometry(): { columns: number; rows: number; lineHeight: number } {
    const overflow = this.register(CRTC.overflow);
    const lines = this.register(CRTC.verticalDisplayEnd) + ((overflow & 0x02) << 7) + ((overflow & 0x40) << 3) + 1;
    const lineHeight = (this.register(CRTC.maximumScanLine) & 0x1f) + 1;
    return { columns: this.register(CRTC.horizontalDisplayEnd) + 1, rows: Math.max(1, Math.floor(lines / lineHeight)), lineHeight };
  }

  private get startCell(): number {
    return this.register(CRTC.startHigh) * 256 + this.register(CRTC.startLow);
  }

  cells(): VgaScreen {
    const { columns, rows } = this.geometry();
    const base = this.colour ? COLOUR_TEXT : MONOCHROME_TEXT;
    // The offset register counts pairs of cells from one row to the next.
    const pitch = this.register(CRTC.offset) * 2;
    const bytes = new Uint8Array(TEXT_BYTES);
    this.config.memory.readBytes(base, bytes);
    const cells: VgaCell[] = [];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = ((this.startCell + row * pitch + column) * 2) % TEXT_BYTES;
        cells.push({ character: bytes[at] as number, attribute: bytes[at + 1] as number });
      }
    }
    return { columns, rows, cells };
  }

  text(): string {
    const { columns, rows, cells } = this.cells();
    return Array.from({ length: rows }, (_, row) =>
      cells
        .slice(row * columns, (row + 1) * columns)
        .map((cell) => CODE_PAGE_437[cell.character] as string)
        .join('')
        .replace(/ +$/, ''),
    ).join('\n');
  }

  /** Not visible when switched off, when it ends before it starts, or when it lies outside the screen. */
  cursor(): VgaCursor {
    const { columns, rows, lineHeight } = this.geometry();
    const pitch = Math.max(1, this.register(CRTC.offset) * 2);
    const cell = (this.register(CRTC.cursorHigh) * 256 + this.register(CRTC.cursorLow) - this.startCell) & 0xffff;
    const column = cell % pitch;
    const row = Math.floor(cell / pitch);
    const firstLine = this.register(CRTC.cursorStart) & 0x1f;
    const lastLine = this.register(CRTC.cursorEnd) & 0x1f;
    const off = (this.register(CRTC.cursorStart) & 0x20) !== 0;
    const visible = !off && firstLine <= lastLine && firstLine < lineHeight && column < columns && row < rows;
    return { column, row, visible, firstLine, lastLine };
  }

  save(): DeviceState {
    return copyOf(this.state);
  }

  restore(state: DeviceState): void {
    this.state = stateLike(freshState(), state, this.name);
  }
}

function storeMasked(registers: Uint8Array, masks: readonly number[], index: number, value: number): void {
  const mask = masks[index];
  if (mask !== undefined) registers[index] = value & mask;
}
