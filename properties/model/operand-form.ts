/** The operand notation of opcode rows (opcode.ts), parsed. */
import { CS, DS, ES, FS, GS, SS } from '../state/cpu-state.js';

/** Where an operand comes from. */
export const SOURCE = {
  /** ModRM.reg */
  reg: 0,
  /** ModRM.rm as a register */
  rm: 1,
  /** ModRM.rm as memory */
  memory: 2,
  /** ModRM.rm, either */
  either: 3,
  /** Low three bits of the opcode */
  opcode: 4,
  /** A certain register */
  fixed: 5,
  immediate: 6,
  constant: 7,
  /** Displacement of a relative branch */
  relative: 8,
  memoryOffset: 9,
  farPointer: 10,
} as const;

/** What an operand is once decoded. */
export const KIND = {
  general: 0,
  /** AH, CH, DH, BH: numbers 0-3 */
  highByte: 1,
  memory: 2,
  immediate: 3,
  segment: 4,
  control: 5,
  debug: 6,
  mmx: 7,
  xmm: 8,
  x87: 9,
} as const;

/** In bits; v: operand size; z: 16 or 32; y: 32 or 64; 0: none. */
export type Size = number | 'v' | 'z' | 'y';

export interface OperandForm {
  readonly source: number;
  /** KIND of a register. */
  readonly kind: number;
  readonly size: Size;
  /** Of memory, where it differs from the register. */
  readonly memorySize: Size;
  /** Register number, or the constant. */
  readonly number: number;
  /** imm8s */
  readonly signExtended: boolean;
}

const size = (text: string): Size => (text === 'v' || text === 'z' || text === 'y' ? text : text === '' ? 0 : Number(text));

const form = (source: number, kind: number, width: Size, rest: Partial<OperandForm> = {}): OperandForm => ({
  source,
  kind,
  size: width,
  memorySize: width,
  number: 0,
  signExtended: false,
  ...rest,
});

const FIXED = new Map<string, OperandForm>([
  ['al', form(SOURCE.fixed, KIND.general, 8)],
  ['ax', form(SOURCE.fixed, KIND.general, 16)],
  ['eax', form(SOURCE.fixed, KIND.general, 32)],
  ['rax', form(SOURCE.fixed, KIND.general, 'v')],
  ['cl', form(SOURCE.fixed, KIND.general, 8, { number: 1 })],
  ['dx', form(SOURCE.fixed, KIND.general, 16, { number: 2 })],
  ['1', form(SOURCE.constant, KIND.immediate, 8, { number: 1 })],
  ['3', form(SOURCE.constant, KIND.immediate, 8, { number: 3 })],
  ['es', form(SOURCE.fixed, KIND.segment, 16, { number: ES })],
  ['cs', form(SOURCE.fixed, KIND.segment, 16, { number: CS })],
  ['ss', form(SOURCE.fixed, KIND.segment, 16, { number: SS })],
  ['ds', form(SOURCE.fixed, KIND.segment, 16, { number: DS })],
  ['fs', form(SOURCE.fixed, KIND.segment, 16, { number: FS })],
  ['gs', form(SOURCE.fixed, KIND.segment, 16, { number: GS })],
  ['Sreg', form(SOURCE.reg, KIND.segment, 16)],
  ['CRn', form(SOURCE.reg, KIND.control, 'y')],
  ['DRn', form(SOURCE.reg, KIND.debug, 'y')],
  ['mm', form(SOURCE.reg, KIND.mmx, 64)],
  ['rm:mm', form(SOURCE.rm, KIND.mmx, 64)],
  ['xmm', form(SOURCE.reg, KIND.xmm, 128)],
  ['rm:xmm', form(SOURCE.rm, KIND.xmm, 128)],
  ['st(i)', form(SOURCE.rm, KIND.x87, 80)],
  ['imm8s', form(SOURCE.immediate, KIND.immediate, 8, { signExtended: true })],
  ['ptr16:z', form(SOURCE.farPointer, KIND.immediate, 'v')],
  ['m', form(SOURCE.memory, KIND.memory, 0)],
]);

interface Pattern {
  readonly text: RegExp;
  readonly parse: (first: string, second: string) => OperandForm;
}

const PATTERNS: readonly Pattern[] = [
  { text: /^r(8|16|32|64|v|z|y)$/, parse: (width) => form(SOURCE.reg, KIND.general, size(width)) },
  { text: /^rm:r(8|16|32|64|v|z|y)$/, parse: (width) => form(SOURCE.rm, KIND.general, size(width)) },
  { text: /^r\/m(8|16|32|64|v|z|y)$/, parse: (width) => form(SOURCE.either, KIND.general, size(width)) },
  {
    text: /^r(8|16|32|64|v|z|y)\/m(8|16|32|64|v|z|y)$/,
    parse: (width, memory) => form(SOURCE.either, KIND.general, size(width), { memorySize: size(memory) }),
  },
  { text: /^m(8|16|32|64|80|128|v|z|y)$/, parse: (width) => form(SOURCE.memory, KIND.memory, size(width)) },
  { text: /^mm\/m(8|16|32|64)$/, parse: (memory) => form(SOURCE.either, KIND.mmx, 64, { memorySize: size(memory) }) },
  { text: /^xmm\/m(8|16|32|64|128)$/, parse: (memory) => form(SOURCE.either, KIND.xmm, size(memory)) },
  { text: /^imm(8|16|32|z|v)$/, parse: (width) => form(SOURCE.immediate, KIND.immediate, size(width)) },
  { text: /^rel(8|z)$/, parse: (width) => form(SOURCE.relative, KIND.immediate, size(width)) },
  { text: /^moffs(8|v)$/, parse: (width) => form(SOURCE.memoryOffset, KIND.memory, size(width)) },
];

/** @param inOpcode the row is a `+r` row: registers are named by the opcode's low bits */
export function parseOperand(text: string, inOpcode: boolean): OperandForm {
  const fixed = FIXED.get(text);
  if (fixed !== undefined) return fixed;
  for (const { text: pattern, parse } of PATTERNS) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const parsed = parse(match[1] ?? '', match[2] ?? '');
    return inOpcode && parsed.source === SOURCE.reg ? { ...parsed, source: SOURCE.opcode } : parsed;
  }
  throw new Error(`unknown operand ${JSON.stringify(text)}`);
}
