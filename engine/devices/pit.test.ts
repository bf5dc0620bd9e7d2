import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nsOfCycle } from './frequency.js';
import { PIT_FREQUENCY_HZ, Pit } from './pit.js';
import { compareAfterReset, compareAfterRestore, TestBench } from './test-bench.js';

function build(bench: TestBench): Pit {
  return new Pit({ ports: bench, clock: bench.clock, irq0: bench.line('irq0') });
}

/** A bench whose time is told in pulses of the input clock. */
class PitBench {
  readonly bench = new TestBench();
  readonly pit = build(this.bench);
  pulse = 0;

  constructor() {
    this.pit.reset();
    this.bench.take();
  }

  /** Lets pulses pass. */
  pass(pulses: number): this {
    this.pulse += pulses;
    this.bench.advanceTo(nsOfCycle(this.pulse, PIT_FREQUENCY_HZ));
    return this;
  }

  /** Control word and count (two bytes) of a counter. */
  program(counter: number, mode: number, count: number, bcd = false): this {
    this.bench.out(0x43, (counter << 6) | 0x30 | (mode << 1) | (bcd ? 1 : 0));
    return this.write(counter, count);
  }

  write(counter: number, count: number): this {
    this.bench.out(0x40 + counter, count & 0xff);
    this.bench.out(0x40 + counter, count >> 8);
    return this;
  }

  count(counter: number): number {
    this.bench.out(0x43, counter << 6);
    const low = this.bench.in(0x40 + counter);
    return low | (this.bench.in(0x40 + counter) << 8);
  }

  /** OUT of counter 2 after each of the next pulses, as a picture. */
  picture(pulses: number): string {
    let picture = '';
    for (let index = 0; index < pulses; index++) {
      this.pass(1);
      picture += this.output2() ? '#' : '_';
    }
    return picture;
  }

  counts(counter: number, pulses: number): number[] {
    return Array.from({ length: pulses }, () => this.pass(1).count(counter));
  }

  output2(): boolean {
    return (this.bench.in(0x61) & 0x20) !== 0;
  }

  gate(level: boolean): this {
    this.bench.out(0x61, level ? 1 : 0);
    return this;
  }

  /** Pulses at which IRQ 0 changed, positive when it rose. */
  edges(): number[] {
    return this.bench.take('irq0').map((event) => {
      const pulse = Math.floor((event.ns * PIT_FREQUENCY_HZ) / 1e9);
      expect(event.ns).toBe(nsOfCycle(pulse, PIT_FREQUENCY_HZ));
      return event.value === true ? pulse : -pulse;
    });
  }
}

