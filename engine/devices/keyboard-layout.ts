/**
 * From text to key presses on a US keyboard, for scripts that type: gives the payload that the keyboard takes (set 1
 * make and break codes, see keyboard.ts).
 *
 * Characters are typed as they are, with Shift where the layout wants it; line feed, tab, backspace and escape press
 * those keys. `{Name}` presses a key by name, `{Ctrl+Alt+Delete}` several together, the last one last; names are those
 * of KEYS or single characters (`{Ctrl+c}`). `{{` types an opening brace.
 */
import { InputError } from './device.js';
import { EXTENDED } from './scan-codes.js';

const SHIFT = 0x2a;
const BREAK = 0x80;
const PREFIX = 0xe0;
const PAUSE_MAKE = [0xe1, 0x1d, 0x45] as const;
const PAUSE_BREAK = [0xe1, 0x9d, 0xc5] as const;
/** Has no single code: its bytes are the two sequences above. */
const PAUSE = -1;

/** Rows of the layout: the code of the first key, the characters without and with Shift. */
const ROWS: readonly (readonly [firstCode: number, plain: string, shifted: string])[] = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
];

const CONTROL_CHARACTERS: readonly (readonly [character: string, code: number])[] = [
  [' ', 0x39],
  ['\n', 0x1c],
  ['\t', 0x0f],
  ['\b', 0x0e],
  ['\x1b', 0x01],
];

/** Keys by name. */
const KEYS: Readonly<Record<string, number>> = {
  Escape: 0x01,
  Backspace: 0x0e,
  Tab: 0x0f,
  Enter: 0x1c,
  Space: 0x39,
  CapsLock: 0x3a,
  Shift: SHIFT,
  RightShift: 0x36,
  Ctrl: 0x1d,
  RightCtrl: EXTENDED | 0x1d,
  Alt: 0x38,
  RightAlt: EXTENDED | 0x38,
  F1: 0x3b,
  F2: 0x3c,
  F3: 0x3d,
  F4: 0x3e,
  F5: 0x3f,
  F6: 0x40,
  F7: 0x41,
  F8: 0x42,
  F9: 0x43,
  F10: 0x44,
  F11: 0x57,
  F12: 0x58,
  PrintScreen: EXTENDED | 0x37,
  SysRq: 0x54,
  ScrollLock: 0x46,
  Pause: PAUSE,
  NumLock: 0x45,
  Insert: EXTENDED | 0x52,
  Delete: EXTENDED | 0x53,
  Home: EXTENDED | 0x47,
  End: EXTENDED | 0x4f,
  PageUp: EXTENDED | 0x49,
  PageDown: EXTENDED | 0x51,
  Up: EXTENDED | 0x48,
  Down: EXTENDED | 0x50,
  Left: EXTENDED | 0x4b,
  Right: EXTENDED | 0x4d,
  Windows: EXTENDED | 0x5b,
  RightWindows: EXTENDED | 0x5c,
  Menu: EXTENDED | 0x5d,
  Keypad0: 0x52,
  Keypad1: 0x4f,
  Keypad2: 0x50,
  Keypad3: 0x51,
  Keypad4: 0x4b,
  Keypad5: 0x4c,
  Keypad6: 0x4d,
  Keypad7: 0x47,
  Keypad8: 0x48,
  Keypad9: 0x49,
  KeypadPoint: 0x53,
  KeypadPlus: 0x4e,
  KeypadMinus: 0x4a,
  KeypadTimes: 0x37,
  KeypadDivide: EXTENDED | 0x35,
  KeypadEnter: EXTENDED | 0x1c,
};

const KEYS_OF_CHARACTERS: ReadonlyMap<string, readonly number[]> = (() => {
  const keys = new Map<string, readonly number[]>();
  for (const [firstCode, plain, shifted] of ROWS) {
    for (const [index, character] of [...plain].entries()) keys.set(character, [firstCode + index]);
    for (const [index, character] of [...shifted].entries()) keys.set(character, [SHIFT, firstCode + index]);
  }
  for (const [character, code] of CONTROL_CHARACTERS) keys.set(character, [code]);
  return keys;
})();

/** @throws InputError for a character or key that the keyboard does not have. */
export function keyboardPayload(text: string): Uint8Array {
  const codes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const { keys, length } = chordAt(text, at);
    for (const key of keys) codes.push(...makeCode(key));
    for (const key of [...keys].reverse()) codes.push(...breakCode(key));
    at += length;
  }
  return Uint8Array.from(codes);
}

function chordAt(text: string, at: number): { keys: readonly number[]; length: number } {
  const character = String.fromCodePoint(text.codePointAt(at)!);
  if (character !== '{') return { keys: keysOfCharacter(character), length: character.length };
  if (text[at + 1] === '{') return { keys: keysOfCharacter('{'), length: 2 };
  const end = text.indexOf('}', at + 2);
  if (end === -1) throw new InputError('keyboard: a key name starts with { and has no }; an opening brace is {{');
  const names = text.slice(at + 1, end).split(/\+(?=.)/);
  return { keys: names.flatMap(keysOfName), length: end + 1 - at };
}

function keysOfName(name: string): readonly number[] {
  if (Object.hasOwn(KEYS, name)) return [KEYS[name]!];
  if ([...name].length === 1) return keysOfCharacter(name);
  throw new InputError(`keyboard: there is no key '${name}'`);
}

function keysOfCharacter(character: string): readonly number[] {
  const keys = KEYS_OF_CHARACTERS.get(character);
  if (keys === undefined) throw new InputError(`keyboard: a US keyboard cannot type ${JSON.stringify(character)}`);
  return keys;
}

function makeCode(key: number): readonly number[] {
  if (key === PAUSE) return PAUSE_MAKE;
  return key >= EXTENDED ? [PREFIX, key - EXTENDED] : [key];
}

function breakCode(key: number): readonly number[] {
  if (key === PAUSE) return PAUSE_BREAK;
  return key >= EXTENDED ? [PREFIX, (key - EXTENDED) | BREAK] : [key | BREAK];
}
