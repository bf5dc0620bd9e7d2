/**
 * A debugger's breakpoints are met exactly where a scan by single ticks finds that the instruction is about to be
 * executed, in either tier, whole or in slices; and the guest does not notice.
 */
import { describe, expect, test } from 'vitest';
import type { DeviceState } from './devices/device.js';
import { isRepeat, linearOf, MODES, type ObservedGuest, observedGuests, runTo, slicesOf } from './test-observed-guest.js';
import { TestRandom } from './test-random-guest.js';

interface Execution {
  readonly tick: number;
  readonly linear: number;
}

/** Every instruction that is executed, of a REP the first iteration. */
function scan(guest: ObservedGuest): { executions: readonly Execution[]; outcome: string } {
  const machine = guest.machine('step');
  const executions: Execution[] = [];
  let diverted = false;
  machine.onInterrupt = () => {
    diverted = true;
  };
  machine.onException = () => {
    diverted = true;
  };
  let repeating = -1;
  for (;;) {
    const { tick } = machine;
    const linear = linearOf(machine);
    const code = machine.peekLinear(linear, 15);
    const halted = (machine.saveWithoutMemory().cpu as DeviceState).halted === true;
    let interrupted = false;
    machine.onInterrupt = () => {
      interrupted = true;
    };
    diverted = false;
    const reason = machine.run({ tick: tick + 1 });
    if (!halted && !interrupted && repeating !== tick && machine.tick > tick) executions.push({ tick, linear });
    const goesOn = !halted && !interrupted && !diverted && linearOf(machine) === linear && isRepeat(code);
    repeating = goesOn ? machine.tick : -1;
    if (reason.kind !== 'limit' || machine.tick >= guest.ticks) break;
  }
  machine.onInterrupt = undefined;
  return { executions, outcome: `${machine.tick} ${machine.nowNs} ${machine.digest()}` };
}

/** Some addresses that are executed, some that are not. */
function choose(executions: readonly Execution[], random: TestRandom): number[] {
  const chosen = Array.from({ length: 8 }, () => random.pick(executions).linear);
  return [...chosen, (random.pick(executions).linear + 1) >>> 0, 0xffff_ffff];
}

describe.each(observedGuests([1, 2]))('$name', (guest) => {
  const { executions, outcome } = scan(guest);
  const expectedOutcome = runTo(guest.machine('auto'), guest.ticks);

  test('the scan went the same way', () => {
    expect(expectedOutcome).toContain(outcome);
  });

  test.each(MODES)('$title', (mode) => {
    const random = new TestRandom(guest.ticks + guest.name.length);
    const addresses = choose(executions, random);
    const wanted = new Set(addresses);
    const expected = executions.filter(({ linear }) => wanted.has(linear));
    for (const stops of [false, true]) {
      const machine = guest.machine(mode.tier);
      const met: Execution[] = [];
      machine.setBreakpoints(addresses);
      machine.onBreakpoint = (linear) => {
        met.push({ tick: machine.tick, linear });
        return stops;
      };
      const found = runTo(machine, guest.ticks, slicesOf(mode));
      expect(met).toEqual(expected);
      expect(found).toBe(expectedOutcome);
    }
  });
});

test('set and taken away while the guest runs', () => {
  for (const guest of observedGuests([5])) {
    const expected = scan(guest);
    const machine = guest.machine('auto');
    const random = new TestRandom(3);
    let met: Execution[] = [];
    machine.onBreakpoint = (linear) => {
      met.push({ tick: machine.tick, linear });
      return false;
    };
    while (machine.tick < guest.ticks) {
      const startTick = machine.tick;
      const addresses = random.chance(30) ? [] : choose(expected.executions, random);
      machine.setBreakpoints(addresses);
      machine.rearmBreakpoint(machine.midRepeat);
      met = [];
      const reason = machine.runStepped({ tick: Math.min(guest.ticks, startTick + 1 + random.below(100)) });
      const wanted = new Set(addresses);
      const within = expected.executions.filter(({ tick, linear }) => tick >= startTick && tick < machine.tick && wanted.has(linear));
      expect(met, guest.name).toEqual(within);
      if (reason.kind !== 'limit') break;
    }
    expect(`${machine.tick} ${machine.nowNs} ${machine.digest()}`).toBe(expected.outcome);
  }
});
