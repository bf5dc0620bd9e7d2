/**
 * Plays an input script: knows which line comes next and when it is due. A pattern stops the machine at the boundary
 * after the byte that completed it, so that the input enters at a tick that depends on the guest alone.
 */
import type { InputScript, ScriptEntry, ScriptTrigger } from './input-script.js';

/** A regular expression sees this much of what came before the latest byte. */
const PATTERN_WINDOW = 1024;

export class ScriptPlayer {
  private next = 0;
  private matched = false;
  private accept: (byte: number) => boolean = () => false;

  constructor(
    private readonly script: InputScript,
    private readonly requestStop: () => void,
  ) {
    this.arm();
  }

  /** The tick at which a line is due; infinite when none waits for a tick. */
  get nextTick(): number {
    const when = this.script[this.next]?.when;
    return when !== undefined && 'atTick' in when ? when.atTick : Number.POSITIVE_INFINITY;
  }

  /** All lines have been played. */
  get done(): boolean {
    return this.next >= this.script.length;
  }

  /** A byte that the guest sent on its first serial port. */
  sent(byte: number): void {
    if (this.matched || !this.accept(byte)) return;
    this.matched = true;
    this.requestStop();
  }

  /** The next line if it is due at `tick`, and steps on. @param idle no tick will come without input. */
  takeDue(tick: number, idle: boolean): ScriptEntry | undefined {
    const entry = this.script[this.next];
    if (entry === undefined) return undefined;
    if (!this.matched && !('atTick' in entry.when && (idle || entry.when.atTick <= tick))) return undefined;
    this.next++;
    this.arm();
    return entry;
  }

  private arm(): void {
    this.matched = false;
    const when = this.script[this.next]?.when;
    this.accept = when === undefined ? () => false : acceptorOf(when);
  }
}

function acceptorOf(when: ScriptTrigger): (byte: number) => boolean {
  if ('afterBytes' in when) return textAcceptor(when.afterBytes);
  if ('afterPattern' in when) return patternAcceptor(when.afterPattern);
  return () => false;
}

/** Knuth-Morris-Pratt: constant memory, each byte looked at once. */
function textAcceptor(text: Uint8Array): (byte: number) => boolean {
  const fallback = new Int32Array(text.length);
  for (let at = 1, length = 0; at < text.length; at++) {
    while (length > 0 && text[at] !== text[length]) length = fallback[length - 1] as number;
    if (text[at] === text[length]) length++;
    fallback[at] = length;
  }
  let length = 0;
  return (byte) => {
    while (length > 0 && text[length] !== byte) length = fallback[length - 1] as number;
    if (text[length] === byte) length++;
    return length === text.length;
  };
}

function patternAcceptor(pattern: RegExp): (byte: number) => boolean {
  let seen = '';
  return (byte) => {
    seen = seen.slice(-PATTERN_WINDOW) + String.fromCharCode(byte);
    return pattern.test(seen);
  };
}
