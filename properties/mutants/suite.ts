/**
 * Which checks a mutant of a file meets, those most likely to kill it first: cases against the model (cases.ts), and the tests
 * of what the file belongs to. The whole suite has more; a mutant that these let live is counted as alive.
 */

export type Check =
  | { readonly name: string; readonly kind: 'cases'; readonly families: string }
  /** Arguments to vitest: folders or files. */
  | { readonly name: string; readonly kind: 'tests'; readonly filters: readonly string[] };

const cases = (families: string): Check => ({ name: `cases:${families}`, kind: 'cases', families });
const tests = (...filters: string[]): Check => ({ name: `tests:${filters.join(',')}`, kind: 'tests', filters });

const ATA = tests('engine/devices/ata');
const PCI = tests('engine/devices/pci');
const KEYBOARD = tests('engine/devices/i8042');
const PROCESSOR = tests('engine/cpu', 'engine/mmu/paging', 'engine/mmu/tlb', 'engine/blocks', 'engine/numeric-error', 'engine/long');
const DEBUGGER = tests(
  'engine/rewind',
  'engine/breakpoints',
  'engine/mmu',
  'engine/cpu',
  'engine/digest',
  'replay/timeline/timeline',
  'replay/timeline/fork',
  'replay/timeline/footprint',
);
const TIERS = tests('engine/tiers', 'engine/wild', 'engine/snapshot', 'properties/runs');
const SNAPSHOTS = tests('engine/snapshot', 'engine/reset', 'engine/board', 'engine/numeric-error', 'engine/digest');
const DEVICES = tests(
  'engine/devices',
  'engine/clock',
  'engine/board',
  'engine/a20',
  'engine/snapshot',
  'engine/reset',
  'engine/cpu/cpu-snapshot',
);

/** The first row that fits counts. */
const CHECK_ROWS: readonly (readonly [files: RegExp, checks: readonly Check[]])[] = [
  [
    /^engine\/isa\/x87\/|^engine\/float\/(x87|float80|transcendental|series|library|constants)/,
    [cases('x87'), tests('engine/isa/x87', 'engine/float')],
  ],
  [/^engine\/isa\/simd\/|^engine\/float\/sse/, [cases('sse,mmx'), tests('engine/isa/simd', 'engine/float')]],
  [/^engine\/float\//, [cases('x87,sse'), tests('engine/float', 'engine/isa/x87')]],
  [/^engine\/isa\/system/, [cases('system,integer'), PROCESSOR]],
  [/^engine\/(isa|translate|wasm)\//, [cases('integer'), tests('engine/isa', 'engine/translate', 'engine/wasm'), TIERS]],
  [/^engine\/(changes|cpu\/(registers|breakpoints|executed-pages)|mmu\/(peek|watches|written-(frames|lines)))/, [DEBUGGER, TIERS]],
  [/^engine\/cpu\/(code-cache|code-segments|block-finder)/, [PROCESSOR, cases('sequence'), TIERS]],
  [/^engine\/(cpu|mmu)\//, [cases('system'), PROCESSOR, TIERS]],
  [/^engine\/devices\/ata\//, [ATA, tests('properties/devices/ata'), SNAPSHOTS]],
  [/^engine\/devices\/pci\//, [PCI, tests('properties/devices/pci'), ATA, SNAPSHOTS]],
  [/^engine\/devices\/(i8042|keyboard|mouse|scan-codes|ps2)/, [KEYBOARD, tests('properties/devices/i8042'), SNAPSHOTS]],
  [/^engine\/devices\/(pit|pic|rtc|uart|vga|acpi\.|dma8237)/, []],
  [/^engine\/(devices|clock|board)/, [DEVICES, tests('properties/devices')]],
  [/^engine\/digest\//, [tests('engine/digest'), TIERS]],
  [/^engine\/boot\//, [tests('engine/boot')]],
  [/^engine\//, [DEVICES, TIERS, cases('system')]],
];

/** Devices with one test file: `pit-counter.ts` is tested in `pit.test.ts`. */
const ONE_TEST = /^engine\/devices\/(pit|pic|rtc|uart|vga|acpi(?!-)|dma8237)/;

export function checksFor(path: string): Check[] {
  const one = ONE_TEST.exec(path)?.[1];
  const row = CHECK_ROWS.find(([files]) => files.test(path));
  if (row === undefined) throw new Error(`no checks for ${path}`);
  const own =
    one === undefined
      ? []
      : [tests(`engine/devices/${one}.test.ts`), tests(`properties/devices/${one === 'dma8237' ? 'dma' : one}.test.ts`), SNAPSHOTS];
  return [...own, ...row[1]];
}
