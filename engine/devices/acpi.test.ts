/**
 * ACPI fixed hardware: the timer to the nanosecond, the system control interrupt, the power button, soft off.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AcpiPowerManagement } from './acpi.js';
import { TestBench } from './test-bench.js';

const BASE = 0xb000;

function build() {
  const bench = new TestBench();
  const sci = bench.line('sci');
  const acpi = new AcpiPowerManagement({ clock: bench.clock, ports: bench, sci, onPowerOff: () => bench.record('off', true) });
  bench.claim(BASE, 64, acpi.registers);
  acpi.reset();
  bench.take();
  return { bench, sci, acpi };
}
/** Cycles at `ns`, in integers of any size. */
const cycles = (ns: number): number => Number((BigInt(ns) * 3579545n) / 1_000_000_000n);

describe('power management timer', () => {
  it('counts 3.579545 MHz exactly, however late', () => {
    const { bench } = build();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (ns) => {
        bench.tick = ns;
        expect(bench.in(BASE + 8, 4)).toBe(cycles(ns) % 2 ** 24);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('is read in bytes and words as well', () => {
    const { bench } = build();
    bench.tick = 1_234_567_890_123;
    const value = bench.in(BASE + 8, 4);
    expect([0, 1, 2, 3].map((byte) => bench.in(BASE + 8 + byte))).toEqual([value & 0xff, (value >>> 8) & 0xff, value >>> 16, 0]);
    expect(bench.in(BASE + 10, 2)).toBe(value >>> 16);
  });

  it('sets its status at each change of bit 23, and interrupts at that very nanosecond', () => {
    const { bench, sci } = build();
    const change = (count: number): number => Number((BigInt(count) * 2n ** 23n * 1_000_000_000n + 3579544n) / 3579545n);
    bench.advanceTo(change(1) - 1);
    expect(bench.in(BASE, 2)).toBe(0);
    bench.advanceTo(change(1));
    expect(bench.in(BASE, 2)).toBe(1);
    expect(bench.in(BASE + 8, 4)).toBe(0x800000);
    bench.out(BASE, 0x01, 2);
    expect(bench.in(BASE, 2)).toBe(0);
    bench.out(BASE + 2, 0x01, 2);
    expect(bench.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    bench.out(0xb2, 0xf1);
    bench.advanceTo(change(2) + 1000);
    expect(bench.take('sci')).toEqual([{ ns: change(2), what: 'sci', value: true }]);
    bench.out(BASE, 0x01, 2);
    expect(sci.level).toBe(false);
    bench.advanceTo(change(3));
    expect(sci.level).toBe(true);
  });
});

describe('power button and sleep', () => {
  it('raises the SCI once ACPI is enabled and the button is, until the status is cleared', () => {
    const { bench, sci, acpi } = build();
    acpi.pressPowerButton();
    bench.out(BASE + 2, 0x0100, 2);
    expect(sci.level).toBe(false);
    bench.out(0xb2, 0xf1);
    expect(bench.in(BASE + 4, 2)).toBe(1);
    expect(sci.level).toBe(true);
    expect(bench.in(BASE, 2)).toBe(0x0100);
    bench.out(BASE, 0xfeff, 2);
    expect(sci.level).toBe(true);
    bench.out(BASE + 1, 0x01, 1);
    expect(sci.level).toBe(false);
    acpi.pressPowerButton();
    bench.out(0xb2, 0xf0);
    expect(sci.level).toBe(false);
    expect(bench.in(BASE + 4, 2)).toBe(0);
  });

  it('switches off for sleep type 0 with the sleep bit, and for nothing else', () => {
    const { bench } = build();
    bench.out(BASE + 4, 0x0001, 2);
    bench.out(BASE + 4, 0x2801, 2);
    expect(bench.take('off')).toEqual([]);
    expect(bench.in(BASE + 4, 2)).toBe(0x0801);
    bench.out(BASE + 4, 0x0001, 2);
    bench.out(BASE + 4, 0x2001, 2);
    expect(bench.take('off').length).toBe(1);
    bench.out(BASE + 5, 0x20, 1);
    expect(bench.take('off').length).toBe(1);
    expect(bench.in(BASE + 4, 2)).toBe(0x0001);
  });

  it('keeps the SMI command and status for whoever reads them', () => {
    const { bench } = build();
    bench.out(0xb2, 0x42);
    bench.out(0xb3, 0x17);
    expect([bench.in(0xb2), bench.in(0xb3)]).toEqual([0x42, 0x17]);
  });

  it('has general purpose events that never happen', () => {
    const { bench } = build();
    for (let port = 0xafe0; port < 0xafe4; port++) bench.out(port, 0xf0 + (port & 3));
    expect([0xafe0, 0xafe1, 0xafe2, 0xafe3].map((port) => bench.in(port))).toEqual([0, 0, 0xf2, 0xf3]);
  });

  it('writes 32 bits over status and enable together', () => {
    const { bench, acpi } = build();
    acpi.pressPowerButton();
    bench.out(BASE, 0x01000100, 4);
    expect(bench.in(BASE, 4)).toBe(0x01000000);
  });
});

describe('state', () => {
  it('restores to the same future', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 0x2c), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 4e9 })), {
          maxLength: 12,
        }),
        (steps) => {
          const one = build();
          for (const [offset, value, ns] of steps) {
            one.bench.out(BASE + offset, value);
            if (value % 5 === 0) one.bench.out(0xb2, 0xf1);
            one.bench.advance(ns);
          }
          const other = build();
          other.bench.tick = one.bench.tick;
          other.acpi.restore(one.acpi.save());
          expect(other.acpi.save()).toEqual(one.acpi.save());
          expect(other.sci.level).toBe(one.sci.level);
          for (const { bench } of [one, other]) {
            bench.take();
            bench.advance(6e9);
          }
          expect(other.bench.take()).toEqual(one.bench.take());
          expect(other.acpi.save()).toEqual(one.acpi.save());
        },
      ),
      { seed: 2, numRuns: 100 },
    );
  });
});
