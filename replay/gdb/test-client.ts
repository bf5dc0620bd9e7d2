/** A client of the stub, without a network: what gdb would send, and what comes back. */
import { openTraceFile } from '../../traces/index.js';
import { Queries } from '../timeline/queries/queries.js';
import { openTimeline } from '../timeline/timeline.js';
import { Connection } from './connection.js';
import { PacketReader, unescapeBinary } from './packet.js';
import type { StubHost } from './session.js';
import { Stub } from './stub.js';

const STAR = 0x2a;
const RUN_BIAS = 29;

/** Undoes run lengths, as gdb does. */
export function expandRuns(data: Uint8Array): Uint8Array {
  const plain: number[] = [];
  for (let at = 0; at < data.length; at++) {
    if (data[at] !== STAR) plain.push(data[at] as number);
    else plain.push(...new Array<number>((data[++at] as number) - RUN_BIAS).fill(plain.at(-1) as number));
  }
  return Uint8Array.from(plain);
}

/** A packet as gdb sends it. */
export function packetOf(data: string): Uint8Array {
  const bytes = Buffer.from(data, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0) & 0xff;
  return Buffer.concat([Uint8Array.of(0x24), bytes, Buffer.from(`#${sum.toString(16).padStart(2, '0')}`)]);
}

export const corpusTrace = (name: string): string => new URL(`../../traces/corpus/${name}.trace`, import.meta.url).pathname;

/** A stub for a trace file. */
export function stubFor(path: string, options: Partial<StubHost> = {}): Stub {
  const trace = openTraceFile(path);
  const timeline = openTimeline(trace);
  return new Stub({
    timeline,
    queries: new Queries(timeline),
    writesDivert: false,
    saveTrace: (target) => `written to ${target}`,
    symbols: undefined,
    onKill: () => {},
    followsModes: false,
    ...options,
  });
}

export class TestClient {
  readonly connection: Connection;
  readonly defects: unknown[] = [];
  /** Everything sent, as it came. */
  wire = '';
  isClosed = false;
  private replies: string[] = [];
  private readonly reader = new PacketReader();

  constructor(readonly stub: Stub) {
    this.connection = new Connection(
      {
        write: (bytes) => {
          this.wire += Buffer.from(bytes).toString('latin1');
          for (const incoming of this.reader.read(bytes)) {
            if (incoming.kind === 'packet') this.replies.push(Buffer.from(unescapeBinary(expandRuns(incoming.payload))).toString('latin1'));
          }
        },
        close: () => {
          this.isClosed = true;
        },
      },
      stub,
      (error) => this.defects.push(error),
    );
  }

  /** All packets that answer one, console output included. */
  async askAll(data: string): Promise<string[]> {
    this.replies = [];
    this.connection.received(packetOf(data));
    await this.connection.idle();
    return this.replies;
  }

  /** The answer to a packet. */
  async ask(data: string): Promise<string> {
    const replies = await this.askAll(data);
    return replies.filter((reply) => !isConsole(reply)).join('|');
  }

  /** What a monitor command prints. */
  async monitor(line: string): Promise<string> {
    const replies = await this.askAll(`qRcmd,${Buffer.from(line).toString('hex')}`);
    return replies.filter(isConsole).map(consoleText).join('');
  }
}

export const isConsole = (reply: string): boolean => /^O[0-9a-f]/.test(reply);
export const consoleText = (reply: string): string => Buffer.from(reply.slice(1), 'hex').toString('utf8');
