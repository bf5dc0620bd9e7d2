/**
 * Every encoding of the machine's instructions, from iced-x86's OpCodeInfo: what the generators choose from and what the
 * coverage of a campaign is measured against. What is left out is listed with the reason, so that nothing is missing
 * without being named.
 */
import { iced } from '../assembler/iced.js';
import type { CodeBits } from '../oracles/oracle.js';

export type EncodingFamily = 'integer' | 'x87' | 'mmx' | 'sse';

/** What the ModRM byte of an encoding may be; `none`: there is no such byte. */
export type ModRmKind = 'none' | 'register' | 'memory' | 'either';

export interface InstructionEncoding {
  /** As in the manual: `ADD r/m32, r32 [o32 01 /r]`. o16, o32, o64, a16, a32, a64 are operand and address size. */
  readonly name: string;
  /** iced's name: `Add_rm32_r32`. */
  readonly code: string;
  readonly mnemonic: string;
  readonly family: EncodingFamily;
  readonly modes: readonly CodeBits[];
  /** 0: the operand size does not matter. */
  readonly operandSize: 0 | 16 | 32 | 64;
  readonly addressSize: 0 | 16 | 32 | 64;
  /** 64 is the operand size without REX.W, in 64-bit mode. */
  readonly default64: boolean;
  readonly mandatoryPrefix: 0 | 0x66 | 0xf2 | 0xf3;
  /** None of 66, F2, F3 may be there, or with a mandatory prefix no other. */
  readonly exactPrefix: boolean;
  /** Opcode bytes, escape included; behind them a fixed ModRM byte, where there is one (`D9 E8`). */
  readonly opcode: readonly number[];
  /** The low three bits of the last opcode byte are a register (`+r`, `+i`). */
  readonly registerInOpcode: boolean;
  readonly modRm: ModRmKind;
  /** ModRM.reg, or -1 where it is an operand. */
  readonly digit: number;
  /** Values of ModRM.reg that name something: 8, or 6 segment registers. */
  readonly regKind: 'general' | 'segment' | 'control' | 'debug' | 'vector';
  /** Bytes of each immediate, displacement or pointer behind the ModRM byte, in order; 0 stands for an address (moffs). */
  readonly trailing: readonly number[];
  /** The first of them is a branch displacement. */
  readonly branch: boolean;
  readonly memoryBytes: number;
  readonly lock: boolean;
  /** REP, REPE or REPNE mean something. */
  readonly repeat: boolean;
  /** Operands that are memory by themselves. */
  readonly implicit: readonly ImplicitMemory[];
}

export type ImplicitMemory = 'sourceIndex' | 'destinationIndex' | 'maskStore' | 'translate';

export interface ExcludedEncoding {
  readonly name: string;
  readonly code: string;
  readonly reason: string;
}

/** CPUID features, in iced's names, whose instructions the machine has: those of a Pentium 4, and 64-bit mode. */
const FEATURES = new Set([
  ...['INTEL8086', 'INTEL186', 'INTEL286', 'INTEL386', 'INTEL486', 'CPUID', 'MSR', 'TSC', 'RDPMC', 'CX8', 'CMOV', 'SEP', 'SMM'],
  ...['FPU', 'FPU287', 'FPU387', 'MMX', 'FXSR', 'SSE', 'SSE2', 'CLFSH', 'PAUSE', 'MULTIBYTENOP', 'PREFETCHW', 'X64'],
]);

const IMPLICIT: Readonly<Record<string, ImplicitMemory>> = {
  seg_rSI: 'sourceIndex',
  es_rDI: 'destinationIndex',
  seg_rDI: 'maskStore',
  seg_rBX_al: 'translate',
};
const TRAILING_BYTES: Readonly<Record<string, number>> = { ib: 1, iw: 2, id: 4, io: 8, cb: 1, cw: 2, cd: 4, cp: 6, mo: 0 };
const PREFIX_BYTES = [0, 0, 0x66, 0xf3, 0xf2] as const;
/** iced's MandatoryPrefix: 0 none, 1 NP, 2 66, 3 F3, 4 F2. */
const MANDATORY_NONE = 0;

/** iced's EncodingKind. */
const ENCODING_LEGACY = 0;

let enumerated: { readonly encodings: readonly InstructionEncoding[]; readonly excluded: readonly ExcludedEncoding[] } | undefined;

/** All encodings, in the order of iced's Code; the same list in the same order for ever, unless iced's grows. */
export function allEncodings(): readonly InstructionEncoding[] {
  enumerated ??= enumerate();
  return enumerated.encodings;
}

export function encodingsFor(bits: CodeBits): readonly InstructionEncoding[] {
  return allEncodings().filter(({ modes }) => modes.includes(bits));
}

/** What iced knows and this list has not, with the reason. VEX, EVEX, XOP, MVEX and 3DNow! are left out as a whole. */
export function excludedEncodings(): readonly ExcludedEncoding[] {
  enumerated ??= enumerate();
  return enumerated.excluded;
}

