/** The WebAssembly module of the machine: built once per process and memory size, instantiated per machine. */
import { addDigestFunctions } from '../digest/xxh64.js';
import type { DigestFunctions } from '../digest/machine-digest.js';
import { buildOpcodeMap, type OpcodeMap } from '../isa/opcode-map.js';
import { INSTRUCTIONS } from '../isa/table.js';
import { buildInterpreter } from './interpreter.js';

let sharedMap: OpcodeMap | undefined;
const modules = new Map<number, WebAssembly.Module>();

export interface EngineFunctions extends DigestFunctions {
  run(record: number): number;
}

/** 64-bit operand sizes are decoded and defined, but not generated before long mode exists. */
const OPERAND_SIZES = [8, 16, 32] as const;

export function interpreterFor(
  memory: WebAssembly.Memory,
  pages: number,
): { map: OpcodeMap; instantiate: (imports: Record<string, (...args: never[]) => number | undefined>) => EngineFunctions } {
  sharedMap ??= buildOpcodeMap(INSTRUCTIONS, OPERAND_SIZES);
  const map = sharedMap;
  let module = modules.get(pages);
  if (module === undefined) {
    module = new WebAssembly.Module(buildInterpreter(map, addDigestFunctions).bytes);
    modules.set(pages, module);
  }
  const built = module;
  return {
    map,
    instantiate: (imports) => new WebAssembly.Instance(built, { cpu: { ...imports, memory } }).exports as unknown as EngineFunctions,
  };
}
