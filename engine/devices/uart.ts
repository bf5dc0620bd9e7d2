/**
 * A serial port of the AT: National Semiconductor PC16550D (data sheet, June 1995) behind a 1.8432 MHz crystal. The
 * interrupt output passes the gate that bit 3 (OUT2) of the modem control register opens, as on the PC's adapter card
 * and in the super I/O chips, where the bit also opens it in loopback mode.
 *
 * The other end of the line is a patient one. It is always there (CTS, DSR and DCD are on). What it sends arrives a
 * character at a time, at the speed and with the word length programmed here, and it waits while the receiver is full
 * or in loopback mode, so that nothing is lost because the host sent much at once; only loopback can overrun. What
 * the guest sends leaves after `transmitNs` a character, 0 being at once, whatever the speed.
 *
 * Where the data sheet leaves room: divisor 0 divides by 65536; after reset the divisor is 12 (9600 baud); the delay
 * of the first "transmitter empty" interrupt in FIFO mode is that of the character alone.
 */
import type { Alarm, Clock } from '../clock/clock.js';
import { ByteQueue } from './byte-queue.js';
import { type AccessSize, type DeviceState, type InputDevice, type IrqLine, type PortRegistrar, StateError } from './device.js';
import { nsOfCycle } from './frequency.js';
import { StateReader, savedDueNs } from './state-reader.js';

export interface UartConfig {
  readonly name: string;
  readonly ports: PortRegistrar;
  /** 3F8h for the first port (interrupt 4), 2F8h for the second (interrupt 3). */
  readonly firstPort: number;
  readonly clock: Clock;
  readonly irq: IrqLine;
  readonly onTransmit: (byte: number) => void;
  /** Virtual time from the transmit register to the line. Default 0. */
  readonly transmitNs?: number;
}

const CRYSTAL_HZ = 1_843_200;
const CYCLES_PER_BIT_AT_DIVISOR_1 = 16;
const DIVISOR_AT_RESET = 12;
const FIFO_SIZE = 16;
const RECEIVE_TRIGGERS = [1, 4, 8, 14] as const;
const TIMEOUT_CHARACTERS = 4;

/** Interrupt enable register; the identification codes (table IV of the data sheet) are in order of priority. */
const IER_RECEIVED = 0x01;
const IER_TRANSMITTER_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;
const IER_WRITABLE = 0x0f;

const IIR_NONE = 0x01;
const IIR_LINE_STATUS = 0x06;
const IIR_RECEIVED = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_TRANSMITTER_EMPTY = 0x02;
const IIR_MODEM_STATUS = 0x00;
const IIR_FIFOS_ENABLED = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const FCR_CLEAR_TRANSMITTER = 0x04;

const LCR_STOP_BITS = 0x04;
const LCR_PARITY = 0x08;
const LCR_DIVISOR_LATCH = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOPBACK = 0x10;
const MCR_WRITABLE = 0x1f;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_HOLDING_EMPTY = 0x20;
const LSR_TRANSMITTER_EMPTY = 0x40;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
const MSR_PEER = MSR_CTS | MSR_DSR | MSR_DCD;

export class Uart implements InputDevice {
  readonly name: string;
  private readonly transmitNs: number;

  private interruptEnable = 0;
  private lineControl = 0;
  private modemControl = 0;
  private scratch = 0;
  private divisor = DIVISOR_AT_RESET;
  /** The overrun error bit: the only line status error this line can have. */
  private overrun = false;
  /** The delta bits of the modem status register, at bits 3-0. */
  private modemDeltas = 0;
  private fifosEnabled = false;
  private triggerIndex = 0;

  /** Receiver: FIFO, or in 16450 mode the buffer register. */
  private readonly received = new ByteQueue();
  /** Sent by the host and not yet arrived. */
  private readonly incoming = new ByteQueue();
  private timeoutPending = false;
  /** Transmitter: FIFO, or in 16450 mode the holding register. */
  private readonly transmitting = new ByteQueue();
  /** The transmitter's shift register. */
  private shifting: number | null = null;
  private emptyPending = false;

  private readonly arrival: Alarm;
  private readonly timeout: Alarm;
  private readonly departure: Alarm;

  constructor(private readonly config: UartConfig) {
    this.name = config.name;
    this.transmitNs = config.transmitNs ?? 0;
    this.arrival = config.clock.createAlarm(`${config.name}-arrival`, (dueNs) => this.characterArrives(dueNs));
    this.timeout = config.clock.createAlarm(`${config.name}-timeout`, () => {
      this.timeoutPending = true;
      this.driveInterrupt();
    });
    this.departure = config.clock.createAlarm(`${config.name}-departure`, (dueNs) => {
      this.characterLeaves(dueNs);
      this.startTransmission(dueNs);
      this.driveInterrupt();
    });
    config.ports.claim(config.firstPort, 8, {
      byteWide: true,
      read: (port) => this.readRegister(port & 7),
      write: (port: number, _size: AccessSize, value: number) => this.writeRegister(port & 7, value),
    });
  }

