/**
 * What the code of a case must not do on the host: call or ask its operating system, look at its descriptor tables,
 * read what is different at each time, use instructions that the machine does not have. Found by decoding it in a line, and
 * from the targets of its branches; what is only reached otherwise stays unfound, and the helper is prepared for it.
 */
import type { CpuidFeature, Instruction, Mnemonic, Register } from 'iced-x86';
import { iced } from '../assembler/iced.js';
import type { CodeBits } from './oracle.js';

export interface CodeFindings {
  readonly refusal: string | undefined;
  /** The code stores selectors. */
  readonly readsSelectors: boolean;
  /** Bit set of the segment registers that the code loads. */
  readonly loadedSegments: number;
}

const FEATURES: readonly (keyof typeof CpuidFeature)[] = [
  ...(['INTEL8086', 'INTEL8086_ONLY', 'INTEL186', 'INTEL286', 'INTEL286_ONLY', 'INTEL386', 'INTEL486', 'X64', 'CMOV', 'CX8'] as const),
  ...(['FPU', 'FPU287', 'FPU387', 'FXSR', 'MMX', 'SSE', 'SSE2', 'CLFSH', 'PAUSE', 'MULTIBYTENOP', 'CET_IBT'] as const),
  // Hints, which processors without them ignore.
  ...(['PREFETCHW', 'PREFETCHWT1', 'PREFETCHITI', 'CLDEMOTE'] as const),
  ...(['MSR', 'RDPMC', 'SEP', 'SMM'] as const),
];

const REFUSED: readonly (readonly [string, readonly (keyof typeof Mnemonic)[]])[] = [
  ['it calls the operating system of the host', ['Sysenter']],
  ['it looks at the descriptor tables of the host', ['Lar', 'Lsl', 'Verr', 'Verw']],
  // A trap whose return address some hypervisors give wrong.
  ['a hypervisor may answer in place of the host', ['Int1']],
  // With UMIP the kernel emulates what these would give.
  ['the kernel of the host answers in its place', ['Sgdt', 'Sidt', 'Sldt', 'Str', 'Smsw']],
];
const STORES_SELECTORS: readonly (keyof typeof Mnemonic)[] = ['Fnstenv', 'Fstenv', 'Fnsave', 'Fsave', 'Fxsave'];
const LOADS: Readonly<Partial<Record<keyof typeof Mnemonic, number>>> = { Les: 1, Lss: 4, Lds: 8, Lfs: 16, Lgs: 32 };
const FAR: readonly (keyof typeof Mnemonic)[] = ['Retf', 'Iret', 'Iretd', 'Iretq'];
const FAR_SEGMENTS = 0b111111;
/** #BP and #OF, which user code may raise by INT, and the call of Linux. */
const USER_GATES = [3, 4, 0x80];
const HLT = 0xf4;

interface Tables {
  readonly features: ReadonlySet<number>;
  readonly refused: ReadonlyMap<number, string>;
  readonly stores: ReadonlySet<number>;
  readonly loads: ReadonlyMap<number, number>;
  readonly far: ReadonlySet<number>;
}

let tables: Tables | undefined;

function loadTables(): Tables {
  const { CpuidFeature, Mnemonic } = iced();
  const set = (names: readonly (keyof typeof Mnemonic)[]): Set<number> => new Set(names.map((name) => Mnemonic[name]));
  return {
    features: new Set(FEATURES.map((name) => CpuidFeature[name])),
    refused: new Map(REFUSED.flatMap(([why, names]) => names.map((name): [number, string] => [Mnemonic[name], why]))),
    stores: set(STORES_SELECTORS),
    loads: new Map(Object.entries(LOADS).map(([name, mask]): [number, number] => [Mnemonic[name as keyof typeof Mnemonic], mask])),
    far: set(FAR),
  };
}

/** @param code from the first instruction on, to the end of the window */
export function inspectCode(code: Uint8Array, bits: CodeBits): CodeFindings {
  let end = code.length;
  while (end > 0 && code[end - 1] === HLT) end--;
  const { Decoder, DecoderOptions, Instruction, Mnemonic, CpuidFeature } = iced();
  tables ??= loadTables();
  const { features, refused, stores, loads, far } = tables;
  // LOCK where it must not be is not looked at: some processors execute VERW with it.
  const decoder = new Decoder(bits, code, DecoderOptions.NoInvalidCheck);
  const instruction = new Instruction();
  let refusal: string | undefined;
  let readsSelectors = false;
  let loadedSegments = 0;
  try {
    const seen = new Set<number>();
    // Branches may lead into the middle of what another path decodes.
    const starts = [0];
    for (let start = starts.pop(); start !== undefined && refusal === undefined; start = starts.pop()) {
      decoder.position = start;
      while (decoder.position < end && refusal === undefined && !seen.has(decoder.position)) {
        const at = decoder.position;
        seen.add(at);
        decoder.ip = BigInt(at);
        decoder.decodeOut(instruction);
        if (instruction.isInvalid) continue;
        if (instruction.nearBranchTarget < BigInt(end)) starts.push(Number(instruction.nearBranchTarget));
        const { mnemonic } = instruction;
        refusal = refused.get(mnemonic);
        const foreign = instruction.cpuidFeatures().find((feature) => !features.has(feature));
        if (foreign !== undefined) refusal = `it uses ${CpuidFeature[foreign]}`;
        if (mnemonic === Mnemonic.Int && USER_GATES.includes(instruction.immediate8)) refusal = 'the host has a gate for it';
        const loaded = loads.get(mnemonic);
        if (loaded !== undefined) loadedSegments |= loaded;
        if (far.has(mnemonic) || instruction.isJmpFar || instruction.isJmpFarIndirect) loadedSegments |= FAR_SEGMENTS;
        if (instruction.isCallFar || instruction.isCallFarIndirect) {
          loadedSegments |= FAR_SEGMENTS;
          readsSelectors = true;
        }
        if (at > 0 && stores.has(mnemonic)) readsSelectors = true;
        if (mnemonic === Mnemonic.Mov || mnemonic === Mnemonic.Push || mnemonic === Mnemonic.Pop) {
          const first = segmentOf(instruction, 0);
          if (first >= 0 && mnemonic !== Mnemonic.Push) loadedSegments |= 1 << first;
          else if (first >= 0 || (mnemonic === Mnemonic.Mov && segmentOf(instruction, 1) >= 0)) readsSelectors = true;
        }
      }
    }
  } finally {
    instruction.free();
    decoder.free();
  }
  return { refusal, readsSelectors, loadedSegments };
}

/** The number of the segment register that is this operand, or -1. */
function segmentOf(instruction: Instruction, operand: number): number {
  const { OpKind, Register: registers } = iced();
  if (instruction.opKind(operand) !== OpKind.Register) return -1;
  const register: Register = instruction.opRegister(operand);
  return register >= registers.ES && register <= registers.GS ? register - registers.ES : -1;
}
