/**
 * The stub: answers the packets of the GDB remote serial protocol (GDB manual, appendix E) about a recorded run. One
 * processor, one thread, all-stop.
 *
 * The recording is not changed: writes are refused, or lead to a diversion.
 */
import { addressOfHex, bytesOfHex, hexOf, hexOfText, numberOfHex, PacketError, textOfHex } from './hex.js';
import { crcOf, findBytes } from './memory-scan.js';
import { escapeBinary, PACKET_BYTES, unescapeBinary } from './packet.js';
import { CpuView, REGISTERS, readAllRegisters, readRegister } from './registers.js';
import { Session, type StubHost } from './session.js';
import { MEMORY_MAP, targetDescription } from './target-description.js';

export interface Reply {
  /** Escaped where it is binary; undefined: there is none. */
  readonly data?: string | Uint8Array | undefined;
  readonly stopAcknowledging?: boolean;
  readonly hangUp?: boolean;
}

/** What a packet is answered with, and what there is to do so. */
export interface Exchange {
  readonly signal: AbortSignal;
  /** Shows text on gdb's console: only while gdb waits for the guest or for a monitor command. */
  readonly print: (text: string) => void;
}

type Answer = Reply | string | Uint8Array;
type Handler = (rest: string, exchange: Exchange, bytes: Uint8Array) => Answer | Promise<Answer>;

const THREAD = '1';
const OK = 'OK';
/** "I do not know this packet." */
const UNKNOWN = '';
/** Packets of whose answers gdb 13 takes anything but `E` and two digits for data. */
const NUMBERED_ERRORS = /^(?:[gmpx]|q)/;
const ALL_BYTES_LIMIT = 0x7fff_ffff;
const WHOLE_MEMORY_BYTES = 0x1_0000_0000;

const FEATURES = [
  `PacketSize=${PACKET_BYTES.toString(16)}`,
  'QStartNoAckMode+',
  'ReverseStep+',
  'ReverseContinue+',
  'vContSupported+',
  'swbreak+',
  'hwbreak+',
  'qXfer:features:read+',
  'qXfer:memory-map:read+',
  'qXfer:threads:read+',
  'binary-upload+',
].join(';');

export class Stub {
  readonly session: Session;
  private isExtended = false;

  constructor(host: StubHost) {
    this.session = new Session(host);
  }

  /** Answers a packet. What is wrong with it is answered, too. */
  async handle(payload: Uint8Array, exchange: Exchange): Promise<Reply> {
    const text = Buffer.from(payload).toString('latin1');
    const { handler, rest } = this.handlerOf(text);
    if (handler === undefined) return { data: UNKNOWN };
    try {
      const answer = await handler(rest, exchange, payload);
      return typeof answer === 'string' || answer instanceof Uint8Array ? { data: answer } : answer;
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      return { data: NUMBERED_ERRORS.test(text) ? 'E01' : `E.${error.message}` };
    }
  }

  /** gdb is gone. */
  disconnected(): void {
    this.isExtended = false;
    this.leave();
  }

  /** The recorded run stays where it is; breakpoints and a diversion belonged to gdb. */
  private leave(): void {
    this.session.points.clear();
    this.session.leaveDiversion();
  }

  private handlerOf(text: string): { readonly handler: Handler | undefined; readonly rest: string } {
    const name = /^[qQv][A-Za-z]+/.exec(text)?.[0];
    if (name !== undefined) return { handler: this.named.get(name), rest: text.slice(name.length) };
    return { handler: this.lettered.get(text.slice(0, 1)), rest: text.slice(1) };
  }

  private readonly lettered: ReadonlyMap<string, Handler> = new Map<string, Handler>([
    ['!', () => this.extend()],
    ['?', () => this.session.stopReply()],
    ['g', () => hexOf(readAllRegisters(this.cpu))],
    ['G', () => this.writeAllRegisters()],
    ['p', (rest) => this.readOneRegister(rest)],
    ['P', (rest) => this.writeOneRegister(rest)],
    ['m', (rest) => hexOf(this.readMemory(rest, Math.floor(PACKET_BYTES / 2)))],
    ['x', (rest) => this.readBinary(rest)],
    ['M', (rest) => this.writeMemory(rest, bytesOfHex)],
    ['X', (_, _exchange, bytes) => this.writeBinary(bytes)],
    ['Z', (rest) => this.point(rest, 'insert')],
    ['z', (rest) => this.point(rest, 'remove')],
    ['c', (rest, exchange) => this.resumeAt(rest, 'continue', exchange)],
    ['C', (rest, exchange) => this.resumeAt(afterSignal(rest), 'continue', exchange)],
    ['s', (rest, exchange) => this.resumeAt(rest, 'step', exchange)],
    ['S', (rest, exchange) => this.resumeAt(afterSignal(rest), 'step', exchange)],
    ['b', (rest, exchange) => this.reverse(rest, exchange)],
    ['H', (rest) => this.selectThread(rest)],
    ['T', (rest) => this.threadAlive(rest)],
    ['D', () => this.detach()],
    ['k', () => this.kill({})],
    ['R', () => this.restart()],
  ]);

