import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pic } from './pic.js';
import { compareAfterReset, compareAfterRestore, TestBench } from './test-bench.js';

const MASTER = 0x20;
const SLAVE = 0xa0;

function build(bench: TestBench): Pic {
  const pic = new Pic({ ports: bench });
  pic.onIntrChange = (intr) => bench.record('intr', intr);
  return pic;
}

/** The AT set-up: vectors 08h and 70h. */
function setUp(
  icw4Master = 0x01,
  icw4Slave = 0x01,
): { bench: TestBench; pic: Pic; raise: (irq: number) => void; lower: (irq: number) => void } {
  const bench = new TestBench();
  const pic = build(bench);
  pic.reset();
  for (const [port, value] of [
    [MASTER, 0x11],
    [MASTER + 1, 0x08],
    [MASTER + 1, 0x04],
    [MASTER + 1, icw4Master],
    [SLAVE, 0x11],
    [SLAVE + 1, 0x70],
    [SLAVE + 1, 0x02],
    [SLAVE + 1, icw4Slave],
  ] as const)
    bench.out(port, value);
  return { bench, pic, raise: (irq) => pic.line(irq).set(true), lower: (irq) => pic.line(irq).set(false) };
}

function readIrr(bench: TestBench, port: number): number {
  bench.out(port, 0x0a);
  return bench.in(port);
}
function readIsr(bench: TestBench, port: number): number {
  bench.out(port, 0x0b);
  return bench.in(port);
}

