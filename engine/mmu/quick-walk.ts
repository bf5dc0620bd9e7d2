/**
 * The page walk in generated code, for the common case: all entries present, accessed (and dirty for a write), the
 * access allowed, the tables marked already, RAM at the end of it. It changes nothing but the TLB. In every other case
 * it gives up and paging.ts walks, with all side effects and faults.
 *
 * Around it: what generated code calls when its own TLB lookup has missed.
 */
import * as layout from '../cpu/layout.js';
import { EFER_NXE } from '../cpu/msr.js';
import { CR0, CR4 } from '../cpu/state.js';
import type { Code } from '../wasm/bytes.js';
import type { FunctionBuilder, FunctionReference, Label } from '../wasm/function-builder.js';
import { load8U, load16U, load32, load64, load128, store8, store16, store32, store64, store128 } from '../wasm/memory-access.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, select, TYPE_I32 } from '../wasm/values.js';
import { FRAME } from './physical-memory.js';
import { TABLE_KIND } from './tlb.js';
import { emitWritten } from './written-lines.js';

const ENTRY = { present: 1, writable: 2, user: 4, accessed: 32, dirty: 64, large: 128, global: 256 } as const;
const ZERO = I32.of(0);
const cell = (address: number): I32 => load32(ZERO, address);

export interface MemorySlowPaths {
  readonly slowLoad: FunctionReference;
  readonly slowStore: FunctionReference;
  readonly slowProbeWrite: FunctionReference;
}

/** @param imports the same functions in TypeScript, for everything that is not quick */
export function buildMemorySlowPaths(module: ModuleBuilder, imports: MemorySlowPaths): MemorySlowPaths {
  const walk = module.function({ parameters: [TYPE_I32, TYPE_I32], results: [TYPE_I32] }, buildWalk);
  const type = imports.slowLoad.type;
  return {
    slowLoad: module.function(type, (f) => buildLoad(f, walk, imports.slowLoad)),
    slowStore: module.function(type, (f) => buildStore(f, walk, imports.slowStore)),
    slowProbeWrite: module.function(type, (f) => buildProbe(f, walk, imports.slowProbeWrite)),
  };
}

/** Runs `quick` with the new TLB entry if the access lies in one page and the walk succeeds; else calls the import. */
function withEntry(
  f: FunctionBuilder,
  walk: FunctionReference,
  write: boolean,
  slow: FunctionReference,
  quick: (linear: I32, entry: I32) => void,
): void {
  const [linear, bytes, token] = [f.parameter(0, TYPE_I32), f.parameter(1, TYPE_I32), f.parameter(2, TYPE_I32)];
  f.if(linear.and(0xfff).add(bytes).leU(0x1000), () => {
    const entry = f.let(f.callValue(walk, TYPE_I32, linear, write ? 1 : 0));
    f.if(entry, () => quick(linear, entry));
  });
  f.call(slow, linear, bytes, token);
}

function buildLoad(f: FunctionBuilder, walk: FunctionReference, slow: FunctionReference): void {
  withEntry(f, walk, false, slow, (linear, entry) => {
    // Sixteen bytes whatever was asked for: storage always goes on that far.
    f.emit(store128(ZERO, load128(linear.add(load32(entry, 8))), layout.SCRATCH));
    f.return();
  });
}

function buildStore(f: FunctionBuilder, walk: FunctionReference, slow: FunctionReference): void {
  const bytes = f.parameter(1, TYPE_I32);
  withEntry(f, walk, true, slow, (linear, entry) => {
    // Frames with code, page tables or a first write since the digest have no write tag.
    f.if(load32(entry, 4).eq(linear.and(~0xfff)), () => {
      const host = f.let(linear.add(load32(entry, 8)));
      const stores: readonly (readonly [1 | 2 | 4 | 8, Code])[] = [
        [4, store32(host, load32(ZERO, layout.SCRATCH))],
        [1, store8(host, load8U(ZERO, layout.SCRATCH))],
        [2, store16(host, load16U(ZERO, layout.SCRATCH))],
        [8, store64(host, load64(ZERO, layout.SCRATCH))],
      ];
      for (const [size, code] of stores) {
        f.if(bytes.eq(size), () => {
          f.emit(code);
          emitWritten(f, host, size);
          f.return();
        });
      }
      f.if(bytes.eq(16), () => {
        f.emit(store128(host, load128(ZERO, layout.SCRATCH)));
        emitWritten(f, host, 16);
        f.return();
      });
    });
  });
}

