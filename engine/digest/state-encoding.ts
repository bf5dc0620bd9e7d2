/**
 * Canonical bytes of plain state, for hashing: a tag, then the value; keys of an object in sorted order. Equal states
 * give equal bytes wherever and in whatever order they were made.
 */
import type { StateValue } from '../devices/device.js';

const TAG = { null: 0, false: 1, true: 2, number: 3, bigint: 4, string: 5, bytes: 6, array: 7, object: 8 } as const;

/** Collects bytes in a window and hands full windows on. */
export class ByteSink {
  private length = 0;
  private readonly view: DataView;

  /** @param full is called with the number of bytes in the window when it is full, and once more at the end. */
  constructor(
    private readonly window: Uint8Array,
    private readonly full: (length: number) => void,
  ) {
    this.view = new DataView(window.buffer, window.byteOffset, window.byteLength);
  }

  byte(value: number): void {
    if (this.length === this.window.length) this.flush();
    this.window[this.length++] = value;
  }
  word64(write: (view: DataView, at: number) => void): void {
    if (this.length + 8 > this.window.length) this.flush();
    write(this.view, this.length);
    this.length += 8;
  }
  bytes(values: Uint8Array): void {
    let at = 0;
    while (at < values.length) {
      if (this.length === this.window.length) this.flush();
      const count = Math.min(values.length - at, this.window.length - this.length);
      this.window.set(values.subarray(at, at + count), this.length);
      this.length += count;
      at += count;
    }
  }
  flush(): void {
    this.full(this.length);
    this.length = 0;
  }
}

export function encodeState(value: StateValue, sink: ByteSink): void {
  if (value === null) sink.byte(TAG.null);
  else if (typeof value === 'boolean') sink.byte(value ? TAG.true : TAG.false);
  else if (typeof value === 'number') encodeNumber(value, sink, TAG.number);
  else if (typeof value === 'bigint') {
    sink.byte(TAG.bigint);
    sink.word64((view, at) => view.setBigUint64(at, BigInt.asUintN(64, value), true));
  } else if (typeof value === 'string') {
    encodeNumber(value.length, sink, TAG.string);
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      sink.byte(unit & 0xff);
      sink.byte(unit >>> 8);
    }
  } else if (value instanceof Uint8Array) {
    encodeNumber(value.length, sink, TAG.bytes);
    sink.bytes(value);
  } else if (Array.isArray(value)) {
    encodeNumber(value.length, sink, TAG.array);
    for (const item of value) encodeState(item, sink);
  } else {
    const keys = Object.keys(value).sort();
    encodeNumber(keys.length, sink, TAG.object);
    for (const key of keys) {
      encodeState(key, sink);
      encodeState(value[key] as StateValue, sink);
    }
  }
}

function encodeNumber(value: number, sink: ByteSink, tag: number): void {
  if (Number.isNaN(value)) throw new Error('state holds NaN');
  sink.byte(tag);
  // Minus zero and zero are one value.
  sink.word64((view, at) => view.setFloat64(at, value + 0, true));
}
