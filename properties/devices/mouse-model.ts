/**
 * The PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Auxiliary Device: Mouse") with wheel and side buttons as the
 * IntelliMouse switches them on. At most one packet a sample period; movement adds up as long as the buttons stay the same.
 */
const RATES = [10, 20, 40, 60, 80, 100, 200];
const NEVER = Number.POSITIVE_INFINITY;

interface Move {
  dx: number;
  dy: number;
  wheel: number;
  readonly buttons: number;
}

export class MouseModel {
  /** When the present sample period is over. */
  sampleNs = NEVER;
  private streams = false;
  private remote = false;
  private wraps = false;
  private doubles = false;
  private resolution = 2;
  private rate = 100;
  private identity = 0;
  private rates = [0, 0, 0];
  private awaits: number | undefined;
  private buttons = 0;
  private moves: Move[] = [];
  private answers: number[] = [];
  private packet: number[] = [];
  private last: number[] = [];

  get ready(): boolean {
    return this.answers.length + this.packet.length > 0;
  }

  move(dx: number, dy: number, wheel: number, buttons: number, nowNs: number): void {
    const turned = this.identity === 0 ? 0 : wheel;
    const clicked = buttons !== this.buttons;
    this.buttons = buttons;
    if (!this.streams && !this.remote) return;
    if (!clicked && dx === 0 && dy === 0 && turned === 0) return;
    const latest = this.moves[this.moves.length - 1];
    if (latest?.buttons === buttons) {
      latest.dx += dx;
      latest.dy += dy;
      latest.wheel += turned;
    } else this.moves.push({ dx, dy, wheel: turned, buttons });
    this.report(nowNs);
  }

  report(nowNs: number): void {
    const may = this.streams && !this.remote && !this.wraps && !this.ready && this.sampleNs === NEVER;
    if (!may || this.moves.length === 0) return;
    this.packet = this.nextPacket(this.doubles);
    this.last = [...this.packet];
    this.sampleNs = nowNs + Math.ceil(1_000_000_000 / this.rate);
  }

  send(nowNs: number): number {
    const byte = (this.answers.length > 0 ? this.answers : this.packet).shift() as number;
    this.report(nowNs);
    return byte;
  }

  receive(byte: number): void {
    this.packet = [];
    const command = this.awaits;
    this.awaits = undefined;
    const resends = byte === 0xfe && !this.wraps && command === undefined;
    const answer = resends ? this.last : this.answerTo(command, byte);
    this.last = [...answer];
    this.answers = [...answer];
  }

  private answerTo(command: number | undefined, byte: number): number[] {
    if (this.wraps && byte !== 0xec && byte !== 0xff) return [byte];
    if (command === 0xe8) {
      if (byte > 3) return [0xfe];
      this.resolution = byte;
      return [0xfa];
    }
    if (command === 0xf3) {
      if (!RATES.includes(byte)) return [0xfe];
      this.rate = byte;
      this.rates = [...this.rates.slice(1), byte];
      if (this.rates.join() === '200,100,80') this.identity = 3;
      if (this.rates.join() === '200,200,80') this.identity = 4;
      return [0xfa];
    }
    switch (byte) {
      case 0xe6:
      case 0xe7:
        this.doubles = byte === 0xe7;
        return [0xfa];
      case 0xe8:
      case 0xf3:
        this.awaits = byte;
        return [0xfa];
      case 0xe9: {
        const pressed = (button: number): number => (this.buttons >> button) & 1;
        const modes = (this.remote ? 0x40 : 0) + (this.streams ? 0x20 : 0) + (this.doubles ? 0x10 : 0);
        return [0xfa, modes + 4 * pressed(0) + 2 * pressed(2) + pressed(1), this.resolution, this.rate];
      }
      case 0xea:
      case 0xf0:
        this.remote = byte === 0xf0;
        this.forget();
        return [0xfa];
      case 0xeb:
        return [0xfa, ...this.nextPacket(false)];
      case 0xec:
        this.wraps = false;
        return [0xfa];
      case 0xee:
        this.wraps = true;
        this.forget();
        return [0xfa];
      case 0xf2:
        return [0xfa, this.identity];
      case 0xf4:
      case 0xf5:
        this.streams = byte === 0xf4;
        this.forget();
        return [0xfa];
      case 0xf6:
        this.defaults();
        return [0xfa];
      case 0xff:
        this.defaults();
        this.wraps = false;
        this.identity = 0;
        this.rates = [0, 0, 0];
        return [0xfa, 0xaa, 0];
      default:
        return [0xfe];
    }
  }

  private defaults(): void {
    this.streams = this.remote = this.doubles = false;
    this.resolution = 2;
    this.rate = 100;
    this.forget();
  }

  private forget(): void {
    this.moves = [];
    this.sampleNs = NEVER;
  }

  /** Nine bits of movement each way; what is left comes in the next packet. */
  private nextPacket(doubles: boolean): number[] {
    const move = this.moves[0] ?? { dx: 0, dy: 0, wheel: 0, buttons: this.buttons };
    const within = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));
    const [dx, dy, wheel] = [within(move.dx, -255, 255), within(move.dy, -255, 255), within(move.wheel, -8, 7)];
    Object.assign(move, { dx: move.dx - dx, dy: move.dy - dy, wheel: move.wheel - wheel });
    if (move.dx === 0 && move.dy === 0 && move.wheel === 0) this.moves.shift();
    const scale = (count: number): number => {
      const size = Math.abs(count);
      return doubles ? Math.sign(count) * ([0, 1, 1, 3, 6, 9][size] ?? 2 * size) : count;
    };
    const [x, y] = [scale(dx), scale(dy)];
    const flags = (x < 0 ? 0x10 : 0) + (y < 0 ? 0x20 : 0) + (Math.abs(x) > 255 ? 0x40 : 0) + (Math.abs(y) > 255 ? 0x80 : 0);
    const packet = [8 + (move.buttons & 7) + flags, within(x, -255, 255) & 0xff, within(y, -255, 255) & 0xff];
    if (this.identity === 3) packet.push(wheel & 0xff);
    if (this.identity === 4) packet.push((wheel & 0x0f) + ((move.buttons >> 3) & 3) * 0x10);
    return packet;
  }
}
