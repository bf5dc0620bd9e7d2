import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rtc } from './rtc.js';
import { compareAfterRestore, TestBench } from './test-bench.js';

const SECOND = 1_000_000_000;
/** 2024-02-28 23:59:50 UTC, a Wednesday. */
const EPOCH = Date.UTC(2024, 1, 28, 23, 59, 50) / 1000;

class RtcBench {
  readonly bench = new TestBench();
  readonly rtc: Rtc;
  constructor(epochSeconds = EPOCH) {
    this.rtc = new Rtc({
      ports: this.bench,
      clock: this.bench.clock,
      irq8: this.bench.line('irq8'),
      epochSeconds,
      cmos: new Uint8Array(128),
    });
    this.rtc.reset();
  }
  get(index: number): number {
    this.bench.out(0x70, index);
    return this.bench.in(0x71);
  }
  set(index: number, value: number): this {
    this.bench.out(0x70, index);
    this.bench.out(0x71, value);
    return this;
  }
  /** Century, year, month, date, day of week, hours, minutes, seconds. */
  time(): string {
    return [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) => this.get(index).toString(16).padStart(2, '0')).join(' ');
  }
  wait(seconds: number): this {
    this.bench.advance(seconds * SECOND);
    return this;
  }
  rises(): number[] {
    return this.bench
      .take('irq8')
      .filter((event) => event.value === true)
      .map((event) => event.ns);
  }
}

describe('MC146818 time', () => {
  it('shows the time of the epoch in BCD and 24 hours, and goes on', () => {
    const rtc = new RtcBench();
    expect(rtc.time()).toBe('20 24 02 28 04 23 59 50');
    expect(rtc.wait(9).time()).toBe('20 24 02 28 04 23 59 59');
    rtc.bench.advance(SECOND - 1);
    expect(rtc.time()).toBe('20 24 02 28 04 23 59 59');
    rtc.bench.advance(1);
    expect(rtc.time()).toBe('20 24 02 29 05 00 00 00');
    expect(rtc.wait(86_400).time()).toBe('20 24 03 01 06 00 00 00');
  });

  it('keeps the same calendar as UTC until 2099', () => {
    const date = (ms: number): string => {
      const of = new Date(ms);
      const parts = [
        Math.floor(of.getUTCFullYear() / 100),
        of.getUTCFullYear() % 100,
        of.getUTCMonth() + 1,
        of.getUTCDate(),
        of.getUTCDay() + 1,
        of.getUTCHours(),
        of.getUTCMinutes(),
        of.getUTCSeconds(),
      ];
      return parts.map((part) => String(part).padStart(2, '0')).join(' ');
    };
    // 1901 to 2099, where the chip's leap years are the Gregorian ones; virtual time itself ends after 104 days.
    fc.assert(
      fc.property(fc.integer({ min: -2_177_000_000, max: 4_093_000_000 }), fc.nat(8_000_000), (start, seconds) => {
        const rtc = new RtcBench(start);
        expect(rtc.time()).toBe(date(start * 1000));
        expect(rtc.wait(seconds).time()).toBe(date((start + seconds) * 1000));
      }),
      { seed: 146818, numRuns: 300 },
    );
  });

  it('carries the century', () => {
    expect(new RtcBench(Date.UTC(1999, 11, 31, 23, 59, 59) / 1000).wait(1).time()).toBe('20 00 01 01 07 00 00 00');
  });

  it('counts in binary and in 12 hours', () => {
    const rtc = new RtcBench();
    rtc.set(0x0b, 0x84).set(4, 0x8b).set(2, 59).set(0, 58).set(0x0b, 0x04);
    rtc.wait(1);
    expect([4, 2, 0].map((index) => rtc.get(index))).toEqual([0x8b, 59, 59]);
    rtc.wait(1);
    expect([4, 2, 0].map((index) => rtc.get(index))).toEqual([12, 0, 0]);
    rtc.wait(12 * 3600);
    expect(rtc.get(4)).toBe(0x8c);
    rtc.wait(3600);
    expect(rtc.get(4)).toBe(0x81);
  });

  it('stands still under SET and goes on with the next second of the divider', () => {
    const rtc = new RtcBench();
    rtc.set(0x0b, 0x82).wait(2.25).set(0, 0x10);
    expect(rtc.time()).toBe('20 24 02 28 04 23 59 10');
    rtc.set(0x0b, 0x02);
    rtc.bench.advance(0.75 * SECOND - 1);
    expect(rtc.get(0)).toBe(0x10);
    rtc.bench.advance(1);
    expect(rtc.get(0)).toBe(0x11);
  });

  it('makes the first update half a second after the divider is released', () => {
    const rtc = new RtcBench();
    rtc.set(0x0a, 0x76).wait(5.3);
    expect(rtc.get(0)).toBe(0x50);
    expect(rtc.get(0x0a)).toBe(0x76);
    rtc.set(0x0a, 0x26);
    rtc.bench.advance(SECOND / 2 - 1);
    expect(rtc.get(0)).toBe(0x50);
    rtc.bench.advance(1);
    expect(rtc.get(0)).toBe(0x51);
  });

  it('keeps the divider running when only the periodic rate changes', () => {
    const rtc = new RtcBench().wait(0.7).set(0x0a, 0x2f).wait(0.3);
    expect(rtc.get(0)).toBe(0x51);
  });

  it('shows an update in progress 2228 us before its end', () => {
    const rtc = new RtcBench();
    rtc.bench.advanceTo(SECOND - 2_228_001);
    expect(rtc.get(0x0a)).toBe(0x26);
    rtc.bench.advance(1);
    expect(rtc.get(0x0a)).toBe(0xa6);
    rtc.bench.advanceTo(SECOND - 1);
    expect(rtc.get(0x0a)).toBe(0xa6);
    rtc.bench.advance(1);
    expect(rtc.get(0x0a)).toBe(0x26);
    rtc.set(0x0b, 0x82).wait(0.999);
    expect(rtc.get(0x0a)).toBe(0x26);
  });
});

