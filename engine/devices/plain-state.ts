/**
 * Device state as one plain object: copied out by save(), checked against the shape of a fresh one by restore().
 * A device that keeps all it has to remember in such an object cannot forget a field.
 */
import type { Alarm } from '../clock/clock.js';
import { type DeviceState, StateError, type StateValue } from './device.js';

/** What `alarmDueNs` holds while an alarm is not armed: Infinity is no plain integer. */
export const NOT_ARMED = -1;

export function alarmToState(alarm: Alarm): number {
  return alarm.dueNs === Number.POSITIVE_INFINITY ? NOT_ARMED : alarm.dueNs;
}

export function alarmFromState(alarm: Alarm, dueNs: number): void {
  if (dueNs === NOT_ARMED) alarm.disarm();
  else alarm.armAt(dueNs);
}

export function copyOf<T extends StateValue>(value: T): T {
  return copyValue(value) as T;
}

function copyValue(value: StateValue): StateValue {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(copyValue);
  if (value === null || typeof value !== 'object') return value;
  const copy: DeviceState = {};
  for (const key of Object.keys(value)) copy[key] = copyValue(value[key] as StateValue);
  return copy;
}

/**
 * A copy of `state`, which has to have exactly the fields of `shape`, of the same kinds. Numbers are integers from
 * -1 up; an empty byte array in the shape stands for any length, otherwise lengths must agree.
 * @throws StateError naming the field that does not fit.
 */
export function stateLike<T extends DeviceState>(shape: T, state: DeviceState, device: string): T {
  check(shape, state, device);
  return copyOf(state) as T;
}

function check(shape: StateValue, value: StateValue | undefined, path: string): void {
  const refuse = (): never => {
    throw new StateError(`${path}: not a state of this device`);
  };
  if (shape instanceof Uint8Array) {
    if (!(value instanceof Uint8Array)) return refuse();
    if (shape.length !== 0 && shape.length !== value.length) refuse();
  } else if (Array.isArray(shape)) {
    if (!Array.isArray(value) || value.length !== shape.length) return refuse();
    shape.forEach((item, index) => check(item, value[index], `${path}[${index}]`));
  } else if (shape !== null && typeof shape === 'object') {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array) return refuse();
    const keys = Object.keys(shape);
    if (Object.keys(value).length !== keys.length) refuse();
    for (const key of keys) check(shape[key] as StateValue, value[key], `${path}.${key}`);
  } else if (typeof shape === 'number') {
    if (!Number.isSafeInteger(value) || (value as number) < -1) refuse();
  } else if (typeof shape !== typeof value) refuse();
}
