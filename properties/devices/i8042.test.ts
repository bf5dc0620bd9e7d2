import fc from 'fast-check';
import { expect, it } from 'vitest';
import { I8042 } from '../../engine/devices/i8042.js';
import { Keyboard } from '../../engine/devices/keyboard.js';
import { Mouse } from '../../engine/devices/mouse.js';
import { translateToSet1 } from '../../engine/devices/scan-codes.js';
import { I8042Model, translate } from './i8042-model.js';
import { KEYS, setOneCode } from './keyboard-model.js';
import { act, agreesWithModel, type Operation, out, read, wait } from './test-device-property.js';

const byte = fc.integer({ min: 0, max: 255 });
const stroke = fc
  .tuple(fc.integer({ min: 0, max: KEYS.length - 1 }), fc.constantFrom(0, 1))
  .map(([key, pressed]) => act('key', key, pressed));
const pixels = fc.oneof(fc.integer({ min: -7, max: 7 }), fc.integer({ min: -700, max: 700 }));
const move = fc
  .tuple(pixels, pixels, fc.integer({ min: -20, max: 20 }), fc.constantFrom(0, 0, 1, 2, 4, 7, 8, 0x1f))
  .map((numbers) => act('mouse', ...numbers));

/** A byte takes 880 us; read until nothing more comes. */
const pause = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 2_000_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000_000 }) },
);
const drain: Operation[] = Array.from({ length: 5 }, () => [wait(880_000), read(0x64), read(0x60)]).flat();

const toMouse = (...bytes: number[]): Operation[] => bytes.flatMap((value) => [out(0x64, 0xd4), out(0x60, value)]);
const keyboardCommand = fc.oneof(
  fc.constantFrom([0xed, 2], [0xf3, 0x20], [0xf4], [0xf5], [0xf6], [0xf2], [0xee], [0xfe], [0xff], [0xf8], [0xfa], [0xf7]),
  fc.constantFrom(
    [0xf0, 1],
    [0xf0, 2],
    [0xf0, 3],
    [0xf0, 3],
    [0xf0, 0],
    [0xf0, 4],
    [0xfc, 0x1c, 0x63, 0xf4],
    [0xfd, 0x11, 0x14, 0xf4],
    [0xfb, 0x95],
  ),
  byte.map((value) => [value]),
);
const mouseCommand = fc.oneof(
  fc.constantFrom(
    [0xf4],
    [0xf4],
    [0xf4],
    [0xf5],
    [0xf6],
    [0xe6],
    [0xe7],
    [0xe9],
    [0xea],
    [0xeb],
    [0xf0],
    [0xee],
    [0xec],
    [0xf2],
    [0xfe],
    [0xff],
  ),
  fc.constantFrom([0xf3, 200, 0xf3, 100, 0xf3, 80], [0xf3, 200, 0xf3, 200, 0xf3, 80], [0xf3, 10], [0xf3, 11], [0xe8, 0], [0xe8, 4]),
  byte.map((value) => [value]),
);
const controllerCommand = fc.oneof(
  fc
    .constantFrom(0xa4, 0xa7, 0xa8, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0xae, 0xc0, 0xd0, 0xdd, 0xdf, 0xe0, 0x20, 0x21, 0xfe)
    .map((value) => [out(0x64, value)]),
  fc.constantFrom(0x47, 0x47, 0x03, 0x43, 0x07, 0x77, 0x00).map((value) => [out(0x64, 0x60), out(0x60, value)]),
  fc.tuple(fc.constantFrom(0xd1, 0xd2, 0xd3, 0x61, 0xa5), byte).map(([command, value]) => [out(0x64, command), out(0x60, value)]),
  byte.map((value) => [out(0x64, value)]),
);

/** More presses than the buffer has room for, of which a command forgets those inside. */
const flood = fc
  .tuple(fc.integer({ min: 14, max: 19 }), fc.constantFrom(0xf4, 0xf6))
  .map(([count, command]) => [...Array.from({ length: count }, (_, i) => act('key', i % 2, 1)), out(0x60, command), ...drain]);