describe('8254 mode definitions', () => {
  it('mode 0 raises OUT N + 1 pulses after the count', () => {
    const pit = new PitBench().gate(true).program(2, 0, 4);
    expect(pit.picture(7)).toBe('____###');
    expect(pit.count(2)).toBe(0xfffe);
    expect(pit.write(2, 2).picture(4)).toBe('__##');
  });

  it('mode 0 counts only with the gate, and not between two bytes of a count', () => {
    const pit = new PitBench().program(2, 0, 3);
    expect(pit.picture(5)).toBe('_____');
    expect(pit.count(2)).toBe(3);
    expect(pit.gate(true).picture(4)).toBe('__##');
    pit.bench.out(0x42, 2);
    expect(pit.picture(3)).toBe('___');
    pit.bench.out(0x42, 0);
    expect(pit.picture(4)).toBe('__##');
  });

  it('mode 1 is a one-shot that can be triggered again', () => {
    const pit = new PitBench().program(2, 1, 3);
    expect(pit.picture(3)).toBe('###');
    expect(pit.gate(true).picture(6)).toBe('___###');
    pit.gate(false).gate(true);
    expect(pit.picture(2)).toBe('__');
    expect(pit.write(2, 2).picture(3)).toBe('_##');
    pit.gate(false).gate(true);
    expect(pit.picture(1)).toBe('_');
    pit.gate(false).gate(true);
    expect(pit.picture(4)).toBe('__##');
  });

  it('mode 2 is low for the last pulse of N', () => {
    const pit = new PitBench().gate(true).program(2, 2, 3);
    expect(pit.picture(10)).toBe('##_##_##_#');
    expect(pit.counts(2, 4)).toEqual([2, 1, 3, 2]);
    pit.write(2, 4);
    expect(pit.counts(2, 6)).toEqual([1, 4, 3, 2, 1, 4]);
    pit.gate(false);
    expect(pit.picture(3)).toBe('###');
    expect(pit.count(2)).toBe(4);
    expect(pit.gate(true).picture(5)).toBe('###_#');
  });

  it('mode 2 raises OUT at once when the gate falls', () => {
    const pit = new PitBench().gate(true).program(2, 2, 3).pass(3);
    expect(pit.output2()).toBe(false);
    pit.gate(false);
    expect(pit.output2()).toBe(true);
  });

  it('mode 3 is a square wave, for odd counts high one pulse longer', () => {
    const even = new PitBench().gate(true).program(2, 3, 4);
    expect(even.picture(9)).toBe('##__##__#');
    expect(even.counts(2, 4)).toEqual([2, 4, 2, 4]);
    const odd = new PitBench().gate(true).program(2, 3, 5);
    expect(odd.picture(11)).toBe('###__###__#');
    expect(odd.counts(2, 6)).toEqual([2, 0, 4, 2, 4, 2]);
  });

  it('mode 3 takes a new count at the end of the half cycle, or at a trigger', () => {
    const pit = new PitBench().gate(true).program(2, 3, 8).pass(2).write(2, 4);
    expect(pit.picture(8)).toBe('##__##__');
    expect(pit.write(2, 6).gate(false).gate(true).picture(7)).toBe('###___#');
  });

  it('mode 4 strobes once, N + 1 pulses after the count', () => {
    const pit = new PitBench().gate(true).program(2, 4, 3);
    expect(pit.picture(6)).toBe('###_##');
    expect(pit.count(2)).toBe(0xfffe);
    pit.write(2, 2).gate(false);
    expect(pit.picture(3)).toBe('###');
    expect(pit.gate(true).picture(3)).toBe('#_#');
  });

  it('mode 5 strobes N + 1 pulses after a trigger', () => {
    const pit = new PitBench().program(2, 5, 3);
    expect(pit.picture(3)).toBe('###');
    expect(pit.gate(true).picture(6)).toBe('###_##');
    pit.gate(false).gate(true).pass(2).gate(false).gate(true);
    expect(pit.picture(5)).toBe('###_#');
  });

  it('keeps OUT high for the forbidden count of 1', () => {
    for (const mode of [2, 3]) expect(new PitBench().gate(true).program(2, mode, 1).picture(4)).toBe('####');
  });

  it('counts in BCD, 0 being 10000', () => {
    const pit = new PitBench().program(0, 2, 0x1000, true);
    expect(pit.pass(1).count(0)).toBe(0x1000);
    expect(pit.pass(1).count(0)).toBe(0x0999);
    pit.program(0, 0, 0, true);
    expect(pit.pass(1).count(0)).toBe(0);
    expect(pit.pass(1).count(0)).toBe(0x9999);
    expect(pit.pass(9999).count(0)).toBe(0);
  });
});

describe('8254 reading', () => {
  it('holds a latched count until it is read, and takes no second latch before', () => {
    const pit = new PitBench().program(0, 2, 1000).pass(11);
    pit.bench.out(0x43, 0x00);
    pit.pass(100);
    pit.bench.out(0x43, 0x00);
    expect(pit.bench.in(0x40) | (pit.bench.in(0x40) << 8)).toBe(990);
    expect(pit.bench.in(0x40) | (pit.bench.in(0x40) << 8)).toBe(890);
  });

  it('transfers single bytes as the control word says', () => {
    const pit = new PitBench();
    pit.bench.out(0x43, 0x14);
    pit.bench.out(0x40, 0x80);
    expect(pit.pass(3).bench.in(0x40)).toBe(0x7e);
    pit.bench.out(0x43, 0x24);
    pit.bench.out(0x40, 0x12);
    expect(pit.pass(1).bench.in(0x40)).toBe(0x12);
    expect(pit.pass(1).bench.in(0x40)).toBe(0x11);
  });

  it('reads back status before count, with the null count bit', () => {
    const pit = new PitBench();
    pit.bench.out(0x43, 0xb6);
    pit.bench.out(0x43, 0xe8);
    expect(pit.bench.in(0x42)).toBe(0xf6);
    pit.gate(true).write(2, 100).pass(1);
    pit.bench.out(0x43, 0xc8);
    pit.pass(60);
    expect([pit.bench.in(0x42), pit.bench.in(0x42), pit.bench.in(0x42)]).toEqual([0xb6, 100, 0]);
    pit.bench.out(0x43, 0xe8);
    expect(pit.bench.in(0x42)).toBe(0x36);
    expect(pit.bench.in(0x43)).toBe(0xff);
  });
});

