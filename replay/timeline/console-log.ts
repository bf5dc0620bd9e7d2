/**
 * Everything the guest has sent to its consoles, with the tick of each byte: collected once as the run is first gone
 * through, looked up ever after.
 */
import { firstAtOrAfter } from './playback.js';

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
