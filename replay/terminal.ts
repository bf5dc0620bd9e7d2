/**
 * A person at the terminal as a source of input. The terminal is in raw mode, so that every key reaches the guest; the
 * escape key (Ctrl-A, as in QEMU and screen) reaches us.
 */
import { InputError, keyboardPayload, POWER_INPUT } from '../engine/index.js';
import type { LiveInput } from './session.js';

const ESCAPE_KEY = 0x01;
const DELETE = 0x7f;
const LETTERS_BEFORE_A = 0x60;

const HELP = `
Ctrl-A h    this help
Ctrl-A x    quit
Ctrl-A s    keys go to the serial port (as at the start)
Ctrl-A k    keys go to the keyboard
Ctrl-A b    press the power button
Ctrl-A r    press the reset button
Ctrl-A Ctrl-A  send Ctrl-A
`;

/** What terminals send for keys without a character (ECMA-48 as in xterm). */
const SEQUENCES: readonly (readonly [sequence: string, key: string])[] = [
  ['\x1b[A', '{Up}'],
  ['\x1b[B', '{Down}'],
  ['\x1b[C', '{Right}'],
  ['\x1b[D', '{Left}'],
  ['\x1b[H', '{Home}'],
  ['\x1b[F', '{End}'],
  ['\x1b[2~', '{Insert}'],
  ['\x1b[3~', '{Delete}'],
  ['\x1b[5~', '{PageUp}'],
  ['\x1b[6~', '{PageDown}'],
];

/** The part of process.stdin that is used. */
export interface TerminalStream {
  setRawMode(raw: boolean): unknown;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  off(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

type Pending = { device: string; payload: Uint8Array };

export class TerminalInput implements LiveInput {
  private pending: Pending[] = [];
  private wake: () => void = () => {};
  private escaped = false;
  private device: 'serial0' | 'keyboard' = 'serial0';
  private readonly restore = (): void => {
    this.stream.setRawMode(false);
  };
  private readonly onData = (bytes: Uint8Array): void => this.data(bytes);

  /**
   * @param quit called when the person has had enough.
   * @param say shows text that is not the guest's.
   */
  constructor(
    private readonly stream: TerminalStream,
    private readonly quit: () => void,
    private readonly say: (text: string) => void,
  ) {
    stream.setRawMode(true);
    // However the process ends, the terminal must be usable after it.
    process.on('exit', this.restore);
    stream.on('data', this.onData);
    stream.resume();
  }

  take(): readonly Pending[] {
    const taken = this.pending;
    this.pending = [];
    return taken;
  }

  wait(): Promise<void> {
    if (this.pending.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  close(): void {
    this.stream.off('data', this.onData);
    this.stream.pause();
    process.off('exit', this.restore);
    this.restore();
  }

  private data(bytes: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (this.escaped) {
        this.escaped = false;
        this.command(byte);
        start = at + 1;
      } else if (byte === ESCAPE_KEY) {
        this.send(bytes.subarray(start, at));
        this.escaped = true;
        start = at + 1;
      }
    }
    this.send(bytes.subarray(start));
    this.wake();
  }

  private command(byte: number): void {
    switch (String.fromCharCode(byte)) {
      case 'x':
        return this.quit();
      case 's':
        this.device = 'serial0';
        return;
      case 'k':
        this.device = 'keyboard';
        return;
      case 'b':
        this.pending.push({ device: 'power', payload: Uint8Array.of(POWER_INPUT.powerButton) });
        return;
      case 'r':
        this.pending.push({ device: 'power', payload: Uint8Array.of(POWER_INPUT.reset) });
        return;
      case '\x01':
        return this.send(Uint8Array.of(byte));
      default:
        this.say(HELP);
    }
  }

  private send(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const payload = this.device === 'serial0' ? bytes.slice() : typed(bytes);
    if (payload.length > 0) this.pending.push({ device: this.device, payload });
  }
}

/** Key presses that would have made a terminal send these bytes; what no key makes is left out. */
export function typed(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  const codes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const [sequence, key] = SEQUENCES.find(([candidate]) => text.startsWith(candidate, at)) ?? [text[at] as string, undefined];
    codes.push(...press(key ?? keyOf(sequence)));
    at += sequence.length;
  }
  return Uint8Array.from(codes);
}

function keyOf(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '{') return '{{';
  if (character === '\r' || character === '\n') return '\n';
  if (code === DELETE) return '\b';
  if (character === '\t' || character === '\b' || character === '\x1b') return character;
  return code > 0 && code <= 26 ? `{Ctrl+${String.fromCharCode(code + LETTERS_BEFORE_A)}}` : character;
}

function press(key: string): Uint8Array {
  try {
    return keyboardPayload(key);
  } catch (error) {
    if (error instanceof InputError) return new Uint8Array(0);
    throw error;
  }
}
