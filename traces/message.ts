/**
 * Plain data to bytes and back: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) in the canonical
 * form that format.ts specifies.
 */
import { decode, encode } from '@msgpack/msgpack';
import { printable, TraceError } from './errors.js';
import type { PlainValue } from './events.js';
import { LIMITS } from './format.js';

export function encodeMessage(value: PlainValue): Uint8Array {
  checkPlain(value, 0);
  // The library's own depth check counts differently; ours has been made.
  return encode(value, { sortKeys: true, useBigInt64: true, maxDepth: LIMITS.depth + 2 });
}

/** @throws TraceError when `bytes` is not exactly one value of plain data. The bytes of `bin` are views of `bytes`. */
export function decodeMessage(bytes: Uint8Array): PlainValue {
  // The library allocates arrays as long as they claim to be, before it has seen the elements.
  if (new Walker(bytes).value(0, 0) !== bytes.length) throw new TraceError('bytes follow the record');
  let value: unknown;
  try {
    value = decode(bytes, { useBigInt64: true, mapKeyConverter: requireText });
  } catch (error) {
    throw new TraceError(`not a record (${printable(String(error instanceof Error ? error.message : error))})`);
  }
  checkPlain(value, 0);
  return value;
}

function requireText(key: unknown): string {
  if (typeof key !== 'string') throw new TraceError('a key that is not text');
  return key;
}

/** @throws TraceError for what a record cannot hold: undefined, NaN, functions, dates, too deep nesting... */
export function checkPlain(value: unknown, depth: number): asserts value is PlainValue {
  if (depth > LIMITS.depth) throw new TraceError(`data nested deeper than ${LIMITS.depth}`);
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string':
      if (/\p{Surrogate}/u.test(value)) throw new TraceError('text with half a surrogate pair');
      return;
    case 'number':
      if (Number.isNaN(value)) throw new TraceError('NaN is not plain data');
      return;
    case 'bigint':
      if (value < -(2n ** 63n) || value >= 2n ** 64n) throw new TraceError(`${value} has more than 64 bits`);
      return;
    case 'object': {
      if (value === null || value instanceof Uint8Array) return;
      if (Array.isArray(value)) {
        for (const element of value) checkPlain(element, depth + 1);
        return;
      }
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype === Object.prototype || prototype === null) {
        for (const [key, member] of Object.entries(value)) {
          checkPlain(key, depth);
          if (key === '__proto__') throw new TraceError('the key __proto__ is not allowed');
          checkPlain(member, depth + 1);
        }
        return;
      }
    }
  }
  throw new TraceError(`${typeof value === 'object' ? 'an object with a class' : typeof value} is not plain data`);
}

/** Walks a MessagePack value without building it: every length must be covered by bytes that are there. */
class Walker {
  private readonly view: DataView;
  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** @returns the offset behind the value at `at`. */
  value(at: number, depth: number): number {
    if (depth > LIMITS.depth) throw new TraceError(`data nested deeper than ${LIMITS.depth}`);
    this.need(at, 1);
    const head = this.bytes[at];
    if (head <= 0x7f || head >= 0xe0) return at + 1;
    if (head <= 0x8f) return this.elements(at + 1, 2 * (head & 0x0f), depth);
    if (head <= 0x9f) return this.elements(at + 1, head & 0x0f, depth);
    if (head <= 0xbf) return this.skip(at + 1, head & 0x1f);
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return at + 1;
      case 0xc4:
      case 0xd9:
        return this.skip(at + 2, this.length(at + 1, 1));
      case 0xc5:
      case 0xda:
        return this.skip(at + 3, this.length(at + 1, 2));
      case 0xc6:
      case 0xdb:
        return this.skip(at + 5, this.length(at + 1, 4));
      case 0xcc:
      case 0xd0:
        return this.skip(at + 1, 1);
      case 0xcd:
      case 0xd1:
        return this.skip(at + 1, 2);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.skip(at + 1, 4);
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.skip(at + 1, 8);
      case 0xdc:
        return this.elements(at + 3, this.length(at + 1, 2), depth);
      case 0xdd:
        return this.elements(at + 5, this.length(at + 1, 4), depth);
      case 0xde:
        return this.elements(at + 3, 2 * this.length(at + 1, 2), depth);
      case 0xdf:
        return this.elements(at + 5, 2 * this.length(at + 1, 4), depth);
      default:
        throw new TraceError(`not a record (type byte 0x${head.toString(16)})`);
    }
  }

  private elements(at: number, count: number, depth: number): number {
    this.need(at, count);
    let next = at;
    for (let i = 0; i < count; i++) next = this.value(next, depth + 1);
    return next;
  }

  private length(at: number, width: 1 | 2 | 4): number {
    this.need(at, width);
    return width === 1 ? this.view.getUint8(at) : width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
  }

  private skip(at: number, length: number): number {
    this.need(at, length);
    return at + length;
  }

  private need(at: number, length: number): void {
    if (at + length > this.bytes.length) throw new TraceError('a record that ends too early');
  }
}
