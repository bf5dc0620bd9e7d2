/**
 * The pair of 8259A interrupt controllers of the AT (Intel 8259A data sheet, order 231468), in the shape the PIIX3
 * gives them (Intel 82371SB data sheet, section 2.5.3): the slave hangs on IR2 of the master, edge or level is chosen
 * per line by ELCR (4D0h, 4D1h) and not by LTIM of ICW1, and the fixed bits of ICW3 and ICW4 (cascade wiring, 8086
 * mode, no external buffers) are accepted and have no effect.
 *
 * Where the data sheet leaves room: a request that goes away before it is acknowledged leaves no trace ("the IR input
 * must remain high"), an acknowledge without a request gives IR7 and sets no in-service bit, a poll without a request
 * reads 07h.
 */
import type { AccessSize, Device, DeviceState, IrqLine, PortRegistrar } from './device.js';
import { StateReader } from './state-reader.js';

export interface PicConfig {
  readonly ports: PortRegistrar;
}

const CASCADE_IRQ = 2;
const NO_REQUEST = -1;
const SPURIOUS_LEVEL = 7;
const POLL_REQUEST = 0x80;

/** ICW1 (data sheet, figure 7). */
const ICW1_SELECT = 0x10;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
/** ICW4 (figure 7). */
const ICW4_AUTO_EOI = 0x02;
const ICW4_SPECIAL_FULLY_NESTED = 0x10;
/** OCW3 (figure 8). */
const OCW3_SELECT = 0x08;
const OCW3_POLL = 0x04;
const OCW3_ENABLE_SPECIAL_MASK = 0x40;
const OCW3_SPECIAL_MASK = 0x20;

/** What the next write to the odd port is. */
const EXPECTS_OCW1 = 0;
const EXPECTS_ICW2 = 2;
const EXPECTS_ICW3 = 3;
const EXPECTS_ICW4 = 4;

class Chip {
  /** The levels on IR0-IR7. */
  private lines = 0;
  private irr = 0;
  private isr = 0;
  private imr = 0;
  private elcr = 0;
  private vectorBase = 0;
  private expects: number = EXPECTS_OCW1;
  private single = false;
  private needsIcw4 = false;
  private autoEoi = false;
  private rotateOnAutoEoi = false;
  private specialFullyNested = false;
  private specialMask = false;
  private readsIsr = false;
  private polls = false;
  private lowestPriority = SPURIOUS_LEVEL;
  /** The INT pin. */
  int = false;

  constructor(
    /** Lines with a slave on them: the special fully nested mode concerns only these. */
    private readonly slaveLines: number,
    /** Lines that may be level triggered: the system timer, keyboard, cascade, clock and FPU lines may not. */
    private readonly elcrWritable: number,
    private readonly onInt: (level: boolean) => void,
  ) {}

  reset(): void {
    this.irr = 0;
    this.isr = 0;
    this.imr = 0;
    this.elcr = 0;
    this.vectorBase = 0;
    this.expects = EXPECTS_OCW1;
    this.single = false;
    this.needsIcw4 = false;
    this.clearModes();
    this.updateInt();
  }

  setLine(level: number, high: boolean): void {
    const bit = 1 << level;
    if (((this.lines & bit) !== 0) === high) return;
    if (high) {
      this.lines |= bit;
      this.irr |= bit;
    } else {
      this.lines &= ~bit;
      this.irr &= ~bit;
    }
    this.updateInt();
  }

  /** INTA, or a poll: puts the highest request in service and gives its level, NO_REQUEST when there is none. */
  acknowledge(): number {
    const level = this.highestRequest();
    // INT falls during the acknowledge cycle; if it rises again that is a new edge for whoever listens.
    this.setInt(false);
    if (level !== NO_REQUEST) {
      const bit = 1 << level;
      if ((this.elcr & bit) === 0) this.irr &= ~bit;
      if (!this.autoEoi) this.isr |= bit;
      else if (this.rotateOnAutoEoi) this.lowestPriority = level;
    }
    this.updateInt();
    return level;
  }

  vectorOf(level: number): number {
    return this.vectorBase | (level === NO_REQUEST ? SPURIOUS_LEVEL : level);
  }

  read(odd: boolean): number {
    if (this.polls) {
      this.polls = false;
      const level = this.acknowledge();
      return level === NO_REQUEST ? SPURIOUS_LEVEL : POLL_REQUEST | level;
    }
    if (odd) return this.imr;
    return this.readsIsr ? this.isr : this.irr;
  }

