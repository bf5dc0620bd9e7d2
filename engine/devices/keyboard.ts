/**
 * The 102-key PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)").
 *
 * `input` takes what a PC programmer would see: set 1 make and break codes (1Eh, 9Eh; E0h before the keys of the
 * enhanced keyboard; E1 1D 45 and E1 9D C5 for Pause), whatever set the guest has chosen. The keyboard does not repeat
 * keys by itself: a key that repeats is a make code sent again. The person at the keyboard is patient: what does not
 * fit into the 16 bytes of the keyboard's buffer, or comes while the guest has scanning disabled, is typed later.
 *
 * The power-on self test is over when the machine starts; its AAh is sent only after a Reset command.
 */
import { ByteQueue } from './byte-queue.js';
import { type DeviceState, type InputDevice, InputError, StateError } from './device.js';
import { PS2_ACKNOWLEDGE, PS2_RESEND, PS2_SELF_TEST_PASSED, type Ps2Device } from './ps2.js';
import { EXTENDED, PAUSE_SET_3, SET_3_BREAKS_BY_DEFAULT, SET_3_CODE_COUNT, set2Of, set3Of } from './scan-codes.js';
import { StateReader } from './state-reader.js';

const BUFFER_SIZE = 16;
const PREFIX_EXTENDED = 0xe0;
const PREFIX_PAUSE = 0xe1;
const PREFIX_BREAK = 0xf0;
const BREAK = 0x80;
const ECHO = 0xee;
const IDENTITY = [0xab, 0x83] as const;
/** 10.9 characters a second after half a second. */
const TYPEMATIC_DEFAULT = 0x2b;

const COMMAND_LEDS = 0xed;
const COMMAND_ECHO = 0xee;
const COMMAND_SCAN_SET = 0xf0;
const COMMAND_IDENTIFY = 0xf2;
const COMMAND_TYPEMATIC = 0xf3;
const COMMAND_ENABLE = 0xf4;
const COMMAND_DISABLE = 0xf5;
const COMMAND_DEFAULTS = 0xf6;
const COMMAND_ALL_TYPEMATIC = 0xf7;
const COMMAND_ALL_MAKE_BREAK = 0xf8;
const COMMAND_ALL_MAKE = 0xf9;
const COMMAND_ALL_TYPEMATIC_MAKE_BREAK = 0xfa;
const COMMAND_KEY_TYPEMATIC = 0xfb;
const COMMAND_KEY_MAKE_BREAK = 0xfc;
const COMMAND_KEY_MAKE = 0xfd;
const COMMAND_RESEND = 0xfe;
const COMMAND_RESET = 0xff;
const COMMAND_LOWEST = COMMAND_LEDS;

/** One press or release: the bytes of its set 1 code. */
type KeyEvent = readonly number[];

export class Keyboard implements InputDevice, Ps2Device {
  readonly name = 'keyboard';
  onByteReady: (() => void) | undefined;

  private scanSet = 2;
  private scanning = true;
  private leds = 0;
  private typematic = TYPEMATIC_DEFAULT;
  /** A command that waits for its parameter. */
  private pendingCommand: number | null = null;
  private readonly replies = new ByteQueue();
  private readonly buffer = new ByteQueue();
  /** Set 1 codes from the host that have not gone into the buffer yet. */
  private readonly typed = new ByteQueue();
  private lastSent = 0;
  /** Set 3: for each code, whether releasing the key is told. */
  private readonly sendsBreak = new Uint8Array(SET_3_CODE_COUNT);

  constructor() {
    this.setDefaultKeyTypes();
  }

  /** Power-on. */
  reset(): void {
    this.restart();
    this.replies.clear();
    this.pendingCommand = null;
    this.lastSent = 0;
    this.fillBuffer();
  }

  /** The lights: bit 0 Scroll Lock, bit 1 Num Lock, bit 2 Caps Lock. */
  get lights(): number {
    return this.leds;
  }

  input(payload: Uint8Array): void {
    checkKeyEvents(payload);
    this.typed.push(payload);
    this.fillBuffer();
  }

  // --- the link ----------------------------------------------------------------------------------------------------

  get hasByte(): boolean {
    return this.replies.length > 0 || this.buffer.length > 0;
  }

