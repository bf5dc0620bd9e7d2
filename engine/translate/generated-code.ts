/** The machine's WebAssembly module, for 16- and 32-bit code, generated from the instruction table. */
import { addDigestFunctions } from '../digest/xxh64.js';
import { buildOpcodeMap, LEGACY_SIZES, type OpcodeMap } from '../isa/opcode-map.js';
import { INSTRUCTIONS } from '../isa/table.js';
import { buildInterpreter } from './interpreter.js';

/** The module, and the map whose handler numbers it has. */
export interface EngineCode {
  readonly map: OpcodeMap;
  readonly bytes: Uint8Array;
}

export function generateCode(): EngineCode {
  const map = buildOpcodeMap(INSTRUCTIONS, LEGACY_SIZES);
  return { map, bytes: buildInterpreter(map, addDigestFunctions).bytes };
}
