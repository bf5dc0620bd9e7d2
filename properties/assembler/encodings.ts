/**
 * The instruction table of the assembler, drawn from iced's OpCodeInfo at first use of each mnemonic: mnemonic to the
 * codes that encode it, and what each operand of a code accepts. VEX, EVEX, XOP, MVEX and 3DNow! are left out.
 */
import { type Bits, iced } from './iced.js';
import type { RegisterClass } from './operands.js';

/** What one operand of a code accepts. */
export interface OperandForm {
  readonly register?: RegisterClass;
  /** Only this register, by iced's name. */
  readonly fixed?: string;
  readonly memory?: true;
  /** An immediate of `bits`, sign-extended to `extendedBits` where that is present; `only`: just this value. */
  readonly immediate?: { readonly bits: number; readonly extendedBits?: number; readonly only?: number };
  /** A branch in code of `bits`, with a displacement of `bytes`. */
  readonly branch?: { readonly bits: Bits; readonly bytes: number };
  readonly far?: 16 | 32;
  /** Memory addressed by fixed registers: not written down. */
  readonly implicit?: 'sourceIndex' | 'destinationIndex' | 'maskStore' | 'translate';
}

export interface Encoding {
  readonly code: number;
  readonly name: string;
  readonly mnemonic: string;
  readonly operands: readonly OperandForm[];
  readonly operandSize: number;
  readonly memoryBytes: number;
  readonly modes: { readonly 16: boolean; readonly 32: boolean; readonly 64: boolean };
  /** As the manuals write it, for messages. */
  readonly syntax: string;
}

const immediates: Record<string, OperandForm> = {
  imm8: { immediate: { bits: 8 } },
  imm8_const_1: { immediate: { bits: 8, only: 1 } },
  imm8sex16: { immediate: { bits: 8, extendedBits: 16 } },
  imm8sex32: { immediate: { bits: 8, extendedBits: 32 } },
  imm8sex64: { immediate: { bits: 8, extendedBits: 64 } },
  imm16: { immediate: { bits: 16 } },
  imm32: { immediate: { bits: 32 } },
  imm32sex64: { immediate: { bits: 32, extendedBits: 64 } },
  imm64: { immediate: { bits: 64 } },
};
const others: Record<string, OperandForm> = {
  farbr2_2: { far: 16 },
  farbr4_2: { far: 32 },
  mem: { memory: true },
  mem_offs: { memory: true },
  seg_reg: { register: 'segment' },
  cr_reg: { register: 'control' },
  dr_reg: { register: 'debug' },
  sti_opcode: { register: 'st' },
  seg_rSI: { implicit: 'sourceIndex' },
  es_rDI: { implicit: 'destinationIndex' },
  seg_rDI: { implicit: 'maskStore' },
  seg_rBX_al: { implicit: 'translate' },
};
const fixedRegisters = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'al', 'cl', 'ax', 'dx', 'eax', 'rax', 'st0'];
for (const name of fixedRegisters) others[name] = { fixed: name.toUpperCase() };

/** The form named by one of iced's OpCodeOperandKind names; undefined where the assembler does not know it. */
function operandForm(kind: string): OperandForm | undefined {
  const known = immediates[kind] ?? others[kind];
  if (known !== undefined) return known;
  const branch = /^br(16|32|64)_(\d)$/.exec(kind);
  if (branch !== null) return { branch: { bits: Number(branch[1]) as Bits, bytes: Number(branch[2]) } };
  const register = /^(r8|r16|r32|r64|mm|xmm)_(or_mem|reg|rm|opcode)$/.exec(kind);
  if (register === null) return undefined;
  const registerClass = register[1] as RegisterClass;
  return register[2] === 'or_mem' ? { register: registerClass, memory: true } : { register: registerClass };
}

const foreignEncodings = /^(VEX|EVEX|XOP|MVEX|D3NOW|Declare|INVALID|Zero)/;
let codesByInitials: Map<string, number[]> | undefined;
const encodingByCode = new Map<number, Encoding | undefined>();
const encodingsByMnemonic = new Map<string, readonly Encoding[]>();

function describe(code: number): Encoding | undefined {
  if (encodingByCode.has(code)) return encodingByCode.get(code);
  const { Code, CodeExt, MemorySizeExt, Mnemonic, OpCodeOperandKind } = iced();
  const info = CodeExt.opCode(code);
  const operands: OperandForm[] = [];
  let complete = true;
  for (let i = 0; i < info.opCount; i++) {
    const form = operandForm(OpCodeOperandKind[info.opKind(i)] as string);
    if (form === undefined) complete = false;
    else operands.push(form);
  }
  const encoding: Encoding | undefined = complete
    ? {
        code,
        name: Code[code] as string,
        mnemonic: (Mnemonic[info.mnemonic] as string).toLowerCase(),
        operands,
        operandSize: info.operandSize,
        memoryBytes: MemorySizeExt.size(info.memorySize),
        modes: { 16: info.isAvailableInMode(16), 32: info.isAvailableInMode(32), 64: info.isAvailableInMode(64) },
        syntax: info.instructionString,
      }
    : undefined;
  info.free();
  encodingByCode.set(code, encoding);
  return encoding;
}

function candidateCodes(mnemonic: string): readonly number[] {
  if (codesByInitials === undefined) {
    codesByInitials = new Map();
    for (const [name, code] of Object.entries(iced().Code)) {
      if (typeof code !== 'number' || foreignEncodings.test(name)) continue;
      const initials = name.slice(0, 2).toLowerCase();
      const codes = codesByInitials.get(initials);
      if (codes === undefined) codesByInitials.set(initials, [code]);
      else codes.push(code);
    }
  }
  return codesByInitials.get(mnemonic.slice(0, 2)) ?? [];
}

const isFarMemory = (encoding: Encoding): boolean => encoding.operands[0]?.memory === true && encoding.operands[0].register === undefined;

/** All encodings of a mnemonic as iced names it, and `jmpf` and `callf` for the far indirect forms. */
export function encodingsOf(mnemonic: string): readonly Encoding[] {
  let found = encodingsByMnemonic.get(mnemonic);
  if (found === undefined) {
    const far = mnemonic === 'jmpf' || mnemonic === 'callf';
    const name = far ? mnemonic.slice(0, -1) : mnemonic;
    const all: Encoding[] = [];
    for (const code of candidateCodes(name)) {
      const encoding = describe(code);
      if (encoding?.mnemonic === name) all.push(encoding);
    }
    const transfers = name === 'jmp' || name === 'call';
    found = transfers ? all.filter((encoding) => isFarMemory(encoding) === far) : all;
    encodingsByMnemonic.set(mnemonic, found);
  }
  return found;
}

/** One encoding by iced's name for it, for example `Add_r32_rm32`. */
export function encodingNamed(name: string): Encoding | undefined {
  const code = (iced().Code as unknown as Record<string, number>)[name];
  return typeof code === 'number' ? describe(code) : undefined;
}