  takeByte(): number {
    if (this.replies.length > 0) this.lastSent = this.replies.take();
    else {
      this.lastSent = this.buffer.take();
      this.fillBuffer();
    }
    return this.lastSent;
  }

  receiveByte(byte: number): void {
    const command = this.pendingCommand;
    this.replies.clear();
    if (command !== null && byte < COMMAND_LOWEST) this.runParameter(command, byte);
    else {
      this.pendingCommand = null;
      this.runCommand(byte);
    }
    this.fillBuffer();
    this.onByteReady?.();
  }

  private reply(...bytes: readonly number[]): void {
    this.replies.push(Uint8Array.from(bytes));
  }

  private runCommand(command: number): void {
    switch (command) {
      case COMMAND_ECHO:
        this.reply(ECHO);
        return;
      case COMMAND_RESEND:
        this.reply(this.lastSent);
        return;
      case COMMAND_LEDS:
      case COMMAND_TYPEMATIC:
        this.pendingCommand = command;
        break;
      case COMMAND_SCAN_SET:
        this.buffer.clear();
        this.pendingCommand = command;
        break;
      case COMMAND_KEY_TYPEMATIC:
      case COMMAND_KEY_MAKE_BREAK:
      case COMMAND_KEY_MAKE:
        this.buffer.clear();
        this.scanning = false;
        this.pendingCommand = command;
        break;
      case COMMAND_IDENTIFY:
        this.reply(PS2_ACKNOWLEDGE, ...IDENTITY);
        return;
      case COMMAND_ENABLE:
        this.buffer.clear();
        this.scanning = true;
        break;
      case COMMAND_DISABLE:
        this.setDefaults();
        this.scanning = false;
        break;
      case COMMAND_DEFAULTS:
        this.setDefaults();
        break;
      case COMMAND_ALL_TYPEMATIC:
      case COMMAND_ALL_MAKE:
        this.buffer.clear();
        this.sendsBreak.fill(0);
        break;
      case COMMAND_ALL_MAKE_BREAK:
      case COMMAND_ALL_TYPEMATIC_MAKE_BREAK:
        this.buffer.clear();
        this.sendsBreak.fill(1);
        break;
      case COMMAND_RESET:
        this.restart();
        this.reply(PS2_ACKNOWLEDGE, PS2_SELF_TEST_PASSED);
        return;
      default:
        this.reply(PS2_RESEND);
        return;
    }
    this.reply(PS2_ACKNOWLEDGE);
  }

  private runParameter(command: number, parameter: number): void {
    switch (command) {
      case COMMAND_LEDS:
        this.leds = parameter & 0x07;
        break;
      case COMMAND_TYPEMATIC:
        this.typematic = parameter & 0x7f;
        break;
      case COMMAND_SCAN_SET:
        this.pendingCommand = null;
        if (parameter > 3) {
          this.reply(PS2_RESEND);
          return;
        }
        if (parameter === 0) {
          this.reply(PS2_ACKNOWLEDGE, this.scanSet);
          return;
        }
        this.buffer.clear();
        this.scanSet = parameter;
        break;
      default:
        // Key types: a list of set 3 codes that only the next command ends.
        if (parameter < SET_3_CODE_COUNT) this.sendsBreak[parameter] = command === COMMAND_KEY_MAKE_BREAK ? 1 : 0;
        this.reply(parameter < SET_3_CODE_COUNT ? PS2_ACKNOWLEDGE : PS2_RESEND);
        return;
    }
    this.pendingCommand = null;
    this.reply(PS2_ACKNOWLEDGE);
  }

  private setDefaults(): void {
    this.buffer.clear();
    this.typematic = TYPEMATIC_DEFAULT;
    this.setDefaultKeyTypes();
  }

  private setDefaultKeyTypes(): void {
    this.sendsBreak.fill(0);
    for (const code of SET_3_BREAKS_BY_DEFAULT) this.sendsBreak[code] = 1;
  }

  private restart(): void {
    this.setDefaults();
    this.scanSet = 2;
    this.scanning = true;
    this.leds = 0;
  }

  // --- keys --------------------------------------------------------------------------------------------------------

