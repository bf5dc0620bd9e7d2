/**
 * Everything the guest has sent to its consoles, with the tick of each byte: collected once as the run is first gone
 * through, looked up ever after.
 */
import type { PlainValue } from '../../traces/index.js';
import { firstAtOrAfter } from '../sorted.js';

export type ConsoleSource = 'serial0' | 'serial1' | 'debug';
export const CONSOLE_SOURCES: readonly ConsoleSource[] = ['serial0', 'serial1', 'debug'];

const NEWLINE = 10;
/** Bytes of a line that count. */
const LINE_LIMIT = 4096;

class Channel {
  readonly ticks: number[] = [];
  readonly bytes: number[] = [];
  /** Bytes sent so far at the place where the machine is. */
  cursor = 0;
}

export class ConsoleLog {
  private readonly channels: Readonly<Record<ConsoleSource, Channel>> = {
    serial0: new Channel(),
    serial1: new Channel(),
    debug: new Channel(),
  };

  /** The machine sends a byte, for the first time or again. */
  sent(source: ConsoleSource, tick: number, byte: number): void {
    const channel = this.channels[source];
    if (channel.cursor === channel.bytes.length) {
      channel.ticks.push(tick);
      channel.bytes.push(byte);
    }
    channel.cursor++;
  }

  /** The machine is at another place: what was sent before this tick has been sent. */
  moveTo(tick: number): void {
    for (const channel of Object.values(this.channels)) channel.cursor = firstAtOrAfter(channel.ticks, tick);
  }

  /** Plain data: everything that is known. */
  save(): PlainValue {
    return CONSOLE_SOURCES.map((source) => {
      const { ticks, bytes } = this.channels[source];
      return { ticks: new Uint8Array(Float64Array.from(ticks).buffer), bytes: Uint8Array.from(bytes) };
    });
  }

  /** @throws Error when it is not what `save` gave */
  restore(saved: PlainValue): void {
    CONSOLE_SOURCES.forEach((source, index) => {
      const { ticks, bytes } = (saved as readonly { ticks: Uint8Array; bytes: Uint8Array }[])[index] as {
        ticks: Uint8Array;
        bytes: Uint8Array;
      };
      if (ticks.length !== bytes.length * 8) throw new Error('a console without its ticks');
      const channel = this.channels[source];
      for (const tick of new Float64Array(ticks.slice().buffer)) channel.ticks.push(tick);
      for (const byte of bytes) channel.bytes.push(byte);
    });
  }

  /** What had been sent before a tick, as far as the run has been gone through. Latin-1. */
  textBefore(source: ConsoleSource, tick: number): string {
    const { ticks, bytes } = this.channels[source];
    return text(bytes.slice(0, firstAtOrAfter(ticks, tick)));
  }

  /** The line up to the byte sent last, this byte included. */
  line(source: ConsoleSource): string {
    const { bytes, cursor: count } = this.channels[source];
    let first = count - 1;
    while (first > 0 && bytes[first - 1] !== NEWLINE && count - first < LINE_LIMIT) first--;
    return text(bytes.slice(first, count));
  }
}

const text = (bytes: readonly number[]): string => Buffer.from(bytes).toString('latin1');