  /** Master reset (data sheet, table III). What the host has sent still waits on the line. */
  reset(): void {
    this.interruptEnable = 0;
    this.lineControl = 0;
    this.modemControl = 0;
    this.scratch = 0;
    this.divisor = DIVISOR_AT_RESET;
    this.overrun = false;
    this.modemDeltas = 0;
    this.fifosEnabled = false;
    this.triggerIndex = 0;
    this.clearReceiver();
    this.transmitting.clear();
    this.shifting = null;
    this.emptyPending = false;
    this.departure.disarm();
    this.receiveOn(this.config.clock.nowNs);
    this.driveInterrupt();
  }

  /** Bytes from the other end of the line. */
  input(payload: Uint8Array): void {
    this.incoming.push(payload);
    this.receiveOn(this.config.clock.nowNs);
  }

  /** How many bytes the host has sent that have not arrived yet. */
  get incomingBytes(): number {
    return this.incoming.length;
  }

  // --- registers ---------------------------------------------------------------------------------------------------

  private get divisorLatchOpen(): boolean {
    return (this.lineControl & LCR_DIVISOR_LATCH) !== 0;
  }

  private readRegister(offset: number): number {
    switch (offset) {
      case 0:
        return this.divisorLatchOpen ? this.divisor & 0xff : this.readReceiver();
      case 1:
        return this.divisorLatchOpen ? this.divisor >> 8 : this.interruptEnable;
      case 2:
        return this.readIdentification();
      case 3:
        return this.lineControl;
      case 4:
        return this.modemControl;
      case 5:
        return this.readLineStatus();
      case 6:
        return this.readModemStatus();
      default:
        return this.scratch;
    }
  }

  private writeRegister(offset: number, value: number): void {
    switch (offset) {
      case 0:
        if (this.divisorLatchOpen) this.divisor = (this.divisor & 0xff00) | value;
        else this.writeTransmitter(value);
        break;
      case 1:
        if (this.divisorLatchOpen) this.divisor = (this.divisor & 0xff) | (value << 8);
        else this.writeInterruptEnable(value);
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        this.lineControl = value;
        break;
      case 4:
        this.writeModemControl(value);
        break;
      case 7:
        this.scratch = value;
        break;
      default: // The status registers are read only.
        break;
    }
  }

  private readReceiver(): number {
    if (this.received.length === 0) return 0;
    const byte = this.received.take();
    this.restartTimeout(this.config.clock.nowNs);
    this.receiveOn(this.config.clock.nowNs);
    this.driveInterrupt();
    return byte;
  }

  /** Enabling the transmitter interrupt while the holding register is empty raises it (as drivers rely on). */
  private writeInterruptEnable(value: number): void {
    const rising = value & ~this.interruptEnable;
    this.interruptEnable = value & IER_WRITABLE;
    if ((rising & IER_TRANSMITTER_EMPTY) !== 0 && this.transmitting.length === 0) this.emptyPending = true;
    this.driveInterrupt();
  }

  private writeFifoControl(value: number): void {
    const enables = (value & FCR_ENABLE) !== 0;
    const switches = enables !== this.fifosEnabled;
    this.fifosEnabled = enables;
    // "Bit 0 must be a 1 when other FCR bits are written to or they will not be programmed"; a switch clears both.
    if (enables) this.triggerIndex = value >> 6;
    if (switches || (enables && (value & FCR_CLEAR_RECEIVER) !== 0)) this.clearReceiver();
    if (switches || (enables && (value & FCR_CLEAR_TRANSMITTER) !== 0)) {
      if (this.transmitting.length > 0) this.emptyPending = true;
      this.transmitting.clear();
    }
    this.receiveOn(this.config.clock.nowNs);
    this.driveInterrupt();
  }

  private writeModemControl(value: number): void {
    const before = this.modemLines();
    this.modemControl = value & MCR_WRITABLE;
    const after = this.modemLines();
    const changed = before ^ after;
    // DCTS, DDSR, DDCD on any change; TERI only when the ring ends.
    this.modemDeltas |= (changed & MSR_PEER) >> 4;
    if ((before & ~after & MSR_RI) !== 0) this.modemDeltas |= MSR_RI >> 4;
    this.receiveOn(this.config.clock.nowNs);
    this.driveInterrupt();
  }