function buildProbe(f: FunctionBuilder, walk: FunctionReference, slow: FunctionReference): void {
  withEntry(f, walk, true, slow, () => f.return());
}

/** (linear, write) -> TLB entry, or 0. */
function buildWalk(f: FunctionBuilder): void {
  const linear = f.parameter(0, TYPE_I32);
  const write = f.parameter(1, TYPE_I32);
  const base = f.let(cell(layout.TLB_BASE));
  const user = base.eq(layout.TLB_USER);
  const page = f.local(TYPE_I32);
  const leaf = f.local(TYPE_I32);
  const rights = f.local(TYPE_I32);
  const giveUp = (condition: I32): void => f.if(condition, () => f.return(I32.of(0)));

  giveUp(base.eq(layout.TLB_NONE).or(cell(layout.A20_OPEN).eqz()));
  f.block((translated) => {
    f.if(cell(layout.CR0).geS(0), () => {
      // Paging is off.
      f.set(page, linear.and(~0xfff));
      f.set(leaf, I32.of(ENTRY.dirty));
      f.set(rights, I32.of(ENTRY.writable | ENTRY.user));
      f.br(translated);
    });
    const walk = { f, linear, write, page, leaf, rights, giveUp, translated };
    f.if(
      cell(layout.CR4).and(CR4.pae),
      () => walkPae(walk),
      () => walk32(walk),
    );
  });
  giveUp(user.and(rights.get().and(ENTRY.user).eqz()));
  const mayWrite = f.let(
    rights
      .get()
      .and(ENTRY.writable)
      .or(user.or(cell(layout.CR0).and(CR0.wp)).eqz()),
  );
  const writable = f.let(select(leaf.get().and(ENTRY.dirty), mayWrite, ZERO));
  giveUp(write.and(writable.eqz()));

  const frame = f.let(page.get().shrU(12));
  giveUp(frame.geU(cell(layout.RAM_FRAMES)));
  const flags = f.let(load8U(frame, layout.FRAME_FLAGS));
  giveUp(flags.and(FRAME.hole | FRAME.watchedReads));
  const index = f.let(linear.shrU(12 - layout.TLB_ENTRY_SHIFT).and((layout.TLB_ENTRIES - 1) * layout.TLB_ENTRY_BYTES));
  const entry = f.let(base.add(index));
  f.if(load32(entry).eq(layout.TLB_INVALID), () => {
    const count = f.let(cell(layout.TLB_FILLED_COUNT));
    f.if(count.ltU(layout.TLB_FILLED_LIMIT), () => f.emit(store32(count.shl(2), entry, layout.TLB_FILLED)));
    f.emit(store32(ZERO, count.add(1), layout.TLB_FILLED_COUNT));
  });
  const tag = f.let(linear.and(~0xfff));
  f.emit(store32(entry, tag));
  f.emit(store32(entry, select(writable.eqz().or(flags.ne(FRAME.dirty)), I32.of(layout.TLB_INVALID), tag), 4));
  f.emit(store32(entry, frame.shl(12).add(layout.FRAMES).sub(tag), 8));
  const paged = f.let(select(cell(layout.CR4).and(CR4.pge), leaf.get(), ZERO));
  f.emit(store32(entry, paged.and(ENTRY.global).ne(0).or(writable.ne(0).shl(1)), 12));
  f.return(entry);
}

