/**
 * The 102-key keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)"), with a handful of its
 * keys. Its buffer has 16 bytes; what does not fit is typed later.
 */

/** Codes in the three sets, with their prefixes; Pause has codes of its own for either direction. */
export const KEYS = [
  { name: 'a', one: [0x1e], two: [0x1c], three: 0x1c },
  { name: 'Enter', one: [0x1c], two: [0x5a], three: 0x5a },
  { name: 'Shift', one: [0x2a], two: [0x12], three: 0x12 },
  { name: 'Up', one: [0xe0, 0x48], two: [0xe0, 0x75], three: 0x63 },
  { name: 'F7', one: [0x41], two: [0x83], three: 0x37 },
  { name: 'Caps Lock', one: [0x3a], two: [0x58], three: 0x14 },
  { name: 'Ctrl', one: [0x1d], two: [0x14], three: 0x11 },
  { name: 'right Ctrl', one: [0xe0, 0x1d], two: [0xe0, 0x14], three: 0x58 },
  { name: 'Escape', one: [0x01], two: [0x76], three: 0x08 },
  { name: 'Pause', one: [0xe1, 0x1d, 0x45], two: [0xe1, 0x14, 0x77], three: 0x62 },
] as const;

/** In set 3 these tell of their release: Ctrl, Shift, Caps Lock, Alt, right Shift. */
const RELEASES_TOLD = [0x11, 0x12, 0x14, 0x19, 0x59];

interface Stroke {
  readonly key: number;
  readonly pressed: boolean;
}

/** The bytes of a press or a release in set 1. */
export function setOneCode({ key, pressed }: Stroke): number[] {
  const { one } = KEYS[key] as (typeof KEYS)[number];
  return one.map((byte) => (pressed || byte >= 0xe0 ? byte : byte + 0x80));
}

export class KeyboardModel {
  private set = 2;
  private scanning = true;
  private told = new Set(RELEASES_TOLD);
  private awaits: number | undefined;
  private answers: number[] = [];
  private buffer: number[] = [];
  private strokes: Stroke[] = [];
  private last = 0;

  get ready(): boolean {
    return this.answers.length + this.buffer.length > 0;
  }

  type(stroke: Stroke): void {
    this.strokes.push(stroke);
    this.scan();
  }

  /** Not while the option of a new set is awaited. */
  private scan(): void {
    while (this.scanning && this.awaits !== 0xf0 && this.strokes.length > 0) {
      const bytes = this.codesOf(this.strokes[0] as Stroke);
      if (this.buffer.length + bytes.length > 16) return;
      this.strokes.shift();
      this.buffer.push(...bytes);
    }
  }

  private codesOf(stroke: Stroke): readonly number[] {
    const { two, three } = KEYS[stroke.key] as (typeof KEYS)[number];
    if (this.set === 1) return setOneCode(stroke);
    if (this.set === 2) return two.flatMap((byte) => (stroke.pressed || byte >= 0xe0 ? [byte] : [0xf0, byte]));
    if (stroke.pressed) return [three];
    return this.told.has(three) ? [0xf0, three] : [];
  }

  send(): number {
    const answer = this.answers.shift();
    this.last = answer ?? (this.buffer.shift() as number);
    this.scan();
    return this.last;
  }

  receive(byte: number): void {
    const command = this.awaits;
    this.answers = [];
    if (command !== undefined && byte < 0xed) this.answers = this.parameter(command, byte);
    else {
      this.awaits = undefined;
      this.answers = this.command(byte);
    }
    this.scan();
  }

  private defaults(): void {
    this.buffer = [];
    this.told = new Set(RELEASES_TOLD);
  }

  private command(byte: number): number[] {
    switch (byte) {
      case 0xed:
      case 0xf3:
        this.awaits = byte;
        return [0xfa];
      case 0xee:
        return [0xee];
      case 0xf0:
        this.buffer = [];
        this.awaits = byte;
        return [0xfa];
      case 0xf2:
        return [0xfa, 0xab, 0x83];
      case 0xf4:
        this.buffer = [];
        this.scanning = true;
        return [0xfa];
      case 0xf5:
        this.defaults();
        this.scanning = false;
        return [0xfa];
      case 0xf6:
        this.defaults();
        return [0xfa];
      case 0xf7:
      case 0xf8:
      case 0xf9:
      case 0xfa:
        this.buffer = [];
        this.told = new Set(byte % 2 === 0 ? Array.from({ length: 0x90 }, (_, code) => code) : []);
        return [0xfa];
      case 0xfb:
      case 0xfc:
      case 0xfd:
        this.buffer = [];
        this.scanning = false;
        this.awaits = byte;
        return [0xfa];
      case 0xfe:
        return [this.last];
      case 0xff:
        this.defaults();
        this.set = 2;
        this.scanning = true;
        return [0xfa, 0xaa];
      default:
        return [0xfe];
    }
  }

  private parameter(command: number, byte: number): number[] {
    // Lists of keys go on until the next command.
    if (command >= 0xfb) {
      if (byte >= 0x90) return [0xfe];
      if (command === 0xfc) this.told.add(byte);
      else this.told.delete(byte);
      return [0xfa];
    }
    this.awaits = undefined;
    if (command !== 0xf0) return [0xfa];
    if (byte > 3) return [0xfe];
    if (byte === 0) return [0xfa, this.set];
    this.buffer = [];
    this.set = byte;
    return [0xfa];
  }
}
