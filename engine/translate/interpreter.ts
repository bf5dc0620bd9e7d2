/**
 * The interpreter: one WebAssembly function that dispatches over decoded records. Frequent forms are cases of its
 * `br_table`; the others are functions of their own, called through a table, or TypeScript.
 *
 * Structure of `run`, outermost first: `dispatch` (loop) > `enter` (a block is to be entered at `next`) > `jump` (go to
 * an offset in CS) > `fault` > `following` (the next record) > one block per case.
 */
import { emitExecuted } from '../cpu/executed-pages.js';
import * as layout from '../cpu/layout.js';
import { buildFloatLibrary } from '../float/library.js';
import type { OpcodeMap } from '../isa/opcode-map.js';
import { ADDRESSING, HANDLER, RECORD } from '../isa/record.js';
import { buildMemorySlowPaths } from '../mmu/quick-walk.js';
import type { FunctionBuilder, FunctionReference, Label } from '../wasm/function-builder.js';
import { load8U, load16U, load32, load64, store32, store64 } from '../wasm/memory-access.js';
import { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, TYPE_I32, TYPE_I64 } from '../wasm/values.js';
import { EXIT } from './exit.js';
import { eipOf, RecordContext } from './record-context.js';
import { importRuntime, type Runtime } from './runtime.js';
import { buildStackSlowPaths } from './stack-slow-paths.js';

/** What an outlined function reports. */
const STATUS = { next: 0, fault: 1, jump: 2, leave: 3 } as const;

const ZERO = I32.of(0);

export interface InterpreterModule {
  readonly bytes: Uint8Array;
}

/** Builds the module for an instruction table. Further functions (digest, ...) may be added by `extend`. */
export function buildInterpreter(map: OpcodeMap, extend: (module: ModuleBuilder) => void): InterpreterModule {
  const long = map.forms.some((form) => form.long);
  // How large the memory is, is put in when it is known (withMemoryPages).
  const module = new ModuleBuilder({ module: 'cpu', field: 'memory', pages: 1 });
  const imports = importRuntime(module);
  const memory = buildMemorySlowPaths(module, imports);
  const runtime: Runtime = {
    ...imports,
    ...memory,
    ...buildStackSlowPaths(module, imports, memory),
    segmentedLinear: module.function(imports.checkSegment.type, (f) => buildSegmentedLinear(f, imports.checkSegment)),
    ...(long ? { longLinear: module.function(LONG_LINEAR_TYPE, (f) => buildLongLinear(f, imports.checkSegment)) } : {}),
    float: buildFloatLibrary(module, { flagsAddress: layout.FLOAT_FLAGS }),
  };
  const outlinedType = { parameters: [TYPE_I32], results: [TYPE_I32] } as const;
  const outlined = map.outlined.map((form) =>
    module.function(outlinedType, (f) => {
      const record = f.parameter(0, TYPE_I32);
      const context = new RecordContext(f, form, runtime, record, {
        fault: () => f.return(I32.of(STATUS.fault)),
        jump: (target) => {
          f.emit(store32(ZERO, target, layout.EIP));
          f.return(I32.of(STATUS.jump));
        },
        jumpRelative: (to, check) => {
          const target = f.let(to);
          check(target);
          f.emit(store32(ZERO, target, layout.EIP));
          f.return(I32.of(STATUS.jump));
        },
        leave: (target) => {
          f.emit(store32(ZERO, target, layout.EIP));
          f.return(I32.of(STATUS.leave));
        },
        outside: () => f.return(I32.of(STATUS.leave)),
        host: () => {
          if (form.host < 0) throw new Error(`${form.definition.mnemonic} has no host semantics`);
          const status = f.let(f.callValue(runtime.hostInstruction, TYPE_I32, form.host, record));
          f.if(status, () => f.return(status));
          f.return(I32.of(form.definition.options.terminal === true ? STATUS.jump : STATUS.next));
        },
        done: () => f.return(I32.of(STATUS.next)),
      });
      (form.definition.semantics as (c: RecordContext) => void)(context);
      f.return(I32.of(STATUS.next));
    }),
  );
  module.table(outlined);
  const run = module.function(outlinedType, (f) => buildRun(f, map, long, runtime, module.typeIndex(outlinedType)));
  module.export('run', run);
  extend(module);
  return { bytes: module.finish() };
}

/**
 * (offset, addressing flags, bytes, write, token) -> linear address. Accesses below the segment's precomputed bounds
 * need no more than this; everything else is checked in full by TypeScript.
 */
function buildSegmentedLinear(f: FunctionBuilder, checkSegment: FunctionReference): void {
  const offset = f.local(TYPE_I32);
  const flags = f.parameter(1, TYPE_I32);
  f.set(offset, f.parameter(0, TYPE_I32));
  f.if(flags.and(ADDRESSING.narrow), () => f.set(offset, offset.get().and(0xffff)));
  const segment = f.let(flags.and(ADDRESSING.segment).mul(layout.SEGMENT_BYTES).add(layout.SEGMENTS));
  const bound = f.let(segment.add(f.parameter(3, TYPE_I32).shl(3)));
  f.if(offset.get().toI64U().add(f.parameter(2, TYPE_I32).toI64U()).leU(load64(bound, layout.SEGMENT.readBytes)), () =>
    f.return(offset.get().add(load32(segment, layout.SEGMENT.base))),
  );
  f.return(
    f.callValue(
      checkSegment,
      TYPE_I32,
      offset.get(),
      flags.and(ADDRESSING.segment),
      f.parameter(2, TYPE_I32),
      f.parameter(3, TYPE_I32),
      f.parameter(4, TYPE_I32),
    ),
  );
}

