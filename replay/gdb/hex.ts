/**
 * Numbers and bytes in hexadecimal, as packets have them. What comes from outside is checked: a malformed packet is answered
 * with an error, never with a crash.
 */

/** A packet that does not follow the protocol. */
export class PacketError extends Error {
  override readonly name = 'PacketError';
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function hexOfText(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex');
}

/** @throws PacketError */
export function bytesOfHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new PacketError('hexadecimal bytes expected');
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** @throws PacketError */
export function textOfHex(text: string): string {
  return Buffer.from(bytesOfHex(text)).toString('utf8');
}

/** @throws PacketError when it is no number or above the limit */
export function numberOfHex(text: string | undefined, limit: number): number {
  if (text === undefined || !/^[0-9a-f]{1,16}$/i.test(text)) throw new PacketError('hexadecimal number expected');
  const value = Number.parseInt(text, 16);
  if (value > limit) throw new PacketError(`${text} is too large`);
  return value;
}

const ADDRESS_LIMIT = 0xffff_ffff;

/**
 * A linear address. gdb extends addresses of 32 bits by their sign here and there.
 * @throws PacketError
 */
export function addressOfHex(text: string | undefined): number {
  if (text !== undefined && /^f{8}[0-9a-f]{8}$/i.test(text)) return numberOfHex(text.slice(8), ADDRESS_LIMIT);
  return numberOfHex(text, ADDRESS_LIMIT);
}
