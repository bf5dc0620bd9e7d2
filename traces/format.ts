/**
 * The trace format, version 1: constants, limits and the byte-level specification. Whoever wants to read or write
 * traces without this code starts here. The format knows nothing of x86: a machine has ticks, virtual nanoseconds,
 * interrupts with an 8-bit vector, inputs to named devices, and a 64-bit digest of its state.
 *
 * FILE. Integers are little-endian.
 *
 *     preamble   8 bytes  89 52 38 36 0d 0a 1a 0a   (89 "R86" CR LF SUB LF: breaks visibly in text mode)
 *                4 bytes  format version = 1
 *     chunk*     without gaps to the end of the file
 *
 * CHUNK. A 22-byte head, then `stored length` bytes of payload.
 *
 *      0  4  type: four printable ASCII characters
 *      4  1  flags: bit 0 = required (a reader that does not know the type must refuse the trace); others 0
 *      5  1  codec: 0 = stored as is, 1 = raw deflate (RFC 1951)
 *      6  4  stored length of the payload
 *     10  4  raw length, after the codec is undone (equal to the stored length for codec 0)
 *     14  4  CRC-32 (as in zlib and PNG) of head bytes 0..13
 *     18  4  CRC-32 of the stored payload
 *
 * The head has a checksum of its own so that a damaged length is told from a file that was cut short: a file that
 * ends inside a chunk (or goes on in zeros only, which file systems leave after a crash) was not finished, and
 * counts up to its last intact chunk; a wrong checksum anywhere else is damage.
 *
 * ORDER. HEAD, then SEGM, SNAP and IMAG in any number, END, INDX. Nothing follows INDX. Unknown optional chunks may
 * stand anywhere between HEAD and INDX. A trace without END is incomplete and covers what its last SEGM says.
 *
 * PAYLOADS. Raw payloads (after the codec) are one MessagePack value, except DATA and INDX. Maps have their keys in
 * ascending order; 64-bit MessagePack integers stand for big integers, numbers beyond 32 bits are float64; extension
 * types are not used. A point in time is (tick, ns); skipped(tick, ns) = ns - tick * nsPerTick, the virtual time that
 * passed without ticks, never decreases.
 *
 * HEAD (required, first): map
 *     engineVersion  string
 *     nsPerTick      virtual nanoseconds per tick, at least 1
 *     seed           unsigned 32-bit number
 *     machine        map of plain data: the machine's configuration, opaque to this format
 *     images         array of maps { path, role, sha256 (64 hex digits), sizeBytes }
 *
 * SEGM (required): what happened since the previous SEGM (or since tick 0, ns 0, skipped 0), all of it: array
 *      0  bin 8   seal of everything before (below)
 *      1  number  tick up to which the trace is now covered
 *      2  number  virtual nanoseconds at that tick
 *      3  number  count of accepted interrupts
 *      4  column  their ticks, minus the tick of the previous SEGM
 *      5  column  their vectors, 0..255
 *      6  number  count of inputs
 *      7  column  their ticks, minus the tick of the previous SEGM
 *      8  column  skipped(tick, ns) of each, minus skipped of the previous SEGM
 *      9  array   names of the devices that occur, in order of first use
 *     10  column  index of the device of each, into 9
 *     11  column  length of the payload of each
 *     12  bin     the payloads, one after the other
 *     13  number  count of digests
 *     14  column  their ticks, minus the tick of the previous SEGM
 *     15  bin     their values, 8 bytes each
 * Ticks in 4, 7 and 14 do not decrease and do not exceed 1; the values of 8 do not decrease.
 *
 * COLUMN: `bin`, empty for no values; otherwise one byte of mode, then varints (LEB128, shortest form, below 2^53):
 *     0 plain    the values
 *     1 delta    v[i] - v[i-1], with v[-1] = 0
 *     2 delta2   z((v[i] - v[i-1]) - (v[i-1] - v[i-2])), with v[-1] = v[-2] = 0; z(n) = 2n for n >= 0, else -2n - 1
 *     3 runs     pairs: value, times it occurs in a row minus 1
 *
 * SEAL: 8 zero bytes before HEAD; after a HEAD or SEGM chunk the first 8 bytes of sha256(previous seal, raw payload).
 * It makes the chunks a chain: one that is missing, doubled or out of order shows.
 *
 * END (required): map
 *     digest  big integer: digest of the machine's state at the end
 *     ns      as in the last SEGM
 *     reason  string: why the run ended
 *     seal    bin 8
 *     status  number: exit status
 *     tick    as in the last SEGM
 *
 * IMAG (optional): an embedded image, map { pieceBytes, sha256, sizeBytes }. SNAP (optional): a snapshot of the
 * machine, map { ns, pieceBytes, sha256, sizeBytes, tick }; its bytes are one MessagePack value of plain data. Either is
 * followed at once by ceil(sizeBytes / pieceBytes) chunks DATA (optional), whose raw payloads, one after the other, are
 * the bytes; all but the last have pieceBytes. sha256 is over the bytes.
 *
 * INDX (optional, last, codec 0): array [ types of all chunks before it as one string, column of their offsets in the
 * file, column of the ticks covered after each ], then 4 bytes: size of the whole chunk, head included, then 4 bytes
 * "XDNI". So the end of a file leads to all chunks; scanning the file gives the same list.
 *
 * IDENTITY of a trace: sha256 of the MessagePack array [ 1, HEAD without the paths of images, SEGM, END without its
 * seal or nil ], where SEGM is a `bin` with the payload of one segment that holds the whole run, with 8 zero bytes for a
 * seal and all columns plain. It depends neither on the compressor nor on how the recorder flushed, and not on
 * embedded images, snapshots or optional chunks.
 *
 * LIMITS. Every count and length is bounded by CHUNK_KINDS, LIMITS and SEGMENT_TARGET below; beyond them a trace is
 * refused, before memory is allocated for it.
 */