  private get loopback(): boolean {
    return (this.modemControl & MCR_LOOPBACK) !== 0;
  }

  /** The four modem inputs: of the peer, or in loopback mode the outputs (data sheet, "Modem Control Register"). */
  private modemLines(): number {
    if (!this.loopback) return MSR_PEER;
    const outputs = this.modemControl;
    return (
      ((outputs & MCR_RTS) !== 0 ? MSR_CTS : 0) |
      ((outputs & MCR_DTR) !== 0 ? MSR_DSR : 0) |
      ((outputs & MCR_OUT1) !== 0 ? MSR_RI : 0) |
      ((outputs & MCR_OUT2) !== 0 ? MSR_DCD : 0)
    );
  }

  private readLineStatus(): number {
    let status = 0;
    if (this.received.length > 0) status |= LSR_DATA_READY;
    if (this.overrun) status |= LSR_OVERRUN;
    if (this.transmitting.length === 0) {
      status |= LSR_HOLDING_EMPTY;
      if (this.shifting === null) status |= LSR_TRANSMITTER_EMPTY;
    }
    this.overrun = false;
    this.driveInterrupt();
    return status;
  }

  private readModemStatus(): number {
    const status = this.modemLines() | this.modemDeltas;
    this.modemDeltas = 0;
    this.driveInterrupt();
    return status;
  }

  // --- interrupts --------------------------------------------------------------------------------------------------