const LONG_LINEAR_TYPE = { parameters: [TYPE_I64, TYPE_I32, TYPE_I32, TYPE_I32, TYPE_I32], results: [TYPE_I32] } as const;

/** Runtime.longLinear. What is not below 4 GiB is a fault, which TypeScript finds. */
function buildLongLinear(f: FunctionBuilder, checkSegment: FunctionReference): void {
  const address = f.local(TYPE_I64);
  const flags = f.parameter(1, TYPE_I32);
  const bytes = f.parameter(2, TYPE_I32);
  f.set(address, f.parameter(0, TYPE_I64));
  f.if(flags.and(ADDRESSING.narrow), () => f.set(address, address.get().and(0xffff_ffffn)));
  const segment = f.let(flags.and(ADDRESSING.segment));
  f.if(flags.and(ADDRESSING.checked), () => {
    f.set(address, address.get().add(load64(segment.mul(layout.SEGMENT_BYTES), layout.SEGMENTS + layout.SEGMENT.base)));
  });
  const last = address.get().add(bytes.toI64U()).sub(1);
  f.if(address.get().or(last).shrU(32).eq(0), () => f.return(address.get().wrap()));
  f.emit(store64(ZERO, address.get(), layout.SCRATCH));
  f.return(f.callValue(checkSegment, TYPE_I32, ZERO, segment, bytes, f.parameter(3, TYPE_I32), f.parameter(4, TYPE_I32)));
}