describe('MC146818 interrupts', () => {
  it('interrupts at the end of updates, once until register C is read', () => {
    const rtc = new RtcBench();
    rtc.set(0x0b, 0x12).wait(2.5);
    expect(rtc.rises()).toEqual([SECOND]);
    expect(rtc.bench.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    expect(rtc.get(0x0c)).toBe(0xd0);
    expect(rtc.get(0x0c)).toBe(0x00);
    rtc.wait(1);
    expect(rtc.rises()).toEqual([3 * SECOND]);
    expect(rtc.set(0x0b, 0x92).get(0x0b)).toBe(0x82);
  });

  it('has exact periodic rates', () => {
    const rtc = new RtcBench();
    for (const [rate, hz] of [
      [1, 256],
      [2, 128],
      [3, 8192],
      [6, 1024],
      [15, 2],
    ] as const) {
      rtc.set(0x0a, 0x20 | rate).set(0x0b, 0x42);
      rtc.get(0x0c);
      rtc.bench.take();
      const startSecond = Math.ceil(rtc.bench.clock.nowNs / SECOND);
      rtc.bench.advanceTo(startSecond * SECOND);
      rtc.get(0x0c);
      rtc.bench.take();
      const times: number[] = [];
      for (let index = 0; index < hz; index++) {
        rtc.bench.advanceTo(rtc.bench.clock.nextDueNs);
        times.push(...rtc.rises());
        expect(rtc.get(0x0c) & 0xc0).toBe(0xc0);
      }
      expect(times).toEqual(Array.from({ length: hz }, (_, index) => startSecond * SECOND + Math.ceil(((index + 1) * SECOND) / hz)));
      rtc.set(0x0b, 0x02);
    }
  });

  it('sets the periodic flag without the enable, and interrupts at once when enabled', () => {
    const rtc = new RtcBench();
    rtc.wait(0.01);
    expect(rtc.bench.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    rtc.set(0x0b, 0x42);
    expect(rtc.rises()).toEqual([0.01 * SECOND]);
    expect(rtc.get(0x0c)).toBe(0xc0);
    rtc.set(0x0a, 0x20);
    expect(rtc.bench.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
  });

  it('matches the alarm, with bytes that match anything', () => {
    const rtc = new RtcBench();
    rtc.set(1, 0x05).set(3, 0x01).set(5, 0x00).set(0x0b, 0x22);
    rtc.wait(100);
    expect(rtc.rises()).toEqual([75 * SECOND]);
    expect(rtc.get(0x0c) & 0xb0).toBe(0xb0);
    rtc.wait(86_400);
    expect(rtc.rises()).toEqual([(75 + 86_400) * SECOND]);
    rtc.get(0x0c);
    rtc.set(3, 0xc0).set(5, 0xff);
    const now = rtc.bench.clock.nowNs;
    rtc.wait(60);
    // It is 00:01:30; the next second 05 is 35 seconds away.
    expect(rtc.rises()).toEqual([now + 35 * SECOND]);
    rtc.get(0x0c);
    rtc.set(1, 0x77).wait(200_000);
    expect(rtc.rises()).toEqual([]);
  });

  it('matches an alarm in the present minute that has passed only after a day', () => {
    const rtc = new RtcBench();
    rtc.set(1, 0x50).set(3, 0x59).set(5, 0x23).set(0x0b, 0x22).wait(86_400);
    expect(rtc.rises()).toEqual([86_400 * SECOND]);
  });

  it('forgets interrupts at reset but neither time nor memory', () => {
    const rtc = new RtcBench();
    rtc.set(0x0b, 0x7e).set(0x40, 0x99).wait(3.5);
    rtc.rtc.reset();
    expect(rtc.bench.take('irq8').at(-1)?.value).toBe(false);
    expect(rtc.get(0x0b)).toBe(0x06);
    expect(rtc.get(0x0c)).toBe(0);
    expect(rtc.get(0x40)).toBe(0x99);
  });
});

describe('CMOS ports', () => {
  it('holds the configured memory, the index with the NMI mask, and read-only C and D', () => {
    const bench = new TestBench();
    const cmos = Uint8Array.from({ length: 128 }, (_, index) => 0x80 | index);
    const rtc = new Rtc({ ports: bench, clock: bench.clock, irq8: bench.line('irq8'), epochSeconds: EPOCH, cmos });
    bench.out(0x70, 0x8d);
    expect([bench.in(0x70), rtc.nmiMasked]).toEqual([0x8d, true]);
    bench.out(0x71, 0x00);
    expect(bench.in(0x71)).toBe(0x80);
    bench.out(0x70, 0x7f);
    expect([bench.in(0x71), rtc.nmiMasked]).toEqual([0xff, false]);
    expect(
      () => new Rtc({ ports: new TestBench(), clock: bench.clock, irq8: bench.line('x'), epochSeconds: 0, cmos: new Uint8Array(64) }),
    ).toThrow(RangeError);
  });

  type Action = { kind: 'pass'; ns: number } | { kind: 'read'; index: number } | { kind: 'write'; index: number; value: number };
  const index = fc.oneof(fc.nat(13), fc.constantFrom(0x0a, 0x0b, 0x0c, 0x32, 0x7f));
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ns: fc.oneof(fc.nat(2_000_000), fc.nat(3 * SECOND)) }),
    fc.record({ kind: fc.constant('read' as const), index }),
    fc.record({
      kind: fc.constant('write' as const),
      index,
      value: fc.oneof(fc.nat(255), fc.constantFrom(0x12, 0x22, 0x42, 0x2f, 0x26, 0xc0)),
    }),
  );
  it('continues after restore as it would have', () => {
    const build = (bench: TestBench): Rtc =>
      new Rtc({ ports: bench, clock: bench.clock, irq8: bench.line('irq8'), epochSeconds: EPOCH, cmos: new Uint8Array(128) });
    const act = (bench: TestBench, _rtc: Rtc, step: Action): unknown => {
      if (step.kind === 'pass') return bench.advance(step.ns);
      bench.out(0x70, step.index);
      return step.kind === 'read' ? bench.in(0x71) : bench.out(0x71, step.value);
    };
    const steps = fc.array(action, { maxLength: 30 });
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const { original, restored } = compareAfterRestore(build, act, before, after);
        expect(restored).toEqual(original);
      }),
      { seed: 818, numRuns: 200 },
    );
  });

  it('keeps the index between the two accesses', () => {
    const original = new RtcBench().set(0x40, 0x5a);
    original.bench.out(0x70, 0x40);
    const restored = new RtcBench();
    restored.rtc.restore(original.rtc.save());
    expect(restored.bench.in(0x71)).toBe(0x5a);
  });
});
