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

  /** The byte at `index`, which is less than `length`. */
  at(index: number): number {
    if (index < 0 || index >= this.length) throw new RangeError(`byte queue: no byte ${index} of ${this.length}`);
    return this.buffer[this.first + index]!;
  }

  take(): number {
    const byte = this.at(0);
    this.first++;
    return byte;
  }

  clear(): void {
    this.first = 0;
    this.end = 0;
  }

  copy(): Uint8Array {
    return this.buffer.slice(this.first, this.end);
  }
}
