/**
 * The keyboard controller of the PS/2 (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
 * Device Controller") at ports 60h and 64h: the two serial links, translation of scan codes, the A20 gate, the reset of
 * the CPU. Interrupt lines 1 and 12 are high while the output buffer holds a byte of their device and the command byte
 * lets them be.
 *
 * A byte takes BYTE_NS over a link, so that a program that reads port 60h twice gets the same byte twice, as on a PC.
 * What the controller itself answers is there at once; if the output buffer is full it waits there for its turn (a
 * newer answer replaces a waiting one).
 *
 * Where the manual leaves room: after reset the command byte is what firmware usually sets (keyboard enabled, its
 * interrupt on, translation on), so that a guest started without firmware has a keyboard, and A20 is open, as the
 * output port's pull-ups make it. The controller has no password: A4h says so, A5h swallows one.
 */
import type { Alarm, Clock } from '../clock/clock.js';
import type { AccessSize, Device, DeviceState, IrqLine, PortRegistrar } from './device.js';
import type { Ps2Device } from './ps2.js';
import { translateToSet1 } from './scan-codes.js';
import { StateReader, savedDueNs } from './state-reader.js';

export interface I8042Config {
  readonly ports: PortRegistrar;
  readonly clock: Clock;
  readonly irq1: IrqLine;
  readonly irq12: IrqLine;
  readonly keyboard: Ps2Device;
  readonly mouse: Ps2Device;
  /** Called after `a20` changed. */
  readonly onA20Change: () => void;
  /** The CPU (not the rest of the machine) is to be reset. */
  readonly onCpuReset: () => void;
}

const DATA_PORT = 0x60;
const COMMAND_PORT = 0x64;
/** 11 bits at 12.5 kHz, in the middle of what the link allows. */
const BYTE_NS = 880_000;

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_COMMAND_WRITTEN = 0x08;
const STATUS_NOT_INHIBITED = 0x10;
const STATUS_FROM_MOUSE = 0x20;

/** The command byte, which is byte 0 of the controller's memory. */
const KEYBOARD_INTERRUPT = 0x01;
const MOUSE_INTERRUPT = 0x02;
const SYSTEM_FLAG = 0x04;
const KEYBOARD_DISABLED = 0x10;
const MOUSE_DISABLED = 0x20;
const TRANSLATES = 0x40;
const COMMAND_BYTE_AT_RESET = TRANSLATES | KEYBOARD_INTERRUPT;
const MEMORY_SIZE = 32;

const COMMAND_READ_MEMORY = 0x20;
const COMMAND_WRITE_MEMORY = 0x60;
const COMMAND_PASSWORD_TEST = 0xa4;
const COMMAND_PASSWORD_LOAD = 0xa5;
const COMMAND_MOUSE_DISABLE = 0xa7;
const COMMAND_MOUSE_ENABLE = 0xa8;
const COMMAND_MOUSE_TEST = 0xa9;
const COMMAND_SELF_TEST = 0xaa;
const COMMAND_KEYBOARD_TEST = 0xab;
const COMMAND_KEYBOARD_DISABLE = 0xad;
const COMMAND_KEYBOARD_ENABLE = 0xae;
const COMMAND_READ_INPUT_PORT = 0xc0;
const COMMAND_READ_OUTPUT_PORT = 0xd0;
const COMMAND_WRITE_OUTPUT_PORT = 0xd1;
const COMMAND_WRITE_AS_KEYBOARD = 0xd2;
const COMMAND_WRITE_AS_MOUSE = 0xd3;
const COMMAND_WRITE_TO_MOUSE = 0xd4;
const COMMAND_A20_OFF = 0xdd;
const COMMAND_A20_ON = 0xdf;
const COMMAND_READ_TEST_INPUTS = 0xe0;
const COMMAND_PULSE = 0xf0;

