/**
 * The PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Auxiliary Device: Mouse") with the extensions of
 * the IntelliMouse: sample rates 200, 100, 80 in a row switch to identity 3 (wheel), 200, 200, 80 to identity 4 (wheel
 * and five buttons); packets then have a fourth byte.
 *
 * `input` takes 6 bytes: dx and dy (16 bit, little endian, signed, in counts; dy is positive upwards), wheel (8 bit,
 * signed, positive towards the user) and buttons (bit 0 left, 1 right, 2 middle, 3 and 4 the side buttons). In stream
 * mode at most one packet a sample period is sent; movement in between adds up, but a change of buttons always gets a
 * packet of its own, and movement too far for one packet is spread over several. While reporting is disabled movement
 * goes nowhere, as on a desk.
 */
import type { Alarm, Clock } from '../clock/clock.js';
import { ByteQueue } from './byte-queue.js';
import { type DeviceState, type InputDevice, InputError } from './device.js';
import { nsOfCycle } from './frequency.js';
import { PS2_ACKNOWLEDGE, PS2_RESEND, PS2_SELF_TEST_PASSED, type Ps2Device } from './ps2.js';
import { StateReader, savedDueNs } from './state-reader.js';

export interface MouseConfig {
  readonly clock: Clock;
}

const INPUT_SIZE = 6;
const BUTTONS_ALL = 0x1f;
const PACKET_BUTTONS = 0x07;
const SIDE_BUTTONS = 0x18;

const PACKET_ALWAYS_ONE = 0x08;
const PACKET_X_SIGN = 0x10;
const PACKET_Y_SIGN = 0x20;
const PACKET_X_OVERFLOW = 0x40;
const PACKET_Y_OVERFLOW = 0x80;
const MOVEMENT_HIGHEST = 255;
const WHEEL_LOWEST = -8;
const WHEEL_HIGHEST = 7;

const IDENTITY_STANDARD = 0;
const IDENTITY_WHEEL = 3;
const IDENTITY_FIVE_BUTTONS = 4;

const SAMPLE_RATES: readonly number[] = [10, 20, 40, 60, 80, 100, 200];
const SAMPLE_RATE_DEFAULT = 100;
const RESOLUTION_DEFAULT = 2;
const RESOLUTION_HIGHEST = 3;
/** 2:1 scaling of small counts; larger ones are doubled. */
const SCALED = [0, 1, 1, 3, 6, 9] as const;

const COMMAND_SCALING_1 = 0xe6;
const COMMAND_SCALING_2 = 0xe7;
const COMMAND_RESOLUTION = 0xe8;
const COMMAND_STATUS = 0xe9;
const COMMAND_STREAM = 0xea;
const COMMAND_READ_DATA = 0xeb;
const COMMAND_WRAP_OFF = 0xec;
const COMMAND_WRAP_ON = 0xee;
const COMMAND_REMOTE = 0xf0;
const COMMAND_IDENTIFY = 0xf2;
const COMMAND_SAMPLE_RATE = 0xf3;
const COMMAND_ENABLE = 0xf4;
const COMMAND_DISABLE = 0xf5;
const COMMAND_DEFAULTS = 0xf6;
const COMMAND_RESEND = 0xfe;
const COMMAND_RESET = 0xff;

/** Movement with the buttons held during it. */
interface Movement {
  dx: number;
  dy: number;
  wheel: number;
  readonly buttons: number;
}

export class Mouse implements InputDevice, Ps2Device {
  readonly name = 'mouse';
  onByteReady: (() => void) | undefined;

  private reporting = false;
  private remote = false;
  private wrap = false;
  private doubles = false;
  private resolution = RESOLUTION_DEFAULT;
  private sampleRate = SAMPLE_RATE_DEFAULT;
  private identity = IDENTITY_STANDARD;
  /** The last three sample rates set: the key to the extensions. */
  private rateHistory: [number, number, number] = [0, 0, 0];
  private pendingCommand: number | null = null;
  private buttons = 0;
  /** Not yet reported. */
  private readonly movements: Movement[] = [];
  private readonly replies = new ByteQueue();
  private readonly packet = new ByteQueue();
  /** What Resend repeats. */
  private lastSent: Uint8Array = new Uint8Array(0);
  /** Armed until the present sample period is over. */
  private readonly sample: Alarm;

  constructor(private readonly config: MouseConfig) {
    this.sample = config.clock.createAlarm('mouse-sample', () => this.report());
  }

  /** Power-on. */
  reset(): void {
    this.restart();
    this.replies.clear();
    this.pendingCommand = null;
    this.lastSent = new Uint8Array(0);
  }

