/**
 * A queue of bytes without a limit: what the host has sent and a device has not taken yet. It is part of the state.
 */
const INITIAL_CAPACITY = 64;

export class ByteQueue {
  private buffer = new Uint8Array(INITIAL_CAPACITY);
  private first = 0;
  private end = 0;

  get length(): number {
    return this.end - this.first;
  }

  push(bytes: Uint8Array): void {
    if (this.end + bytes.length > this.buffer.length) {
      const waiting = this.copy();
      const grown = new Uint8Array(Math.max(INITIAL_CAPACITY, 2 * (waiting.length + bytes.length)));
      grown.set(waiting);
      this.buffer = grown;
      this.first = 0;
      this.end = waiting.length;
    }
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
  }

  take(): number {
    if (this.length === 0) throw new RangeError('byte queue: it is empty');
    return this.buffer[this.first++]!;
  }

  clear(): void {
    this.first = 0;
    this.end = 0;
  }

  /** Makes `bytes` the whole contents. */
  replace(bytes: Uint8Array): void {
    this.clear();
    this.push(bytes);
  }

  copy(): Uint8Array {
    return this.buffer.slice(this.first, this.end);
  }

  /** The first `count` bytes, or as many as there are. */
  copyFirst(count: number): Uint8Array {
    return this.buffer.slice(this.first, Math.min(this.end, this.first + count));
  }
}
