/**
 * Machines that go wrong at one tick: their state is changed there, once, each time that they come by; or as what they have
 * besides their state will have it.
 */
import type { ExitReason, Machine, MachineState, RunUntil } from '../../engine/index.js';
import type { DiffMachine } from './side.js';

/** @returns the state as it is to be, and the frames that are to change */
export type Fault = (machine: Machine, state: MachineState) => readonly [MachineState, (readonly [number, Uint8Array])[]];

export function faultyMachine(machine: Machine, faultTick: number, fault: Fault): DiffMachine {
  const run = (until: RunUntil): ExitReason => {
    const limit = until.tick ?? Number.POSITIVE_INFINITY;
    if (machine.tick < faultTick && limit >= faultTick) {
      const reason = machine.run({ ...until, tick: faultTick });
      if (machine.tick !== faultTick) return reason;
      const callbacks = [machine.onInterrupt, machine.onException] as const;
      machine.rewind(...fault(machine, machine.saveWithoutMemory()));
      [machine.onInterrupt, machine.onException] = callbacks;
      if (reason.kind !== 'limit' || limit === faultTick) return reason;
    }
    return machine.run(until);
  };
  return withMethods(machine, { run });
}

/** Goes wrong at a tick, and, once it has been put back, at another. */
export function faultyOnceRewound(machine: Machine, faultTick: number, rewoundTick: number, fault: Fault): DiffMachine {
  const [fresh, rewound] = [faultTick, rewoundTick].map((tick) => faultyMachine(machine, tick, fault)) as [DiffMachine, DiffMachine];
  let present = fresh;
  return withMethods(machine, {
    run: (until) => present.run(until),
    rewind(state, frames) {
      machine.rewind(state, frames);
      present = rewound;
    },
  });
}

/** Goes wrong at a tick if it is run there in one go from so many ticks before; once it has been put back never, if so wanted. */
export function faultyInOneGo(machine: Machine, faultTick: number, goTicks: number, onlyFresh: boolean, fault: Fault): DiffMachine {
  const faulty = faultyMachine(machine, faultTick, fault);
  let heals = false;
  return withMethods(machine, {
    run: (until) => (heals || machine.tick > faultTick - goTicks ? machine : faulty).run(until),
    rewind(state, frames) {
      machine.rewind(state, frames);
      heals = onlyFresh;
    },
  });
}

function withMethods(machine: Machine, methods: Partial<DiffMachine>): DiffMachine {
  return new Proxy(machine, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}
