/**
 * What gdb lets its target do with a lot of memory, instead of reading it: look for bytes (`find`, packet `qSearch:memory`)
 * and add up a checksum (`compare-sections`, packet `qCRC`). GDB manual, appendix E.4 "General Query Packets".
 */
import type { Machine } from '../../engine/index.js';
import { PAGE_BYTES } from '../timeline/page-store.js';
import { Turn } from '../timeline/turn.js';
import { PacketError } from './hex.js';

type LinearMemory = Pick<Machine, 'peekLinear'>;

interface LinearRange {
  readonly address: number;
  readonly bytes: number;
}

/** Addresses are linear. */
const END_ADDRESS = 0x1_0000_0000;
/** Read at a time. */
const CHUNK_BYTES = 2 ** 20;
const NOTHING = Buffer.alloc(0);

/**
 * The first place of a range where all of a pattern stands, within the range. What is not present is passed over, and no
 * pattern reaches across it.
 * @throws PacketError when it was interrupted
 */
export async function findBytes(
  memory: LinearMemory,
  { address, bytes }: LinearRange,
  pattern: Uint8Array,
  signal: AbortSignal,
): Promise<number | undefined> {
  const endAddress = Math.min(address + bytes, END_ADDRESS);
  const turn = new Turn(signal);
  /** What stands right before `at`, as far as a pattern can begin in it. */
  let tail = NOTHING;
  for (let at = address; at < endAddress; ) {
    if (turn.isDue && (await turn.pass())) throw new PacketError('interrupted');
    // Most pages are not present: a byte of them is enough to ask for.
    if (memory.peekLinear(at, 1).length === 0) {
      at += PAGE_BYTES - (at % PAGE_BYTES);
      tail = NOTHING;
      continue;
    }
    const found = memory.peekLinear(at, Math.min(CHUNK_BYTES, endAddress - at));
    const joined = Buffer.concat([tail, found]);
    const index = joined.indexOf(pattern);
    if (index >= 0) return at - tail.length + index;
    at += found.length;
    tail = joined.subarray(Math.max(0, joined.length - pattern.length + 1));
  }
  return undefined;
}

const POLYNOMIAL = 0x04c1_1db7;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
  return crc;
});

/**
 * CRC-32 as gdb counts it: bits from the top, all ones to begin with, nothing at the end.
 * @throws PacketError where some of it is not present, or when it was interrupted
 */
export async function crcOf(memory: LinearMemory, { address, bytes }: LinearRange, signal: AbortSignal): Promise<number> {
  const turn = new Turn(signal);
  let crc = 0xffff_ffff;
  for (let done = 0; done < bytes; ) {
    if (turn.isDue && (await turn.pass())) throw new PacketError('interrupted');
    const wanted = Math.min(CHUNK_BYTES, bytes - done);
    const found = memory.peekLinear((address + done) % END_ADDRESS, wanted);
    if (found.length < wanted) throw new PacketError('no memory is present there');
    for (const byte of found) crc = (crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ byte] as number);
    done += wanted;
  }
  return crc >>> 0;
}
