/**
 * The keyboard and auxiliary device controller (IBM PS/2 Hardware Interface Technical Reference) with keyboard and mouse. A byte
 * takes 880 us over a link; while the output buffer is full the links are held.
 */
import { DeviceModel } from './device-model.js';
import { KeyboardModel } from './keyboard-model.js';
import { MouseModel } from './mouse-model.js';

const BYTE_NS = 880_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Set 2 to set 1, codes 00h to 7Fh. */
const TRANSLATION =
  'ff43413f3d3b3c58644442403e0f29596538' +
  '2a701d10025a66712c1f1e11035b672e2d20120504' +
  '5c68392f211413065d693130232215075e6a7232241608095f6b33251718' +
  '0b0a606c34352627190c616d7328741a0d626e3a361c1b752b6376' +
  '55567778797a0e7b7c4f7d4b477e7f6f5253504c4d480145574e514a37494654';

export function translate(byte: number): number {
  if (byte === 0x83) return 0x41;
  if (byte === 0x84) return 0x54;
  return byte >= 0x80 ? byte : Number.parseInt(TRANSLATION.slice(byte * 2, byte * 2 + 2), 16);
}

interface Answer {
  readonly byte: number;
  readonly mouse: boolean;
}

export class I8042Model extends DeviceModel {
  readonly keyboard = new KeyboardModel();
  readonly mouse = new MouseModel();
  private readonly memory = [0x41, ...Array.from({ length: 31 }, () => 0)];
  private a20 = true;
  private lastWasCommand = false;
  private awaits: number | undefined;
  private output: Answer = { byte: 0, mouse: false };
  private full = false;
  private waiting: Answer | undefined;
  private breaks = false;
  private transferNs = NEVER;

  private bit(mask: number): boolean {
    return ((this.memory[0] as number) & mask) !== 0;
  }

  private setBit(mask: number, on: boolean): void {
    this.memory[0] = ((this.memory[0] as number) & ~mask) | (on ? mask : 0);
  }

  protected override nextNs(): number {
    return Math.min(this.transferNs, this.mouse.sampleNs);
  }

  protected override happens(): void {
    if (this.mouse.sampleNs === this.nowNs) {
      this.mouse.sampleNs = NEVER;
      this.mouse.report(this.nowNs);
    } else {
      this.transferNs = NEVER;
      if (this.keyboardReady) this.fromKeyboard(this.keyboard.send());
      else if (this.mouseReady) this.load({ byte: this.mouse.send(this.nowNs), mouse: true });
    }
    this.settle();
  }

  private get keyboardReady(): boolean {
    return !this.bit(0x10) && this.keyboard.ready;
  }
  private get mouseReady(): boolean {
    return !this.bit(0x20) && this.mouse.ready;
  }

  private fromKeyboard(byte: number): void {
    if (!this.bit(0x40)) this.load({ byte, mouse: false });
    else if (byte === 0xf0) this.breaks = true;
    else {
      this.load({ byte: translate(byte) | (this.breaks ? 0x80 : 0), mouse: false });
      this.breaks = false;
    }
  }

  private load(answer: Answer): void {
    this.output = answer;
    this.full = true;
    // A byte under way is sent again later.
    this.transferNs = NEVER;
  }

  moveMouse(dx: number, dy: number, wheel: number, buttons: number): void {
    this.mouse.move(dx, dy, wheel, buttons, this.nowNs);
  }

  /** The lines and the links as they have to be now. */
  settle(): void {
    this.drive('irq1', this.full && !this.output.mouse && this.bit(1));
    this.drive('irq12', this.full && this.output.mouse && this.bit(2));
    const wanted = !this.full && (this.keyboardReady || this.mouseReady);
    if (wanted && this.transferNs === NEVER) this.transferNs = this.nowNs + BYTE_NS;
  }

  private answer(byte: number, mouse = false): void {
    if (this.full) this.waiting = { byte, mouse };
    else this.load({ byte, mouse });
  }

  override read(port: number): number {
    if (port === 0x64) {
      const status = (this.full ? 1 : 0) + (this.bit(4) ? 4 : 0) + (this.lastWasCommand ? 8 : 0) + 0x10;
      return status + (this.full && this.output.mouse ? 0x20 : 0);
    }
    const { byte } = this.output;
    this.full = false;
    // Interrupt controllers see the line fall between two bytes.
    this.drive('irq1', false);
    this.drive('irq12', false);
    if (this.waiting !== undefined) this.load(this.waiting);
    this.waiting = undefined;
    this.settle();
    return byte;
  }

  override write(port: number, value: number): void {
    this.lastWasCommand = port === 0x64;
    const command = this.awaits;
    this.awaits = undefined;
    if (port === 0x64) this.command(value);
    else if (command === undefined) {
      this.setBit(0x10, false);
      this.keyboard.receive(value);
    } else this.parameter(command, value);
    this.settle();
  }

  private setA20(open: boolean): void {
    if (open !== this.a20) this.emit('a20', open);
    this.a20 = open;
  }

  private parameter(command: number, value: number): void {
    if (command >= 0x60 && command < 0x80) this.memory[command - 0x60] = value;
    else if (command === 0xa5) this.awaits = value === 0 ? undefined : command;
    else if (command === 0xd1) {
      this.setA20((value & 2) !== 0);
      if (value % 2 === 0) this.emit('reset', true);
    } else if (command === 0xd4) {
      this.setBit(0x20, false);
      this.mouse.receive(value);
    } else this.answer(value, command === 0xd3);
  }

  private command(value: number): void {
    if (value >= 0x20 && value < 0x40) return this.answer(this.memory[value - 0x20] as number);
    if ((value >= 0x60 && value < 0x80) || [0xa5, 0xd1, 0xd2, 0xd3, 0xd4].includes(value)) {
      this.awaits = value;
      return;
    }
    if (value >= 0xf0) {
      if (value % 2 === 0) this.emit('reset', true);
      return;
    }
    switch (value) {
      case 0xa4:
        return this.answer(0xf1);
      case 0xa7:
      case 0xa8:
        return this.setBit(0x20, value === 0xa7);
      case 0xa9:
      case 0xab:
        return this.answer(0);
      case 0xaa:
        this.setBit(4, true);
        return this.answer(0x55);
      case 0xad:
      case 0xae:
        return this.setBit(0x10, value === 0xad);
      case 0xc0:
        return this.answer(0xa0);
      case 0xd0:
        return this.answer(0xcd + (this.a20 ? 2 : 0) + (!this.full ? 0 : this.output.mouse ? 0x20 : 0x10));
      case 0xdd:
      case 0xdf:
        return this.setA20(value === 0xdf);
      case 0xe0:
        return this.answer((this.bit(0x10) ? 0 : 1) + (this.bit(0x20) ? 0 : 2));
    }
  }
}
