import fc from 'fast-check';
import { it } from 'vitest';
import { Dma8237 } from '../../engine/devices/dma8237.js';
import { DmaModel } from './dma-model.js';
import { agreesWithModel, out, read } from './test-device-property.js';

const port = fc.oneof(fc.integer({ min: 0, max: 0x0f }), fc.integer({ min: 0xc0, max: 0xdf }), fc.integer({ min: 0x80, max: 0x8f }));

it('remembers what the model does', () => {
  agreesWithModel({
    operations: fc.oneof(
      fc.tuple(port, fc.integer({ min: 0, max: 255 })).map(([at, value]) => out(at, value)),
      port.map((at) => read(at)),
    ),
    build: (bench) => ({ devices: [new Dma8237(bench)] }),
    model: () => new DmaModel(),
    nsPerTick: [1],
    numRuns: 200,
    maxLength: 100,
  });
});