/** With a wheel, or with scaling: several movements in one packet. */
const ride = fc
  .tuple(
    fc.constantFrom([0xf3, 200, 0xf3, 100, 0xf3, 80], [0xf3, 200, 0xf3, 200, 0xf3, 80], [0xe7]),
    fc.array(move, { minLength: 2, maxLength: 4 }),
  )
  .map(([mode, moves]) => [out(0x64, 0x60), out(0x60, 3), ...toMouse(...mode, 0xf4), ...drain, ...moves, ...drain, ...drain]);
/** Small counts have a table of their own. */
const scaled = fc
  .tuple(fc.integer({ min: -7, max: 7 }), fc.integer({ min: -7, max: 7 }))
  .map(([dx, dy]) => [out(0x64, 0x60), out(0x60, 3), ...toMouse(0xe7, 0xf4), ...drain, act('mouse', dx, dy, 0, 0), ...drain]);

it('translates every byte', () => {
  const bytes = Array.from({ length: 256 }, (_, code) => code);
  expect(bytes.map(translateToSet1)).toEqual(bytes.map(translate));
});

it('sends the code of set 2 for every key of set 1', () => {
  const keyboard = new Keyboard();
  const known = new Set<number>();
  for (let code = 1; code <= 0x58; code++) {
    if (code === 0x55) continue;
    keyboard.input(Uint8Array.of(code));
    const sent = keyboard.takeByte();
    expect([code, translate(sent)]).toEqual([code, code]);
    known.add(sent);
  }
  expect(known.size).toBe(0x57);
});

it('keyboard, mouse and their controller do what the models do', () => {
  agreesWithModel({
    operations: fc.oneof(
      { weight: 6, arbitrary: stroke },
      { weight: 6, arbitrary: move },
      { weight: 4, arbitrary: keyboardCommand.map((values) => values.map((value) => out(0x60, value))) },
      { weight: 4, arbitrary: mouseCommand.map((values) => toMouse(...values)) },
      { weight: 3, arbitrary: controllerCommand },
      { weight: 1, arbitrary: flood },
      { weight: 1, arbitrary: ride },
      { weight: 1, arbitrary: scaled },
      { weight: 8, arbitrary: fc.constant(drain) },
      { weight: 3, arbitrary: fc.constantFrom(read(0x60), read(0x64)) },
      { weight: 8, arbitrary: pause.map(wait) },
    ),
    build: (bench) => {
      const keyboard = new Keyboard();
      const mouse = new Mouse({ clock: bench.clock });
      const controller: I8042 = new I8042({
        ports: bench,
        clock: bench.clock,
        irq1: bench.line('irq1'),
        irq12: bench.line('irq12'),
        keyboard,
        mouse,
        onA20Change: () => bench.record('a20', controller.a20),
        onCpuReset: () => bench.record('reset', true),
      });
      const press = (key: number, pressed: boolean): void => keyboard.input(Uint8Array.from(setOneCode({ key, pressed })));
      return {
        devices: [keyboard, mouse, controller],
        act: (what, [first = 0, second = 0, wheel = 0, buttons = 0]) => {
          if (what === 'key') return press(first, second === 1);
          mouse.input(Uint8Array.of(first & 0xff, (first >> 8) & 0xff, second & 0xff, (second >> 8) & 0xff, wheel & 0xff, buttons));
        },
      };
    },
    model: () => new I8042Model(),
    act: (model, what, [first = 0, second = 0, wheel = 0, buttons = 0]) => {
      if (what === 'key') model.keyboard.type({ key: first, pressed: second === 1 });
      else model.moveMouse(first, second, wheel, buttons);
      model.settle();
    },
    nsPerTick: [1],
    numRuns: 300,
    maxLength: 50,
  });
});
