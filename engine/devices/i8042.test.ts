import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Device, type DeviceState, InputError } from './device.js';
import { I8042 } from './i8042.js';
import { Keyboard } from './keyboard.js';
import { keyboardPayload } from './keyboard-layout.js';
import { Mouse } from './mouse.js';
import { compareAfterReset, compareAfterRestore, TestBench } from './test-bench.js';

const BYTE_NS = 880_000;

/** Controller, keyboard and mouse as one device, as they are wired in the machine. */
class Console implements Device {
  readonly name = 'console';
  readonly keyboard = new Keyboard();
  readonly mouse: Mouse;
  readonly controller: I8042;
  constructor(readonly bench: TestBench) {
    this.mouse = new Mouse({ clock: bench.clock });
    const controller: I8042 = new I8042({
      ports: bench,
      clock: bench.clock,
      irq1: bench.line('irq1'),
      irq12: bench.line('irq12'),
      keyboard: this.keyboard,
      mouse: this.mouse,
      onA20Change: () => bench.record('a20', controller.a20),
      onCpuReset: () => bench.record('cpu reset', true),
    });
    this.controller = controller;
  }
  reset(): void {
    for (const device of [this.keyboard, this.mouse, this.controller]) device.reset();
  }
  save(): DeviceState {
    return { keyboard: this.keyboard.save(), mouse: this.mouse.save(), controller: this.controller.save() };
  }
  restore(state: DeviceState): void {
    this.keyboard.restore(state.keyboard as DeviceState);
    this.mouse.restore(state.mouse as DeviceState);
    this.controller.restore(state.controller as DeviceState);
  }

  command(...bytes: number[]): this {
    this.bench.out(0x64, bytes[0]!);
    for (const byte of bytes.slice(1)) this.bench.out(0x60, byte);
    return this;
  }
  /** Everything that comes within the next bytes' time, as [status bit 5 ? 'm' : 'k'] + hex. */
  readAll(byteTimes = 40): string {
    const bytes: string[] = [];
    for (let index = 0; index < byteTimes; index++) {
      const status = this.bench.in(0x64);
      if ((status & 1) !== 0) bytes.push(((status & 0x20) !== 0 ? 'm' : '') + this.bench.in(0x60).toString(16).padStart(2, '0'));
      this.bench.advance(BYTE_NS);
    }
    return bytes.join(' ');
  }
  keyboardCommand(...bytes: number[]): string {
    const replies: string[] = [];
    for (const byte of bytes) {
      this.bench.out(0x60, byte);
      replies.push(this.readAll(6));
    }
    return replies.join(' ');
  }
  mouseCommand(...bytes: number[]): string {
    const replies: string[] = [];
    for (const byte of bytes) {
      this.command(0xd4, byte);
      replies.push(this.readAll(7));
    }
    return replies.join(' ').replaceAll('m', '');
  }
  type(...codes: number[]): this {
    this.keyboard.input(Uint8Array.from(codes));
    return this;
  }
  move(dx: number, dy: number, wheel = 0, buttons = 0): this {
    const view = new DataView(new ArrayBuffer(6));
    view.setInt16(0, dx, true);
    view.setInt16(2, dy, true);
    view.setInt8(4, wheel);
    view.setUint8(5, buttons);
    this.mouse.input(new Uint8Array(view.buffer));
    return this;
  }
}

function build(): Console {
  const pc = new Console(new TestBench());
  pc.reset();
  return pc;
}

