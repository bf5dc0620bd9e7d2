/**
 * Packets of the GDB remote serial protocol (GDB manual, appendix E.1 "Overview"): `$data#checksum`, acknowledged by `+` or
 * `-`. Data escapes `}` and run lengths after `*` are of the protocol's own making.
 */

export type Incoming =
  | { readonly kind: 'packet'; readonly payload: Uint8Array }
  /** A packet whose checksum is wrong or that is too long. */
  | { readonly kind: 'damaged' }
  | { readonly kind: 'ack' }
  | { readonly kind: 'nak' }
  /** Ctrl-C, outside of a packet. */
  | { readonly kind: 'interrupt' };

/** What `PacketSize` promises, in either direction: bytes of the data of a packet. */
export const PACKET_BYTES = 0x8000;

const DOLLAR = 0x24;
const HASH = 0x23;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const BRACE = 0x7d;
const CTRL_C = 0x03;
const ESCAPE_BIT = 0x20;

type State = 'outside' | 'data' | 'checksum' | 'overflow';

/** Finds packets in a stream, however it is cut. Bytes that are no part of any are skipped. */
export class PacketReader {
  private state: State = 'outside';
  private readonly data = new Uint8Array(PACKET_BYTES);
  private length = 0;
  private sum = 0;
  private firstDigit: number | undefined;

  read(bytes: Uint8Array): Incoming[] {
    const found: Incoming[] = [];
    for (const byte of bytes) {
      const incoming = this.next(byte);
      if (incoming !== undefined) found.push(incoming);
    }
    return found;
  }

  private next(byte: number): Incoming | undefined {
    switch (this.state) {
      case 'outside':
        return this.outside(byte);
      case 'data':
        return this.inData(byte);
      case 'overflow':
        if (byte !== HASH) return undefined;
        this.state = 'outside';
        return { kind: 'damaged' };
      case 'checksum':
        return this.inChecksum(byte);
    }
  }

  private outside(byte: number): Incoming | undefined {
    if (byte === DOLLAR) this.begin();
    else if (byte === PLUS) return { kind: 'ack' };
    else if (byte === MINUS) return { kind: 'nak' };
    else if (byte === CTRL_C) return { kind: 'interrupt' };
    return undefined;
  }

  private begin(): void {
    this.state = 'data';
    this.length = 0;
    this.sum = 0;
    this.firstDigit = undefined;
  }

  private inData(byte: number): Incoming | undefined {
    if (byte === HASH) {
      this.state = 'checksum';
      return undefined;
    }
    // Never part of data: the end of the packet before it was lost.
    if (byte === DOLLAR) {
      this.begin();
      return { kind: 'damaged' };
    }
    if (this.length === PACKET_BYTES) {
      this.state = 'overflow';
      return undefined;
    }
    this.data[this.length++] = byte;
    this.sum = (this.sum + byte) & 0xff;
    return undefined;
  }

  private inChecksum(byte: number): Incoming | undefined {
    const digit = hexDigit(byte);
    if (this.firstDigit === undefined) {
      // Not a digit: -1, which no sum equals.
      this.firstDigit = digit;
      return undefined;
    }
    this.state = 'outside';
    if (this.firstDigit < 0 || digit < 0 || this.firstDigit * 16 + digit !== this.sum) return { kind: 'damaged' };
    return { kind: 'packet', payload: this.data.slice(0, this.length) };
  }
}

function hexDigit(byte: number): number {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? -1 : value;
}

/** Binary data as it may stand in a packet. */
export function escapeBinary(bytes: Uint8Array): Uint8Array {
  const escaped: number[] = [];
  for (const byte of bytes) {
    if (byte === DOLLAR || byte === HASH || byte === STAR || byte === BRACE) escaped.push(BRACE, byte ^ ESCAPE_BIT);
    else escaped.push(byte);
  }
  return Uint8Array.from(escaped);
}

/** A lone escape at the end stands for nothing. */
export function unescapeBinary(bytes: Uint8Array): Uint8Array {
  const plain: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte !== BRACE) plain.push(byte);
    else if (++at < bytes.length) plain.push((bytes[at] as number) ^ ESCAPE_BIT);
  }
  return Uint8Array.from(plain);
}

/** A count n after `*` is written as the character n + 29. */
const RUN_BIAS = 29;
/** Shorter runs do not pay. */
const RUN_MIN = 3;
const RUN_MAX = 126 - RUN_BIAS;

/** A repeat count whose character could be taken for something else is made smaller. */
function allowedRun(repeats: number): number {
  const run = Math.min(repeats, RUN_MAX);
  const character = run + RUN_BIAS;
  if (character === HASH || character === DOLLAR) return HASH - 1 - RUN_BIAS;
  return character === PLUS || character === MINUS ? run - 1 : run;
}

/** Data, its binary parts escaped, as a packet. */
export function encodePacket(data: Uint8Array): Uint8Array {
  const out: number[] = [DOLLAR];
  let sum = 0;
  const put = (byte: number): void => {
    out.push(byte);
    sum = (sum + byte) & 0xff;
  };
  for (let at = 0; at < data.length; ) {
    const byte = data[at] as number;
    put(byte);
    at++;
    let repeats = 0;
    while (data[at + repeats] === byte && repeats < RUN_MAX) repeats++;
    if (repeats < RUN_MIN) continue;
    const run = allowedRun(repeats);
    put(STAR);
    put(run + RUN_BIAS);
    at += run;
  }
  const checksum = sum.toString(16).padStart(2, '0');
  out.push(HASH, checksum.charCodeAt(0), checksum.charCodeAt(1));
  return Uint8Array.from(out);
}
