import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareAfterReset, compareAfterRestore, TestBench } from './test-bench.js';
import { Uart } from './uart.js';

const BASE = 0x3f8;
const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7] as const;
/** A character of 8N1 at 115200 baud: 160 of 1843200 cycles a second. */
const CHARACTER_NS = Math.ceil((160 * 1e9) / 1_843_200);

function build(bench: TestBench, transmitNs?: number): Uart {
  return new Uart({
    name: 'serial0',
    ports: bench,
    firstPort: BASE,
    clock: bench.clock,
    irq: bench.line('irq4'),
    onTransmit: (byte) => bench.record('transmit', byte),
    ...(transmitNs === undefined ? {} : { transmitNs }),
  });
}

class UartBench {
  readonly bench = new TestBench();
  readonly uart: Uart;
  constructor(transmitNs?: number) {
    this.uart = build(this.bench, transmitNs);
    this.uart.reset();
  }
  get(register: number): number {
    return this.bench.in(BASE + register);
  }
  set(register: number, value: number): this {
    this.bench.out(BASE + register, value);
    return this;
  }
  /** 115200 8N1, FIFOs with the given trigger (none when undefined), OUT2. */
  open(ier: number, fifoControl?: number): this {
    this.set(LCR, 0x83).set(DATA, 1).set(IER, 0).set(LCR, 0x03);
    if (fifoControl !== undefined) this.set(FCR, fifoControl);
    return this.set(MCR, 0x0b).set(IER, ier);
  }
  send(text: string): this {
    this.uart.input(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    return this;
  }
  pass(characters: number): this {
    this.bench.advance(characters * CHARACTER_NS);
    return this;
  }
  readAll(): string {
    let text = '';
    while ((this.get(LSR) & 1) !== 0) text += String.fromCharCode(this.get(DATA));
    return text;
  }
  transmitted(): string {
    return String.fromCharCode(...this.bench.take('transmit').map((event) => Number(event.value)));
  }
  get irq(): boolean {
    return (this.bench.events.filter((event) => event.what === 'irq4').at(-1)?.value ?? false) === true;
  }
}

describe('16550 registers', () => {
  it('has the values of table III after reset', () => {
    const serial = new UartBench();
    expect([IER, IIR, LCR, MCR, LSR, MSR].map((register) => serial.get(register))).toEqual([0, 1, 0, 0, 0x60, 0xb0]);
  });

  it('keeps what can be written, and only that', () => {
    const serial = new UartBench();
    serial.set(IER, 0xff).set(MCR, 0xff).set(SCR, 0xa5).set(LCR, 0x7f);
    expect([IER, MCR, SCR, LCR].map((register) => serial.get(register))).toEqual([0x0f, 0x1f, 0xa5, 0x7f]);
    serial.set(LCR, 0x80).set(DATA, 0x34).set(IER, 0x12);
    expect([serial.get(DATA), serial.get(IER)]).toEqual([0x34, 0x12]);
    serial.set(LCR, 0x03);
    expect(serial.get(IER)).toBe(0x0f);
  });

  it('shows FIFOs in the identification register when they are enabled', () => {
    const serial = new UartBench();
    expect(serial.get(IIR)).toBe(0x01);
    expect(serial.set(FCR, 0x01).get(IIR)).toBe(0xc1);
    expect(serial.set(FCR, 0x00).get(IIR)).toBe(0x01);
  });
});

describe('16550 receiver', () => {
  it('takes bytes at the speed of the line, in order, and loses none', () => {
    const serial = new UartBench().open(0, 0x01).send('abc');
    serial.bench.advance(CHARACTER_NS - 1);
    expect(serial.get(LSR)).toBe(0x60);
    serial.bench.advance(1);
    expect(serial.get(LSR)).toBe(0x61);
    expect(serial.get(DATA)).toBe(0x61);
    expect(serial.pass(2).readAll()).toBe('bc');
    const text = 'the quick brown fox jumps over the lazy dog';
    serial.send(text).pass(1000);
    expect(serial.uart.incomingBytes).toBe(text.length - 16);
    let received = '';
    for (let index = 0; index < 10; index++) received += serial.pass(20).readAll();
    expect(received).toBe(text);
  });

  it('counts the end of a ring only when the ring line falls', () => {
    const serial = new UartBench().set(MCR, 0x10);
    serial.get(MSR);
    serial.set(MCR, 0x14);
    expect(serial.get(MSR)).toBe(0x40);
    serial.set(MCR, 0x16);
    expect(serial.get(MSR)).toBe(0x51);
    serial.set(MCR, 0x10);
    expect(serial.get(MSR)).toBe(0x05);
  });

  it('has line times that follow divisor and word format', () => {
    const arrival = (lcr: number, divisor: number): number => {
      const serial = new UartBench();
      serial
        .set(LCR, 0x80)
        .set(DATA, divisor & 0xff)
        .set(IER, divisor >> 8)
        .set(LCR, lcr)
        .send('x');
      return serial.bench.clock.nextDueNs;
    };
    const ns = (bits: number, divisor: number): number => Math.ceil((bits * 16 * divisor * 1e9) / 1_843_200);
    expect(arrival(0x03, 12)).toBe(ns(10, 12));
    expect(arrival(0x1f, 12)).toBe(ns(12, 12));
    expect(arrival(0x04, 1)).toBe(ns(7.5, 1));
    expect(arrival(0x02, 0x180)).toBe(ns(9, 0x180));
    expect(arrival(0x03, 0)).toBe(ns(10, 65536));
  });

  it('cuts characters to the word length', () => {
    const serial = new UartBench().open(0).set(LCR, 0x02).send('\xff').pass(2);
    expect(serial.get(DATA)).toBe(0x7f);
  });

  it('interrupts for each character without FIFOs', () => {
    const serial = new UartBench().open(0x01).send('ab').pass(1);
    expect([serial.irq, serial.get(IIR)]).toEqual([true, 0x04]);
    serial.get(DATA);
    expect([serial.irq, serial.get(IIR)]).toEqual([false, 0x01]);
    serial.pass(1);
    expect(serial.irq).toBe(true);
  });

  it('interrupts at the trigger level, and below it after four silent characters', () => {
    for (const [fifoControl, trigger] of [
      [0x01, 1],
      [0x41, 4],
      [0x81, 8],
      [0xc1, 14],
    ] as const) {
      const serial = new UartBench()
        .open(0x01, fifoControl)
        .send('0123456789abcdef')
        .pass(trigger - 1);
      expect(serial.irq).toBe(false);
      serial.pass(1);
      expect([serial.irq, serial.get(IIR)]).toEqual([true, 0xc4]);
    }
    const serial = new UartBench().open(0x01, 0x81).send('hey').pass(3);
    serial.bench.advance(4 * CHARACTER_NS - 1);
    expect([serial.irq, serial.get(IIR)]).toEqual([false, 0xc1]);
    serial.bench.advance(1);
    expect([serial.irq, serial.get(IIR)]).toEqual([true, 0xcc]);
    serial.get(DATA);
    expect([serial.irq, serial.get(IIR)]).toEqual([false, 0xc1]);
    serial.pass(4);
    expect([serial.irq, serial.readAll(), serial.get(IIR)]).toEqual([true, 'ey', 0xc1]);
    expect(serial.bench.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
  });

  it('keeps its timeout interrupt when another character comes, until one is read', () => {
    const serial = new UartBench().open(0x01, 0x81).send('a').pass(5);
    expect(serial.irq).toBe(true);
    serial.send('b').pass(1);
    expect([serial.irq, serial.get(IIR)]).toEqual([true, 0xcc]);
    serial.get(DATA);
    expect([serial.irq, serial.get(IIR)]).toEqual([false, 0xc1]);
  });

  it('counts its silence from when a looped character came, not from the tick that saw it', () => {
    const bench = new TestBench(1000);
    build(bench, 100).reset();
    for (const [register, value] of [
      [LCR, 0x83],
      [DATA, 1],
      [IER, 0],
      [LCR, 3],
      [FCR, 0x81],
      [IER, 1],
      [MCR, 0x18],
      [DATA, 65],
    ] as const) {
      bench.out(BASE + register, value);
    }
    bench.advance(1_000_000);
    const silenceNs = 100 + 4 * CHARACTER_NS;
    expect(bench.take('irq4')).toEqual([{ ns: Math.ceil(silenceNs / 1000) * 1000, what: 'irq4', value: true }]);
    expect(Math.ceil((1000 + 4 * CHARACTER_NS) / 1000)).not.toBe(Math.ceil(silenceNs / 1000));
  });

  it('throws the FIFO away on request', () => {
    const serial = new UartBench().open(0, 0x01).send('abc').pass(2).set(FCR, 0x03);
    expect(serial.get(LSR)).toBe(0x60);
    expect(serial.pass(1).readAll()).toBe('c');
  });
});

describe('16550 transmitter', () => {
  it('sends at once by default', () => {
    const serial = new UartBench().open(0, 0x01);
    for (const byte of [0x48, 0x69]) serial.set(DATA, byte);
    expect(serial.get(LSR)).toBe(0x60);
    expect(serial.transmitted()).toBe('Hi');
  });

  it('passes the probes of the Linux driver for a transmitter interrupt', () => {
    const serial = new UartBench().open(0, 0x01);
    // Enabling raises it, reading the identification takes it back, enabling again raises it again.
    expect(serial.set(IER, 0x02).get(IIR)).toBe(0xc2);
    expect(serial.get(IIR)).toBe(0xc1);
    expect(serial.set(IER, 0x00).get(IIR)).toBe(0xc1);
    expect(serial.set(IER, 0x02).get(IIR)).toBe(0xc2);
  });

  it('gives an edge for each character even when it sends at once', () => {
    const serial = new UartBench().open(0x02);
    serial.bench.take();
    serial.set(DATA, 0x41);
    expect(serial.bench.take('irq4').map((event) => event.value)).toEqual([false, true]);
    serial.get(IIR);
    serial.set(DATA, 0x42);
    expect(serial.bench.take('irq4').map((event) => event.value)).toEqual([false, true]);
  });

  it('takes the configured time a character, and interrupts when the FIFO is empty', () => {
    const serial = new UartBench(1000).open(0x02, 0x01);
    serial.get(IIR);
    for (let index = 0; index < 20; index++) serial.set(DATA, 0x61 + index);
    // One in the shift register, sixteen in the FIFO, three lost.
    expect(serial.get(LSR)).toBe(0x00);
    serial.bench.advance(15_999);
    expect([serial.irq, serial.transmitted()]).toEqual([false, 'abcdefghijklmno']);
    serial.bench.advance(1);
    expect([serial.irq, serial.get(IIR), serial.get(LSR)]).toEqual([true, 0xc2, 0x20]);
    serial.bench.advance(1000);
    expect([serial.get(LSR), serial.transmitted()]).toEqual([0x60, 'pq']);
  });

  it('is cut off from the interrupt controller without OUT2', () => {
    const serial = new UartBench().open(0x02);
    expect(serial.irq).toBe(true);
    expect(serial.set(MCR, 0x03).irq).toBe(false);
    expect(serial.get(IIR)).toBe(0x02);
  });
});

describe('16550 modem control and loopback', () => {
  it('turns outputs back into inputs', () => {
    const serial = new UartBench();
    expect(serial.set(MCR, 0x1a).get(MSR) & 0xf0).toBe(0x90);
    expect(serial.set(MCR, 0x15).get(MSR) & 0xf0).toBe(0x60);
    expect(serial.get(MSR)).toBe(0x60);
    // Ring ends: TERI; DTR goes: DDSR. Both interrupt.
    serial.set(IER, 0x08).set(MCR, 0x18);
    expect([serial.irq, serial.get(IIR), serial.get(MSR)]).toEqual([true, 0x00, 0x8e]);
    expect(serial.get(IIR)).toBe(0x01);
  });

  it('hears itself and can overrun, while the peer waits', () => {
    const serial = new UartBench().open(0x04, 0x01).set(MCR, 0x1b).send('peer');
    for (let index = 0; index < 16; index++) serial.set(DATA, 0x30 + index);
    expect(serial.irq).toBe(false);
    serial.set(DATA, 0x7a);
    expect([serial.irq, serial.get(IIR), serial.get(LSR)]).toEqual([true, 0xc6, 0x63]);
    expect([serial.irq, serial.get(LSR)]).toEqual([false, 0x61]);
    expect(serial.pass(10).readAll()).toBe('0123456789:;<=>?');
    expect(serial.transmitted()).toBe('');
    expect(serial.set(MCR, 0x0b).pass(4).readAll()).toBe('peer');
  });

  it('overwrites the lone buffer register when it overruns', () => {
    const serial = new UartBench().open(0).set(MCR, 0x10).set(DATA, 0x31).set(DATA, 0x32);
    expect([serial.get(LSR), serial.get(DATA), serial.get(LSR)]).toEqual([0x63, 0x32, 0x60]);
  });
});

describe('16550 state', () => {
  type Action =
    | { kind: 'open' }
    | { kind: 'pass'; ns: number }
    | { kind: 'read'; register: number }
    | { kind: 'write'; register: number; value: number }
    | { kind: 'input'; bytes: Uint8Array };
  const register = fc.nat(7);
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ns: fc.oneof(fc.nat(100_000), fc.nat(5_000_000)) }),
    fc.record({ kind: fc.constant('read' as const), register }),
    // FIFOs on, receiver interrupt on: what random writes seldom leave standing together.
    fc.constant({ kind: 'open' as const }),
    fc.record({
      kind: fc.constant('write' as const),
      register,
      value: fc.oneof(fc.nat(255), fc.constantFrom(0x01, 0x03, 0x0f, 0x0b, 0x1b, 0xc1)),
    }),
    fc.record({ kind: fc.constant('input' as const), bytes: fc.uint8Array({ maxLength: 30 }) }),
  );
  function act(bench: TestBench, uart: Uart, step: Action): unknown {
    switch (step.kind) {
      case 'pass':
        return bench.advance(step.ns);
      case 'read':
        return bench.in(BASE + step.register);
      case 'write':
        return bench.out(BASE + step.register, step.value);
      case 'input':
        return uart.input(step.bytes);
      case 'open':
        for (const [register, value] of [
          [LCR, 0x83],
          [DATA, 1],
          [IER, 0],
          [LCR, 3],
          [FCR, 0x81],
          [MCR, 0x0b],
          [IER, 0x0f],
        ] as const)
          bench.out(BASE + register, value);
        return undefined;
    }
  }
  const steps = fc.array(action, { maxLength: 40 });

  it('receives what has waited for room a character after a reset', () => {
    const { bench, uart } = new UartBench().open(0).send('ab').pass(5);
    uart.reset();
    const resetNs = bench.clock.nowNs;
    const fresh = new UartBench();
    fresh.bench.advance(resetNs);
    fresh.send('b');
    expect(uart.save().arrivalDueNs).toBe(fresh.uart.save().arrivalDueNs);
  });

  it('is after reset what it was at first, but for what is on the line', () => {
    fc.assert(
      fc.property(steps, (actions) => {
        const { used, fresh } = compareAfterReset((bench) => build(bench, 50_000), act, actions);
        expect(used).toEqual({ ...fresh, incoming: expect.any(Uint8Array), arrivalDueNs: used.arrivalDueNs });
      }),
      { seed: 16, numRuns: 100 },
    );
  });

  it.each([undefined, 50_000])('continues after restore as it would have (transmission takes %s ns)', (transmitNs) => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const { original, restored } = compareAfterRestore((bench) => build(bench, transmitNs), act, before, after);
        expect(restored).toEqual(original);
      }),
      { seed: 16550, numRuns: 150 },
    );
  });
});
