/** The functions that generated code calls: slow paths of memory, stack and control, implemented by cpu/core.ts. */
import type { FloatLibrary } from '../float/library.js';
import type { FunctionReference, FunctionType } from '../wasm/function-builder.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { TYPE_I32, type ValueType } from '../wasm/values.js';

const i32 = (count: number): ValueType[] => Array.from({ length: count }, () => TYPE_I32);
const type = (parameters: number, results: number): FunctionType => ({ parameters: i32(parameters), results: i32(results) });

/** Imports in module `cpu`. Slow paths report a fault in FAULT_VECTOR; `token` is the current record. */
export const RUNTIME_IMPORTS = {
  /** (linear, bytes, token): the bytes go into SCRATCH. */
  slowLoad: type(3, 0),
  /** (linear, bytes, token): the bytes come from SCRATCH. */
  slowStore: type(3, 0),
  /** (linear, bytes, token) */
  slowProbeWrite: type(3, 0),
  /** (value, bytes, token) */
  slowPush: type(3, 0),
  /** (bytes, token): the value goes into SCRATCH. */
  slowPop: type(2, 0),
  /**
   * (offset, segment, bytes, write, token) -> linear: the full segment check. From 64-bit code: the linear address is in SCRATCH,
   * and `write` has the alignment in its upper bits.
   */
  checkSegment: type(5, 1),
  /** (eip) -> record or 0: finds or decodes the block at an offset in CS. */
  resolve: type(1, 1),
  /** (eip, record of the branch) -> record or 0; links the branch when the target is in the same page. */
  resolveLinked: type(2, 1),
  /** (number, record) -> 0 go on at EIP, 1 fault, 3 leave: runs a host instruction. */
  hostInstruction: type(2, 1),
  /** (record) -> 1 when the record behind it holds the instruction that leaves the page, 0 to step. */
  crossing: type(1, 1),
  /** (port, bytes, token) -> value */
  readPort: type(3, 1),
  /** (port, bytes, value, token) */
  writePort: type(4, 0),
} as const;
export type RuntimeImport = keyof typeof RUNTIME_IMPORTS;

export interface Runtime extends Readonly<Record<RuntimeImport, FunctionReference>> {
  /** (offset, addressing flags, bytes, write, token) -> linear: quick segment check in generated code. */
  readonly segmentedLinear: FunctionReference;
  /**
   * 64-bit code: (offset i64, addressing flags, bytes, 1 for a write + 2 x alignment, token) -> linear. Faults unless all of the
   * access lies below 4 GiB.
   */
  readonly longLinear?: FunctionReference;
  readonly float: FloatLibrary;
}

export function importRuntime(module: ModuleBuilder): Record<RuntimeImport, FunctionReference> {
  return Object.fromEntries(
    Object.entries(RUNTIME_IMPORTS).map(([field, functionType]) => [field, module.importFunction('cpu', field, functionType)]),
  ) as Record<RuntimeImport, FunctionReference>;
}
