/** Bytes, text and addresses for the loaders: everything in a PC's boot structures is little-endian. */
import { BootError } from './boot-state.js';

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes a 64-bit field whose value is exact as a number. */
export function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 0x1_0000_0000, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}

/** UTF-8 with a terminating zero. A half of a surrogate pair becomes U+FFFD. @param role whose text it is. */
export function zeroTerminated(text: string, role: string): Uint8Array {
  const zeroAt = text.indexOf('\0');
  if (zeroAt >= 0) throw new BootError(`${role}: character ${zeroAt + 1} is a zero, where the guest would end the text: leave it out`);
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const scalar = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
    if (scalar < 0x80) bytes.push(scalar);
    else if (scalar < 0x800) bytes.push(0xc0 | (scalar >> 6), 0x80 | (scalar & 0x3f));
    else if (scalar < 0x1_0000) bytes.push(0xe0 | (scalar >> 12), 0x80 | ((scalar >> 6) & 0x3f), 0x80 | (scalar & 0x3f));
    else bytes.push(0xf0 | (scalar >> 18), 0x80 | ((scalar >> 12) & 0x3f), 0x80 | ((scalar >> 6) & 0x3f), 0x80 | (scalar & 0x3f));
  }
  bytes.push(0);
  return Uint8Array.from(bytes);
}

/** For messages. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** For messages: a size rounded up, as one would give it to the machine. */
export function mebibytes(sizeBytes: number): string {
  return `${Math.ceil(sizeBytes / 0x10_0000)} MiB`;
}
