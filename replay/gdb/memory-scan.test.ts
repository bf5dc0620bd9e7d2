/** Searches against a search by hand, the checksum against its published check value; both as packets, and interrupted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TURN_MS } from '../timeline/turn.js';
import { crcOf, findBytes } from './memory-scan.js';
import { corpusTrace, packetOf, stubFor, TestClient } from './test-client.js';

const { signal } = new AbortController();
const PAGE = 4096;

/** Memory from address 0 on, some pages of which are not present. */
class SomeMemory {
  reads = 0;
  constructor(
    readonly bytes: Uint8Array,
    private readonly absent: ReadonlySet<number> = new Set(),
  ) {}

  isPresent(address: number): boolean {
    return address < this.bytes.length && !this.absent.has(Math.floor(address / PAGE));
  }

  peekLinear(address: number, bytes: number): Uint8Array {
    this.reads++;
    let end = address;
    while (end < address + bytes && this.isPresent(end)) end++;
    return this.bytes.slice(address, end);
  }
}

describe('findBytes', () => {
  it('finds what a search by hand finds', async () => {
    const pages = 4;
    const bytes = fc.uint8Array({ minLength: 40, maxLength: 40, max: 2 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(bytes, { minLength: pages, maxLength: pages }),
        fc.uniqueArray(fc.nat(pages - 1), { maxLength: 2 }),
        fc.integer({ min: -50, max: 20 }),
        fc.nat(pages * PAGE),
        fc.uint8Array({ minLength: 1, maxLength: 5, max: 2 }),
        async (ends, absent, before, length, pattern) => {
          const contents = new Uint8Array(pages * PAGE).fill(9);
          // Where pages meet.
          ends.forEach((end, page) => {
            contents.set(end.slice(0, 20), page * PAGE);
            contents.set(end.slice(20), (page + 1) * PAGE - 20);
          });
          const memory = new SomeMemory(contents, new Set(absent));
          const address = PAGE + before;
          const isAt = (at: number): boolean =>
            pattern.every((byte, index) => memory.isPresent(at + index) && contents[at + index] === byte);
          let expected: number | undefined;
          for (let at = address; at + pattern.length <= address + length && expected === undefined; at++) if (isAt(at)) expected = at;
          expect(await findBytes(memory, { address, bytes: length }, pattern, signal)).toBe(expected);
        },
      ),
      { seed: 20261123, numRuns: 300 },
    );
  });

  it('reads on where a chunk ends within the pattern', async () => {
    const contents = new Uint8Array(2 ** 20 + PAGE);
    contents.set([1, 2, 3, 4], 2 ** 20 - 2);
    const memory = new SomeMemory(contents);
    expect(await findBytes(memory, { address: 0, bytes: contents.length }, Uint8Array.of(1, 2, 3, 4), signal)).toBe(2 ** 20 - 2);
    expect(await findBytes(memory, { address: 0, bytes: 2 ** 20 + 1 }, Uint8Array.of(1, 2, 3, 4), signal)).toBeUndefined();
    expect(memory.reads).toBe(8);
  });

  it('ends where linear memory ends', async () => {
    const all = { peekLinear: (_address: number, bytes: number) => new Uint8Array(bytes) };
    const range = { address: 0xffff_fff0, bytes: 0x1_0000_0000 };
    expect(await findBytes(all, range, new Uint8Array(16), signal)).toBe(0xffff_fff0);
    expect(await findBytes(all, range, new Uint8Array(17), signal)).toBeUndefined();
  });
});

describe('crcOf', () => {
  it('has the check value of CRC-32/MPEG-2, which is the same', async () => {
    const memory = new SomeMemory(new TextEncoder().encode('123456789'));
    expect(await crcOf(memory, { address: 0, bytes: 9 }, signal)).toBe(0x0376_e6e7);
    expect(await crcOf(memory, { address: 0, bytes: 0 }, signal)).toBe(0xffff_ffff);
  });

  it('needs all of it', async () => {
    const memory = new SomeMemory(new Uint8Array(3 * PAGE), new Set([1]));
    await expect(crcOf(memory, { address: 0, bytes: PAGE + 1 }, signal)).rejects.toThrow('no memory is present there');
    expect(await crcOf(memory, { address: 2 * PAGE, bytes: PAGE }, signal)).toBe(await crcOf(memory, { address: 0, bytes: PAGE }, signal));
  });
});

describe('as packets', () => {
  const client = new TestClient(stubFor(corpusTrace('timer')));
  const { machine } = client.stub.session;

  it('qSearch:memory', async () => {
    // CLI; CLD; LGDT: where the guest begins.
    const start = '\xfa\xfc\x0f\x01';
    expect(await client.ask(`qSearch:memory:0;100000000;${start}`)).toBe('1,100020');
    expect(await client.ask(`qSearch:memory:100020;4;${start}`)).toBe('1,100020');
    expect(await client.ask(`qSearch:memory:100020;3;${start}`)).toBe('0');
    expect(await client.ask(`qSearch:memory:100021;1000;${start}`)).toBe('0');
    expect(await client.ask('qSearch:memory:100000;10000000;no such text')).toBe('0');
    const marked = machine.peekLinear(0x10_0000, 0x1000).indexOf(0x24);
    // "$" has to be escaped; a semicolon is a byte of the pattern.
    expect(await client.ask('qSearch:memory:100000;1000;}\x04')).toBe(marked < 0 ? '0' : `1,${(0x10_0000 + marked).toString(16)}`);
    expect(await client.ask('qSearch:memory:100000;1000;;;;;')).toBe('0');
    for (const packet of ['', ':memory', ':memory:0;10', ':memory:0;10;', ':memory:zz;10;a', ':memory:0;100000001;a', ':flash:0;10;a'])
      expect(await client.ask(`qSearch${packet}`)).toBe('E01');
  });

  it('qCRC', async () => {
    const expected = await crcOf(new SomeMemory(machine.peekLinear(0x10_0020, 100)), { address: 0, bytes: 100 }, signal);
    expect(await client.ask('qCRC:100020,64')).toBe(`C${expected.toString(16)}`);
    for (const packet of ['', ':', ':100020', ':f0000000,10', ':3fffff0,11', ':0,80000000'])
      expect(await client.ask(`qCRC${packet}`)).toBe('E01');
  });

  it.each(['qSearch:memory:0;100000000;no such text', 'qCRC:100000,3f00000'])('%s can be interrupted', async (packet) => {
    const peekLinear = machine.peekLinear.bind(machine);
    let reads = 0;
    machine.peekLinear = (...range) => {
      reads++;
      if (reads !== 4) return peekLinear(...range);
      client.connection.received(Uint8Array.of(3));
      // Long enough for the host to get a turn.
      const startMs = performance.now();
      while (performance.now() - startMs <= TURN_MS);
      return peekLinear(...range);
    };
    try {
      expect(await client.ask(packet)).toBe('E01');
      expect(reads).toBe(4);
    } finally {
      machine.peekLinear = peekLinear;
    }
    expect(await client.ask('qC')).toBe('QC1');
  });

  it('nobody waits any more when the next packet comes', async () => {
    client.connection.received(packetOf('qSearch:memory:0;100000000;no such text'));
    client.wire = '';
    expect(await client.askAll('qC')).toEqual(['QC1']);
  });
});