  input(payload: Uint8Array): void {
    if (payload.length !== INPUT_SIZE) throw new InputError(`mouse: an event has ${INPUT_SIZE} bytes, not ${payload.length}`);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    const buttons = view.getUint8(5);
    if ((buttons & ~BUTTONS_ALL) !== 0) throw new InputError('mouse: there are only five buttons');
    const [dx, dy] = [view.getInt16(0, true), view.getInt16(2, true)];
    // A mouse without a wheel has nothing to turn.
    const wheel = this.identity === IDENTITY_STANDARD ? 0 : view.getInt8(4);
    const changesButtons = buttons !== this.buttons;
    this.buttons = buttons;
    if (!this.reporting && !this.remote) return;
    if (!changesButtons && dx === 0 && dy === 0 && wheel === 0) return;
    const last = this.movements.at(-1);
    if (last !== undefined && last.buttons === buttons) {
      last.dx += dx;
      last.dy += dy;
      last.wheel += wheel;
    } else {
      this.movements.push({ dx, dy, wheel, buttons });
    }
    this.report();
  }

  // --- the link ----------------------------------------------------------------------------------------------------

  get hasByte(): boolean {
    return this.replies.length > 0 || this.packet.length > 0;
  }

  takeByte(): number {
    const byte = this.replies.length > 0 ? this.replies.take() : this.packet.take();
    this.report();
    return byte;
  }

  receiveByte(byte: number): void {
    this.replies.clear();
    this.packet.clear();
    const command = this.pendingCommand;
    this.pendingCommand = null;
    if (this.wrap && byte !== COMMAND_WRAP_OFF && byte !== COMMAND_RESET) this.reply(byte);
    else if (command !== null) this.runParameter(command, byte);
    else this.runCommand(byte);
    this.onByteReady?.();
  }

  private reply(...bytes: readonly number[]): void {
    this.lastSent = Uint8Array.from(bytes);
    this.replies.push(this.lastSent);
  }

  private runCommand(command: number): void {
    switch (command) {
      case COMMAND_SCALING_1:
        this.doubles = false;
        break;
      case COMMAND_SCALING_2:
        this.doubles = true;
        break;
      case COMMAND_RESOLUTION:
      case COMMAND_SAMPLE_RATE:
        this.pendingCommand = command;
        break;
      case COMMAND_STATUS:
        this.reply(PS2_ACKNOWLEDGE, this.statusByte(), this.resolution, this.sampleRate);
        return;
      case COMMAND_STREAM:
        this.remote = false;
        this.forgetMovement();
        break;
      case COMMAND_READ_DATA:
        this.reply(PS2_ACKNOWLEDGE, ...this.nextPacket(false));
        return;
      case COMMAND_WRAP_OFF:
        this.wrap = false;
        break;
      case COMMAND_WRAP_ON:
        this.wrap = true;
        this.forgetMovement();
        break;
      case COMMAND_REMOTE:
        this.remote = true;
        this.forgetMovement();
        break;
      case COMMAND_IDENTIFY:
        this.reply(PS2_ACKNOWLEDGE, this.identity);
        return;
      case COMMAND_ENABLE:
        this.reporting = true;
        this.forgetMovement();
        break;
      case COMMAND_DISABLE:
        this.reporting = false;
        this.forgetMovement();
        break;
      case COMMAND_DEFAULTS:
        this.setDefaults();
        break;
      case COMMAND_RESEND:
        this.replies.push(this.lastSent);
        return;
      case COMMAND_RESET:
        this.restart();
        this.reply(PS2_ACKNOWLEDGE, PS2_SELF_TEST_PASSED, IDENTITY_STANDARD);
        return;
      default:
        this.reply(PS2_RESEND);
        return;
    }
    this.reply(PS2_ACKNOWLEDGE);
  }

  private runParameter(command: number, parameter: number): void {
    const valid = command === COMMAND_RESOLUTION ? parameter <= RESOLUTION_HIGHEST : SAMPLE_RATES.includes(parameter);
    if (!valid) {
      this.reply(PS2_RESEND);
      return;
    }
    if (command === COMMAND_RESOLUTION) this.resolution = parameter;
    else this.setSampleRate(parameter);
    this.reply(PS2_ACKNOWLEDGE);
  }

  private setSampleRate(rate: number): void {
    this.sampleRate = rate;
    const [, before, last] = this.rateHistory;
    this.rateHistory = [before, last, rate];
    if (before === 200 && last === 100 && rate === 80) this.identity = IDENTITY_WHEEL;
    if (before === 200 && last === 200 && rate === 80) this.identity = IDENTITY_FIVE_BUTTONS;
  }

  private statusByte(): number {
    const buttons = this.buttons;
    return (
      (this.remote ? 0x40 : 0) |
      (this.reporting ? 0x20 : 0) |
      (this.doubles ? 0x10 : 0) |
      ((buttons & 1) !== 0 ? 0x04 : 0) |
      ((buttons & 4) !== 0 ? 0x02 : 0) |
      ((buttons & 2) !== 0 ? 0x01 : 0)
    );
  }

  private setDefaults(): void {
    this.reporting = false;
    this.remote = false;
    this.doubles = false;
    this.resolution = RESOLUTION_DEFAULT;
    this.sampleRate = SAMPLE_RATE_DEFAULT;
    this.forgetMovement();
  }

  private restart(): void {
    this.setDefaults();
    this.wrap = false;
    this.identity = IDENTITY_STANDARD;
    this.rateHistory = [0, 0, 0];
  }

