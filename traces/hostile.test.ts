/**
 * Traces that were made to do harm, or by something else: each is refused with one line, and with bounded memory.
 */

import { deflateRawSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeIndex } from './chunk-index.js';
import { encodePreamble, frameChunk } from './chunks.js';
import { encodePlainColumn } from './columns.js';
import { CHUNK_KINDS, CODEC_DEFLATE, CODEC_STORED } from './format.js';
import { type ByteSource, bytesSource, type Codec, nodeCodec, readTrace, readTraceSummary, type Trace, TraceError } from './index.js';

const HEADER = { engineVersion: '1', nsPerTick: 2, seed: 0, machine: {}, images: [] as unknown[] };
const bin = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const NONE = bin();

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const stored = (type: string, payload: Uint8Array, required = true): Uint8Array =>
  frameChunk({ type, required, codec: CODEC_STORED, rawBytes: payload.length }, payload);
const record = (type: string, value: unknown): Uint8Array => stored(type, encode(value, { sortKeys: true, useBigInt64: true }));
const withHeader = (header: unknown, ...chunks: Uint8Array[]): Uint8Array => join(encodePreamble(), record('HEAD', header), ...chunks);
const trace = (...chunks: Uint8Array[]): Uint8Array => withHeader(HEADER, ...chunks);

const read = (bytes: Uint8Array, codec: Codec = nodeCodec): Trace => readTrace(bytesSource(bytes, 'x.trace'), codec);

function problemOf(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    expect(error.message).toMatch(/^x\.trace\b[\x20-\x7e]*$/);
    return error.problem;
  }
  throw new Error('the trace was accepted');
}

/** The seal behind the header of `trace`. */
const SEAL = nodeCodec.sha256([new Uint8Array(8), encode(HEADER, { sortKeys: true })]).slice(0, 8);

type SegmentFields = [
  seal: Uint8Array,
  tick: unknown,
  ns: unknown,
  interrupts: unknown,
  interruptTicks: unknown,
  vectors: unknown,
  inputs: unknown,
  inputTicks: unknown,
  skips: unknown,
  devices: unknown,
  deviceIndices: unknown,
  lengths: unknown,
  payloads: unknown,
  digests: unknown,
  digestTicks: unknown,
  values: unknown,
];
function segment(change: (fields: SegmentFields) => void = () => {}): Uint8Array {
  const column = (...values: number[]) => encodePlainColumn(values);
  const fields: SegmentFields = [
    SEAL,
    100,
    250,
    2,
    column(10, 20),
    column(32, 33),
    2,
    column(5, 5),
    column(0, 50),
    ['a', 'b'],
    column(0, 1),
    column(1, 2),
    bin(1, 2, 3),
    1,
    column(100),
    new Uint8Array(8),
  ];
  change(fields);
  return record('SEGM', fields);
}

describe('what is not a trace', () => {
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['nothing', NONE, /^not a trace: it is empty$/],
    ['a few bytes', bin(0x89, 0x52), /^not a trace: only 2 bytes long$/],
    ['text', new Uint8Array(Buffer.from('# a README, not a trace')), /^not a trace: it does not start with/],
    [
      'a trace that went through a text-mode transfer',
      new Uint8Array(Buffer.from(Buffer.from(trace()).toString('latin1').replaceAll('\r\n', '\n'), 'latin1')),
      /^not a trace/,
    ],
    ['the signature alone', encodePreamble(), /stopped before it wrote the header/],
  ];
  for (const [what, bytes, problem] of cases) it(what, () => expect(problemOf(bytes)).toMatch(problem));

  it('a newer format', () => {
    const bytes = trace();
    bytes[8] = 2;
    expect(problemOf(bytes)).toBe('trace format 2 is unknown to this version, which reads format 1; use a newer replay86');
  });
});