describe('8259A pair', () => {
  it('gives vectors of master and slave in order of priority, nested until EOI', () => {
    const { bench, pic, raise } = setUp();
    raise(4);
    raise(9);
    raise(14);
    expect(pic.acknowledge()).toBe(0x71);
    expect(readIsr(bench, MASTER)).toBe(0x04);
    expect(readIsr(bench, SLAVE)).toBe(0x02);
    expect(pic.intr).toBe(false);
    raise(1);
    expect(pic.intr).toBe(true);
    expect(pic.acknowledge()).toBe(0x09);
    bench.out(MASTER, 0x20);
    expect(pic.intr).toBe(false);
    bench.out(SLAVE, 0x20);
    bench.out(MASTER, 0x20);
    expect(pic.acknowledge()).toBe(0x76);
    bench.out(SLAVE, 0x20);
    bench.out(MASTER, 0x20);
    expect(pic.acknowledge()).toBe(0x0c);
  });

  it('latches an edge once, and wants the line to stay high until acknowledged', () => {
    const { bench, pic, raise, lower } = setUp();
    raise(5);
    expect(readIrr(bench, MASTER)).toBe(0x20);
    lower(5);
    expect(readIrr(bench, MASTER)).toBe(0);
    expect(pic.intr).toBe(false);
    raise(5);
    expect(pic.acknowledge()).toBe(0x0d);
    bench.out(MASTER, 0x20);
    expect(pic.intr).toBe(false);
  });

  it('repeats a level until it goes away', () => {
    const { bench, pic, raise, lower } = setUp();
    bench.out(0x4d1, 0x08);
    raise(11);
    expect(pic.acknowledge()).toBe(0x73);
    expect(readIrr(bench, SLAVE)).toBe(0x08);
    bench.out(SLAVE, 0x20);
    bench.out(MASTER, 0x20);
    expect(pic.acknowledge()).toBe(0x73);
    lower(11);
    bench.out(SLAVE, 0x20);
    bench.out(MASTER, 0x20);
    expect(pic.intr).toBe(false);
  });

  it('keeps timer, keyboard, cascade, clock and FPU lines edge triggered', () => {
    const { bench } = setUp();
    bench.out(0x4d0, 0xff);
    bench.out(0x4d1, 0xff);
    expect([bench.in(0x4d0), bench.in(0x4d1)]).toEqual([0xf8, 0xde]);
  });

  it('gives IRQ 7 when nothing is requested, without an in-service bit', () => {
    const { bench, pic } = setUp();
    expect(pic.acknowledge()).toBe(0x0f);
    expect(readIsr(bench, MASTER)).toBe(0);
  });

  it('withdraws the request on the cascade when the slave has none left', () => {
    const { bench, pic, raise } = setUp();
    raise(10);
    expect(pic.intr).toBe(true);
    bench.out(SLAVE, 0x0c);
    expect(bench.in(SLAVE)).toBe(0x82);
    expect(pic.intr).toBe(false);
    expect(readIrr(bench, MASTER)).toBe(0);
  });

  it('masks, and delivers what waited when unmasked', () => {
    const { bench, pic, raise } = setUp();
    bench.out(MASTER + 1, 0xff);
    raise(3);
    expect(pic.intr).toBe(false);
    expect(bench.in(MASTER + 1)).toBe(0xff);
    bench.out(MASTER + 1, 0xf7);
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it('ends interrupts automatically and rotates then, when told so', () => {
    const { bench, pic, raise } = setUp(0x03);
    bench.out(MASTER, 0x80);
    for (const irq of [0, 1, 3]) raise(irq);
    expect(pic.acknowledge()).toBe(0x08);
    expect(readIsr(bench, MASTER)).toBe(0);
    expect(pic.acknowledge()).toBe(0x09);
    pic.line(0).set(false);
    raise(0);
    expect(pic.acknowledge()).toBe(0x0b);
    expect(pic.acknowledge()).toBe(0x08);
    bench.out(MASTER, 0x00);
    raise(6);
    pic.line(1).set(false);
    raise(1);
    expect(pic.acknowledge()).toBe(0x09);
    expect(pic.acknowledge()).toBe(0x0e);
    pic.line(6).set(false);
    pic.line(1).set(false);
    raise(6);
    raise(1);
    expect(pic.acknowledge()).toBe(0x09);
  });

  it('rotates on EOI and sets priorities by command', () => {
    const { bench, pic, raise } = setUp();
    raise(3);
    raise(4);
    expect(pic.acknowledge()).toBe(0x0b);
    bench.out(MASTER, 0xa0);
    pic.line(3).set(false);
    raise(3);
    expect(pic.acknowledge()).toBe(0x0c);
    bench.out(MASTER, 0xe0 | 4);
    raise(6);
    expect(pic.acknowledge()).toBe(0x0e);
    bench.out(MASTER, 0x66);
    bench.out(MASTER, 0xc0 | 2);
    raise(5);
    expect(pic.acknowledge()).toBe(0x0b);
    expect(pic.intr).toBe(false);
    bench.out(MASTER, 0x63);
    expect(pic.acknowledge()).toBe(0x0d);
  });

  it('lets lower levels through in special mask mode and spares masked bits from the plain EOI', () => {
    const { bench, pic, raise } = setUp();
    raise(3);
    pic.acknowledge();
    raise(6);
    bench.out(MASTER + 1, 0x08);
    expect(pic.intr).toBe(false);
    bench.out(MASTER, 0x68);
    expect(pic.acknowledge()).toBe(0x0e);
    bench.out(MASTER, 0x20);
    expect(readIsr(bench, MASTER)).toBe(0x08);
    bench.out(MASTER, 0x20);
    expect(readIsr(bench, MASTER)).toBe(0x08);
    bench.out(MASTER, 0x48);
    bench.out(MASTER, 0x20);
    expect(readIsr(bench, MASTER)).toBe(0);
  });

  it('nests interrupts of the slave in special fully nested mode only', () => {
    for (const [icw4, nests] of [
      [0x11, true],
      [0x01, false],
    ] as const) {
      const { pic, raise } = setUp(icw4);
      raise(12);
      expect(pic.acknowledge()).toBe(0x74);
      raise(8);
      expect(pic.intr).toBe(nests);
      raise(3);
      expect(pic.intr).toBe(nests);
      if (nests) expect(pic.acknowledge()).toBe(0x70);
    }
  });

  it('does not nest a line without a slave, not even in special fully nested mode', () => {
    const { pic, raise, lower } = setUp(0x11);
    raise(3);
    pic.acknowledge();
    lower(3);
    raise(3);
    expect(pic.intr).toBe(false);
  });

  it('shows a line that is high as a request when it becomes level triggered', () => {
    const { bench, pic, raise } = setUp();
    raise(5);
    pic.acknowledge();
    bench.out(MASTER, 0x20);
    expect(pic.intr).toBe(false);
    bench.out(0x4d0, 0x20);
    expect(readIrr(bench, MASTER)).toBe(0x20);
    expect(pic.intr).toBe(true);
    bench.out(0x4d0, 0x00);
    expect(readIrr(bench, MASTER)).toBe(0x20);
  });

  it('leaves special mask mode, rotation and the choice of ISR at ICW1', () => {
    const { bench, pic, raise, lower } = setUp();
    for (const value of [0x0b, 0x68, 0xc3, 0x80]) bench.out(MASTER, value);
    raise(6);
    pic.acknowledge();
    expect(bench.in(MASTER)).toBe(0x40);
    for (const value of [0x13]) bench.out(MASTER, value);
    bench.out(MASTER + 1, 0x08);
    bench.out(MASTER + 1, 0x03);
    expect(bench.in(MASTER)).toBe(0x00);
    raise(4);
    expect(bench.in(MASTER)).toBe(0x10);
    raise(3);
    expect(pic.acknowledge()).toBe(0x0b);
    lower(3);
    raise(3);
    // No rotation any more: 3 still comes before 4.
    expect(pic.acknowledge()).toBe(0x0b);
    bench.out(MASTER, 0x20);
    bench.out(MASTER, 0x13);
    bench.out(MASTER + 1, 0x08);
    bench.out(MASTER + 1, 0x01);
    lower(3);
    raise(3);
    pic.acknowledge();
    bench.out(MASTER + 1, 0x08);
    lower(4);
    raise(4);
    // No special mask mode any more: a masked level in service holds lower ones back.
    expect(pic.intr).toBe(false);
  });

  it('polls', () => {
    const { bench, raise } = setUp();
    bench.out(MASTER, 0x0c);
    expect(bench.in(MASTER)).toBe(0x07);
    raise(5);
    bench.out(MASTER, 0x0c);
    expect(bench.in(MASTER)).toBe(0x85);
    expect(readIsr(bench, MASTER)).toBe(0x20);
  });

  it('forgets edges, masks and modes at ICW1 and asks for nothing until it is set up', () => {
    const { bench, pic, raise } = setUp();
    bench.out(MASTER + 1, 0x12);
    raise(6);
    bench.out(MASTER, 0x13);
    expect(pic.intr).toBe(false);
    expect(bench.in(MASTER)).toBe(0);
    bench.out(MASTER + 1, 0x50);
    raise(4);
    expect(pic.intr).toBe(false);
    bench.out(MASTER + 1, 0x01);
    expect(bench.in(MASTER + 1)).toBe(0);
    expect(pic.acknowledge()).toBe(0x54);
  });

  it('tells changes of INT', () => {
    const { bench, pic, raise } = setUp();
    bench.take();
    raise(0);
    raise(0);
    pic.acknowledge();
    expect(bench.take('intr').map((event) => event.value)).toEqual([true, false]);
  });

  it('has no line for the cascade', () => {
    const { pic } = setUp();
    for (const irq of [2, -1, 16, 1.5]) expect(() => pic.line(irq)).toThrow(RangeError);
  });

  type Action =
    | { kind: 'line'; irq: number; level: boolean }
    | { kind: 'acknowledge' }
    | { kind: 'read'; port: number }
    | { kind: 'write'; port: number; value: number };
  const port = fc.constantFrom(0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1);
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({ kind: fc.constant('line' as const), irq: fc.constantFrom(0, 1, 3, 4, 5, 7, 8, 9, 11, 14, 15), level: fc.boolean() }),
    fc.constant({ kind: 'acknowledge' as const }),
    fc.record({ kind: fc.constant('read' as const), port }),
    fc.record({
      kind: fc.constant('write' as const),
      port,
      value: fc.oneof(fc.constantFrom(0x11, 0x20, 0x0b, 0x68, 0x0c, 0x00), fc.nat(255)),
    }),
  );
  function act(bench: TestBench, pic: Pic, step: Action): unknown {
    switch (step.kind) {
      case 'line':
        return pic.line(step.irq).set(step.level);
      case 'acknowledge':
        return pic.acknowledge();
      case 'read':
        return bench.in(step.port);
      case 'write':
        return bench.out(step.port, step.value);
    }
  }

  it('continues after restore as it would have', () => {
    const steps = fc.array(action, { maxLength: 40 });
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const { original, restored } = compareAfterRestore(build, act, before, after);
        expect(restored).toEqual(original);
      }),
      { seed: 8259, numRuns: 300 },
    );
  });

  it('is after reset what it was at first, but for the levels of its lines', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const { used, fresh } = compareAfterReset(build, act, actions);
        const levels = { lines: expect.any(Number) };
        expect(used).toEqual({
          ...fresh,
          master: { ...(fresh.master as object), ...levels },
          slave: { ...(fresh.slave as object), ...levels },
        });
      }),
      { seed: 59, numRuns: 100 },
    );
  });
});
