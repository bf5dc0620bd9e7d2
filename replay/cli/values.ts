/**
 * Values of options as people write them. Each throws what commander turns into one line.
 */
import { InvalidArgumentError } from 'commander';
import type { Tier } from '../../engine/index.js';

const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const MEMORY_BYTES_MIN = 2 ** 20;
const MEMORY_BYTES_MAX = 3 * 2 ** 30;
const PAGE_BYTES = 4096;
const PORT_MAX = 65535;
const WORD_MAX = 2 ** 32 - 1;
const TIERS: readonly Tier[] = ['auto', 'interpreter', 'step'];

export function parseMemory(text: string): number {
  const match = /^(\d{1,12})([KMG]?)i?B?$/i.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * (UNIT_BYTES[(match[2] as string).toUpperCase()] as number);
  if (!(bytes >= MEMORY_BYTES_MIN && bytes <= MEMORY_BYTES_MAX) || bytes % PAGE_BYTES !== 0) {
    throw new InvalidArgumentError('Give a size from 1M to 3G, such as 64M.');
  }
  return bytes;
}

export function parseTick(text: string): number {
  return parseNatural(text, Number.MAX_SAFE_INTEGER, 'Give a number of ticks.');
}

export function parseSeed(text: string): number {
  return parseNatural(text, WORD_MAX, 'Give a number from 0 to 4294967295.');
}

export function parseNumber(text: string): number {
  return parseNatural(text, WORD_MAX, 'Give a number.');
}

export function parsePositive(text: string): number {
  const value = parseNatural(text, WORD_MAX, 'Give a positive number.');
  if (value === 0) throw new InvalidArgumentError('Give a positive number.');
  return value;
}

export function parsePort(text: string): number {
  return parseNatural(text, PORT_MAX, 'Give a port from 0 to 65535.');
}

export function parseTier(text: string): Tier {
  const tier = TIERS.find((candidate) => candidate === text);
  if (tier === undefined) throw new InvalidArgumentError(`Give one of ${TIERS.join(', ')}.`);
  return tier;
}

export function parseTiers(text: string): Tier[] {
  return text === 'all' ? [...TIERS] : text.split(',').map(parseTier);
}

export function parseCodeBits(text: string): 16 | 32 | 64 {
  const bits = ([16, 32, 64] as const).find((candidate) => String(candidate) === text);
  if (bits === undefined) throw new InvalidArgumentError('Give 16, 32 or 64.');
  return bits;
}

/** Its source: it is compiled again in each thread. */
export function parseRegularExpression(text: string): string {
  try {
    return new RegExp(text).source;
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** Underscores and commas between digits are for the eye. */
function parseNatural(text: string, max: number, message: string): number {
  const value = /^\d[\d_,]*$/.test(text) ? Number(text.replace(/[_,]/g, '')) : Number.NaN;
  if (!(value <= max)) throw new InvalidArgumentError(message);
  return value;
}
