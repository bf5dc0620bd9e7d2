/**
 * The layout of a case and of the memory shared with the helper of the host oracle, and the same as a C header: written
 * down once, in TypeScript.
 */
import { BACKGROUND_BYTE, USER_PAGES, USER_RECORD_BYTES, USER_WINDOWS } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES } from '../state/cpu-state.js';
import { END } from './oracle.js';

/** Why the host could not run a case (END.unsupported): found in `errorCodes`. */
export const HOST_REASON = {
  none: 0,
  /** The flags have what user code cannot have (IOPL, VM, IF clear, RF), or what it has not at this place. */
  flags: 1,
  /** Control registers, breakpoints, MXCSR or another part of the state that the host has otherwise. */
  state: 2,
  /** A segment that no descriptor table of a user process can hold. */
  segment: 3,
  /** The first instruction could not be reached: its address is outside the code segment. */
  entry: 4,
  /** The code loaded a selector, or failed to: the tables of the host are not those of the case. */
  selector: 5,
  /** The code called the host's operating system; it was not let in. */
  systemCall: 6,
  /** The helper died of it. */
  died: 7,
} as const;

export const HOST_REASON_TEXTS: Readonly<Record<number, string>> = {
  [HOST_REASON.flags]: 'flags that user code of the host cannot have',
  [HOST_REASON.state]: 'a state that a process of the host cannot be in',
  [HOST_REASON.segment]: 'a segment that a process of the host cannot have',
  [HOST_REASON.entry]: 'the first instruction lies outside of the code segment',
  [HOST_REASON.selector]: "a segment register loaded from the host's own tables",
  [HOST_REASON.systemCall]: 'a system call of the host',
  [HOST_REASON.died]: 'the helper process died of it',
};

/** Cases that go to the helper at once: few enough for them to stay in its cache. */
export const CAPACITY = 256;
const STRAY_CAPACITY = 4096;

const HEADER_BYTES = 64;
const RESULT_BYTES = 8;
const STRAY_BYTES = 12;
/** Byte offsets in the shared memory: what `struct shared` has. */
export const SHARED = {
  count: 0,
  bits: 4,
  exactSelectors: 8,
  loadedSegments: 12,
  strayCount: 16,
  current: 20,
  busy: 24,
  worker: 28,
  results: HEADER_BYTES,
  strays: HEADER_BYTES + CAPACITY * RESULT_BYTES,
  records: HEADER_BYTES + CAPACITY * RESULT_BYTES + STRAY_CAPACITY * STRAY_BYTES,
} as const;
export const SHARED_BYTES = SHARED.records + CAPACITY * USER_RECORD_BYTES;
/** What precedes the command: everything to `busy`, which is 1. */
export const REQUEST_BYTES = SHARED.busy + 4;
/** u8 end, u8 vector, u8 reason, u8 0, u32 error code. */
export const RESULT = { bytes: RESULT_BYTES, end: 0, vector: 1, reason: 2, errorCode: 4 } as const;
/** u32 case, address, value. */
export const STRAY = { bytes: STRAY_BYTES } as const;

const PAGE_BYTES = 4096;
/** The helper compares background in pieces of this size. */
const PIECE_BYTES = 64;

const upperSnake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** The parts of writable pages in no window. */
function backgroundRanges(): { address: number; bytes: number }[] {
  const ranges: { address: number; bytes: number }[] = [];
  for (const page of USER_PAGES) {
    if (!page.writable) continue;
    const end = page.address + PAGE_BYTES;
    let at = page.address;
    for (const window of [...USER_WINDOWS].sort((a, b) => a.address - b.address)) {
      const windowEnd = window.address + window.bytes;
      if (windowEnd <= at || window.address >= end) continue;
      if (window.address > at) ranges.push({ address: at, bytes: window.address - at });
      at = Math.min(windowEnd, end);
    }
    if (at < end) ranges.push({ address: at, bytes: end - at });
  }
  for (const { bytes, address } of ranges) {
    if (bytes % PIECE_BYTES !== 0 || address % PIECE_BYTES !== 0)
      throw new Error('the background of the arena is not made of whole pieces');
  }
  return ranges;
}

/** arena.h */
export function hostHeader(): string {
  const pairs = (rows: readonly (readonly [number, number])[]): string => rows.map(([a, b]) => `{${a}, ${b}}`).join(', ');
  const defines: [string, string | number][] = [
    ...Object.entries(CPU_STATE).map(([name, offset]): [string, number] => [`STATE_${upperSnake(name)}`, offset]),
    ...Object.entries(HOST_REASON).map(([name, value]): [string, number] => [`REASON_${upperSnake(name)}`, value]),
    ...Object.entries(END).map(([name, value]): [string, number] => [`END_${upperSnake(name)}`, value]),
    ['STATE_BYTES', CPU_STATE_BYTES],
    ['RECORD_BYTES', USER_RECORD_BYTES],
    ['BACKGROUND', BACKGROUND_BYTE],
    ['STRAY_CAPACITY', STRAY_CAPACITY],
    ['WINDOWS', pairs(USER_WINDOWS.map(({ address, bytes }) => [address, bytes]))],
    ['PAGES_OF_ARENA', pairs(USER_PAGES.map(({ address, writable }) => [address, Number(writable)]))],
    ['BACKGROUND_RANGES', pairs(backgroundRanges().map(({ address, bytes }) => [address, bytes]))],
  ];
  return `${defines.map(([name, value]) => `#define ${name} ${value}`).join('\n')}
struct result { uint8_t end, vector, reason, zero; uint32_t error; };
struct shared {
  uint32_t count, bits, exact_selectors, loaded_segments, stray_count;
  volatile uint32_t current, busy;
  uint32_t worker, idle_deaths;
  volatile uint32_t running;
  uint32_t unused[${HEADER_BYTES / 4 - 10}];
  struct result results[${CAPACITY}];
  uint32_t strays[STRAY_CAPACITY][3];
  uint8_t records[${CAPACITY} * RECORD_BYTES];
};
_Static_assert(sizeof(struct shared) == ${SHARED_BYTES}, "the layout of the shared memory");
`;
}
