/**
 * Where the guest's serial output goes: standard output or a file. Bytes are collected and written once a slice.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { TraceError } from '../../traces/errors.js';

const BUFFER_BYTES = 1 << 16;

export class GuestOutput {
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private length = 0;
  private readonly descriptor: number | undefined;
  private lastByte = NEWLINE;
  private closed = false;
  /** Called before something is written to standard output. */
  beforeWrite: () => void = () => {};

  /** @param target 'stdio' or the name of a file. */
  constructor(private readonly target: string) {
    this.descriptor = target === 'stdio' ? undefined : attempt(target, () => openSync(target, 'w'));
  }

  get isTerminal(): boolean {
    return this.descriptor === undefined && process.stdout.isTTY;
  }

  /** Nothing stands on the terminal's line that the guest writes to. */
  get atLineStart(): boolean {
    return this.lastByte === NEWLINE && this.length === 0;
  }

  byte(byte: number): void {
    if (this.length === BUFFER_BYTES) this.flush();
    this.buffer[this.length++] = byte;
  }

  flush(): void {
    if (this.length === 0) return;
    const bytes = this.buffer.slice(0, this.length);
    this.length = 0;
    this.lastByte = bytes[bytes.length - 1] as number;
    const { descriptor } = this;
    if (descriptor === undefined) {
      this.beforeWrite();
      process.stdout.write(bytes);
      return;
    }
    attempt(this.target, () => {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
    });
  }

  /** Leaves the terminal at the start of a line. May be called again. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.flush();
    if (this.isTerminal && !this.atLineStart) process.stdout.write('\n');
    if (this.descriptor !== undefined) closeSync(this.descriptor);
  }
}

const NEWLINE = 0x0a;

function attempt<Result>(fileName: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    throw new TraceError(`cannot be written: ${code ?? message}`, { fileName });
  }
}