function enumerate(): NonNullable<typeof enumerated> {
  const { Code, CodeExt, CpuidFeature, Instruction } = iced();
  const encodings: InstructionEncoding[] = [];
  const excluded: ExcludedEncoding[] = [];
  const instruction = new Instruction();
  for (const [code, number] of Object.entries(Code)) {
    if (typeof number !== 'number') continue;
    const info = CodeExt.opCode(number);
    if (info.encoding === ENCODING_LEGACY && info.isInstruction) {
      instruction.code = number;
      const features = Array.from(instruction.cpuidFeatures(), (feature) => CpuidFeature[feature] as string);
      const name = `${info.instructionString} [${info.opCodeString}]`;
      const reason = reasonAgainst(features, info);
      if (reason === undefined) encodings.push(describe(code, name, familyOf(features), info));
      else excluded.push({ name, code, reason });
    }
    info.free();
  }
  instruction.free();
  return { encodings, excluded };
}

type OpCodeInfo = ReturnType<ReturnType<typeof iced>['CodeExt']['opCode']>;

function reasonAgainst(features: readonly string[], info: OpCodeInfo): string | undefined {
  const foreign = features.filter((feature) => !FEATURES.has(feature));
  if (foreign.length > 0) return `needs ${foreign.join(' and ')}, which the machine does not announce`;
  if (info.fwait) return 'two instructions: WAIT, and the form without it';
  if (info.decoderOption !== 0) return 'decoded by old or foreign processors only';
  const decoded = info.intelDecoder16 || info.intelDecoder32 || info.intelDecoder64;
  // UD0 without a ModRM byte, and near branches in 64-bit mode that 66h shortens: Intel ignores it there.
  if (!decoded) return 'decodes so on AMD processors only';
  return undefined;
}

function familyOf(features: readonly string[]): EncodingFamily {
  if (features.some((feature) => feature.startsWith('FPU'))) return 'x87';
  if (features.includes('MMX')) return 'mmx';
  return features.some((feature) => feature === 'FXSR' || /^SSE/.test(feature)) ? 'sse' : 'integer';
}

function describe(code: string, name: string, family: EncodingFamily, info: OpCodeInfo): InstructionEncoding {
  const { MemorySizeExt, Mnemonic, OpCodeOperandKind } = iced();
  const kinds = Array.from({ length: info.opCount }, (_, i) => OpCodeOperandKind[info.opKind(i)] as string);
  const words = info.opCodeString.split(' ');
  const mandatoryPrefix = PREFIX_BYTES[info.mandatoryPrefix] as 0 | 0x66 | 0xf2 | 0xf3;
  const opcode: number[] = [];
  const trailing: number[] = [];
  let digit = -1;
  let registerInOpcode = false;
  let hasModRm = false;
  const codeWords = words.filter((word) => !/^(NP|[oa](16|32|64))$/.test(word));
  if (mandatoryPrefix !== 0) codeWords.shift();
  for (const word of codeWords) {
    if (/^[0-9A-F]{2}$/.test(word)) opcode.push(Number.parseInt(word, 16));
    else if (/^[0-9A-F]{2}\+/.test(word)) {
      opcode.push(Number.parseInt(word, 16));
      registerInOpcode = true;
    } else if (word.startsWith('/')) {
      hasModRm = true;
      if (word !== '/r') digit = Number(word.slice(1));
    } else {
      const bytes = TRAILING_BYTES[word];
      if (bytes === undefined) throw new Error(`unknown word ${word} in the encoding of ${code}`);
      trailing.push(bytes);
    }
  }
  const either = kinds.some((kind) => kind.endsWith('_or_mem'));
  const modes = ([16, 32, 64] as const).filter(
    (bits) => info.isAvailableInMode(bits) && { 16: info.intelDecoder16, 32: info.intelDecoder32, 64: info.intelDecoder64 }[bits],
  );
  const { operandSize, addressSize } = info;
  return {
    name,
    code,
    mnemonic: (Mnemonic[info.mnemonic] as string).toLowerCase(),
    family: kinds.some((kind) => kind.startsWith('mm_')) && family === 'integer' ? 'mmx' : family,
    modes,
    operandSize: operandSize as 0 | 16 | 32 | 64,
    addressSize: addressSize as 0 | 16 | 32 | 64,
    default64: info.defaultOpSize64 || info.forceOpSize64,
    mandatoryPrefix,
    exactPrefix: info.mandatoryPrefix !== MANDATORY_NONE,
    opcode,
    registerInOpcode,
    modRm: !hasModRm ? 'none' : either ? 'either' : kinds.includes('mem') ? 'memory' : 'register',
    digit,
    regKind: regKind(kinds),
    trailing,
    branch: kinds.some((kind) => kind.startsWith('br')),
    memoryBytes: MemorySizeExt.size(info.memorySize),
    lock: info.canUseLockPrefix,
    repeat: info.canUseRepPrefix || info.canUseRepnePrefix,
    implicit: kinds.flatMap((kind) => IMPLICIT[kind] ?? []),
  };
}

function regKind(kinds: readonly string[]): InstructionEncoding['regKind'] {
  if (kinds.includes('seg_reg')) return 'segment';
  if (kinds.includes('cr_reg')) return 'control';
  if (kinds.includes('dr_reg')) return 'debug';
  return kinds.some((kind) => kind === 'mm_reg' || kind === 'xmm_reg') ? 'vector' : 'general';
}