/** The data sheet's mode definitions, one pulse at a time: the oracle for the arithmetic of the real counter. */
class PulseByPulse {
  out: boolean;
  count = 0;
  nullCount = true;
  gate: boolean;
  private period = 0;
  private started = false;
  private load = false;
  private armed = false;
  private odd = false;
  constructor(
    readonly mode: number,
    gate: boolean,
  ) {
    this.out = mode !== 0;
    this.gate = gate;
  }
  write(period: number): void {
    this.period = period;
    this.nullCount = true;
    if (this.mode === 0) this.out = false;
    if (this.mode === 0 || this.mode === 4 || ((this.mode === 2 || this.mode === 3) && !this.started)) this.load = true;
  }
  setGate(gate: boolean): void {
    if (gate && !this.gate && this.period > 0 && this.mode !== 0 && this.mode !== 4) this.load = true;
    if (!gate && (this.mode === 2 || this.mode === 3)) this.out = true;
    this.gate = gate;
  }
  pulse(): void {
    const { mode } = this;
    if (mode === 4 || mode === 5) this.out = true;
    if (this.load) {
      this.load = false;
      this.started = true;
      this.armed = true;
      this.reload();
      if (mode === 1) this.out = false;
      if (mode === 2 || mode === 3) this.out = true;
      return;
    }
    if (!this.started || (!this.gate && mode !== 1 && mode !== 5)) return;
    if (mode === 2) {
      if (this.count === 1) this.reload();
      else this.count--;
      this.out = this.count !== 1;
    } else if (mode === 3) {
      const ends = this.odd && this.out ? this.count === 0 : this.count === 2;
      if (ends) {
        this.out = !this.out;
        this.reload();
      } else this.count -= 2;
    } else {
      this.count = (this.count + 0xffff) % 0x10000;
      if (this.count === 0 && this.armed) {
        this.armed = false;
        this.out = mode < 2;
      }
    }
  }
  private reload(): void {
    this.nullCount = false;
    this.odd = this.mode === 3 && this.period % 2 === 1;
    this.count = this.period - (this.odd ? 1 : 0);
  }
}

describe('8254 arithmetic', () => {
  type Step = { kind: 'pass'; pulses: number } | { kind: 'write'; period: number } | { kind: 'gate' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), pulses: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.nat(70)) }),
    fc.record({
      kind: fc.constant('write' as const),
      period: fc.oneof(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 2, max: 0xffff })),
    }),
    fc.constant({ kind: 'gate' as const }),
  );

  it.each([0, 1, 2, 3, 4, 5])('agrees with the mode definition, pulse by pulse, in mode %i', (mode) => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 30 }), (gate, steps) => {
        const pit = new PitBench().gate(gate);
        pit.bench.out(0x43, 0xb0 | (mode << 1));
        const model = new PulseByPulse(mode, gate);
        for (const action of steps) {
          if (action.kind === 'pass') {
            pit.pass(action.pulses);
            for (let index = 0; index < action.pulses; index++) model.pulse();
          } else if (action.kind === 'write') {
            pit.write(2, action.period);
            model.write(action.period);
          } else {
            model.setGate(!model.gate);
            pit.gate(model.gate);
          }
          pit.bench.out(0x43, 0xe8);
          const status = pit.bench.in(0x42);
          expect([pit.count(2), status]).toEqual([model.count, (model.out ? 0x80 : 0) | (model.nullCount ? 0x40 : 0) | 0x30 | (mode << 1)]);
        }
      }),
      { seed: mode, numRuns: 150 },
    );
  });
});

