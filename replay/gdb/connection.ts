/**
 * One connection of gdb: packets in, replies out, one after the other, acknowledged as long as gdb wants that. Ctrl-C goes to
 * the packet that is being answered.
 */
import { hexOfText } from './hex.js';
import { encodePacket, PacketReader } from './packet.js';
import type { Reply, Stub } from './stub.js';

/** Where replies go. */
export interface Link {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** A packet that is not answered yet. */
interface Request {
  readonly payload: Uint8Array;
  readonly abort: AbortController;
  isAbandoned: boolean;
}

/** Where the answer should be. */
const DEFECT = 'Eff';
const MONITOR = 'qRcmd,';
/** Packets that may take so long that gdb gives up waiting. */
const LONG_ONES = [MONITOR, 'qSearch:', 'qCRC:'];
/**
 * Ctrl-C in a monitor command is for gdb alone: it is not told to us, and gdb itself notices it only when something comes. So
 * something does: console output without any text.
 */
const NO_OUTPUT = 'O';
const NO_OUTPUT_PERIOD_MS = 200;
const ACK = Uint8Array.of(0x2b);
const NAK = Uint8Array.of(0x2d);
/** Characters of console output in a packet. */
const CONSOLE_CHARACTERS = 2048;

export class Connection {
  private readonly reader = new PacketReader();
  private acknowledging = true;
  private lastSent: Uint8Array | undefined;
  private readonly unanswered = new Set<Request>();
  private work: Promise<void> = Promise.resolve();
  private open = true;

  /** @param onDefect called with what nobody expected; the connection goes on */
  constructor(
    private readonly link: Link,
    private readonly stub: Stub,
    private readonly onDefect: (error: unknown) => void,
  ) {}

  received(bytes: Uint8Array): void {
    for (const incoming of this.reader.read(bytes)) {
      switch (incoming.kind) {
        case 'packet':
          if (this.acknowledging) this.link.write(ACK);
          this.enqueue(incoming.payload);
          break;
        case 'damaged':
          if (this.acknowledging) this.link.write(NAK);
          break;
        case 'nak':
          if (this.acknowledging && this.lastSent !== undefined) this.link.write(this.lastSent);
          break;
        case 'ack':
          break;
        case 'interrupt':
          this.interrupt();
          break;
      }
    }
  }

  /** The other side is gone. Resolves when nothing is under way any more. */
  async closed(): Promise<void> {
    this.open = false;
    this.interrupt();
    await this.work;
    this.stub.disconnected();
  }

  /** Resolves when what has been received is answered. */
  idle(): Promise<void> {
    return this.work;
  }

  private enqueue(payload: Uint8Array): void {
    this.abandonLongOnes();
    const request: Request = { payload, abort: new AbortController(), isAbandoned: false };
    this.unanswered.add(request);
    this.work = this.work.then(async () => {
      await this.answer(request);
      this.unanswered.delete(request);
    });
  }

  /** Ctrl-C, or a timeout, makes gdb forget them, without a word: the next packet shows that it wants no answer any more. */
  private abandonLongOnes(): void {
    for (const request of this.unanswered) {
      if (!LONG_ONES.some((name) => beginsWith(request.payload, name))) continue;
      request.isAbandoned = true;
      request.abort.abort();
    }
  }

  private interrupt(): void {
    for (const { abort } of this.unanswered) abort.abort();
  }

  private async answer(request: Request): Promise<void> {
    if (!this.open || request.isAbandoned) return;
    const { payload, abort } = request;
    let reply: Reply;
    const showAlive = beginsWith(payload, MONITOR)
      ? setInterval(() => request.isAbandoned || this.sayNothing(), NO_OUTPUT_PERIOD_MS)
      : undefined;
    try {
      reply = await this.stub.handle(payload, { signal: abort.signal, print: (text) => request.isAbandoned || this.print(text) });
    } catch (error) {
      this.onDefect(error);
      reply = { data: DEFECT };
    } finally {
      clearInterval(showAlive);
    }
    if (!this.open || request.isAbandoned) return;
    if (reply.data !== undefined) this.send(reply.data);
    if (reply.stopAcknowledging === true) this.acknowledging = false;
    if (reply.hangUp === true) this.link.close();
  }

  private sayNothing(): void {
    if (this.open) this.send(NO_OUTPUT);
  }

  private print(text: string): void {
    if (!this.open) return;
    for (let at = 0; at < text.length; at += CONSOLE_CHARACTERS) this.send(`O${hexOfText(text.slice(at, at + CONSOLE_CHARACTERS))}`);
  }

  private send(data: string | Uint8Array): void {
    this.lastSent = encodePacket(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
    this.link.write(this.lastSent);
  }
}

const beginsWith = (payload: Uint8Array, name: string): boolean =>
  Buffer.from(payload.subarray(0, name.length)).toString('latin1') === name;