const PASSWORD_NOT_INSTALLED = 0xf1;
const SELF_TEST_PASSED = 0x55;
const LINK_TEST_PASSED = 0x00;
/** Keyboard not inhibited, manufacturing jumper not set. */
const INPUT_PORT = 0xa0;
/** Output port: reset inactive, clock and data lines of both links idle. */
const OUTPUT_PORT_IDLE = 0xcd;
const OUTPUT_PORT_NO_RESET = 0x01;
const OUTPUT_PORT_A20 = 0x02;
const OUTPUT_PORT_KEYBOARD_FULL = 0x10;
const OUTPUT_PORT_MOUSE_FULL = 0x20;

const BREAK_PREFIX = 0xf0;
const BREAK = 0x80;
/** In a waiting answer: it is to look like a byte of the mouse. */
const ANSWER_AS_MOUSE = 0x100;

export class I8042 implements Device {
  readonly name = 'i8042';
  private readonly memory = new Uint8Array(MEMORY_SIZE);
  private a20Open = true;
  private commandWritten = false;
  /** A command that waits for its parameter at port 60h. */
  private pendingCommand: number | null = null;
  private outputData = 0;
  private outputFull = false;
  private outputFromMouse = false;
  private waitingAnswer: number | null = null;
  /** Translation has seen the F0 of set 2. */
  private breakPrefix = false;
  private readonly transfer: Alarm;

  constructor(private readonly config: I8042Config) {
    this.memory[0] = COMMAND_BYTE_AT_RESET;
    this.transfer = config.clock.createAlarm('i8042-transfer', () => this.byteArrives());
    config.keyboard.onByteReady = () => this.startTransfer();
    config.mouse.onByteReady = () => this.startTransfer();
    config.ports.claim(DATA_PORT, 1, {
      byteWide: true,
      read: () => this.readData(),
      write: (_port: number, _size: AccessSize, value: number) => this.writeData(value),
    });
    config.ports.claim(COMMAND_PORT, 1, {
      byteWide: true,
      read: () => this.status(),
      write: (_port: number, _size: AccessSize, value: number) => this.writeCommand(value),
    });
  }

  get a20(): boolean {
    return this.a20Open;
  }

  reset(): void {
    this.memory.fill(0);
    this.memory[0] = COMMAND_BYTE_AT_RESET;
    this.commandWritten = false;
    this.pendingCommand = null;
    this.outputData = 0;
    this.outputFull = false;
    this.outputFromMouse = false;
    this.waitingAnswer = null;
    this.breakPrefix = false;
    this.transfer.disarm();
    this.driveInterrupts();
    this.setA20(true);
    this.startTransfer();
  }

  private get commandByte(): number {
    return this.memory[0]!;
  }

  private changeCommandByte(clear: number, set: number): void {
    this.memory[0] = (this.commandByte & ~clear) | set;
  }

  private setA20(open: boolean): void {
    if (open === this.a20Open) return;
    this.a20Open = open;
    this.config.onA20Change();
  }

  // --- ports -------------------------------------------------------------------------------------------------------

  private status(): number {
    return (
      (this.outputFull ? STATUS_OUTPUT_FULL : 0) |
      (this.commandByte & SYSTEM_FLAG) |
      (this.commandWritten ? STATUS_COMMAND_WRITTEN : 0) |
      STATUS_NOT_INHIBITED |
      (this.outputFull && this.outputFromMouse ? STATUS_FROM_MOUSE : 0)
    );
  }

  private readData(): number {
    const data = this.outputData;
    this.outputFull = false;
    this.driveInterrupts();
    if (this.waitingAnswer !== null) {
      const answer = this.waitingAnswer;
      this.waitingAnswer = null;
      this.answer(answer);
    }
    this.startTransfer();
    return data;
  }

  private writeData(value: number): void {
    this.commandWritten = false;
    const command = this.pendingCommand;
    this.pendingCommand = null;
    if (command === null) {
      // Talking to the keyboard opens its link again.
      this.changeCommandByte(KEYBOARD_DISABLED, 0);
      this.config.keyboard.receiveByte(value);
    } else {
      this.runParameter(command, value);
    }
    this.driveInterrupts();
    this.startTransfer();
  }

