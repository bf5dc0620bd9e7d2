/**
 * The WebAssembly module for 64-bit code: generated and compiled when the first processor asks for it, so that a machine, which
 * has none, does not wait for it.
 */
import { buildOpcodeMap, LONG_SIZES, type OpcodeMap } from '../isa/opcode-map.js';
import { INSTRUCTIONS } from '../isa/table.js';
import { withMemoryPages } from '../wasm/memory-pages.js';
import type { EngineCode } from './generated-code.js';
import { buildInterpreter } from './interpreter.js';

let shared: EngineCode | undefined;
const modules = new Map<number, WebAssembly.Module>();

export function generateLongCode(): EngineCode {
  const map = buildOpcodeMap(INSTRUCTIONS, LONG_SIZES);
  return { map, bytes: buildInterpreter(map, () => {}).bytes };
}

/** @param pages the size of the memory, which cannot grow */
export function longInterpreterFor(
  memory: WebAssembly.Memory,
  pages: number,
): { map: OpcodeMap; instantiate: (imports: Record<string, (...args: never[]) => number | undefined>) => (record: number) => number } {
  shared ??= generateLongCode();
  const { map, bytes } = shared;
  const module = modules.get(pages) ?? new WebAssembly.Module(withMemoryPages(bytes, pages));
  modules.set(pages, module);
  return {
    map,
    instantiate: (imports) => {
      const { run } = new WebAssembly.Instance(module, { cpu: { ...imports, memory } }).exports;
      return run as (record: number) => number;
    },
  };
}
