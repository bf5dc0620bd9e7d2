import { describe, expect, it } from 'vitest';
import { Clock } from './clock.js';

class Ticks {
  tick = 0;
  changes = 0;
  deadlineChanged(): void {
    this.changes++;
  }
}

function clockOf(nsPerTick: number): {
  clock: Clock;
  ticks: Ticks;
  fired: string[];
  alarm: (name: string) => ReturnType<Clock['createAlarm']>;
} {
  const clock = new Clock(nsPerTick);
  const ticks = new Ticks();
  const fired: string[] = [];
  clock.attach(ticks);
  const alarm = (name: string) => clock.createAlarm(name, (dueNs) => fired.push(`${name} ${dueNs} at ${clock.nowNs}`));
  return { clock, ticks, fired, alarm };
}

describe('virtual time', () => {
  it('is ticks times nsPerTick plus what was skipped', () => {
    const { clock, ticks } = clockOf(3);
    ticks.tick = 100;
    expect([clock.tick, clock.nowNs]).toEqual([100, 300]);
    clock.skipTo(1000);
    expect([clock.tick, clock.nowNs, clock.skippedNs]).toEqual([100, 1000, 700]);
    // Never back.
    clock.skipTo(900);
    expect(clock.nowNs).toBe(1000);
  });

  it.each([
    [0, 0],
    [1, 1],
    [3, 1],
    [4, 2],
    [300, 100],
    [301, 101],
  ])('reaches %i ns at tick %i', (ns, tick) => {
    const { clock } = clockOf(3);
    expect(clock.tickAt(ns)).toBe(tick);
    clock.skippedNs = 3;
    expect(clock.tickAt(ns + 3)).toBe(tick);
  });
});

describe('alarms', () => {
  it('fire in the order of their time, then of their making, once', () => {
    const { clock, ticks, fired, alarm } = clockOf(10);
    const [a, b, c] = [alarm('a'), alarm('b'), alarm('c')];
    c.armAt(50);
    b.armAt(20);
    a.armAt(50);
    expect(clock.nextDueNs).toBe(20);
    ticks.tick = 1;
    clock.fireDue();
    expect(fired).toEqual([]);
    ticks.tick = 7;
    clock.fireDue();
    // Each is told when it was due.
    expect(fired).toEqual(['b 20 at 70', 'a 50 at 70', 'c 50 at 70']);
    expect(clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    clock.fireDue();
    expect(fired.length).toBe(3);
  });

  it('may arm themselves again while they fire', () => {
    const clock = new Clock(1);
    const ticks = new Ticks();
    clock.attach(ticks);
    const times: number[] = [];
    const alarm = clock.createAlarm('periodic', (dueNs) => {
      times.push(dueNs);
      alarm.armAt(dueNs + 10);
    });
    alarm.armAt(10);
    ticks.tick = 35;
    clock.fireDue();
    expect(times).toEqual([10, 20, 30]);
    expect(alarm.dueNs).toBe(40);
  });

  it('tell the CPU when the earliest time has changed, and only then', () => {
    const { ticks, alarm } = clockOf(1);
    const [a, b] = [alarm('a'), alarm('b')];
    a.armAt(100);
    expect(ticks.changes).toBe(1);
    b.armAt(200);
    expect(ticks.changes).toBe(1);
    b.armAt(50);
    expect(ticks.changes).toBe(2);
    a.disarm();
    expect(ticks.changes).toBe(2);
    b.disarm();
    expect(ticks.changes).toBe(3);
  });

  it('in the past fire at the next look', () => {
    const { clock, ticks, fired, alarm } = clockOf(1);
    ticks.tick = 100;
    alarm('late').armAt(5);
    clock.fireDue();
    expect(fired).toEqual(['late 5 at 100']);
  });
});
