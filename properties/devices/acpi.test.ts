import fc from 'fast-check';
import { it } from 'vitest';
import { AcpiPowerManagement } from '../../engine/devices/acpi.js';
import { AcpiModel, PM_BASE } from './acpi-model.js';
import { act, agreesWithModel, out, read, wait } from './test-device-property.js';

const word = fc.oneof(fc.constantFrom(0, 1, 0x100, 0x101, 0x120, 0x8531, 0x2000, 0x2400), fc.integer({ min: 0, max: 0xffff }));
const offset = fc.oneof(
  fc.constantFrom(0, 2, 4, 8),
  fc.integer({ min: 0, max: 15 }).map((index) => index * 4),
);
/** Half a round of the timer is 2.34 s. */
const pause = fc.oneof(
  fc.integer({ min: 0, max: 1000 }),
  fc.integer({ min: 0, max: 800_000_000 }),
  fc.integer({ min: 2_340_000_000, max: 2_350_000_000 }),
);

it('counts, tells and sleeps as the model does', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 3, arbitrary: fc.tuple(fc.constantFrom(0, 2, 4), word).map(([at, value]) => out(PM_BASE + at, value, 2)) },
      { weight: 2, arbitrary: fc.tuple(offset, word, word).map(([at, low, high]) => out(PM_BASE + at, high * 0x10000 + low, 4)) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 255 }))
          .map(([at, value]) => out(PM_BASE + at, value)),
      },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          [out(0xb2, 0xf1), out(PM_BASE + 2, 0x101, 2)],
          [out(0xb2, 0xf0)],
          [out(0xb3, 5)],
          [read(0xb2)],
          [read(0xb3)],
        ),
      },
      { weight: 4, arbitrary: fc.tuple(offset, fc.constantFrom(2 as const, 4 as const)).map(([at, size]) => read(PM_BASE + at, size)) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 63 }).map((at) => read(PM_BASE + at)) },
      { weight: 3, arbitrary: fc.constant(read(PM_BASE, 2)) },
      { weight: 1, arbitrary: fc.constant(act('press the power button')) },
      { weight: 6, arbitrary: pause.map(wait) },
    ),
    build: (bench) => {
      const off = (): void => bench.record('off', true);
      const acpi = new AcpiPowerManagement({ clock: bench.clock, ports: bench, sci: bench.line('sci'), onPowerOff: off });
      bench.claim(PM_BASE, 64, acpi.registers);
      return { devices: [acpi], act: () => acpi.pressPowerButton() };
    },
    model: () => new AcpiModel(),
    act: (model) => model.pressPowerButton(),
    numRuns: 250,
    maxLength: 60,
  });
});