  private runParameter(command: number, value: number): void {
    switch (command) {
      case COMMAND_PASSWORD_LOAD:
        // The password ends with a zero byte.
        if (value !== 0) this.pendingCommand = command;
        break;
      case COMMAND_WRITE_OUTPUT_PORT:
        this.setA20((value & OUTPUT_PORT_A20) !== 0);
        if ((value & OUTPUT_PORT_NO_RESET) === 0) this.config.onCpuReset();
        break;
      case COMMAND_WRITE_AS_KEYBOARD:
        this.answer(value);
        break;
      case COMMAND_WRITE_AS_MOUSE:
        this.answer(value | ANSWER_AS_MOUSE);
        break;
      case COMMAND_WRITE_TO_MOUSE:
        this.changeCommandByte(MOUSE_DISABLED, 0);
        this.config.mouse.receiveByte(value);
        break;
      default:
        this.memory[command & (MEMORY_SIZE - 1)] = value;
    }
  }

  private writeCommand(command: number): void {
    this.commandWritten = true;
    this.pendingCommand = null;
    this.runCommand(command);
    this.driveInterrupts();
    this.startTransfer();
  }

  private runCommand(command: number): void {
    if (command >= COMMAND_READ_MEMORY && command < COMMAND_READ_MEMORY + MEMORY_SIZE) {
      this.answer(this.memory[command & (MEMORY_SIZE - 1)]!);
      return;
    }
    if (command >= COMMAND_WRITE_MEMORY && command < COMMAND_WRITE_MEMORY + MEMORY_SIZE) {
      this.pendingCommand = command;
      return;
    }
    if (command >= COMMAND_PULSE) {
      // Bits 3-0 choose the output port lines that stay as they are; of the others only reset notices a pulse.
      if ((command & OUTPUT_PORT_NO_RESET) === 0) this.config.onCpuReset();
      return;
    }
    switch (command) {
      case COMMAND_PASSWORD_TEST:
        this.answer(PASSWORD_NOT_INSTALLED);
        break;
      case COMMAND_PASSWORD_LOAD:
      case COMMAND_WRITE_OUTPUT_PORT:
      case COMMAND_WRITE_AS_KEYBOARD:
      case COMMAND_WRITE_AS_MOUSE:
      case COMMAND_WRITE_TO_MOUSE:
        this.pendingCommand = command;
        break;
      case COMMAND_MOUSE_DISABLE:
        this.changeCommandByte(0, MOUSE_DISABLED);
        break;
      case COMMAND_MOUSE_ENABLE:
        this.changeCommandByte(MOUSE_DISABLED, 0);
        break;
      case COMMAND_MOUSE_TEST:
      case COMMAND_KEYBOARD_TEST:
        this.answer(LINK_TEST_PASSED);
        break;
      case COMMAND_SELF_TEST:
        this.changeCommandByte(0, SYSTEM_FLAG);
        this.answer(SELF_TEST_PASSED);
        break;
      case COMMAND_KEYBOARD_DISABLE:
        this.changeCommandByte(0, KEYBOARD_DISABLED);
        break;
      case COMMAND_KEYBOARD_ENABLE:
        this.changeCommandByte(KEYBOARD_DISABLED, 0);
        break;
      case COMMAND_READ_INPUT_PORT:
        this.answer(INPUT_PORT);
        break;
      case COMMAND_READ_OUTPUT_PORT:
        this.answer(this.outputPort());
        break;
      case COMMAND_A20_OFF:
      case COMMAND_A20_ON:
        this.setA20(command === COMMAND_A20_ON);
        break;
      case COMMAND_READ_TEST_INPUTS:
        // Both clock lines idle high, unless the link is held low by being disabled.
        this.answer(((this.commandByte & KEYBOARD_DISABLED) === 0 ? 1 : 0) | ((this.commandByte & MOUSE_DISABLED) === 0 ? 2 : 0));
        break;
      default: // The remaining codes are reserved and ignored.
        break;
    }
  }