  write(odd: boolean, value: number): void {
    if (odd) this.writeOdd(value);
    else if ((value & ICW1_SELECT) !== 0) this.writeIcw1(value);
    else if ((value & OCW3_SELECT) !== 0) this.writeOcw3(value);
    else this.writeOcw2(value);
    this.updateInt();
  }

  readElcr(): number {
    return this.elcr;
  }

  writeElcr(value: number): void {
    this.elcr = value & this.elcrWritable;
    this.irr = (this.irr & ~this.elcr) | (this.lines & this.elcr);
    this.updateInt();
  }

  private writeIcw1(value: number): void {
    this.imr = 0;
    this.isr = 0;
    // The edge sense circuit is reset: a line that is high must fall and rise again. Levels are still levels.
    this.irr = this.lines & this.elcr;
    this.single = (value & ICW1_SINGLE) !== 0;
    this.needsIcw4 = (value & ICW1_NEEDS_ICW4) !== 0;
    this.clearModes();
    this.expects = EXPECTS_ICW2;
  }

  private clearModes(): void {
    this.autoEoi = false;
    this.rotateOnAutoEoi = false;
    this.specialFullyNested = false;
    this.specialMask = false;
    this.readsIsr = false;
    this.polls = false;
    this.lowestPriority = SPURIOUS_LEVEL;
  }

  private writeOdd(value: number): void {
    switch (this.expects) {
      case EXPECTS_OCW1:
        this.imr = value;
        break;
      case EXPECTS_ICW2:
        this.vectorBase = value & 0xf8;
        if (!this.single) this.expects = EXPECTS_ICW3;
        else this.expects = this.needsIcw4 ? EXPECTS_ICW4 : EXPECTS_OCW1;
        break;
      case EXPECTS_ICW3:
        this.expects = this.needsIcw4 ? EXPECTS_ICW4 : EXPECTS_OCW1;
        break;
      case EXPECTS_ICW4:
        this.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
        this.specialFullyNested = (value & ICW4_SPECIAL_FULLY_NESTED) !== 0;
        this.expects = EXPECTS_OCW1;
        break;
    }
  }

  /** OCW2: bits 7-5 are R (rotate), SL (specific level) and EOI. */
  private writeOcw2(value: number): void {
    const level = value & 7;
    switch (value >> 5) {
      case 0b000:
        this.rotateOnAutoEoi = false;
        break;
      case 0b100:
        this.rotateOnAutoEoi = true;
        break;
      case 0b001:
        this.endOfInterrupt(this.highestInService(), false);
        break;
      case 0b101:
        this.endOfInterrupt(this.highestInService(), true);
        break;
      case 0b011:
        this.endOfInterrupt(level, false);
        break;
      case 0b111:
        this.endOfInterrupt(level, true);
        break;
      case 0b110:
        this.lowestPriority = level;
        break;
      default: // 010 is "no operation".
        break;
    }
  }

  private endOfInterrupt(level: number, rotate: boolean): void {
    if (level === NO_REQUEST) return;
    this.isr &= ~(1 << level);
    if (rotate) this.lowestPriority = level;
  }

  private writeOcw3(value: number): void {
    if ((value & OCW3_ENABLE_SPECIAL_MASK) !== 0) this.specialMask = (value & OCW3_SPECIAL_MASK) !== 0;
    if ((value & OCW3_POLL) !== 0) this.polls = true;
    else if ((value & 0b10) !== 0) this.readsIsr = (value & 0b01) !== 0;
  }

  /** In-service levels that hold others back: in special mask mode a masked one does not ("Special Mask Mode"). */
  private blocking(): number {
    return this.specialMask ? this.isr & ~this.imr : this.isr;
  }

  private highestInService(): number {
    return this.highest(this.blocking());
  }

  private highest(bits: number): number {
    for (let rank = 1; rank <= 8; rank++) {
      const level = (this.lowestPriority + rank) & 7;
      if ((bits & (1 << level)) !== 0) return level;
    }
    return NO_REQUEST;
  }

  private highestRequest(): number {
    if (this.expects !== EXPECTS_OCW1) return NO_REQUEST;
    const level = this.highest(this.irr & ~this.imr);
    if (level === NO_REQUEST) return NO_REQUEST;
    const inService = this.highest(this.blocking());
    if (inService === NO_REQUEST) return level;
    if (level === inService) {
      return this.specialFullyNested && (this.slaveLines & (1 << level)) !== 0 ? level : NO_REQUEST;
    }
    return this.rank(level) < this.rank(inService) ? level : NO_REQUEST;
  }

