import fc from 'fast-check';
import { it } from 'vitest';
import { Pit } from '../../engine/devices/pit.js';
import { PitModel } from './pit-model.js';
import { agreesWithModel, out, read, wait } from './test-device-property.js';

/** No 01h: counts of 1 are forbidden in modes 2 and 3. Some are no BCD digits. */
const byte = fc.constantFrom(0, 0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x12, 0x1f, 0x25, 0x80, 0x99, 0xff);
const counter = fc.constantFrom(0, 0, 1, 2, 2);
const mode = fc.integer({ min: 0, max: 7 });
const control = fc
  .tuple(counter, fc.constantFrom(1, 2, 3, 3), mode, fc.integer({ min: 0, max: 1 }))
  .map(([select, access, chosen, bcd]) => (select << 6) | (access << 4) | (chosen << 1) | bcd);
const programmed = fc.tuple(control, byte, fc.constantFrom(0, 0, 0, 2, 0x12)).map(([word, low, high]) => {
  const port = 0x40 + (word >> 6);
  return [out(0x43, word), out(port, low), ...((word & 0x30) === 0x30 ? [out(port, high)] : [])];
});
const count = fc.tuple(counter, byte).map(([select, value]) => out(0x40 + select, value));
const PULSE_NS = 838;
const pause = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 * PULSE_NS }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 300 * PULSE_NS }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 * PULSE_NS }) },
  // Once around, in binary: what has fired must not do so again.
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 10 }).map((more) => (65_536 + more) * PULSE_NS) },
);

/** Of latches that nobody has read in between only the first counts. */
const latchedTwice = fc
  .tuple(fc.constantFrom(0xce, 0xde, 0xee), fc.constantFrom(0xce, 0xde, 0xee), pause)
  .map(([first, second, ns]) => [
    out(0x43, first),
    wait(ns),
    out(0x43, second),
    ...[0x40, 0x40, 0x40, 0x42, 0x42, 0x42].map((port) => read(port)),
  ]);

it('counts as the model does, pulse by pulse, in every mode', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 3, arbitrary: programmed },
      { weight: 1, arbitrary: control.map((word) => out(0x43, word)) },
      { weight: 3, arbitrary: count },
      { weight: 2, arbitrary: counter.map((select) => out(0x43, select << 6)) },
      { weight: 2, arbitrary: fc.integer({ min: 0xc0, max: 0xff }).map((word) => out(0x43, word)) },
      { weight: 2, arbitrary: latchedTwice },
      { weight: 5, arbitrary: counter.map((select) => read(0x40 + select)) },
      { weight: 1, arbitrary: fc.constantFrom(read(0x61), read(0x43)) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 255 }).map((value) => out(0x61, value)) },
      { weight: 10, arbitrary: pause.map(wait) },
    ),
    build: (bench) => ({ devices: [new Pit({ ports: bench, clock: bench.clock, irq0: bench.line('irq0') })] }),
    model: () => new PitModel(),
    numRuns: 150,
    maxLength: 60,
  });
});
