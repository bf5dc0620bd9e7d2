import fc from 'fast-check';
import { it } from 'vitest';
import { Rtc } from '../../engine/devices/rtc.js';
import { toBcd } from './device-model.js';
import { RtcModel } from './rtc-model.js';
import { agreesWithModel, type Operation, out, read, wait } from './test-device-property.js';

const CMOS = Uint8Array.from({ length: 128 }, (_, index) => index);
/** A second before a leap day. */
const EPOCH_SECONDS = Date.UTC(2024, 1, 28, 23, 59, 58) / 1000;

const register = (index: number, value: number): Operation[] => [out(0x70, index), out(0x71, value)];
const show = (index: number): Operation[] => [out(0x70, index), read(0x71)];

const flags = fc.constantFrom(0, 0x10, 0x20, 0x40, 0x70, 0x30, 0x50);
/** Alarms that come often: at a second of any minute, or at any. */
const alarmByte = fc.constantFrom(0xc0, 0xff, 0xc0, 0, 1, 2);

/** Sets format, time and alarm: just before something carries. */
const setting = fc
  .record({
    modes: fc.constantFrom(0, 2, 4, 6),
    enables: flags,
    date: fc.constantFrom([99, 12, 31], [0, 2, 28], [1, 2, 28], [4, 2, 29], [23, 4, 30], [7, 10, 9], [50, 1, 31]),
    time: fc.constantFrom([23, 59, 58], [11, 59, 59], [0, 0, 0], [12, 59, 58], [9, 19, 8], [19, 9, 59]),
    weekday: fc.integer({ min: 1, max: 7 }),
    rate: fc.integer({ min: 0, max: 15 }),
    heldNs: fc.constantFrom(0, 0, 700_000_000, 1_300_000_000),
    alarm: fc.constantFrom([0xc0, 0xc0, 0xc0], [0, 0xff, 0xc1], [0, 0, 0xc0], [59, 59, 0xc0], [1, 0, 0xf0], [0, 0, 0]),
  })
  .map(({ modes, enables, date, time, weekday, rate, heldNs, alarm }): Operation[] => {
    const encode = (value: number): number => ((modes & 4) !== 0 ? value : toBcd(value));
    const hour = (value: number): number => ((modes & 2) !== 0 ? encode(value) : encode(value % 12 || 12) + (value >= 12 ? 0x80 : 0));
    const [year = 0, month = 1, day = 1] = date;
    const [hours = 0, minutes = 0, seconds = 0] = time;
    const [alarmSeconds = 0, alarmMinutes = 0, alarmHours = 0] = alarm;
    const anyOr = (value: number, one: (value: number) => number): number => (value >= 0xc0 ? value : one(value));
    return [
      ...register(0x0a, 0x20 | rate),
      // SET takes the update interrupt away.
      ...register(0x0b, 0x90 | modes),
      ...show(0x0b),
      wait(heldNs),
      ...register(0, encode(seconds)),
      ...register(2, encode(minutes)),
      ...register(4, hour(hours)),
      ...register(6, weekday),
      ...register(7, encode(day)),
      ...register(8, encode(month)),
      ...register(9, encode(year)),
      ...register(0x32, encode(20)),
      ...register(1, anyOr(alarmSeconds, encode)),
      ...register(3, anyOr(alarmMinutes, encode)),
      ...register(5, anyOr(alarmHours, hour)),
      ...register(0x0b, modes | enables),
      ...show(0x0c),
    ];
  });

const pause = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 2_000_000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 600_000_000 }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 2, 3).map((seconds) => seconds * 1_000_000_000 + 497_772_000) },
  { weight: 2, arbitrary: fc.constantFrom(1, 10).map((seconds) => seconds * 1_000_000_000) },
);

/** The chain starts anew: the last moments before UIP and before the update. */
const firstUpdate: Operation[] = [
  ...register(0x0a, 0x70),
  ...register(0x0a, 0x26),
  wait(500_000_000 - 2_228_000 - 1),
  ...show(0x0a),
  wait(1),
  ...show(0x0a),
  wait(2_228_000 - 1),
  ...show(0),
  wait(1),
  ...show(0),
];

it('counts seconds, ticks and wakes as the model does', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 2, arbitrary: setting },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.constantFrom(0x20, 0x20, 0x20, 0x20, 0x60, 0x00, 0x70), fc.integer({ min: 0, max: 15 }))
          .map(([divider, rate]) => register(0x0a, divider | rate)),
      },
      { weight: 2, arbitrary: fc.tuple(fc.constantFrom(1, 3, 5), alarmByte).map(([index, value]) => register(index, value)) },
      { weight: 1, arbitrary: fc.constant(firstUpdate) },
      { weight: 3, arbitrary: fc.constant(show(0x0c)) },
      { weight: 2, arbitrary: fc.constant(show(0x0a)) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 127 }).map(show) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.integer({ min: 0x0c, max: 0x31 }), fc.integer({ min: 0, max: 255 }))
          .map(([index, value]) => register(index, value)),
      },
      { weight: 3, arbitrary: fc.constant([0, 2, 4, 6, 7, 8, 9, 0x32].flatMap(show)) },
      { weight: 8, arbitrary: pause.map(wait) },
    ),
    build: (bench) => ({
      devices: [new Rtc({ ports: bench, clock: bench.clock, irq8: bench.line('irq8'), epochSeconds: EPOCH_SECONDS, cmos: CMOS })],
    }),
    model: () => new RtcModel(CMOS, EPOCH_SECONDS),
    numRuns: 60,
    maxLength: 40,
  });
});
