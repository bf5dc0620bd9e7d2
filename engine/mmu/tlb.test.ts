/**
 * The coherent TLB (ARCHITECTURE.md): a guest that changes its page tables without ever flushing sees each change at
 * once, whoever wrote it and whatever the frames of the tables are used for besides.
 */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMachine, type Machine } from '../machine.js';

const MEMORY_BYTES = 1 << 20;
const CODE = 0x10000;
const DIRECTORY = 0x18000;
/** Of PAE. */
const POINTERS = 0x19000;
/** Frames that serve as page tables and as data, in any mixture. */
const FRAMES = 0x20000;
const FRAME_COUNT = 8;
const DIRECTORIES = [1, 2, 3] as const;
const INDEXES = [0, 1, 'last'] as const;

/** 32-bit paging and PAE differ in these. */
const FORMATS = {
  plain: { entryBytes: 4, entries: 1024, directoryShift: 22, cr3: DIRECTORY, cr4: 0x10 },
  pae: { entryBytes: 8, entries: 512, directoryShift: 21, cr3: POINTERS, cr4: 0x20 },
} as const;
type Format = (typeof FORMATS)[keyof typeof FORMATS];
const at = (index: number | 'last', count: number): number => (index === 'last' ? count - 1 : index);

/** Stubs at 16-byte distances; each ends with OUT F4, AL. */
const STUBS = {
  read: [0x8b, 0x03],
  write: [0x89, 0x03],
  reload: [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
  /** MOV CR4, EBX; MOV CR3, EAX; MOV CR0, ECX */
  start: [0x0f, 0x22, 0xe3, 0x0f, 0x22, 0xd8, 0x0f, 0x22, 0xc1],
} as const;
type Stub = keyof typeof STUBS;
const NAMES = Object.keys(STUBS) as Stub[];

const P = 1;
const RW = 2;
const PS = 128;
const ACCESSED_AND_DIRTY = 0x60;
const WP = 0x1_0000;

function boot(): Machine {
  const image = new Uint8Array(16 * NAMES.length);
  NAMES.forEach((name, i) => image.set([...STUBS[name], 0xe6, 0xf4], 16 * i));
  return createMachine({ boot: { kind: 'raw', image, address: CODE, entry: CODE, mode: 'protected' }, memoryBytes: MEMORY_BYTES });
}

/** @returns whether it came to its end: there is no interrupt table, so an exception is a triple fault */
function call(machine: Machine, stub: Stub, registers: { eax?: number; ebx?: number; ecx?: number }): boolean {
  for (const [name, value] of Object.entries(registers)) machine.registers.set(name as 'eax' | 'ebx' | 'ecx', value);
  machine.registers.set('eip', CODE + 16 * NAMES.indexOf(stub));
  const reason = machine.run({ tick: machine.tick + 20 });
  expect(['debugExit', 'tripleFault']).toContain(reason.kind);
  return reason.kind === 'debugExit';
}

/** Mostly the first frames are tables, one for each directory entry, and the others are data. */
const frameFrom = (first: number) => fc.integer({ min: first, max: FRAME_COUNT - 1 }).map((n) => FRAMES + n * 0x1000);
const FRAME = fc.oneof({ weight: 4, arbitrary: frameFrom(DIRECTORIES.length) }, { weight: 1, arbitrary: frameFrom(0) });
const TABLE = fc.integer({ min: 0, max: DIRECTORIES.length - 1 }).map((n) => FRAMES + n * 0x1000);
const FLAGS = fc.constantFrom(P, P | RW, P | RW, 0);
const ENTRY = fc.tuple(FRAME, FLAGS).map(([frame, flags]) => frame | flags);
const DIRECTORY_ENTRY = fc.oneof(
  fc.tuple(TABLE, FLAGS).map(([frame, flags]) => frame | flags),
  ENTRY,
  FLAGS.map((flags) => flags | PS),
);
const linearOf = ({ entries, directoryShift }: Format): fc.Arbitrary<number> =>
  fc
    .tuple(fc.constantFrom(...DIRECTORIES), fc.constantFrom(...INDEXES, 0x20, 0x21), fc.constantFrom(...INDEXES))
    .map(([directory, index, word]) => ((directory << directoryShift) | (at(index, entries) << 12) | (at(word, 1024) << 2)) >>> 0);
const slotOf = ({ entryBytes, entries }: Format) =>
  fc.oneof(
    fc.record({ at: fc.constantFrom(...DIRECTORIES).map((n) => DIRECTORY + entryBytes * n), entry: DIRECTORY_ENTRY }),
    fc.record({ at: fc.tuple(TABLE, fc.constantFrom(...INDEXES)).map(([frame, n]) => frame + entryBytes * at(n, entries)), entry: ENTRY }),
  );
const stepOf = (format: Format) =>
  fc.oneof(
    fc.record({ kind: fc.constant('guest' as const), slot: slotOf(format) }),
    fc.record({ kind: fc.constant('busMaster' as const), slot: slotOf(format) }),
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), linear: linearOf(format) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('write' as const), linear: linearOf(format), value: ENTRY }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('change' as const), linear: linearOf(format), frame: FRAME, reload: fc.boolean() }),
    },
    fc.record({ kind: fc.constant('reload' as const) }),
  );