describe('chunks', () => {
  it('are read when they are as specified', () => {
    const { inputs, interrupts, digests, coveredTo } = read(trace(segment()));
    expect(interrupts).toEqual({ ticks: Float64Array.of(10, 20), vectors: bin(32, 33) });
    expect(inputs).toEqual([
      { tick: 5, ns: 10, device: 'a', payload: bin(1) },
      { tick: 5, ns: 60, device: 'b', payload: bin(2, 3) },
    ]);
    expect(digests).toEqual({ ticks: Float64Array.of(100), values: BigUint64Array.of(0n) });
    expect(coveredTo).toEqual({ tick: 100, ns: 250 });
  });

  it('of unknown optional types are skipped, whatever their compression', () => {
    const unknown = frameChunk({ type: 'zzzz', required: false, codec: 9, rawBytes: 0xffff_ffff }, bin(1, 2, 3));
    const result = read(trace(unknown, segment(), unknown));
    expect(result.chunks.map(({ type }) => type)).toEqual(['HEAD', 'zzzz', 'SEGM', 'zzzz']);
    expect(result.coveredTo.tick).toBe(100);
  });

  it('of unknown optional types are still checked for damage', () => {
    const bytes = trace(stored('zzzz', new Uint8Array(100_000), false), segment());
    bytes[bytes.length - segment().length - 1] ^= 1;
    expect(problemOf(bytes)).toMatch(/^damaged/);
  });

  it('of unknown required types are refused by name', () => {
    expect(problemOf(trace(stored('vCPU', bin(1))))).toBe(
      'chunk vCPU is needed to understand this trace, and unknown to this version; use a newer replay86',
    );
  });

  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['control characters in a type', trace(stored('\x1b[2J', bin(1), false)), /^a chunk type that is not text$/],
    ['names of object members as types', trace(stored('cons', bin(1))), /^chunk cons is needed/],
    [
      'unknown compression',
      trace(frameChunk({ type: 'SEGM', required: true, codec: 2, rawBytes: 5 }, bin(1))),
      /^compression 2 is unknown/,
    ],
    [
      'stored and raw length that differ',
      trace(frameChunk({ type: 'SEGM', required: true, codec: 0, rawBytes: 5 }, bin(1))),
      /^stored as is, yet 1/,
    ],
    [
      'garbage for deflate',
      trace(frameChunk({ type: 'SEGM', required: true, codec: 1, rawBytes: 5 }, bin(0xff, 0xff, 0xff))),
      /^does not decompress/,
    ],
    [
      'bytes behind the deflate stream',
      trace(frameChunk({ type: 'SEGM', required: true, codec: 1, rawBytes: 1 }, join(new Uint8Array(deflateRawSync(bin(1))), bin(0)))),
      /^does not decompress/,
    ],
    [
      'less data than claimed',
      trace(frameChunk({ type: 'SEGM', required: true, codec: 1, rawBytes: 9 }, new Uint8Array(deflateRawSync(bin(1))))),
      /^decompresses to 1 bytes instead of the 9/,
    ],
    ['an empty payload', trace(stored('SEGM', NONE)), /^a record that ends too early$/],
    [
      'an empty payload, compressed',
      trace(frameChunk({ type: 'SEGM', required: true, codec: 1, rawBytes: 0 }, new Uint8Array(deflateRawSync(NONE)))),
      /^a record that ends too early$/,
    ],
    ['data that belongs to nothing', trace(stored('DATA', bin(1), false)), /belongs to nothing/],
    [
      'a piece of another length',
      trace(record('IMAG', { sha256: '0'.repeat(64), sizeBytes: 10, pieceBytes: 10 }), stored('DATA', bin(1))),
      /^a piece of 1 bytes instead of 10$/,
    ],
    [
      'pieces that are missing',
      trace(record('IMAG', { sha256: '0'.repeat(64), sizeBytes: 10, pieceBytes: 10 }), segment()),
      /^pieces of embedded data are missing/,
    ],
    ['pieces of nothing', trace(record('IMAG', { sha256: '0'.repeat(64), sizeBytes: 10, pieceBytes: 0 })), /^field pieceBytes/],
    [
      'a snapshot from the future',
      trace(record('SNAP', { tick: 1, ns: 2, sha256: '0'.repeat(64), sizeBytes: 10, pieceBytes: 10 })),
      /^a snapshot at tick 1/,
    ],
    [
      'an end that is not where the segments end',
      trace(segment(), record('END ', { reason: 'x', status: 0, tick: 1, ns: 2, digest: 0n, seal: new Uint8Array(8) })),
      /does not follow/,
    ],
    [
      'an end at another tick',
      trace(record('END ', { reason: 'x', status: 0, tick: 1, ns: 2, digest: 0n, seal: SEAL })),
      /^ends at tick 1/,
    ],
    [
      'a segment after the end',
      trace(record('END ', { reason: 'x', status: 0, tick: 0, ns: 0, digest: 0n, seal: SEAL }), segment()),
      /^stands after the end/,
    ],
    ['an index before the end', trace(stored('INDX', bin(1))), /^an index before the end/],
  ];
  for (const [what, bytes, problem] of cases) it(`with ${what}`, () => expect(problemOf(bytes)).toMatch(problem));
});

