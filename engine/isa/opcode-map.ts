/** The instruction table indexed by opcode, built once from the rows (Intel SDM volume 2, appendix A). */
import {
  type Definition,
  type Form,
  hostSemanticsName,
  type Operand,
  type OperandSize,
  parseOperands,
  type RepeatKind,
} from './definition.js';
import { HANDLER } from './record.js';

export type MandatoryPrefix = 'NP' | '66' | 'F3' | 'F2';

/** One row, ready for matching. */
export interface Entry {
  readonly definition: Definition;
  readonly operands: readonly Operand[];
  readonly prefix: MandatoryPrefix | undefined;
  readonly hasModRm: boolean;
  /** Required ModRM.reg, or -1. */
  readonly digit: number;
  /** Required ModRM byte, or -1. */
  readonly exactModRm: number;
  readonly allowsMemory: boolean;
  readonly allowsRegister: boolean;
  /** The operand size attribute matters. */
  readonly sized: boolean;
  readonly fixedSize: OperandSize;
  /** The operand size is 32 bits, or 64 with REX.W. */
  readonly wideOrNot: boolean;
  /** Forms by size (8, 16, 32, 64), memory, repeat: see `formIndex`. */
  readonly forms: (Form | undefined)[];
}

const SIZE_INDEX: Readonly<Record<OperandSize, number>> = { 8: 0, 16: 1, 32: 2, 64: 3 };
export const formIndex = (size: OperandSize, memory: boolean, repeat: RepeatKind): number =>
  (SIZE_INDEX[size] * 2 + (memory ? 1 : 0)) * 3 + repeat;

export interface OpcodeMap {
  /** Candidates by opcode: 0-255 one byte, 256-511 behind 0F. */
  readonly entries: readonly (readonly Entry[])[];
  readonly forms: readonly Form[];
  /** Forms compiled into the dispatch function, in order of their handler number. */
  readonly hot: readonly Form[];
  /** Forms compiled into functions of their own; `target` is the index. */
  readonly outlined: readonly Form[];
  /** Forms that are, or can fall back to, TypeScript; `host` is the index. */
  readonly host: readonly Form[];
}

function parseEncoding(encoding: string): {
  opcodes: number[];
  prefix: MandatoryPrefix | undefined;
  digit: number;
  exact: number;
  modRm: boolean;
} {
  const words = encoding.split(' ');
  let prefix: MandatoryPrefix | undefined;
  const first = words[0] as string;
  if (first === 'NP' || ((first === '66' || first === 'F3' || first === 'F2') && words.length > 1 && words[1] === '0F')) {
    prefix = first as MandatoryPrefix;
    words.shift();
  }
  let map = 0;
  if (words[0] === '0F') {
    map = 256;
    words.shift();
  }
  const opcodeWord = words.shift() as string;
  const plus = opcodeWord.endsWith('+r');
  const opcode = map + Number.parseInt(opcodeWord, 16);
  let digit = -1;
  let exact = -1;
  let modRm = false;
  for (const word of words) {
    modRm = true;
    if (word.startsWith('=')) exact = Number.parseInt(word.slice(1), 16);
    else if (word !== '/r') digit = Number(word.slice(1));
  }
  return { opcodes: plus ? [0, 1, 2, 3, 4, 5, 6, 7].map((low) => opcode + low) : [opcode], prefix, digit, exact, modRm };
}

const SIZED = new Set(['v', 'z', 's', 'eAX', 'p', 'a']);

/** Operand sizes of 16- and 32-bit code, and of 64-bit code. */
export const LEGACY_SIZES: readonly OperandSize[] = [8, 16, 32];
export const LONG_SIZES: readonly OperandSize[] = [8, 16, 32, 64];

/** Operand sizes besides 8 that an instruction has. */
function formSizesOf({ options }: Definition, prefix: MandatoryPrefix | undefined, sizes: readonly OperandSize[]): OperandSize[] {
  const long = sizes.includes(64);
  return sizes.filter(
    (size) =>
      size !== 8 &&
      !(prefix === '66' && size === 16) &&
      !(long && options.default64 === true && size === 32) &&
      !(options.atMost32 === true && size === 64),
  );
}

/** @param sizes those of 64-bit code make the map of 64-bit mode */
export function buildOpcodeMap(definitions: readonly Definition[], sizes: readonly OperandSize[]): OpcodeMap {
  const long = sizes.includes(64);
  const entries: Entry[][] = Array.from({ length: 512 }, () => []);
  const forms: Form[] = [];
  const hot: Form[] = [];
  const outlined: Form[] = [];
  const host: Form[] = [];
  for (const definition of definitions) {
    const { not64, only64 } = definition.options;
    if (long ? not64 === true : only64 === true) continue;
    const { opcodes, prefix, digit, exact, modRm } = parseEncoding(definition.encoding);
    const operands = parseOperands(definition.operands);
    const kinds = operands.map((operand) => operand.kind);
    const memoryOnly = kinds.includes('M') || kinds.includes('O');
    const registerOnly = kinds.includes('R') || kinds.includes('N') || kinds.includes('U') || exact >= 0xc0;
    const either = kinds.includes('E') || kinds.includes('Q') || kinds.includes('W');
    const sized = definition.options.sized === true || operands.some((operand) => SIZED.has(operand.size));
    const wideOrNot = operands.some((operand) => operand.size === 'y');
    const firstSize = operands[0]?.size;
    const bytes = firstSize === 'b' || operands.some((operand) => operand.size === 'AL');
    const fixedSize: OperandSize = bytes ? 8 : firstSize === 'w' ? 16 : 32;
    const entry: Entry = {
      definition,
      operands,
      prefix,
      hasModRm: modRm,
      digit,
      exactModRm: exact,
      allowsMemory: memoryOnly || (either && !registerOnly),
      allowsRegister: !memoryOnly,
      sized,
      fixedSize,
      wideOrNot,
      forms: [],
    };
    const formSizes = sized ? formSizesOf(definition, prefix, sizes) : wideOrNot && long ? ([32, 64] as const) : [fixedSize];
    const memories = memoryOnly ? [true] : entry.allowsMemory ? [false, true] : [false];
    const repeats: RepeatKind[] = definition.options.repeat === undefined ? [0] : definition.options.repeat === 'rep' ? [0, 1] : [0, 1, 2];
    for (const operandSize of formSizes) {
      for (const memory of memories) {
        for (const repeat of repeats) {
          let handler: number;
          let list: Form[];
          if (typeof definition.semantics === 'string') {
            handler = HANDLER.host;
            list = host;
          } else if (definition.options.hot === true && operandSize !== 16 && repeat === 0) {
            handler = HANDLER.firstHot + hot.length;
            list = hot;
          } else {
            handler = HANDLER.outlined;
            list = outlined;
          }
          const hasHost = hostSemanticsName(definition) !== undefined;
          const form: Form = {
            definition,
            operands,
            operandSize,
            long,
            memory,
            repeat,
            handler,
            target: list.length,
            host: hasHost ? host.length : -1,
          };
          list.push(form);
          if (hasHost && list !== host) host.push(form);
          forms.push(form);
          entry.forms[formIndex(operandSize, memory, repeat)] = form;
        }
      }
    }
    for (const opcode of opcodes) (entries[opcode] as Entry[]).push(entry);
  }
  return { entries, forms, hot, outlined, host };
}
