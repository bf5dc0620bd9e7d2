import fc from 'fast-check';
import { it } from 'vitest';
import { TestMemory } from '../../engine/devices/ata/test-ata-bench.js';
import { Vga } from '../../engine/devices/vga.js';
import { act, agreesWithModel, type Operation, out, read, wait } from './test-device-property.js';
import { VgaModel } from './vga-model.js';

const byte = fc.integer({ min: 0, max: 255 });
const PORTS = [
  0x3c0, 0x3c1, 0x3c2, 0x3c3, 0x3c4, 0x3c5, 0x3c6, 0x3c7, 0x3c8, 0x3c9, 0x3ca, 0x3cc, 0x3ce, 0x3cf, 0x3b4, 0x3b5, 0x3ba, 0x3d4, 0x3d5,
  0x3da,
];
const port = fc.constantFrom(...PORTS);

/** An index and its register, written and read again. */
const register = fc
  .tuple(fc.constantFrom(0x3c4, 0x3ce, 0x3d4, 0x3d4), fc.integer({ min: 0, max: 0x1a }), byte)
  .map(([index, number, value]): Operation[] => [out(index, number), out(index + 1, value), read(index + 1)]);
const attribute = fc
  .tuple(fc.integer({ min: 0, max: 0x3f }), byte)
  .map(([index, value]): Operation[] => [read(0x3da), out(0x3c0, index), out(0x3c0, value), read(0x3c1)]);
const palette = fc
  .tuple(byte, fc.array(byte, { maxLength: 7 }))
  .map(([first, values]): Operation[] => [
    out(0x3c8, first),
    ...values.map((value) => out(0x3c9, value)),
    out(0x3c7, first),
    ...values.map(() => read(0x3c9)),
  ]);
/** Start address, cursor, geometry. */
const view = fc
  .tuple(fc.constantFrom(1, 7, 9, 10, 11, 12, 13, 14, 15, 0x12, 0x13), byte)
  .map(([index, value]): Operation[] => [out(0x3d4, 0x11), out(0x3d5, 0x0e), out(0x3d4, index), out(0x3d5, value), act('look')]);

/** Mostly whole lines, so that the beam stays at the beginning of one; often those of the retrace. */
const LINE_NS = 31_778;
const line = fc.oneof(fc.integer({ min: 0, max: 449 }), fc.integer({ min: 410, max: 415 }), fc.constantFrom(0, 1, 35, 399, 400));
const beam = fc.tuple(line, fc.constantFrom(0, 0, 0, 0, 25_421, 25_422)).map(([lines, ns]) => lines * LINE_NS + ns);

/** Every line of a frame. */
const frame = Array.from({ length: 449 }, () => [wait(LINE_NS), read(0x3da)]).flat();

it('keeps registers, and shows the screen that the model does', () => {
  let text = new TestMemory(0);
  agreesWithModel({
    operations: fc.oneof(
      { weight: 3, arbitrary: fc.tuple(port, byte).map(([at, value]) => out(at, value)) },
      { weight: 3, arbitrary: port.map((at) => read(at)) },
      { weight: 3, arbitrary: register },
      { weight: 2, arbitrary: attribute },
      { weight: 1, arbitrary: palette },
      { weight: 3, arbitrary: view },
      { weight: 1, arbitrary: fc.constant([out(0x3c2, 0x67), act('look')]) },
      { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 0, max: 0xffff }), byte).map(([at, value]) => act('put', at, value)) },
      { weight: 1, arbitrary: fc.constant(frame) },
      { weight: 3, arbitrary: beam.map((ns) => [wait(ns), read(0x3da)]) },
    ),
    build: (bench) => {
      const memory = new TestMemory(0xc0000);
      memory.bytes.set(text.bytes, 0xb0000);
      const vga = new Vga({ clock: bench.clock, ports: bench, memory });
      return {
        devices: [vga],
        act: (what, [at = 0, value = 0]) => {
          if (what === 'put') return memory.write8(0xb0000 + at, value);
          const { columns, rows, cells } = vga.cells();
          return { columns, rows, cells: cells.flatMap((cell) => [cell.character, cell.attribute]), cursor: vga.cursor() };
        },
      };
    },
    model: () => {
      text = new TestMemory(0x10000);
      return new VgaModel(text.bytes);
    },
    act: (model, what, [at = 0, value = 0]) => {
      if (what !== 'put') return model.screen();
      text.write8(at, value);
      return undefined;
    },
    nsPerTick: [1],
    numRuns: 30,
    maxLength: 60,
  });
});
