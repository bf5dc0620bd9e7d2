/**
 * What the trace code needs of its host. Node's is in node-codec.ts; a browser brings its own.
 */
export interface Codec {
  /** Raw deflate (RFC 1951). */
  deflate(bytes: Uint8Array): Uint8Array;
  /**
   * Undoes raw deflate. Must stop before the output grows beyond `limitBytes`.
   * @throws Error when it would, and when `bytes` is not exactly one deflate stream.
   */
  inflate(bytes: Uint8Array, limitBytes: number): Uint8Array;
  /** SHA-256 of the parts one after the other: 32 bytes. */
  sha256(parts: Iterable<Uint8Array>): Uint8Array;
}
