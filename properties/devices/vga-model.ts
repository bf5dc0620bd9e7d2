/**
 * The VGA as a guest in text mode sees it (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"): registers with
 * their write protection, the palette, the beam of 720 x 400 at 70 Hz; and what is on its screen.
 */
import { DeviceModel } from './device-model.js';

/** Mode 3 as a video BIOS sets it. */
const CRTC_OF_MODE_3 = '5f4f50825581bf1f004f0d0e000000009c8e8f281f96b9a3ff';
const ATTRIBUTES_OF_MODE_3 = '000102030405140738393a3b3c3d3e3f0c000f0800';
const LINE_NS = 31_778;

const parse = (hex: string): number[] => [...hex.matchAll(/../g)].map(([byte]) => Number.parseInt(byte, 16));

export class VgaModel extends DeviceModel {
  private readonly sequencer = [3, 0, 3, 0, 2];
  private readonly crtc = parse(CRTC_OF_MODE_3);
  private readonly graphics = [0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff];
  private readonly attributes = parse(ATTRIBUTES_OF_MODE_3);
  private readonly indexes = { sequencer: 0, crtc: 0, graphics: 0, attribute: 0x20 };
  private attributeDataNext = false;
  private miscellaneous = 0x67;
  private feature = 0;
  private enabled = 1;
  private mask = 0xff;
  private readonly palette = Array.from({ length: 768 }, (_, i) => {
    const colour = Math.floor(i / 3);
    if (colour >= 64) return 0;
    const channel = 2 - (i % 3);
    return ((colour >> channel) & 1) * 42 + ((colour >> (channel + 3)) & 1) * 21;
  });
  /** Where the palette is read and written: entry and component, the component shared by both. */
  private readonly dac = { read: 0, write: 0, component: 0, state: 0 };

  /** `memory` has the 64 KiB from B0000h. */
  constructor(private readonly memory: Uint8Array) {
    super();
  }

  /** CRTC and status ports lie at 3Dxh with colour, at 3Bxh without. */
  private get base(): number {
    return this.miscellaneous % 2 === 1 ? 0x3d0 : 0x3b0;
  }

  override read(port: number): number {
    const { indexes, dac } = this;
    switch (port - this.base) {
      case 4:
        return indexes.crtc;
      case 5:
        return this.crtc[indexes.crtc] ?? 0;
      case 10:
        this.attributeDataNext = false;
        return this.beam;
    }
    switch (port) {
      case 0x3c0:
        return indexes.attribute;
      case 0x3c1:
        return this.attributes[indexes.attribute % 32] ?? 0;
      case 0x3c2:
        return 0x10;
      case 0x3c3:
        return this.enabled;
      case 0x3c4:
        return indexes.sequencer;
      case 0x3c5:
        return this.sequencer[indexes.sequencer] ?? 0;
      case 0x3c6:
        return this.mask;
      case 0x3c7:
        return dac.state;
      case 0x3c8:
        return dac.write;
      case 0x3c9: {
        const value = this.palette[dac.read * 3 + dac.component] as number;
        this.nextComponent('read');
        return value;
      }
      case 0x3ca:
        return this.feature;
      case 0x3cc:
        return this.miscellaneous;
      case 0x3ce:
        return indexes.graphics;
      case 0x3cf:
        return this.graphics[indexes.graphics] ?? 0;
      default:
        return 0xff;
    }
  }

  override write(port: number, value: number): void {
    const { indexes, dac } = this;
    const store = (registers: number[], index: number, masks: number[]): void => {
      if (masks[index] !== undefined) registers[index] = value & masks[index];
    };
    if (port === this.base + 4) indexes.crtc = value & 0x3f;
    else if (port === this.base + 5) this.writeCrtc(value);
    else if (port === this.base + 10) this.feature = value & 3;
    else if (port === 0x3c0) this.writeAttribute(value);
    else if (port === 0x3c2) this.miscellaneous = value;
    else if (port === 0x3c3) this.enabled = value & 1;
    else if (port === 0x3c4) indexes.sequencer = value & 7;
    else if (port === 0x3c5) store(this.sequencer, indexes.sequencer, [0x03, 0x3d, 0x0f, 0x3f, 0x0e]);
    else if (port === 0x3c6) this.mask = value;
    else if (port === 0x3c7) Object.assign(dac, { read: value, component: 0, state: 3 });
    else if (port === 0x3c8) Object.assign(dac, { write: value, component: 0, state: 0 });
    else if (port === 0x3c9) {
      this.palette[dac.write * 3 + dac.component] = value % 64;
      this.nextComponent('write');
    } else if (port === 0x3ce) indexes.graphics = value & 15;
    else if (port === 0x3cf) store(this.graphics, indexes.graphics, [15, 15, 15, 0x1f, 3, 0x7b, 15, 15, 0xff]);
  }

  private nextComponent(of: 'read' | 'write'): void {
    const { dac } = this;
    dac.component = (dac.component + 1) % 3;
    if (dac.component === 0) dac[of] = (dac[of] + 1) % 256;
  }

  private writeAttribute(value: number): void {
    const index = this.indexes.attribute % 32;
    if (!this.attributeDataNext) this.indexes.attribute = value & 0x3f;
    // The palette belongs to the screen while bit 5 of the index is set.
    else if (index < 16 && this.indexes.attribute < 32) this.attributes[index] = value & 0x3f;
    else if (index >= 16 && index < 21) this.attributes[index] = value;
    this.attributeDataNext = !this.attributeDataNext;
  }

  private writeCrtc(value: number): void {
    const index = this.indexes.crtc;
    const isProtected = ((this.crtc[0x11] as number) & 0x80) !== 0;
    if (index > 24 || (isProtected && index < 7)) return;
    const bits = isProtected && index === 7 ? 0x10 : 0xff;
    this.crtc[index] = ((this.crtc[index] as number) & ~bits) | (value & bits);
  }

  private get beam(): number {
    const line = Math.floor(this.nowNs / LINE_NS) % 449;
    const dark = line >= 400 || this.nowNs % LINE_NS >= 25_422;
    return (dark ? 1 : 0) + (line === 412 || line === 413 ? 8 : 0);
  }

  /** Characters and attributes, row by row, and the cursor. */
  screen(): unknown {
    const register = (index: number): number => this.crtc[index] as number;
    const columns = register(1) + 1;
    const lines = register(0x12) + ((register(7) & 2) !== 0 ? 256 : 0) + ((register(7) & 0x40) !== 0 ? 512 : 0) + 1;
    const height = (register(9) % 32) + 1;
    const rows = Math.max(1, Math.floor(lines / height));
    const start = register(0x0c) * 256 + register(0x0d);
    const pitch = register(0x13) * 2;
    const from = this.base === 0x3d0 ? 0x8000 : 0;
    const cells: number[] = [];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = from + (((start + row * pitch + column) * 2) % 0x8000);
        cells.push(this.memory[at] as number, this.memory[at + 1] as number);
      }
    }
    const cell = (register(0x0e) * 256 + register(0x0f) - start + 0x10000) % 0x10000;
    const column = cell % Math.max(1, pitch);
    const row = Math.floor(cell / Math.max(1, pitch));
    const [first, last] = [register(10) % 32, register(11) % 32];
    const shown = (register(10) & 0x20) === 0 && first <= last && first < height && column < columns && row < rows;
    return { columns, rows, cells, cursor: { column, row, visible: shown, firstLine: first, lastLine: last } };
  }
}
