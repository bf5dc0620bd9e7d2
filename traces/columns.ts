/**
 * Columns of integers: the shortest of four codings, as specified under COLUMN in format.ts.
 */
import { TraceError } from './errors.js';

export const COLUMN_MODE = { plain: 0, delta: 1, delta2: 2, runs: 3 } as const;
export type ColumnMode = (typeof COLUMN_MODE)[keyof typeof COLUMN_MODE];

type Emit = (value: number) => void;

/** Feeds the varints of a column to `emit`; false when the mode cannot hold these values. */
const GENERATORS: { readonly [Mode in ColumnMode]: (values: ArrayLike<number>, emit: Emit) => boolean } = {
  [COLUMN_MODE.plain](values, emit) {
    for (let i = 0; i < values.length; i++) emit(values[i]);
    return true;
  },
  [COLUMN_MODE.delta](values, emit) {
    let previous = 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i] < previous) return false;
      emit(values[i] - previous);
      previous = values[i];
    }
    return true;
  },
  [COLUMN_MODE.delta2](values, emit) {
    let previous = 0;
    let previousDelta = 0;
    for (let i = 0; i < values.length; i++) {
      const delta = values[i] - previous;
      const change = delta - previousDelta;
      if (Math.abs(change) >= 2 ** 52) return false;
      emit(change >= 0 ? 2 * change : -2 * change - 1);
      previous = values[i];
      previousDelta = delta;
    }
    return true;
  },
  [COLUMN_MODE.runs](values, emit) {
    for (let i = 0; i < values.length; ) {
      let next = i + 1;
      while (next < values.length && values[next] === values[i]) next++;
      emit(values[i]);
      emit(next - i - 1);
      i = next;
    }
    return true;
  },
};
const MODES = Object.values(COLUMN_MODE);

export function encodeColumn(values: ArrayLike<number>): Uint8Array {
  let bestMode: ColumnMode = COLUMN_MODE.plain;
  let bestLength = Number.POSITIVE_INFINITY;
  for (const mode of MODES) {
    let length = 0;
    const possible = GENERATORS[mode](values, (value) => {
      length += varintLength(value);
    });
    if (possible && length < bestLength) {
      bestMode = mode;
      bestLength = length;
    }
  }
  return encodeColumnAs(bestMode, values, bestLength);
}

/** The mode whose bytes depend on nothing but the values, for what must be canonical. */
export function encodePlainColumn(values: ArrayLike<number>): Uint8Array {
  let length = 0;
  for (let i = 0; i < values.length; i++) length += varintLength(values[i]);
  return encodeColumnAs(COLUMN_MODE.plain, values, length);
}

function encodeColumnAs(mode: ColumnMode, values: ArrayLike<number>, varintBytes: number): Uint8Array {
  if (values.length === 0) return new Uint8Array(0);
  const bytes = new Uint8Array(1 + varintBytes);
  bytes[0] = mode;
  let at = 1;
  GENERATORS[mode](values, (value) => {
    let rest = value;
    while (rest >= 0x80) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[at++] = rest;
  });
  return bytes;
}

function varintLength(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new TraceError(`cannot store ${value}: not a natural number below 2^53`);
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/**
 * @param count how many values the column must hold; the caller has bounded it.
 * @param valueMax the largest value allowed.
 */
export function decodeColumn(bytes: Uint8Array, count: number, valueMax: number, what: string): Float64Array {
  if (count === 0) {
    if (bytes.length !== 0) throw new TraceError(`${what}: bytes in a column of no values`);
    return new Float64Array(0);
  }
  const mode = bytes[0];
  // Every mode but runs has at least one byte a value: no need to allocate for a count that cannot be true.
  if (mode !== COLUMN_MODE.runs && bytes.length - 1 < count) throw new TraceError(`${what}: a column shorter than its count`);
  const values = new Float64Array(count);
  const varints = new VarintReader(bytes, what);
  const store = (index: number, value: number): void => {
    if (!(value >= 0 && value <= valueMax)) throw new TraceError(`${what}: value ${value} is outside 0..${valueMax}`);
    values[index] = value;
  };
  switch (mode) {
    case COLUMN_MODE.plain:
      for (let i = 0; i < count; i++) store(i, varints.next());
      break;
    case COLUMN_MODE.delta:
      for (let i = 0, value = 0; i < count; i++) {
        value += varints.next();
        store(i, value);
      }
      break;
    case COLUMN_MODE.delta2:
      for (let i = 0, value = 0, delta = 0; i < count; i++) {
        const coded = varints.next();
        delta += coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
        value += delta;
        store(i, value);
      }
      break;
    case COLUMN_MODE.runs:
      for (let i = 0; i < count; ) {
        const value = varints.next();
        const repeats = varints.next() + 1;
        if (repeats > count - i) throw new TraceError(`${what}: a run goes beyond the end of its column`);
        store(i, value);
        values.fill(value, i, i + repeats);
        i += repeats;
      }
      break;
    default:
      throw new TraceError(`${what}: column mode ${mode} is unknown to this version`);
  }
  if (!varints.atEnd) throw new TraceError(`${what}: a column longer than its count`);
  return values;
}

class VarintReader {
  private at = 1;
  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
  ) {}

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      if (this.at >= this.bytes.length) throw new TraceError(`${this.what}: a column that ends inside a number`);
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 49) throw new TraceError(`${this.what}: a number of 2^53 or more`);
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) throw new TraceError(`${this.what}: a number not in its shortest form`);
        return value;
      }
    }
  }
}
