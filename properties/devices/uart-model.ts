/**
 * The PC16550D (National Semiconductor data sheet, June 1995) with its interrupt gated by OUT2, and a patient other end: what
 * it sends takes its time on the line, and waits there while the receiver is full or looped back.
 */
import { DeviceModel, periodsNs } from './device-model.js';

const CRYSTAL_HZ = 1_843_200;
const NEVER = Number.POSITIVE_INFINITY;
const TRIGGERS = [1, 4, 8, 14];
const PEER_LINES = 0xb0;

export class UartModel extends DeviceModel {
  private enables = 0;
  private format = 0;
  private modem = 0;
  private scratch = 0;
  private divisor = 12;
  private fifo = false;
  private trigger = 1;
  private deltas = 0;
  private overrun = false;
  private received: number[] = [];
  private incoming: number[] = [];
  private timedOut = false;
  private holding: number[] = [];
  private shifting: number | undefined;
  private emptyInterrupt = false;
  private arrivalNs = NEVER;
  private timeoutNs = NEVER;
  private departureNs = NEVER;

  constructor(private readonly transmitNs: number) {
    super();
  }

  input(bytes: readonly number[]): void {
    this.incoming.push(...bytes);
    this.listen();
  }

  private get depth(): number {
    return this.fifo ? 16 : 1;
  }
  private get looped(): boolean {
    return (this.modem & 0x10) !== 0;
  }
  private get dataBits(): number {
    return 5 + (this.format & 3);
  }
  private get characterNs(): number {
    const stopBits = (this.format & 4) === 0 ? 1 : this.dataBits === 5 ? 1.5 : 2;
    const bits = 1 + this.dataBits + ((this.format & 8) !== 0 ? 1 : 0) + stopBits;
    return periodsNs(bits * 16 * (this.divisor === 0 ? 65_536 : this.divisor), CRYSTAL_HZ);
  }

  // --- what happens by itself ----------------------------------------------------------------------------------------

  protected override nextNs(): number {
    return Math.min(this.arrivalNs, this.timeoutNs, this.departureNs);
  }

  protected override happens(): void {
    if (this.arrivalNs === this.nowNs) {
      this.arrivalNs = NEVER;
      this.receive(this.incoming.shift() as number);
    } else if (this.timeoutNs === this.nowNs) {
      this.timeoutNs = NEVER;
      this.timedOut = true;
    } else {
      this.departureNs = NEVER;
      this.send();
      this.transmit();
    }
    this.listen();
    this.interrupt();
  }

  /** A character is on its way whenever there is one and it has a place to go to. */
  private listen(): void {
    const possible = this.incoming.length > 0 && this.received.length < this.depth && !this.looped;
    if (!possible) this.arrivalNs = NEVER;
    else if (this.arrivalNs === NEVER) this.arrivalNs = this.nowNs + this.characterNs;
  }

  private receive(character: number): void {
    this.received.push(character % 2 ** this.dataBits);
    // "When a timeout interrupt has not occurred the timeout timer is reset after a new character is received."
    if (!this.timedOut) this.restartTimeout();
  }

  private restartTimeout(): void {
    this.timedOut = false;
    this.timeoutNs = this.fifo && this.received.length > 0 ? this.nowNs + 4 * this.characterNs : NEVER;
  }

  private transmit(): void {
    while (this.shifting === undefined && this.holding.length > 0) {
      this.shifting = this.holding.shift();
      if (this.holding.length === 0) this.emptyInterrupt = true;
      if (this.transmitNs === 0) this.send();
      else this.departureNs = this.nowNs + this.transmitNs;
    }
  }

  private send(): void {
    const character = (this.shifting as number) % 2 ** this.dataBits;
    this.shifting = undefined;
    if (!this.looped) this.emit('sent', character);
    else if (this.received.length < this.depth) this.receive(character);
    else {
      this.overrun = true;
      // The FIFO keeps what it has, the buffer register is overwritten.
      if (!this.fifo) this.received = [character];
    }
  }