  /**
   * Moves whole key events from the host's queue into the buffer, as long as there is room; not while the option of a new
   * scan code set is awaited, which clears the buffer.
   */
  private fillBuffer(): void {
    let moved = false;
    while (this.scanning && this.pendingCommand !== COMMAND_SCAN_SET && this.typed.length > 0) {
      const event = keyEventAt(this.typed.copyFirst(3), 0);
      const bytes = this.encode(event);
      if (this.buffer.length + bytes.length > BUFFER_SIZE) break;
      for (let count = 0; count < event.length; count++) this.typed.take();
      this.buffer.push(Uint8Array.from(bytes));
      moved = true;
    }
    if (moved) this.onByteReady?.();
  }

  private encode(event: KeyEvent): readonly number[] {
    if (this.scanSet === 1) return event;
    const code = event[event.length - 1]!;
    const released = (code & BREAK) !== 0;
    if (this.scanSet === 3) {
      const key = (code & ~BREAK) | (event[0] === PREFIX_EXTENDED ? EXTENDED : 0);
      const set3 = event[0] === PREFIX_PAUSE ? PAUSE_SET_3 : set3Of(key);
      if (set3 === 0) return [];
      if (!released) return [set3];
      return this.sendsBreak[set3] === 1 ? [PREFIX_BREAK, set3] : [];
    }
    const isPrefix = (byte: number): boolean => byte === PREFIX_EXTENDED || byte === PREFIX_PAUSE;
    return event.flatMap((byte, index) => {
      if (index === 0 && isPrefix(byte)) return [byte];
      const set2 = set2Of(byte & ~BREAK);
      return released ? [PREFIX_BREAK, set2] : [set2];
    });
  }

  // --- state -------------------------------------------------------------------------------------------------------

  save(): DeviceState {
    return {
      scanSet: this.scanSet,
      scanning: this.scanning,
      leds: this.leds,
      typematic: this.typematic,
      pendingCommand: this.pendingCommand,
      replies: this.replies.copy(),
      buffer: this.buffer.copy(),
      typed: this.typed.copy(),
      lastSent: this.lastSent,
      sendsBreak: this.sendsBreak.slice(),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.scanSet = reader.integer('scanSet', 1, 3);
    this.scanning = reader.boolean('scanning');
    this.leds = reader.integer('leds', 0, 0x07);
    this.typematic = reader.integer('typematic', 0, 0x7f);
    this.pendingCommand = reader.optionalInteger('pendingCommand', COMMAND_LOWEST, 0xff);
    this.replies.replace(reader.bytes('replies', 0, BUFFER_SIZE));
    this.buffer.replace(reader.bytes('buffer', 0, BUFFER_SIZE));
    const typed = reader.bytes('typed', 0, Number.MAX_SAFE_INTEGER);
    try {
      checkKeyEvents(typed);
    } catch (error) {
      if (error instanceof InputError) throw new StateError(error.message);
      throw error;
    }
    this.typed.replace(typed);
    this.lastSent = reader.byte('lastSent');
    this.sendsBreak.set(reader.bytes('sendsBreak', SET_3_CODE_COUNT));
    reader.end();
  }
}

/** @throws InputError unless `codes` is a sequence of whole set 1 codes. */
function checkKeyEvents(codes: Uint8Array): void {
  for (let at = 0; at < codes.length; ) at += keyEventAt(codes, at).length;
}

/** @throws InputError when no set 1 code of a key stands there. */
function keyEventAt(codes: ArrayLike<number>, at: number): KeyEvent {
  const code = (offset: number): number => {
    const byte = codes[at + offset];
    if (byte === undefined) throw new InputError('keyboard: the last scan code is incomplete');
    return byte;
  };
  const first = code(0);
  if (first === PREFIX_PAUSE) {
    const event = [first, code(1), code(2)];
    const pressed = event[1] === 0x1d && event[2] === 0x45;
    const released = event[1] === 0x9d && event[2] === 0xc5;
    if (!pressed && !released) throw new InputError('keyboard: E1h can only start the code of Pause');
    return event;
  }
  const event = first === PREFIX_EXTENDED ? [first, code(1)] : [first];
  const last = event[event.length - 1]!;
  if (set2Of(last & ~BREAK) === 0) throw new InputError(`keyboard: ${last.toString(16)}h is not a scan code of set 1`);
  return event;
}