describe('8254 in the AT', () => {
  it('raises IRQ 0 at exact nanoseconds', () => {
    const pit = new PitBench().program(0, 2, 11932).pass(11932 * 3 + 1);
    // OUT rises with the control word; the pulse that loads the count starts the first period.
    expect(pit.edges()).toEqual([0, -11932, 11933, -11932 * 2, 11932 * 2 + 1, -11932 * 3, 11932 * 3 + 1]);
  });

  it('does not drift over two hours of 18.2 Hz', () => {
    const pit = new PitBench().program(0, 2, 0);
    const periods = 131_072;
    const pulse = 1n + 65536n * BigInt(periods);
    const expectedNs = Number((pulse * 1_000_000_000n + 1_193_181n) / 1_193_182n);
    pit.bench.take();
    pit.bench.advanceTo(expectedNs);
    const rises = pit.bench.take('irq0').filter((event) => event.value === true);
    expect(rises).toHaveLength(periods);
    expect(rises[periods - 1]!.ns).toBe(expectedNs);
  });

  it('puts every edge where rational arithmetic puts it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 65536 }),
        fc.integer({ min: 0, max: 3_600_000_000_000 }),
        fc.integer({ min: 1, max: 20 }),
        (count, startNs, periods) => {
          const bench = new TestBench();
          const pit = build(bench);
          pit.reset();
          bench.advanceTo(startNs);
          bench.out(0x43, 0x34);
          bench.out(0x40, count & 0xff);
          bench.out(0x40, (count >> 8) & 0xff);
          bench.take();
          const startPulse = (BigInt(startNs) * 1_193_182n) / 1_000_000_000n;
          const pulse = startPulse + 1n + BigInt(periods) * BigInt(count);
          const expectedNs = (pulse * 1_000_000_000n + 1_193_181n) / 1_193_182n;
          bench.advanceTo(Number(expectedNs));
          const rises = bench.take('irq0').filter((event) => event.value === true);
          expect(rises).toHaveLength(periods);
          expect(BigInt(rises[periods - 1]!.ns)).toBe(expectedNs);
        },
      ),
      { seed: 8254, numRuns: 200 },
    );
  });

  it('loses no edge when a tick is longer than a pulse', () => {
    const bench = new TestBench(5000);
    const pit = build(bench);
    pit.reset();
    bench.out(0x43, 0x14);
    bench.out(0x40, 2);
    bench.take();
    bench.advance(5000 * 20);
    // 119 pulses are complete by then: OUT fell at every second one.
    expect(bench.take('irq0').filter((event) => event.value === false)).toHaveLength(59);
  });

  it('stops the alarm when nothing will change', () => {
    const pit = new PitBench().program(0, 0, 10).pass(11);
    expect(pit.edges()).toEqual([11]);
    expect(pit.bench.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
  });

  it('toggles the refresh bit every 18 pulses', () => {
    const pit = new PitBench();
    const refresh = (): number => pit.bench.in(0x61) & 0x10;
    expect([refresh(), pit.pass(17) && refresh(), pit.pass(1) && refresh(), pit.pass(18) && refresh()]).toEqual([0, 0, 0x10, 0]);
  });

  it('keeps the writable bits of port 61h', () => {
    const pit = new PitBench();
    pit.bench.out(0x61, 0xff);
    expect(pit.bench.in(0x61) & 0xcf).toBe(0x0f);
  });

  type Action = { kind: 'pass'; ns: number } | { kind: 'read'; port: number } | { kind: 'write'; port: number; value: number };
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ns: fc.oneof(fc.nat(10_000), fc.nat(3_000_000)) }),
    fc.record({ kind: fc.constant('read' as const), port: fc.constantFrom(0x40, 0x41, 0x42, 0x61) }),
    fc.record({
      kind: fc.constant('write' as const),
      port: fc.constantFrom(0x40, 0x42, 0x43, 0x43, 0x61),
      value: fc.oneof(fc.nat(255), fc.nat(8), fc.constantFrom(0x34, 0x36, 0xb6, 0xb2, 0xba, 0x30)),
    }),
  );
  function act(bench: TestBench, _pit: Pit, step: Action): unknown {
    if (step.kind === 'pass') return bench.advance(step.ns);
    return step.kind === 'read' ? bench.in(step.port) : bench.out(step.port, step.value);
  }
  const steps = fc.array(action, { maxLength: 30 });

  it('is after reset what it was at first', () => {
    fc.assert(
      fc.property(steps, (actions) => {
        const { used, fresh } = compareAfterReset(build, act, actions);
        expect(used).toEqual(fresh);
      }),
      { seed: 53, numRuns: 100 },
    );
  });

  it('continues after restore as it would have', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const { original, restored } = compareAfterRestore(build, act, before, after);
        expect(restored).toEqual(original);
      }),
      { seed: 8254, numRuns: 150 },
    );
  });

  it('shows the same counts and outputs however often it is looked at', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 2, max: 300 }), (before, pulses) => {
        const [once, often] = [new PitBench(), new PitBench()];
        for (const pit of [once, often]) {
          for (const step of before) act(pit.bench, pit.pit, step);
          pit.bench.take();
        }
        const startNs = once.bench.clock.nowNs;
        once.bench.advance(pulses * 838);
        for (let index = 0; index < pulses; index++) {
          often.bench.advance(838);
          often.bench.in(0x61);
        }
        expect(often.bench.clock.nowNs).toBe(startNs + pulses * 838);
        once.bench.in(0x61);
        expect(often.pit.save()).toEqual(once.pit.save());
        expect(often.bench.events).toEqual(once.bench.events);
      }),
      { seed: 54, numRuns: 150 },
    );
  });
});