describe('keyboard controller', () => {
  it('answers its own commands at once', () => {
    const pc = build();
    const ask = (...bytes: number[]): number => {
      pc.command(...bytes);
      expect(pc.bench.in(0x64) & 1).toBe(1);
      return pc.bench.in(0x60);
    };
    expect(ask(0x20)).toBe(0x41);
    expect(pc.bench.in(0x64)).toBe(0x18);
    expect(ask(0xaa)).toBe(0x55);
    expect(pc.bench.in(0x64)).toBe(0x1c);
    expect([ask(0xa9), ask(0xab), ask(0xa4), ask(0xc0), ask(0xd0)]).toEqual([0, 0, 0xf1, 0xa0, 0xcf]);
    pc.command(0xa7).command(0xad);
    expect([ask(0x20), ask(0xe0)]).toEqual([0x75, 0]);
    pc.command(0xa8).command(0xae);
    expect([ask(0x20), ask(0xe0)]).toEqual([0x45, 3]);
    pc.command(0x60, 0x03).command(0x7f, 0x99);
    expect([ask(0x20), ask(0x3f)]).toEqual([0x03, 0x99]);
    pc.command(0xa5, 0x11, 0x22, 0x00);
    expect(pc.bench.in(0x64) & 0x08).toBe(0);
    expect(pc.keyboardCommand(0xee)).toBe('ee');
  });

  it('opens and closes A20 and resets the CPU', () => {
    const pc = build();
    pc.command(0xd1, 0xdd).command(0xd1, 0xdf).command(0xdd).command(0xdf).command(0xdf);
    expect(pc.bench.take('a20').map((event) => event.value)).toEqual([false, true, false, true]);
    pc.command(0xfe).command(0xff).command(0xf1);
    expect(pc.bench.take('cpu reset')).toHaveLength(1);
    pc.command(0xd1, 0xde);
    expect(pc.bench.take('cpu reset')).toHaveLength(1);
    pc.command(0xdd);
    pc.controller.reset();
    expect(pc.controller.a20).toBe(true);
  });

  it('loops bytes back as keyboard or mouse, with their interrupts', () => {
    const pc = build().command(0x60, 0x43);
    pc.bench.take();
    pc.command(0xd2, 0x5a);
    expect([pc.bench.in(0x64) & 0x21, pc.bench.in(0x60)]).toEqual([0x01, 0x5a]);
    pc.command(0xd3, 0xa5);
    expect([pc.bench.in(0x64) & 0x21, pc.bench.in(0x60)]).toEqual([0x21, 0xa5]);
    expect(pc.bench.take().map((event) => [event.what, event.value])).toEqual([
      ['irq1', true],
      ['irq1', false],
      ['irq12', true],
      ['irq12', false],
    ]);
    pc.command(0x60, 0x40).command(0xd2, 1);
    expect(pc.bench.events).toEqual([]);
  });

  it('lets an answer wait for the byte before it', () => {
    const pc = build().type(0x1e);
    pc.bench.advance(BYTE_NS);
    pc.command(0xaa);
    expect([pc.bench.in(0x60), pc.bench.in(0x60), pc.bench.in(0x64) & 1]).toEqual([0x1e, 0x55, 0]);
  });

  it('shows a byte until the next one has come over the link', () => {
    const pc = build().type(0x1e, 0x9e);
    pc.bench.advance(BYTE_NS - 1);
    expect(pc.bench.in(0x64) & 1).toBe(0);
    pc.bench.advance(1);
    expect([pc.bench.in(0x60), pc.bench.in(0x60)]).toEqual([0x1e, 0x1e]);
    // The break code is two bytes of set 2.
    pc.bench.advance(2 * BYTE_NS - 1);
    expect(pc.bench.in(0x64) & 1).toBe(0);
    pc.bench.advance(1);
    expect(pc.bench.in(0x60)).toBe(0x9e);
    expect(pc.bench.take('irq1').map((event) => event.value)).toEqual([true, false, true, false]);
  });

  it('holds the links while its buffer is full, and while both have something lets the keyboard go first', () => {
    const pc = build().command(0x60, 0x43);
    expect(pc.mouseCommand(0xf4)).toBe('fa');
    pc.move(1, 0).type(0x1e, 0x30);
    pc.bench.advance(100 * BYTE_NS);
    expect(pc.readAll()).toBe('1e 30 m08 m01 m00');
  });

  it('forgets a parameter it waits for when another command comes', () => {
    const pc = build().command(0x60).command(0x20);
    expect(pc.bench.in(0x60)).toBe(0x41);
    expect(pc.keyboardCommand(0xee)).toBe('ee');
    expect(pc.command(0x20).bench.in(0x60)).toBe(0x41);
  });

  it('raises and drops interrupts with the command byte', () => {
    const pc = build().command(0xd2, 0x11);
    pc.bench.take();
    pc.command(0x60, 0x40).command(0x60, 0x41);
    expect(pc.bench.take('irq1').map((event) => event.value)).toEqual([false, true]);
  });

  it('holds a disabled keyboard, and opens the link when the host talks to it', () => {
    const pc = build().command(0xad).type(0x1e);
    expect(pc.readAll()).toBe('');
    expect(pc.keyboardCommand(0xee)).toBe('ee 1e');
  });
});