  // --- interrupts ----------------------------------------------------------------------------------------------------

  /** Interrupt identification (table IV), highest priority first. */
  private get identification(): number {
    const enabled = (bit: number): boolean => (this.enables & bit) !== 0;
    if (enabled(4) && this.overrun) return 6;
    if (enabled(1) && this.received.length >= (this.fifo ? this.trigger : 1)) return 4;
    if (enabled(1) && this.timedOut) return 12;
    if (enabled(2) && this.emptyInterrupt) return 2;
    if (enabled(8) && this.deltas !== 0) return 0;
    return 1;
  }

  private interrupt(): void {
    this.drive('irq', (this.modem & 8) !== 0 && this.identification !== 1);
  }

  private get modemLines(): number {
    if (!this.looped) return PEER_LINES;
    const bit = (from: number, to: number): number => ((this.modem & from) !== 0 ? to : 0);
    return bit(2, 0x10) + bit(1, 0x20) + bit(4, 0x40) + bit(8, 0x80);
  }

  // --- registers -----------------------------------------------------------------------------------------------------

  override read(port: number): number {
    const value = this.readRegister(port & 7);
    this.listen();
    this.interrupt();
    return value;
  }

  private readRegister(register: number): number {
    const latch = (this.format & 0x80) !== 0;
    switch (register) {
      case 0: {
        if (latch) return this.divisor & 0xff;
        const character = this.received.shift();
        if (character !== undefined) this.restartTimeout();
        return character ?? 0;
      }
      case 1:
        return latch ? this.divisor >> 8 : this.enables;
      case 2: {
        const { identification } = this;
        if (identification === 2) this.emptyInterrupt = false;
        return identification + (this.fifo ? 0xc0 : 0);
      }
      case 3:
        return this.format;
      case 4:
        return this.modem;
      case 5: {
        const empty = this.holding.length === 0;
        const status = (this.received.length > 0 ? 1 : 0) + (this.overrun ? 2 : 0) + (empty ? 0x20 : 0);
        this.overrun = false;
        return status + (empty && this.shifting === undefined ? 0x40 : 0);
      }
      case 6: {
        const status = this.modemLines + this.deltas;
        this.deltas = 0;
        return status;
      }
      default:
        return this.scratch;
    }
  }

  override write(port: number, value: number): void {
    const latch = (this.format & 0x80) !== 0;
    switch (port & 7) {
      case 0:
        if (latch) this.divisor = (this.divisor & 0xff00) + value;
        else this.writeHolding(value);
        break;
      case 1:
        if (latch) this.divisor = (this.divisor & 0xff) + 256 * value;
        else {
          if ((value & ~this.enables & 2) !== 0 && this.holding.length === 0) this.emptyInterrupt = true;
          this.enables = value & 15;
        }
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        this.format = value;
        break;
      case 4: {
        const before = this.modemLines;
        this.modem = value & 0x1f;
        const after = this.modemLines;
        // The ring indicator only tells of its end.
        this.deltas |= ((before ^ after) & PEER_LINES) >> 4;
        if ((before & ~after & 0x40) !== 0) this.deltas |= 4;
        break;
      }
      case 7:
        this.scratch = value;
        break;
      default:
        break;
    }
    if ((port & 7) !== 3) this.listen();
    this.interrupt();
  }

  private writeHolding(value: number): void {
    this.emptyInterrupt = false;
    this.interrupt();
    if (this.holding.length < this.depth) this.holding.push(value);
    else if (!this.fifo) this.holding = [value];
    this.transmit();
  }

  private writeFifoControl(value: number): void {
    const enables = value % 2 === 1;
    const switches = enables !== this.fifo;
    this.fifo = enables;
    if (enables) this.trigger = TRIGGERS[value >> 6] as number;
    if (switches || (enables && (value & 2) !== 0)) {
      this.received = [];
      this.restartTimeout();
    }
    if (switches || (enables && (value & 4) !== 0)) {
      if (this.holding.length > 0) this.emptyInterrupt = true;
      this.holding = [];
    }
  }
}