describe('memory', () => {
  /** A source that fails the test when somebody wants much of it at once. */
  function sparing(bytes: Uint8Array, sizeBytes: number, limitBytes: number): ByteSource {
    const whole = bytesSource(bytes, 'x.trace');
    return {
      fileName: 'x.trace',
      sizeBytes,
      read(offsetBytes, into) {
        if (into.length > limitBytes) throw new Error(`somebody allocated ${into.length} bytes`);
        if (offsetBytes + into.length <= bytes.length) whole.read(offsetBytes, into);
      },
    };
  }

  it('is not allocated for chunks that claim gigabytes', () => {
    for (const type of Object.keys(CHUNK_KINDS)) {
      for (const [codec, storedBytes, rawBytes] of [
        [CODEC_STORED, 0xffff_fff0, 0xffff_fff0],
        [CODEC_DEFLATE, 100, 0xffff_fff0],
        [CODEC_DEFLATE, 0xffff_fff0, 100],
      ]) {
        const bytes = trace(frameChunk({ type, required: false, codec, rawBytes }, NONE));
        const head = new DataView(bytes.buffer, bytes.length - 22);
        head.setUint32(6, storedBytes, true);
        head.setUint32(14, crcOf(bytes.subarray(bytes.length - 22, bytes.length - 8)), true);
        expect(() => readTrace(sparing(bytes, 2 ** 33, 1000), nodeCodec)).toThrow(/claims 4294967280 bytes; the limit is \d+$/);
      }
    }
  });

  it('is not allocated for unknown chunks of gigabytes either', () => {
    const bytes = trace(stored('zzzz', NONE, false));
    const head = new DataView(bytes.buffer, bytes.length - 22);
    head.setUint32(6, 2 ** 26, true);
    head.setUint32(14, crcOf(bytes.subarray(bytes.length - 22, bytes.length - 8)), true);
    expect(() => readTrace(sparing(bytes, 2 ** 27, 65_536), nodeCodec)).toThrow(TraceError);
  });

  it('is bounded by what a chunk claims when it decompresses to more', () => {
    const bomb = new Uint8Array(deflateRawSync(new Uint8Array(100 << 20), { level: 1 }));
    const bytes = trace(frameChunk({ type: 'SEGM', required: true, codec: CODEC_DEFLATE, rawBytes: 1000 }, bomb));
    const limits: number[] = [];
    const watching: Codec = {
      ...nodeCodec,
      inflate: (input, limitBytes) => (limits.push(limitBytes), nodeCodec.inflate(input, limitBytes)),
    };
    expect(() => read(bytes, watching)).toThrow(/does not decompress to the 1000 bytes it claims$/);
    expect(limits).toEqual([1000]);
  });

  it('is not allocated for records that claim more elements than they have', () => {
    const arrays = new Uint8Array(5 * 100_000);
    for (let at = 0; at < arrays.length; at += 5) arrays.set([0xdd, 0x00, 0x01, 0x00, 0x00], at);
    expect(problemOf(join(encodePreamble(), stored('HEAD', arrays)))).toMatch(/^data nested deeper than/);
    for (const head of [[0xdd], [0xdf], [0xc6], [0xdb]]) {
      expect(problemOf(join(encodePreamble(), stored('HEAD', bin(...head, 0xff, 0xff, 0xff, 0xff, 1))))).toBe(
        'a record that ends too early',
      );
    }
  });

  it('is not allocated for columns that claim more values than they have', () => {
    expect(
      problemOf(
        trace(
          segment((fields) => {
            fields[3] = 2 ** 20;
          }),
        ),
      ),
    ).toMatch(/^ticks of interrupts: a column shorter than its count$/);
    expect(
      problemOf(
        trace(
          segment((fields) => {
            fields[3] = 2 ** 40;
          }),
        ),
      ),
    ).toMatch(/^field "?3"?: /);
  });
});

