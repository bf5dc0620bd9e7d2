/**
 * Whole input logs: what enters the devices of a machine, and at which ticks. Payloads are what the devices take (the heads
 * of engine/devices/uart.ts, keyboard.ts, mouse.ts). They shrink to fewer and earlier inputs.
 */
import fc from 'fast-check';

/** An input to be given when the machine has come to this tick. */
export interface LoggedInput {
  readonly tick: number;
  readonly device: string;
  readonly payload: Uint8Array;
}

export interface InputLogOptions {
  /** Ticks of the last input, at most. Default 1,000,000. */
  readonly maximumTick?: number;
  /** Default 40. */
  readonly maximumInputs?: number;
  /** Among serial0, serial1, keyboard, mouse. Default: all of them. Resets and the power button are left out: they end most guests. */
  readonly devices?: readonly InputDevice[];
}

export type InputDevice = 'serial0' | 'serial1' | 'keyboard' | 'mouse';

/** Letters, digits, Enter, Space, Shift, Ctrl: pressed and released, as scan codes of set 1. */
const KEYS = [0x1e, 0x30, 0x2e, 0x02, 0x0b, 0x1c, 0x39, 0x2a, 0x1d];
const EXTENDED = 0xe0;
const EXTENDED_KEYS = [0x48, 0x50, 0x4b, 0x4d, 0x1d];
const RELEASED = 0x80;

const bytes = (arbitrary: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Uint8Array> => arbitrary.map((list) => Uint8Array.from(list));
const little = (value: number, count: number): number[] => Array.from({ length: count }, (_, i) => (value >> (8 * i)) & 0xff);

const serial = bytes(
  fc.array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0, max: 0xff })), { minLength: 1, maxLength: 20 }),
);
const key = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(...KEYS).map((code) => [code]),
      fc.constantFrom(...EXTENDED_KEYS).map((code) => [EXTENDED, code]),
    ),
    fc.boolean(),
  )
  .map(([codes, released]) => codes.map((code) => (code === EXTENDED || !released ? code : code | RELEASED)));
const keyboard = bytes(fc.array(key, { minLength: 1, maxLength: 4 }).map((keys) => keys.flat()));
const movement = fc.integer({ min: -300, max: 300 });
const mouse = bytes(
  fc
    .tuple(movement, movement, fc.integer({ min: -3, max: 3 }), fc.integer({ min: 0, max: 7 }))
    .map(([dx, dy, wheel, buttons]) => [...little(dx, 2), ...little(dy, 2), wheel & 0xff, buttons]),
);
const PAYLOADS: Readonly<Record<InputDevice, fc.Arbitrary<Uint8Array>>> = { serial0: serial, serial1: serial, keyboard, mouse };
const DEVICES: readonly InputDevice[] = ['serial0', 'serial1', 'keyboard', 'mouse'];

/** Inputs in the order of their ticks; several may come at one tick. */
export function inputLog(options: InputLogOptions = {}): fc.Arbitrary<LoggedInput[]> {
  const { maximumTick = 1_000_000, maximumInputs = 40, devices = DEVICES } = options;
  const tick = fc.oneof(fc.integer({ min: 0, max: Math.min(maximumTick, 100) }), fc.integer({ min: 0, max: maximumTick }));
  const input = fc.oneof(...devices.map((device) => fc.record({ tick, device: fc.constant<string>(device), payload: PAYLOADS[device] })));
  return fc.array(input, { maxLength: maximumInputs }).map((inputs) => inputs.sort((a, b) => a.tick - b.tick));
}
