/**
 * The registers of two 8237A (Intel data sheet) and of the page registers (Intel 82371SB data sheet, 3.2.1), none of whose
 * channels is ever asked for a transfer.
 */
import { DeviceModel } from './device-model.js';

class Controller {
  /** Address and count of channel 0, of channel 1, and so on. */
  private readonly words = [0, 0, 0, 0, 0, 0, 0, 0];
  private requests = [false, false, false, false];
  private masks = [true, true, true, true];
  private high = false;

  read(register: number): number {
    if (register < 8) {
      const word = this.words[register] as number;
      this.high = !this.high;
      return this.high ? word % 256 : word >> 8;
    }
    if (register === 8) return 16 * bits(this.requests);
    if (register === 13) return 0;
    return register === 15 ? 0xf0 + bits(this.masks) : 0xff;
  }

  write(register: number, value: number): void {
    if (register < 8) {
      const word = this.words[register] as number;
      this.words[register] = this.high ? value * 256 + (word % 256) : word - (word % 256) + value;
      this.high = !this.high;
    } else if (register === 9) this.requests[value % 4] = (value & 4) !== 0;
    else if (register === 10) this.masks[value % 4] = (value & 4) !== 0;
    else if (register === 12) this.high = false;
    else if (register === 13) {
      this.requests = [false, false, false, false];
      this.masks = [true, true, true, true];
      this.high = false;
    } else if (register === 14) this.masks = [false, false, false, false];
    else if (register === 15) this.masks = [0, 1, 2, 3].map((channel) => ((value >> channel) & 1) === 1);
  }
}

const bits = (flags: readonly boolean[]): number => flags.reduce((sum, flag, index) => sum + (flag ? 2 ** index : 0), 0);

export class DmaModel extends DeviceModel {
  private readonly bytes = new Controller();
  private readonly words = new Controller();
  private readonly pages = new Map<number, number>();

  override read(port: number): number {
    if (port < 0x10) return this.bytes.read(port);
    return port >= 0xc0 ? this.words.read((port - 0xc0) >> 1) : (this.pages.get(port) ?? 0);
  }

  override write(port: number, value: number): void {
    if (port < 0x10) this.bytes.write(port, value);
    else if (port >= 0xc0) this.words.write((port - 0xc0) >> 1, value);
    else this.pages.set(port, value);
  }
}