  private outputPort(): number {
    return (
      OUTPUT_PORT_IDLE |
      (this.a20Open ? OUTPUT_PORT_A20 : 0) |
      (this.outputFull ? (this.outputFromMouse ? OUTPUT_PORT_MOUSE_FULL : OUTPUT_PORT_KEYBOARD_FULL) : 0)
    );
  }

  // --- output buffer -----------------------------------------------------------------------------------------------

  private answer(answer: number): void {
    if (this.outputFull) this.waitingAnswer = answer;
    else this.load(answer & 0xff, (answer & ANSWER_AS_MOUSE) !== 0);
  }

  private load(data: number, fromMouse: boolean): void {
    this.outputData = data;
    this.outputFromMouse = fromMouse;
    this.outputFull = true;
    // A full buffer holds the links; a byte under way is sent again from its start.
    this.transfer.disarm();
    this.driveInterrupts();
  }

  private driveInterrupts(): void {
    const enabled = this.commandByte;
    this.config.irq1.set(this.outputFull && !this.outputFromMouse && (enabled & KEYBOARD_INTERRUPT) !== 0);
    this.config.irq12.set(this.outputFull && this.outputFromMouse && (enabled & MOUSE_INTERRUPT) !== 0);
  }

  // --- links -------------------------------------------------------------------------------------------------------

  private get keyboardReady(): boolean {
    return (this.commandByte & KEYBOARD_DISABLED) === 0 && this.config.keyboard.hasByte;
  }

  private get mouseReady(): boolean {
    return (this.commandByte & MOUSE_DISABLED) === 0 && this.config.mouse.hasByte;
  }

  private startTransfer(): void {
    if (this.outputFull || this.transfer.dueNs !== Number.POSITIVE_INFINITY) return;
    if (this.keyboardReady || this.mouseReady) this.transfer.armAt(this.config.clock.nowNs + BYTE_NS);
  }

  private byteArrives(): void {
    if (this.keyboardReady) this.keyboardByte(this.config.keyboard.takeByte());
    else if (this.mouseReady) this.load(this.config.mouse.takeByte(), true);
    this.startTransfer();
  }

  private keyboardByte(byte: number): void {
    if ((this.commandByte & TRANSLATES) === 0) {
      this.load(byte, false);
    } else if (byte === BREAK_PREFIX) {
      this.breakPrefix = true;
    } else {
      const translated = translateToSet1(byte) | (this.breakPrefix ? BREAK : 0);
      this.breakPrefix = false;
      this.load(translated, false);
    }
  }

  // --- state -------------------------------------------------------------------------------------------------------

  save(): DeviceState {
    return {
      memory: this.memory.slice(),
      a20: this.a20Open,
      commandWritten: this.commandWritten,
      pendingCommand: this.pendingCommand,
      outputData: this.outputData,
      outputFull: this.outputFull,
      outputFromMouse: this.outputFromMouse,
      waitingAnswer: this.waitingAnswer,
      breakPrefix: this.breakPrefix,
      transferDueNs: savedDueNs(this.transfer.dueNs),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.memory.set(reader.bytes('memory', MEMORY_SIZE));
    this.a20Open = reader.boolean('a20');
    this.commandWritten = reader.boolean('commandWritten');
    this.pendingCommand = reader.optionalInteger('pendingCommand', 0, 0xff);
    this.outputData = reader.byte('outputData');
    this.outputFull = reader.boolean('outputFull');
    this.outputFromMouse = reader.boolean('outputFromMouse');
    this.waitingAnswer = reader.optionalInteger('waitingAnswer', 0, 0x1ff);
    this.breakPrefix = reader.boolean('breakPrefix');
    const transferDueNs = reader.dueNs('transferDueNs');
    reader.end();
    this.transfer.armAt(transferDueNs);
  }
}