describe('what is written twice must agree', () => {
  const END = record('END ', { reason: 'x', status: 0, tick: 0, ns: 0, digest: 0n, seal: SEAL });
  const headBytes = trace().length - 12;
  const entries = [
    { type: 'HEAD', offsetBytes: 12, coveredTick: 0 },
    { type: 'END ', offsetBytes: 12 + headBytes, coveredTick: 0 },
  ];
  const indexed = (list: typeof entries): Uint8Array => trace(END, stored('INDX', encodeIndex(list), false));

  it('the index and the chunks', () => {
    expect(read(indexed(entries)).complete).toBe(true);
    const [head, end] = entries;
    for (const wrong of [
      [],
      [head],
      [head, end, end],
      [end, head],
      [head, { ...end, type: 'SEGM' }],
      [head, { ...end, offsetBytes: 13 }],
      [head, { ...end, coveredTick: 1 }],
    ]) {
      expect(problemOf(indexed(wrong))).toBe('the index does not agree with the chunks');
    }
  });

  it('the index and the chunks, in a summary', () => {
    const summary = (list: typeof entries) => readTraceSummary(bytesSource(indexed(list), 'x.trace'), nodeCodec);
    expect(summary(entries).end?.reason).toBe('x');
    const [head, end] = entries;
    for (const wrong of [
      [],
      [head],
      [head, { ...end, offsetBytes: 12 }],
      [head, { ...end, offsetBytes: 2 ** 40 }],
      [{ ...head, offsetBytes: 0 }, end],
    ]) {
      expect(() => summary(wrong)).toThrow(TraceError);
    }
  });

  it('embedded data and its sha256', () => {
    const shape = { sha256: '0'.repeat(64), sizeBytes: 3, pieceBytes: 3 };
    const piece = stored('DATA', bin(1, 2, 3), false);
    const { images, snapshots } = read(trace(record('IMAG', shape), piece, record('SNAP', { ...shape, tick: 0, ns: 0 }), piece));
    expect(() => images.get(shape.sha256)?.verify()).toThrow(/^x\.trace: embedded data has sha256 [0-9a-f]{64} instead of 0{64}$/);
    expect(() => snapshots[0].read()).toThrow(/^x\.trace, byte \d+, chunk SNAP: embedded data has sha256/);
  });
});

describe('headers', () => {
  const image = { role: 'kernel', sha256: '0'.repeat(64), sizeBytes: 1, path: '/x' };
  it('are read when they are as specified', () => {
    expect(read(withHeader({ ...HEADER, images: [image] })).header.images).toEqual([image]);
  });

  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['another type', [1, 2], /^field engineVersion: /],
    ['a missing field', { ...HEADER, seed: undefined }, /^field seed: /],
    ['an unknown field', { ...HEADER, colour: 1 }, /^field colour: /],
    ['no time', { ...HEADER, nsPerTick: 0 }, /^field nsPerTick: /],
    ['a machine that is a list', { ...HEADER, machine: [] }, /^field machine: must be a map of plain data$/],
    ['a date', { ...HEADER, machine: { when: new Date(0) } }, /^not a record/],
    ['a prototype', { ...HEADER, machine: JSON.parse('{"__proto__": {"x": 1}}') }, /__proto__ is not allowed/],
    ['NaN', { ...HEADER, machine: { x: Number.NaN } }, /^NaN is not plain data$/],
    ['many images', { ...HEADER, images: Array.from({ length: 65 }, () => image) }, /^field images: /],
    ['a path with a NUL', { ...HEADER, images: [{ ...image, path: '/x\0.txt' }] }, /^field images\.0\.path: /],
    ['a long path', { ...HEADER, images: [{ ...image, path: 'x'.repeat(5000) }] }, /^field images\.0\.path: /],
    ['a digest that is a path', { ...HEADER, images: [{ ...image, sha256: '../../../etc/passwd' }] }, /^field images\.0\.sha256: /],
    ['terminal control in a name', { ...HEADER, '\x1b]0;owned\x07\n': 1 }, /^field "\\u\{1b\}\]0;owned\\u\{7\}\\u\{a\}": Invalid key: /],
    ['an endless name', { ...HEADER, ['x'.repeat(10_000)]: 1 }, /^field x{200}\.\.\./],
  ];
  for (const [what, header, problem] of cases) it(`with ${what} are refused`, () => expect(problemOf(withHeader(header))).toMatch(problem));
});

