/**
 * The codec on Node: node:zlib and node:crypto.
 */
import { createHash } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Codec } from './codec.js';

/** Buffer's subclass behaviour (shared pool, `slice` that does not copy) must not leak into decoded data. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

export const nodeCodec: Codec = {
  deflate: (bytes) => plain(deflateRawSync(bytes, { level: constants.Z_BEST_COMPRESSION })),
  inflate(bytes, limitBytes) {
    // With `info` the result also carries the engine, which knows how much of the input it used; the types do not say so.
    const { buffer, engine } = inflateRawSync(bytes, { maxOutputLength: limitBytes, info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (engine.bytesWritten !== bytes.length) throw new Error('bytes follow the deflate stream');
    return plain(buffer);
  },
  sha256(parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  },
};
