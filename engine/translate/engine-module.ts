/** The WebAssembly module of the machine: compiled once per process, instantiated per machine. */
import type { DigestFunctions } from '../digest/machine-digest.js';
import type { OpcodeMap } from '../isa/opcode-map.js';
import { engineCode } from './engine-code.js';

let shared: { readonly map: OpcodeMap; readonly module: WebAssembly.Module } | undefined;

export interface EngineFunctions extends DigestFunctions {
  run(record: number): number;
}

export function interpreterFor(memory: WebAssembly.Memory): {
  map: OpcodeMap;
  instantiate: (imports: Record<string, (...args: never[]) => number | undefined>) => EngineFunctions;
} {
  if (shared === undefined) {
    const { map, bytes } = engineCode();
    shared = { map, module: new WebAssembly.Module(bytes) };
  }
  const { map, module } = shared;
  return {
    map,
    instantiate: (imports) => new WebAssembly.Instance(module, { cpu: { ...imports, memory } }).exports as unknown as EngineFunctions,
  };
}