describe('segments', () => {
  const column = (...values: number[]) => encodePlainColumn(values);
  const cases: readonly (readonly [string, (fields: SegmentFields) => void, RegExp])[] = [
    [
      'the seal of another trace',
      (f) => {
        f[0] = new Uint8Array(8);
      },
      /^does not follow what is before it/,
    ],
    [
      'a short seal',
      (f) => {
        f[0] = new Uint8Array(7);
      },
      /^field "?0"?: a seal has 8 bytes$/,
    ],
    [
      'time that stands while ticks pass',
      (f) => {
        f[2] = 100;
      },
      /^time runs backwards/,
    ],
    [
      'a fraction of a tick',
      (f) => {
        f[1] = 100.5;
      },
      /^field "?1"?: /,
    ],
    [
      'a tick of 2^53',
      (f) => {
        f[1] = 2 ** 53;
      },
      /^field "?1"?: /,
    ],
    [
      'an interrupt behind the end',
      (f) => {
        f[4] = column(10, 101);
      },
      /^ticks of interrupts: value 101 is outside 0\.\.100$/,
    ],
    [
      'interrupts out of order',
      (f) => {
        f[4] = column(20, 10);
      },
      /^ticks of interrupts: 20 is followed by 10$/,
    ],
    [
      'a vector of 256',
      (f) => {
        f[5] = column(32, 256);
      },
      /^vectors of interrupts: value 256/,
    ],
    [
      'one vector too many',
      (f) => {
        f[5] = column(32, 33, 34);
      },
      /^vectors of interrupts: a column longer than its count$/,
    ],
    [
      'inputs out of order',
      (f) => {
        f[8] = column(50, 0);
      },
      /^times of inputs: 50 is followed by 0$/,
    ],
    [
      'an input after the end of its time',
      (f) => {
        f[8] = column(0, 51);
      },
      /^times of inputs: value 51 is outside 0\.\.50$/,
    ],
    [
      'a device that has no name',
      (f) => {
        f[10] = column(0, 2);
      },
      /^devices of inputs: value 2/,
    ],
    [
      'more devices than inputs',
      (f) => {
        f[9] = ['a', 'b', 'c'];
      },
      /^more devices than inputs$/,
    ],
    [
      'an empty name',
      (f) => {
        f[9] = ['a', ''];
      },
      /^field "?9\.1"?: /,
    ],
    [
      'payloads that are too short',
      (f) => {
        f[12] = bin(1, 2);
      },
      /shorter than their lengths$/,
    ],
    [
      'payloads that are too long',
      (f) => {
        f[12] = bin(1, 2, 3, 4);
      },
      /longer than their lengths$/,
    ],
    [
      'half a digest',
      (f) => {
        f[15] = new Uint8Array(4);
      },
      /^values of digests: not 8 bytes each$/,
    ],
    [
      'values in an empty column',
      (f) => {
        f[3] = 0;
      },
      /bytes in a column of no values$/,
    ],
    [
      'an unknown column mode',
      (f) => {
        f[5] = bin(4, 1, 1);
      },
      /column mode 4 is unknown to this version$/,
    ],
    [
      'a field too many',
      (f) => {
        (f as unknown[]).push(1);
      },
      /^field "?16"?: /,
    ],
  ];
  for (const [what, change, problem] of cases)
    it(`with ${what} are refused`, () => expect(problemOf(trace(segment(change)))).toMatch(problem));
});

it('records changed at random and checksummed again are read or refused, nothing else', () => {
  const header = encode({ ...HEADER, machine: { a: [1, 'x', 2n] } }, { sortKeys: true, useBigInt64: true });
  const run = segment().subarray(22);
  const change = fc.tuple(fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(fc.boolean(), fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(), (inHeader, changes, cut) => {
      const payload = (inHeader ? header : run).slice();
      for (const [at, value] of changes) payload[at % payload.length] = value;
      const part = payload.subarray(0, payload.length - (cut % 8 === 0 ? cut % payload.length : 0));
      const bytes = inHeader ? join(encodePreamble(), stored('HEAD', part)) : trace(stored('SEGM', part));
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
      }
    }),
    { seed: 8, numRuns: 1500 },
  );
});

/** Bit by bit, as a check of the tables too. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