  private readonly named: ReadonlyMap<string, Handler> = new Map<string, Handler>([
    ['qSupported', () => FEATURES],
    ['QStartNoAckMode', () => ({ data: OK, stopAcknowledging: true })],
    ['vMustReplyEmpty', () => UNKNOWN],
    ['qAttached', () => '1'],
    ['qC', () => `QC${THREAD}`],
    ['qfThreadInfo', () => `m${THREAD}`],
    ['qsThreadInfo', () => 'l'],
    ['qThreadExtraInfo', () => hexOfText(this.threadName)],
    ['qXfer', (rest) => this.transfer(rest)],
    ['qSearch', (rest, exchange) => this.search(rest, exchange)],
    ['qCRC', (rest, exchange) => this.checksum(rest, exchange)],
    ['qRcmd', (rest, exchange) => this.monitor(rest, exchange)],
    ['qSymbol', () => OK],
    ['vCont', (rest, exchange) => this.resumeByActions(rest, exchange)],
    ['vKill', () => this.kill({ data: OK })],
    ['vAttach', () => this.session.stopReply()],
    ['vRun', async () => ({ ...(await this.restart()), data: this.session.stopReply() })],
  ]);

  private get cpu(): CpuView {
    return new CpuView(this.session.machine);
  }

  // --- registers and memory ----------------------------------------------------------------------------------------------

  private readOneRegister(rest: string): string {
    const row = REGISTERS[numberOfHex(rest, 0xffff)];
    if (row === undefined) throw new PacketError('there is no such register');
    return hexOf(readRegister(row, this.cpu));
  }

  private async writeOneRegister(rest: string): Promise<string> {
    const [number, value] = rest.split('=');
    const row = REGISTERS[numberOfHex(number, 0xffff)];
    if (row === undefined) throw new PacketError('there is no such register');
    const bytes = bytesOfHex(value ?? '');
    if (bytes.length * 8 !== row.bits) throw new PacketError(`${row.name} has ${row.bits} bits`);
    await this.session.writeRegister(row, bytes);
    return OK;
  }

  /** gdb falls back on it when `P` is not known: it is. */
  private writeAllRegisters(): never {
    throw new PacketError('registers are written one by one');
  }

  private readMemory(rest: string, limitBytes: number): Uint8Array {
    const { address, bytes } = rangeOf(rest);
    const found = this.session.machine.peekLinear(address, Math.min(bytes, limitBytes));
    if (found.length === 0 && bytes > 0) throw new PacketError('no memory is present there');
    return found;
  }

  /** The protocol's newer form, as gdb 16 sends it. */
  private readBinary(rest: string): Uint8Array {
    // Escaping may double it.
    const escaped = escapeBinary(this.readMemory(rest, Math.floor(PACKET_BYTES / 2) - 1));
    return Uint8Array.of(0x62, ...escaped);
  }

  private async writeMemory(rest: string, decode: (data: string) => Uint8Array): Promise<string> {
    const colon = rest.indexOf(':');
    if (colon < 0) throw new PacketError('data expected');
    const { address, bytes } = rangeOf(rest.slice(0, colon));
    const data = decode(rest.slice(colon + 1));
    if (data.length !== bytes) throw new PacketError(`${bytes} bytes expected`);
    if (bytes > 0) await this.session.writeMemory(address, data);
    return OK;
  }

  private writeBinary(payload: Uint8Array): Promise<string> {
    const text = Buffer.from(payload).toString('latin1').slice(1);
    return this.writeMemory(text, (data) => unescapeBinary(Buffer.from(data, 'latin1')));
  }

  /** `:memory:address;length;pattern`: memory is all there is to look in. */
  private async search(rest: string, { signal }: Exchange): Promise<string> {
    const [, address, length, escaped] = /^:memory:([^;]*);([^;]*);(.*)$/s.exec(rest) ?? [];
    if (escaped === undefined) throw new PacketError('memory to search expected');
    const pattern = unescapeBinary(Buffer.from(escaped, 'latin1'));
    if (pattern.length === 0) throw new PacketError('a pattern expected');
    const range = { address: addressOfHex(address), bytes: numberOfHex(length, WHOLE_MEMORY_BYTES) };
    const found = await findBytes(this.session.machine, range, pattern, signal);
    return found === undefined ? '0' : `1,${found.toString(16)}`;
  }

  private async checksum(rest: string, { signal }: Exchange): Promise<string> {
    const crc = await crcOf(this.session.machine, rangeOf(rest.replace(/^:/, '')), signal);
    return `C${crc.toString(16)}`;
  }

  private point(rest: string, change: 'insert' | 'remove'): string {
    const [type, address, bytes] = (rest.split(';')[0] as string).split(',');
    this.session.points[change](numberOfHex(type, 9), addressOfHex(address), numberOfHex(bytes, ALL_BYTES_LIMIT));
    return OK;
  }

