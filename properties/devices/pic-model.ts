/**
 * The pair of 8259A (Intel 8259A data sheet, order 231468): requests, service and masks as lists in the order of priority,
 * as the data sheet tells it. Triggering is chosen per line by ELCR (Intel 82371SB data sheet, 2.5.3.5).
 */
import { DeviceModel } from './device-model.js';

class Chip {
  readonly lines = new Set<number>();
  /** Lines that have risen and were not acknowledged yet. */
  private readonly latched = new Set<number>();
  private readonly inService = new Set<number>();
  private masked = 0;
  private levelTriggered = 0;
  /** Highest first. */
  private order = [0, 1, 2, 3, 4, 5, 6, 7];
  private vector = 0;
  /** Initialization words still to come. */
  private expected: ('vector' | 'cascade' | 'mode')[] = [];
  private autoEoi = false;
  private rotatesOnAutoEoi = false;
  private nested = false;
  private specialMask = false;
  private showsService = false;
  private polls = false;

  constructor(
    private readonly hasSlave: boolean,
    private readonly levelsAllowed: number,
  ) {}

  private isLevel(line: number): boolean {
    return ((this.levelTriggered >> line) & 1) === 1;
  }

  private isMasked(line: number): boolean {
    return ((this.masked >> line) & 1) === 1;
  }

  setLine(line: number, high: boolean): void {
    if (high && !this.lines.has(line)) this.latched.add(line);
    if (high) this.lines.add(line);
    else {
      this.lines.delete(line);
      // "The IR input must remain high until after the falling edge of the first INTA."
      this.latched.delete(line);
    }
  }

  private requests(line: number): boolean {
    return this.isLevel(line) ? this.lines.has(line) : this.latched.has(line);
  }

  /** The line that INT stands for: the first in order that requests, unless one of its own rank or higher is in service. */
  pending(): number | undefined {
    if (this.expected.length > 0) return undefined;
    for (const line of this.order) {
      const holdsBack = this.inService.has(line) && !(this.specialMask && this.isMasked(line));
      const requests = this.requests(line) && !this.isMasked(line);
      if (requests && (!holdsBack || (this.nested && this.hasSlave && line === 2))) return line;
      if (holdsBack) return undefined;
    }
    return undefined;
  }

  acknowledge(): number | undefined {
    const line = this.pending();
    if (line === undefined) return undefined;
    if (!this.isLevel(line)) this.latched.delete(line);
    if (!this.autoEoi) this.inService.add(line);
    else if (this.rotatesOnAutoEoi) this.makeLowest(line);
    return line;
  }

  vectorOf(line: number | undefined): number {
    return this.vector + (line ?? 7);
  }

  private makeLowest(line: number): void {
    while (this.order[7] !== line) this.order.push(this.order.shift() as number);
  }

  read(port: number, acknowledge: () => number | undefined): number {
    if (this.polls) {
      this.polls = false;
      const line = acknowledge();
      return line === undefined ? 7 : 0x80 + line;
    }
    if (port % 2 === 1) return this.masked;
    const shown = [0, 1, 2, 3, 4, 5, 6, 7].filter((line) => (this.showsService ? this.inService.has(line) : this.requests(line)));
    return shown.reduce((sum, line) => sum + 2 ** line, 0);
  }

  write(port: number, value: number): void {
    if (port % 2 === 1) this.writeOdd(value);
    else if ((value & 0x10) !== 0) this.initialize(value);
    else if ((value & 0x08) !== 0) this.writeOcw3(value);
    else this.writeOcw2(value >> 5, value & 7);
  }

  private initialize(value: number): void {
    const cascade = (value & 2) === 0;
    const mode = (value & 1) === 1;
    this.expected = ['vector', ...(cascade ? (['cascade'] as const) : []), ...(mode ? (['mode'] as const) : [])];
    this.latched.clear();
    // The levels of level triggered lines are remembered as edges, should their triggering be changed.
    for (const line of this.lines) if (this.isLevel(line)) this.latched.add(line);
    this.inService.clear();
    this.masked = 0;
    this.order = [0, 1, 2, 3, 4, 5, 6, 7];
    this.autoEoi = this.rotatesOnAutoEoi = this.nested = this.specialMask = this.showsService = this.polls = false;
  }

  private writeOdd(value: number): void {
    const what = this.expected.shift();
    if (what === undefined) this.masked = value;
    else if (what === 'vector') this.vector = value & 0xf8;
    else if (what === 'mode') {
      this.autoEoi = (value & 2) !== 0;
      this.nested = (value & 0x10) !== 0;
    }
  }

  private writeOcw2(command: number, level: number): void {
    const [rotate, specific, end] = [(command & 4) !== 0, (command & 2) !== 0, (command & 1) !== 0];
    if (!end && !specific) this.rotatesOnAutoEoi = rotate;
    else if (!end && rotate) this.makeLowest(level);
    else if (end) {
      const highest = this.order.find((line) => this.inService.has(line) && !(this.specialMask && this.isMasked(line)));
      const line = specific ? level : highest;
      if (line === undefined) return;
      this.inService.delete(line);
      if (rotate) this.makeLowest(line);
    }
  }

  private writeOcw3(value: number): void {
    if ((value & 0x40) !== 0) this.specialMask = (value & 0x20) !== 0;
    if ((value & 4) !== 0) this.polls = true;
    else if ((value & 2) !== 0) this.showsService = (value & 1) === 1;
  }

  readTriggering(): number {
    return this.levelTriggered;
  }

  writeTriggering(value: number): void {
    const before = this.levelTriggered;
    this.levelTriggered = value & this.levelsAllowed;
    for (let line = 0; line < 8; line++) {
      // A line that was level triggered and is high counts as risen.
      const wasLevel = ((before >> line) & 1) === 1;
      if ((wasLevel || this.isLevel(line)) && this.lines.has(line)) this.latched.add(line);
    }
  }
}

export class PicModel extends DeviceModel {
  private readonly master = new Chip(true, 0xf8);
  private readonly slave = new Chip(false, 0xde);

  private chipAt(port: number): Chip {
    return (port & 0xf0) === 0x20 || port === 0x4d0 ? this.master : this.slave;
  }

  private cascade(): void {
    this.master.setLine(2, this.slave.pending() !== undefined);
  }

  /** INT of the slave falls while it is acknowledged: whatever it still wants is a new edge at the master. */
  private acknowledgeSlave(): number | undefined {
    const line = this.slave.acknowledge();
    this.master.setLine(2, false);
    this.cascade();
    return line;
  }

  get int(): boolean {
    return this.master.pending() !== undefined;
  }

  setLine(irq: number, high: boolean): void {
    (irq < 8 ? this.master : this.slave).setLine(irq % 8, high);
    this.cascade();
  }

  acknowledge(): number {
    const line = this.master.acknowledge();
    return line === 2 ? this.slave.vectorOf(this.acknowledgeSlave()) : this.master.vectorOf(line);
  }

  override read(port: number): number {
    const chip = this.chipAt(port);
    if (port >= 0x4d0) return chip.readTriggering();
    return chip.read(port, () => (chip === this.slave ? this.acknowledgeSlave() : chip.acknowledge()));
  }

  override write(port: number, value: number): void {
    const chip = this.chipAt(port);
    if (port >= 0x4d0) chip.writeTriggering(value);
    else chip.write(port, value);
    this.cascade();
  }
}