interface Walk {
  readonly f: FunctionBuilder;
  readonly linear: I32;
  readonly write: I32;
  readonly page: ReturnType<FunctionBuilder['local']>;
  readonly leaf: ReturnType<FunctionBuilder['local']>;
  readonly rights: ReturnType<FunctionBuilder['local']>;
  readonly giveUp: (condition: I32) => void;
  readonly translated: Label;
}

/** Host address of a table in RAM that is marked as used in just this way. */
function tableAt({ f, giveUp }: Walk, address: I32, use: I32 | number): I32 {
  const frame = f.let(address.shrU(12));
  giveUp(frame.geU(cell(layout.RAM_FRAMES)));
  giveUp(load32(frame.shl(2), layout.TABLE_USE).ne(use));
  return f.let(frame.shl(12).add(layout.FRAMES));
}

function requirePresent({ giveUp }: Walk, entry: I32): void {
  giveUp(entry.and(ENTRY.present | ENTRY.accessed).ne(ENTRY.present | ENTRY.accessed));
}

function walk32(walk: Walk): void {
  const { f, linear, page, leaf, rights, giveUp, translated } = walk;
  const set = (local: Walk['page'], value: I32): void => f.set(local, value as never);
  const directory = tableAt(walk, cell(layout.CR3), TABLE_KIND.directory);
  const pde = f.let(load32(directory.add(linear.shrU(22).shl(2))));
  requirePresent(walk, pde);
  f.if(pde.and(ENTRY.large).and(cell(layout.CR4).and(CR4.pse).shl(3)), () => {
    // Pages beyond 4 GiB and reserved bits are rare.
    giveUp(pde.and(0x003f_e000));
    set(page, pde.and(0xffc0_0000 | 0).or(linear.and(0x003f_f000)));
    set(leaf, pde);
    set(rights, pde);
    f.br(translated);
  });
  const table = tableAt(walk, pde, linear.and(0xffc0_0000 | 0).or(TABLE_KIND.table));
  const pte = f.let(load32(table.add(linear.shrU(10).and(0xffc))));
  requirePresent(walk, pte);
  set(page, pte.and(~0xfff));
  set(leaf, pte);
  set(rights, pde.and(pte));
}

function walkPae(walk: Walk): void {
  const { f, linear, page, leaf, rights, giveUp, translated } = walk;
  const set = (local: Walk['page'], value: I32): void => f.set(local, value as never);
  const high = (address: I32): void => {
    // Addresses beyond 4 GiB are rare; NX does not matter for data, but is reserved unless enabled.
    const bits = f.let(load32(address, 4));
    giveUp(bits.and(0x7fff_ffff));
    giveUp(bits.ltS(0).and(cell(layout.EFER).and(EFER_NXE).eqz()));
  };
  const pointer = f.let(linear.shrU(30).shl(3));
  giveUp(
    load32(pointer, layout.PDPTE)
      .and(ENTRY.present)
      .eqz()
      .or(load32(pointer, layout.PDPTE + 4)),
  );
  const directory = tableAt(walk, load32(pointer, layout.PDPTE), linear.and(0xc000_0000 | 0).or(TABLE_KIND.directoryPae));
  const pdeAddress = f.let(directory.add(linear.shrU(18).and(0xff8)));
  const pde = f.let(load32(pdeAddress));
  requirePresent(walk, pde);
  high(pdeAddress);
  f.if(pde.and(ENTRY.large), () => {
    giveUp(pde.and(0x001f_e000));
    set(page, pde.and(0xffe0_0000 | 0).or(linear.and(0x001f_f000)));
    set(leaf, pde);
    set(rights, pde);
    f.br(translated);
  });
  const table = tableAt(walk, pde, linear.and(0xffe0_0000 | 0).or(TABLE_KIND.tablePae));
  const pteAddress = f.let(table.add(linear.shrU(9).and(0xff8)));
  const pte = f.let(load32(pteAddress));
  requirePresent(walk, pte);
  high(pteAddress);
  set(page, pte.and(~0xfff));
  set(leaf, pte);
  set(rights, pde.and(pte));
}