describe('keyboard', () => {
  it('gives back, translated, what was put in: every key of set 1', () => {
    const pc = build();
    for (let code = 1; code < 0x60; code++) expect(pc.type(code, code | 0x80).readAll(10)).toBe(`${hex(code)} ${hex(code | 0x80)}`);
    expect(pc.type(0xe0, 0x48, 0xe0, 0xc8).readAll()).toBe('e0 48 e0 c8');
    expect(pc.type(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5).readAll()).toBe('e1 1d 45 e1 9d c5');
  });

  it('sends sets 1, 2 and 3', () => {
    const pc = build().command(0x60, 0x01);
    const keys = [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xc1];
    expect(pc.type(...keys).readAll()).toBe('1c f0 1c e0 75 e0 f0 75 83 f0 83');
    expect(pc.type(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5).readAll()).toBe('e1 14 77 e1 f0 14 f0 77');
    expect(pc.keyboardCommand(0xf0, 0x01)).toBe('fa fa');
    expect(pc.type(...keys).readAll()).toBe('1e 9e e0 48 e0 c8 41 c1');
    expect(pc.keyboardCommand(0xf0, 0x03, 0xf0, 0x00)).toBe('fa fa fa fa 03');
    expect(pc.type(...keys, 0x2a, 0xaa, 0xe1, 0x1d, 0x45).readAll()).toBe('1c 63 37 12 f0 12 62');
    expect(pc.keyboardCommand(0xf8)).toBe('fa');
    expect(pc.type(...keys).readAll()).toBe('1c f0 1c 63 f0 63 37 f0 37');
    expect(pc.keyboardCommand(0xfd, 0x1c, 0xf4)).toBe('fa fa fa');
    expect(pc.type(...keys).readAll()).toBe('1c 63 f0 63 37 f0 37');
    expect(pc.keyboardCommand(0xf0, 0x04)).toBe('fa fe');
  });

  it('keeps keys that come while it waits for the number of a set, whatever the number', () => {
    for (const [option, answer] of [
      [0x00, [0xfa, 0x02]],
      [0x04, [0xfe]],
      [0x02, [0xfa]],
    ] as const) {
      const keyboard = new Keyboard();
      keyboard.input(Uint8Array.of(0x1e));
      keyboard.receiveByte(0xf0);
      keyboard.input(Uint8Array.of(0x30));
      keyboard.receiveByte(option);
      const sent: number[] = [];
      while (keyboard.hasByte) sent.push(keyboard.takeByte());
      expect(sent).toEqual([...answer, 0x32]);
    }
  });

  it('answers commands', () => {
    const pc = build();
    expect(pc.keyboardCommand(0xf2)).toBe('fa ab 41');
    expect(pc.keyboardCommand(0xed, 0x07)).toBe('fa fa');
    expect(pc.keyboard.lights).toBe(7);
    const restored = new Keyboard();
    restored.restore(pc.keyboard.save());
    expect(restored.lights).toBe(7);
    expect(pc.keyboardCommand(0xf3, 0x20, 0xfe)).toBe('fa fa fa');
    expect(pc.keyboardCommand(0xf1)).toBe('fe');
    expect(pc.keyboardCommand(0xed, 0xee)).toBe('fa ee');
    expect(pc.keyboardCommand(0xff)).toBe('fa aa');
    expect(pc.keyboard.lights).toBe(0);
  });

  it('waits with typing while scanning is disabled or the buffer is full', () => {
    const pc = build();
    expect(pc.keyboardCommand(0xf5)).toBe('fa');
    const codes = [...keyboardPayload('Hello, World 1234567890\n')];
    expect(pc.type(...codes).readAll(2)).toBe('');
    pc.bench.out(0x60, 0xf4);
    expect(pc.readAll(200)).toBe(['fa', ...codes.map(hex)].join(' '));
  });

  it('refuses what is no key, before anything has changed', () => {
    const pc = build();
    for (const codes of [[0x1e, 0xe0], [0x00], [0x1e, 0x80], [0xe1, 0x1d], [0xe1, 0x1e, 0x45], [0xe0, 0x00]]) {
      expect(() => pc.type(...codes)).toThrow(InputError);
    }
    expect(pc.readAll()).toBe('');
  });
});

