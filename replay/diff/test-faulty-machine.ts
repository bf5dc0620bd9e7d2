/** A machine that goes wrong at one tick: its state is changed there, once, each time that it comes by. */
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
  return new Proxy(machine, {
    get(target, name) {
      if (name === 'run') return run;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}