export const MAGIC = Uint8Array.of(0x89, 0x52, 0x38, 0x36, 0x0d, 0x0a, 0x1a, 0x0a);
export const FORMAT_VERSION = 1;
export const PREAMBLE_BYTES = 12;
export const CHUNK_HEAD_BYTES = 22;
export const SEAL_BYTES = 8;

export const FLAG_REQUIRED = 1;
export const CODEC_STORED = 0;
export const CODEC_DEFLATE = 1;

const KIB = 1024;
const MIB = 1024 * KIB;

/** Pieces of embedded images and snapshots. */
export const PIECE_BYTES = 4 * MIB;

export interface ChunkKind {
  readonly required: boolean;
  /** Neither the stored nor the raw payload may be longer. */
  readonly limitBytes: number;
}

/** The chunk types this version knows. */
export const CHUNK_KINDS = {
  HEAD: { required: true, limitBytes: MIB },
  SEGM: { required: true, limitBytes: 64 * MIB },
  'END ': { required: true, limitBytes: 4 * KIB },
  IMAG: { required: false, limitBytes: 4 * KIB },
  SNAP: { required: false, limitBytes: 4 * KIB },
  DATA: { required: false, limitBytes: PIECE_BYTES },
  INDX: { required: false, limitBytes: 32 * MIB },
} as const satisfies Record<string, ChunkKind>;
export type ChunkType = keyof typeof CHUNK_KINDS;

/** What a reader accepts and a writer writes: bounds on memory, whatever a file claims. */
export const LIMITS = {
  chunks: 2 ** 20,
  interrupts: 2 ** 24,
  inputs: 2 ** 21,
  digests: 2 ** 21,
  /** Payloads of all inputs together. */
  inputBytes: 2 ** 28,
  /** Payload of one input. */
  payloadBytes: MIB,
  devicesPerSegment: 256,
  deviceNameLength: 64,
  /** Roles, reasons, versions. */
  wordLength: 128,
  pathLength: 4096,
  images: 64,
  imageBytes: 2 ** 41,
  snapshotBytes: 2 ** 30,
  /** Nesting of plain data. */
  depth: 32,
} as const;

/** What one SEGM chunk should hold at most: from here on a writer asks for a flush. A SEGM with more than twice as much is refused. */
export const SEGMENT_TARGET = {
  interrupts: 2 ** 20,
  inputs: 2 ** 18,
  digests: 2 ** 18,
  inputBytes: 8 * MIB,
} as const;
