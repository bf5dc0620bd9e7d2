/**
 * Opcode rows by opcode byte, and the choice among rows that share one (SDM volume 2, 2.1 and appendix A): by mode,
 * mandatory prefix, ModRM.reg, ModRM.mod and ModRM as a whole.
 */
import type { Opcode } from './opcode.js';
import { KIND, type OperandForm, parseOperand, SOURCE } from './operand-form.js';

/** Mandatory prefix of a row; `none`: it has none and does not mind any. */
export type MandatoryPrefix = 'none' | 'NP' | '66' | 'F2' | 'F3';

/** A row of the opcode table, parsed. */
export interface Row {
  readonly opcode: Opcode;
  readonly prefix: MandatoryPrefix;
  readonly operands: readonly OperandForm[];
  readonly hasModRm: boolean;
  /** ModRM bytes that select this row; one bit each would be hard to read, so 256 of them. */
  readonly modRm: Uint8Array;
  /** ModRM.mod says nothing: rm is a register (MOV to and from control and debug registers). */
  readonly ignoresMod: boolean;
}

/** 0: one byte; 1: behind 0F; 2: behind 0F 38; 3: behind 0F 3A. */
const MAPS = 4;

export class OpcodeTable {
  readonly #legacy: Row[][] = Array.from({ length: MAPS * 256 }, () => []);
  readonly #long: Row[][] = Array.from({ length: MAPS * 256 }, () => []);

  constructor(opcodes: readonly Opcode[]) {
    for (const opcode of opcodes) {
      const { firstByte, lastByte, map, row } = parseRow(opcode);
      for (let byte = firstByte; byte <= lastByte; byte++) {
        if (!opcode.options.only64) this.#legacy[map * 256 + byte]!.push(row);
        if (!opcode.options.not64) this.#long[map * 256 + byte]!.push(row);
      }
    }
  }

  /** Rows of an opcode byte; empty when there is none. All or none of them have a ModRM byte. */
  candidates(long: boolean, map: number, byte: number): readonly Row[] {
    return (long ? this.#long : this.#legacy)[map * 256 + byte]!;
  }
}

/** @param repeat 0, 0xf2 or 0xf3: the last of them @param modRm -1 when there is none */
export function chooseRow(rows: readonly Row[], operandPrefix: boolean, repeat: number, modRm: number): Row | undefined {
  // F2 and F3 go before 66, which then is an operand-size prefix again (SDM volume 2, 2.1.2 and appendix A.2.4).
  const wanted: MandatoryPrefix = repeat === 0xf3 ? 'F3' : repeat === 0xf2 ? 'F2' : operandPrefix ? '66' : 'NP';
  let plain: Row | undefined;
  for (const row of rows) {
    if (modRm >= 0 && row.modRm[modRm] === 0) continue;
    if (row.prefix === wanted) return row;
    if (row.prefix === 'none') plain = row;
  }
  return plain;
}

interface ParsedRow {
  readonly firstByte: number;
  readonly lastByte: number;
  readonly map: number;
  readonly row: Row;
}

const HEX_BYTE = /^[0-9A-F]{2}$/;

function parseRow(opcode: Opcode): ParsedRow {
  const { encoding } = opcode;
  const fail = (reason: string): never => {
    throw new Error(`${opcode.mnemonic} ${encoding}: ${reason}`);
  };
  const parts = encoding.split(/ +/);
  let prefix: MandatoryPrefix = 'none';
  const first = parts[0]!;
  if (first === 'NP' || ((first === '66' || first === 'F2' || first === 'F3') && parts.length > 1)) {
    prefix = first;
    parts.shift();
  }
  let map = 0;
  if (parts.length > 1 && parts[0] === '0F') {
    map = parts.length > 2 && parts[1] === '38' ? 2 : parts.length > 2 && parts[1] === '3A' ? 3 : 1;
    parts.splice(0, map === 1 ? 1 : 2);
  }
  const [opcodeText = '', modRmText, ...rest] = parts;
  if (rest.length > 0) fail('too many parts');
  const inOpcode = opcodeText.endsWith('+r');
  const byteText = inOpcode ? opcodeText.slice(0, -2) : opcodeText;
  if (!HEX_BYTE.test(byteText)) fail('no opcode byte');
  const byte = Number.parseInt(byteText, 16);

  const operands = opcode.operands.trim() === '' ? [] : opcode.operands.split(',').map((text) => parseOperand(text.trim(), inOpcode));
  const ignoresMod = operands.some(({ kind }) => kind === KIND.control || kind === KIND.debug);
  const modRm = new Uint8Array(256);
  if (modRmText !== undefined) {
    const memoryOnly = operands.some(({ source }) => source === SOURCE.memory);
    const registerOnly = !ignoresMod && operands.some(({ source }) => source === SOURCE.rm);
    const exact = HEX_BYTE.test(modRmText.replace(/\+i$/, '')) ? Number.parseInt(modRmText, 16) : -1;
    const lastExact = modRmText.endsWith('+i') ? exact + 7 : exact;
    const digit = /^\/[0-7]$/.test(modRmText) ? Number(modRmText[1]) : -1;
    if (exact < 0 && digit < 0 && modRmText !== '/r') fail('ModRM not understood');
    for (let value = 0; value < 256; value++) {
      if (exact >= 0) modRm[value] = value >= exact && value <= lastExact ? 1 : 0;
      else {
        const modFits = !(memoryOnly && value >= 0xc0) && !(registerOnly && value < 0xc0);
        modRm[value] = modFits && (digit < 0 || ((value >> 3) & 7) === digit) ? 1 : 0;
      }
    }
  }
  const row = { opcode, prefix, operands, hasModRm: modRmText !== undefined, modRm, ignoresMod };
  return { firstByte: byte, lastByte: inOpcode ? byte + 7 : byte, map, row };
}
