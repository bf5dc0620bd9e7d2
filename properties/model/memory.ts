/**
 * Physical memory of an arena: RAM from address 0, nothing behind it (reads as ones, ignores writes). It remembers what
 * has been written outside the windows of a case, so that the background is put back quickly and stray writes are seen.
 */
import type { Window } from '../state/arena.js';

const BACKGROUND = 0;
const WINDOW = 1;
const WRITTEN = 2;

export class PhysicalMemory {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #background: Uint8Array;
  /** Of each byte: BACKGROUND, WINDOW, or WRITTEN when it is in the log. */
  readonly #places: Uint8Array;
  readonly #written: number[] = [];

  /** @param background its contents before each case; copied */
  constructor(background: Uint8Array, windows: readonly Window[]) {
    this.bytes = background.slice();
    this.#view = new DataView(this.bytes.buffer);
    this.#background = background.slice();
    this.#places = new Uint8Array(background.length);
    for (const { address, bytes } of windows) this.#places.fill(WINDOW, address, address + bytes);
  }

  read(address: number, bytes: number): bigint {
    if (address + bytes > this.bytes.length) return this.#readBytewise(address, bytes);
    switch (bytes) {
      case 1:
        return BigInt(this.bytes[address]!);
      case 2:
        return BigInt(this.#view.getUint16(address, true));
      case 4:
        return BigInt(this.#view.getUint32(address, true));
      case 8:
        return this.#view.getBigUint64(address, true);
      case 16:
        return this.#view.getBigUint64(address, true) | (this.#view.getBigUint64(address + 8, true) << 64n);
      default:
        return this.#readBytewise(address, bytes);
    }
  }

  write(address: number, bytes: number, value: bigint): void {
    if (address + bytes > this.bytes.length) {
      this.#writeBytewise(address, bytes, value);
      return;
    }
    this.#note(address, bytes);
    switch (bytes) {
      case 1:
        this.bytes[address] = Number(value & 0xffn);
        break;
      case 2:
        this.#view.setUint16(address, Number(value & 0xffffn), true);
        break;
      case 4:
        this.#view.setUint32(address, Number(value & 0xffff_ffffn), true);
        break;
      case 8:
        this.#view.setBigUint64(address, value, true);
        break;
      default:
        this.#writeBytewise(address, bytes, value);
    }
  }

  /** For page tables: a word without BigInt. */
  readWord(address: number): number {
    return address + 4 <= this.bytes.length ? this.#view.getUint32(address, true) : Number(this.#readBytewise(address, 4));
  }

  writeWord(address: number, value: number): void {
    this.write(address, 4, BigInt(value >>> 0));
  }

  readByte(address: number): number {
    return address < this.bytes.length ? this.bytes[address]! : 0xff;
  }

  /** Addresses outside the windows that hold something else than the background, ascending. */
  strayAddresses(): number[] {
    return this.#written.filter((address) => this.bytes[address] !== this.#background[address]).sort((a, b) => a - b);
  }

  get hasWrittenOutside(): boolean {
    return this.#written.length > 0;
  }

  /** Puts the background back; windows are their owner's. */
  restore(): void {
    for (const address of this.#written) {
      this.bytes[address] = this.#background[address]!;
      this.#places[address] = BACKGROUND;
    }
    this.#written.length = 0;
  }

  #note(address: number, bytes: number): void {
    for (let at = address; at < address + bytes; at++) {
      if (this.#places[at] !== BACKGROUND) continue;
      this.#places[at] = WRITTEN;
      this.#written.push(at);
    }
  }

  #readBytewise(address: number, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.readByte(address + i));
    return value;
  }

  #writeBytewise(address: number, bytes: number, value: bigint): void {
    for (let i = 0; i < bytes; i++) {
      const at = address + i;
      if (at >= this.bytes.length) return;
      this.#note(at, 1);
      this.bytes[at] = Number((value >> BigInt(8 * i)) & 0xffn);
    }
  }
}