/** Physical address, or undefined for a page fault; by the tables as they stand in memory. */
function translate({ memory }: Machine, format: Format, linear: number, write: boolean, writeProtect: boolean): number | undefined {
  const { entryBytes, entries, directoryShift } = format;
  const pageMask = 2 ** directoryShift - 1;
  // Bits 32 to 35 are address bits, those above are reserved.
  const highOf = (entry: number): number => (entryBytes === 8 ? memory.read32(entry + 4) : 0);
  const allowed = (rights: number, ...highs: number[]): boolean =>
    (rights & P) !== 0 && highs.every((high) => high < 16) && (!write || !writeProtect || (rights & RW) !== 0);
  const pdeAt = DIRECTORY + (linear >>> directoryShift) * entryBytes;
  const pde = memory.read32(pdeAt);
  if (!(pde & P)) return undefined;
  if (pde & PS) return allowed(pde, highOf(pdeAt)) ? linear & pageMask : undefined;
  const pteAt = (pde & ~0xfff) + ((linear >>> 12) & (entries - 1)) * entryBytes;
  const pte = memory.read32(pteAt);
  return allowed(pde & pte, highOf(pdeAt), highOf(pteAt))
    ? highOf(pteAt) * 2 ** 32 + (((pte & ~0xfff) | (linear & 0xfff)) >>> 0)
    : undefined;
}

it.each(Object.entries(FORMATS))('shows every change of a page table at once: %s', (_name, format) => {
  const machine = boot();
  const start = machine.save();
  let faults = 0;
  let hits = 0;
  fc.assert(
    fc.property(fc.boolean(), fc.array(stepOf(format), { minLength: 20, maxLength: 60 }), (writeProtect, steps) => {
      machine.restore(start);
      const { memory, registers } = machine;
      // The lowest linear addresses are physical ones, in one large page.
      memory.write32(DIRECTORY, P | RW | PS);
      memory.write32(POINTERS, DIRECTORY | P);
      // To begin with, every directory entry has its table and every entry its page; the words of the pages differ.
      DIRECTORIES.forEach((n, i) => {
        const table = FRAMES + i * 0x1000;
        memory.write32(DIRECTORY + format.entryBytes * n, table | P | RW);
        for (const [j, index] of INDEXES.entries()) {
          memory.write32(
            table + format.entryBytes * at(index, format.entries),
            (FRAMES + (DIRECTORIES.length + ((i + j) % 5)) * 0x1000) | P | RW,
          );
        }
      });
      for (let n = DIRECTORIES.length; n < FRAME_COUNT; n++) {
        for (const word of INDEXES) memory.write32(FRAMES + n * 0x1000 + 4 * at(word, 1024), FRAMES | (n << 8));
      }
      expect(call(machine, 'start', { eax: format.cr3, ebx: format.cr4, ecx: 0x8000_0011 | (writeProtect ? WP : 0) })).toBe(true);
      for (const step of steps) {
        if (step.kind === 'guest') expect(call(machine, 'write', { eax: step.slot.entry, ebx: step.slot.at })).toBe(true);
        else if (step.kind === 'busMaster') memory.write32(step.slot.at, step.slot.entry);
        else if (step.kind === 'reload') expect(call(machine, 'reload', {})).toBe(true);
        else {
          const write = step.kind === 'write';
          const { linear } = step;
          if (step.kind === 'change') {
            // Read, let the guest itself change the entry behind it, read again.
            if (step.reload) expect(call(machine, 'reload', {})).toBe(true);
            call(machine, 'read', { ebx: linear });
            const pde = memory.read32(DIRECTORY + (linear >>> format.directoryShift) * format.entryBytes);
            const entry = (pde & 0xf_f000) + ((linear >>> 12) & (format.entries - 1)) * format.entryBytes;
            if ((pde & (P | PS)) === P) expect(call(machine, 'write', { eax: step.frame | P | RW, ebx: entry })).toBe(true);
          }
          const physical = translate(machine, format, linear, write, writeProtect);
          if (physical === undefined) faults++;
          else hits++;
          const done = call(machine, write ? 'write' : 'read', { eax: write ? step.value : 0x1234_5678, ebx: linear });
          expect([linear, done]).toEqual([linear, physical !== undefined]);
          if (physical === undefined) expect(registers.get('cr2')).toBe(linear);
          else if (write) {
            // The word may be an entry of its own translation; there may be no memory.
            expect(memory.read32(physical) & ~ACCESSED_AND_DIRTY).toBe(physical < MEMORY_BYTES ? step.value : ~ACCESSED_AND_DIRTY);
          } else expect(registers.get('eax')).toBe(memory.read32(physical));
        }
      }
    }),
    { seed: 20261122, numRuns: 150 },
  );
  expect(Math.min(faults, hits)).toBeGreaterThan(100);
});