function buildRun(f: FunctionBuilder, map: OpcodeMap, long: boolean, runtime: Runtime, outlinedType: number): void {
  const record = f.local(TYPE_I32);
  /** Record of the block to enter. */
  const next = f.local(TYPE_I32);
  /** Offset in CS to go to. */
  const target = f.local(TYPE_I32);
  const rec = record.get();
  const cell = (address: number): I32 => load32(ZERO, address);
  const setCell = (address: number, value: I32): void => f.emit(store32(ZERO, value, address));
  const remaining = (): I32 => load8U(rec, RECORD.remaining);
  const refund = (ticks: I32): void => setCell(layout.TICKS_LEFT, cell(layout.TICKS_LEFT).add(ticks));
  const exit = (code: number): void => f.return(I32.of(code));

  f.set(next, f.parameter(0, TYPE_I32));
  f.set(record, f.parameter(0, TYPE_I32));
  // The first block is entered as if from a branch whose block is used up.
  enterBlock(f, next.get(), I32.of(0), record);

  f.loop((dispatch) => {
    f.block((enter) => {
      f.block((jump) => {
        f.block((fault) => {
          f.block((following) => {
            const exitsOf = { dispatch, enter, jump, fault, following };
            buildCases(f, map, exitsOf);
          });
          f.set(record, rec.add(layout.RECORD_BYTES));
          f.br(dispatch);
        });
        // fault: what the block has not executed, the faulting instruction included, does not count.
        refund(remaining());
        setCell(layout.EIP, eipOf(rec));
        exit(EXIT.fault);
      });
      // jump: the branch itself is the last instruction of its block that counts.
      refund(remaining().sub(1));
      const base = long ? ZERO : cell(layout.segmentAddress(layout.CS) + layout.SEGMENT.base);
      const linear = f.let(target.get().add(base));
      const slots = layout.JUMP_CACHE_ENTRIES - 1;
      const slot = f.let(linear.xor(linear.shrU(layout.JUMP_CACHE_HASH_SHIFT)).and(slots).mul(layout.JUMP_CACHE_ENTRY_BYTES));
      f.if(
        load32(slot, layout.JUMP_CACHE)
          .eq(linear)
          .and(load32(slot, layout.JUMP_CACHE + 4).eq(cell(layout.MODE))),
        () => {
          f.set(next, load32(slot, layout.JUMP_CACHE + 8));
          setCell(layout.CODE_PAGE_EIP, target.get().sub(linear.and(0xfff)));
          emitExecuted(f, linear);
        },
        () => {
          f.set(next, f.callValue(runtime.resolve, TYPE_I32, target.get()));
          f.if(next.get().eqz(), () => exit(EXIT.leave));
        },
      );
      f.set(record, next.get());
      enterBlock(f, next.get(), I32.of(0), record);
      f.br(dispatch);
    });
    // enter: within the page, from the branch at `record`, whose unexecuted rest is given back.
    enterBlock(f, next.get(), remaining().sub(1), record);
    f.br(dispatch);
  });
  f.unreachable();

  interface Labels {
    dispatch: Label;
    enter: Label;
    jump: Label;
    fault: Label;
    following: Label;
  }

  function buildCases(builder: FunctionBuilder, opcodes: OpcodeMap, labels: Labels): void {
    const bodies: (() => void)[] = [];
    /** Into EIP, with the bit that is carried out of 32. */
    const storeOffset = (): void => {
      const offset = load16U(rec, RECORD.offset).toI64U();
      f.emit(store64(ZERO, cell(layout.CODE_PAGE_EIP).toI64U().add(offset), layout.EIP));
    };
    bodies[HANDLER.stale] = () => {
      refund(remaining());
      setCell(layout.EIP, eipOf(rec));
      exit(EXIT.leave);
    };
    bodies[HANDLER.nextBlock] = () => {
      f.set(target, eipOf(rec));
      if (long) {
        // Behind the last page is no code.
        f.if(target.get().eqz(), () => {
          storeOffset();
          exit(EXIT.leave);
        });
      }
      refund(I32.of(1));
      f.br(labels.jump);
    };
    bodies[HANDLER.leave] = bodies[HANDLER.stale] as () => void;
    bodies[HANDLER.crossing] = () => {
      f.brIf(f.callValue(runtime.crossing, TYPE_I32, rec), labels.following);
      refund(remaining());
      setCell(layout.EIP, eipOf(rec));
      exit(EXIT.step);
    };
    bodies[HANDLER.stepped] = () => {
      if (long) storeOffset();
      else setCell(layout.EIP, eipOf(rec));
      exit(EXIT.stepped);
    };
    bodies[HANDLER.outlined] = () => {
      const status = f.let(f.callIndirectI32(outlinedType, load32(rec, RECORD.link), rec));
      f.brIf(status.eqz(), labels.following);
      f.brIf(status.eq(STATUS.fault), labels.fault);
      f.if(status.eq(STATUS.leave), () => {
        refund(remaining().sub(1));
        exit(EXIT.leave);
      });
      f.set(target, cell(layout.EIP));
      f.br(labels.jump);
    };
    bodies[HANDLER.host] = () => {
      const status = f.let(f.callValue(runtime.hostInstruction, TYPE_I32, load32(rec, RECORD.link), rec));
      f.brIf(status.eq(STATUS.fault), labels.fault);
      f.if(status, () => exit(EXIT.leave));
      f.set(target, cell(layout.EIP));
      f.br(labels.jump);
    };
    for (const form of opcodes.hot) {
      bodies[form.handler] = () => {
        const context = new RecordContext(builder, form, runtime, rec, {
          fault: () => f.br(labels.fault),
          jump: (to) => {
            f.set(target, to);
            f.br(labels.jump);
          },
          jumpRelative: (to, check) => {
            f.set(next, load32(rec, RECORD.link));
            f.brIf(next.get(), labels.enter);
            f.set(target, to);
            check(target.get());
            // Only branches within the page are linked; the immediate is the target's offset in the page.
            f.brIf(load32(rec, RECORD.immediate).geU(0x1000), labels.jump);
            f.set(next, f.callValue(runtime.resolveLinked, TYPE_I32, target.get(), rec));
            f.if(next.get().eqz(), () => {
              refund(remaining().sub(1));
              exit(EXIT.leave);
            });
            f.br(labels.enter);
          },
          leave: (to) => {
            setCell(layout.EIP, to);
            refund(remaining().sub(1));
            exit(EXIT.leave);
          },
          outside: () => {
            refund(remaining().sub(1));
            exit(EXIT.leave);
          },
          host: () => {
            throw new Error(`${form.definition.mnemonic}: only outlined forms fall back to host semantics`);
          },
          done: () => f.br(labels.following),
        });
        (form.definition.semantics as (c: RecordContext) => void)(context);
        f.br(labels.following);
      };
    }
    nestCases(f, bodies, () => load16U(rec, RECORD.handler));
  }
}

/** Enters the block at `next`: subtracts its ticks (less `credit`) from the budget, or leaves if they are not covered. */
function enterBlock(
  f: FunctionBuilder,
  next: I32,
  credit: I32,
  record: { readonly index: number } & Parameters<FunctionBuilder['set']>[0],
): void {
  const budget = f.let(load32(ZERO, layout.TICKS_LEFT).add(credit));
  const after = f.let(budget.sub(load8U(next, RECORD.remaining)));
  f.if(after.ltS(0), () => {
    f.emit(store32(ZERO, budget, layout.TICKS_LEFT));
    f.emit(store32(ZERO, eipOf(next), layout.EIP));
    f.return(I32.of(EXIT.budget));
  });
  f.emit(store32(ZERO, after, layout.TICKS_LEFT));
  f.set(record, next as never);
}

/** One block per case around the `br_table`, innermost first: case i follows the end of block i. */
function nestCases(f: FunctionBuilder, bodies: readonly (() => void)[], selector: () => I32): void {
  const labels: Label[] = [];
  const open = (index: number): void => {
    if (index < 0) {
      f.brTable(selector(), labels, labels[0] as Label);
      return;
    }
    f.block((label) => {
      labels[index] = label;
      open(index - 1);
    });
    f.scope(bodies[index] as () => void);
  };
  open(bodies.length - 1);
}
