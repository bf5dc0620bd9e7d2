/** The codec against the examples of the GDB manual, appendix E.1, and against itself read backwards. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePacket, escapeBinary, type Incoming, PACKET_BYTES, PacketReader, unescapeBinary } from './packet.js';
import { expandRuns } from './test-client.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const read = (text: string): string[] => new PacketReader().read(bytesOf(text)).map(shown);
const shown = (incoming: Incoming): string => (incoming.kind === 'packet' ? `packet ${textOf(incoming.payload)}` : incoming.kind);

describe('reading', () => {
  it.each([
    ['a packet', '$g#67', ['packet g']],
    ['an empty one', '$#00', ['packet ']],
    ['digits of either case', '$vCont?#49$m0,a#2a$\x7d#7D', ['packet vCont?', 'packet m0,a', 'packet }']],
    ['acknowledgements', '+-+', ['ack', 'nak', 'ack']],
    ['Ctrl-C between packets', '$g#67\x03', ['packet g', 'interrupt']],
    ['the byte of Ctrl-C as data', '$\x03#03', ['packet \x03']],
    ['a wrong checksum', '$g#68$g#67', ['damaged', 'packet g']],
    ['a checksum that is no number', '$g#zz$g#6-', ['damaged', 'damaged']],
    ['a packet that lost its end', '$m100,2$g#67', ['damaged', 'packet g']],
    ['noise', 'hello\0\r\n$g#67bye', ['packet g']],
  ])('%s', (_title, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('skips what is too long, and goes on behind it', () => {
    const longest = 'a'.repeat(PACKET_BYTES);
    expect(read(`$${longest}#00$g#67`)).toEqual([shown({ kind: 'packet', payload: bytesOf(longest) }), 'packet g']);
    expect(read(`$${longest}a#61$g#67`)).toEqual(['damaged', 'packet g']);
  });

  it('does not depend on how the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }).map((bytes) => encodePacket(escapeBinary(bytes))),
        fc.uint8Array({ maxLength: 20 }),
        (packet, noise) => {
          const stream = Uint8Array.from([...packet, ...noise, ...packet]);
          const whole = new PacketReader().read(stream).map(shown);
          const reader = new PacketReader();
          expect([...stream].flatMap((byte) => reader.read(Uint8Array.of(byte))).map(shown)).toEqual(whole);
        },
      ),
      { seed: 20261122, numRuns: 200 },
    );
  });
});

describe('writing', () => {
  it.each([
    ['OK', '$OK#9a'],
    ['', '$#00'],
    // The manual's example of a run.
    ['0000', '$0* #7a'],
    ['000', '$000#90'],
    // Six or seven more would be "#" and "$", fourteen or sixteen more "+" and "-".
    ['0'.repeat(7), '$0*"0#ac'],
    ['0'.repeat(8), '$0*"00#dc'],
    ['0'.repeat(15), '$0**0#b4'],
    ['0'.repeat(98), '$0*~#d8'],
  ])('%s', (data, packet) => {
    expect(textOf(encodePacket(bytesOf(data)))).toBe(packet);
  });

  it('can be read again, whatever it is', () => {
    const someRuns = fc.array(fc.tuple(fc.nat(255), fc.integer({ min: 1, max: 300 })), { maxLength: 8 });
    fc.assert(
      fc.property(someRuns, (runs) => {
        const bytes = Uint8Array.from(runs.flatMap(([byte, count]) => new Array<number>(count).fill(byte)));
        const [incoming] = new PacketReader().read(encodePacket(escapeBinary(bytes)));
        expect(incoming?.kind).toBe('packet');
        const { payload } = incoming as Extract<Incoming, { kind: 'packet' }>;
        expect(unescapeBinary(expandRuns(payload))).toEqual(bytes);
      }),
      { seed: 20261122, numRuns: 500 },
    );
  });

  it('takes a lone escape for nothing', () => {
    expect(unescapeBinary(bytesOf('a}'))).toEqual(bytesOf('a'));
  });
});
