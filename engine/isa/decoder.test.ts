/**
 * The decoder against iced-x86 on random bytes, in 16-, 32- and 64-bit code: which bytes are an instruction of a Pentium
 * 4-class processor, which one, how long it is, and where its memory operand lies.
 */
import { Code, CpuidFeature, DecoderOptions, Decoder as IcedDecoder, type Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { CODE_PAGE_OFFSET, CS, DS, ES, FS, GS, registerOffset, SS, ZERO_OFFSET } from '../cpu/layout.js';
import { MODE_CODE_32, MODE_CODE_64 } from '../cpu/mode.js';
import { TestRandom } from '../test-random-guest.js';
import { Decoder, INSTRUCTION_LIMIT_BYTES } from './decoder.js';
import { buildOpcodeMap, LEGACY_SIZES, LONG_SIZES } from './opcode-map.js';
import { INSTRUCTIONS } from './table.js';

const CASES = Number(process.env.DECODER_CASES ?? 20_000);

/** CPUID features whose instructions the machine has. */
const FEATURES = new Set<CpuidFeature>([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL8086_ONLY,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL386_ONLY,
  CpuidFeature.INTEL486,
  CpuidFeature.CPUID,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
  CpuidFeature.CMOV,
  CpuidFeature.CX8,
  CpuidFeature.FXSR,
  CpuidFeature.MMX,
  CpuidFeature.MSR,
  CpuidFeature.RDPMC,
  CpuidFeature.SEP,
  CpuidFeature.SSE,
  CpuidFeature.SSE2,
  CpuidFeature.TSC,
  CpuidFeature.MULTIBYTENOP,
  CpuidFeature.PAUSE,
  CpuidFeature.CLFSH,
  CpuidFeature.X64,
]);

/** Ours on the left: what newer processors have made of encodings that older ones take for ours. */
const SUCCESSORS: Readonly<Record<string, readonly string[]>> = {
  bsf: ['tzcnt'],
  bsr: ['lzcnt'],
  wbinvd: ['wbnoinvd'],
  nop: ['pause', 'reservednop', 'cldemote', 'endbr32', 'endbr64', 'rdsspd', 'prefetchit0', 'prefetchit1'],
  prefetch: ['prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2', 'reservednop'],
  prefetchw: ['prefetch', 'prefetchwt1', 'reservednop'],
};
/** Ours on the left: iced has a name for each size. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'call far': ['call'],
  'jmp far': ['jmp'],
  cwde: ['cbw', 'cdqe'],
  cdq: ['cwd', 'cqo'],
  jecxz: ['jcxz', 'jrcxz'],
  movd: ['movq'],
  sysexit: ['sysexitq'],
  fxsave: ['fxsave64'],
  fxrstor: ['fxrstor64'],
  // Raises #UD when it is executed.
  cmpxchg8b: ['cmpxchg16b'],
  xchg: ['nop', 'pause'],
  xlat: ['xlatb'],
};
const isSized = (ours: string, theirs: string): boolean =>
  /^(cmps|ins|iret|lods|movs|outs|popa|popf|pusha|pushf|scas|stos)$/.test(ours) && new RegExp(`^${ours}[bdwq]$`).test(theirs);

const isNarrowBranch = (): boolean => {
  const { definition, operandSize, operands } = decoder.form;
  return operandSize === 16 && definition.options.default64 === true && (definition.options.terminal === true || operands[0]?.kind === 'J');
};

/** These decode here, and raise #UD when they are executed: segment registers 6 and 7, CS as a destination, CR1 and CR5 to CR7, DR8 and up. */
const raisesLater = (encoding: string): boolean => ['8C /r', '8E /r', '0F 20 /r', '0F 21 /r', '0F 22 /r', '0F 23 /r'].includes(encoding);

const decoder = new Decoder(buildOpcodeMap(INSTRUCTIONS, LEGACY_SIZES), buildOpcodeMap(INSTRUCTIONS, LONG_SIZES));
const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

function randomBytes(random: TestRandom, bits: 16 | 32 | 64): Uint8Array {
  const bytes = Uint8Array.from({ length: INSTRUCTION_LIMIT_BYTES + 1 }, () => random.below(256));
  let at = 0;
  while (random.chance(30)) bytes[at++ % 16] = random.pick(PREFIXES);
  if (bits === 64 && random.chance(50)) bytes[at++ % 16] = 0x40 + random.below(16);
  if (random.chance(45)) bytes[at % 16] = 0x0f;
  return bytes;
}

const GENERAL_64 = [
  ...[Register.RAX, Register.RCX, Register.RDX, Register.RBX, Register.RSP, Register.RBP, Register.RSI, Register.RDI],
  ...[Register.R8, Register.R9, Register.R10, Register.R11, Register.R12, Register.R13, Register.R14, Register.R15],
];
const GENERAL_32 = [Register.R8D, Register.R9D, Register.R10D, Register.R11D, Register.R12D, Register.R13D, Register.R14D, Register.R15D];
const GENERAL = [Register.EAX, Register.ECX, Register.EDX, Register.EBX, Register.ESP, Register.EBP, Register.ESI, Register.EDI];
const GENERAL_16 = [Register.AX, Register.CX, Register.DX, Register.BX, Register.SP, Register.BP, Register.SI, Register.DI];
const SEGMENTS = new Map([
  [Register.ES, ES],
  [Register.CS, CS],
  [Register.SS, SS],
  [Register.DS, DS],
  [Register.FS, FS],
  [Register.GS, GS],
]);

/** The offset of a base or index in the register file. */
function fieldOf(register: Register): number {
  if (register === Register.None) return ZERO_OFFSET;
  if (register === Register.RIP || register === Register.EIP) return CODE_PAGE_OFFSET;
  const upper = GENERAL_32.indexOf(register);
  if (upper >= 0) return registerOffset(8 + upper);
  return registerOffset(Math.max(GENERAL.indexOf(register), GENERAL_16.indexOf(register), GENERAL_64.indexOf(register)));
}

/** 64-bit code ignores overrides but for those of FS and GS, which iced shows nevertheless. */
function segmentOf(segment: Register, base: Register, bits: number): number | undefined {
  if (bits < 64 || segment === Register.FS || segment === Register.GS) return SEGMENTS.get(segment);
  return [Register.RSP, Register.RBP, Register.ESP, Register.EBP].includes(base) ? SS : DS;
}

function expectSameMemory(instruction: Instruction, bits: number): void {
  const kinds = Array.from({ length: instruction.opCount }, (_, i) => instruction.opKind(i));
  if (!kinds.includes(OpKind.Memory)) return;
  const mask = decoder.addressSize === 16 ? 0xffff : 0xffff_ffff;
  const { memoryBase, memoryIndex, memoryIndexScale, memoryDisplacement, memorySegment } = instruction;
  // XLAT and MASKMOV have their registers by themselves.
  if (kinds.length === 1 && memoryIndex === Register.AL) return;
  expect({
    base: decoder.base,
    index: decoder.index,
    scale: 1 << decoder.scale,
    displacement: ((decoder.displacement + (decoder.ripRelative ? decoder.length : 0)) & mask) >>> 0,
    segment: decoder.segment,
  }).toEqual({
    base: fieldOf(memoryBase),
    index: fieldOf(memoryIndex),
    scale: memoryIndex === Register.None ? 1 : memoryIndexScale,
    displacement: (Number(BigInt.asUintN(32, memoryDisplacement)) & mask) >>> 0,
    segment: segmentOf(memorySegment, memoryBase, bits),
  });
}

describe.each([16, 32, 64] as const)('%i-bit code', (bits) => {
  const mode = bits === 64 ? MODE_CODE_64 : bits === 32 ? MODE_CODE_32 : 0;

  it('has the instructions that iced has, and no others', () => {
    const random = new TestRandom(bits);
    let decoded = 0;
    for (let i = 0; i < CASES; i++) {
      const bytes = randomBytes(random, bits);
      const text = Buffer.from(bytes).toString('hex');
      const iced = new IcedDecoder(bits, bytes, DecoderOptions.None);
      const instruction = iced.decode();
      const result = decoder.decode(bytes, 0, bytes.length, mode);
      const valid = instruction.code !== Code.INVALID;
      const ours = result === 'ok' ? decoder.form.definition : undefined;
      if (ours !== undefined && bits === 64 && isNarrowBranch()) {
        // Near branches of 16 bits exist on AMD processors only: iced has Intel's, to which the prefix means nothing.
      } else if (ours === undefined) {
        const features = valid ? Array.from(instruction.cpuidFeatures()) : [];
        const missing = valid && features.every((feature) => FEATURES.has(feature));
        expect([text, missing ? Mnemonic[instruction.mnemonic] : 'nothing']).toEqual([text, 'nothing']);
      } else if (!valid) {
        expect([text, ours.encoding, raisesLater(ours.encoding)]).toEqual([text, ours.encoding, true]);
      } else {
        decoded++;
        const theirs = (Mnemonic[instruction.mnemonic] as string).toLowerCase();
        const same = ours.mnemonic === theirs || isSized(ours.mnemonic, theirs);
        const known = same || [...(NAMES[ours.mnemonic] ?? []), ...(SUCCESSORS[ours.mnemonic] ?? [])].includes(theirs);
        expect([text, ours.mnemonic, known ? ours.mnemonic : theirs]).toEqual([text, ours.mnemonic, ours.mnemonic]);
        expect([text, decoder.length]).toEqual([text, instruction.length]);
        expectSameMemory(instruction, bits);
      }
      instruction.free();
      iced.free();
    }
    expect(decoded).toBeGreaterThan(CASES / 2);
  });

  it('asks for more bytes exactly when they are not enough', () => {
    const random = new TestRandom(bits + 100);
    for (let i = 0; i < 2000; i++) {
      const bytes = randomBytes(random, bits);
      if (decoder.decode(bytes, 0, bytes.length, mode) !== 'ok') continue;
      const { length } = decoder;
      for (let end = 0; end < length; end++) expect(decoder.decode(bytes, 0, end, mode)).toBe('needMoreBytes');
      expect(decoder.decode(bytes, 0, length, mode)).toBe('ok');
    }
  });

  it('refuses more than fifteen bytes', () => {
    const padded = (prefixes: number): Uint8Array => Uint8Array.from([...Array.from({ length: prefixes }, () => 0x2e), 0x90]);
    expect(decoder.decode(padded(14), 0, 15, mode)).toBe('ok');
    expect(decoder.decode(padded(15), 0, 16, mode)).toBe('tooLong');
    expect(decoder.decode(padded(15), 0, 15, mode)).toBe('tooLong');
  });
});
