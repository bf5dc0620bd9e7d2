/**
 * Contents for memory and vector registers, made once and copied many times: drawing each byte of each case would cost
 * more than executing it. A pool is a long run of slots of 16 bytes; a case takes a stretch from anywhere.
 */
import { Random } from './random.js';
import { FLOAT32, FLOAT64, FLOAT80, interesting32, interestingBcd, interestingFloat } from './values.js';

/** What the slots hold. */
export type PoolKind = 'integers' | 'singles' | 'doubles' | 'extendeds';

const SLOT_BYTES = 16;
const SLOTS = 2048;
const SEED = 0x706f_6f6c;

function writeSlot(random: Random, view: DataView, at: number, kind: PoolKind): void {
  if (kind === 'integers') for (let i = 0; i < SLOT_BYTES; i += 4) view.setUint32(at + i, interesting32(random), true);
  else if (kind === 'singles') {
    for (let i = 0; i < SLOT_BYTES; i += 4) view.setUint32(at + i, Number(interestingFloat(random, FLOAT32)), true);
  } else if (kind === 'doubles') {
    for (let i = 0; i < SLOT_BYTES; i += 8) view.setBigUint64(at + i, interestingFloat(random, FLOAT64), true);
  } else {
    const value = random.chance(15) ? interestingBcd(random) : interestingFloat(random, FLOAT80);
    view.setBigUint64(at, value & 0xffff_ffff_ffff_ffffn, true);
    view.setUint16(at + 8, Number(value >> 64n), true);
  }
}

function createPool(kind: PoolKind): Uint32Array {
  const random = new Random(SEED + kind.length);
  const words = new Uint32Array((SLOTS * SLOT_BYTES) / 4);
  const view = new DataView(words.buffer);
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = slot * SLOT_BYTES;
    // Neighbours are equal now and then.
    if (slot > 0 && random.chance(10)) words.copyWithin(at / 4, at / 4 - 4, at / 4);
    else writeSlot(random, view, at, kind);
  }
  return words;
}

const pools = new Map<PoolKind, Uint32Array>();

function poolOf(kind: PoolKind): Uint32Array {
  let pool = pools.get(kind);
  if (pool === undefined) {
    pool = createPool(kind);
    pools.set(kind, pool);
  }
  return pool;
}

/** Copies `count` words, a multiple of 4, from somewhere in the pool. */
export function copyFromPool(random: Random, kind: PoolKind, into: Uint32Array, at: number, count: number): void {
  const pool = poolOf(kind);
  const from = random.below((pool.length - count) / 4 + 1) * 4;
  into.set(pool.subarray(from, from + count), at);
}
