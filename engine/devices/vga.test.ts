/**
 * The VGA register file and the host's view of the screen.
 */
import { describe, expect, it } from 'vitest';
import { TestMemory } from './ata/test-ata-bench.js';
import { CODE_PAGE_437 } from './code-page-437.js';
import { TestBench } from './test-bench.js';
import { Vga } from './vga.js';

function build() {
  const bench = new TestBench();
  const memory = new TestMemory(0xc0000);
  const vga = new Vga({ clock: bench.clock, ports: bench, memory });
  vga.reset();
  const indexed = (port: number) => ({
    set: (index: number, value: number): void => {
      bench.out(port, index);
      bench.out(port + 1, value);
    },
    get: (index: number): number => {
      bench.out(port, index);
      return bench.in(port + 1);
    },
  });
  const put = (cell: number, text: string, attribute = 7): void =>
    [...text].forEach((character, index) =>
      memory.write16(0xb8000 + (((cell + index) * 2) % 0x8000), (attribute << 8) | character.charCodeAt(0)),
    );
  return { bench, memory, vga, put, crtc: indexed(0x3d4), sequencer: indexed(0x3c4), graphics: indexed(0x3ce) };
}

describe('the screen', () => {
  it('shows 80 x 25 cells of text memory', () => {
    const { vga, put } = build();
    put(0, 'replay86', 0x1f);
    put(24 * 80 + 79, '!');
    const screen = vga.cells();
    expect([screen.columns, screen.rows, screen.cells.length]).toEqual([80, 25, 2000]);
    expect(screen.cells[0]).toEqual({ character: 0x72, attribute: 0x1f });
    const lines = vga.text().split('\n');
    expect(lines.length).toBe(25);
    expect(lines[0]).toBe('replay86');
    expect(lines[1]).toBe('');
    expect(lines[24]).toBe(`${' '.repeat(79)}!`);
  });

  it('follows the start address and wraps at 32 KiB', () => {
    const { vga, put, crtc } = build();
    put(0x4000 - 80, 'before');
    put(0, 'after');
    crtc.set(0x0c, (0x4000 - 80) >> 8);
    crtc.set(0x0d, (0x4000 - 80) & 0xff);
    expect(vga.text().split('\n').slice(0, 3)).toEqual(['before', 'after', '']);
  });

  it('follows the size of cells and screen', () => {
    const { vga, crtc } = build();
    crtc.set(0x09, 0x47);
    expect(vga.cells().rows).toBe(50);
    crtc.set(0x11, 0x0e);
    crtc.set(0x01, 0x27);
    expect([vga.cells().columns, vga.cells().rows]).toEqual([40, 50]);
  });

  it('knows all of code page 437', () => {
    expect(CODE_PAGE_437.length).toBe(256);
    expect(new Set(CODE_PAGE_437).size).toBe(255);
    expect([0x01, 0x41, 0x80, 0xb3, 0xdb, 0xe1, 0xfe].map((code) => CODE_PAGE_437[code]).join('')).toBe('☺AÇ│█ß■');
  });

  it('has a cursor', () => {
    const { vga, crtc } = build();
    const place = (cell: number): void => {
      crtc.set(0x0e, cell >> 8);
      crtc.set(0x0f, cell & 0xff);
    };
    place(3 * 80 + 17);
    expect(vga.cursor()).toEqual({ column: 17, row: 3, visible: true, firstLine: 13, lastLine: 14 });
    crtc.set(0x0a, 0x2d);
    expect(vga.cursor().visible).toBe(false);
    crtc.set(0x0a, 0x0f);
    expect(vga.cursor().visible).toBe(false);
    crtc.set(0x0a, 0x00);
    expect(vga.cursor().visible).toBe(true);
    place(25 * 80);
    expect(vga.cursor().visible).toBe(false);
    crtc.set(0x0d, 80);
    expect(vga.cursor()).toMatchObject({ column: 0, row: 24, visible: true });
  });
});