  /** 0 is the highest priority. */
  private rank(level: number): number {
    return (level - this.lowestPriority - 1) & 7;
  }

  private updateInt(): void {
    this.setInt(this.highestRequest() !== NO_REQUEST);
  }

  private setInt(level: boolean): void {
    if (level === this.int) return;
    this.int = level;
    this.onInt(level);
  }

  save(): DeviceState {
    return {
      lines: this.lines,
      irr: this.irr,
      isr: this.isr,
      imr: this.imr,
      elcr: this.elcr,
      vectorBase: this.vectorBase,
      expects: this.expects,
      single: this.single,
      needsIcw4: this.needsIcw4,
      autoEoi: this.autoEoi,
      rotateOnAutoEoi: this.rotateOnAutoEoi,
      specialFullyNested: this.specialFullyNested,
      specialMask: this.specialMask,
      readsIsr: this.readsIsr,
      polls: this.polls,
      lowestPriority: this.lowestPriority,
    };
  }

  restore(reader: StateReader): void {
    this.lines = reader.byte('lines');
    this.irr = reader.byte('irr');
    this.isr = reader.byte('isr');
    this.imr = reader.byte('imr');
    this.elcr = reader.byte('elcr') & this.elcrWritable;
    this.vectorBase = reader.byte('vectorBase') & 0xf8;
    this.expects = reader.integer('expects', EXPECTS_OCW1, EXPECTS_ICW4);
    this.single = reader.boolean('single');
    this.needsIcw4 = reader.boolean('needsIcw4');
    this.autoEoi = reader.boolean('autoEoi');
    this.rotateOnAutoEoi = reader.boolean('rotateOnAutoEoi');
    this.specialFullyNested = reader.boolean('specialFullyNested');
    this.specialMask = reader.boolean('specialMask');
    this.readsIsr = reader.boolean('readsIsr');
    this.polls = reader.boolean('polls');
    this.lowestPriority = reader.integer('lowestPriority', 0, 7);
    reader.end();
    // The pin follows from the rest; nobody is told, because the listener's own state is restored as well.
    this.int = this.highestRequest() !== NO_REQUEST;
  }
}

export class Pic implements Device {
  readonly name = 'pic';
  /** Called when `intr` changed. Not called by `restore`. */
  onIntrChange: ((intr: boolean) => void) | undefined;

  private readonly master = new Chip(1 << CASCADE_IRQ, 0xf8, (level) => this.onIntrChange?.(level));
  private readonly slave = new Chip(0, 0xde, (level) => this.master.setLine(CASCADE_IRQ, level));

  constructor(config: PicConfig) {
    this.claim(config.ports, 0x20, this.master);
    this.claim(config.ports, 0xa0, this.slave);
    config.ports.claim(0x4d0, 2, {
      byteWide: true,
      read: (port) => (port === 0x4d0 ? this.master : this.slave).readElcr(),
      write: (port, _size, value) => (port === 0x4d0 ? this.master : this.slave).writeElcr(value),
    });
  }

  /** The INT output to the CPU. */
  get intr(): boolean {
    return this.master.int;
  }

  /** The input for an ISA interrupt, 0-15 without 2, which is the cascade. */
  line(irq: number): IrqLine {
    if (!Number.isInteger(irq) || irq < 0 || irq > 15 || irq === CASCADE_IRQ) throw new RangeError(`pic: no line for IRQ ${irq}`);
    const chip = irq < 8 ? this.master : this.slave;
    return { set: (level) => chip.setLine(irq & 7, level) };
  }

  /** The two INTA cycles: gives the vector. Without a request it is that of the spurious interrupt. */
  acknowledge(): number {
    const level = this.master.acknowledge();
    if (level !== CASCADE_IRQ) return this.master.vectorOf(level);
    return this.slave.vectorOf(this.slave.acknowledge());
  }

  reset(): void {
    this.slave.reset();
    this.master.reset();
  }

  save(): DeviceState {
    return { master: this.master.save(), slave: this.slave.save() };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    const master = reader.object('master');
    const slave = reader.object('slave');
    reader.end();
    this.master.restore(master);
    this.slave.restore(slave);
  }

  private claim(ports: PortRegistrar, firstPort: number, chip: Chip): void {
    ports.claim(firstPort, 2, {
      byteWide: true,
      read: (port) => chip.read((port & 1) !== 0),
      write: (port: number, _size: AccessSize, value: number) => chip.write((port & 1) !== 0, value),
    });
  }
}