  private forgetMovement(): void {
    this.movements.length = 0;
    this.packet.clear();
    this.sample.disarm();
  }

  // --- packets -----------------------------------------------------------------------------------------------------

  /** Stream mode: sends a packet if there is one to send, the link is free and the sample period is over. */
  private report(): void {
    if (!this.reporting || this.remote || this.wrap || this.hasByte || this.movements.length === 0) return;
    if (this.sample.dueNs !== Number.POSITIVE_INFINITY) return;
    this.lastSent = Uint8Array.from(this.nextPacket(this.doubles));
    this.packet.push(this.lastSent);
    this.sample.armAt(this.config.clock.nowNs + nsOfCycle(1, this.sampleRate));
    this.onByteReady?.();
  }

  /** Takes as much of the oldest movement as a packet can hold. */
  private nextPacket(doubles: boolean): number[] {
    const head = this.movements[0] ?? { dx: 0, dy: 0, wheel: 0, buttons: this.buttons };
    const dx = clamp(head.dx, -MOVEMENT_HIGHEST, MOVEMENT_HIGHEST);
    const dy = clamp(head.dy, -MOVEMENT_HIGHEST, MOVEMENT_HIGHEST);
    const wheel = clamp(head.wheel, WHEEL_LOWEST, WHEEL_HIGHEST);
    head.dx -= dx;
    head.dy -= dy;
    head.wheel -= wheel;
    if (head.dx === 0 && head.dy === 0 && head.wheel === 0) this.movements.shift();

    const x = doubles ? scaled(dx) : dx;
    const y = doubles ? scaled(dy) : dy;
    const packet = [
      PACKET_ALWAYS_ONE |
        (head.buttons & PACKET_BUTTONS) |
        (x < 0 ? PACKET_X_SIGN : 0) |
        (y < 0 ? PACKET_Y_SIGN : 0) |
        (Math.abs(x) > MOVEMENT_HIGHEST ? PACKET_X_OVERFLOW : 0) |
        (Math.abs(y) > MOVEMENT_HIGHEST ? PACKET_Y_OVERFLOW : 0),
      clamp(x, -MOVEMENT_HIGHEST, MOVEMENT_HIGHEST) & 0xff,
      clamp(y, -MOVEMENT_HIGHEST, MOVEMENT_HIGHEST) & 0xff,
    ];
    if (this.identity === IDENTITY_WHEEL) packet.push(wheel & 0xff);
    if (this.identity === IDENTITY_FIVE_BUTTONS) packet.push((wheel & 0x0f) | ((head.buttons & SIDE_BUTTONS) << 1));
    return packet;
  }

  // --- state -------------------------------------------------------------------------------------------------------

  save(): DeviceState {
    return {
      reporting: this.reporting,
      remote: this.remote,
      wrap: this.wrap,
      doubles: this.doubles,
      resolution: this.resolution,
      sampleRate: this.sampleRate,
      identity: this.identity,
      rateHistory: Uint8Array.from(this.rateHistory),
      pendingCommand: this.pendingCommand,
      buttons: this.buttons,
      movements: this.movements.map((movement) => ({ ...movement })),
      replies: this.replies.copy(),
      packet: this.packet.copy(),
      lastSent: this.lastSent.slice(),
      sampleDueNs: savedDueNs(this.sample.dueNs),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.reporting = reader.boolean('reporting');
    this.remote = reader.boolean('remote');
    this.wrap = reader.boolean('wrap');
    this.doubles = reader.boolean('doubles');
    this.resolution = reader.integer('resolution', 0, RESOLUTION_HIGHEST);
    this.sampleRate = reader.integer('sampleRate', SAMPLE_RATES[0]!, SAMPLE_RATES.at(-1)!);
    this.identity = reader.integer('identity', IDENTITY_STANDARD, IDENTITY_FIVE_BUTTONS);
    const [first, second, third] = reader.bytes('rateHistory', 3);
    this.rateHistory = [first!, second!, third!];
    this.pendingCommand = reader.optionalInteger('pendingCommand', COMMAND_RESOLUTION, COMMAND_SAMPLE_RATE);
    this.buttons = reader.integer('buttons', 0, BUTTONS_ALL);
    const movements = reader.objects('movements').map((entry) => {
      const amount = (key: string): number => entry.integer(key, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      const movement = { dx: amount('dx'), dy: amount('dy'), wheel: amount('wheel'), buttons: entry.integer('buttons', 0, BUTTONS_ALL) };
      entry.end();
      return movement;
    });
    this.movements.splice(0, this.movements.length, ...movements);
    this.replies.replace(reader.bytes('replies', 0, 8));
    this.packet.replace(reader.bytes('packet', 0, 4));
    this.lastSent = reader.bytes('lastSent', 0, 8);
    const sampleDueNs = reader.dueNs('sampleDueNs');
    reader.end();
    this.sample.armAt(sampleDueNs);
  }
}

function clamp(value: number, lowest: number, highest: number): number {
  return Math.min(highest, Math.max(lowest, value));
}

function scaled(count: number): number {
  const size = Math.abs(count);
  return Math.sign(count) * (SCALED[size] ?? 2 * size);
}