describe('registers', () => {
  it('protects the timing of the CRTC, but for the line compare bit', () => {
    const { crtc } = build();
    crtc.set(0x00, 0x12);
    crtc.set(0x07, 0x00);
    expect([crtc.get(0x00), crtc.get(0x07)]).toEqual([0x5f, 0x0f]);
    crtc.set(0x11, 0x0e);
    crtc.set(0x00, 0x12);
    crtc.set(0x07, 0x00);
    expect([crtc.get(0x00), crtc.get(0x07), crtc.get(0x30)]).toEqual([0x12, 0x00, 0]);
  });

  it('takes index and data of the attribute controller in turns, from the top after a read of the status', () => {
    const { bench } = build();
    bench.in(0x3da);
    bench.out(0x3c0, 0x01);
    bench.out(0x3c0, 0x2a);
    bench.out(0x3c0, 0x21);
    expect(bench.in(0x3c1)).toBe(0x2a);
    bench.out(0x3c0, 0x15);
    expect(bench.in(0x3c1)).toBe(0x2a);
    bench.out(0x3c0, 0x30);
    bench.in(0x3da);
    bench.out(0x3c0, 0x34);
    expect(bench.in(0x3c0)).toBe(0x34);
    bench.out(0x3c0, 0x05);
    expect(bench.in(0x3c1)).toBe(0x05);
  });

  it('keeps only the bits that exist', () => {
    const { sequencer, graphics } = build();
    for (let index = 0; index < 9; index++) {
      sequencer.set(index, 0xff);
      graphics.set(index, 0xff);
    }
    expect([0, 1, 2, 3, 4].map(sequencer.get)).toEqual([0x03, 0x3d, 0x0f, 0x3f, 0x0e]);
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map(graphics.get)).toEqual([0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff]);
  });

  it('writes and reads the palette in triples', () => {
    const { bench } = build();
    bench.out(0x3c8, 255);
    for (const value of [1, 2, 0xff, 4, 5, 6]) bench.out(0x3c9, value);
    expect(bench.in(0x3c7)).toBe(0);
    bench.out(0x3c7, 255);
    expect(bench.in(0x3c7)).toBe(3);
    expect([1, 2, 3, 4, 5, 6].map(() => bench.in(0x3c9))).toEqual([1, 2, 0x3f, 4, 5, 6]);
    bench.out(0x3c7, 0x14);
    expect([bench.in(0x3c9), bench.in(0x3c9), bench.in(0x3c9)]).toEqual([42, 21, 0]);
  });

  it('answers at 3Bxh instead of 3Dxh in monochrome modes', () => {
    const { bench } = build();
    expect(bench.in(0x3b4)).toBe(0xff);
    bench.out(0x3c2, 0x66);
    expect(bench.in(0x3cc)).toBe(0x66);
    expect(bench.in(0x3d4)).toBe(0xff);
    bench.out(0x3b4, 0x0c);
    expect(bench.in(0x3b4)).toBe(0x0c);
  });

  it('shows the retraces of the beam in virtual time', () => {
    const { bench } = build();
    const status = (ns: number): number => {
      bench.tick = ns;
      return bench.in(0x3da);
    };
    const frameNs = 31_778 * 449;
    expect(status(0)).toBe(0);
    expect(status(25_421)).toBe(0);
    expect(status(25_422)).toBe(1);
    expect(status(400 * 31_778 - 1)).toBe(1);
    expect(status(400 * 31_778)).toBe(1);
    expect(status(412 * 31_778)).toBe(9);
    expect(status(414 * 31_778 - 1)).toBe(9);
    expect(status(414 * 31_778)).toBe(1);
    expect(status(7 * frameNs)).toBe(0);
  });

  it('comes back with the state', () => {
    const one = build();
    one.crtc.set(0x0c, 0x12);
    one.bench.in(0x3da);
    one.bench.out(0x3c0, 0x11);
    one.bench.out(0x3c7, 9);
    one.bench.in(0x3c9);
    const other = build();
    other.vga.restore(one.vga.save());
    expect(other.vga.save()).toEqual(one.vga.save());
    for (const { bench } of [one, other]) bench.out(0x3c0, 0x33);
    expect(other.bench.in(0x3c1)).toBe(0x33);
    expect(other.bench.in(0x3c9)).toBe(one.bench.in(0x3c9));
    expect(() => other.vga.restore({})).toThrow('vga');
  });
});
