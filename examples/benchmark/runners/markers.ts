/**
 * Watches a kernel's serial output for its two markers: the name with a space (the clock starts), eight hex digits with
 * a newline (the clock stops). What comes before the name, a BIOS banner for instance, is passed over.
 */
import type { Measurement } from './runner.js';

export interface Reading {
  readonly seconds: number;
  /** Instructions so far, where the machine counts them. */
  readonly instructions?: number;
}

export class Markers {
  private text = '';
  private start: Reading | undefined;
  private pieceOfStart = -1;
  private pieces = 0;
  measurement: Measurement | undefined;

  constructor(
    private readonly kernel: string,
    private readonly read: () => Reading,
  ) {}

  /** One piece of output: a byte, or as much as came at once. */
  accept(piece: string): void {
    this.pieces++;
    for (const character of piece) {
      this.text += character;
      if (this.start === undefined && this.text.endsWith(`${this.kernel} `)) {
        this.start = this.read();
        this.pieceOfStart = this.pieces;
        this.text = '';
      } else if (this.start !== undefined && this.measurement === undefined && character === '\n') this.finish(this.start);
    }
  }

  private finish(start: Reading): void {
    const end = this.read();
    const checksum = this.text.trim();
    if (!/^[0-9a-f]{8}$/.test(checksum)) throw new Error(`the kernel printed "${checksum}" instead of a checksum`);
    this.measurement = {
      checksum,
      seconds: this.pieces === this.pieceOfStart ? undefined : end.seconds - start.seconds,
      ...(end.instructions === undefined || start.instructions === undefined
        ? {}
        : { instructions: end.instructions - start.instructions }),
    };
  }

  /** @throws Error when the machine stopped before the second marker. */
  result(): Measurement {
    if (this.measurement === undefined) throw new Error(`the machine stopped before the kernel was done (${JSON.stringify(this.text)})`);
    return this.measurement;
  }
}

export const now = (): number => performance.now() / 1000;
