/**
 * Pushes and pops on a stack that is not flat: 16-bit stack pointers, a base, limits (SDM volume 1, section 6.2). What
 * the precomputed bounds of SS allow is done here; the rest is checked in full by TypeScript.
 */
import * as layout from '../cpu/layout.js';
import { MODE_STACK_32 } from '../cpu/mode.js';
import type { FunctionBuilder, FunctionReference } from '../wasm/function-builder.js';
import { load32, load64, store16, store32 } from '../wasm/memory-access.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, select, TYPE_I32 } from '../wasm/values.js';

const ZERO = I32.of(0);
const cell = (address: number): I32 => load32(ZERO, address);

export interface StackSlowPaths {
  readonly slowPush: FunctionReference;
  readonly slowPop: FunctionReference;
}

/** @param memory loads and stores through SCRATCH, as generated code uses them */
export function buildStackSlowPaths(
  module: ModuleBuilder,
  imports: StackSlowPaths,
  memory: { readonly slowLoad: FunctionReference; readonly slowStore: FunctionReference },
): StackSlowPaths {
  return {
    slowPush: module.function(imports.slowPush.type, (f) => buildPush(f, imports.slowPush, memory.slowStore)),
    slowPop: module.function(imports.slowPop.type, (f) => buildPop(f, imports.slowPop, memory.slowLoad)),
  };
}

/** Runs `access` with the linear address if `bytes` bytes at the stack offset are within the bounds; else goes on. */
function withinBounds(f: FunctionBuilder, offset: I32, bytes: I32, bounds: number, access: (linear: I32) => void): void {
  const segment = layout.segmentAddress(layout.SS);
  f.if(
    offset
      .toI64U()
      .add(bytes.toI64U())
      .leU(load64(ZERO, segment + bounds)),
    () => {
      access(f.let(offset.add(cell(segment + layout.SEGMENT.base))));
    },
  );
}

function stackOffset(f: FunctionBuilder, pointer: I32): I32 {
  const value = f.let(pointer);
  return f.let(select(cell(layout.MODE).and(MODE_STACK_32), value, value.and(0xffff)));
}

function setPointer(f: FunctionBuilder, pointer: I32): void {
  const value = f.let(pointer);
  f.if(
    cell(layout.MODE).and(MODE_STACK_32),
    () => f.emit(store32(ZERO, value, layout.ESP)),
    () => f.emit(store16(ZERO, value, layout.ESP)),
  );
}

const noFault = (): I32 => cell(layout.FAULT_VECTOR).eq(layout.NO_FAULT);

/** (value, bytes, token) */
function buildPush(f: FunctionBuilder, slow: FunctionReference, slowStore: FunctionReference): void {
  const [value, bytes, token] = [f.parameter(0, TYPE_I32), f.parameter(1, TYPE_I32), f.parameter(2, TYPE_I32)];
  const offset = stackOffset(f, cell(layout.ESP).sub(bytes));
  withinBounds(f, offset, bytes, layout.SEGMENT.writeBytes, (linear) => {
    f.emit(store32(ZERO, value, layout.SCRATCH));
    f.call(slowStore, linear, bytes, token);
    f.if(noFault(), () => setPointer(f, offset));
    f.return();
  });
  f.call(slow, value, bytes, token);
}

/** (bytes, token): the value goes into SCRATCH. */
function buildPop(f: FunctionBuilder, slow: FunctionReference, slowLoad: FunctionReference): void {
  const [bytes, token] = [f.parameter(0, TYPE_I32), f.parameter(1, TYPE_I32)];
  const offset = stackOffset(f, cell(layout.ESP));
  withinBounds(f, offset, bytes, layout.SEGMENT.readBytes, (linear) => {
    f.call(slowLoad, linear, bytes, token);
    f.if(noFault(), () => setPointer(f, offset.add(bytes)));
    f.return();
  });
  f.call(slow, bytes, token);
}