  private identification(): number {
    const enabled = this.interruptEnable;
    if ((enabled & IER_LINE_STATUS) !== 0 && this.overrun) return IIR_LINE_STATUS;
    if ((enabled & IER_RECEIVED) !== 0) {
      const threshold = this.fifosEnabled ? RECEIVE_TRIGGERS[this.triggerIndex]! : 1;
      if (this.received.length >= threshold) return IIR_RECEIVED;
      if (this.timeoutPending) return IIR_TIMEOUT;
    }
    if ((enabled & IER_TRANSMITTER_EMPTY) !== 0 && this.emptyPending) return IIR_TRANSMITTER_EMPTY;
    if ((enabled & IER_MODEM_STATUS) !== 0 && this.modemDeltas !== 0) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  private readIdentification(): number {
    const identification = this.identification();
    if (identification === IIR_TRANSMITTER_EMPTY) {
      this.emptyPending = false;
      this.driveInterrupt();
    }
    return identification | (this.fifosEnabled ? IIR_FIFOS_ENABLED : 0);
  }

  private driveInterrupt(): void {
    const gateOpen = (this.modemControl & MCR_OUT2) !== 0;
    this.config.irq.set(gateOpen && this.identification() !== IIR_NONE);
  }

  // --- receiver ----------------------------------------------------------------------------------------------------

  private get capacity(): number {
    return this.fifosEnabled ? FIFO_SIZE : 1;
  }

  private get dataMask(): number {
    return 0xff >> (3 - (this.lineControl & 3));
  }

  /** One character: start bit, 5 to 8 data bits, parity bit, 1, 1.5 or 2 stop bits (counted in half bits). */
  private characterNs(): number {
    const dataBits = 5 + (this.lineControl & 3);
    const parityBits = (this.lineControl & LCR_PARITY) !== 0 ? 1 : 0;
    const longStop = dataBits === 5 ? 3 : 4;
    const halfBits = 2 * (1 + dataBits + parityBits) + ((this.lineControl & LCR_STOP_BITS) !== 0 ? longStop : 2);
    const divisor = this.divisor === 0 ? 0x10000 : this.divisor;
    return nsOfCycle((halfBits * CYCLES_PER_BIT_AT_DIVISOR_1 * divisor) / 2, CRYSTAL_HZ);
  }

  /** The peer sends its next character when it has one and there is room for it. */
  private receiveOn(fromNs: number): void {
    const sends = this.incoming.length > 0 && this.received.length < this.capacity && !this.loopback;
    if (!sends) this.arrival.disarm();
    else if (this.arrival.dueNs === Number.POSITIVE_INFINITY) this.arrival.armAt(fromNs + this.characterNs());
  }

  private characterArrives(dueNs: number): void {
    this.received.push(Uint8Array.of(this.incoming.take() & this.dataMask));
    this.characterCame(dueNs);
    this.receiveOn(dueNs);
    this.driveInterrupt();
  }

  /** "When a timeout interrupt has not occurred the timeout timer is reset"; one that has stays until the FIFO is read. */
  private characterCame(atNs: number): void {
    if (!this.timeoutPending) this.restartTimeout(atNs);
  }

  /** The FIFO times out when it is not empty and nothing more happens for four characters. */
  private restartTimeout(fromNs: number): void {
    this.timeoutPending = false;
    if (this.fifosEnabled && this.received.length > 0) {
      this.timeout.armAt(fromNs + TIMEOUT_CHARACTERS * this.characterNs());
    } else {
      this.timeout.disarm();
    }
  }

  private clearReceiver(): void {
    this.received.clear();
    this.restartTimeout(this.config.clock.nowNs);
  }

  /** In loopback mode characters come without asking whether there is room. */
  private receiveLooped(byte: number, atNs: number): void {
    if (this.received.length >= this.capacity) {
      this.overrun = true;
      // The FIFO keeps what it has; the lone buffer register is overwritten.
      if (this.fifosEnabled) return;
      this.received.clear();
    }
    this.received.push(Uint8Array.of(byte));
    this.characterCame(atNs);
  }

  // --- transmitter -------------------------------------------------------------------------------------------------

  private writeTransmitter(value: number): void {
    this.emptyPending = false;
    // Seen by an edge triggered interrupt controller, even when the transmitter is empty again at once.
    this.driveInterrupt();
    if (this.transmitting.length >= this.capacity) {
      // A full FIFO loses the new character, the holding register the old one.
      if (!this.fifosEnabled) {
        this.transmitting.clear();
        this.transmitting.push(Uint8Array.of(value));
      }
    } else {
      this.transmitting.push(Uint8Array.of(value));
    }
    this.startTransmission(this.config.clock.nowNs);
    this.driveInterrupt();
  }

  private startTransmission(fromNs: number): void {
    while (this.shifting === null && this.transmitting.length > 0) {
      this.shifting = this.transmitting.take();
      if (this.transmitting.length === 0) this.emptyPending = true;
      if (this.transmitNs > 0) this.departure.armAt(fromNs + this.transmitNs);
      else this.characterLeaves(fromNs);
    }
  }

  private characterLeaves(atNs: number): void {
    if (this.shifting === null) return;
    const byte = this.shifting & this.dataMask;
    this.shifting = null;
    if (this.loopback) this.receiveLooped(byte, atNs);
    else this.config.onTransmit(byte);
  }

  // --- state -------------------------------------------------------------------------------------------------------

  save(): DeviceState {
    return {
      interruptEnable: this.interruptEnable,
      lineControl: this.lineControl,
      modemControl: this.modemControl,
      scratch: this.scratch,
      divisor: this.divisor,
      overrun: this.overrun,
      modemDeltas: this.modemDeltas,
      fifosEnabled: this.fifosEnabled,
      triggerIndex: this.triggerIndex,
      received: this.received.copy(),
      incoming: this.incoming.copy(),
      timeoutPending: this.timeoutPending,
      transmitting: this.transmitting.copy(),
      shifting: this.shifting,
      emptyPending: this.emptyPending,
      arrivalDueNs: savedDueNs(this.arrival.dueNs),
      timeoutDueNs: savedDueNs(this.timeout.dueNs),
      departureDueNs: savedDueNs(this.departure.dueNs),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.interruptEnable = reader.integer('interruptEnable', 0, IER_WRITABLE);
    this.lineControl = reader.byte('lineControl');
    this.modemControl = reader.integer('modemControl', 0, MCR_WRITABLE);
    this.scratch = reader.byte('scratch');
    this.divisor = reader.integer('divisor', 0, 0xffff);
    this.overrun = reader.boolean('overrun');
    this.modemDeltas = reader.integer('modemDeltas', 0, 0x0f);
    this.fifosEnabled = reader.boolean('fifosEnabled');
    this.triggerIndex = reader.integer('triggerIndex', 0, RECEIVE_TRIGGERS.length - 1);
    this.received.replace(reader.bytes('received', 0, this.capacity));
    this.incoming.replace(reader.bytes('incoming', 0, Number.MAX_SAFE_INTEGER));
    this.timeoutPending = reader.boolean('timeoutPending');
    this.transmitting.replace(reader.bytes('transmitting', 0, this.capacity));
    this.shifting = reader.optionalInteger('shifting', 0, 0xff);
    this.emptyPending = reader.boolean('emptyPending');
    const arrivalDueNs = reader.dueNs('arrivalDueNs');
    const timeoutDueNs = reader.dueNs('timeoutDueNs');
    const departureDueNs = reader.dueNs('departureDueNs');
    reader.end();
    if (arrivalDueNs !== Number.POSITIVE_INFINITY && (this.incoming.length === 0 || this.received.length >= this.capacity)) {
      throw new StateError(`${this.name}: a character is arriving that nobody sent or that has no room`);
    }
    this.arrival.armAt(arrivalDueNs);
    this.timeout.armAt(timeoutDueNs);
    this.departure.armAt(departureDueNs);
  }
}