  // --- motion ------------------------------------------------------------------------------------------------------------

  /** From another address only where that is the present one: the recorded run goes the way it went. */
  private resumeAt(address: string, motion: 'step' | 'continue', exchange: Exchange): Promise<string> {
    if (address !== '' && addressOfHex(address) !== this.session.linearPc) throw new PacketError('a recorded run goes its own way');
    return this.session.resume({ motion }, exchange);
  }

  private resumeByActions(rest: string, exchange: Exchange): Answer | Promise<Answer> {
    if (rest === '?') return 'vCont;c;C;s;S;t;r';
    const action = rest
      .split(';')
      .slice(1)
      .map((part) => part.split(':'))
      .find(([, thread]) => thread === undefined || isOurThread(thread))?.[0];
    switch (action?.charAt(0)) {
      case 'c':
      case 'C':
        return this.session.resume({ motion: 'continue' }, exchange);
      case 's':
      case 'S':
        return this.session.resume({ motion: 'step' }, exchange);
      case 'r': {
        const [start, end] = (action as string).slice(1).split(',');
        return this.session.resume({ motion: 'step', within: { start: addressOfHex(start), end: addressOfHex(end) } }, exchange);
      }
      case 't':
        return this.session.stopReply();
      default:
        throw new PacketError('no action for this thread');
    }
  }

  private reverse(rest: string, exchange: Exchange): Answer | Promise<Answer> {
    if (rest === 's') return this.session.resume({ motion: 'reverseStep' }, exchange);
    if (rest === 'c') return this.session.resume({ motion: 'reverseContinue' }, exchange);
    return UNKNOWN;
  }

  // --- threads -------------------------------------------------------------------------------------------------------------

  private get threadName(): string {
    return `CPU#0 [${this.session.machine.registers.halted ? 'halted' : 'running'}]`;
  }

  private selectThread(rest: string): string {
    if (!isOurThread(rest.slice(1))) throw new PacketError('there is no such thread');
    return OK;
  }

  private threadAlive(rest: string): string {
    if (!isOurThread(rest)) throw new PacketError('there is no such thread');
    return OK;
  }

  // --- the session -----------------------------------------------------------------------------------------------------------

  /** gdb wants to start and attach as it likes: detaching and killing do not end the connection. */
  private extend(): string {
    this.isExtended = true;
    return OK;
  }

  private detach(): Reply {
    this.leave();
    return { data: OK, hangUp: !this.isExtended };
  }

  private kill(reply: Reply): Reply {
    if (this.isExtended) {
      this.leave();
      return reply;
    }
    this.session.host.onKill();
    return { ...reply, hangUp: true };
  }

  private async restart(): Promise<Reply> {
    await this.session.goTo(0);
    return {};
  }

  private transfer(rest: string): string | Uint8Array {
    const [, object, action, annex, range] = rest.split(':');
    if (action !== 'read') return UNKNOWN;
    const document = this.documentOf(object, annex);
    if (document === undefined) return object === 'features' ? 'E00' : UNKNOWN;
    const [offset, length] = (range ?? '').split(',');
    const start = numberOfHex(offset, ALL_BYTES_LIMIT);
    // What is escaped takes twice its place.
    const bytes = Math.min(numberOfHex(length, ALL_BYTES_LIMIT), Math.floor(PACKET_BYTES / 2) - 1);
    const part = Buffer.from(document.slice(start, start + bytes), 'latin1');
    return Buffer.concat([Buffer.from(start + bytes < document.length ? 'm' : 'l'), escapeBinary(part)]);
  }

  private documentOf(object: string | undefined, annex: string | undefined): string | undefined {
    switch (object) {
      case 'features':
        if (annex !== 'target.xml') return undefined;
        this.session.describedBits = this.session.machine.registers.codeBits;
        return targetDescription(this.session.describedBits);
      case 'memory-map':
        return MEMORY_MAP;
      case 'threads':
        return `<?xml version="1.0"?>\n<threads>\n<thread id="${THREAD}" core="0">${this.threadName}</thread>\n</threads>\n`;
      default:
        return undefined;
    }
  }

  private async monitor(rest: string, exchange: Exchange): Promise<string> {
    if (!rest.startsWith(',')) throw new PacketError('a command expected');
    await this.session.monitor(textOfHex(rest.slice(1)), exchange);
    return OK;
  }
}

/** All threads, any thread, or the one there is. */
const isOurThread = (id: string): boolean => ['-1', '0', THREAD].includes(id.replace(/^0+(?=.)/, ''));

/** `05;address` after `C` or `S`: there are no signals to deliver to a machine. */
function afterSignal(rest: string): string {
  const [signal, address = ''] = rest.split(';');
  numberOfHex(signal, 0xff);
  return address;
}

function rangeOf(text: string): { readonly address: number; readonly bytes: number } {
  const [address, bytes] = text.split(',');
  return { address: addressOfHex(address), bytes: numberOfHex(bytes, ALL_BYTES_LIMIT) };
}
