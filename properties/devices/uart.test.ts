import fc from 'fast-check';
import { it } from 'vitest';
import { Uart } from '../../engine/devices/uart.js';
import { act, agreesWithModel, out, read, SAVE, wait } from './test-device-property.js';
import { UartModel } from './uart-model.js';

const BASE = 0x3f8;
const byte = fc.integer({ min: 0, max: 255 });
const enables = fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 15);
/** 115200, 57600 and 9600 baud. */
const divisors = fc.constantFrom(1, 2, 12);
const format = fc.constantFrom(3, 3, 3, 2, 0, 4, 7, 0x0b, 0x1e, 0x1f);
const speed = fc
  .tuple(divisors, format)
  .map(([divisor, line]) => [out(BASE + 3, 0x80), out(BASE, divisor), out(BASE + 1, 0), out(BASE + 3, line)]);
const CHARACTER_NS = 86_806;
const pause = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 0, max: CHARACTER_NS }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 6 * CHARACTER_NS }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 40 * CHARACTER_NS }) },
);

/** A few characters, below the trigger, and silence. */
const silence = fc
  .integer({ min: 1, max: 6 })
  .map((count) => [
    ...[out(BASE + 3, 3), out(BASE + 2, 0xc1), out(BASE + 1, 1), out(BASE + 4, 8), act('input', ...Array<number>(count).fill(65))],
    ...[
      wait(12 * 12 * CHARACTER_NS),
      SAVE,
      read(BASE + 2),
      act('input', 66),
      wait(12 * CHARACTER_NS),
      read(BASE + 2),
      read(BASE),
      read(BASE + 2),
    ],
  ]);
/** More characters than there is room for. */
const overrun = fc
  .tuple(fc.integer({ min: 14, max: 20 }), fc.constantFrom(0, CHARACTER_NS))
  .map(([count, ns]) => [
    ...[out(BASE + 2, 0x81), out(BASE + 4, 0x18)],
    ...Array.from({ length: count }, (_, i) => [out(BASE, i), wait(ns)]).flat(),
    ...[read(BASE + 5), read(BASE), read(BASE), read(BASE + 5)],
  ]);

it.each([0, CHARACTER_NS])('moves characters as the model does, sending one in %i ns', (transmitNs) => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 4, arbitrary: fc.array(byte, { minLength: 1, maxLength: 24 }).map((bytes) => act('input', ...bytes)) },
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 8 }).map((count) => Array.from({ length: count }, () => read(BASE))) },
      { weight: 6, arbitrary: byte.map((value) => out(BASE, value)) },
      { weight: 3, arbitrary: enables.map((value) => out(BASE + 1, value)) },
      { weight: 3, arbitrary: fc.constantFrom(1, 0x41, 0x81, 0xc1, 3, 5, 0x87, 0).map((value) => out(BASE + 2, value)) },
      { weight: 2, arbitrary: fc.constantFrom(8, 8, 11, 15, 3, 0x18, 0x1f, 0x1a).map((value) => out(BASE + 4, value)) },
      { weight: 1, arbitrary: speed },
      { weight: 1, arbitrary: silence },
      { weight: 1, arbitrary: overrun },
      { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 5, max: 7 }), byte).map(([register, value]) => out(BASE + register, value)) },
      { weight: 5, arbitrary: fc.constantFrom(2, 2, 5, 5, 6, 0, 1, 3, 4, 7).map((register) => read(BASE + register)) },
      { weight: 10, arbitrary: pause.map(wait) },
    ),
    build: (bench) => {
      const irq = bench.line('irq');
      const onTransmit = (sent: number): void => bench.record('sent', sent);
      const uart = new Uart({ name: 'serial0', ports: bench, firstPort: BASE, clock: bench.clock, irq, onTransmit, transmitNs });
      return { devices: [uart], act: (_what, bytes) => uart.input(Uint8Array.from(bytes)) };
    },
    model: () => new UartModel(transmitNs),
    act: (model, _what, bytes) => model.input(bytes),
    numRuns: 250,
    maxLength: 60,
  });
});