describe('keyboard layout', () => {
  it('types characters with Shift, keys by name and chords', () => {
    expect([...keyboardPayload('aB\n')]).toEqual([0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0x1c, 0x9c]);
    expect([...keyboardPayload('{Ctrl+Alt+Delete}')]).toEqual([0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d]);
    expect([...keyboardPayload('{Ctrl+c}{Pause}')]).toEqual([0x1d, 0x2e, 0xae, 0x9d, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
    expect([...keyboardPayload('{{}')]).toEqual([0x2a, 0x1a, 0x9a, 0xaa, 0x2a, 0x1b, 0x9b, 0xaa]);
    expect([...keyboardPayload('{Ctrl++}')]).toEqual([0x1d, 0x2a, 0x0d, 0x8d, 0xaa, 0x9d]);
  });

  it('has every printable ASCII character', () => {
    for (let code = 0x20; code < 0x7f; code++) {
      const character = String.fromCharCode(code);
      expect(keyboardPayload(character === '{' ? '{{' : character).length).toBeGreaterThanOrEqual(2);
    }
  });

  it('refuses what it does not have', () => {
    for (const text of ['é', '{Hyper}', '{Enter', '{}']) expect(() => keyboardPayload(text)).toThrow(InputError);
  });
});

describe('mouse', () => {
  function enabled(): Console {
    const pc = build().command(0x60, 0x47);
    expect(pc.mouseCommand(0xff)).toBe('fa aa 00');
    expect(pc.mouseCommand(0xf4)).toBe('fa');
    pc.bench.take();
    return pc;
  }
  const packets = (pc: Console, byteTimes = 40): string => pc.readAll(byteTimes).replaceAll('m', '');

  it('sends packets of three bytes with IRQ 12', () => {
    const pc = enabled().move(5, -3, 0, 1);
    expect(packets(pc)).toBe('29 05 fd');
    expect(pc.bench.take('irq12').filter((event) => event.value === true)).toHaveLength(3);
    expect(packets(pc.move(0, 0, 3, 1))).toBe('');
    expect(packets(pc.move(0, 0, 0, 0))).toBe('08 00 00');
  });

  it('adds movement up within a sample period, keeps button changes apart and spreads what is too far', () => {
    const pc = enabled().move(1, 0).move(2, 0).move(3, 1).move(0, 0, 0, 1).move(0, 0, 0, 0);
    const times = 10e6 / BYTE_NS;
    expect(packets(pc, 4)).toBe('08 01 00');
    expect(packets(pc, Math.ceil(4 * times))).toBe('08 05 01 09 00 00 08 00 00');
    expect(packets(pc.move(-600, 300), 60)).toBe('18 01 ff 18 01 2d 18 a6 00');
  });

  it('keeps to the sample rate', () => {
    const pc = enabled();
    expect(pc.mouseCommand(0xf3, 20)).toBe('fa fa');
    pc.bench.take();
    const start = pc.bench.clock.nowNs;
    pc.move(1, 0);
    pc.bench.in(0x60);
    pc.move(1, 0);
    packets(pc, 100);
    const rises = pc.bench.take('irq12').filter((event) => event.value === true);
    expect(rises).toHaveLength(6);
    expect(rises[0]!.ns).toBe(start + BYTE_NS);
    expect(rises[3]!.ns).toBe(start + 50_000_000 + BYTE_NS);
  });

  it('becomes an IntelliMouse by the knock of sample rates', () => {
    const pc = enabled();
    expect(pc.mouseCommand(0xf2)).toBe('fa 00');
    pc.mouseCommand(0xf3, 200, 0xf3, 100, 0xf3, 80);
    expect(pc.mouseCommand(0xf2)).toBe('fa 03');
    expect(packets(pc.move(1, 2, -1, 4))).toBe('0c 01 02 ff');
    pc.mouseCommand(0xf3, 200, 0xf3, 200, 0xf3, 80);
    expect(pc.mouseCommand(0xf2)).toBe('fa 04');
    expect(packets(pc.move(0, 0, -1, 0x1c))).toBe('0c 00 00 3f');
    expect(pc.mouseCommand(0xff, 0xf2)).toBe('fa aa 00 fa 00');
  });

  it('answers status, scaling, resolution, remote and wrap mode', () => {
    const pc = enabled();
    expect(pc.mouseCommand(0xe7, 0xe8, 0x03, 0xe9)).toBe('fa fa fa fa 30 03 64');
    expect(packets(pc.move(3, -6))).toBe('28 03 f4');
    expect(pc.mouseCommand(0xe8, 0x04)).toBe('fa fe');
    expect(pc.mouseCommand(0xf3, 0x55)).toBe('fa fe');
    expect(pc.mouseCommand(0xf0)).toBe('fa');
    pc.move(7, 0, 0, 2);
    expect(packets(pc)).toBe('');
    expect(pc.mouseCommand(0xe9)).toBe('fa 71 03 64');
    expect(pc.mouseCommand(0xeb)).toBe('fa 0a 07 00');
    expect(pc.mouseCommand(0xfe)).toBe('fa 0a 07 00');
    expect(pc.mouseCommand(0xee, 0x12, 0xf2, 0xec, 0xe1)).toBe('fa 12 f2 fa fe');
    expect(pc.mouseCommand(0xf6, 0xe9)).toBe('fa fa 01 02 64');
  });

  it('refuses payloads it does not understand', () => {
    const pc = enabled();
    expect(() => pc.mouse.input(new Uint8Array(5))).toThrow(InputError);
    expect(() => pc.mouse.input(Uint8Array.of(1, 0, 0, 0, 0, 0x20))).toThrow(InputError);
    expect(packets(pc)).toBe('');
  });
});

describe('state of controller, keyboard and mouse', () => {
  type Action =
    | { kind: 'pass'; ns: number }
    | { kind: 'read'; port: number }
    | { kind: 'write'; port: number; value: number }
    | { kind: 'mouse'; value: number }
    | { kind: 'type'; text: string }
    | { kind: 'move'; dx: number; dy: number; wheel: number; buttons: number };
  const value = fc.oneof(fc.nat(255), fc.integer({ min: 0xe6, max: 0xff }), fc.constantFrom(0xf3, 200, 100, 80, 0xf4, 0x60, 0x47, 0xd4));
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ns: fc.oneof(fc.nat(1_000_000), fc.nat(30_000_000)) }),
    fc.record({ kind: fc.constant('read' as const), port: fc.constantFrom(0x60, 0x60, 0x64) }),
    fc.record({ kind: fc.constant('write' as const), port: fc.constantFrom(0x60, 0x64), value }),
    fc.record({ kind: fc.constant('mouse' as const), value }),
    fc.record({ kind: fc.constant('type' as const), text: fc.constantFrom('a', 'Xy', '{Pause}', '{Ctrl+Up}', 'some longer text') }),
    fc.record({
      kind: fc.constant('move' as const),
      dx: fc.integer({ min: -700, max: 700 }),
      dy: fc.integer({ min: -9, max: 9 }),
      wheel: fc.integer({ min: -20, max: 20 }),
      buttons: fc.nat(31),
    }),
  );
  function act(bench: TestBench, pc: Console, step: Action): unknown {
    switch (step.kind) {
      case 'pass':
        return bench.advance(step.ns);
      case 'read':
        return bench.in(step.port);
      case 'write':
        return bench.out(step.port, step.value);
      case 'mouse':
        pc.command(0xd4, step.value);
        return undefined;
      case 'type':
        return pc.keyboard.input(keyboardPayload(step.text));
      case 'move':
        pc.move(step.dx, step.dy, step.wheel, step.buttons);
        return undefined;
    }
  }
  const steps = fc.array(action, { maxLength: 60 });

  it('is after reset what it was at first, but for what is still to be typed and the buttons held', () => {
    const noInput = steps.map((actions) => actions.filter((step) => step.kind !== 'type' && step.kind !== 'move'));
    fc.assert(
      fc.property(noInput, (actions) => {
        const { used, fresh } = compareAfterReset((bench) => new Console(bench), act, actions);
        expect(used).toEqual(fresh);
      }),
      { seed: 42, numRuns: 100 },
    );
  });

  it('continues after restore as it would have', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const { original, restored } = compareAfterRestore((bench) => new Console(bench), act, before, after);
        expect(restored).toEqual(original);
      }),
      { seed: 8042, numRuns: 200 },
    );
  });
});

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
