/** The WebAssembly module of the machine: compiled once per process and memory size, instantiated per machine. */
import type { DigestFunctions } from '../digest/machine-digest.js';
import type { OpcodeMap } from '../isa/opcode-map.js';
import { withMemoryPages } from '../wasm/memory-pages.js';
import { engineCode } from './engine-code.js';
import type { EngineCode } from './generated-code.js';

let shared: EngineCode | undefined;
const modules = new Map<number, WebAssembly.Module>();

export interface EngineFunctions extends DigestFunctions {
  run(record: number): number;
}

/** @param pages the size of the memory, which cannot grow */
export function interpreterFor(
  memory: WebAssembly.Memory,
  pages: number,
): { map: OpcodeMap; instantiate: (imports: Record<string, (...args: never[]) => number | undefined>) => EngineFunctions } {
  shared ??= engineCode();
  const { map, bytes } = shared;
  const module = modules.get(pages) ?? new WebAssembly.Module(withMemoryPages(bytes, pages));
  modules.set(pages, module);
  return {
    map,
    instantiate: (imports) => new WebAssembly.Instance(module, { cpu: { ...imports, memory } }).exports as unknown as EngineFunctions,
  };
}
