/**
 * Reading back what a device saved, field by field, so that `restore` accepts only states that `save` could have
 * written: every field present, of its type, in its range, and nothing else.
 */
import { type DeviceState, StateError, type StateValue } from './device.js';

export class StateReader {
  private readonly unread: Set<string>;

  constructor(
    private readonly owner: string,
    private readonly state: DeviceState,
  ) {
    this.unread = new Set(Object.keys(state));
  }

  /** An integer from `lowest` to `highest`, both included. */
  integer(key: string, lowest: number, highest: number): number {
    const value = this.value(key);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < lowest || value > highest) {
      throw this.error(key, `an integer from ${lowest} to ${highest}`);
    }
    return value;
  }

  byte(key: string): number {
    return this.integer(key, 0, 0xff);
  }

  boolean(key: string): boolean {
    const value = this.value(key);
    if (typeof value !== 'boolean') throw this.error(key, 'a boolean');
    return value;
  }

  /** A copy of a byte array of `lengthLowest` to `lengthHighest` bytes. */
  bytes(key: string, lengthLowest: number, lengthHighest = lengthLowest): Uint8Array {
    const value = this.value(key);
    if (!(value instanceof Uint8Array) || value.length < lengthLowest || value.length > lengthHighest) {
      throw this.error(key, `from ${lengthLowest} to ${lengthHighest} bytes`);
    }
    return value.slice();
  }

  /** `null` or an integer. */
  optionalInteger(key: string, lowest: number, highest: number): number | null {
    if (this.state[key] === null) {
      this.unread.delete(key);
      return null;
    }
    return this.integer(key, lowest, highest);
  }

  /** The due time of an alarm, as `savedDueNs` wrote it. */
  dueNs(key: string): number {
    return this.optionalInteger(key, 0, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  }

  object(key: string): StateReader {
    return this.readerOf(key, this.value(key));
  }

  /** A list of objects, of exactly `count` of them when given. */
  objects(key: string, count?: number): StateReader[] {
    const value = this.value(key);
    if (!Array.isArray(value) || (count !== undefined && value.length !== count)) {
      throw this.error(key, `a list of ${count ?? 'any number of'} objects`);
    }
    return value.map((entry) => this.readerOf(key, entry));
  }

  /** @throws StateError when a field is left that nobody asked for. */
  end(): void {
    for (const key of this.unread) throw new StateError(`${this.owner}: unknown field '${key}' in the saved state`);
  }

  private value(key: string): StateValue {
    const value = this.state[key];
    if (value === undefined) throw new StateError(`${this.owner}: field '${key}' is missing in the saved state`);
    this.unread.delete(key);
    return value;
  }

  private readerOf(key: string, value: StateValue): StateReader {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
      throw this.error(key, 'an object');
    }
    return new StateReader(`${this.owner}.${key}`, value);
  }

  private error(key: string, wanted: string): StateError {
    return new StateError(`${this.owner}: field '${key}' of the saved state must be ${wanted}`);
  }
}

/** An alarm that is not armed is saved as null: infinity is not plain data everywhere. */
export function savedDueNs(dueNs: number): number | null {
  return dueNs === Number.POSITIVE_INFINITY ? null : dueNs;
}
