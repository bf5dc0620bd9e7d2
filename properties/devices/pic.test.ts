import fc from 'fast-check';
import { it } from 'vitest';
import { Pic } from '../../engine/devices/pic.js';
import { PicModel } from './pic-model.js';
import { act, agreesWithModel, type Operation, out, read } from './test-device-property.js';

const byte = fc.integer({ min: 0, max: 255 });
const bit = fc.constantFrom(0, 1);
const base = fc.constantFrom(0x20, 0xa0);
const irq = fc.constantFrom(0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

/** ICW1 with or without cascade and ICW4, the words that follow, and a mask that leaves most lines open. */
const initialization = fc
  .tuple(base, fc.constantFrom(0x11, 0x11, 0x11, 0x10, 0x12, 0x13), byte, fc.constantFrom(1, 1, 3, 0x11, 0x13))
  .map(([port, first, vector, mode]): Operation[] => [
    out(port, first),
    out(port + 1, vector),
    ...((first & 2) === 0 ? [out(port + 1, 4)] : []),
    ...((first & 1) === 1 ? [out(port + 1, mode)] : []),
  ]);

it('requests, acknowledges, nests, rotates and polls as the model does', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 10, arbitrary: fc.tuple(irq, bit).map(([line, level]) => act('line', line, level)) },
      { weight: 8, arbitrary: fc.constant(act('acknowledge')) },
      { weight: 5, arbitrary: fc.tuple(base, byte).map(([port, value]) => out(port, value & 0xe7)) },
      { weight: 4, arbitrary: base.map((port) => out(port, 0x20)) },
      { weight: 2, arbitrary: initialization },
      {
        weight: 2,
        arbitrary: fc.tuple(base, fc.integer({ min: 0x08, max: 0x0f }), bit).map(([port, word, mask]) => out(port, word + 0x60 * mask)),
      },
      { weight: 2, arbitrary: fc.tuple(base, byte, byte).map(([port, one, other]) => out(port + 1, one & other)) },
      { weight: 4, arbitrary: fc.tuple(base, bit).map(([port, odd]) => read(port + odd)) },
      { weight: 1, arbitrary: fc.tuple(bit, byte).map(([chip, value]) => out(0x4d0 + chip, value)) },
      { weight: 1, arbitrary: bit.map((chip) => read(0x4d0 + chip)) },
      { weight: 1, arbitrary: fc.tuple(base, byte).map(([port, value]) => out(port, value)) },
    ),
    build: (bench) => {
      const pic = new Pic({ ports: bench });
      return {
        devices: [pic],
        act: (what, [line = 0, level]) => {
          if (what === 'line') pic.line(line).set(level === 1);
          // After everything else, too, the CPU looks at INTR.
          return what === 'acknowledge' ? [pic.acknowledge(), pic.intr] : pic.intr;
        },
      };
    },
    model: () => new PicModel(),
    act: (model, what, [line = 0, level]) => {
      if (what === 'line') model.setLine(line, level === 1);
      return what === 'acknowledge' ? [model.acknowledge(), model.int] : model.int;
    },
    nsPerTick: [1],
    numRuns: 600,
    maxLength: 60,
  });
});

it('tells the CPU of every change of INTR', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 4, arbitrary: fc.tuple(irq, bit).map(([line, level]) => act('line', line, level)) },
      { weight: 1, arbitrary: initialization },
      { weight: 2, arbitrary: base.map((port) => out(port, 0x20)) },
      { weight: 1, arbitrary: fc.tuple(base, byte).map(([port, value]) => out(port + 1, value)) },
    ),
    build: (bench) => {
      const pic = new Pic({ ports: bench });
      const intr = bench.line('intr');
      pic.onIntrChange = (level) => intr.set(level);
      return { devices: [pic], act: (_what, [line = 0, level]) => pic.line(line).set(level === 1) };
    },
    model: () =>
      new (class extends PicModel {
        override setLine(line: number, high: boolean): void {
          super.setLine(line, high);
          this.drive('intr', this.int);
        }
        override write(port: number, value: number): void {
          super.write(port, value);
          this.drive('intr', this.int);
        }
      })(),
    act: (model, _what, [line = 0, level]) => model.setLine(line, level === 1),
    nsPerTick: [1],
    numRuns: 200,
    maxLength: 40,
  });
});
